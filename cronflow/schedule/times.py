"""What cron expressions mean as instants, exactly as Debian's cron would run them.

An expression is walked on a wall clock that is never corrected (`Reading`), and a zone's own clock is cut into
stretches without a correction (`Stretch`). What is left is cron's rule for the seam between two stretches: a
fixed-time job goes on from the time the old clock had come to, any other job from the time the new clock shows.
So a fixed-time job whose time was skipped runs as the new stretch begins, and one whose time is shown again does
not run again; other jobs lose the times skipped and run at both of the times shown twice.

The rules, `fixed` and the limit of three hours are those of `find_jobs` and the main loop in cron.c.
"""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from msgspec import Struct

from cronflow.schedule.expression import Reading, at_boot, read
from cronflow.schedule.stretches import Stretch, backward, onward
from cronflow.timezone import zone

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

_FAR = 50 * 366 * 86400
_LARGE = 3 * 60


class Schedule(Struct, frozen=True):
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


def _next(reading: Reading, zone: "ZoneInfo", instant: float) -> float | None:
    wall = None
    for stretch in onward(zone, instant):
        first = first_wall(stretch, reading)
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
        if wall >= first_wall(stretch, reading):
            return _due(stretch, wall)
        if stretch.offset != stretch.before:
            wall = None
    return None


def first_wall(stretch: Stretch, reading: Reading) -> int:
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
