"""A time zone by its name, and the machine's own.

A name that is not known is an error, never UTC. The machine's own zone is looked up each time it is asked for,
since it may change under a daemon that lives for years.
"""

import os
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from cronflow.nearest import nearest

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

LOCALTIME = Path("/etc/localtime")


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
    """What to write in place of a name that is not known; a city alone is enough to find it."""
    from zoneinfo import available_timezones

    known = sorted(available_timezones())
    cities = {zone.rpartition("/")[2]: zone for zone in known}
    wanted = name.strip().replace(" ", "_")
    city = nearest(wanted, cities)
    match = nearest(wanted, known) or (cities[city] if city else None)
    return f"; did you mean '{match}'?" if match else "; zones are named as in 'Europe/Berlin' or 'UTC'"
