"""Finding what is left of an attempt, and signalling it: with real processes of every awkward kind."""

import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cronflow import processes

ONCE = (signal.SIGTERM, signal.SIGCONT)


class Attempt:
    """A session of its own, as an attempt's shell has it, whose environment names it."""

    def __init__(self, at: Path, script: str) -> None:
        self.id = f"etl/20261122T000000Z/main/1@{uuid.uuid4().hex[:8]}"
        self.at = at
        self.shell = subprocess.Popen(
            ["/bin/sh", "-c", script], cwd=at, env=os.environ | {"CRONFLOW_ATTEMPT_ID": self.id}, start_new_session=True
        )

    def pid(self, name: str) -> int:
        """The pid that the script wrote into this file, as soon as it is there."""
        return int(until(lambda: (self.at / name).exists() and (self.at / name).read_text().strip()))

    def end(self) -> None:
        processes.signal_all(processes.look(), self.id, self.shell.pid, signal.SIGKILL)
        self.shell.wait()
        processes.signal_survivors(processes.look(), self.id, processes.still_session(self.shell.pid), signal.SIGKILL)


def left_of(attempt_id: str, session: int | None) -> list[int]:
    """The pids of what is left of an attempt."""
    return [process.pid for process in processes.survivors(processes.look(), attempt_id, session)]


def until(true: Callable[[], object]) -> str:
    """What it says, once it says something."""
    for _ in range(4000):
        found = true()
        if found:
            return str(found)
        time.sleep(0.005)
    raise AssertionError("waited in vain")


@pytest.fixture
def attempt(tmp_path: Path) -> Iterator[Callable[[str], Attempt]]:
    started = []

    def start(script: str) -> Attempt:
        started.append(Attempt(tmp_path, script))
        return started[-1]

    yield start
    for one in started:
        one.end()


# Each leaves a process whose pid is in the file `left`, in a way that a kill of the shell's group may miss.
AWKWARD = {
    "a child": "sleep 60 & echo $! > left; wait",
    "a group of its own": "set -m; sleep 60 & echo $! > left; wait",
    "a session of its own": "setsid sh -c 'echo $$ > left; exec sleep 60' & wait",
    "a double fork": "(setsid sh -c 'sleep 60 & echo $! > left' &); sleep 60",
    "no environment": 'env -i PATH="$PATH" sleep 60 & echo $! > left; wait',
    "no environment and a group of its own": 'set -m; env -i PATH="$PATH" sleep 60 & echo $! > left; wait',
    "ignores SIGTERM": "sh -c 'trap \"\" TERM; echo $$ > left; while :; do sleep 60; done' & wait",
    "is stopped": "sh -c 'echo $$ > left; kill -STOP $$; sleep 60' & wait",
}


@pytest.mark.parametrize("script", AWKWARD.values(), ids=AWKWARD.keys())
def test_it_is_found_and_killed_while_the_shell_lives(attempt: Callable[[str], Attempt], script: str) -> None:
    one = attempt(script)
    left = one.pid("left")
    # One look may miss a process that is just being replaced by the program it runs.
    until(lambda: left in left_of(one.id, one.shell.pid))
    processes.signal_all(processes.look(), one.id, one.shell.pid, signal.SIGKILL)
    one.shell.wait()
    until(lambda: not running(left))


@pytest.mark.parametrize("script", AWKWARD.values(), ids=AWKWARD.keys())
def test_it_is_found_and_killed_after_the_shell_has_gone(attempt: Callable[[str], Attempt], script: str) -> None:
    one = attempt(script)
    left = one.pid("left")
    one.shell.kill()
    one.shell.wait()
    session = processes.still_session(one.shell.pid)
    assert session == one.shell.pid
    until(lambda: left in left_of(one.id, session))
    assert processes.signal_survivors(processes.look(), one.id, session, signal.SIGKILL) >= 1
    until(lambda: not running(left))
    until(lambda: not left_of(one.id, session))


def running(pid: int) -> bool:
    """Whether it is there, and no zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] not in "ZX"


def test_each_process_gets_each_signal_once(attempt: Callable[[str], Attempt], tmp_path: Path) -> None:
    count = 'trap "echo $0 >> told; kill $!" TERM; sleep 60 & touch ready.$0; wait; touch done.$0'
    one = attempt(f"trap : TERM; setsid sh -c '{count}' away & sh -c '{count}' near; wait")
    until(lambda: (tmp_path / "ready.near").exists() and (tmp_path / "ready.away").exists())
    processes.signal_all(processes.look(), one.id, one.shell.pid, *ONCE)
    until(lambda: (tmp_path / "done.near").exists() and (tmp_path / "done.away").exists())
    assert sorted((tmp_path / "told").read_text().split()) == ["away", "near"]


def test_a_stopped_process_acts_on_its_sigterm(attempt: Callable[[str], Attempt]) -> None:
    one = attempt("sh -c 'echo $$ > left; kill -STOP $$; sleep 60' & wait")
    left = one.pid("left")
    until(lambda: "T" in Path(f"/proc/{left}/stat").read_text().rpartition(")")[2].split()[0])
    processes.signal_all(processes.look(), one.id, one.shell.pid, *ONCE)
    until(lambda: not running(left))


def test_nobody_else_is_found_or_hit(attempt: Callable[[str], Attempt]) -> None:
    one = attempt("sleep 60 & echo $! > left; wait")
    one.pid("left")
    near = one.id[:-1]
    neighbour = subprocess.Popen(["sleep", "60"], env=os.environ | {"CRONFLOW_ATTEMPT_ID": one.id + "0"})
    namesake = subprocess.Popen(["sleep", "60"], env=os.environ | {"MY_CRONFLOW_ATTEMPT_ID": one.id})
    mention = subprocess.Popen(["sleep", "60"], env=os.environ | {"X": f"CRONFLOW_ATTEMPT_ID={one.id}"})
    strangers = [neighbour, namesake, mention]
    try:
        assert not {child.pid for child in strangers} & set(left_of(one.id, one.shell.pid))
        assert left_of(near, None) == []
        processes.signal_all(processes.look(), one.id, one.shell.pid, signal.SIGKILL)
        assert [child.poll() for child in strangers] == [None] * 3
    finally:
        for child in strangers:
            child.kill()
            child.wait()


def test_a_cronflow_that_a_task_started_does_not_find_itself() -> None:
    script = (
        "import sys; from cronflow import processes; print(processes.survivors(processes.look(), sys.argv[1], None))"
    )
    words = [sys.executable, "-c", script, "outer"]
    done = subprocess.run(words, env=os.environ | {"CRONFLOW_ATTEMPT_ID": "outer"}, stdout=subprocess.PIPE, check=True)
    assert done.stdout == b"[]\n"


def test_a_zombie_is_no_survivor(attempt: Callable[[str], Attempt]) -> None:
    one = attempt("exit 0")
    until(lambda: Path(f"/proc/{one.shell.pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z")
    assert left_of(one.id, None) == []
    assert left_of(one.id, one.shell.pid) == []
    one.shell.wait()


def test_a_name_may_hold_anything(attempt: Callable[[str], Attempt], tmp_path: Path) -> None:
    program = tmp_path / ") 1 (Z"
    program.symlink_to("/bin/sleep")
    one = attempt("set -m; env -i ./')'' 1 (Z' 60 & echo $! > left; wait")
    assert one.pid("left") in left_of(one.id, one.shell.pid)


def test_a_pid_with_a_new_owner_is_no_session_of_ours() -> None:
    assert processes.still_session(None) is None
    assert processes.still_session(os.getpid()) is None
    child = subprocess.Popen(["true"])
    child.wait()
    assert processes.still_session(child.pid) == child.pid


def test_signalling_what_has_gone_is_no_error() -> None:
    child = subprocess.Popen(["true"], start_new_session=True)
    child.wait()
    processes.signal_all(processes.look(), "nobody", child.pid, signal.SIGTERM)
    assert processes.signal_survivors(processes.look(), "nobody", child.pid, signal.SIGTERM) == 0
