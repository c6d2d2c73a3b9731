"""Pools: at most so many tasks at once, over all processes of a state directory; the kernel keeps the count."""

import os
import signal
from pathlib import Path

import pytest

from tests.acceptance.witness import Gate, ended, noted_pid, record, run_dir, running, started, states, until
from tests.conftest import Cronflow


@pytest.fixture(autouse=True)
def pools(cronflow: Cronflow) -> None:
    (cronflow.home / "config.yaml").write_text("pools: {single: 1, pair: 2}\n")


@pytest.fixture
def gate(tmp_path: Path) -> Gate:
    return Gate(tmp_path / "gate")


def holder(cronflow: Cronflow, gate: Gate) -> None:
    """The pipeline `holder`, whose task holds the single slot until the gate opens."""
    cronflow.pipeline("holder", f"tasks: {{a: {{run: 'echo $$ > pid; {gate.passed}; true', pool: single}}}}\n")


def waiter(cronflow: Cronflow) -> None:
    """The pipeline `waiter`, whose task wants it; a second one of its tasks does not."""
    cronflow.pipeline(
        "waiter",
        "tasks: {a: {run: touch a, pool: single, priority: 9}, b: {run: touch b}, c: {run: touch c, needs: b}}\n",
    )


def made(cronflow: Cronflow, name: str) -> bool:
    return (cronflow.pipelines_dir / name).exists()


def wait_for_the_others(cronflow: Cronflow) -> None:
    """Until all has run that needs no slot; then the one that does is still waiting, and is no process."""
    until(lambda: made(cronflow, "c"))
    task = until(lambda: cronflow.json("status", "waiter", "latest")["tasks"])["a"]
    assert (task["state"], task["attempts"]) == ("pending", [])
    assert not made(cronflow, "a")
    assert not (run_dir(cronflow, "waiter") / "a.1.json").exists()


def test_a_task_waits_for_the_slot_that_another_process_holds(cronflow: Cronflow, gate: Gate) -> None:
    holder(cronflow, gate)
    waiter(cronflow)
    with started(cronflow, "run", "holder") as first:
        until(gate.is_awaited)
        with started(cronflow, "run", "waiter") as second:
            wait_for_the_others(cronflow)
            gate.open()
            assert ended(first)[0] == ended(second)[0] == 0
    held, waited = record(cronflow, "holder"), record(cronflow, "waiter")
    assert waited["tasks"]["a"]["attempts"][0]["started_at"] >= held["tasks"]["a"]["attempts"][0]["ended_at"]


def test_a_slot_outlives_the_engine_and_not_the_attempt(cronflow: Cronflow, gate: Gate) -> None:
    holder(cronflow, gate)
    waiter(cronflow)
    with started(cronflow, "run", "holder") as first:
        until(gate.is_awaited)
        first.kill()
    with started(cronflow, "run", "waiter") as second:
        wait_for_the_others(cronflow)
        gate.open()
        assert ended(second)[0] == 0


def test_kill_9_of_the_attempts_shell_frees_its_slot(cronflow: Cronflow, gate: Gate) -> None:
    holder(cronflow, gate)
    waiter(cronflow)
    with started(cronflow, "run", "holder") as first:
        until(gate.is_awaited)
        shell = cronflow.json("status", "holder", "latest")["tasks"]["a"]["attempts"][0]["pid"]
        with started(cronflow, "run", "waiter") as second:
            wait_for_the_others(cronflow)
            os.kill(shell, signal.SIGKILL)
            assert (ended(first)[0], ended(second)[0]) == (1, 0)
    assert not running(noted_pid(cronflow.pipelines_dir / "pid"))


def test_a_cancel_reaches_what_waits_for_a_slot(cronflow: Cronflow, gate: Gate) -> None:
    holder(cronflow, gate)
    waiter(cronflow)
    with started(cronflow, "run", "holder") as first:
        until(gate.is_awaited)
        with started(cronflow, "run", "waiter") as second:
            wait_for_the_others(cronflow)
            second.send_signal(signal.SIGINT)
            assert ended(second)[0] == 130
        assert states(record(cronflow, "waiter")) == {"a": "cancelled", "b": "succeeded", "c": "succeeded"}
        gate.open()
        assert ended(first)[0] == 0


# Each task counts who is there with it: they hold a directory each while they run.
COUNTED = "me=here.$CRONFLOW_RUN_ID.$CRONFLOW_TASK; mkdir $me; ls -d here.* | wc -l >> counts; sleep 0.05; rmdir $me"


def test_never_more_than_the_pool_has_whoever_asks(cronflow: Cronflow) -> None:
    tasks = "\n".join(f"  t{number}: {{run: '{COUNTED}', pool: pair}}" for number in range(4))
    cronflow.pipeline("many", f"tasks:\n{tasks}\n")
    engines = [cronflow.start("run", "many") for _ in range(3)]
    assert [(engine.communicate(timeout=60)[1], engine.returncode) for engine in engines] == [("", 0)] * 3
    counts = [int(word) for word in (cronflow.pipelines_dir / "counts").read_text().split()]
    assert len(counts) == 12
    assert max(counts) == 2


def test_a_pool_that_nobody_has_defined_is_refused(cronflow: Cronflow) -> None:
    path = cronflow.pipeline("one", "tasks: {a: {run: 'true', pool: sigle}}\n")
    done = cronflow("run", "one")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"{path}:1:32: no pool 'sigle' in config.yaml; did you mean 'single'?\n"
