"""`status NAME RUN`: bars to scale, attempts and the waits between them, reasons, and what failed tasks said last."""

from textwrap import dedent

import pytest

from cronflow import instant
from cronflow.record import Round, Run
from cronflow.view.bars import Scale, axis, bar
from cronflow.view.ink import text_of
from cronflow.view.signs import ASCII, UNICODE, Look
from cronflow.view.timeline import Extract, timeline
from cronflow.wall import Wall
from tests import past
from tests.past import attempt, task

NOW = past.MIDNIGHT + 100
BERLIN = Wall("Europe/Berlin")
NAMES = ("pull_orders", "load", "refresh")
DEFINITION = past.pipeline("daily_sales", NAMES)
USED = {"cpu_seconds": 1.25, "max_rss_bytes": 80 << 20}
FIRST = attempt(12, 40, "failed", exit_code=1, reason="exit code 1", **USED)
SECOND = attempt(70, 100, "failed", 2, exit_code=143, signal=15, reason="timeout")
FAILED = past.run(
    DEFINITION,
    state="failed",
    reason="task 'load' failed: timeout",
    params={"region": "eu", "day": "x y"},
    tasks={
        "pull_orders": task("succeeded", attempt(0, 12, exit_code=0, **USED)),
        "load": task("failed", FIRST, SECOND, reason="timeout"),
        "refresh": task("upstream_failed", reason="'load' failed"),
    },
)
OPEN = past.run(
    DEFINITION,
    state="running",
    ended_at=None,
    tasks={
        "pull_orders": task("running", attempt(0, None)),
        "load": task("retrying", FIRST, reason="exit code 1", next_attempt_at=instant.to_text(NOW + 25)),
        "refresh": task("pending"),
    },
)
SAID = Extract(
    task="load", lines=("\tTraceback:", "\x1b[31mboom\x1b[0m \x1b]0;x\x07"), command="cronflow logs a b load"
)


def drawn(look: Look, run: Run, *extracts: Extract, most: int = 60) -> str:
    lines = timeline(run, extracts, wall=BERLIN, most=most, now=NOW, look=look)
    return "\n".join(text_of(line) for line in lines) + "\n"


def test_a_failed_run_tells_all_of_it() -> None:
    assert drawn(Look(110, UNICODE), FAILED, SAID) == dedent("""\
        daily_sales  ✗ failed  1m40s
        run        20261122T000000Z
        due        2026-11-22 01:00 (Europe/Berlin), 1m ago
        period     2026-11-21 01:00 → 2026-11-22 01:00
        started    2026-11-22 01:00:00
        params     region=eu  day=x y
        reason     task 'load' failed: timeout

          task          took   cpu  memory  0s     15s    30s     45s    1m     1m15s   1m30s
        ● pull_orders    12s  1.2s     80M  ━━━━━━
        ✗ load         1m28s  1.2s     80M       ━━━━━━━━━━━━━━✗┄┄┄┄┄┄┄┄┄┄┄┄┄┄━━━━━━━━━━━━━━✗  timeout
            attempt 1    28s  1.2s     80M       ━━━━━━━━━━━━━━✗                               exit code 1
            attempt 2    30s                                                  ━━━━━━━━━━━━━━✗  timeout (exit code 143)
        ⊘ refresh                                                                              'load' failed

        ● succeeded   ✗ failed   ⊘ upstream failed

        load said last:
        │         Traceback:
        │ boom ^[]0;x^G
        all of it: cronflow logs a b load
    """)


def test_for_a_program_in_ascii() -> None:
    assert drawn(Look(None, ASCII), FAILED, SAID) == dedent("""\
        daily_sales  failed  1m40s
        run        20261122T000000Z
        due        2026-11-22 01:00 (Europe/Berlin), 1m ago
        period     2026-11-21 01:00 to 2026-11-22 01:00
        started    2026-11-22 01:00:00
        params     region=eu  day=x y
        reason     task 'load' failed: timeout

          task          took   cpu  memory  0s     15s    30s    45s    1m      1m15s  1m30s
        + pull_orders    12s  1.2s     80M  ======
        x load         1m28s  1.2s     80M       ==============x.............==============x  timeout
            attempt 1    28s  1.2s     80M       ==============x                              exit code 1
            attempt 2    30s                                                 ==============x  timeout (exit code 143)
        ! refresh                                                                             'load' failed

        + succeeded   x failed   ! upstream failed

        load said last:
        |         Traceback:
        | boom ^[]0;x^G
        all of it: cronflow logs a b load
    """)


def test_on_sixty_columns_cpu_and_memory_give_way() -> None:
    assert drawn(Look(60, UNICODE), FAILED) == dedent("""\
        daily_sales  ✗ failed  1m40s
        run        20261122T000000Z
        due        2026-11-22 01:00 (Europe/Berlin), 1m ago
        period     2026-11-21 01:00 → 2026-11-22 01:00
        started    2026-11-22 01:00:00
        params     region=eu  day=x y
        reason     task 'load' failed: timeout

          task          took  0s           1m
        ● pull_orders    12s  ━━━
        ✗ load         1m28s    ━━━━━━✗┄┄┄┄┄┄━━━━━━✗  timeout
            attempt 1    28s    ━━━━━━✗               exit code 1
            attempt 2    30s                 ━━━━━━✗  timeout (exit…
        ⊘ refresh                                     'load' failed

        ● succeeded   ✗ failed   ⊘ upstream failed
    """)


def test_on_thirty_five_columns_the_bars_give_way() -> None:
    assert drawn(Look(35, UNICODE), FAILED, SAID) == dedent("""\
        daily_sales  ✗ failed  1m40s
        run        20261122T000000Z
        due        2026-11-22 01:00
                   (Europe/Berlin), 1m ago
        period     2026-11-21 01:00 →
                   2026-11-22 01:00
        started    2026-11-22 01:00:00
        params     region=eu  day=x y
        reason     task 'load' failed:
                   timeout

          task          took
        ● pull_orders    12s
        ✗ load         1m28s  timeout
            attempt 1    28s  exit code 1
            attempt 2    30s  timeout (exi…
        ⊘ refresh             'load' failed

        ● succeeded   ✗ failed
        ⊘ upstream failed

        load said last:
        │         Traceback:
        │ boom ^[]0;x^G
        all of it: cronflow logs a b load
    """)


def test_an_open_run_goes_on_until_now() -> None:
    assert drawn(Look(80, UNICODE), OPEN) == dedent("""\
        daily_sales  ◐ running  1m40s
        run        20261122T000000Z
        due        2026-11-22 01:00 (Europe/Berlin), 1m ago
        period     2026-11-21 01:00 → 2026-11-22 01:00
        started    2026-11-22 01:00:00

          task          took   cpu  memory  0s     30s     1m
        ◐ pull_orders  1m40s                ━━━━━━━━━━━━━━━━━━━━━━━━━━
        ↻ load           28s  1.2s     80M     ━━━━━━━✗┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄  attempt 2 in 25s
        · refresh

        · pending   ◐ running   ↻ retrying
    """)


def test_only_the_latest_round_is_drawn() -> None:
    second = Round(at=instant.to_text(past.MIDNIGHT + 1000), by="ada", first={"load": 2}, tasks=("load", "refresh"))
    again = past.run(
        DEFINITION,
        rounds=(Round(at=instant.to_text(past.MIDNIGHT), by="daemon"), second),
        tasks={
            "pull_orders": task("succeeded", attempt(0, 12)),
            "load": task("succeeded", FIRST, attempt(1000, 1040, number=2)),
            "refresh": task("succeeded", attempt(1040, 1060)),
        },
    )
    assert drawn(Look(80, UNICODE), again) == dedent("""\
        daily_sales  ● succeeded  1m40s
        run        20261122T000000Z
        due        2026-11-22 01:00 (Europe/Berlin), 1m ago
        period     2026-11-21 01:00 → 2026-11-22 01:00
        started    2026-11-22 01:00:00
        round      2, by ada, 2026-11-22 01:16:40

          task         took  0s       15s      30s      45s
        ● pull_orders                                              from an earlier round
        ● load          40s  ━━━━━━━━━━━━━━━━━━━━━━━━
        ● refresh       20s                          ━━━━━━━━━━━━
    """)


def test_a_record_that_can_not_be_read_still_says_what_is_known() -> None:
    torn = past.run(past.pipeline(tasks=()), state="failed", reason="record unreadable: /state/run.json", tasks={})
    assert drawn(Look(80, UNICODE), torn).splitlines()[-1] == "reason     record unreadable: /state/run.json"


def test_of_many_tasks_those_come_that_need_to_be_seen() -> None:
    names = [f"t{number:03d}" for number in range(200)]
    tasks = {name: task("succeeded", attempt(0, 1)) for name in names} | {
        "t150": task("failed"),
        "t160": task("running", attempt(1, None)),
    }
    text = drawn(Look(80, UNICODE), past.run(past.pipeline(tasks=names), tasks=tasks), most=4)
    shown = [line.split()[1] for line in text.splitlines() if line[:1] in "●✗◐" and " t" in line]
    assert shown == ["t000", "t001", "t150", "t160"]
    assert "196 more; all with --limit 200" in text


def test_of_many_attempts_the_last_are_shown_one_by_one() -> None:
    tries = [attempt(at, at + 1, "failed", at, exit_code=1, reason="exit code 1") for at in range(1, 10)]
    text = drawn(Look(100, ASCII), past.run(past.pipeline(tasks=("load",)), tasks={"load": task("failed", *tries)}))
    assert "earlier attempts" in text
    assert [line.split()[1] for line in text.splitlines() if "    attempt " in line] == ["5", "6", "7", "8", "9"]


def test_the_exit_code_is_said_where_the_reason_does_not() -> None:
    text = drawn(Look(150, UNICODE), FAILED)
    assert "exit code 1\n" in text
    assert "timeout (exit code 143)" in text


def test_a_task_that_said_nothing_is_said_to() -> None:
    assert "load said nothing" in drawn(Look(80, UNICODE), FAILED, Extract(task="load", lines=(), command="x"))


@pytest.mark.parametrize(
    ("seconds", "columns", "shown"),
    [
        (100, 40, "0s          30s         1m"),
        (0.001, 20, "0s"),
        (1, 24, "0s          0.5s"),
        (3600, 30, "0s     15m     30m    45m"),
        (90 * 86400, 40, "0s     16d    32d    48d    64d    80d"),
    ],
)
def test_the_axis_has_whole_labels_over_their_columns(seconds: float, columns: int, shown: str) -> None:
    assert axis(Scale(0, seconds, columns)) == shown.ljust(columns)


def bars(*attempts: tuple[float, float | None, str], waits: bool = False) -> str:
    """A bar of 20 columns over 100 seconds."""
    tries = [attempt(start, end, state, at) for at, (start, end, state) in enumerate(attempts, 1)]  # type: ignore[arg-type]
    scale = Scale(past.MIDNIGHT, NOW, 20)
    return text_of(bar(tries, waits=waits, scale=scale, now=NOW, look=Look(None, UNICODE)))


@pytest.mark.parametrize(
    ("shown", "line"),
    [
        (bars((0, 100, "succeeded")), "━" * 20),
        (bars((0, 50, "succeeded")), "━" * 10),
        (bars((50, 100, "failed")), " " * 10 + "━" * 9 + "✗"),
        (bars((0, 25, "failed"), (50, 75, "succeeded")), "━━━━✗┄┄┄┄┄━━━━━"),
        (bars((0, 25, "cancelled")), "━━━━■"),
        (bars((50, 50, "lost")), " " * 10 + "✗"),
        (bars((100, 100, "succeeded")), " " * 19 + "━"),
        (bars((75, None, "running")), " " * 15 + "━" * 5),
        (bars((0, 25, "failed"), waits=True), "━━━━✗" + "┄" * 15),
        (bars((50, 25, "failed")), " " * 10 + "✗"),  # a clock that went back
        (bars((-50, 500, "succeeded")), "━" * 20),
        (bars(), ""),
    ],
)
def test_bars(shown: str, line: str) -> None:
    assert shown == line
