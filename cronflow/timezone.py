"""A time zone by its name, and what its wall clock does: the stretches between two corrections of it.

A name that is not known is an error, never UTC. The machine's own zone is looked up each time it is asked for,
since it may change under a daemon that lives for years.
"""

import os
import time
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

LOCALTIME = Path("/etc/localtime")
_YEARS = (1970, 9000)
_PROBE = 4 * 86400  # no two corrections of a zone since 1970 are closer than a week


class ZoneError(ValueError):
    """A time zone that is not known: the text names it, and the nearest one that is."""


def zone(name: str | None) -> "ZoneInfo":
    """The zone of an IANA name such as `Europe/Berlin`, or the machine's zone. Raises ZoneError."""
    if name is None:
        return machine_zone(os.environ.get("TZ"), LOCALTIME)
    found = _named(name)
    if found is None:
        raise ZoneError(f"{name!r} is not a time zone{_nearest(name)}")
    return found


def label(zone: "ZoneInfo") -> str:
    """The zone's name, for people."""
    return zone.key or "the machine's zone"


def machine_zone(variable: str | None, localtime: Path) -> "ZoneInfo":
    """The zone that TZ names, else the one that the file is or is a link to; UTC where there is no such file.

    As for cron, a machine on which no zone was ever set is in UTC.
    """
    found = _named(_zone_name((variable or "").removeprefix(":")))
    if found is None:
        found = _named(_zone_name(os.path.realpath(localtime)))
    return found or _zone_of_file(localtime)


def _named(name: str) -> "ZoneInfo | None":
    from zoneinfo import ZoneInfo

    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # no such zone; `../x`, not a zone file; a directory such as `Europe`
        return None


def _zone_name(path: str) -> str:
    """`Europe/Berlin` of `/usr/share/zoneinfo/Europe/Berlin`; another text as it is."""
    return path.rpartition("/zoneinfo/")[2]


def _zone_of_file(localtime: Path) -> "ZoneInfo":
    try:
        status = localtime.stat()
        return _zone_of_content(localtime, status.st_ino, status.st_mtime_ns)
    except FileNotFoundError:
        return zone("UTC")
    except (OSError, ValueError) as trouble:
        raise ZoneError(f"{localtime}: the machine's time zone can't be read ({trouble}); set one, or TZ") from None


@lru_cache(maxsize=1)
def _zone_of_content(localtime: Path, _inode: int, _modified: int) -> "ZoneInfo":
    """Read anew only when the file has changed: what is kept for a zone is kept by its object."""
    from zoneinfo import ZoneInfo

    with localtime.open("rb") as file:
        return ZoneInfo.from_file(file)


def _nearest(name: str) -> str:
    """What to write in place of a name that is not known."""
    from difflib import get_close_matches
    from zoneinfo import available_timezones

    known = {zone.lower(): zone for zone in sorted(available_timezones())}
    cities = {zone.lower().rpartition("/")[2]: zone for zone in sorted(available_timezones())}
    wanted = name.strip().lower().replace(" ", "_")
    for table in (known, cities):
        matches = get_close_matches(wanted, table, n=1)
        if matches:
            return f"; did you mean {table[matches[0]]!r}?"
    return "; zones are named as in 'Europe/Berlin' or 'UTC'"


@dataclass(frozen=True, slots=True)
class Stretch:
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
    for year in range(max(_year(instant), _YEARS[0]), _YEARS[1]):
        yield from (stretch for stretch in stretches(zone, year) if stretch.end > instant)


def backward(zone: "ZoneInfo", instant: float) -> Iterator[Stretch]:
    """The stretches from the one that holds the instant, back to 1970."""
    for year in range(min(_year(instant), _YEARS[1] - 1), _YEARS[0] - 1, -1):
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
    return time.gmtime(instant).tm_year
