"""Instants as the records write them: ISO 8601 in UTC with milliseconds and `Z` (design: JSON, schema 1).

Inside the pure parts an instant is a float, seconds since the epoch; in a record it is this text, which sorts
as it reads. Everything goes through milliseconds once, so that a value computed and a value read back agree.
"""

from datetime import UTC, datetime


def to_text(seconds: float) -> str:
    """`1795305600.0` -> `2026-11-22T00:00:00.000Z`."""
    moment = datetime.fromtimestamp(round(seconds * 1000) / 1000, UTC)
    return moment.isoformat(timespec="milliseconds")[:-6] + "Z"


def to_seconds(text: str) -> float:
    """The instant a record's text means. Raises ValueError where it is not an instant with its offset."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"no offset in {text!r}")
    return moment.timestamp()


def compact(seconds: float) -> str:
    """The instant as run ids have it, to the second: `20261122T000000Z`."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y%m%dT%H%M%SZ")


def compact_milliseconds(seconds: float) -> str:
    """The instant as the ids of runs by hand have it: `20261122T101530.123Z`."""
    moment = datetime.fromtimestamp(round(seconds * 1000) / 1000, UTC)
    return f"{moment:%Y%m%dT%H%M%S}.{moment.microsecond // 1000:03d}Z"
