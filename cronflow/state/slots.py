"""Slots: locked files that count. A pool's slot is held by an attempt's shell, a run's by the run itself.

`pools/NAME/K` is locked by the engine and inherited by the attempt's shell: the kernel frees it when that ends.
`pipelines/NAME/active/K` names its run and is free when that run has ended; its lock is held only while looking.
"""

import os

from cronflow.errors import StateTrouble
from cronflow.record import RUN_ENDED
from cronflow.state import claims, files, locks
from cronflow.state.layout import Layout
from cronflow.state.run_id import is_one


def take_pool(place: Layout, pool: str, size: int) -> int | None:
    """A descriptor that holds one of the pool's slots; None while all are taken. Closing it gives it back."""
    directory = place.pool(pool)
    files.make_dirs(directory)
    for number in range(size):
        fd = locks.open_locked(f"{directory}/{number}")
        if fd is not None:
            return fd
    return None


def take_active(place: Layout, pipeline: str, run_id: str, size: int) -> bool:
    """Write the run's name into a free slot of its pipeline. True where it has one, maybe since before."""
    directory = place.active(pipeline)
    files.make_dirs(directory)
    paths = [f"{directory}/{number}" for number in range(size)]
    if any(slot_holder(path) == run_id for path in paths):
        return True
    return any(_occupy(place, pipeline, path, run_id) for path in paths)


def holders(place: Layout, pipeline: str) -> list[str]:
    """The open runs that hold a slot of this pipeline."""
    directory = place.active(pipeline)
    try:
        names = sorted(os.listdir(directory))
    except FileNotFoundError:
        return []
    found = [slot_holder(f"{directory}/{name}") for name in names]
    return [run_id for run_id in found if run_id and _is_open(place, pipeline, run_id)]


def slot_holder(path: str) -> str | None:
    """The run that a slot names. What is no run's id, as a torn write may leave it, names none."""
    named = (files.read(path) or b"").decode("utf-8", "replace").strip()
    return named if is_one(named) else None


def _occupy(place: Layout, pipeline: str, path: str, run_id: str) -> bool:
    """Write the run's name into this slot, if it is free."""
    if _is_open(place, pipeline, slot_holder(path)):
        return False
    fd = locks.open_locked(path)
    if fd is None:
        return False
    try:
        if _is_open(place, pipeline, slot_holder(path)):
            return False
        os.ftruncate(fd, 0)
        os.pwrite(fd, run_id.encode(), 0)
        os.fsync(fd)
        return True
    finally:
        os.close(fd)


def _is_open(place: Layout, pipeline: str, run_id: str | None) -> bool:
    """Whether a run has not ended. One that can't be read counts as ended: it must not block for ever."""
    if run_id is None:
        return False
    try:
        run = claims.read_run(place.run(pipeline, run_id))
    except StateTrouble:
        return False
    if run is None or run.state in RUN_ENDED:
        # Between the slot and the claim, or the record that opens it again: as long as somebody holds the entry.
        return claims.is_driven(place, pipeline, run_id)
    return True
