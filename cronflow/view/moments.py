"""Spans of time as people say them: `3m12s`, `9h ago`, `in 14h`; sizes of memory likewise."""

from cronflow import instant

MINUTE, HOUR, DAY = 60, 3600, 86400


def lasted(seconds: float) -> str:
    """`0.42` -> `0.4s`, `42` -> `42s`, `192` -> `3m12s`, `7500` -> `2h05m`, `360000` -> `4d04h`."""
    seconds = max(0.0, seconds)
    if seconds < 9.95:
        return f"{seconds:.1f}s"
    whole = round(seconds)
    if whole < MINUTE:
        return f"{whole}s"
    if whole < HOUR:
        return f"{whole // MINUTE}m{whole % MINUTE:02d}s"
    if whole < DAY:
        return f"{whole // HOUR}h{whole % HOUR // MINUTE:02d}m"
    return f"{whole // DAY}d{whole % DAY // HOUR:02d}h"


def between(start: str | None, end: str | None, now: float) -> str:
    """How long it took from one record's instant to another, or until now; nothing where it has not begun."""
    return "" if start is None else lasted((instant.to_seconds(end) if end else now) - instant.to_seconds(start))


def away(at: float, now: float) -> str:
    """How far an instant is from now: `9h ago`, `in 14h`, `now`."""
    gap = abs(now - at)
    if gap < 1:
        return "now"
    size, unit = next(pair for pair in ((DAY, "d"), (HOUR, "h"), (MINUTE, "m"), (1, "s")) if gap >= pair[0])
    rough = f"{int(gap // size)}{unit}"
    return f"{rough} ago" if at < now else f"in {rough}"


def memory(amount: int) -> str:
    """`25165824` -> `24M`."""
    if amount < 1 << 20:
        return f"{amount / (1 << 10):.0f}K"
    if amount < 1 << 30:
        return f"{amount / (1 << 20):.0f}M"
    return f"{amount / (1 << 30):.1f}G"
