"""Files as the state directory wants them: private, replaced whole, durable."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from cronflow.errors import StateTrouble

PRIVATE_DIR = 0o700
PRIVATE_FILE = 0o600
NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC


@contextmanager
def told(doing: str, path: str) -> Iterator[None]:
    """Turn what the system says about a path into an error that a person can act on."""
    try:
        yield
    except OSError as error:
        raise StateTrouble(f"{path}: can't {doing}: {said(error)}") from error


def said(error: OSError) -> str:
    """What the system said, and what to do about it where that is known."""
    hint = "; ask its owner, or name another directory with --state-dir" if isinstance(error, PermissionError) else ""
    return f"{error.strerror or error}{hint}"


def make_dirs(path: str) -> None:
    """A private directory and its parents, each durable in its own parent."""
    missing = []
    while not os.path.isdir(path):
        missing.append(path)
        path = os.path.dirname(path)
    for directory in reversed(missing):
        try:
            os.mkdir(directory, PRIVATE_DIR)
        except FileExistsError:
            if os.path.isdir(directory):
                continue
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), directory) from None
        sync_dir(os.path.dirname(directory))


def sync_dir(path: str) -> None:
    """Make a directory's entries durable."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def write_new(path: str, content: bytes) -> None:
    """A file that was not there before, durable; its directory is for the caller to sync."""
    fd = os.open(path, NEW_FILE, PRIVATE_FILE)
    try:
        write_all(fd, content)
        os.fsync(fd)
    finally:
        os.close(fd)


def write_all(fd: int, content: bytes) -> None:
    """Write every byte, or raise OSError."""
    view = memoryview(content)
    while view:
        view = view[os.write(fd, view) :]


def replace(path: str, content: bytes) -> None:
    """The file at `path` becomes this content, whole or not at all, and durable.

    The draft's name carries our pid: two writers never share one, and what a killed writer left is overwritten or
    swept with its directory.
    """
    draft = f"{path}.{os.getpid()}.draft"
    fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, PRIVATE_FILE)
    try:
        try:
            write_all(fd, content)
            os.fsync(fd)
        finally:
            os.close(fd)
        os.rename(draft, path)
    except OSError:
        remove(draft)
        raise
    sync_dir(os.path.dirname(path))


def read(path: str) -> bytes | None:
    """A file's content; None where there is no such file."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        parts = []
        while part := os.read(fd, 1 << 20):
            parts.append(part)
        return b"".join(parts)
    finally:
        os.close(fd)


def remove(path: str) -> None:
    """Unlink, where it is still there."""
    with suppress(FileNotFoundError):
        os.unlink(path)


def put_aside(path: str) -> str:
    """Move a file that can't be read out of the way, keeping it. Returns its new path."""
    aside = path + ".bad"
    while os.path.lexists(aside):
        aside += ".bad"
    os.rename(path, aside)
    sync_dir(os.path.dirname(path))
    return aside
