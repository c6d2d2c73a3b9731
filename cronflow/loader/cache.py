"""What files were parsed to, kept between commands: reading YAML again would cost more than all the rest.

An entry counts as long as its file's stamp is the same. Whatever is wrong with the cache itself, it is as if there
were none: it only ever saves time.
"""

import os
import stat
from binascii import crc32
from contextlib import suppress

import msgspec
from msgspec import Raw, Struct

from cronflow.problem import Problem
from cronflow.spec import Config
from cronflow.state.files import make_dirs

# A file changed twice within one tick of the kernel's clock keeps its times: what is this fresh is read again.
FRESH_NS = 50_000_000

Stamp = tuple[int, ...]


class Entry(Struct, frozen=True):
    """One file: its stamp and what it was parsed to. `pipelines` is their JSON, read only where it is asked for."""

    stamp: Stamp
    names: dict[str, tuple[int, int]]
    pipelines: Raw
    problems: tuple[Problem, ...]
    warnings: tuple[Problem, ...]


class ConfigEntry(Struct, frozen=True):
    """`config.yaml`: every entry was made under it."""

    stamp: Stamp
    config: Config
    problems: tuple[Problem, ...]
    warnings: tuple[Problem, ...]


class Cache(Struct, frozen=True):
    """All of one pipelines directory. Of another directory, version or user it means nothing."""

    made_by: str
    pipelines_dir: str
    config: ConfigEntry | None = None
    files: dict[str, Entry] = {}


def stamp_of(path: str) -> Stamp:
    """What changes when a file does. Empty where there is no file."""
    try:
        status = os.stat(path)
    except OSError:
        return ()
    return (
        status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_dev, status.st_ino,
        status.st_mode, status.st_uid, status.st_gid,
    )  # fmt: skip


def is_settled(stamp: Stamp, now: float) -> bool:
    """Whether a change to the file from now on would change its stamp."""
    return not stamp or stamp[1] < now * 1e9 - FRESH_NS


def read(directory: str, empty: Cache) -> Cache:
    """The cache in a directory, or the empty one that it would have to match."""
    try:
        with open(_path(directory, empty), "rb") as file:
            status = os.fstat(file.fileno())
            if status.st_uid != os.geteuid() or stat.S_IMODE(status.st_mode) & 0o022:
                return empty
            cache = msgspec.json.decode(file.read(), type=Cache)
    except (OSError, msgspec.DecodeError, RecursionError):
        return empty
    same = (cache.made_by, cache.pipelines_dir) == (empty.made_by, empty.pipelines_dir)
    return cache if same else empty


def write(directory: str, cache: Cache) -> None:
    """Keep it for the next command, if that can be done."""
    draft = f"{_path(directory, cache)}.{os.getpid()}.draft"
    try:
        content = msgspec.json.encode(cache)
        make_dirs(directory)
        fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with open(fd, "wb") as file:
            file.write(content)
        os.rename(draft, _path(directory, cache))
    except (OSError, UnicodeEncodeError):
        with suppress(OSError):
            os.unlink(draft)


def _path(directory: str, cache: Cache) -> str:
    """One file for each pipelines directory."""
    return os.path.join(directory, f"pipelines-{crc32(os.fsencode(cache.pipelines_dir)):08x}.json")
