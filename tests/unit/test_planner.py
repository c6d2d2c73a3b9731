"""The planner, rule by rule: what is due, what is missed, what overlaps, what is new, back, edited or paused."""

from typing import Any

import pytest

from cronflow.cursor import Cursor, InForce, Waiting
from cronflow.planner import plan
from cronflow.planner.case import start_delay
from cronflow.planner.places import MOST_SPANS
from cronflow.schedule import Span
from tests.unit.planning import World, at, hourly, only, seen

YEAR = 365.25 * 86400


# In time


def test_a_period_is_started_when_it_is_due() -> None:
    world = seen(hourly())
    assert plan(world.situation(at("09:59:59")), world.watches).verdicts == ()
    (claim,) = only(world.tick(at("10:00:00.004"))).claims
    assert (claim.run_id, claim.trigger) == ("20261122T100000Z", "schedule")
    assert claim.span == Span(at("09:00"), at("10:00"))
    assert (claim.slots, claim.at_once) == (1, False)
    assert world.cursors["etl"].decided_until == at("10:00")
    assert world.tick(at("10:00:30")).verdicts == ()


def test_a_plan_says_when_the_next_one_is_due() -> None:
    world = seen(hourly("a"), hourly("b", schedule=("30 * * * *",)), hourly("by_hand", schedule=()))
    assert world.tick(at("09:31")).wake == at("10:00")
    assert world.tick(at("10:00")).wake == at("10:30")
    assert world.tick(at("10:00:01")).hungry == frozenset()


def test_nothing_is_due_without_a_schedule() -> None:
    world = World(hourly(schedule=()))
    assert world.tick(at("10:00")).verdicts == ()
    assert world.tick(at("10:00")).wake == float("inf")
    assert world.cursors == {}


@pytest.mark.parametrize(("seconds", "trigger"), [(0, "schedule"), (300, "schedule"), (300.1, "catchup")])
def test_five_minutes_late_is_in_time(seconds: float, trigger: str) -> None:
    world = seen(hourly())
    world.until(at("09:59"))
    world.tick(at("10:00") + seconds)
    assert world.ran() == [("22T10:00", trigger)]


def test_several_schedules_are_one_and_what_coincides_is_due_once() -> None:
    world = seen(hourly(schedule=("0 * * * *", "0,30 10 * * *"), overlap="allow"))
    world.until(at("11:00"))
    assert world.ran() == [("22T10:00", "schedule"), ("22T10:30", "schedule"), ("22T11:00", "schedule")]


def test_jitter_delays_the_start_and_not_the_due_time() -> None:
    pipeline = hourly(jitter=1800.0)
    delay = start_delay(pipeline)
    assert 300 < delay < 1800, "the name is one that makes the test mean something"
    world = seen(pipeline)
    assert world.tick(at("09:31")).wake == at("10:00") + delay
    world.until(at("10:00") + delay - 0.1)
    assert world.ran() == []
    world.tick(at("10:00") + delay)
    assert world.ran() == [("22T10:00", "schedule")]


def test_delays_are_fixed_and_spread_below_the_jitter() -> None:
    delays = [start_delay(hourly(f"etl{number}", jitter=60.0)) for number in range(200)]
    assert delays == [start_delay(hourly(f"etl{number}", jitter=60.0)) for number in range(200)]
    assert all(0 <= delay < 60 for delay in delays)
    assert max(delays) - min(delays) > 50
    assert start_delay(hourly(jitter=0.0)) == start_delay(hourly()) == 0


# Missed


@pytest.mark.parametrize(
    ("keys", "ran", "said"),
    [
        (
            {"catchup": "latest"},
            [("22T17:00", "catchup")],
            [("missed", "22T09:00", "22T16:00", 7)],
        ),
        (
            {"catchup": "none"},
            [],
            [("missed", "22T09:00", "22T17:00", 8)],
        ),
        (
            {"catchup": "latest", "catchup_window": 7200.0},
            [("22T17:00", "catchup")],
            [("outside_window", "22T09:00", "22T15:00", 6), ("missed", "22T15:00", "22T16:00", 1)],
        ),
        (
            {"catchup": "latest", "catchup_window": 600.0},
            [],
            [("outside_window", "22T09:00", "22T17:00", 8)],
        ),
        (
            {"catchup": "all", "catchup_window": 7200.0},
            [("22T16:00", "catchup")],
            [("outside_window", "22T09:00", "22T15:00", 6)],
        ),
        (
            {"catchup": "all"},
            [("22T10:00", "catchup")],
            [],
        ),
        (
            {"catchup": "all", "max_active_runs": 3},
            [("22T10:00", "catchup"), ("22T11:00", "catchup"), ("22T12:00", "catchup")],
            [],
        ),
    ],
)
def test_what_was_missed(keys: dict[str, Any], ran: list[tuple[str, str]], said: list[Any]) -> None:
    world = seen(hourly(**keys))
    world.restart()
    world.tick(at("17:30"))
    assert world.ran() == ran
    assert world.said() == said
    owed = {due for due in range(10, 18) if world.outcome(at(f"{due}:00")) == "owed"}
    assert len(owed) + len(ran) + sum(count or 0 for *_, count in said) == 8


def test_a_missed_period_names_the_gap_in_which_it_was_missed() -> None:
    world = seen(hourly(catchup="none"))
    world.restart()
    world.tick(at("10:30"))
    world.tick(at("12:30"))
    missed = [line.because for line in world.decisions if line.pipeline == "etl"]
    assert missed == ["daemon_down", "time_jump"]
    assert world.said(None) == [
        ("daemon_down", "22T09:30", "22T10:30", None),
        ("time_jump", "22T10:30", "22T12:30", None),
    ]


def test_a_late_tick_is_no_gap() -> None:
    world = seen(hourly())
    world.tick(at("09:32"))
    assert world.said(None) == []


def test_what_is_owed_runs_oldest_first_as_slots_free_after_what_is_due_now() -> None:
    world = seen(hourly(catchup="all"))
    world.restart()
    world.tick(at("12:58"))
    world.until(at("13:00"))
    assert world.ran() == [("22T10:00", "catchup")]
    assert world.cursors["etl"].waiting == Waiting(at("13:00"), "schedule")
    assert world.tick(at("13:01")).hungry == {"etl"}
    for minute in range(2, 7):
        world.end()
        world.until(at(f"13:0{minute}"))
    assert [due for due, _ in world.ran()] == [f"22T{hour}:00" for hour in (10, 11, 12, 13)]
    assert [claim.trigger for claim in world.claims.values() if claim] == ["catchup", "schedule", "catchup", "catchup"]
    assert world.said() == []


def test_live_periods_come_before_the_one_that_catches_up() -> None:
    world = seen(hourly(overlap="skip"))
    world.restart()
    world.tick(at("12:02"))
    assert world.ran() == [("22T12:00", "schedule")]
    assert world.said() == [("missed", "22T09:00", "22T10:00", 1), ("overlap", "22T10:00", "22T11:00", 1)]


def test_what_was_run_by_hand_meanwhile_is_not_run_again() -> None:
    world = seen(hourly())
    world.restart()
    world.by_hand("etl", at("12:00"))
    world.end()
    world.tick(at("12:30"))
    assert world.ran() == []
    assert [world.outcome(at(f"{hour}:00")) for hour in (10, 11, 12)] == ["missed", "missed", "claimed"]


def test_owed_periods_that_were_run_by_hand_meanwhile_are_passed_over() -> None:
    world = seen(hourly(catchup="all"))
    world.restart()
    for hour in (10, 11):
        world.by_hand("etl", at(f"{hour}:00"))
        world.end()
    world.tick(at("12:30"))
    assert world.ran() == [("22T12:00", "catchup")]


def test_what_is_owed_is_written_off_when_it_is_not_wanted_any_more() -> None:
    world = seen(hourly(catchup="all"))
    world.restart()
    world.tick(at("14:30"))
    world.edit(catchup="latest")
    world.tick(at("14:31"))
    assert world.said() == [("missed", "22T10:00", "22T14:00", 4)]
    assert world.cursors["etl"].owed == ()


def test_what_is_owed_grows_too_old() -> None:
    world = seen(hourly(catchup="all", catchup_window=4 * 3600.0))
    world.restart()
    world.tick(at("13:30"))
    assert world.ran() == [("22T10:00", "catchup")]
    world.until(at("15:01"))
    assert world.said() == [("outside_window", "22T10:00", "22T11:00", 1)]
    assert world.outcome(at("12:00")) == "owed"


def test_a_backlog_that_only_grows_is_bounded() -> None:
    world = seen(hourly(catchup="all", schedule=("* * * * *",)))
    cursor = world.cursors["etl"]
    spans = tuple(Span(at("09:00") - 180 * number, at("09:01") - 180 * number) for number in range(MOST_SPANS, -5, -1))
    past = InForce(0.0, ("* * * * *",), "UTC")
    world.cursors["etl"] = Cursor(decided_until=cursor.decided_until, schedules=(past,), owed=spans)
    world.by_hand("etl", at("00:00"))
    world.tick(at("09:30:01"))
    assert len(world.cursors["etl"].owed) == MOST_SPANS
    assert {reason for reason, *_ in world.said()} == {"superseded"}


def test_ten_years_of_missed_minutes_are_one_line() -> None:
    world = seen(hourly(schedule=("* * * * *",), timezone="Europe/Berlin", overlap="skip"))
    world.restart()
    back = at("09:30") + 10 * YEAR
    world.tick(back)
    assert [line.reason for line in world.decisions[1:3]] == ["outside_window", "missed"]
    assert [line.count for line in world.decisions[1:3]] == [10 * YEAR / 60 - 7 * 1440 - 1, 7 * 1440 - 6]
    assert [line.reason for line in world.decisions[3:]] == ["overlap"] * 6
    (claim,) = filter(None, world.claims.values())
    assert claim.span.end == back - 300, "the oldest of the six that were in time"


def test_centuries_are_not_counted() -> None:
    world = seen(hourly(catchup="none"))
    world.restart()
    world.tick(at("09:30") + 300 * YEAR)
    assert [count for *_, count in world.said()] == [None]


def test_many_owed_periods_that_have_their_runs_are_passed_over_a_thousand_at_a_time() -> None:
    world = seen(hourly(schedule=("* * * * *",), catchup="all", max_active_runs=8))
    world.restart()
    for minute in range(1, 1100):
        world.by_hand("etl", at("09:30") + 60 * minute)
    world.runs.clear()
    now = at("09:30") + 1098 * 60 + 600
    planned = world.tick(now)
    assert planned.wake == now, "it is not done yet"
    assert {trigger for _, trigger in world.ran()} == {"schedule"}
    world.runs.clear()
    assert world.tick(now + 1).wake > now
    assert "catchup" in {trigger for _, trigger in world.ran()}


def test_ten_years_of_owed_minutes_are_one_span() -> None:
    world = seen(hourly(schedule=("* * * * *",), catchup="all", catchup_window=20 * YEAR))
    world.restart()
    world.tick(at("09:30") + 10 * YEAR)
    assert len(world.cursors["etl"].owed) == 2, "before and after those that were in time"
    assert world.decisions[1:] == []


# Not to run


@pytest.mark.parametrize(
    ("keys", "paused", "reason"),
    [({}, True, "paused"), ({"enabled": False}, False, "disabled"), ({"enabled": False}, True, "disabled")],
)
def test_due_periods_of_what_may_not_run_are_recorded(keys: dict[str, Any], paused: bool, reason: str) -> None:
    world = seen(hourly(**keys))
    world.paused = {"etl"} if paused else set()
    world.until(at("12:30"))
    assert world.said() == [(reason, "22T09:00", "22T12:00", 3)]
    world.paused = set()
    world.edit(enabled=True)
    world.until(at("13:00"))
    assert world.ran() == [("22T13:00", "schedule")]


def test_what_is_missed_while_paused_is_paused() -> None:
    world = seen(hourly())
    world.paused = {"etl"}
    world.restart()
    world.tick(at("12:30"))
    assert world.said() == [("paused", "22T09:00", "22T12:00", 3)]


def test_what_waits_and_what_is_owed_outlasts_a_pause() -> None:
    world = seen(hourly(catchup="all"))
    world.until(at("12:00"))
    world.paused = {"etl"}
    world.end()
    world.until(at("12:10"))
    assert (world.outcome(at("11:00")), world.outcome(at("12:00"))) == ("owed", "waiting")
    world.paused = set()
    world.tick(at("12:11"))
    world.end()
    world.tick(at("12:12"))
    assert world.ran() == [("22T10:00", "schedule"), ("22T11:00", "catchup"), ("22T12:00", "schedule")]


@pytest.mark.parametrize(
    ("zone", "start", "end", "ran"),
    [
        ("UTC", "2026-11-23", None, [24]),
        ("UTC", None, "2026-11-22", [22]),
        ("UTC", None, "2026-11-23", [22, 23]),
        ("UTC", "2026-11-22", "2026-11-23", [23]),
        ("UTC", "2026-12-01", None, []),
        ("Pacific/Auckland", "2026-11-24", None, [24]),  # 13:00 UTC is two in the morning of the day after
    ],
)
def test_a_period_belongs_by_the_local_day_of_its_start(
    zone: str, start: str | None, end: str | None, ran: list[int]
) -> None:
    cron = "0 13 * * *" if zone == "UTC" else "0 2 * * *"
    world = World(hourly(schedule=(cron,), timezone=zone, start=start, end=end, overlap="allow"))
    world.tick(at("12:00", "2026-11-21"))
    dues = [at("13:00", f"2026-11-{day}") for day in (21, 22, 23, 24)]
    for due in dues:
        world.tick(due + 1)
    assert [due for due, _ in world.ran() if due != "21T13:00"] == [f"{day}T13:00" for day in ran]
    for due in dues:
        assert world.outcome(due) in {"claimed", "before_start", "after_end"}
    reasons = {reason: (first, last, count) for reason, first, last, count in world.said()}
    assert ("before_start" in reasons) == (start is not None)


def test_bounds_also_cut_what_was_missed() -> None:
    world = World(hourly(schedule=("@daily",), start="2026-11-05", end="2026-11-08"))
    world.tick(at("12:00", "2026-11-01"))
    world.restart()
    world.tick(at("12:00", "2026-11-12"))
    assert world.said() == [
        ("before_start", "01T00:00", "05T00:00", 4),
        ("missed", "05T00:00", "07T00:00", 2),
        ("after_end", "08T00:00", "12T00:00", 4),
    ]
    assert world.ran() == [("08T00:00", "catchup")]
