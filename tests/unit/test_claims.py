"""Claims on a real disk: a run exists once or not at all, and whoever finds something half done may tidy it up."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import msgspec
import pytest

from cronflow.errors import StateTrouble
from cronflow.record import Run, TaskRun
from cronflow.state import attempts, claims, files, locks
from cronflow.state.claims import Held, Taken, UnreadableError
from cronflow.state.layout import Layout
from tests.unit.graphs import cancel, run_of, stop, task

RUN = run_of({"load": task(), "mail": task("load")})


@pytest.fixture
def place(tmp_path: Path) -> Layout:
    return Layout(str(tmp_path / "state"))


def held(place: Layout, run: Run = RUN) -> Held:
    """The run, claimed or taken over."""
    found = claims.claim(place, run)
    assert isinstance(found, Held), found
    return found


def ended(run: Run = RUN) -> Run:
    tasks = {"load": TaskRun(state="succeeded"), "mail": TaskRun(state="succeeded")}
    return msgspec.structs.replace(run, state="succeeded", tasks=tasks)


def everything(place: Layout) -> list[str]:
    """Every file of the state directory, relative to it."""
    root = Path(place.root)
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if not path.is_dir())


def run_dir(place: Layout) -> Path:
    return Path(place.run(RUN.pipeline, RUN.run_id))


RECORD = "pipelines/etl/runs/2026-11/20261122T000000Z/run.json"
ENTRY = "open/etl~20261122T000000Z"


def test_a_claim_makes_the_record_and_a_locked_entry_and_nothing_else(place: Layout) -> None:
    mine = held(place)
    assert mine.run is RUN
    assert everything(place) == [ENTRY, RECORD]
    assert claims.read_run(mine.dir) == RUN
    assert claims.is_driven(place, RUN.pipeline, RUN.run_id)
    assert claims.open_runs(place) == [("etl", "20261122T000000Z")]
    modes = {oct(path.stat().st_mode & 0o777) for path in Path(place.root).rglob("*") if path.is_file()}
    assert modes == {"0o600"}
    mine.let_go()


def test_a_claimed_run_is_nobody_else_s(place: Layout) -> None:
    mine = held(place)
    assert claims.claim(place, RUN) == Taken("running")
    assert claims.take(place, RUN.pipeline, RUN.run_id) == Taken("running")
    assert claims.reopen(place, RUN.pipeline, RUN.run_id) == Taken("running")
    assert claims.start_over(place, RUN) == Taken("running")
    mine.let_go()


def test_a_run_whose_engine_went_is_taken_over_as_it_was(place: Layout) -> None:
    held(place).let_go()
    fresh = msgspec.structs.replace(RUN, params={"region": "us"})
    theirs = held(place, fresh)
    assert theirs.run == RUN
    theirs.let_go()
    again = claims.take(place, RUN.pipeline, RUN.run_id)
    assert isinstance(again, Held)
    assert again.run == RUN
    again.let_go()


def test_an_ended_run_stays_claimed_and_leaves_only_its_record_and_logs(place: Layout) -> None:
    mine = held(place)
    attempts.write_stop(mine.dir, "load", 1, stop())
    attempts.write_wish(mine.dir, cancel())
    for name in ("load.1.json", "load.1.log", "cancel.json.77.draft", "mail.1.json.bad"):
        (run_dir(place) / name).write_bytes(b"")
    mine.end(ended())
    assert sorted(path.name for path in run_dir(place).iterdir()) == ["load.1.log", "mail.1.json.bad", "run.json"]
    assert claims.open_runs(place) == []
    assert claims.claim(place, RUN) == Taken("ended", ended())
    assert claims.open_runs(place) == []


def test_an_engine_that_was_killed_while_tidying_up_is_tidied_up_after(place: Layout) -> None:
    mine = held(place)
    (run_dir(place) / "load.1.json").write_bytes(b"")
    claims.write_record(mine.dir, ended())
    mine.let_go()
    assert claims.take(place, RUN.pipeline, RUN.run_id) == Taken("ended", ended())
    assert everything(place) == [RECORD]


@pytest.mark.parametrize("kind", ["claim", "take"])
def test_a_claim_that_was_killed_before_its_rename_leaves_no_trace(place: Layout, kind: str) -> None:
    for directory in (place.open, f"{run_dir(place)}.draft"):
        files.make_dirs(directory)
    Path(place.entry(RUN.pipeline, RUN.run_id)).touch()
    Path(f"{run_dir(place)}.draft/run.json").write_bytes(b'{"schema"')
    if kind == "claim":
        held(place).let_go()
        assert everything(place) == [ENTRY, RECORD]
    else:
        assert claims.take(place, RUN.pipeline, RUN.run_id) == Taken("ended")
        assert everything(place) == []
    assert not os.path.exists(f"{run_dir(place)}.draft")


def test_a_run_whose_record_was_pruned_is_still_claimed(place: Layout) -> None:
    files.make_dirs(os.path.dirname(place.pruned(RUN.pipeline, RUN.run_id)))
    lines = '{"run_id":"20261121T000000Z"}\n{"run_id":"20261122T000000Z","state":"failed"}\n{"run_id":"202611'
    Path(place.pruned(RUN.pipeline, RUN.run_id)).write_text(lines, encoding="utf-8")
    assert claims.claim(place, RUN) == Taken("pruned")
    assert claims.open_runs(place) == []
    held(place, msgspec.structs.replace(RUN, run_id="20261123T000000Z")).let_go()


def test_a_run_that_is_not_admitted_does_not_exist(place: Layout) -> None:
    assert claims.claim(place, RUN, admit=lambda: False) == Taken("full")
    assert everything(place) == []
    held(place).let_go()
    again = claims.claim(place, RUN, admit=lambda: False)
    assert isinstance(again, Held), "a run that exists was admitted once"
    again.let_go()


BAD = [b"", b"{", b"\0" * 900, b"null", b"\xff\xfe", b'{"x":' * 9000, b'{"schema":1}', b'{"schema":"1"}']


@pytest.mark.parametrize("content", BAD)
@pytest.mark.parametrize("kind", ["claim", "take"])
def test_a_record_that_is_none_is_put_aside_by_who_holds_its_lock(place: Layout, content: bytes, kind: str) -> None:
    held(place).let_go()
    path = run_dir(place) / "run.json"
    path.write_bytes(content)
    with pytest.raises(UnreadableError, match=r"run\.json: record unreadable"):
        claims.read_run(str(run_dir(place)))
    found = claims.claim(place, RUN) if kind == "claim" else claims.take(place, RUN.pipeline, RUN.run_id)
    assert isinstance(found, Taken)
    assert found.why == "unreadable"
    assert f"{path}: record unreadable" in found.detail
    assert found.detail.endswith(f"put aside as {path}.bad")
    assert Path(f"{path}.bad").read_bytes() == content
    assert claims.open_runs(place) == []
    later = claims.claim(place, RUN)
    assert later == Taken("unreadable", detail=f"{path}: the run's record is not there")


def test_a_record_cut_at_any_byte_is_put_aside(place: Layout) -> None:
    held(place).let_go()
    path = run_dir(place) / "run.json"
    content = path.read_bytes()
    for cut in range(len(content)):
        path.write_bytes(content[:cut])
        found = claims.claim(place, RUN)
        assert isinstance(found, Taken)
        assert found.why == "unreadable"
        assert Path(f"{path}.bad").read_bytes() == content[:cut]
        Path(f"{path}.bad").unlink()


def edited(**changes: object) -> bytes:
    return msgspec.json.encode(msgspec.to_builtins(RUN) | changes)


@pytest.mark.parametrize(
    "content",
    [
        edited(rounds=[]),
        edited(interval_start="2026-99-99T00:00:00.000Z"),
        edited(definition={"name": "etl", "tasks": {"load": {"run": "true", "needs": ["gone"]}}}),
        edited(definition={"name": "etl", "tasks": {"load": {"run": "true", "needs": ["load"]}}}),
        edited(
            definition={
                "name": "etl",
                "tasks": {"a": {"run": "true", "needs": ["b"]}, "b": {"run": "true", "needs": ["a"]}},
            }
        ),
    ],
)
def test_a_record_that_nobody_could_drive_is_put_aside(place: Layout, content: bytes) -> None:
    held(place).let_go()
    (run_dir(place) / "run.json").write_bytes(content)
    found = claims.claim(place, RUN)
    assert isinstance(found, Taken)
    assert found.why == "unreadable"


def test_a_record_that_is_locked_is_put_aside_by_nobody_else(place: Layout) -> None:
    mine = held(place)
    (run_dir(place) / "run.json").write_bytes(b"{")
    assert claims.claim(place, RUN) == Taken("running")
    assert everything(place) == [ENTRY, RECORD]
    mine.let_go()


@pytest.mark.parametrize("content", [b'{"schema":2}', msgspec.json.encode(msgspec.structs.replace(RUN, schema=7))])
def test_a_record_of_later_days_is_left_alone(place: Layout, content: bytes) -> None:
    held(place).let_go()
    (run_dir(place) / "run.json").write_bytes(content)
    for found in (claims.claim(place, RUN), claims.take(place, RUN.pipeline, RUN.run_id)):
        assert isinstance(found, Taken)
        assert found.why == "newer"
        assert "written by a newer cronflow" in found.detail
        assert "upgrade to read it" in found.detail
    assert (run_dir(place) / "run.json").read_bytes() == content
    assert claims.open_runs(place) == [("etl", "20261122T000000Z")]


def test_a_record_of_earlier_days_and_unknown_keys_are_read(place: Layout) -> None:
    held(place).let_go()
    content = msgspec.json.encode(msgspec.to_builtins(RUN) | {"mood": "good"})
    (run_dir(place) / "run.json").write_bytes(content)
    assert claims.read_run(str(run_dir(place))) == RUN


def test_starting_over_numbers_on_from_what_is_left(place: Layout) -> None:
    held(place).let_go()
    for name in ("run.json.bad", "load.2.log", "load.3.json", "mail.1.log", "gone.1.log"):
        (run_dir(place) / name).write_bytes(b"")
    (run_dir(place) / "run.json").unlink()
    again = claims.start_over(place, RUN)
    assert isinstance(again, Held)
    assert again.run.rounds[0].first == {"load": 4, "mail": 2, "gone": 2}
    assert claims.read_run(again.dir) == again.run
    assert not (run_dir(place) / "load.3.json").exists()
    again.let_go()


def test_nothing_is_started_over_while_a_task_of_it_lives(place: Layout) -> None:
    held(place).let_go()
    (run_dir(place) / "run.json").unlink()
    fd = locks.open_locked(str(run_dir(place) / "load.1.json"))
    assert fd is not None
    assert claims.start_over(place, RUN) == Taken("running")
    assert claims.open_runs(place) == []
    os.close(fd)
    again = claims.start_over(place, RUN)
    assert isinstance(again, Held)
    again.let_go()


def test_an_ended_run_is_held_to_be_opened_again(place: Layout) -> None:
    mine = held(place)
    mine.end(ended())
    again = claims.reopen(place, RUN.pipeline, RUN.run_id)
    assert isinstance(again, Held)
    assert again.run == ended()
    again.open_again(RUN)
    assert claims.read_run(again.dir) == RUN
    assert claims.claim(place, RUN) == Taken("running")
    again.let_go()


def test_a_run_that_is_not_there_can_t_be_opened_again(place: Layout) -> None:
    assert claims.reopen(place, RUN.pipeline, RUN.run_id) == Taken("pruned")
    assert everything(place) == []


def test_a_state_directory_that_can_t_be_written_says_so(place: Layout) -> None:
    Path(place.root).parent.mkdir(exist_ok=True)
    Path(place.root).write_bytes(b"a file")
    with pytest.raises(StateTrouble, match="state: can't claim a run: "):
        claims.claim(place, RUN)


def test_a_claim_waits_for_who_is_just_dropping_its_entry(place: Layout) -> None:
    """An entry without a run is dropped by whoever finds it: a claimant that has just made it must not be refused."""
    files.make_dirs(place.open)
    entry = place.entry(RUN.pipeline, RUN.run_id)
    fd = locks.open_locked(entry)
    assert fd is not None
    found: list[Held | Taken] = []
    claimant = threading.Thread(target=lambda: found.append(claims.claim(place, RUN)))
    claimant.start()
    while not os.path.isdir(os.path.dirname(run_dir(place))):
        pass  # the claimant has begun
    files.remove(entry)
    os.close(fd)
    claimant.join()
    assert isinstance(found[0], Held)
    found[0].let_go()


RACER = """
import sys, msgspec
from cronflow.record import Run
from cronflow.state import claims
from cronflow.state.layout import Layout
run = msgspec.json.decode(sys.stdin.buffer.readline(), type=Run)
print("here", flush=True)
sys.stdin.readline()
found = claims.claim(Layout(sys.argv[1]), run)
print(type(found).__name__, getattr(found, "why", ""), flush=True)
sys.stdin.readline()
"""


def test_of_many_processes_one_claims(place: Layout) -> None:
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    racers = [subprocess.Popen([sys.executable, "-c", RACER, place.root], **pipes) for _ in range(6)]  # type: ignore[call-overload]
    for racer in racers:
        racer.stdin.write(msgspec.json.encode(RUN) + b"\n")
        racer.stdin.flush()
    assert [racer.stdout.readline() for racer in racers] == [b"here\n"] * 6
    for racer in racers:
        racer.stdin.write(b"go\n")
        racer.stdin.flush()
    answers = sorted(racer.stdout.readline() for racer in racers)
    for racer in racers:
        racer.communicate(b"\n")
    assert answers == [b"Held \n"] + [b"Taken running\n"] * 5
    assert everything(place) == [ENTRY, RECORD]


def test_what_is_no_entry_is_no_run(place: Layout) -> None:
    assert claims.open_runs(place) == []
    files.make_dirs(place.open)
    for name in ("junk", "etl~20261123T000000Z", "a.b~20261122T000000Z", ".nfs123"):
        Path(place.open, name).touch()
    assert claims.open_runs(place) == [("a.b", "20261122T000000Z"), ("etl", "20261123T000000Z")]
