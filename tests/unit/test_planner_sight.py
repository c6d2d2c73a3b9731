"""What the planner sees before it looks for what is due: new, back, edited, a wrong clock, another boot."""

from typing import Any
from zoneinfo import ZoneInfo

import pytest

from cronflow.cursor import Away, InForce, Waiting
from cronflow.planner import Plan, Tick, plan
from cronflow.planner.boot import boot_run_id
from tests.unit.planning import BOOT, NEXT_BOOT, World, at, hourly, only, seen

HOUR, DAY, YEAR = 3600.0, 86400.0, 366 * 86400.0


# New


def test_nothing_is_caught_up_for_a_pipeline_that_is_new() -> None:
    world = World(hourly())
    verdict = only(world.tick(at("10:00:30.5")))
    assert (verdict.claims, verdict.records) == ((), ())
    assert verdict.cursor.decided_until == at("10:00:30")
    assert verdict.cursor.schedules == (InForce(at("10:00:30"), ("@hourly",), "UTC"),)


def test_what_was_saved_in_the_minute_before_is_due_in_this_one() -> None:
    world = seen(hourly("other"))
    world.until(at("09:59"))
    world.pipelines["etl"] = hourly()
    world.until(at("10:00:00.02"))
    assert world.ran() == [("22T10:00", "schedule")]


def test_what_is_saved_after_its_minute_began_is_not_due_in_it() -> None:
    world = seen(hourly("other"))
    world.until(at("10:00"))
    world.pipelines["etl"] = hourly()
    world.tick(at("10:00:20"))
    world.until(at("10:59"))
    assert world.ran() == []


def test_a_pipeline_that_came_while_the_daemon_was_down_is_new() -> None:
    world = seen(hourly("other"))
    world.restart()
    world.pipelines["etl"] = hourly()
    world.tick(at("12:00:00.5"))
    assert world.ran() == []


@pytest.mark.parametrize(
    ("start", "first"), [("2026-11-20", "2026-11-20T01:00"), ("2026-11-22", "2026-11-22T01:00"), (None, None)]
)
def test_all_since_its_start_is_owed_for_a_new_pipeline(start: str | None, first: str | None) -> None:
    world = World(hourly(catchup="all", start=start))
    world.tick(at("10:30"))
    assert [claim.span.end for claim in world.claims.values() if claim] == ([at(first)] if first else [])
    assert world.said() == []
    assert (world.outcome(at("10:00")) == "owed") == (first is not None)


def test_a_start_to_come_is_waited_for() -> None:
    world = World(hourly(catchup="all", start="2026-11-23"))
    world.tick(at("10:00:30"))
    assert world.cursors["etl"].decided_until == at("10:00:30")


# Edited


def test_an_edit_makes_nothing_of_the_past_new() -> None:
    world = seen(hourly(schedule=("0 1 * * *",)))
    world.edit(schedule=("0 2 * * *",))
    world.tick(at("09:31"))
    cursor = world.cursors["etl"]
    assert cursor.schedules == (
        InForce(at("09:30"), ("0 1 * * *",), "UTC"),
        InForce(at("09:30:59"), ("0 2 * * *",), "UTC"),
    )
    assert cursor.decided_until == at("09:30:59")
    assert (world.ran(), world.said()) == ([], [])


def test_what_was_due_before_an_edit_and_not_decided_is_recorded() -> None:
    world = seen(hourly())
    world.restart()
    world.edit(schedule=("*/10 * * * *",))
    world.tick(at("12:30"))
    assert (world.ran(), world.said()) == ([], [("edited", "22T09:00", "22T12:00", 3)])
    world.until(at("12:40"))
    assert world.ran() == [("22T12:40", "schedule")]


def test_what_is_recorded_after_an_edit_begins_with_the_edit() -> None:
    world = seen(hourly())
    world.edit(schedule=("30 * * * *",), enabled=False)
    world.until(at("11:30"))
    assert world.said() == [("disabled", "22T09:30:59.000Z", "22T11:30", 2)]


@pytest.mark.parametrize("schedule", [("0 10 * * *",), ("0 */2 * * *",)])
def test_what_is_due_in_the_minute_of_an_edit_is_due_by_the_new_schedule(schedule: tuple[str, ...]) -> None:
    world = seen(hourly())
    world.until(at("09:59"))
    world.edit(schedule=schedule)
    world.until(at("10:00:00.02"))
    assert world.ran() == [("22T10:00", "schedule")]
    (claim,) = filter(None, world.claims.values())
    assert claim.span.start < at("09:00"), "its period is the new schedule's"


@pytest.mark.parametrize(
    ("schedule", "same"),
    [
        (("0 * * * *",), True),
        (("00 * * * *",), True),
        (("0 * * * *", "0 3 * * *"), False),
        (("@hourly", "@reboot"), False),
        (("1 * * * *",), False),
    ],
)
def test_only_what_changes_the_meaning_is_an_edit(schedule: tuple[str, ...], *, same: bool) -> None:
    world = seen(hourly())
    world.edit(schedule=schedule, description="new", catchup="none")
    world.tick(at("09:31"))
    assert (len(world.cursors["etl"].schedules) == 1) == same


def test_another_zone_is_an_edit() -> None:
    world = seen(hourly())
    world.edit(timezone="Europe/Berlin")
    world.tick(at("09:31"))
    assert world.cursors["etl"].schedules[-1].timezone == "Europe/Berlin"


def test_so_is_another_zone_of_the_machine() -> None:
    world = seen(hourly(timezone=None, schedule=("0 11 * * *",)))
    assert world.cursors["etl"].schedules[-1].timezone == "UTC"
    world.zone = ZoneInfo("Europe/Berlin")
    world.tick(at("09:31"))
    assert world.cursors["etl"].schedules[-1].timezone == "Europe/Berlin"
    world.until(at("10:00"))
    assert world.ran() == [("22T10:00", "schedule")]


def test_what_waits_and_what_is_owed_outlasts_an_edit_as_it_was() -> None:
    world = seen(hourly(catchup="all"))
    world.until(at("12:00"))
    assert world.cursors["etl"].waiting == Waiting(at("12:00"), "schedule")
    world.edit(schedule=("30 * * * *",))
    world.until(at("12:10"))
    for minute in (11, 12):
        world.end()
        world.tick(at(f"12:{minute}"))
    spans = [(claim.span.start, claim.span.end) for claim in world.claims.values() if claim]
    assert spans == [(at(f"{hour - 1}:00") if hour > 10 else at("09:00"), at(f"{hour}:00")) for hour in (10, 12, 11)]


def test_a_schedule_that_is_taken_away_ends_its_due_times() -> None:
    world = seen(hourly())
    world.edit(schedule=())
    assert world.tick(at("09:31")).wake == float("inf")
    world.until(at("10:10"))
    assert (world.ran(), world.said()) == ([], [])


# Gone, and back


def test_a_pipeline_that_was_gone_starts_from_now() -> None:
    world = seen(hourly())
    gone = world.pipelines.pop("etl")
    world.until(at("09:32"))
    assert world.cursors["etl"].away == Away(at("09:31"), "absent")
    world.until(at("12:29"))
    world.pipelines["etl"] = gone
    world.until(at("12:30"))
    assert (world.ran(), world.said()) == ([], [("absent", "22T09:00", "22T12:00", 3)])
    assert world.cursors["etl"].away is None
    world.until(at("13:00"))
    assert world.ran() == [("22T13:00", "schedule")]


def test_all_since_its_start_is_owed_by_one_that_was_gone() -> None:
    world = seen(hourly(catchup="all", start="2026-11-22"))
    world.end()
    before = set(world.claims)
    gone = world.pipelines.pop("etl")
    world.until(at("11:29"))
    world.pipelines["etl"] = gone
    world.tick(at("11:30"))
    assert [world.outcome(at(f"{hour}:00")) for hour in (10, 11)] == ["owed", "owed"]
    assert len(world.claims) == len(before) + 1


def test_what_waited_is_over_when_its_pipeline_was_gone() -> None:
    world = seen(hourly())
    world.until(at("11:00"))
    gone = world.pipelines.pop("etl")
    world.tick(at("11:01"))
    world.pipelines["etl"] = gone
    world.tick(at("11:02"))
    assert world.said() == [("absent", "22T10:00", "22T11:00", 1)]
    assert world.cursors["etl"].waiting is None


def test_while_only_a_bad_file_is_there_periods_are_missed() -> None:
    world = seen(hourly())
    world.restart()
    fixed = world.pipelines.pop("etl")
    world.bad = {"etl"}
    world.until(at("12:29"))
    assert world.cursors["etl"].away == Away(at("09:31"), "file_bad")
    world.bad = set()
    world.pipelines["etl"] = fixed
    world.tick(at("12:30"))
    assert world.ran() == [("22T12:00", "catchup")]
    assert [line.because for line in world.decisions if line.pipeline] == ["file_bad"]


def test_a_bad_file_that_is_deleted_is_gone() -> None:
    world = seen(hourly())
    world.pipelines.clear()
    world.bad = {"etl"}
    world.tick(at("09:31"))
    world.bad = set()
    world.tick(at("09:32"))
    assert world.cursors["etl"].away == Away(at("09:31"), "absent")
    assert world.tick(at("09:33")).verdicts == ()


def test_a_zone_that_the_machine_has_lost_keeps_one_pipeline_from_being_planned() -> None:
    world = World(hourly(), hourly("lost", timezone="Mars/Olympus"))
    planned = world.tick(at("09:30"))
    assert list(world.cursors) == ["etl"]
    (warned,) = planned.warnings
    assert warned.pipeline == "lost"
    assert warned.text.startswith("can't be planned: 'Mars/Olympus' is not a time zone")


# The clock


def test_a_clock_set_back_by_seconds_is_waited_for() -> None:
    world = seen(hourly(schedule=("* * * * *",), overlap="allow"))
    world.until(at("10:00"))
    assert world.tick(at("09:59:30")).verdicts == ()
    world.until(at("10:01"))
    assert len(world.ran()) == 31


@pytest.mark.parametrize("overlap", ["queue", "skip", "replace", "allow"])
def test_a_clock_set_back_by_an_hour_does_nothing_twice(overlap: str) -> None:
    world = seen(hourly(schedule=("* * * * *",), overlap=overlap))
    for minute in range(1, 61):
        world.runs.clear()
        world.tick(at("09:30") + minute * 60)
    assert len(world.claims) == 60
    (warned,) = world.tick(at("09:35")).warnings
    assert warned.text == (
        "decided until 2026-11-22T10:30:00.000Z, and now it is 2026-11-22T09:35:00.000Z: "
        "the clock was wrong, or is; going on from now"
    )
    world.until(at("10:30"))
    assert len(world.claims) == 60
    assert [run.ending for run in world.runs["etl"]] == [False], "nothing takes the place of what has run"
    assert (world.said(), world.cursors["etl"].waiting) == ([], None)
    world.runs.clear()
    world.until(at("10:31"))
    assert len(world.claims) == 61
    assert world.cursors["etl"].ahead is None


def test_a_clock_that_was_years_ahead_silences_nobody() -> None:
    world = seen(hourly())
    world.tick(at("10:00") + 73 * YEAR)
    world.runs.clear()
    assert world.tick(at("10:05")).warnings != ()
    assert world.cursors["etl"].decided_until == at("10:05")
    world.until(at("12:00"))
    assert ("22T11:00", "schedule") in world.ran()
    assert world.outcome(at("12:00")) == "waiting"


@pytest.mark.parametrize("catchup", ["latest", "all", "none"])
def test_a_clock_that_was_behind_for_a_while_decides_nothing_again(catchup: str) -> None:
    world = seen(hourly(catchup=catchup, overlap="allow"))
    world.paused = {"etl"}
    world.until(at("12:00"))
    world.paused = set()
    world.until(at("13:00"))
    world.restart()
    world.tick(at("13:00") - 3 * DAY)
    world.tick(at("13:10"))
    assert world.ran() == [("22T13:00", "schedule")]
    assert [world.outcome(at(f"{hour}:00")) for hour in (10, 11, 12)] == ["paused"] * 3
    assert world.cursors["etl"].ahead is None


def test_what_waits_and_what_is_owed_in_a_wrong_future_is_forgotten() -> None:
    world = seen(hourly(catchup="all"))
    world.by_hand("etl", at("09:00"))
    world.tick(at("10:00") + YEAR)
    world.tick(at("10:05"))
    cursor = world.cursors["etl"]
    assert cursor.waiting is None
    assert all(span.end <= at("10:05") for span in cursor.owed)
    world.end()
    world.until(at("11:00"))
    assert world.outcome(at("11:00")) in {"claimed", "waiting"}


def test_a_schedule_edited_in_a_wrong_future_governs_from_now() -> None:
    world = seen(hourly())
    world.edit(schedule=("30 * * * *",))
    world.tick(at("10:00") + YEAR)
    world.tick(at("10:05"))
    assert [entry.since for entry in world.cursors["etl"].schedules] == [at("09:30"), at("10:05")]
    world.until(at("10:30"))
    assert ("22T10:30", "schedule") in world.ran()


@pytest.mark.parametrize("now", [0.0, 3600.0, 240_000_000_000.0])
def test_nothing_is_planned_by_a_clock_that_was_never_set(now: float) -> None:
    world = seen(hourly())
    planned = plan(world.situation(now), world.watches)
    assert planned.verdicts == ()
    assert [warned.text for warned in planned.warnings] == [
        "the clock is before the year 2000 or after 8000: nothing is planned until it is set"
    ]
    assert planned.watches == world.watches


# The boot


def boots(world: World) -> list[str]:
    return [run_id for _, run_id in world.claims if "-reboot-" in run_id]


def at_boot(**keys: Any) -> World:
    """A world with a pipeline that is run at each boot, in its first boot."""
    world = World(hourly(**({"schedule": ("@reboot",)} | keys)))
    world.tick(at("09:30"))
    return world


def test_once_for_each_boot() -> None:
    world = at_boot()
    assert boots(world) == ["20261122T093000.000Z-reboot-1c2f9a33"]
    world.end()
    world.until(at("09:35"))
    world.restart()
    world.until(at("09:40"))
    assert len(boots(world)) == 1
    world.restart(NEXT_BOOT)
    world.until(at("09:50"))
    assert boots(world)[1:] == ["20261122T094100.020Z-reboot-77e01b5d"]
    assert world.cursors["etl"].boot_id == NEXT_BOOT


def test_a_run_for_a_boot_sees_the_moment() -> None:
    (claim,) = only(World(hourly(schedule=("@reboot",))).tick(at("09:30"))).claims
    assert (claim.trigger, claim.span.start, claim.span.end) == ("reboot", at("09:30"), at("09:30"))
    assert claim.run_id == boot_run_id(at("09:30"), BOOT)


def test_a_crash_after_the_claim_does_not_boot_twice() -> None:
    world = World(hourly(schedule=("@reboot",)))
    for seconds in range(4):
        world.tick(at("09:30") + seconds, crash_after=seconds)
    world.tick(at("09:31"))
    assert len(boots(world)) == 1


def test_a_pipeline_that_comes_later_waits_for_the_next_boot() -> None:
    world = seen(hourly("other"))
    world.pipelines["etl"] = hourly(schedule=("@reboot",))
    world.tick(at("09:31"))
    assert boots(world) == []
    world.restart(NEXT_BOOT)
    world.tick(at("09:40"))
    assert len(boots(world)) == 1


@pytest.mark.parametrize("schedule", [("@reboot",), ("@hourly", "@reboot")])
def test_so_does_one_that_is_edited_to_run_at_boot(schedule: tuple[str, ...]) -> None:
    world = seen(hourly())
    world.edit(schedule=schedule)
    world.tick(at("09:31"))
    assert boots(world) == []
    world.restart(NEXT_BOOT)
    world.tick(at("09:40"))
    assert len(boots(world)) == 1


@pytest.mark.parametrize(
    ("keys", "reason"),
    [
        ({"enabled": False}, "disabled"),
        ({"start": "2026-11-23"}, "before_start"),
        ({"end": "2026-11-22"}, "after_end"),
    ],
)
def test_a_boot_that_does_not_count_is_recorded(keys: dict[str, Any], reason: str) -> None:
    world = at_boot(**keys)
    assert boots(world) == []
    assert world.said() == [(reason, "22T09:30", "22T09:30", 1)]
    world.edit(enabled=True, start=None, end=None)
    world.tick(at("09:31"))
    assert boots(world) == []


@pytest.mark.parametrize(
    ("overlap", "at_first", "later"), [("queue", 0, 1), ("replace", 0, 1), ("skip", 0, 0), ("allow", 1, 1)]
)
def test_a_boot_finds_the_slots_taken(overlap: str, at_first: int, later: int) -> None:
    world = World(hourly(schedule=("@reboot",), overlap=overlap))
    world.by_hand("etl", at("09:00"))
    world.tick(at("09:30"))
    assert len(boots(world)) == at_first
    world.end()
    world.tick(at("09:31"))
    assert len(boots(world)) == later
    assert world.said() == ([("overlap", "22T09:30", "22T09:30", 1)] if overlap == "skip" else [])


# The corrections of zones


@pytest.mark.parametrize(
    ("zone", "cron", "day", "due"),
    [
        ("Europe/Berlin", "30 2 * * *", "2026-03-29", ["01:00"]),
        ("Europe/Berlin", "30 * * * *", "2026-03-29", ["00:30", "01:30", "02:30"]),
        ("Europe/Berlin", "30 2 * * *", "2026-10-25", ["00:30"]),
        ("Europe/Berlin", "30 * * * *", "2026-10-25", ["00:30", "01:30", "02:30"]),
        ("Australia/Lord_Howe", "15 2 * * *", "2026-10-03", ["15:30"]),
        ("America/Santiago", "0 0 * * *", "2026-09-06", ["04:00"]),
    ],
)
def test_days_with_a_correction(zone: str, cron: str, day: str, due: list[str]) -> None:
    world = World(hourly(schedule=(cron,), timezone=zone, overlap="allow"))
    world.tick(at("00:00:10", day))
    hours = range(1, 4) if due[0] < "04" else range(1, 17)
    for hour in hours:
        for minute in range(0, 60, 5):
            world.previous = Tick(at("00:00", day), BOOT, 0.0)
            world.tick(at(f"{hour - 1:02}:{minute:02}:20", day))
    assert [claim.span.end for claim in world.claims.values() if claim] == [at(text, day) for text in due]
    assert {claim.trigger for claim in world.claims.values() if claim} == {"schedule"}


def test_the_same_plan_for_the_same_situation() -> None:
    world = seen(hourly(), hourly("b", catchup="all"))
    world.restart()

    def planned() -> Plan:
        return plan(world.situation(at("12:30")))

    assert planned() == planned()
