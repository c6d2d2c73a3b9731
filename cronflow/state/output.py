"""What an attempt printed: its log in pieces, read in bounded memory, with the middle that may have been given back.

A log that grew past `log_limit` keeps its length, and has a hole in the file where its middle was.
"""

import os
import stat
from collections.abc import Iterator

from msgspec import Struct

from cronflow.errors import StateTrouble
from cronflow.record import Attempt

CHUNK = 1 << 16
BLOCK = 512  # what st_blocks counts in


class Piece(Struct, frozen=True):
    """Bytes [start, end) of a log: there, or given back."""

    start: int
    end: int
    there: bool


def open_log(run_dir: str, attempt: Attempt) -> int:
    """The attempt's log, open. Raises FileNotFoundError where there is none, StateTrouble where it can't be read."""
    # Only the name counts: a record leads nowhere else. A task may have put anything there, also a pipe.
    path = f"{run_dir}/{os.path.basename(attempt.log or '')}"
    if attempt.log is None:
        raise FileNotFoundError(path)
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise StateTrouble(f"{path}: can't read: {error.strerror}") from error
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise StateTrouble(f"{path}: not a file any more")
    return fd


def size(fd: int) -> int:
    """The log's length now, holes included."""
    return os.fstat(fd).st_size


def pieces(fd: int, start: int, end: int) -> Iterator[Piece]:
    """The log from `start` to `end`, in order."""
    status = os.fstat(fd)
    if status.st_blocks * BLOCK >= status.st_size:
        yield Piece(start, end, there=True)
        return
    while start < end:
        data = after(fd, start, end, os.SEEK_DATA)
        if start < data:
            yield Piece(start, data, there=False)
        start = after(fd, data, end, os.SEEK_HOLE)
        if data < start:
            yield Piece(data, start, there=True)


def after(fd: int, at: int, end: int, whence: int) -> int:
    """Where data or a hole begins, from `at` on; `end` where there is no more of it."""
    try:
        return min(os.lseek(fd, at, whence), end)
    except OSError:
        return end


def last_lines(fd: int, count: int, end: int) -> int:
    """Where the last `count` lines before `end` begin. Reads backwards, no more than it must."""
    if count == 0 or end == 0:
        return end
    # A newline at the very end ends the last line, it does not begin another one.
    wanted = count + (os.pread(fd, 1, end - 1) == b"\n")
    for piece in reversed([*pieces(fd, 0, end)]):
        stop = piece.end if piece.there else piece.start
        while stop > piece.start:
            start = max(piece.start, stop - CHUNK)
            chunk = os.pread(fd, stop - start, start)
            if chunk.count(b"\n") >= wanted:
                return start + newline_before(chunk, wanted) + 1
            wanted -= chunk.count(b"\n")
            stop = start
    return 0


def newline_before(chunk: bytes, count: int) -> int:
    """The place of the newline that is the `count`-th from the end."""
    at = len(chunk)
    for _ in range(count):
        at = chunk.rindex(b"\n", 0, at)
    return at


def chunks(fd: int, start: int, end: int) -> Iterator[bytes]:
    """The bytes from `start` to `end`, a little at a time. Ends early where the file got shorter."""
    while start < end:
        chunk = os.pread(fd, min(CHUNK, end - start), start)
        if not chunk:
            return
        yield chunk
        start += len(chunk)


def excerpt(run_dir: str, attempt: Attempt, count: int) -> list[str]:
    """The last lines of an attempt's log as text, of at most its last 64 KiB; none where there is no log."""
    try:
        fd = open_log(run_dir, attempt)
    except (FileNotFoundError, StateTrouble):
        return []
    try:
        end = size(fd)
        start = max(last_lines(fd, count, end), end - CHUNK)
        text = b"".join(chunks(fd, start, end)).decode("utf-8", "replace")
    finally:
        os.close(fd)
    return [line.removesuffix("\r") for line in text.removesuffix("\n").split("\n")] if text else []
