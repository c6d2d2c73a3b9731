"""Cursors on disk: `pipelines/NAME/cursor.json`, each replaced whole, by the one daemon. Anybody may read them.

A cursor that is older than what was done by it is harmless: what is decided again finds what was claimed.
"""

import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from itertools import islice
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct, field

from cronflow import instant
from cronflow.cursor import Away, Cursor, InForce, Waiting
from cronflow.errors import StateTrouble
from cronflow.record import SCHEMA, Trigger
from cronflow.schedule import Span
from cronflow.state import files
from cronflow.state.layout import Layout
from cronflow.state.run_record import newer_schema

_DRAFT = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
AT_ONCE = 64  # files that are open side by side while many cursors are written

# What bytes that are no cursor raise on the way to one; deep nesting raises RecursionError.
NO_CURSOR = (msgspec.DecodeError, ValueError, OverflowError, RecursionError)


class UnreadableCursor(StateTrouble):
    """A cursor file that is none: torn, garbage, or of other types than it must be."""


class Found(Struct, frozen=True):
    """The cursors by pipeline; the pipelines that must not be planned, as theirs can't be read, and why; what to say.

    A cursor can't be read for want of rights, or because a newer cronflow wrote it.
    """

    cursors: dict[str, Cursor]
    refused: dict[str, str]
    said: list[str]


class _Span(Struct, frozen=True):
    start: str = field(name="from")
    end: str = field(name="to")


class _Entry(Struct, frozen=True):
    since: str
    schedule: tuple[str, ...]
    timezone: str | None


class _Waiting(Struct, frozen=True):
    scheduled_at: str
    trigger: Trigger


class _Away(Struct, frozen=True):
    since: str
    why: Literal["absent", "file_bad"]


class _Stored(Struct, frozen=True, kw_only=True):
    """The file: a Cursor with its instants as text."""

    schema: Annotated[int, Meta(ge=1)] = SCHEMA
    decided_until: str
    waiting: _Waiting | None = None
    owed: tuple[_Span, ...] = ()
    schedules: Annotated[tuple[_Entry, ...], Meta(min_length=1)]
    boot_id: str = ""
    away: _Away | None = None
    ahead: str | None = None


_decode = msgspec.json.Decoder(_Stored).decode
_encode = msgspec.json.Encoder().encode


def path(place: Layout, pipeline: str) -> str:
    """Where a pipeline's cursor is."""
    return f"{place.pipeline(pipeline)}/cursor.json"


def read(place: Layout, pipeline: str) -> Cursor | None:
    """A pipeline's cursor; None where no daemon has planned it yet.

    Raises UnreadableCursor, and StateTrouble where it can't be opened or a newer cronflow wrote it.
    """
    name = path(place, pipeline)
    with files.told("read", name):
        content = files.read(name)
    if content is None:
        return None
    newer = _newer(content)
    if newer is not None:
        raise StateTrouble(f"{name}: {newer}")
    try:
        return _cursor(_decode(content))
    except NO_CURSOR as error:
        raise UnreadableCursor(f"{name}: cursor unreadable: {error}") from error


def take_all(place: Layout) -> Found:
    """All cursors, for the daemon. One that is no cursor is put aside: its pipeline was never seen, as it were."""
    found = Found({}, {}, [])
    for pipeline in _pipelines(place):
        try:
            cursor = read(place, pipeline)
            if cursor is not None:
                found.cursors[pipeline] = cursor
        except UnreadableCursor as error:
            found.said.append(f"{error}; put aside as {_put_aside(place, pipeline)}")
        except StateTrouble as error:
            found.refused[pipeline] = str(error)
    return found


def write_all(place: Layout, cursors: Mapping[str, Cursor]) -> None:
    """Replace these cursors, each whole or not at all, and durable. Together they cost the disk little more than one.

    Raises StateTrouble where one can't be written: then some may have been, and the others are as they were.
    """
    with files.told("write the cursors", place.pipelines):
        remaining = iter(cursors.items())
        while some := list(islice(remaining, AT_ONCE)):
            contents = {path(place, name): _encode(_stored(cursor)) for name, cursor in some}
            for name, _ in some:
                files.make_dirs(place.pipeline(name))
            _replace(contents)


def _replace(contents: Mapping[str, bytes]) -> None:
    """As `files.replace`, for several files: all are written before the first is waited for."""
    drafts = {name: f"{name}.{os.getpid()}.draft" for name in contents}
    opened: list[int] = []
    try:
        try:
            for name, content in contents.items():
                opened.append(os.open(drafts[name], _DRAFT, files.PRIVATE_FILE))
                files.write_all(opened[-1], content)
            for fd in opened:
                os.fsync(fd)
        finally:
            for fd in opened:
                os.close(fd)
        for name, draft in drafts.items():
            os.rename(draft, name)
    except OSError:
        for draft in drafts.values():
            files.remove(draft)
        raise
    for name in contents:
        files.sync_dir(os.path.dirname(name))


def _put_aside(place: Layout, pipeline: str) -> str:
    with files.told("put aside", path(place, pipeline)):
        return files.put_aside(path(place, pipeline))


def _newer(content: bytes) -> str | None:
    """What to say of a cursor that a newer cronflow wrote."""
    with suppress(RecursionError):
        return newer_schema(content)
    return None


def _pipelines(place: Layout) -> Iterable[str]:
    with files.told("read", place.pipelines):
        try:
            return sorted(os.listdir(place.pipelines))
        except FileNotFoundError:
            return []


def _cursor(stored: _Stored) -> Cursor:
    seconds, waiting, away = instant.to_seconds, stored.waiting, stored.away
    return Cursor(
        decided_until=seconds(stored.decided_until),
        schedules=tuple(InForce(seconds(one.since), one.schedule, one.timezone) for one in stored.schedules),
        waiting=Waiting(seconds(waiting.scheduled_at), waiting.trigger) if waiting else None,
        owed=tuple(Span(seconds(span.start), seconds(span.end)) for span in stored.owed),
        boot_id=stored.boot_id,
        away=Away(seconds(away.since), away.why) if away else None,
        ahead=None if stored.ahead is None else seconds(stored.ahead),
    )


def _stored(cursor: Cursor) -> _Stored:
    text, waiting, away = instant.to_text, cursor.waiting, cursor.away
    return _Stored(
        decided_until=text(cursor.decided_until),
        waiting=_Waiting(text(waiting.due), waiting.trigger) if waiting else None,
        owed=tuple(_Span(text(span.start), text(span.end)) for span in cursor.owed),
        schedules=tuple(_Entry(text(entry.since), entry.schedule, entry.timezone) for entry in cursor.schedules),
        boot_id=cursor.boot_id,
        away=_Away(text(away.since), away.why) if away else None,
        ahead=None if cursor.ahead is None else text(cursor.ahead),
    )
