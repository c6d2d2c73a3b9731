"""Decisions on disk: `decisions/2026-11-22.jsonl`, by the UTC day on which they were made; one writer, the daemon.

A file grows by whole lines. A crash can tear the last one only: readers pass over it, and the next append cuts it
off. Neighbours that are alike become one line: at once while a file is small, later each time it has doubled. So
what is paused for a year costs a line a day, and no append costs much more than what it adds.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

import msgspec
from msgspec import Struct

from cronflow import instant
from cronflow.decision import Decision, merged
from cronflow.state import files
from cronflow.state.layout import Layout

SMALL = 64 * 1024
_SUFFIX = ".jsonl"
_APPEND = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC

# What bytes that are no decision raise on the way to one; deep nesting raises RecursionError.
NO_DECISION = (msgspec.DecodeError, ValueError, RecursionError)

_decode = msgspec.json.Decoder(Decision).decode
_encode_lines = msgspec.json.Encoder().encode_lines


class Day(Struct, frozen=True):
    """The decisions of one day in the order in which they were made, and how many lines could not be read."""

    decisions: list[Decision]
    unreadable: int


def directory(place: Layout) -> str:
    """Where the files are."""
    return f"{place.root}/decisions"


def days(place: Layout) -> list[str]:
    """The days that have decisions, `2026-11-22`, oldest first."""
    with files.told("read", directory(place)):
        try:
            names = os.listdir(directory(place))
        except FileNotFoundError:
            return []
    return sorted(name.removesuffix(_SUFFIX) for name in names if name.endswith(_SUFFIX))


def read(place: Layout, day: str) -> Day:
    """The decisions of one day; none where there is no file. Raises StateTrouble where it can't be opened."""
    found = _parsed(_content(place, day).split(b"\n")[:-1])
    return Day(merged(found.decisions), found.unreadable)


def about(place: Layout, pipeline: str, since: float) -> Iterator[Decision]:
    """What was decided of a pipeline from the day of an instant on, and the gaps in which nothing was. In order.

    Raises StateTrouble where a file can't be opened.
    """
    first = instant.to_text(since)[:10]
    marks = f'"pipeline":"{pipeline}"'.encode(), b'"pipeline":null'
    for day in days(place):
        if day >= first:
            lines = _content(place, day).split(b"\n")[:-1]
            yield from merged(_parsed(line for line in lines if any(mark in line for mark in marks)).decisions)


def append(place: Layout, decisions: Sequence[Decision]) -> None:
    """Add decisions, in the order in which they were made, and make them durable. Raises StateTrouble."""
    with files.told("write", directory(place)):
        files.make_dirs(directory(place))
        for day, some in groupby(decisions, key=lambda decision: decision.at[:10]):
            _append(_path(place, day), list(some))


def _append(path: str, decisions: list[Decision]) -> None:
    size = os.path.getsize(path) if os.path.exists(path) else 0
    if 0 < size <= SMALL and _join(path, decisions):
        return
    fd = os.open(path, _APPEND, files.PRIVATE_FILE)
    try:
        _cut_torn_line(fd)
        files.write_all(fd, _encode_lines(decisions))
        os.fsync(fd)
        grown = os.fstat(fd).st_size
    finally:
        os.close(fd)
    if size == 0:
        files.sync_dir(os.path.dirname(path))
    if grown > SMALL and grown.bit_length() > size.bit_length():
        _join(path, [])


def _join(path: str, more: list[Decision]) -> bool:
    """Write the file anew, if it is shorter with neighbours as one. A file with a line that is none is left alone."""
    known = _parsed((files.read(path) or b"").split(b"\n")[:-1])
    together = merged([*known.decisions, *more])
    if known.unreadable or len(together) == len(known.decisions) + len(more):
        return False
    if together != known.decisions:
        files.replace(path, _encode_lines(together))
    return True


def _cut_torn_line(fd: int) -> None:
    """Make the file end with a whole line."""
    end = size = os.fstat(fd).st_size
    while end > 0:
        start = max(0, end - SMALL)
        newline = os.pread(fd, end - start, start).rfind(b"\n")
        if newline >= 0:
            end = start + newline + 1
            break
        end = start
    if end < size:
        os.ftruncate(fd, end)


def _parsed(lines: Iterable[bytes]) -> Day:
    """The decisions in these lines."""
    found, unreadable = [], 0
    for line in lines:
        try:
            found.append(_decode(line))
        except NO_DECISION:
            unreadable += 1
    return Day(found, unreadable)


def _content(place: Layout, day: str) -> bytes:
    with files.told("read", _path(place, day)):
        return files.read(_path(place, day)) or b""


def _path(place: Layout, day: str) -> str:
    return f"{directory(place)}/{day}{_SUFFIX}"
