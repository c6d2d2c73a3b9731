"""A run while it goes on, as a terminal shows it: every task a row, and a bar for the whole."""

from textwrap import dedent

import pytest

from cronflow import instant
from cronflow.record import Round, Run, TaskRun
from cronflow.spec import Pipeline, Task
from cronflow.view.ink import text_of, width
from cronflow.view.progress import Scene, block, commands
from cronflow.view.signs import ASCII, UNICODE, Look
from tests import past
from tests.past import attempt, task

NOW = past.MIDNIGHT + 100
NAMES = ("pull_orders", "load", "check", "refresh")
FAILED_ONCE = attempt(12, 40, "failed", reason="exit code 1")
TASKS = {
    "pull_orders": task("succeeded", attempt(0, 12)),
    "load": task("running", FAILED_ONCE, attempt(70, None, number=2)),
    "check": task("retrying", FAILED_ONCE, reason="exit code 1", next_attempt_at=instant.to_text(NOW + 25)),
    "refresh": task("pending"),
}
TAILS = {"load": "12,500 of 20,000 rows"}


def drawn(tasks: dict[str, TaskRun], look: Look, rows: int = 40, **keys: object) -> list[str]:
    """The lines of the block, where every task has two retries."""
    definition = Pipeline(name="etl", tasks={name: Task(run="x", retries=2) for name in tasks})
    run: Run = past.run(definition, state="running", ended_at=None, tasks={}, **keys)
    lines = block(Scene(run, tasks, TAILS, NOW), look, rows)
    assert all(width(line) <= (look.width or 999) for line in lines)
    return [text_of(line) for line in lines]


def test_state_time_attempt_last_line_and_a_bar_for_the_whole() -> None:
    text = dedent("""\
          ● pull_orders     12s
          ◐ load            30s  attempt 2 of 3  12,500 of 20,000 rows
          ↻ check           28s  exit code 1; again in 25s
          · refresh
          ━━━━━━┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄ 1/4 done, 1 running, 1m40s
        """)
    assert drawn(TASKS, Look(100, UNICODE)) == ["  " + line for line in text.splitlines()]


@pytest.mark.parametrize("columns", [60, 40, 30])
def test_on_a_narrow_terminal_the_bar_gives_way_to_what_it_means(columns: int) -> None:
    *rows, bar = drawn(TASKS, Look(columns, ASCII))
    assert [row[:15].rstrip() for row in rows] == ["  + pull_orders", "  > load", "  ~ check", "  . refresh"]
    assert "1/4 done, 1 running" in bar
    assert "=." in bar


def test_where_there_is_no_room_for_all_those_come_that_need_to_be_seen() -> None:
    tasks = {f"t{number}": task("succeeded", attempt(0, 1)) for number in range(50)} | TASKS
    *rows, more, bar = drawn(tasks, Look(80, UNICODE), rows=5)
    assert [row.split()[1] for row in rows] == ["t0", "load", "check", "refresh"]
    assert more == "  … 50 more"
    assert "51/54 done" in bar


def test_in_a_second_round_attempts_are_counted_on() -> None:
    rounds = (Round(at=instant.to_text(past.MIDNIGHT), by="me", first={"load": 3}),)
    tasks = {"load": task("running", FAILED_ONCE, *(attempt(70, None, number=number) for number in (3, 4)))}
    assert "attempt 4 of 5" in drawn(tasks, Look(100, UNICODE), rounds=rounds)[0]
    tasks = {"load": task("running", FAILED_ONCE, attempt(70, None, number=3))}
    assert "attempt" not in drawn(tasks, Look(100, UNICODE), rounds=rounds)[0]


@pytest.mark.parametrize(("states", "named"), [(("failed", "failed"), "load"), (("failed", "succeeded"), "lint")])
def test_the_log_that_is_named_is_of_the_task_that_failed_the_run(states: tuple[str, str], named: str) -> None:
    definition = Pipeline(name="etl", tasks={"lint": Task(run="x", allow_failure=True), "load": Task(run="x")})
    run = past.run(definition, tasks={name: task(state) for name, state in zip(("lint", "load"), states, strict=True)})
    assert text_of(commands(run, "cronflow")[0]) == f"  log:     cronflow logs etl {run.run_id} {named}"
