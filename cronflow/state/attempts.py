"""The attempt file: record, lock and exit code of one attempt in one file (design: the attempt file).

    {"attempt_id":"…","boot_id":"…","started_at":"…","monotonic":81.5     written by the engine, under the lock
    ,"pid":4711                                                           appended by the attempt's shell
    ,"exit":0}                                                            appended by the attempt's shell

or, in place of the shell's two lines, `,"error":"why it could not be started","at":"…"}` by the engine. Whoever
looks needs nothing else: is it locked, and how far does it go.
"""

import os
from collections.abc import Callable
from typing import Annotated, Literal, TypeVar

import msgspec
from msgspec import Meta, Struct

from cronflow import instant
from cronflow.lifecycle import Sighting, Stop, Wish
from cronflow.record import Run
from cronflow.state import files, layout, locks
from cronflow.state.run_record import NO_RECORD

UNREADABLE = "lost: the attempt's file is not readable"
LONGEST_REASON = 3500  # bytes of JSON; a head takes 500 at most


class Head(Struct, frozen=True):
    """What the engine writes before anything is started. `monotonic` is the awake clock, in seconds."""

    attempt_id: str
    boot_id: str
    started_at: str
    monotonic: float


class Whole(Struct, frozen=True, kw_only=True):
    """Everything an attempt file may hold."""

    attempt_id: str
    boot_id: str
    started_at: str
    monotonic: float
    # 0 and 1 would mean other groups than an attempt's to whoever signals them; the kernel's numbers end at 4 Mi.
    pid: Annotated[int, Meta(gt=1, le=1 << 22)] | None = None
    exit: int | None = None
    error: str | None = None


Note = TypeVar("Note", Stop, Wish)
Phase = Literal["unstarted", "running", "ended", "lost", "garbage"]

# What bytes that are no record raise on the way to one; deep nesting raises RecursionError.

# How far an attempt came, what its file holds, and the instant of the file's last change.
Found = tuple[Phase, Whole | None, float]

MARK = b'{"attempt_id":'  # how every attempt file begins

_decode = msgspec.json.Decoder(Whole).decode
_encode = msgspec.json.Encoder().encode
_decode_stop = msgspec.json.Decoder(Stop).decode
_decode_wish = msgspec.json.Decoder(Wish).decode


def head(start: Head) -> bytes:
    """The beginning of an attempt file: an object still open, on a line of its own."""
    return _encode(start)[:-1] + b"\n"


def refusal(error: str) -> bytes:
    """The end of an attempt that could not be started. A long reason is cut: the file stays under 4 KiB."""
    text = error[:1500]
    while len(_encode(text)) > LONGEST_REASON:
        text = text[: len(text) // 2]
    return b"," + _encode({"error": text})[1:] + b"\n"


def parse(content: bytes, *, locked: bool) -> tuple[Phase, Whole | None]:
    """How far an attempt came. Total: any bytes have a meaning.

    A line counts only with its newline, so that half a pid is no pid. What is neither whole nor the beginning of
    something whole is garbage, never `unstarted`: nothing may run twice because a byte was hit.
    """
    *lines, rest = content.rstrip(b"\0").split(b"\n")
    whole = _whole(b"\n".join(lines))
    if whole is not None and (whole.exit is not None or whole.error is not None):
        return ("running" if locked else "ended"), whole
    opened = _whole(b"\n".join(lines) + b"}")
    if locked:
        return "running", opened or (_whole(lines[0] + b"}") if lines else None)
    if opened is not None and opened.pid is not None:
        return "lost", opened
    nothing_yet = not lines and MARK.startswith(rest[: len(MARK)])
    only_head = opened is not None and b",".startswith(rest[:1])
    return ("unstarted" if nothing_yet or only_head else "garbage"), None


def _whole(text: bytes) -> Whole | None:
    try:
        whole = _decode(text)
        instant.to_seconds(whole.started_at)
    except NO_RECORD:
        return None
    return whole


def look(run_dir: str, task: str, number: int) -> Found:
    """What an attempt file says now, and the instant of its last change. Takes no lock."""
    fd = os.open(layout.attempt(run_dir, task, number), os.O_RDONLY | os.O_CLOEXEC)
    try:
        # The lock first: an attempt that ends in between is then seen as running, never as lost.
        locked = locks.is_locked(fd)
        content = os.read(fd, 8192)
        changed = os.fstat(fd).st_mtime
    finally:
        os.close(fd)
    return (*parse(content, locked=locked), changed)


def sighting(number: int, phase: Phase, whole: Whole | None, changed: float, log: str) -> Sighting | None:
    """What the lifecycle is told of an attempt; None for one that was never started."""
    if phase == "unstarted":
        return None
    if whole is None:
        if phase == "running":
            return Sighting(number=number, phase="running", log=log)
        return Sighting(number=number, phase="ended", error=UNREADABLE, ended_at=instant.to_text(changed), log=log)
    ended = None if phase == "running" else instant.to_text(max(changed, instant.to_seconds(whole.started_at)))
    return Sighting(
        number=number,
        phase=phase if phase != "garbage" else "lost",
        pid=whole.pid,
        exit_code=None if phase == "running" else whole.exit,
        error=whole.error,
        started_at=whole.started_at,
        ended_at=ended,
        log=None if whole.error is not None else log,
    )


def read_stop(run_dir: str, task: str, number: int) -> Stop | None:
    """Why an attempt was stopped; None where it was not, or where the note can't be read."""
    return _read(layout.stop(run_dir, task, number), _decode_stop)


def write_stop(run_dir: str, task: str, number: int, stop: Stop) -> None:
    """Note why an attempt is stopped; the first note stands."""
    path = layout.stop(run_dir, task, number)
    if not os.path.exists(path):
        files.replace(path, _encode(stop))


def read_wish(run_dir: str) -> Wish | None:
    """That the run shall end, if somebody said so."""
    return _read(f"{run_dir}/{layout.WISH}", _decode_wish)


def write_wish(run_dir: str, wish: Wish) -> None:
    """Say that the run shall end; whoever drives it sees it within a second."""
    files.replace(f"{run_dir}/{layout.WISH}", _encode(wish))


def unreadable_notes(run_dir: str) -> list[str]:
    """The paths of a run's notes, why attempts were stopped and that it shall end, that say nothing."""
    found = []
    for name in os.listdir(run_dir):
        attempt = layout.of_attempt(name)
        if name == layout.WISH:
            note: Stop | Wish | None = read_wish(run_dir)
        elif attempt is not None and attempt[2] == "stop":
            note = read_stop(run_dir, attempt[0], attempt[1])
        else:
            continue
        if note is None:
            found.append(f"{run_dir}/{name}")
    return found


def _read(path: str, decode: Callable[[bytes], Note]) -> Note | None:
    content = files.read(path)
    if content is None:
        return None
    try:
        return decode(content)
    except NO_RECORD:
        return None


def sightings(run_dir: str, run: Run) -> dict[str, list[tuple[Sighting, Stop | None]]]:
    """What there is of a run's open round: for each task its attempts, oldest first, with their stops."""
    first = run.rounds[-1].first
    found: dict[str, list[tuple[Sighting, Stop | None]]] = {}
    for task, number in open_round(run_dir):
        if task not in run.definition.tasks or number < first.get(task, 1):
            continue
        try:
            seen = sighting(number, *look(run_dir, task, number), layout.log_name(task, number))
        except FileNotFoundError:
            continue
        if seen is not None:
            found.setdefault(task, []).append((seen, read_stop(run_dir, task, number)))
    return found


def open_round(run_dir: str) -> list[tuple[str, int]]:
    """The tasks and numbers of all attempt files in a run's directory, in order."""
    parsed = (layout.of_attempt(name) for name in os.listdir(run_dir))
    return sorted((task, number) for task, number, kind in filter(None, parsed) if kind == "json")
