"""The record that a run begins with, and the round that opens it again."""

import msgspec
import pytest

from cronflow import instant
from cronflow.opening import Reach, again, is_same_wish, new_run, renamed
from cronflow.record import Attempt, Round, Run, TaskRun
from cronflow.spec import Pipeline
from tests.unit.graphs import BEGAN, moment, run_of, task

DAY = 86400.0


def attempt(number: int, state: str = "succeeded") -> Attempt:
    return Attempt(number=number, state=state)  # type: ignore[arg-type]


def ended(run: Run, **tasks: TaskRun) -> Run:
    """The run as its end left it."""
    return msgspec.structs.replace(
        run, state="failed", reason="task 'b' failed", ended_at=instant.to_text(BEGAN + 60), tasks=tasks
    )


def test_a_claimed_run_is_named_by_its_due_time() -> None:
    definition = Pipeline(name="etl", params={"region": "eu", "day": "1"}, tasks={"a": task()})
    run = new_run(definition, moment(5), Reach(BEGAN - DAY, BEGAN, claimed=True), params={"region": "us"})
    assert run == Run(
        pipeline="etl",
        run_id="20261122T000000Z",
        trigger="manual",
        state="running",
        scheduled_at="2026-11-22T00:00:00.000Z",
        logical_date="2026-11-21T00:00:00.000Z",
        interval_start="2026-11-21T00:00:00.000Z",
        interval_end="2026-11-22T00:00:00.000Z",
        created_at="2026-11-22T00:00:05.000Z",
        started_at="2026-11-22T00:00:05.000Z",
        params={"region": "us", "day": "1"},
        rounds=(Round(at="2026-11-22T00:00:05.000Z", by="ann", boot_id="boot", monotonic=105.0),),
        definition=definition,
    )


def test_any_other_run_is_named_by_now() -> None:
    definition = Pipeline(name="etl", tasks={"a": task()})
    run = new_run(definition, moment(5.1234), Reach(BEGAN - DAY, BEGAN, claimed=False))
    assert run.run_id == "20261122T000005.123Z-manual"
    assert run.scheduled_at == "2026-11-22T00:00:00.000Z"
    other = renamed(run, moment(5.1244))
    assert other.run_id == "20261122T000005.124Z-manual"
    assert msgspec.structs.replace(other, run_id=run.run_id) == run


def test_a_round_may_name_its_tasks() -> None:
    assert run_of({"a": task(), "b": task()}, ("b",)).rounds[0].tasks == ("b",)
    assert run_of({"a": task()}).rounds[0].tasks is None


def test_opening_again_numbers_on_and_keeps_what_was() -> None:
    first = run_of({"a": task(), "b": task("a"), "c": task("b")})
    tasks = {
        "a": TaskRun(state="succeeded", attempts=(attempt(1),)),
        "b": TaskRun(state="failed", attempts=(attempt(1, "failed"), attempt(2, "failed"))),
        "c": TaskRun(state="upstream_failed", reason="'b' failed"),
    }
    record = again(ended(first, **tasks), first.definition, moment(90), params={"region": "us"}, tasks=["b"])
    assert (record.state, record.reason, record.ended_at) == ("running", None, None)
    assert record.run_id == first.run_id
    assert (record.created_at, record.started_at) == (first.created_at, first.started_at)
    assert record.tasks == tasks
    assert record.params == {"region": "us"}
    assert record.rounds[0] == first.rounds[0]
    assert record.rounds[1] == Round(
        at="2026-11-22T00:01:30.000Z",
        by="ann",
        first={"a": 2, "b": 3},
        tasks=("b",),
        boot_id="boot",
        monotonic=190.0,
    )


def test_opening_again_follows_the_file_as_it_is_now() -> None:
    first = run_of({"a": task(), "gone": task()})
    tasks = {name: TaskRun(state="succeeded", attempts=(attempt(1),)) for name in ("a", "gone")}
    definition = Pipeline(name="etl", params={"region": "eu"}, tasks={"a": task(), "new": task("a")})
    record = again(ended(first, **tasks), definition, moment(90))
    assert record.definition == definition
    assert list(record.tasks) == ["a"]
    assert record.rounds[1].first == {"a": 2}
    assert record.params == {"region": "eu"}


def test_params_that_were_chosen_once_stay_chosen() -> None:
    definition = Pipeline(name="etl", params={"region": "eu", "size": "1"}, tasks={"a": task()})
    first = new_run(definition, moment(), Reach(BEGAN - DAY, BEGAN, claimed=True), params={"region": "us"})
    assert again(ended(first), definition, moment(90)).params == {"region": "us", "size": "1"}
    assert again(ended(first), definition, moment(90), params={"size": "2"}).params == {"region": "us", "size": "2"}


def by_hand(params: dict[str, str] | None = None, tasks: tuple[str, ...] | None = None) -> Run:
    definition = Pipeline(name="etl", params={"region": "eu"}, tasks={"a": task(), "b": task()})
    return new_run(definition, moment(), Reach(BEGAN, BEGAN, claimed=False), params=params, tasks=tasks)


@pytest.mark.parametrize(
    ("left", "fresh", "same"),
    [
        (by_hand(), by_hand(), True),
        (by_hand(tasks=("a",)), by_hand(tasks=("a",)), True),
        (by_hand({"region": "us"}), by_hand({"region": "us"}), True),
        (by_hand({"region": "us"}), by_hand(), False),
        (by_hand(tasks=("a",)), by_hand(), False),
        (by_hand(), by_hand(tasks=("a", "b")), False),
        (again(ended(by_hand()), by_hand().definition, moment(9)), by_hand(), False),
        (msgspec.structs.replace(by_hand(), trigger="reboot"), by_hand(), False),
    ],
)
def test_which_open_run_the_same_command_would_make(left: Run, fresh: Run, same: bool) -> None:
    assert is_same_wish(left, fresh) is same
