"""An attempt's log on disk: its size, and giving back the middle of one that grew past its limit."""

import functools
import os
from collections.abc import Callable

KEEP_SIZE, PUNCH_HOLE = 0x01, 0x02  # linux/falloc.h
BLOCK = 4096


def size(path: str) -> int:
    """A log's length in bytes, holes included; 0 where there is none."""
    try:
        return os.stat(path).st_size
    except FileNotFoundError:
        return 0


def cap(path: str, limit: int) -> int:
    """Give the middle of a log that holds more than `limit` bytes back to the file system; it keeps its length.

    Half of the limit stays at the head, half at the tail, and of each at least a block. The task goes on appending
    meanwhile. Returns how many bytes of the file are missing now. Raises OSError where the file system can't do it.
    """
    length = size(path)
    if length <= limit:
        return 0
    half = max(BLOCK, limit // 2 // BLOCK * BLOCK)
    start, end = half, (length - half) // BLOCK * BLOCK
    if end <= start:
        return 0
    fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        _fallocate()(fd, PUNCH_HOLE | KEEP_SIZE, start, end - start)
    finally:
        os.close(fd)
    return end - start


@functools.cache
def _fallocate() -> Callable[[int, int, int, int], None]:
    """fallocate(2), which Python has only without its modes."""
    import ctypes

    call = ctypes.CDLL(None, use_errno=True).fallocate
    call.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64]

    def fallocate(fd: int, mode: int, start: int, length: int) -> None:
        if call(fd, mode, start, length) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))

    return fallocate
