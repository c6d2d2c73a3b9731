"""A run while it goes on: a block for a terminal, drawn again and again; or one line an event for anything else."""

from collections.abc import Mapping, Sequence

from msgspec import Struct

from cronflow import instant
from cronflow.lifecycle import duration
from cronflow.record import TASK_ENDED, Run, TaskRun
from cronflow.view.ink import Line, Span, harmless, line, padded, span
from cronflow.view.moments import between, lasted
from cronflow.view.signs import TONES, WORDS, Look, sign, word
from cronflow.wall import Wall

BAR, BAR_LEAST = 24, 4  # columns
# What a person wants to see of many tasks, first things first.
INTEREST = ("running", "retrying", "failed", "upstream_failed", "cancelled", "pending", "succeeded", "skipped")


class Scene(Struct, frozen=True):
    """What there is to draw: the tasks' records now, and the last line that running tasks printed."""

    run: Run
    tasks: Mapping[str, TaskRun]
    tails: Mapping[str, str]
    now: float


def title(run: Run, wall: Wall) -> Line:
    """The pipeline, its due time, its period, and the run's id."""
    parts = [span(run.pipeline, "strong")]
    if run.scheduled_at is not None and run.interval_start != run.interval_end:
        due = f"  due {wall.minute(run.scheduled_at)} {wall.label}"
        start = f", period from {wall.minute(run.interval_start)}" if run.interval_start else ""
        parts.append(span(due + start))
    parts.append(span(f"  run {run.run_id}", "dim"))
    return tuple(parts)


def block(scene: Scene, look: Look, rows: int) -> list[Line]:
    """The tasks worth a row, at most `rows` of them, and a bar for the whole."""
    names = list(scene.tasks)
    shown = names
    if len(names) > rows:
        wanted = sorted(names, key=lambda name: INTEREST.index(scene.tasks[name].state))[: max(0, rows - 1)]
        shown = [name for name in names if name in set(wanted)]
    widest = min(24, max((len(name) for name in shown), default=0))
    lines = [task_row(scene, name, widest, look) for name in shown]
    if len(shown) < len(names):
        lines.append(line(f"  {look.signs.more} {len(names) - len(shown)} more", "dim"))
    return [look.clip(drawn) for drawn in (*lines, bar(scene, look))]


def task_row(scene: Scene, name: str, widest: int, look: Look) -> Line:
    """One task: its state, how long, which attempt, and what it says or why."""
    record = scene.tasks[name]
    head = (Span("  "), sign(record.state, look), Span(" "))
    named = padded(line(name[:widest]), widest)
    last = record.attempts[-1] if record.attempts else None
    taken = between(last.started_at, last.ended_at, scene.now) if last else ""
    attempt = attempt_note(scene.run, name, record)
    said = scene.tails.get(name, "") if record.state == "running" and not record.reason else note(record, scene.now)
    tone = TONES.get(record.state, "plain") if record.state in {"failed", "retrying"} else "dim"
    return (*head, *named, Span("  "), *padded(line(taken), 6, right=True), Span("  "), span(f"{attempt}{said}", tone))


def attempt_note(run: Run, name: str, record: TaskRun) -> str:
    """Which attempt it is, of how many at most, where it is not the first of its round."""
    first = run.rounds[-1].first.get(name, 1)
    number = record.attempts[-1].number if record.attempts else 0
    return f"attempt {number} of {first + run.definition.tasks[name].retries}  " if number > first else ""


def note(record: TaskRun, now: float) -> str:
    """Why a task is as it is; for one that waits, until when."""
    if record.state == "retrying" and record.next_attempt_at is not None:
        return f"{record.reason}; again in {lasted(instant.to_seconds(record.next_attempt_at) - now)}"
    return record.reason or ""


def bar(scene: Scene, look: Look) -> Line:
    """How much is done, in tasks, and for how long it has gone on."""
    total = len(scene.tasks)
    states = [task.state for task in scene.tasks.values()]
    ended = sum(state in TASK_ENDED for state in states)
    running = states.count("running")
    bad = any(state in {"failed", "upstream_failed"} for state in states)
    counts = f" {ended}/{total} done" + (f", {running} running" if running else "")
    since = f", {between(scene.run.rounds[-1].at, None, scene.now)}"
    room = BAR if look.width is None else min(BAR, max(BAR_LEAST, look.width - len(f"  {counts}{since}")))
    filled = room * ended // total if total else room
    return (
        Span("  "),
        Span(look.signs.bar * filled, "bad" if bad else "good"),
        Span(look.signs.wait * (room - filled), "dim"),
        Span(counts),
        Span(since, "dim"),
    )


def event(run: Run, name: str, record: TaskRun, now: float, widest: int) -> str:
    """One line, but for the time that leads it: which task, what it became, how long it took, and why."""
    parts = [f"{name:<{widest}}  {WORDS.get(record.state, record.state):<15}"]
    last = record.attempts[-1] if record.attempts else None
    if last is not None:
        if run.definition.tasks[name].retries and (last.number > 1 or record.state == "retrying"):
            parts.append(f"attempt {last.number}")
        if last.ended_at is not None:
            parts.append(between(last.started_at, last.ended_at, now))
    if record.reason:
        parts.append(harmless(note(record, now)))
    return "  ".join(parts).rstrip()


def ending(run: Run, look: Look) -> list[Line]:
    """How a run ended, and the command that shows more."""
    taken = between(run.rounds[-1].at, run.ended_at, 0.0)
    told = [*word(run.state, look), span(f" in {taken}", "plain")]
    if run.reason:
        told.append(span(f": {run.reason}", TONES.get(run.state, "plain")))
    return [(span(f"{run.pipeline} ", "strong"), *told)]


def commands(run: Run, prefix: str) -> list[Line]:
    """What to type next; `prefix` is `cronflow`, or how else a command begins."""
    failures = (name for name, task in run.tasks.items() if task.state == "failed")
    # What failed the run comes before what may fail.
    failed = min(failures, key=lambda name: run.definition.tasks[name].allow_failure, default=None)
    lines = []
    if failed is not None:
        lines.append(line(f"  log:     {prefix} logs {run.pipeline} {run.run_id} {failed}", "dim"))
    lines.append(line(f"  details: {prefix} status {run.pipeline} {run.run_id}", "dim"))
    return lines


def counted(count: int, one: str, many: str) -> str:
    """`1 retry`, `2 retries`."""
    return f"{count} {one if count == 1 else many}"


def plan(run: Run, order: Sequence[str], wall: Wall) -> list[Line]:
    """What a run would do, task by task, in an order in which they could start."""
    lines = [title(run, wall)]
    widest = max((len(name) for name in order), default=0)
    selected = run.rounds[-1].tasks
    for name in order:
        task = run.definition.tasks[name]
        left_out = selected is not None and name not in selected
        needs = f"needs {', '.join(task.needs)}" if task.needs else "starts at once"
        more = [
            counted(task.retries, "retry", "retries") if task.retries else "",
            f"timeout {duration(task.timeout)}" if task.timeout else "",
        ]
        told = "not selected" if left_out else ", ".join(part for part in (needs, *more) if part)
        lines.append((span(f"  {name:<{widest}}  "), span(told, "dim")))
        if not left_out:
            lines.extend(line(f"      {part}", "plain") for part in task.run.strip().splitlines())
    return lines
