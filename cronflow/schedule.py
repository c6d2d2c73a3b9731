"""What cron expressions mean as instants, exactly as Debian's cron would run them.

An expression is walked on a wall clock that is never corrected (`Reading`), and a zone's own clock is cut into
stretches without a correction (`Stretch`). What is left is cron's rule for the seam between two stretches: a
fixed-time job goes on from the time the old clock had come to, any other job from the time the new clock shows.
So a fixed-time job whose time was skipped runs as the new stretch begins, and one whose time is shown again does
not run again; other jobs lose the times skipped and run at both of the times shown twice.

The rules, `fixed` and the limit of three hours are those of `find_jobs` and the main loop in cron.c.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import dropwhile, takewhile
from typing import TYPE_CHECKING

from cronflow.expression import FIELDS, Field, Reading, ScheduleError, Term, at_boot, check, parse, read
from cronflow.timezone import Stretch, ZoneError, backward, label, onward, zone

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

__all__ = ["Schedule", "ScheduleError", "ZoneError", "advice", "at_boot", "check", "zone"]

_YEAR = 366 * 86400
_FAR = 50 * _YEAR
_LARGE = 3 * 60


@dataclass(frozen=True, slots=True)
class Schedule:
    """The due times of one or more expressions in a zone: instants, in seconds since the epoch, from 1970 on."""

    zone: "ZoneInfo"
    readings: tuple[Reading, ...]

    @classmethod
    def of(cls, expressions: Sequence[str], timezone: str | None) -> "Schedule":
        """The schedule that all the expressions make together; `@reboot` adds no times.

        No timezone is the machine's, as it is now. Raises ScheduleError and ZoneError.
        """
        return cls(zone(timezone), tuple(read(text) for text in expressions if not at_boot(text)))

    @property
    def has_times(self) -> bool:
        """Whether there are due times at all."""
        return bool(self.readings)

    def next_after(self, instant: float) -> float | None:
        """The first due time later than the instant; None if there is none within 50 years."""
        times = (_next(reading, self.zone, instant) for reading in self.readings)
        return min((due for due in times if due is not None), default=None)

    def last_until(self, instant: float) -> float | None:
        """The last due time that is not later than the instant; None if there is none since 1970."""
        times = (_last(reading, self.zone, instant) for reading in self.readings)
        return max((due for due in times if due is not None), default=None)

    def between(self, after: float, until: float) -> Iterator[float]:
        """The due times with after < due <= until, ascending, each worked out when it is asked for."""
        due = self.next_after(after)
        while due is not None and due <= until:
            yield due
            due = self.next_after(due)


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
        wall = reading.after(_first_wall(stretch, reading) - 1)
        if wall * 60 < stretch.start + stretch.offset:
            missing = datetime.fromtimestamp(wall * 60, UTC)
            due = datetime.fromtimestamp(stretch.start, zone)
            yield f"{missing:%Y-%m-%d %H:%M} does not exist in {label(zone)}, it is due at {due:%H:%M} on that day"


def _next(reading: Reading, zone: "ZoneInfo", instant: float) -> float | None:
    wall = None
    for stretch in onward(zone, instant):
        first = _first_wall(stretch, reading)
        if stretch.start <= instant:
            wall = reading.after(max(first - 1, _wall(stretch, instant)))
        elif wall is None or stretch.offset != stretch.before:
            wall = reading.after(first - 1)
        due = _due(stretch, wall)
        if due < stretch.end:
            return due
        if stretch.end > instant + _FAR:
            return None
    return None


def _last(reading: Reading, zone: "ZoneInfo", instant: float) -> float | None:
    wall = None
    for stretch in backward(zone, instant):
        if wall is None:
            wall = reading.until(_wall(stretch, min(instant, stretch.end - 1)))
        if wall >= _first_wall(stretch, reading):
            return _due(stretch, wall)
        if stretch.offset != stretch.before:
            wall = None
    return None


def _first_wall(stretch: Stretch, reading: Reading) -> int:
    """The wall time from which on a job's times fall into the stretch.

    cron's clock goes one minute and the correction between two looks at it; up to three hours it makes good.
    """
    minutes = 1 + (stretch.offset - stretch.before) // 60
    made_good = reading.fixed and abs(minutes) <= _LARGE
    return -(-(stretch.start + (stretch.before if made_good else stretch.offset)) // 60)


def _due(stretch: Stretch, wall: int) -> float:
    """The instant of a wall time in a stretch: its beginning, for a time that was skipped just before it."""
    return float(max(stretch.start, wall * 60 - stretch.offset))


def _wall(stretch: Stretch, instant: float) -> int:
    """What the clock shows in the stretch, in whole minutes."""
    return int((instant + stretch.offset) // 60)
