"""Open-file-description locks: inherited by a child with its descriptor, freed by the kernel, looked at without taking.

With `flock`, looking is a short taking, and makes another's taking fail; with plain record locks, closing any
other descriptor of the file frees them. See fcntl(2), "Open file description locks".
"""

import fcntl
import os
import struct

# struct flock of Linux on 64-bit: type, whence, start, length (0: to the end), pid (must be 0).
LAYOUT = "hhqqi4x"
EXCLUSIVE = struct.pack(LAYOUT, fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)


def lock(fd: int) -> bool:
    """Take the file's lock for this open description. False where somebody else has it."""
    try:
        fcntl.fcntl(fd, fcntl.F_OFD_SETLK, EXCLUSIVE)
    except (BlockingIOError, PermissionError):
        return False
    return True


def is_locked(fd: int) -> bool:
    """Whether another open description holds the lock. Takes nothing."""
    answer = fcntl.fcntl(fd, fcntl.F_OFD_GETLK, EXCLUSIVE)
    kind: int = struct.unpack(LAYOUT, answer)[0]
    return kind != fcntl.F_UNLCK


def open_locked(path: str, mode: int = 0o600) -> int | None:
    """Create or open the file and lock it. None where it is locked already.

    Looks again whether the file under the name is still the one that was locked: its last holder may have removed
    it in between.
    """
    while True:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, mode)
        try:
            if not lock(fd):
                os.close(fd)
                return None
            if same_file(fd, path):
                return fd
        except BaseException:
            os.close(fd)
            raise
        os.close(fd)


def same_file(fd: int, path: str) -> bool:
    """Whether the name still leads to the file that is open."""
    mine = os.fstat(fd)
    try:
        named = os.stat(path, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return (mine.st_dev, mine.st_ino) == (named.st_dev, named.st_ino)
