"""Slots: at most so many at once, whoever asks; free again when their holder is gone."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from cronflow.opening import Moment, Reach, new_run
from cronflow.record import Run
from cronflow.spec import Pipeline, Task
from cronflow.state import claims, slots
from cronflow.state.layout import Layout

DAY = 86400.0
NOW = 1_790_000_000.0


@pytest.fixture
def place(tmp_path: Path) -> Layout:
    return Layout(str(tmp_path / "state"))


def run_for(day: int) -> Run:
    """A run of the pipeline `etl` for one of its days."""
    definition = Pipeline(name="etl", tasks={"main": Task(run="true")})
    start = (20_000 + day) * DAY
    return new_run(definition, Moment(NOW, 1.0, "boot", "me"), Reach(start, start + DAY, claimed=True))


def claimed(place: Layout, run: Run, size: int) -> claims.Held | claims.Taken:
    """Claim it as the command line does: with a slot, or not at all."""
    return claims.claim(place, run, admit=lambda: slots.take_active(place, "etl", run.run_id, size))


def test_a_pool_has_so_many_slots_and_no_more(place: Layout) -> None:
    taken = [slots.take_pool(place, "warehouse", 3) for _ in range(5)]
    held = [fd for fd in taken if fd is not None]
    assert taken[3:] == [None, None]
    assert len(set(held)) == 3
    assert slots.take_pool(place, "lake", 1) is not None, "another pool is another limit"
    os.close(held[1])
    again = slots.take_pool(place, "warehouse", 3)
    assert again is not None
    assert slots.take_pool(place, "warehouse", 3) is None
    assert slots.take_pool(place, "warehouse", 4) is not None, "a pool that was made larger has room at once"


def test_a_slot_goes_to_a_child_and_dies_with_it(place: Layout) -> None:
    fd = slots.take_pool(place, "warehouse", 1)
    assert fd is not None
    child = subprocess.Popen(["sleep", "60"], pass_fds=[fd])
    os.close(fd)
    assert slots.take_pool(place, "warehouse", 1) is None
    child.kill()
    child.wait()
    assert slots.take_pool(place, "warehouse", 1) is not None


HOLD = """
import sys
from cronflow.state import slots
from cronflow.state.layout import Layout
taken = [slots.take_pool(Layout(sys.argv[1]), "warehouse", 7) for _ in range(7)]
print(sum(fd is not None for fd in taken), flush=True)
sys.stdin.read()
"""


def test_processes_share_a_pool(place: Layout) -> None:
    words = [sys.executable, "-c", HOLD, place.root]
    racers = [subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    counts = [int(racer.stdout.readline()) for racer in racers if racer.stdout]
    for racer in racers:
        racer.communicate(timeout=60)
    assert sum(counts) == 7


def test_a_run_keeps_its_slot_until_it_has_ended(place: Layout) -> None:
    first, second, third = (run_for(day) for day in range(3))
    held = claimed(place, first, 2)
    assert isinstance(held, claims.Held)
    other = claimed(place, second, 2)
    assert isinstance(other, claims.Held)
    refusal = claimed(place, third, 2)
    assert isinstance(refusal, claims.Taken)
    assert refusal.why == "full"
    assert slots.holders(place, "etl") == [first.run_id, second.run_id]
    other.let_go()
    assert isinstance(claimed(place, third, 2), claims.Taken), "a run that nobody drives is still active"
    held.end(first_ended(held.run))
    assert slots.holders(place, "etl") == [second.run_id]
    assert isinstance(claimed(place, third, 2), claims.Held)


def first_ended(run: Run) -> Run:
    return Run(**{name: getattr(run, name) for name in run.__struct_fields__} | {"state": "succeeded"})


def test_a_run_takes_one_slot_however_often_it_asks(place: Layout) -> None:
    run = run_for(0)
    assert isinstance(claimed(place, run, 3), claims.Held)
    assert all(slots.take_active(place, "etl", run.run_id, 3) for _ in range(5))
    assert slots.holders(place, "etl") == [run.run_id]


def test_a_run_that_was_refused_leaves_nothing_behind(place: Layout) -> None:
    first, second = run_for(0), run_for(1)
    assert isinstance(claimed(place, first, 1), claims.Held)
    assert isinstance(claimed(place, second, 1), claims.Taken)
    assert claims.open_runs(place) == [("etl", first.run_id)]
    assert not os.path.exists(place.run("etl", second.run_id))


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"20240101T000000Z", b"../../etc", b"x" * 5000, b"\0\0"])
def test_a_slot_that_names_no_open_run_is_free(place: Layout, content: bytes) -> None:
    os.makedirs(place.active("etl"))
    Path(place.active("etl"), "0").write_bytes(content)
    assert slots.holders(place, "etl") == []
    run = run_for(0)
    assert isinstance(claimed(place, run, 1), claims.Held)
    assert slots.holders(place, "etl") == [run.run_id]


def test_a_run_whose_record_is_garbage_blocks_nobody(place: Layout) -> None:
    first, second = run_for(0), run_for(1)
    held = claimed(place, first, 1)
    assert isinstance(held, claims.Held)
    Path(held.dir, "run.json").write_bytes(b"{")
    held.let_go()
    assert isinstance(claimed(place, second, 1), claims.Held)
