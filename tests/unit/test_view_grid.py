"""`status NAME`: runs against tasks, in the roomiest way that fits."""

from textwrap import dedent

from cronflow.record import Run
from cronflow.view.grid import Heading, grid
from cronflow.view.ink import text_of
from cronflow.view.signs import ASCII, UNICODE, Look
from cronflow.wall import Wall
from tests import past
from tests.past import attempt, task

NOW = past.MIDNIGHT + 9 * 3600
NAMES = ("pull_orders", "load", "refresh")
DEFINITION = past.pipeline("daily_sales", NAMES)
HEADING = Heading(
    name="daily_sales",
    description="Yesterday's orders",
    schedule=("0 1 * * *",),
    next_due=past.MIDNIGHT + past.DAY,
    wall=Wall("Europe/Berlin"),
)
WELL = past.run(
    DEFINITION,
    days_ago=1,
    tasks={
        "pull_orders": task("succeeded", attempt(0, 12)),
        "load": task("succeeded", attempt(12, 20, "failed"), attempt(50, 92.5, number=2)),
        "refresh": task("succeeded", attempt(92.5, 94)),
    },
)
BADLY = past.run(
    DEFINITION,
    state="failed",
    reason="task 'load' failed",
    tasks={
        "pull_orders": task("succeeded", attempt(0, 12)),
        "load": task("failed", attempt(12, 60, "failed", reason="exit code 1"), reason="exit code 1"),
        "refresh": task("upstream_failed", reason="'load' failed"),
    },
)
BY_HAND = past.by_hand(
    DEFINITION,
    NOW - 42,
    state="running",
    started_at="2026-11-22T08:59:18.000Z",
    ended_at=None,
    tasks={"pull_orders": task("running", attempt(NOW - past.MIDNIGHT - 42, None)), "load": task("pending")},
)


def drawn(look: Look, *runs: Run, heading: Heading = HEADING) -> str:
    return "\n".join(text_of(line) for line in grid(heading, runs, NOW, look)) + "\n"


def test_with_room_each_cell_says_how_long() -> None:
    assert drawn(Look(104, UNICODE), BY_HAND, BADLY, WELL) == dedent("""\
        daily_sales  Yesterday's orders
        '0 1 * * *', times in Europe/Berlin, next due 2026-11-23 01:00, in 15h

          due               period from   took  pull_orders  load      refresh
        ◐ 2026-11-22 09:59  2026-11-21     42s  ◐ 42s        ·                  manual
        ✗ 2026-11-22 01:00  2026-11-21   1m40s  ● 12s        ✗ 48s     ⊘        task 'load' failed
        ● 2026-11-21 01:00  2026-11-20   1m40s  ● 12s        ● 42s ×2  ● 1.5s

        · pending   ◐ running   ● succeeded   ✗ failed   ⊘ upstream failed
    """)  # noqa: RUF001 - how often a task was tried, as it is drawn


def test_a_program_gets_the_state_as_a_word() -> None:
    assert drawn(Look(None, ASCII), BADLY, WELL) == dedent("""\
        daily_sales  Yesterday's orders
        '0 1 * * *', times in Europe/Berlin, next due 2026-11-23 01:00, in 15h

          due               period from  state       took  pull_orders  load      refresh
        x 2026-11-22 01:00  2026-11-21   failed     1m40s  + 12s        x 48s     !        task 'load' failed
        + 2026-11-21 01:00  2026-11-20   succeeded  1m40s  + 12s        + 42s x2  + 1.5s

        + succeeded   x failed   ! upstream failed
    """)


def test_names_go_on_a_stair_where_columns_are_too_wide() -> None:
    assert drawn(Look(50, UNICODE), BADLY, WELL) == dedent("""\
        daily_sales  Yesterday's orders
        '0 1 * * *', times in Europe/Berlin, next due
          2026-11-23 01:00, in 15h

                                         ╭ pull_orders
                                         │ ╭ load
          due               period from  │ │ ╭ refresh
        ✗ 2026-11-22 01:00  2026-11-21   ● ✗ ⊘  task 'loa…
        ● 2026-11-21 01:00  2026-11-20   ● ● ●

        ● succeeded   ✗ failed   ⊘ upstream failed
    """)


def test_with_many_tasks_each_run_counts_them() -> None:
    names = [f"t{number:04d}" for number in range(1000)]
    tasks = {name: task("failed" if name.endswith("77") else "succeeded") for name in names}
    many = past.run(
        past.pipeline("daily_sales", names),
        tasks=tasks,
        state="failed",
        reason="10 tasks failed: 't0077', 't0177', 't0277', …",
    )
    assert drawn(Look(80, UNICODE), many) == dedent("""\
        daily_sales  Yesterday's orders
        '0 1 * * *', times in Europe/Berlin, next due 2026-11-23 01:00, in 15h

          due               period from   took  tasks
        ✗ 2026-11-22 01:00  2026-11-21   1m40s  990 ●  10 ✗  10 tasks failed: 't0077', …

        ● succeeded   ✗ failed
    """)


def test_on_thirty_columns_it_can_still_be_read() -> None:
    assert drawn(Look(30, ASCII), BADLY, WELL) == dedent("""\
        daily_sales  Yesterday's
          orders
        '0 1 * * *', times in
          Europe/Berlin, next due
          2026-11-23 01:00, in 15h

          due               tasks
        x 2026-11-22 01:00  1 +  1 x..
        + 2026-11-21 01:00  3 +

        + succeeded   x failed
        ! upstream failed
    """)


def test_periods_shorter_than_a_day_begin_at_a_time() -> None:
    hourly = past.run(DEFINITION, interval_start="2026-11-21T23:00:00.000Z")
    assert "2026-11-22 01:00  2026-11-22 00:00" in drawn(Look(100, UNICODE), hourly)


def test_without_a_period_there_is_none() -> None:
    none = past.by_hand(past.pipeline(schedule=()), interval_start=None, interval_end=None, scheduled_at=None)
    assert "period" not in drawn(Look(100, UNICODE), none)


def test_a_task_that_older_runs_lack_or_only_they_have_has_its_column() -> None:
    older = past.run(past.pipeline("daily_sales", ("pull_orders", "dropped")), days_ago=2)
    assert drawn(Look(120, UNICODE), BADLY, older).splitlines()[3].split()[-5:] == ["took", *NAMES, "dropped"]


def test_a_record_that_can_not_be_read_is_a_row() -> None:
    torn = past.run(past.pipeline(tasks=()), state="failed", reason="record unreadable: /state/run.json", tasks={})
    assert "record unreadable: /state/run.json" in drawn(Look(120, UNICODE), torn, WELL)
    assert "✗ 2026-11-22 01:00" in drawn(Look(40, UNICODE), torn)


def test_no_runs_is_said() -> None:
    heading = Heading(name="new", instead="by hand", wall=Wall("UTC"))
    assert drawn(Look(80, UNICODE), heading=heading).splitlines() == [
        "new",
        "times in UTC, by hand",
        "",
        "no runs yet; start one with: cronflow run new",
    ]
