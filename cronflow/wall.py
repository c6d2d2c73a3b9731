"""The clock on the wall: an instant as people in a zone read it, and a local day as the instants it lies between."""

from datetime import UTC, date, datetime, timedelta, tzinfo

from cronflow import instant
from cronflow.timezone import ZoneError, zone

YEARS = range(1970, 9999)


class Wall:
    """The wall clock of one zone: an IANA name, or None for the machine's.

    A zone that is not known here reads as UTC and is labelled so: a view must not fail for it.
    """

    def __init__(self, name: str | None) -> None:
        """Look the zone up."""
        self.zone = known(name)
        self.label = (getattr(self.zone, "key", None) or self.at(0).tzname() or "local time").removeprefix("Etc/")

    def at(self, seconds: float) -> datetime:
        """The local time of an instant, with its offset."""
        return datetime.fromtimestamp(seconds, self.zone)

    def day(self, text: str) -> str:
        """A record's instant as `2026-11-22`."""
        return f"{self.at(instant.to_seconds(text)):%Y-%m-%d}"

    def minute(self, text: str) -> str:
        """A record's instant as `2026-11-22 01:00`."""
        return f"{self.at(instant.to_seconds(text)):%Y-%m-%d %H:%M}"

    def second(self, text: str) -> str:
        """A record's instant as `2026-11-22 01:00:05`."""
        return f"{self.at(instant.to_seconds(text)):%Y-%m-%d %H:%M:%S}"

    def span(self, day: str) -> tuple[float, float]:
        """The instants at which a local day `2026-11-22` begins and ends. Raises ValueError where it is no day."""
        first = date.fromisoformat(day)
        if first.year not in YEARS:
            raise ValueError(f"no run is due on {day}")
        return self._midnight(first), self._midnight(first + timedelta(days=1))

    def _midnight(self, day: date) -> float:
        return datetime(day.year, day.month, day.day, tzinfo=self.zone).timestamp()


def known(name: str | None) -> tzinfo:
    """The zone of this name, or UTC."""
    try:
        return zone(name)
    except ZoneError:
        return UTC
