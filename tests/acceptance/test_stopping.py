"""What stops an attempt, how, and that nothing of it is left: timeouts, wishes, and tasks that don't want to."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.witness import (
    ended,
    instant,
    leftovers,
    log,
    noted_pid,
    record,
    run_dir,
    running,
    started,
    states,
    until,
    until_driving,
)
from tests.conftest import Cronflow

TICK = 0.02  # seconds that the kernel's clock for files may lag behind

# Each notes the pid of what must not be left, in a way that makes it hard to stop.
STUBBORN = {
    "sleeps": "echo $$ > pid; exec sleep 60",
    "ignores SIGTERM": "trap '' TERM; echo $$ > pid; while :; do sleep 60; done",
    "is stopped": "echo $$ > pid; kill -STOP $$; sleep 60",
    "has a child that ignores SIGTERM": "sh -c 'trap \"\" TERM; echo $$ > pid; while :; do sleep 60; done' & wait",
    "is in a session of its own": "setsid sh -c 'echo $$ > pid; exec sleep 60' & wait",
    "forked twice": "(setsid sh -c 'sleep 60 & echo $! > pid' &); sleep 60",
    "is in a group of its own": "set -m; sleep 60 & echo $! > pid; wait",
    "escaped and ignores SIGTERM": "setsid sh -c 'trap \"\" TERM; echo $$ > pid; while :; do sleep 60; done' & wait",
    "has no environment": "env -i PATH=\"$PATH\" sh -c 'echo $$ > pid; exec sleep 60'",
    "forks for ever": "trap '' TERM; echo $$ > pid; while :; do sleep 0.01 & wait; done",
    "closed its output": "exec >&- 2>&- <&-; echo $$ > pid; exec sleep 60",
}


def pipeline_of(cronflow: Cronflow, script: str, keys: str = "") -> None:
    """A pipeline `stop` of the one task `a`."""
    lines = "\n".join(f"      {line}" for line in script.splitlines())
    cronflow.pipeline("stop", f"{keys}\ntasks:\n  a:\n    grace: 0.15s\n    run: |\n{lines}\n")


@pytest.mark.parametrize("script", STUBBORN.values(), ids=STUBBORN.keys())
def test_after_its_timeout_nothing_is_left_of_an_attempt(cronflow: Cronflow, script: str) -> None:
    pipeline_of(cronflow, script, "defaults: {timeout: 0.3s}")
    run = cronflow.json("run", "stop", code=1)
    (attempt,) = run["tasks"]["a"]["attempts"]
    assert (attempt["state"], attempt["reason"]) == ("failed", "timeout: still running after 0.3s")
    assert instant(attempt["ended_at"]) - instant(attempt["started_at"]) >= 0.3 - TICK
    assert not running(noted_pid(cronflow.pipelines_dir / "pid"))
    assert leftovers(cronflow.home) == []


@pytest.mark.parametrize("script", STUBBORN.values(), ids=STUBBORN.keys())
def test_after_a_cancel_nothing_is_left_of_an_attempt_nor_of_its_pipe(cronflow: Cronflow, script: str) -> None:
    pipeline_of(cronflow, script, "output: pipe")
    with started(cronflow, "run", "stop") as engine:
        pid = noted_pid(cronflow.pipelines_dir / "pid")
        wish(cronflow, "eve")
        code, out, _ = ended(engine)
    assert code == 1, out
    assert not running(pid)
    assert leftovers(cronflow.home) == []
    run = record(cronflow, "stop")
    assert (run["state"], run["reason"]) == ("cancelled", "cancelled by eve")
    assert run["tasks"]["a"]["attempts"][0]["state"] == "cancelled"


def wish(cronflow: Cronflow, by: str) -> None:
    """Ask, as any process may, that the run should end."""
    path = run_dir(cronflow, "stop") / "cancel.json"
    draft = path.with_name("wish")
    draft.write_text(json.dumps({"kind": "cancel", "by": by, "at": "2026-11-22T00:00:00.000Z"}))
    draft.rename(path)


def test_a_task_gets_one_sigterm_and_its_grace(cronflow: Cronflow) -> None:
    cronflow.pipeline(
        "stop",
        """
        tasks:
          a:
            timeout: 0.2s
            grace: 1h
            run: |
              trap 'echo told' TERM
              sleep 60 & wait || sleep 0.1
              echo tidied
              exit 7
        """,
    )
    run = cronflow.json("run", "stop", code=1)
    assert log(cronflow, "stop", "a") == b"told\ntidied\n"
    (attempt,) = run["tasks"]["a"]["attempts"]
    assert attempt["reason"] == "timeout: still running after 0.2s", "the timeout decides, whatever comes after"
    assert attempt["exit_code"] == 7


def test_a_success_after_the_timeout_is_still_a_timeout(cronflow: Cronflow) -> None:
    pipeline_of(cronflow, "trap 'exit 0' TERM\nsleep 60 & wait", "defaults: {timeout: 0.1s}")
    (attempt,) = cronflow.json("run", "stop", code=1)["tasks"]["a"]["attempts"]
    assert (attempt["state"], attempt["exit_code"]) == ("failed", 0)


def test_without_grace_it_is_killed_at_once(cronflow: Cronflow) -> None:
    cronflow.pipeline("stop", "tasks: {a: {run: 'trap \"echo told\" TERM; sleep 60', timeout: 0.1s, grace: 0}}\n")
    assert cronflow.json("run", "stop", code=1)["tasks"]["a"]["reason"] == "timeout: still running after 0.1s"
    assert b"told" not in log(cronflow, "stop", "a")


def test_the_next_attempt_starts_when_nothing_is_left_of_the_last(cronflow: Cronflow) -> None:
    cronflow.pipeline(
        "stop",
        """
        tasks:
          a:
            timeout: 0.3s
            grace: 0.2s
            retries: 1
            retry_delay: 0
            run: |
              if [ $CRONFLOW_ATTEMPT = 2 ]; then
                case $(cut -d ' ' -f 3 /proc/$(cat pid)/stat) in ''|Z|X) exit 0 ;; *) exit 1 ;; esac
              fi
              setsid sh -c 'trap "" TERM; echo $$ > pid; while :; do sleep 60; done' &
              sleep 60
        """,
    )
    attempts = cronflow.json("run", "stop")["tasks"]["a"]["attempts"]
    assert [attempt["state"] for attempt in attempts] == ["failed", "succeeded"]


def test_only_what_belongs_to_the_attempt_is_stopped(cronflow: Cronflow) -> None:
    cronflow.pipeline(
        "stop",
        """
        tasks:
          before: {run: 'setsid sleep 60 & echo $! > other'}
          a: {run: sleep 60, needs: before, timeout: 0.1s}
          b: {run: 'sleep 0.4; echo whole', needs: before}
        """,
    )
    run = cronflow.json("run", "stop", code=1)
    assert states(run) == {"before": "succeeded", "a": "failed", "b": "succeeded"}
    assert running(noted_pid(cronflow.pipelines_dir / "other"))
    assert log(cronflow, "stop", "b") == b"whole\n"


RUN_TIMEOUT = """
timeout: 0.4s
defaults: {grace: 0.1s}
tasks:
  done: {run: "true"}
  long: {run: sleep 60, allow_failure: true}
  waits: {run: "false", retries: 1, retry_delay: 1h}
  below: {run: "true", needs: long}
  always: {run: "true", needs: long, when: all_done}
"""


def test_a_run_has_a_time_of_its_own(cronflow: Cronflow) -> None:
    cronflow.pipeline("stop", RUN_TIMEOUT)
    done = cronflow("run", "stop")
    assert done.returncode == 1
    run = record(cronflow, "stop")
    assert (run["state"], run["reason"]) == ("failed", "run timeout: not done after 0.4s")
    assert {name: (task["state"], task["reason"]) for name, task in run["tasks"].items()} == {
        "done": ("succeeded", None),
        "long": ("failed", "run timeout: the run's time was over"),
        "waits": ("failed", "exit code 1"),
        "below": ("cancelled", "run timeout"),
        "always": ("cancelled", "run timeout"),
    }
    assert "run timeout: not done after 0.4s" in done.stdout


def test_the_time_of_a_run_is_that_of_one_round(cronflow: Cronflow) -> None:
    cronflow.pipeline("stop", "schedule: '@daily'\ntimezone: UTC\ntimeout: 0.4s\nrun: test -e there || sleep 60\n")
    assert cronflow("run", "stop", "--date", "2026-01-01").returncode == 1
    (cronflow.pipelines_dir / "there").touch()
    assert cronflow("run", "stop", "--date", "2026-01-01", "--force").returncode == 0


def test_what_happens_is_on_disk_while_it_happens(cronflow: Cronflow) -> None:
    pipeline_of(cronflow, "trap '' TERM\necho $$ > pid\nwhile :; do sleep 60; done")
    with started(cronflow, "run", "stop") as engine:
        until_driving(engine)
        noted_pid(cronflow.pipelines_dir / "pid")
        wish(cronflow, "eve")
        stop = run_dir(cronflow, "stop") / "a.1.stop"
        until(stop.exists)
        written = json.loads(stop.read_bytes())
        assert (written["reason"], written["by"]) == ("cancel", "eve")
        ended(engine)
    left = sorted(path.name for path in run_dir(cronflow, "stop").iterdir())
    assert left == ["a.1.log", "run.json"], "what only an open run needs is gone with it"


@pytest.mark.parametrize("content", [b"", b"{", b"null", b"\0\0\0\0", b"\xff", b'{"kind": "cancel"}'])
def test_a_wish_that_cannot_be_read_is_no_wish(cronflow: Cronflow, content: bytes) -> None:
    go = cronflow.pipelines_dir / "go"
    pipeline_of(cronflow, f"echo $$ > pid\nuntil test -e {go}; do sleep 0.01; done")
    with started(cronflow, "run", "stop") as engine:
        noted_pid(cronflow.pipelines_dir / "pid")
        (run_dir(cronflow, "stop") / "cancel.json").write_bytes(content)
        shown: dict[str, Any] = cronflow.json("status", "stop", "latest")
        go.touch()
        code, out, errors = ended(engine)
    assert (code, shown["state"]) == (0, "running"), out + errors
    assert Path(run_dir(cronflow, "stop"), "run.json").exists()
