"""Time as columns: an axis, and attempts as bars with the waits between them."""

from collections.abc import Sequence
from itertools import groupby
from math import ceil

from msgspec import Struct

from cronflow import instant
from cronflow.lifecycle import duration
from cronflow.record import Attempt
from cronflow.view.ink import Line, Span
from cronflow.view.signs import TONES, Look, sign

DAY = 86400
TICK_COLUMNS = 7  # the least distance of two ticks
TICKS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200, DAY)


class Scale(Struct, frozen=True):
    """Where an instant is on a bar of `columns`."""

    start: float
    end: float
    columns: int

    def at(self, moment: float) -> float:
        """The instant's place, in columns from the left."""
        return min(1.0, max(0.0, (moment - self.start) / (self.end - self.start))) * self.columns


def axis(scale: Scale) -> str:
    """Times from the start, each over its column: `0s        1m        2m`."""
    length = scale.end - scale.start
    days = ceil(length / DAY * TICK_COLUMNS / scale.columns) * DAY
    tick = next((tick for tick in TICKS if tick / length * scale.columns >= TICK_COLUMNS), days)
    text = ""
    for count in range(int(length / tick) + 1):
        longer = text.ljust(int(count * tick / length * scale.columns)) + duration(round(count * tick, 1))
        text = longer if len(longer) <= scale.columns else text
    return text.ljust(scale.columns)


def bar(attempts: Sequence[Attempt], *, waits: bool, scale: Scale, now: float, look: Look) -> Line:
    """The attempts as bars, the waits between them dotted, and a sign where one ended badly.

    `waits` says that another attempt is to come: the wait for it goes on until now.
    """
    columns = [Span(" ")] * scale.columns
    reached = scale.columns
    for attempt in attempts:
        if attempt.started_at is None:
            continue
        first = min(int(scale.at(instant.to_seconds(attempt.started_at))), scale.columns - 1)
        last = max(first + 1, ceil(scale.at(instant.to_seconds(attempt.ended_at) if attempt.ended_at else now)))
        fill(columns, reached, first, Span(look.signs.wait, "dim"))
        fill(columns, first, last, Span(look.signs.bar, TONES[attempt.state]))
        if attempt.state not in {"succeeded", "running"}:
            columns[last - 1] = sign(attempt.state, look)
        reached = last
    if waits:
        fill(columns, reached, ceil(scale.at(now)), Span(look.signs.wait, "dim"))
    return tuple(Span(piece.text * len([*same]), piece.tone) for piece, same in groupby(columns))


def fill(columns: list[Span], first: int, last: int, ink: Span) -> None:
    """Draw from one column to before another; nowhere if that is before it."""
    if first < last:
        columns[first:last] = [ink] * (last - first)
