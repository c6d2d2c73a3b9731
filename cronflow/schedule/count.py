"""How many due times lie in a span, exactly and without walking them: ten years of minutes in milliseconds.

Between two corrections of a zone's clock all expressions are read on one wall clock, so their times are counted by
days: how many there are on each day of a year is worked out once. Only the hours after a correction, where cron
treats fixed-time and other jobs differently, are walked.
"""

from bisect import bisect_right
from collections.abc import Iterator
from datetime import date
from functools import lru_cache
from itertools import accumulate

from cronflow.schedule.expression import Reading
from cronflow.schedule.stretches import Stretch, onward
from cronflow.schedule.times import Schedule, first_wall

_DAY = 24 * 60
_EPOCH = date(1970, 1, 1).toordinal()

Times = tuple[int, ...]


def count_between(schedule: Schedule, after: float, until: float) -> int:
    """The number of due times with after < due <= until: as many as `schedule.between` has."""
    total = 0
    for stretch in onward(schedule.zone, after):
        if stretch.start > until or not schedule.has_times:
            break
        total += _in_stretch(schedule, stretch, after, min(until, stretch.end - 1))
    return total


def _in_stretch(schedule: Schedule, stretch: Stretch, after: float, until: float) -> int:
    """Those of one stretch; until < its end. No wall time up to `seam` is counted by days."""
    seam = -(-(stretch.start + stretch.offset) // 60) - 1
    walked = 0
    if stretch.offset != stretch.before:
        seam = max(seam + 1, *(first_wall(stretch, reading) for reading in schedule.readings))
        end = min(until, seam * 60 - stretch.offset)
        walked = sum(1 for _ in schedule.between(max(after, stretch.start - 1), end))
    low = max(seam, int((after + stretch.offset) // 60))
    return walked + _walls(schedule.readings, low, int((until + stretch.offset) // 60))


def _walls(readings: tuple[Reading, ...], low: int, high: int) -> int:
    """How many wall times there are with low < time <= high."""
    if high <= low:
        return 0
    first, last = _date(low), _date(high)
    years = sum(_year(readings, year)[0][-1] for year in range(first.year, last.year))
    return years + _of_year(readings, last, high % _DAY) - _of_year(readings, first, low % _DAY)


def _of_year(readings: tuple[Reading, ...], day: date, minute: int) -> int:
    """How many there are from the start of the day's year through this minute of the day."""
    before, times = _year(readings, day.year)
    place = day.toordinal() - date(day.year, 1, 1).toordinal()
    return before[place] + bisect_right(times[place], minute)


@lru_cache(maxsize=256)
def _year(readings: tuple[Reading, ...], year: int) -> tuple[Times, tuple[Times, ...]]:
    """For each day of a year how many times come before it (and, last, how many the year has), and its times."""
    first = date(year, 1, 1).toordinal()
    days = [set(_days(reading, year)) for reading in readings]
    length = date(year + 1, 1, 1).toordinal() - first
    matching = [tuple(day in of_reading for of_reading in days) for day in range(length)]
    merged = {match: _merged(readings, match) for match in set(matching)}
    times = tuple(merged[match] for match in matching)
    return tuple(accumulate(map(len, times), initial=0)), times


def _merged(readings: tuple[Reading, ...], match: tuple[bool, ...]) -> Times:
    """The times of a day that these of the readings match, each once."""
    return tuple(
        sorted({time for reading, does in zip(readings, match, strict=True) if does for time in reading.times})
    )


def _days(reading: Reading, year: int) -> Iterator[int]:
    """The days of a year that an expression matches, from 0."""
    first, end = (date(number, 1, 1).toordinal() - _EPOCH for number in (year, year + 1))
    day = reading.after(first * _DAY - 1) // _DAY
    while day < end:
        yield day - first
        day = reading.after((day + 1) * _DAY - 1) // _DAY


def _date(wall: int) -> date:
    return date.fromordinal(_EPOCH + wall // _DAY)
