"""Runs that lost their engine, attempts that lost their shell: what the next engine makes of them."""

import os
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.witness import (
    Gate,
    ended,
    log,
    noted_pid,
    record,
    run_dir,
    run_dirs,
    running,
    started,
    states,
    until,
    until_driving,
)
from tests.conftest import Cronflow

both = pytest.mark.parametrize("output", ["file", "pipe"])


def attempts(run: dict[str, Any], task: str = "a") -> list[dict[str, Any]]:
    """A task's attempts, as the record has them."""
    return list(run["tasks"][task]["attempts"])


def leave_behind(cronflow: Cronflow, gate: Gate, *arguments: str) -> None:
    """Start the run of `etl`, and kill its engine as soon as the task is at the gate."""
    with started(cronflow, "run", "etl", *arguments) as engine:
        until(gate.is_awaited)
        engine.kill()


@pytest.fixture
def gate(tmp_path: Path) -> Gate:
    return Gate(tmp_path / "gate")


@both
def test_a_task_that_runs_is_adopted_not_started_again(cronflow: Cronflow, gate: Gate, output: str) -> None:
    cronflow.pipeline(
        "etl",
        f"""
        output: {output}
        tasks:
          before: {{run: echo before >> starts}}
          a: {{run: 'echo a >> starts; echo one; {gate.passed}; echo two; exit 7', needs: before}}
          after: {{run: echo after >> starts, needs: a, when: any_failed}}
        """,
    )
    leave_behind(cronflow, gate)
    shown = cronflow.json("status", "etl", "latest")
    (seen,) = attempts(shown)
    assert (shown["state"], seen["state"]) == ("running", "running")
    assert running(seen["pid"])
    with started(cronflow, "run", "etl") as engine:
        title = until_driving(engine)
        gate.open()
        code, _, errors = ended(engine)
    run = record(cronflow, "etl")
    assert code == 1
    assert errors == (
        f"cronflow: taking over etl {run['run_id']}, which was left behind; --force starts another one instead\n"
    )
    assert run["run_id"] in title
    (adopted,) = attempts(run)
    assert (adopted["pid"], adopted["started_at"]) == (seen["pid"], seen["started_at"])
    assert (adopted["state"], adopted["exit_code"]) == ("failed", 7)
    assert (adopted["cpu_seconds"], adopted["max_rss_bytes"]) == (None, None), "only its parent could have known"
    assert log(cronflow, "etl", "a") == b"one\ntwo\n"
    assert (cronflow.pipelines_dir / "starts").read_text() == "before\na\nafter\n"
    assert states(run) == {"before": "succeeded", "a": "failed", "after": "succeeded"}
    assert os.listdir(cronflow.state_dir / "open") == []


@both
def test_what_ended_while_nobody_drove_keeps_its_exit_code(cronflow: Cronflow, gate: Gate, output: str) -> None:
    cronflow.pipeline(
        "etl",
        f"""
        output: {output}
        tasks:
          a: {{run: '{gate.passed}; exit 7', skip_exit_code: 7}}
          b: {{run: 'true'}}
        """,
    )
    leave_behind(cronflow, gate)
    pid = attempts(cronflow.json("status", "etl", "latest"))[0]["pid"]
    gate.open()
    until(lambda: not running(pid))
    assert cronflow("run", "etl").returncode == 0
    run = record(cronflow, "etl")
    assert states(run) == {"a": "skipped", "b": "succeeded"}
    assert attempts(run)[0]["exit_code"] == 7
    assert len(attempts(run)) == len(attempts(run, "b")) == 1


def test_a_timeout_counts_from_the_attempts_start_whoever_watches(cronflow: Cronflow) -> None:
    cronflow.pipeline("etl", "tasks: {a: {run: 'echo $$ > pid; sleep 60', timeout: 0.5s, grace: 0.1s}}\n")
    with started(cronflow, "run", "etl") as engine:
        noted_pid(cronflow.pipelines_dir / "pid")
        engine.kill()
    run = cronflow.json("run", "etl", code=1)
    (attempt,) = attempts(run)
    assert attempt["reason"] == "timeout: still running after 0.5s"
    assert not running(noted_pid(cronflow.pipelines_dir / "pid"))


STUBBORN = "trap '' TERM\necho $$ > pid\nwhile :; do sleep 60; done"


@pytest.mark.parametrize(
    ("keys", "state", "reason"),
    [
        ("timeout: 0.2s", "failed", "timeout: still running after 0.2s"),
        ("timeout: 1h", "cancelled", "cancelled by "),
    ],
)
def test_a_stop_that_had_begun_is_gone_on_with(cronflow: Cronflow, keys: str, state: str, reason: str) -> None:
    lines = "\n".join(f"      {line}" for line in STUBBORN.splitlines())
    cronflow.pipeline("etl", f"tasks:\n  a:\n    {keys}\n    grace: 0.3s\n    run: |\n{lines}\n")
    with started(cronflow, "run", "etl") as engine:
        pid = noted_pid(cronflow.pipelines_dir / "pid")
        if state == "cancelled":
            engine.send_signal(signal.SIGINT)
        until((run_dir(cronflow, "etl") / "a.1.stop").exists)
        engine.kill()
    assert running(pid)
    run = cronflow.json("run", "etl", code=1)
    assert not running(pid)
    (attempt,) = attempts(run)
    assert attempt["state"] == state
    assert attempt["reason"].startswith(reason)
    assert run["state"] == state


def test_an_attempt_that_timed_out_long_ago_stays_when_it_was(cronflow: Cronflow) -> None:
    cronflow.pipeline(
        "etl",
        """
        tasks:
          a: {run: 'echo $$ > pid; sleep 60', timeout: 0.1s, grace: 0, retries: 1, retry_delay: 1h}
        """,
    )

    def waiting() -> dict[str, Any] | None:
        task: dict[str, Any] = cronflow.json("status", "etl", "latest")["tasks"]["a"]
        return task if task["state"] == "retrying" else None

    with started(cronflow, "run", "etl") as engine:
        noted_pid(cronflow.pipelines_dir / "pid")
        before = until(waiting)
        engine.kill()
    with started(cronflow, "run", "etl") as engine:
        until_driving(engine)
        engine.send_signal(signal.SIGTERM)
        ended(engine)
    assert waiting() == before


@both
def test_kill_9_of_its_shell_and_its_engine_loses_an_attempt_and_leaves_nothing_of_it(
    cronflow: Cronflow, output: str
) -> None:
    cronflow.pipeline(
        "etl",
        f"""
        output: {output}
        tasks:
          a:
            retries: 1
            retry_delay: 0
            run: |
              if [ $CRONFLOW_ATTEMPT = 2 ]; then
                case $(cut -d ' ' -f 3 /proc/$(cat pid)/stat) in ''|Z|X) exit 0 ;; *) exit 1 ;; esac
              fi
              echo $$ > pid
              sleep 60
        """,
    )
    with started(cronflow, "run", "etl") as engine:
        command = noted_pid(cronflow.pipelines_dir / "pid")
        engine.kill()
    for shell in shells_above(command):
        os.kill(shell, signal.SIGKILL)
    assert running(command)
    run = cronflow.json("run", "etl")
    assert [one["state"] for one in attempts(run)] == ["lost", "succeeded"]
    assert not running(command)


def shells_above(command: int) -> list[int]:
    """The attempt's own shells that wait for a command: its session's processes that are its ancestors."""
    found, pid = [], command
    while True:
        stat = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        parent, session = int(stat[1]), int(stat[3])
        if pid != command:
            found.append(pid)
        if pid == session:
            return found
        pid = parent


def test_kill_9_of_the_shell_alone_is_seen_at_once(cronflow: Cronflow) -> None:
    cronflow.pipeline(
        "etl", "tasks: {a: {run: 'echo $$ > pid; sleep 60; true'}, b: {run: 'true', needs: a, when: any_failed}}\n"
    )
    with started(cronflow, "run", "etl") as engine:
        command = noted_pid(cronflow.pipelines_dir / "pid")
        (shell,) = shells_above(command)
        os.kill(shell, signal.SIGKILL)
        assert ended(engine)[0] == 1
    run = record(cronflow, "etl")
    (lost,) = attempts(run)
    assert (lost["state"], lost["exit_code"], lost["pid"]) == ("lost", None, shell)
    assert lost["reason"] == "lost: killed together with its shell, or the machine went down"
    assert states(run) == {"a": "failed", "b": "succeeded"}
    assert not running(command)


def test_a_run_goes_on_under_the_definition_that_it_began_with(cronflow: Cronflow, gate: Gate) -> None:
    cronflow.pipeline("etl", f"tasks: {{a: {{run: '{gate.passed}'}}, b: {{run: echo old, needs: a}}}}\n")
    leave_behind(cronflow, gate)
    cronflow.pipeline("etl", "tasks: {a: {run: echo new}, b: {run: echo new, needs: a}, c: {run: echo new}}\n")
    gate.open()
    assert cronflow("run", "etl").returncode == 0
    assert log(cronflow, "etl", "b") == b"old\n"
    assert list(record(cronflow, "etl")["tasks"]) == ["a", "b"]
    assert cronflow("run", "etl").returncode == 0
    assert log(cronflow, "etl", "c") == b"new\n"


@pytest.mark.parametrize("other", [("--param", "region=us"), ("--task", "a"), ("--force",)])
def test_another_command_leaves_what_was_left_behind_where_it_is(
    cronflow: Cronflow, gate: Gate, other: tuple[str, ...]
) -> None:
    text = "params: {region: eu}\ntasks: {a: {run: 'test -e there || { touch there; GATE; }'}, b: {run: 'true'}}\n"
    cronflow.pipeline("etl", text.replace("GATE", gate.passed))
    leave_behind(cronflow, gate)
    done = cronflow("run", "etl", *other)
    assert (done.returncode, done.stderr) == (0, "")
    first, second = run_dirs(cronflow, "etl")
    gate.open()
    assert cronflow("run", "etl").returncode == 0
    assert (first / "run.json").read_text().count('"state":"running"') == 0
    assert run_dirs(cronflow, "etl") == [first, second]


def test_a_run_that_has_its_engine_is_not_taken_over(cronflow: Cronflow, gate: Gate) -> None:
    cronflow.pipeline("etl", f"run: 'test -e there || {{ touch there; {gate.passed}; }}'\n")
    with started(cronflow, "run", "etl") as engine:
        until(gate.is_awaited)
        done = cronflow("run", "etl")
        assert (done.returncode, done.stderr) == (0, "")
        gate.open()
        assert ended(engine)[0] == 0
    assert len(run_dirs(cronflow, "etl")) == 2


def test_of_two_that_would_take_it_over_one_does(cronflow: Cronflow, gate: Gate) -> None:
    cronflow.pipeline("etl", f"schedule: '@daily'\ntimezone: UTC\nrun: 'echo x >> starts; {gate.passed}; exit 5'\n")
    leave_behind(cronflow, gate, "--date", "2026-01-01")
    engines = [cronflow.start("run", "etl", "--date", "2026-01-01") for _ in range(3)]
    until(lambda: sum(engine.poll() is not None for engine in engines) == 2)
    gate.open()
    errors = [engine.communicate(timeout=60)[1] for engine in engines]
    assert sorted(engine.returncode for engine in engines) == [1, 3, 3], errors
    assert (cronflow.pipelines_dir / "starts").read_text() == "x\n"
    (attempt,) = attempts(record(cronflow, "etl"), "main")
    assert attempt["exit_code"] == 5
