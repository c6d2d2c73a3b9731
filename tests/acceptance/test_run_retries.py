"""Retries: how often, how long between, and what waits meanwhile."""

import json
import signal
from itertools import pairwise
from typing import Any

import pytest

from cronflow.lifecycle import retry_wait
from cronflow.spec import Task
from tests.acceptance.witness import ended, instant, leftovers, run_dir, started, states, until, until_driving
from tests.conftest import Cronflow

ROUNDING = 0.002  # records have milliseconds

FAILS = """
tasks:
  flaky:
    run: exit 3
    retries: {retries}
    retry_delay: {delay}
    retry_backoff: {backoff}
    retry_max_delay: {longest}
    retry_jitter: {jitter}
"""


def gaps(task: dict[str, Any]) -> list[float]:
    """Seconds between the end of each attempt and the start of the next."""
    return [instant(after["started_at"]) - instant(before["ended_at"]) for before, after in pairwise(task["attempts"])]


@pytest.mark.parametrize(
    ("retries", "delay", "backoff", "longest", "expected"),
    [
        (0, 1, 2, 60, []),
        (3, 0.02, 3, 60, [0.02, 0.06, 0.18]),
        (3, 0.02, 1, 60, [0.02, 0.02, 0.02]),
        (3, 0.05, 100, 0.1, [0.05, 0.1, 0.1]),
        (2, 0.3, 2, 0.01, [0.01, 0.01]),
        (2, 0, 2, 60, [0, 0]),
    ],
)
def test_the_wait_grows_up_to_its_limit(
    cronflow: Cronflow, retries: int, delay: float, backoff: float, longest: float, expected: list[float]
) -> None:
    cronflow.pipeline("flaky", FAILS.format(retries=retries, delay=delay, backoff=backoff, longest=longest, jitter=0))
    task = cronflow.json("run", "flaky", code=1)["tasks"]["flaky"]
    assert [attempt["number"] for attempt in task["attempts"]] == list(range(1, retries + 2))
    assert {attempt["reason"] for attempt in task["attempts"]} == {"exit code 3"}
    assert (task["state"], task["next_attempt_at"]) == ("failed", None)
    assert all(gap >= wait - ROUNDING for gap, wait in zip(gaps(task), expected, strict=True)), gaps(task)


def test_jitter_is_a_share_fixed_by_the_attempts_name(cronflow: Cronflow) -> None:
    cronflow.pipeline("flaky", FAILS.format(retries=4, delay=0.05, backoff=1, longest=60, jitter=0.5))
    run = cronflow.json("run", "flaky", code=1)
    spec = Task(run="exit 3", retries=4, retry_delay=0.05, retry_backoff=1, retry_max_delay=60, retry_jitter=0.5)
    waits = [retry_wait(spec, tries, f"flaky/{run['run_id']}/flaky/{tries}") for tries in range(1, 5)]
    assert len(set(waits)) == 4
    assert all(0.025 <= wait <= 0.075 for wait in waits)
    assert all(gap >= wait - ROUNDING for gap, wait in zip(gaps(run["tasks"]["flaky"]), waits, strict=True))


def test_a_task_is_tried_until_it_succeeds(cronflow: Cronflow) -> None:
    cronflow.pipeline(
        "flaky",
        """
        tasks:
          flaky: {run: 'test $CRONFLOW_ATTEMPT = 3', retries: 5, retry_delay: 0}
          after: {run: "true", needs: flaky}
        """,
    )
    run = cronflow.json("run", "flaky")
    assert [attempt["state"] for attempt in run["tasks"]["flaky"]["attempts"]] == ["failed", "failed", "succeeded"]
    assert [attempt["log"] for attempt in run["tasks"]["flaky"]["attempts"]] == [f"flaky.{n}.log" for n in (1, 2, 3)]
    assert states(run) == {"flaky": "succeeded", "after": "succeeded"}


def test_a_skip_is_no_failure_and_is_not_tried_again(cronflow: Cronflow) -> None:
    cronflow.pipeline("skip", "tasks: {a: {run: exit 9, skip_exit_code: 9, retries: 3, retry_delay: 0}}\n")
    assert len(cronflow.json("run", "skip")["tasks"]["a"]["attempts"]) == 1


def test_what_could_not_be_started_is_tried_again(cronflow: Cronflow) -> None:
    cronflow.pipeline(
        "late",
        """
        tasks:
          user: {run: pwd, cwd: sub, retries: 500, retry_delay: 0.01, retry_backoff: 1}
          maker: {run: 'sleep 0.05; mkdir sub'}
        """,
    )
    attempts = cronflow.json("run", "late")["tasks"]["user"]["attempts"]
    assert len(attempts) > 1
    missing = f"no such directory: '{cronflow.pipelines_dir}/sub'"
    assert {attempt["reason"] for attempt in attempts[:-1]} == {missing}
    assert {attempt["log"] for attempt in attempts[:-1]} == {None}
    assert attempts[-1]["state"] == "succeeded"


WAITING = """
max_parallel_tasks: 1
tasks:
  flaky: {run: exit 3, retries: 1, retry_delay: 1h, retry_max_delay: 1h, priority: 9, pool: single}
  other: {run: touch other, pool: single}
  after: {run: "true", needs: flaky}
"""


def test_a_retry_waits_without_a_slot_at_a_known_instant_and_survives_its_engine(cronflow: Cronflow) -> None:
    (cronflow.home / "config.yaml").write_text("pools: {single: 1}\n")
    cronflow.pipeline("waiting", WAITING)
    with started(cronflow, "run", "waiting") as engine:
        until((cronflow.pipelines_dir / "other").exists)
        shown = until(lambda: waiting(cronflow))
        engine.kill()
    assert leftovers(cronflow.home) == [], "a task that waits is no process"
    assert waiting(cronflow) == shown
    assert shown["reason"] == "exit code 3"
    with started(cronflow, "run", "waiting") as engine:
        until_driving(engine)
        assert waiting(cronflow) == shown, "another engine comes to the same instant"
        engine.send_signal(signal.SIGINT)
        code, out, errors = ended(engine)
    assert code == 130, (out, errors)
    run = json.loads((run_dir(cronflow, "waiting") / "run.json").read_bytes())
    attempt = run["tasks"]["flaky"]["attempts"][0]
    spec = Task(run="exit 3", retries=1, retry_delay=3600, retry_max_delay=3600)
    wait = retry_wait(spec, 1, f"waiting/{run['run_id']}/flaky/1")
    assert abs(instant(shown["next_attempt_at"]) - instant(attempt["ended_at"]) - wait) < ROUNDING
    assert states(run) == {"flaky": "cancelled", "other": "succeeded", "after": "cancelled"}
    assert run["tasks"]["flaky"]["reason"].endswith("before attempt 2")
    assert run["state"] == "cancelled"


def waiting(cronflow: Cronflow) -> dict[str, Any] | None:
    """The waiting task as `status` shows it; None while it is not waiting yet."""
    task = cronflow.json("status", "waiting", "latest")["tasks"]["flaky"]
    return task if task["state"] == "retrying" else None
