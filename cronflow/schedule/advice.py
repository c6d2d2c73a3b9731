"""What a valid expression does that whoever wrote it may not expect."""

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import dropwhile, takewhile
from typing import TYPE_CHECKING

from cronflow.schedule.expression import FIELDS, Field, Reading, Term, parse
from cronflow.schedule.stretches import onward
from cronflow.schedule.times import Schedule, first_wall
from cronflow.timezone import label

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

_YEAR = 366 * 86400


def advice(expression: str, timezone: str | None, now: float) -> list[str]:
    """What people who write such an expression often don't expect, a sentence each.

    A time that does not exist is told a year ahead. Raises as `Schedule.of` does.
    """
    schedule = Schedule.of([expression], timezone)
    sentences = (
        sentence
        for reading in schedule.readings
        for sentence in (*_uneven_steps(expression), *_either_day(reading), *_skipped(reading, schedule.zone, now))
    )
    return [f"{expression!r}: {sentence}" for sentence in sentences]


def _uneven_steps(expression: str) -> Iterator[str]:
    for field, terms in zip(FIELDS, parse(expression), strict=True):
        for term in terms:
            if term.high - term.low >= field.values - 1 and field.values % term.step:
                every = f"{field.name} {term.text!r} is not every {term.step} {field.name}s"
                yield f"{every}: it means {_cycle(field, term)}"


def _cycle(field: Field, term: Term) -> str:
    """The values of a step over a whole field: `0, 7, 14, …, 56, then 0 again`."""
    values = [str(value) for value in range(term.low, term.low + field.values, term.step)]
    shown = values if len(values) < 6 else [*values[:3], "…", values[-1]]
    return f"{', '.join(shown)}, then {term.low} again" if len(values) > 1 else f"{term.low} only"


def _either_day(reading: Reading) -> Iterator[str]:
    if reading.either_day:
        yield "day and weekday are both given, and cron takes either: a day that matches one of them is enough"


def _skipped(reading: Reading, zone: "ZoneInfo", now: float) -> Iterator[str]:
    """The time of a fixed-time job that a correction of the coming year skips; the first one for each correction."""
    corrections = takewhile(lambda stretch: stretch.start <= now + _YEAR, onward(zone, now))
    for stretch in dropwhile(lambda stretch: stretch.start <= now, corrections):
        wall = reading.after(first_wall(stretch, reading) - 1)
        if wall * 60 < stretch.start + stretch.offset:
            missing = datetime.fromtimestamp(wall * 60, UTC)
            due = datetime.fromtimestamp(stretch.start, zone)
            yield f"{missing:%Y-%m-%d %H:%M} does not exist in {label(zone)}, it is due at {due:%H:%M} on that day"
