"""When tasks start, in which order, and what becomes of those that can't."""

from pathlib import Path

import pytest

from tests.acceptance.witness import Gate, ended, log, record, run_dir, started, states, until
from tests.conftest import Cronflow


def order_of(cronflow: Cronflow) -> list[str]:
    """The words that tasks appended to the file `order`."""
    return (cronflow.pipelines_dir / "order").read_text().split()


def test_a_task_starts_when_all_it_needs_has_succeeded(cronflow: Cronflow) -> None:
    cronflow.pipeline(
        "etl",
        """
        tasks:
          last: {run: echo last >> order, needs: [left, right]}
          left: {run: echo left >> order, needs: first}
          right: {run: echo right >> order, needs: [first]}
          first: {run: echo first >> order}
        """,
    )
    run = cronflow.json("run", "etl")
    order = order_of(cronflow)
    assert (order[0], set(order[1:3]), order[3]) == ("first", {"left", "right"}, "last")
    assert run["state"] == "succeeded"
    assert set(states(run).values()) == {"succeeded"}


def test_a_chain_of_two_hundred_runs_in_order(cronflow: Cronflow) -> None:
    lines = [f"  t{n}: {{run: echo t{n} >> order, needs: [{f't{n - 1}' if n else ''}]}}" for n in range(200)]
    cronflow.pipeline("chain", "tasks:\n" + "\n".join(reversed(lines)) + "\n")
    cronflow.json("run", "chain")
    assert order_of(cronflow) == [f"t{n}" for n in range(200)]


def test_what_needs_nothing_runs_side_by_side(cronflow: Cronflow, tmp_path: Path) -> None:
    left, right = Gate(tmp_path / "left"), Gate(tmp_path / "right")
    cronflow.pipeline("both", f"tasks: {{left: {{run: '{left.passed}'}}, right: {{run: '{right.passed}'}}}}\n")
    with started(cronflow, "run", "both") as run:
        until(lambda: left.is_awaited() and right.is_awaited())
        right.open()
        left.open()
        assert ended(run)[0] == 0


# Each task counts who is there with it: they hold a directory each while they run.
COUNTED = "mkdir here.$CRONFLOW_TASK; ls -d here.* | wc -l >> counts; sleep 0.02; rmdir here.$CRONFLOW_TASK"


@pytest.mark.parametrize(("limit", "config"), [(1, ""), (3, ""), (16, "max_tasks: 2\n")])
def test_no_more_run_at_once_than_the_limits_let(cronflow: Cronflow, limit: int, config: str) -> None:
    tasks = "\n".join(f"  t{n}: {{run: '{COUNTED}'}}" for n in range(10))
    cronflow.pipeline("many", f"max_parallel_tasks: {limit}\ntasks:\n{tasks}\n")
    if config:
        (cronflow.home / "config.yaml").write_text(config)
    cronflow.json("run", "many")
    counts = [int(word) for word in (cronflow.pipelines_dir / "counts").read_text().split()]
    assert len(counts) == 10
    assert max(counts) == (2 if config else limit)


def test_who_has_priority_starts_first_and_equals_in_the_files_order(cronflow: Cronflow) -> None:
    cronflow.pipeline(
        "queue",
        """
        max_parallel_tasks: 1
        defaults: {run: echo $CRONFLOW_TASK >> order}
        tasks:
          a: {priority: -1}
          b: {}
          c: {priority: 5}
          d: {}
          e: {priority: 5}
          f: {needs: b, priority: 9}
        """,
    )
    cronflow.json("run", "queue")
    assert order_of(cronflow) == ["c", "e", "b", "f", "d", "a"]


# A task that fails, one that is skipped and one that succeeds; what each `when` makes of them.
WHEN = """
tasks:
  good: {run: "true"}
  bad: {run: "false"}
  forgiven: {run: "false", allow_failure: true}
  nothing: {run: exit 99, skip_exit_code: 99}
  all_good: {run: "true", needs: good}
  all_bad: {run: "true", needs: [good, bad]}
  all_below_bad: {run: "true", needs: all_bad}
  all_forgiven: {run: "true", needs: [good, forgiven]}
  all_nothing: {run: "true", needs: [good, nothing]}
  all_below_nothing: {run: "true", needs: all_nothing}
  all_bad_and_nothing: {run: "true", needs: [nothing, bad]}
  done: {run: "true", when: all_done, needs: [good, bad, nothing, all_bad]}
  any_bad: {run: "true", when: any_failed, needs: [good, bad]}
  any_below_bad: {run: "true", when: any_failed, needs: [good, all_bad]}
  any_good: {run: "true", when: any_failed, needs: good}
  any_forgiven: {run: "true", when: any_failed, needs: [good, forgiven]}
  any_nothing: {run: "true", when: any_failed, needs: nothing}
"""
EXPECTED = {
    "good": ("succeeded", None),
    "bad": ("failed", "exit code 1"),
    "forgiven": ("failed", "exit code 1"),
    "nothing": ("skipped", "exit code 99"),
    "all_good": ("succeeded", None),
    "all_bad": ("upstream_failed", "'bad' failed"),
    "all_below_bad": ("upstream_failed", "'all_bad' failed"),
    "all_forgiven": ("succeeded", None),
    "all_nothing": ("skipped", "'nothing' was skipped"),
    "all_below_nothing": ("skipped", "'all_nothing' was skipped"),
    "all_bad_and_nothing": ("upstream_failed", "'bad' failed"),
    "done": ("succeeded", None),
    "any_bad": ("succeeded", None),
    "any_below_bad": ("succeeded", None),
    "any_good": ("skipped", "nothing it needs failed"),
    "any_forgiven": ("skipped", "nothing it needs failed"),
    "any_nothing": ("skipped", "nothing it needs failed"),
}


def test_when_in_its_three_values(cronflow: Cronflow) -> None:
    cronflow.pipeline("when", WHEN)
    run = cronflow.json("run", "when", code=1)
    assert {name: (task["state"], task["reason"]) for name, task in run["tasks"].items()} == EXPECTED
    assert (run["state"], run["reason"]) == ("failed", "task 'bad' failed: exit code 1")
    tried = {name for name, task in run["tasks"].items() if task["attempts"]}
    assert tried == {name for name, (state, _) in EXPECTED.items() if state in {"succeeded", "failed"}} | {"nothing"}


def test_what_cannot_start_any_more_says_so_at_once(cronflow: Cronflow, tmp_path: Path) -> None:
    slow = Gate(tmp_path / "gate")
    cronflow.pipeline(
        "early",
        f"""
        tasks:
          slow: {{run: "{slow.passed}"}}
          bad: {{run: "false"}}
          needs_both: {{run: "true", needs: [slow, bad]}}
        """,
    )
    with started(cronflow, "run", "early") as run:
        assert run.stdout
        assert any("upstream failed" in line for line in iter(run.stdout.readline, ""))
        until(slow.is_awaited)
        slow.open()
        assert ended(run)[0] == 1


@pytest.mark.parametrize(
    ("tasks", "state", "code"),
    [
        ("a: {run: 'false', allow_failure: true}", "succeeded", 0),
        ("a: {run: exit 5, skip_exit_code: 5}", "skipped", 0),
        ("a: {run: exit 5, skip_exit_code: 5}\n  b: {run: 'true', needs: a}", "skipped", 0),
        ("a: {run: exit 5, skip_exit_code: 5}\n  b: {run: 'true'}", "succeeded", 0),
        ("a: {run: exit 5, skip_exit_code: 6}", "failed", 1),
        ("a: {run: 'false'}\n  b: {run: 'true', needs: a, when: any_failed}", "failed", 1),
        ("a: {run: 'false', allow_failure: true}\n  b: {run: 'true', needs: a}", "succeeded", 0),
    ],
)
def test_what_a_run_becomes(cronflow: Cronflow, tasks: str, state: str, code: int) -> None:
    cronflow.pipeline("one", f"tasks:\n  {tasks}\n")
    assert cronflow.json("run", "one", code=code)["state"] == state


def test_tasks_that_were_not_selected_are_skipped_and_nobody_waits_for_them(cronflow: Cronflow) -> None:
    cronflow.pipeline(
        "pick",
        """
        tasks:
          a: {run: "false"}
          b: {run: echo b, needs: a}
          c: {run: echo c, needs: b}
          d: {run: "false", needs: c}
        """,
    )
    run = cronflow.json("run", "pick", "--task", "c", "--task", "b")
    assert {name: (task["state"], task["reason"]) for name, task in run["tasks"].items()} == {
        "a": ("skipped", "not selected"),
        "b": ("succeeded", None),
        "c": ("succeeded", None),
        "d": ("skipped", "not selected"),
    }
    assert run["rounds"][0]["tasks"] == ["b", "c"]
    assert sorted(path.name for path in run_dir(cronflow, "pick").iterdir()) == ["b.1.log", "c.1.log", "run.json"]


def test_a_pipeline_of_one_command_is_the_task_main(cronflow: Cronflow) -> None:
    cronflow.pipeline("one", "run: echo hello\n")
    assert states(cronflow.json("run", "one")) == {"main": "succeeded"}
    assert log(cronflow, "one", "main") == b"hello\n"
    assert record(cronflow, "one")["state"] == "succeeded"
