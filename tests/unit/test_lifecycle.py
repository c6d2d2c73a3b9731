"""The lifecycle, pair by pair: what an attempt became, what its task then is, who may start, how the run stands."""

from collections.abc import Mapping, Sequence

import pytest

from cronflow import instant
from cronflow.lifecycle import (
    LOST,
    Sighting,
    Wish,
    duration,
    exit_reason,
    judge,
    outcome,
    retry_wait,
    state,
    with_usage,
)
from cronflow.record import Attempt, TaskRun
from cronflow.spec import Task
from tests.unit.graphs import (
    BEGAN,
    SKIP,
    Seen,
    cancel,
    ended,
    flow_of,
    lost,
    over_time,
    refused,
    run_of,
    running,
    states,
    stop,
    task,
)

# What was seen of an attempt, under each stop: a stop decides, whatever exit status followed.
SIGHTINGS = {
    "running": running(),
    "exit 0": ended(code=0),
    "exit 1": ended(code=1),
    "exit 99": ended(code=SKIP),
    "lost": lost(),
    "refused": refused(),
}
ATTEMPT_STATES = {
    # seen: no stop, timeout, run timeout, cancel
    "running": ("running", "running", "running", "running"),
    "exit 0": ("succeeded", "failed", "failed", "cancelled"),
    "exit 1": ("failed", "failed", "failed", "cancelled"),
    "exit 99": ("skipped", "failed", "failed", "cancelled"),
    "lost": ("lost", "failed", "failed", "cancelled"),
    "refused": ("failed", "failed", "failed", "cancelled"),
}
STOPS = (None, stop("timeout"), stop("run timeout"), stop("cancel"))

# What a task is after its last attempt: with or without a try left, under each wish.
TASK_STATES = {
    # attempt: no try left | a try left: no wish, cancel, timeout
    "running": ("running", ("running", "running", "running")),
    "succeeded": ("succeeded", ("succeeded", "succeeded", "succeeded")),
    "skipped": ("skipped", ("skipped", "skipped", "skipped")),
    "cancelled": ("cancelled", ("cancelled", "cancelled", "cancelled")),
    "failed": ("failed", ("retrying", "cancelled", "failed")),
    "lost": ("failed", ("retrying", "cancelled", "failed")),
}
WISHES = (None, cancel(), over_time())


@pytest.mark.parametrize("seen", SIGHTINGS)
@pytest.mark.parametrize("column", range(4))
def test_what_an_attempt_became(seen: str, column: int) -> None:
    assert outcome(SIGHTINGS[seen], STOPS[column], task(skip_exit_code=SKIP))[0] == ATTEMPT_STATES[seen][column]


@pytest.mark.parametrize("seen", SIGHTINGS)
@pytest.mark.parametrize("column", range(4))
@pytest.mark.parametrize("retries", [0, 1])
@pytest.mark.parametrize("wish", range(3))
def test_what_a_task_is_after_its_last_attempt(seen: str, column: int, retries: int, wish: int) -> None:
    without, with_one_left = TASK_STATES[ATTEMPT_STATES[seen][column]]
    flow = flow_of(
        {"load": task(retries=retries, skip_exit_code=SKIP)},
        {"load": [(SIGHTINGS[seen], STOPS[column])]},
        WISHES[wish],
    )
    record = flow.tasks["load"]
    assert record.state == (with_one_left[wish] if retries else without)
    assert (record.next_attempt_at is not None) == (record.state == "retrying")
    assert list(flow.retries) == (["load"] if record.state == "retrying" else [])
    assert flow.open == (record.state in {"running", "retrying"})
    assert flow.ready == []


@pytest.mark.parametrize(
    ("seen", "stopped", "reason"),
    [
        (running(), None, None),
        (running(), stop("timeout"), "being stopped: timeout"),
        (ended(code=0), None, None),
        (ended(code=3), None, "exit code 3"),
        (ended(code=143), None, "killed by SIGTERM"),
        (ended(code=SKIP), None, "exit code 99"),
        (ended(code=0), stop("timeout"), "timeout: still running after 1h30m"),
        (ended(code=0), stop("run timeout"), "run timeout: the run's time was over"),
        (ended(code=143), stop("cancel"), "cancelled by ann"),
        (refused(), None, "no such shell: 'zsh'"),
        (lost(), None, LOST),
    ],
)
def test_the_reason_of_an_attempt(seen: Sighting, stopped: object, reason: str | None) -> None:
    assert judge(seen, stopped, task(timeout=5400.0, skip_exit_code=SKIP)).reason == reason  # type: ignore[arg-type]


def test_an_exit_code_of_99_is_a_failure_where_nothing_says_that_it_means_skipping() -> None:
    assert outcome(ended(code=SKIP), None, task()) == ("failed", "exit code 99")


def test_the_record_of_an_attempt_has_all_that_was_seen() -> None:
    seen = with_usage(ended(2, code=137), cpu_seconds=0.25, max_rss_bytes=4096)
    assert judge(seen, None, task()) == Attempt(
        number=2,
        state="failed",
        reason="killed by SIGKILL",
        exit_code=137,
        signal=9,
        pid=7,
        started_at="2026-11-22T00:00:00.000Z",
        ended_at="2026-11-22T00:00:01.000Z",
        cpu_seconds=0.25,
        max_rss_bytes=4096,
        log="x.2.log",
    )


@pytest.mark.parametrize(
    ("code", "signal", "reason"),
    [
        (1, None, "exit code 1"),
        (125, None, "exit code 125"),
        (126, None, "exit code 126: found, but can't be executed"),
        (127, None, "exit code 127: command not found"),
        (128, None, "exit code 128"),
        (129, 1, "killed by SIGHUP"),
        (130, 2, "killed by SIGINT"),
        (137, 9, "killed by SIGKILL"),
        (139, 11, "killed by SIGSEGV"),
        (143, 15, "killed by SIGTERM"),
        (160, 32, "killed by signal 32"),
        (162, 34, "killed by SIGRTMIN"),
        (163, 35, "killed by signal 35"),
        (192, 64, "killed by SIGRTMAX"),
        (193, None, "exit code 193"),
        (255, None, "exit code 255"),
    ],
)
def test_an_exit_code_in_words(code: int, signal: int | None, reason: str) -> None:
    assert exit_reason(code) == reason
    assert judge(ended(code=code), None, task()).signal == signal


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"),
        (0.5, "0.5s"),
        (30.0, "30s"),
        (59.9, "59.9s"),
        (60, "1m"),
        (90, "1m30s"),
        (3600, "1h"),
        (5400, "1h30m"),
        (86400, "1d"),
        (90061, "1d1h1m1s"),
        (61.5, "61.5s"),
    ],
)
def test_a_duration_as_a_pipeline_file_writes_it(seconds: float, text: str) -> None:
    assert duration(seconds) == text


# Who may start. Each state that a need can be in, made by what was seen of it and of what it needs itself.
FAILS, SKIPS = ended(code=1), ended(code=SKIP)
NEEDS: dict[str, tuple[Task, Sequence[Seen]]] = {
    "pending": (task("busy"), ()),
    "running": (task(), [(running(), None)]),
    "retrying": (task(retries=1), [(FAILS, None)]),
    "succeeded": (task(), [(ended(), None)]),
    "failed": (task(), [(FAILS, None)]),
    "failed, allowed": (task(allow_failure=True), [(FAILS, None)]),
    "upstream_failed": (task("broken"), ()),
    "skipped": (task(skip_exit_code=SKIP), [(SKIPS, None)]),
    "cancelled": (task(), [(ended(), stop("cancel"))]),
}
AROUND: dict[str, tuple[Task, Sequence[Seen]]] = {
    "busy": (task(), [(running(), None)]),
    "broken": (task(), [(FAILS, None)]),
}
WHENS = ("all_succeeded", "all_done", "any_failed")
STARTS = {
    # need: all_succeeded, all_done, any_failed
    "pending": ("pending", "pending", "pending"),
    "running": ("pending", "pending", "pending"),
    "retrying": ("pending", "pending", "pending"),
    "succeeded": ("start", "start", "skipped"),
    "failed": ("upstream_failed", "start", "start"),
    "failed, allowed": ("start", "start", "skipped"),
    "upstream_failed": ("upstream_failed", "start", "start"),
    "skipped": ("skipped", "start", "skipped"),
    "cancelled": ("cancelled", "start", "cancelled"),
}


def decided(when: str, *needs: str, wish: Wish | None = None) -> tuple[str, str | None]:
    """What becomes of a task with needs in these states, and why."""
    named = {f"need{number}": NEEDS[need] for number, need in enumerate(needs)}
    laid_out = {**AROUND, **named}
    tasks = {name: spec for name, (spec, _) in laid_out.items()} | {"last": task(*named, when=when)}
    flow = flow_of(tasks, {name: seen for name, (_, seen) in laid_out.items() if seen}, wish)
    expected = {f"need{number}": need.split(",")[0] for number, need in enumerate(needs)}
    assert wish or {name: flow.tasks[name].state for name in named} == expected
    record = flow.tasks["last"]
    return "start" if "last" in flow.ready else record.state, record.reason


@pytest.mark.parametrize("when", range(3))
@pytest.mark.parametrize("need", STARTS)
def test_a_task_with_one_need(need: str, when: int) -> None:
    assert decided(WHENS[when], need)[0] == STARTS[need][when]


# What two needs make together, where each alone would make this: the order of the needs is nothing to it.
TOGETHER = {
    "all_succeeded": ("upstream_failed", "pending", "cancelled", "skipped", "start"),
    "all_done": ("pending", "start"),
    "any_failed": ("pending", "start", "cancelled", "skipped"),
}


@pytest.mark.parametrize("one", STARTS)
@pytest.mark.parametrize("other", STARTS)
def test_a_task_with_two_needs(one: str, other: str) -> None:
    for column, when in enumerate(WHENS):
        alone = {STARTS[one][column], STARTS[other][column]}
        assert decided(when, one, other)[0] == next(state for state in TOGETHER[when] if state in alone), when


@pytest.mark.parametrize(
    ("when", "needs", "expected"),
    [
        ("all_succeeded", ("succeeded", "failed"), ("upstream_failed", "'need1' failed")),
        ("all_succeeded", ("upstream_failed", "failed"), ("upstream_failed", "'need0' failed")),
        ("all_succeeded", ("skipped",), ("skipped", "'need0' was skipped")),
        ("all_succeeded", ("skipped", "running"), ("pending", "will not start: 'need0' was skipped")),
        ("all_succeeded", ("running",), ("pending", None)),
        ("all_succeeded", ("cancelled",), ("cancelled", "'need0' was cancelled")),
        ("any_failed", ("succeeded",), ("skipped", "nothing it needs failed")),
        ("any_failed", ("cancelled",), ("cancelled", "'need0' was cancelled")),
        ("any_failed", ("failed",), ("start", None)),
    ],
)
def test_the_reason_of_a_task_that_was_not_tried(
    when: str, needs: tuple[str, ...], expected: tuple[str, str | None]
) -> None:
    assert decided(when, *needs) == expected


# Under a wish nothing new starts. What a need's own outcome already decided stands, whichever came first.
@pytest.mark.parametrize("when", range(3))
@pytest.mark.parametrize("need", STARTS)
@pytest.mark.parametrize(
    ("wish", "why"), [(cancel(), "cancelled by ann"), (over_time(), "run timeout")], ids=["cancel", "timeout"]
)
def test_a_task_with_one_need_when_the_run_is_to_end(need: str, when: int, wish: Wish, why: str) -> None:
    # A need that waits for its retry gets none; one that has not started depends on what it waits for itself.
    needed = {"retrying": "failed" if wish.kind == "timeout" else "cancelled"}.get(need, need)
    alone = STARTS[needed][when]
    state, reason = decided(WHENS[when], need, wish=wish)
    assert state == {"start": "cancelled"}.get(alone, alone)
    if alone == "start":
        assert reason == why
    if alone == "pending":
        assert reason == f"will not start: {why}"


def test_a_wish_keeps_what_is_ready_from_starting() -> None:
    flow = flow_of({"a": task(), "b": task("a")})
    assert flow.ready == ["a"]
    flow.end(cancel())
    assert flow.ready == []
    assert states(flow) == {"a": "cancelled", "b": "cancelled"}
    assert flow.result() == ("cancelled", "cancelled by ann")


def test_a_need_that_was_left_out_is_no_need() -> None:
    tasks = {"a": task(), "b": task("a"), "c": task("b"), "d": task("a", "c")}
    flow = flow_of(tasks, selected=("b", "d"))
    assert states(flow) == {"a": "skipped", "b": "pending", "c": "skipped", "d": "pending"}
    assert flow.tasks["a"] == TaskRun(state="skipped", reason="not selected")
    assert flow.ready == ["b", "d"]


# How the run stands, by the states of its tasks.
RESULTS: list[tuple[Mapping[str, str], Wish | None, tuple[str, str | None]]] = [
    ({"a": "succeeded"}, None, ("succeeded", None)),
    ({"a": "succeeded", "b": "skipped"}, None, ("succeeded", None)),
    ({"a": "skipped", "b": "skipped"}, None, ("skipped", "every task was skipped")),
    ({"a": "failed, allowed"}, None, ("succeeded", None)),
    ({"a": "failed, allowed", "b": "skipped"}, None, ("succeeded", None)),
    ({"a": "failed"}, None, ("failed", "task 'a' failed: exit code 1")),
    ({"a": "failed, allowed", "b": "failed"}, None, ("failed", "task 'b' failed: exit code 1")),
    ({"a": "failed", "b": "failed", "c": "succeeded"}, None, ("failed", "2 tasks failed: 'a', 'b'")),
    (dict.fromkeys("abcd", "failed"), None, ("failed", "4 tasks failed: 'a', 'b', 'c' and 1 more")),
    ({"a": "failed", "b": "running"}, None, ("running", None)),
    ({"a": "retrying"}, None, ("running", None)),
    ({"a": "running"}, cancel(), ("running", None)),
    ({"a": "cancelled", "b": "failed"}, cancel(), ("cancelled", "cancelled by ann")),
    ({"a": "succeeded"}, cancel(), ("cancelled", "cancelled by ann")),
    ({"a": "failed"}, over_time(), ("failed", "run timeout: not done after 1h")),
    ({"a": "succeeded"}, over_time(), ("failed", "run timeout: not done after 1h")),
]


@pytest.mark.parametrize(("named", "wish", "expected"), RESULTS)
def test_how_the_run_stands(named: Mapping[str, str], wish: Wish | None, expected: tuple[str, str | None]) -> None:
    flow = flow_of(
        {name: NEEDS[how][0] for name, how in named.items()},
        {name: NEEDS[how][1] for name, how in named.items()},
        wish,
    )
    assert flow.result() == expected


def test_a_run_whose_failure_was_handled_has_failed_all_the_same() -> None:
    tasks = {"a": task(), "mend": task("a", when="any_failed")}
    flow = flow_of(tasks, {"a": [(ended(code=1), None)], "mend": [(ended(), None)]})
    assert flow.result() == ("failed", "task 'a' failed: exit code 1")


def test_the_record_of_a_run_has_an_end_only_once_it_has_ended() -> None:
    text = instant.to_text(BEGAN + 9)
    flow = flow_of({"a": task()}, {"a": [(running(), None)]})
    assert flow.record(text).ended_at is None
    assert flow.record(text).state == "running"
    flow.see("a", ended())
    assert flow.record(text).ended_at == text
    assert flow.record(text).tasks["a"].attempts == (judge(ended(), None, task()),)


def test_a_chain_of_ten_thousand_is_no_depth_for_a_failure_to_fall() -> None:
    tasks = {"0": task()} | {str(number): task(str(number - 1)) for number in range(1, 10_000)}
    flow = flow_of(tasks, {"0": [(ended(code=1), None)]})
    assert flow.open == 0
    assert flow.tasks["9999"].state == "upstream_failed"


# The wait before a retry

PLAIN = task(retry_delay=30.0, retry_backoff=2.0, retry_max_delay=600.0, retry_jitter=0.0)


@pytest.mark.parametrize(("tries", "seconds"), [(1, 30), (2, 60), (3, 120), (5, 480), (6, 600), (9_999, 600)])
def test_the_wait_doubles_up_to_its_cap(tries: int, seconds: float) -> None:
    assert retry_wait(PLAIN, tries, "any") == seconds


@pytest.mark.parametrize("backoff", [1.0, 2.0, 50.0, 100.0])
@pytest.mark.parametrize("delay", [0.0, 1.0, 1e9])
def test_the_longest_row_of_retries_has_a_wait(backoff: float, delay: float) -> None:
    spec = task(retry_delay=delay, retry_backoff=backoff, retry_max_delay=3600.0, retry_jitter=1.0)
    assert all(0 <= retry_wait(spec, tries, f"p/r/t/{tries}") <= 3600 for tries in range(1, 10_001, 7))


def test_jitter_spreads_the_waits_and_is_the_same_for_whoever_works_it_out() -> None:
    spec = task(retry_delay=100.0, retry_jitter=0.1)
    waits = {key: retry_wait(spec, 1, key) for key in map(str, range(200))}
    assert waits == {key: retry_wait(spec, 1, key) for key in waits}
    assert all(90 <= wait <= 110 for wait in waits.values())
    assert min(waits.values()) < 93
    assert max(waits.values()) > 107


def test_a_retry_counts_from_the_end_of_the_last_attempt() -> None:
    flow = flow_of({"a": task(retries=1, retry_delay=30.0, retry_jitter=0.0)}, {"a": [(ended(code=1, at=7), None)]})
    assert flow.retries == {"a": BEGAN + 37}
    assert flow.tasks["a"].next_attempt_at == instant.to_text(BEGAN + 37)


def test_a_lost_attempt_is_retried_like_a_failed_one() -> None:
    flow = flow_of({"a": task(retries=1)}, {"a": [(lost(), None)]})
    assert flow.tasks["a"].state == "retrying"
    assert flow.tasks["a"].reason == LOST


def test_news_of_an_earlier_kind_changes_nothing() -> None:
    tasks = {"a": task(retries=1), "b": task("a")}
    flow = flow_of(tasks, {"a": [(ended(1, code=1), None), (ended(2), None)]})
    before = states(flow)
    flow.see("a", ended(2))
    assert states(flow) == before == {"a": "succeeded", "b": "pending"}
    assert flow.ready == ["b"]


def test_attempts_may_be_handed_over_in_any_order() -> None:
    run = run_of({"a": task(retries=2)})
    first, second = (ended(1, code=1), None), (ended(2), None)
    assert state(run, {"a": [second, first]}).tasks == state(run, {"a": [first, second]}).tasks
