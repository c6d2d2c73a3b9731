"""How values are written that YAML has no type for. Each reader raises ValueError with what is wrong."""

import re
from datetime import date

SECONDS = {"d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0}
_NUMBER = r"[0-9]+(?:\.[0-9]+)?"
DURATION_PATTERN = rf"^(?=.)(?:{_NUMBER}|(?:{_NUMBER}d)?(?:{_NUMBER}h)?(?:{_NUMBER}m)?(?:{_NUMBER}s)?)$"
DURATION = "a duration such as 30s, 5m, 2h, 1d or 1h30m, or seconds"
LONGEST_YEARS = 100

BYTES = {
    "": 1, "b": 1,
    "kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12,
    "k": 2**10, "m": 2**20, "g": 2**30, "t": 2**40,
    "kib": 2**10, "mib": 2**20, "gib": 2**30, "tib": 2**40,
}  # fmt: skip
SIZE_PATTERN = rf"^({_NUMBER}) ?((?:[KkMmGgTt](?:i?[Bb])?|[Bb])?)$"
SIZE = "a size such as 64MiB or 10 MB, or bytes"

DAY_PATTERN = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"
DAY = "a day such as 2026-01-31"


def duration(text: str) -> float:
    """Seconds: of `1h30m`, or of a bare number."""
    if not re.fullmatch(DURATION_PATTERN, text):
        raise ValueError(DURATION)
    if text[-1] not in SECONDS:
        seconds = float(text)
    else:
        seconds = sum(float(number) * SECONDS[unit] for number, unit in re.findall(r"([0-9.]+)([dhms])", text))
    if seconds > LONGEST_YEARS * 366 * SECONDS["d"]:
        raise ValueError(f"at most {LONGEST_YEARS} years")
    return seconds


def spelled(seconds: float) -> str:
    """A duration as a file would have it, in the largest unit that divides it: `604800.0` -> `7d`."""
    unit, length = next((unit, length) for unit, length in SECONDS.items() if seconds % length == 0 or unit == "s")
    return f"{seconds / length:g}{unit}"


def size(text: str) -> int:
    """Bytes: `64MiB` and `64M` count by 1024, `64MB` by 1000."""
    match = re.fullmatch(SIZE_PATTERN, text)
    if not match:
        raise ValueError(SIZE)
    return int(min(float(match[1]) * BYTES[match[2].lower()], 2**62))


def day(text: str) -> str:
    """A day of the calendar, as written: `2026-01-31`."""
    if not re.fullmatch(DAY_PATTERN, text):
        raise ValueError(DAY)
    try:
        date.fromisoformat(text)
    except ValueError:
        raise ValueError("a day that the calendar has") from None
    return text
