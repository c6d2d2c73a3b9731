"""`cronflow status NAME`: runs against tasks, newest due first.

Where there is room, each cell has its sign and how long it took; with more tasks, or less room, only the signs, under
names on a stair; with still more, each run says how many of its tasks are in which state, and names the failed ones.
"""

from collections import Counter
from collections.abc import Sequence

from msgspec import Struct

from cronflow import instant
from cronflow.record import Run, TaskRun
from cronflow.view.ink import Line, Span, line, span, width
from cronflow.view.moments import away, between
from cronflow.view.overview import due, took
from cronflow.view.signs import Look, legend, sign, word
from cronflow.view.table import GAP, Column, full, table, total
from cronflow.wall import Wall

MOST_NAMED = 20
NAME_LEAST = 8
WIDEST = 160  # the columns to choose for where the width is not limited
DAY_AT_LEAST = 23 * 3600  # a local day is never much shorter


class Heading(Struct, frozen=True, kw_only=True):
    """What stands above the grid. `schedule` are the expressions, `instead` why nothing is due next."""

    name: str
    description: str = ""
    schedule: tuple[str, ...] = ()
    next_due: float | None = None
    instead: str = ""
    wall: Wall


def grid(heading: Heading, runs: Sequence[Run], now: float, look: Look) -> list[Line]:
    """The heading, the grid, and what its signs mean."""
    above = [folded for spans in head(heading, now) for folded in look.fold(spans, 2)]
    if not runs:
        return [*above, (), *look.fold(line(f"no runs yet; start one with: cronflow run {heading.name}", "dim"), 2)]
    states = {run.state for run in runs} | {task.state for run in runs for task in run.tasks.values()}
    below = legend({*states}, look)
    return [*above, (), *body(heading.wall, runs, now, look), *([(), *below] if below else [])]


def head(heading: Heading, now: float) -> list[Line]:
    """Two lines: what the pipeline is; when it runs."""
    coming = heading.instead
    if heading.next_due is not None:
        coming = f"next due {heading.wall.at(heading.next_due):%Y-%m-%d %H:%M}, {away(heading.next_due, now)}"
    facts = [*map(repr, heading.schedule), f"times in {heading.wall.label}", coming]
    return [
        (span(heading.name, "strong"), *line(f"  {heading.description}" if heading.description else "")),
        line(", ".join(fact for fact in facts if fact), "dim"),
    ]


def body(wall: Wall, runs: Sequence[Run], now: float, look: Look) -> list[Line]:
    """The rows, in the roomiest of the three ways that fits."""
    names = task_names(runs)
    lead, notes = leading(wall, runs, now, look), Column("", [note(run) for run in runs], keep=2, least=12)
    if 0 < len(names) <= MOST_NAMED:
        named = [Column(name, [cell(run.tasks.get(name), now, look) for run in runs]) for name in names]
        if fits([*lead[:2], *named], look):
            return table([*lead, *named, notes], look)
        signs = Column("", [beads(run, names, look) for run in runs])
        if fits([lead[0], Column("", [*signs.rows, *stair_room(names)])], look):
            return on_stairs(names, lead, signs, notes, look)
    counted = Column("tasks", [tally(run, look) for run in runs], keep=8, least=10)
    return table([*lead, counted, notes], look)


def fits(columns: Sequence[Column], look: Look) -> bool:
    """Whether these columns can stand side by side, whole."""
    return total([full(column) for column in columns]) <= (look.width or WIDEST)


def task_names(runs: Sequence[Run]) -> list[str]:
    """All tasks, in the order of the newest definition; those of older runs that it lacks come last."""
    return list(dict.fromkeys(name for run in runs for name in (*run.definition.tasks, *run.tasks)))


def leading(wall: Wall, runs: Sequence[Run], now: float, look: Look) -> list[Column]:
    """What stands before the tasks: state, due time, period, how long it took."""
    dues = [wall.minute(due(run)) for run in runs]
    signs = [sign(run.state, look) for run in runs]
    return [
        Column("  due", [(mark, *line(f" {at}")) for mark, at in zip(signs, dues, strict=True)]),
        Column("period from", [line(period_from(run, wall), "dim") for run in runs], keep=7),
        Column("state", [() if look.signs.led else word(run.state, look) for run in runs], keep=1),
        Column("took", [line(took(run, now)) for run in runs], keep=4, right=True),
    ]


def period_from(run: Run, wall: Wall) -> str:
    """Where a run's period begins: the day where it is that long, else the minute."""
    if run.interval_start is None or run.interval_end is None or run.interval_start == run.interval_end:
        return ""
    length = instant.to_seconds(run.interval_end) - instant.to_seconds(run.interval_start)
    return wall.day(run.interval_start) if length >= DAY_AT_LEAST else wall.minute(run.interval_start)


def cell(task: TaskRun | None, now: float, look: Look) -> Line:
    """One task of one run: its sign, how long its last attempt took, how many there were if more than one."""
    if task is None:
        return ()
    if not task.attempts:
        return (sign(task.state, look),)
    last = task.attempts[-1]
    often = f" {look.signs.times}{last.number}" if last.number > 1 else ""
    lasting = between(last.started_at, last.ended_at, now)
    return (sign(task.state, look), span(f" {lasting}"), *line(often, "dim"))


def beads(run: Run, names: Sequence[str], look: Look) -> Line:
    """The signs of a run's tasks, one blank between them."""
    spans = []
    for name in names:
        task = run.tasks.get(name)
        spans += [sign(task.state, look) if task else Span(" "), Span(" ")]
    return tuple(spans[:-1])


def on_stairs(names: Sequence[str], lead: list[Column], signs: Column, notes: Column, look: Look) -> list[Line]:
    """The rows with signs only; the tasks' names stand on a stair above them, each over its column."""
    steps = max(2 * at + 2 + len(name) for at, name in enumerate(names))
    room = None if look.width is None else max(full(lead[0]), look.width - max(full(signs), steps) - GAP)
    left = table(lead, Look(room, look.signs))
    margin = Span(" " * (width(left[0]) + GAP))
    stair = [(margin, *step(names, at, look)) for at in range(len(names))]
    stair[-1] = (*left[0], Span(" " * GAP), *step(names, len(names) - 1, look))
    rows = [
        (*before, Span(" " * GAP), *signs.rows[at], Span(" " * GAP), *notes.rows[at])
        for at, before in enumerate(left[1:])
    ]
    return [look.clip(spans) for spans in (*stair, *rows)]


def stair_room(names: Sequence[str]) -> list[Line]:
    """Lines as wide as the steps of a stair, its names cut short where they are long."""
    return [(Span(" " * (2 * at + 2 + min(NAME_LEAST, len(name)))),) for at, name in enumerate(names)]


def step(names: Sequence[str], at: int, look: Look) -> Line:
    """One name on the stair."""
    return (Span(f"{look.signs.stair} " * at + f"{look.signs.step} ", "dim"), span(names[at], "dim"))


def tally(run: Run, look: Look) -> Line:
    """How many of a run's tasks are in which state."""
    counts = Counter[str](task.state for task in run.tasks.values())
    spans: list[Span] = []
    for state in look.signs.states:
        if counts[state]:
            spans += [Span(f"{counts[state]} "), sign(state, look), Span("  ")]
    return tuple(spans[:-1])


def note(run: Run) -> Line:
    """What is out of the ordinary: how the run came to be, and why it ended as it did."""
    unusual = [run.trigger] if run.trigger != "schedule" else []
    return line(", ".join([*unusual, *([run.reason] if run.reason else [])]), "dim")
