"""The edge where time comes in. Everything else is handed the time it works with."""

import functools
import time


def now() -> float:
    """Wall time, seconds since the epoch. It can jump."""
    return time.time()


def awake() -> float:
    """Seconds this machine has been awake since its boot: no suspend, no clock step moves it."""
    return time.monotonic()


@functools.cache
def boot_id() -> str:
    """What tells one boot of this machine from another."""
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
        return file.read().strip()
