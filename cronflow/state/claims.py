"""Making runs exist, once each, and holding the ones that are open (design: the claim, the order of writes).

An open run has an entry in `open/`, locked by the engine that drives it. The claim itself is one rename: the
run's directory is made whole beside its place and renamed onto it, which fails where a run is there already.

The order makes a crash anywhere harmless to repeat: entry, claim; at the end the record, the attempt files, the
entry. An entry without a run is dropped by whoever finds it; one whose run has ended is swept.
"""

import contextlib
import os
import shutil
import time
from collections.abc import Callable
from typing import Literal

import msgspec
from msgspec import Struct

from cronflow import clock
from cronflow.errors import StateTrouble
from cronflow.record import RUN_ENDED, SCHEMA, Run
from cronflow.state import attempts, files, layout, locks, run_record
from cronflow.state.layout import Layout

SOON = 1.0  # seconds; between a claim's entry and its run there are a few files to write

_encode = msgspec.json.Encoder().encode


class UnreadableError(StateTrouble):
    """A record that is no record: torn, garbage, or of other types than it must be."""


class Held:
    """An open run that this process drives: its record, its directory, and the lock on its entry."""

    def __init__(self, place: Layout, run: Run, entry_fd: int) -> None:
        """`entry_fd` holds the lock; it goes with this object."""
        self.place = place
        self.run = run
        self.dir = place.run(run.pipeline, run.run_id)
        self._entry = place.entry(run.pipeline, run.run_id)
        self._entry_fd = entry_fd

    def open_again(self, record: Run) -> None:
        """Write the record of a run that gets another round."""
        write_record(self.dir, record)
        self.run = record

    def end(self, record: Run) -> None:
        """Write the run's end, sweep what only its open round needed, and let go."""
        write_record(self.dir, record)
        self.run = record
        self._close()

    def _close(self) -> None:
        sweep(self.dir)
        files.remove(self._entry)
        self.let_go()

    def let_go(self) -> None:
        """Stop driving: the entry stays for the next engine."""
        if self._entry_fd >= 0:
            os.close(self._entry_fd)
            self._entry_fd = -1


class Taken(Struct, frozen=True):
    """Why a run could not be claimed or taken over. `run` is the record of one that has ended."""

    why: Literal["running", "ended", "pruned", "full", "unreadable", "newer"]
    run: Run | None = None
    detail: str = ""


def claim(place: Layout, run: Run, admit: Callable[[], bool] | None = None) -> Held | Taken:
    """Make this run exist and hold it, or take over the one that exists under its name and has no engine.

    `admit` is asked, with the entry held, whether a run that does not exist yet may (slots of max_active_runs).
    Raises StateTrouble where the state directory can't be written: then nothing was claimed.
    """
    with files.told("claim a run", place.root):
        for directory in (place.open, place.active(run.pipeline), os.path.dirname(place.run(run.pipeline, run.run_id))):
            files.make_dirs(directory)
        fd = _lock_entry(place, run.pipeline, run.run_id)
        if fd is None:
            return Taken("running")
        try:
            held = _claim_locked(place, run, fd, admit)
        except BaseException:
            os.close(fd)
            raise
        return _held_or_dropped(place, run.pipeline, run.run_id, fd, held)


def _lock_entry(place: Layout, pipeline: str, run_id: str) -> int | None:
    """The lock on a run's entry; None where somebody drives the run.

    Who holds the entry while there is no run is about to make it, or to drop what a killed claimant left: one waits
    for that.
    """
    end = clock.awake() + SOON
    while (fd := locks.open_locked(place.entry(pipeline, run_id))) is None:
        if os.path.isdir(place.run(pipeline, run_id)) or clock.awake() > end:
            return None
        time.sleep(SOON / 500)
    return fd


def _held_or_dropped(place: Layout, pipeline: str, run_id: str, fd: int, found: Held | Taken) -> Held | Taken:
    """Keep the entry of a run that is held; a newer cronflow's run may be open too. Any other is given up."""
    if isinstance(found, Taken):
        if found.why == "newer":
            os.close(fd)
        else:
            _drop_entry(place, pipeline, run_id, fd)
    return found


def _drop_entry(place: Layout, pipeline: str, run_id: str, fd: int) -> None:
    """Give up an entry that there is nothing to drive for."""
    files.remove(place.entry(pipeline, run_id))
    os.close(fd)


def _claim_locked(place: Layout, run: Run, fd: int, admit: Callable[[], bool] | None) -> Held | Taken:
    """The claim, with the entry held."""
    run_dir = place.run(run.pipeline, run.run_id)
    if os.path.isdir(run_dir):
        return _existing(place, run_dir, fd)
    if is_pruned(place, run.pipeline, run.run_id):
        return Taken("pruned")
    if admit is not None and not admit():
        return Taken("full")
    files.sync_dir(place.open)
    return _make(place, run, fd)


def _make(place: Layout, run: Run, fd: int) -> Held | Taken:
    """The rename that makes a run exist."""
    run_dir = place.run(run.pipeline, run.run_id)
    draft = _clear_draft(run_dir)
    os.mkdir(draft, files.PRIVATE_DIR)
    files.write_new(f"{draft}/{layout.RECORD}", _encode(run))
    files.sync_dir(draft)
    try:
        os.rename(draft, run_dir)
    except OSError:
        _clear_draft(run_dir)
        if os.path.isdir(run_dir):
            return _existing(place, run_dir, fd)
        raise
    files.sync_dir(os.path.dirname(run_dir))
    return Held(place, run, fd)


def _clear_draft(run_dir: str) -> str:
    """Where the claim of this run makes it; what a killed claimant left there goes. For who holds the entry."""
    draft = f"{run_dir}.draft"
    shutil.rmtree(draft, ignore_errors=True)
    return draft


def _existing(place: Layout, run_dir: str, fd: int) -> Held | Taken:
    """What holding the entry of a run that is there already means. A record that can't be read is put aside."""
    path = f"{run_dir}/{layout.RECORD}"
    try:
        stored = read_run(run_dir)
    except UnreadableError as error:
        return Taken("unreadable", detail=f"{error}; put aside as {files.put_aside(path)}")
    except StateTrouble as error:
        return Taken("newer", detail=str(error))
    if stored is None:
        return Taken("unreadable", detail=f"{path}: the run's record is not there")
    if stored.state in RUN_ENDED:
        sweep(run_dir)
        return Taken("ended", stored)
    return Held(place, stored, fd)


def start_over(place: Layout, run: Run, admit: Callable[[], bool] | None = None) -> Held | Taken:
    """Begin a run anew whose claim stands but whose record is gone: pruned, or unreadable and put aside.

    What is left of its logs stays, and attempts are numbered on from there. `admit` as for `claim`.
    """
    with files.told("start a run over", place.root):
        run_dir = place.run(run.pipeline, run.run_id)
        files.make_dirs(place.open)
        files.make_dirs(run_dir)
        fd = locks.open_locked(place.entry(run.pipeline, run.run_id))
        if fd is None:
            return Taken("running")
        if any_running(run_dir):
            _drop_entry(place, run.pipeline, run.run_id, fd)
            return Taken("running")
        if admit is not None and not admit():
            _drop_entry(place, run.pipeline, run.run_id, fd)
            return Taken("full")
        first: dict[str, int] = {}
        for found in filter(None, map(layout.of_attempt, os.listdir(run_dir))):
            first[found[0]] = max(first.get(found[0], 1), found[1] + 1)
        rounds = (msgspec.structs.replace(run.rounds[0], first=first),)
        sweep(run_dir)
        held = Held(place, run, fd)
        held.open_again(msgspec.structs.replace(run, rounds=rounds))
        return held


def any_running(run_dir: str) -> bool:
    """Whether an attempt of this run still holds its lock, whatever its record says."""
    return any(attempts.look(run_dir, task, number)[0] == "running" for task, number in attempts.open_round(run_dir))


def take(place: Layout, pipeline: str, run_id: str) -> Held | Taken:
    """Take over an open run that nobody drives. An entry without a run, or with one that has ended, is dropped."""
    entry = place.entry(pipeline, run_id)
    with files.told("take over a run", entry):
        fd = locks.open_locked(entry)
        if fd is None:
            return Taken("running")
        run_dir = place.run(pipeline, run_id)
        if not os.path.isdir(run_dir):
            _clear_draft(run_dir)
            held: Held | Taken = Taken("ended")
        else:
            held = _existing(place, run_dir, fd)
        return _held_or_dropped(place, pipeline, run_id, fd, held)


def reopen(place: Layout, pipeline: str, run_id: str, admit: Callable[[], bool] | None = None) -> Held | Taken:
    """Hold an ended run, to open it again: the caller writes the record with its new round, through `write_record`.

    `admit` as for `claim`.
    """
    with files.told("open a run again", place.root):
        files.make_dirs(place.open)
        fd = locks.open_locked(place.entry(pipeline, run_id))
        if fd is None:
            return Taken("running")
        run_dir = place.run(pipeline, run_id)
        try:
            stored = read_run(run_dir)
        except StateTrouble as error:
            os.close(fd)
            return Taken("unreadable", detail=str(error))
        if stored is None:
            files.remove(place.entry(pipeline, run_id))
            os.close(fd)
            return Taken("pruned")
        if stored.state in RUN_ENDED:
            if admit is not None and not admit():
                _drop_entry(place, pipeline, run_id, fd)
                return Taken("full")
            sweep(run_dir)
        files.sync_dir(place.open)
        return Held(place, stored, fd)


def open_runs(place: Layout) -> list[tuple[str, str]]:
    """The pipelines and ids of all entries, oldest due time first. Raises StateTrouble."""
    with files.told("look for open runs", place.open):
        try:
            names = os.listdir(place.open)
        except FileNotFoundError:
            return []
    pairs = [name.split(layout.BETWEEN, 1) for name in names if layout.BETWEEN in name]
    return sorted(((pipeline, run_id) for pipeline, run_id in pairs), key=lambda pair: (pair[1], pair[0]))


def is_driven(place: Layout, pipeline: str, run_id: str) -> bool:
    """Whether an engine drives this run now. Takes nothing."""
    try:
        fd = os.open(place.entry(pipeline, run_id), os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        return locks.is_locked(fd)
    finally:
        os.close(fd)


def read_run(run_dir: str) -> Run | None:
    """The stored record; None where there is none. Raises StateTrouble where it can't be read."""
    path = f"{run_dir}/{layout.RECORD}"
    with files.told("read", path):
        content = files.read(path)
    if content is None:
        return None
    try:
        run = run_record.decode(content)
    except run_record.NO_RECORD as error:
        newer = run_record.newer_schema(content)
        if newer:
            raise StateTrouble(f"{path}: {newer}") from error
        raise UnreadableError(f"{path}: record unreadable: {error}") from error
    if run.schema > SCHEMA:
        raise StateTrouble(f"{path}: {run_record.newer_schema(content)}")
    return run


def write_record(run_dir: str, run: Run) -> None:
    """Replace the run's record, whole and durable."""
    files.replace(f"{run_dir}/{layout.RECORD}", _encode(run))


def sweep(run_dir: str) -> None:
    """Remove what only an open round needs: attempt files, stops, the wish, drafts. Logs stay."""
    for name in os.listdir(run_dir):
        found = layout.of_attempt(name)
        if (found and found[2] != "log") or name == layout.WISH or name.endswith(".draft"):
            files.remove(f"{run_dir}/{name}")


class _PrunedLine(Struct):
    run_id: str


def is_pruned(place: Layout, pipeline: str, run_id: str) -> bool:
    """Whether a run of this name was there once, and only its record is gone."""
    content = files.read(place.pruned(pipeline, run_id))
    if content is None or run_id.encode() not in content:
        return False
    for line in content.splitlines():
        with contextlib.suppress(*run_record.NO_RECORD):
            if msgspec.json.decode(line, type=_PrunedLine).run_id == run_id:
                return True
    return False
