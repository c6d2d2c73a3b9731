"""`cronflow status`: every pipeline on a line, and the files that are not right below them."""

from collections.abc import Sequence

from msgspec import Struct

from cronflow import instant
from cronflow.record import RunSummary
from cronflow.view.ink import Line, line, span
from cronflow.view.moments import away, between
from cronflow.view.signs import Look, row, sign, word
from cronflow.view.table import Column, table
from cronflow.wall import Wall


class Entry(Struct, frozen=True, kw_only=True):
    """One pipeline. `recent` are the states of its newest runs, newest first; `next_due` is an instant.

    `instead` says why there is no next due time.
    """

    name: str
    wall: Wall
    last: RunSummary | None = None
    recent: tuple[str, ...] = ()
    next_due: float | None = None
    instead: str = ""


class Fault(Struct, frozen=True):
    """A pipeline file that is not right: where, what is wrong first, and how many problems there are besides."""

    place: str
    message: str
    more: int = 0


def overview(entries: Sequence[Entry], faults: Sequence[Fault], now: float, look: Look) -> list[Line]:
    """The lines, in the order given."""
    lines = table(columns(entries, now, look), look) if entries else []
    gap: list[Line] = [()] if entries and faults else []
    return lines + gap + [told for fault in faults for told in look.fold(fault_line(fault, look), 2)]


def columns(entries: Sequence[Entry], now: float, look: Look) -> list[Column]:
    """What is known of each pipeline. A zone that all share stands in a title, else each line names its own."""
    labels = {entry.wall.label for entry in entries}
    shared = f" ({labels.pop()})" if len(labels) == 1 else ""
    dues = [instant.to_seconds(due(entry.last)) if entry.last else None for entry in entries]
    coming = [entry.next_due for entry in entries]
    return [
        Column("pipeline", [line(entry.name, "strong") for entry in entries], keep=10, least=20),
        Column(
            "last run",
            [word(entry.last.state, look) if entry.last else line("never", "dim") for entry in entries],
            least=8,
        ),
        Column(f"due{shared}", [local(entry, at, shared) for entry, at in zip(entries, dues, strict=True)], keep=3),
        Column("", [line("" if at is None else away(at, now), "dim") for at in dues], keep=6, right=True),
        Column("took", [line(took(entry.last, now)) for entry in entries], keep=1, right=True),
        Column("recent", [row([*reversed(entry.recent)], look) for entry in entries], keep=5, right=True),
        Column("next due", [upcoming(entry, shared) for entry in entries], keep=2),
        Column("", [line("" if at is None else away(at, now), "dim") for at in coming], keep=4, right=True),
    ]


def due(run: RunSummary) -> str:
    """When a run was due; one without a period of its own (its id then says why it ran), when it was asked for."""
    return run.scheduled_at if run.scheduled_at and run.run_id.endswith("Z") else run.created_at


def took(run: RunSummary | None, now: float) -> str:
    """How long a run took, so far if it has not ended."""
    return between(run.started_at, run.ended_at, now) if run else ""


def local(entry: Entry, at: float | None, shared: str) -> Line:
    """An instant on the pipeline's own clock."""
    if at is None:
        return ()
    there = entry.wall.at(at)
    return line(f"{there:%Y-%m-%d %H:%M}" if shared else f"{there:%Y-%m-%d %H:%M %Z}")


def upcoming(entry: Entry, shared: str) -> Line:
    """The next due time, or why there is none."""
    return line(entry.instead, "dim") if entry.next_due is None else local(entry, entry.next_due, shared)


def fault_line(fault: Fault, look: Look) -> Line:
    """A file that is not right, as one line."""
    more = f" (and {fault.more} more)" if fault.more else ""
    return (sign("failed", look), span(f" {fault.place}: ", "strong"), span(fault.message), *line(more, "dim"))
