"""`cronflow status NAME RUN`: what a run's tasks did and when, to scale, and what the failed ones said last.

The bars are those of the latest round: its attempts, the waits between them, and how each ended.
"""

from collections.abc import Iterator, Sequence

from msgspec import Struct

from cronflow import instant
from cronflow.record import Attempt, Run, TaskRun
from cronflow.view.bars import Scale, axis, bar
from cronflow.view.ink import Line, Span, line, readable, span
from cronflow.view.moments import away, between, lasted, memory
from cronflow.view.overview import due
from cronflow.view.signs import Look, legend, sign, word
from cronflow.view.table import GAP, Column, full, table, total
from cronflow.wall import Wall

FACT_NAME = 11
BAR_LEAST, BAR_GOOD, BAR_MOST, BAR_FREE = 16, 32, 72, 48  # columns; the last where the width is not limited
NAME_MOST = 26  # columns that the bars leave to a task's name where room is short
# From roomy to cramped: how many columns stand beside the bars, and what the notes keep at least.
ROOMS = ((4, 24), (2, 24), (2, 14))
ATTEMPTS_SHOWN = 5
# What a reader looks for first: these before the tasks that simply went well.
INTEREST = ("failed", "running", "retrying", "upstream_failed", "cancelled", "pending", "skipped", "succeeded")


class Extract(Struct, frozen=True, kw_only=True):
    """The last lines of a failed task's log, and the command that shows the rest. `lines` may be empty."""

    task: str
    lines: tuple[str, ...]
    command: str


class Row(Struct, frozen=True, kw_only=True):
    """One row of the table: a task, or one of its attempts."""

    head: Line
    attempts: tuple[Attempt, ...]
    state: str
    note: str = ""


def timeline(
    run: Run, extracts: Sequence[Extract], *, wall: Wall, most: int, now: float, look: Look, driven: bool = True
) -> list[Line]:
    """The whole view, with at most `most` tasks; extracts are of failed tasks. `driven`: whether an engine goes on."""
    shown = chosen(run, most)
    left_out = len(run.tasks) - len(shown)
    parts = [
        [folded for fact in facts(run, wall, now, look, driven=driven) for folded in look.fold(fact, FACT_NAME)],
        chart(run, shown, now, look) if shown else [],
        look.fold(line(f"{left_out} more; all with --limit {len(run.tasks)}", "dim"), 0) if left_out else [],
        legend({run.tasks[name].state for name in shown}, look),
        *(said_last(extract, look) for extract in extracts),
    ]
    return [spans for part in parts if part for spans in ((), *part)][1:]


def chosen(run: Run, most: int) -> list[str]:
    """The tasks to show, in the run's order: where there are too many, those that most need to be seen."""
    if len(run.tasks) <= most:
        return list(run.tasks)
    ranked = sorted(run.tasks, key=lambda name: INTEREST.index(run.tasks[name].state))
    kept = set(ranked[:most])
    return [name for name in run.tasks if name in kept]


def facts(run: Run, wall: Wall, now: float, look: Look, *, driven: bool) -> list[Line]:
    """What is known of the run itself."""
    took = between(run.started_at, run.ended_at, now)
    title: Line = (span(run.pipeline, "strong"), Span("  "), *word(run.state, look), *line(f"  {took}" if took else ""))
    known = [(name, fact) for name, fact in described(run, wall, now, look) if fact]
    if not driven:
        known.append(("engine", "none at the moment: the command that started the run takes it over"))
    return [title, *((span(f"{name:<{FACT_NAME}}", "dim"), *line(fact)) for name, fact in known)]


def described(run: Run, wall: Wall, now: float, look: Look) -> Iterator[tuple[str, str]]:
    """Names and values of a run's facts; a value may be empty."""
    yield "run", run.run_id
    told = f"{wall.minute(due(run))} ({wall.label}), {away(instant.to_seconds(due(run)), now)}"
    yield "due" if due(run) == run.scheduled_at else "asked for", told
    if run.interval_start and run.interval_end and run.interval_start != run.interval_end:
        yield "period", f"{wall.minute(run.interval_start)} {look.signs.to} {wall.minute(run.interval_end)}"
    yield "trigger", "" if run.trigger == "schedule" else run.trigger
    yield "started", wall.second(run.started_at) if run.started_at else ""
    if len(run.rounds) > 1:
        latest = run.rounds[-1]
        yield "round", f"{len(run.rounds)}, by {latest.by}, {wall.second(latest.at)}"
    yield "params", "  ".join(f"{name}={value}" for name, value in run.params.items())
    yield "reason", run.reason or ""


def chart(run: Run, names: Sequence[str], now: float, look: Look) -> list[Line]:
    """The tasks and their attempts, with bars where there is room for them."""
    rows = [row for name in names for row in rows_of(run, name, now, look)]
    task = Column("  task", [row.head for row in rows], least=16)
    note = Column("", [line(row.note, "dim") for row in rows], keep=8, least=12)
    took = Column("took", [line(row_took(row, now)) for row in rows], keep=4, right=True)
    cpu = Column("cpu", [line(cpu_of(row)) for row in rows], right=True)
    peak = Column("memory", [line(memory_of(row)) for row in rows], right=True)
    for beside, note_least in ROOMS:
        columns = [task, took, cpu, peak][:beside]
        room = bar_room(columns, note, note_least, look)
        if room >= BAR_LEAST:
            return table([*columns, bars(rows, scale_of(run, now, room), now, look), note], look)
    return table([task, took, note], look)


def bars(rows: Sequence[Row], scale: Scale, now: float, look: Look) -> Column:
    """The column of bars."""
    drawn = [bar(row.attempts, waits=row.state == "retrying", scale=scale, now=now, look=look) for row in rows]
    return Column(axis(scale), drawn)


def bar_room(beside: Sequence[Column], note: Column, note_least: int, look: Look) -> int:
    """The columns for the bars: what these and the note leave; above BAR_GOOD the note may take what it needs."""
    if look.width is None:
        return BAR_FREE
    room = look.width - total([min(full(column), NAME_MOST) for column in beside if any(column.rows)]) - 2 * GAP
    return min(BAR_MOST, max(room - full(note), min(BAR_GOOD, room - min(note_least, full(note)))))


def rows_of(run: Run, name: str, now: float, look: Look) -> Iterator[Row]:
    """A task, and where it was tried more than once in this round, its latest attempts."""
    task = run.tasks[name]
    attempts = this_round(run, name)
    head: Line = (sign(task.state, look), span(f" {name}"))
    yield Row(head=head, attempts=attempts, state=task.state, note=task_note(task, attempts, now))
    if len(attempts) > 1:
        if len(attempts) > ATTEMPTS_SHOWN:
            yield Row(head=line("    earlier attempts", "dim"), attempts=attempts[:-ATTEMPTS_SHOWN], state="")
        for attempt in attempts[-ATTEMPTS_SHOWN:]:
            head = line(f"    attempt {attempt.number}", "dim")
            yield Row(head=head, attempts=(attempt,), state=attempt.state, note=attempt_note(attempt))


def this_round(run: Run, name: str) -> tuple[Attempt, ...]:
    """A task's attempts of the latest round; none where that round left the task alone."""
    attempts = run.tasks[name].attempts
    if not run.rounds:
        return attempts
    latest = run.rounds[-1]
    if latest.tasks is not None and name not in latest.tasks:
        return ()
    return tuple(attempt for attempt in attempts if attempt.number >= latest.first.get(name, 1))


def task_note(task: TaskRun, attempts: Sequence[Attempt], now: float) -> str:
    """What is to be said of a task: why it is as it is, and when it goes on."""
    if task.attempts and not attempts and task.state not in {"pending", "upstream_failed"}:
        return "from an earlier round"
    if task.state == "retrying" and task.next_attempt_at and task.attempts:
        return f"attempt {task.attempts[-1].number + 1} {away(instant.to_seconds(task.next_attempt_at), now)}"
    if len(attempts) == 1 and task.state == attempts[0].state:
        return attempt_note(attempts[0])
    return task.reason or ""


def attempt_note(attempt: Attempt) -> str:
    """How an attempt ended; nothing where all is well."""
    reason = attempt.reason or ""
    if attempt.exit_code and f"exit code {attempt.exit_code}" not in reason:
        return f"{reason} (exit code {attempt.exit_code})".strip()
    return reason


def row_took(row: Row, now: float) -> str:
    """From the first attempt's start to the last one's end."""
    return between(row.attempts[0].started_at, row.attempts[-1].ended_at, now) if row.attempts else ""


def cpu_of(row: Row) -> str:
    """The processor time of all attempts, where it is known of any."""
    known = [attempt.cpu_seconds for attempt in row.attempts if attempt.cpu_seconds is not None]
    return lasted(sum(known)) if known else ""


def memory_of(row: Row) -> str:
    """The most memory that any attempt had, where it is known."""
    known = [attempt.max_rss_bytes for attempt in row.attempts if attempt.max_rss_bytes is not None]
    return memory(max(known)) if known else ""


def scale_of(run: Run, now: float, columns: int) -> Scale:
    """From the latest round's beginning to its last sign of life."""
    attempts = [attempt for name in run.tasks for attempt in this_round(run, name)]
    starts = [instant.to_seconds(attempt.started_at) for attempt in attempts if attempt.started_at]
    ends = [instant.to_seconds(attempt.ended_at) for attempt in attempts if attempt.ended_at]
    going_on = any(task.state in {"running", "retrying"} for task in run.tasks.values())
    begun = instant.to_seconds(run.rounds[-1].at if run.rounds else run.started_at or run.created_at)
    start = min([begun, *starts])
    return Scale(start, max([start + 0.001, *ends, *starts, *([now] if going_on else [])]), columns)


def said_last(extract: Extract, look: Look) -> list[Line]:
    """The end of a failed task's log."""
    if not extract.lines:
        return [look.clip((span(extract.task, "strong"), *line(" said nothing", "dim")))]
    edge = Span(f"{look.signs.stair} ", "dim")
    said = [look.clip((edge, span(readable(text).expandtabs()))) for text in extract.lines]
    rest = look.fold((Span("all of it: ", "dim"), span(extract.command)), 2, " \\")
    return [look.clip((span(extract.task, "strong"), *line(" said last:", "dim"))), *said, *rest]
