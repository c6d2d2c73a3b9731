"""What a zone's wall clock does: the stretches of time between two corrections of it.

A correction is any change of the offset from UTC: daylight saving, with or without its flag, or a new law.
"""

from bisect import bisect_left
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

_FIRST_YEAR, _END_YEAR = 1970, 9000
_FIRST, _END = (datetime(year, 1, 1, tzinfo=UTC).timestamp() for year in (_FIRST_YEAR, _END_YEAR))
_PROBE = 4 * 86400  # no two corrections of a zone since 1970 are closer than a week


class Stretch(Struct, frozen=True):
    """A time, start <= instant < end, through which a zone's clock is not corrected. All in seconds.

    `offset` is the clock's offset from UTC through it, `before` the one until its start: the same where a stretch
    begins only because a year does.
    """

    start: int
    end: int
    before: int
    offset: int


def onward(zone: "ZoneInfo", instant: float) -> Iterator[Stretch]:
    """The stretches from the one that holds the instant (or the first, before 1970), on until the year 9000."""
    for year in range(_year(instant), _END_YEAR):
        yield from (stretch for stretch in stretches(zone, year) if stretch.end > instant)


def backward(zone: "ZoneInfo", instant: float) -> Iterator[Stretch]:
    """The stretches from the one that holds the instant, back to 1970."""
    for year in range(min(_year(instant), _END_YEAR - 1), _FIRST_YEAR - 1, -1):
        yield from (stretch for stretch in reversed(stretches(zone, year)) if stretch.start <= instant)


@lru_cache(maxsize=1024)
def stretches(zone: "ZoneInfo", year: int) -> tuple[Stretch, ...]:
    """The stretches of a year, which is one in UTC. zoneinfo does not tell corrections, so they are searched for."""
    first, last = _new_year(year), _new_year(year + 1)
    probes = [*range(first, last - 1, _PROBE), last - 1]
    changes = (_change(zone, a, b) for a, b in pairwise(probes) if _offset(zone, a) != _offset(zone, b))
    bounds = [first, *changes, last]
    return tuple(Stretch(a, b, _offset(zone, a - 1), _offset(zone, a)) for a, b in pairwise(bounds))


def _change(zone: "ZoneInfo", early: int, late: int) -> int:
    """The instant of the one correction between two instants."""
    before = _offset(zone, early)
    span = range(early, late + 1)
    return span[bisect_left(span, 1, key=lambda instant: int(_offset(zone, instant) != before))]


def _offset(zone: "ZoneInfo", instant: int) -> int:
    wall = datetime.fromtimestamp(instant, zone).replace(tzinfo=UTC)
    return round(wall.timestamp() - instant)


def _new_year(year: int) -> int:
    return round(datetime(year, 1, 1, tzinfo=UTC).timestamp())


def _year(instant: float) -> int:
    """The instant's year in UTC; one out of bounds counts as the bound."""
    return datetime.fromtimestamp(min(max(instant, _FIRST), _END), UTC).year
