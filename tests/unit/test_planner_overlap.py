"""Who gets a slot: what overlaps is queued, skipped, replaces or is allowed, and what waits is not lost."""

from typing import Any

import pytest

from cronflow.cursor import Waiting
from cronflow.record import Trigger
from tests.unit.planning import at, hourly, only, seen


@pytest.mark.parametrize(
    ("keys", "ran", "waiting", "said"),
    [
        ({"overlap": "queue"}, [10], 12, [("superseded", "22T10:00", "22T11:00", 1)]),
        ({"overlap": "queue", "max_active_runs": 2}, [10, 11], 12, []),
        ({"overlap": "queue", "catchup": "all"}, [10], 12, []),
        ({"overlap": "skip"}, [10], None, [("overlap", "22T10:00", "22T12:00", 2)]),
        ({"overlap": "skip", "max_active_runs": 2}, [10, 11], None, [("overlap", "22T11:00", "22T12:00", 1)]),
        ({"overlap": "allow"}, [10, 11, 12], None, []),
        ({"overlap": "replace"}, [10], 12, [("superseded", "22T10:00", "22T11:00", 1)]),
    ],
)
def test_runs_that_take_longer_than_their_period(
    keys: dict[str, Any], ran: list[int], waiting: int | None, said: list[Any]
) -> None:
    world = seen(hourly(**keys))
    world.until(at("12:00:00.1"))
    assert world.ran() == [(f"22T{hour}:00", "schedule") for hour in ran]
    expected = None if waiting is None else Waiting(at(f"{waiting}:00"), "schedule")
    assert world.cursors["etl"].waiting == expected
    assert world.said() == said
    assert world.outcome(at("11:00")) in {"claimed", "superseded", "overlap", "owed"}


def test_what_waits_starts_as_soon_as_a_slot_is_free_and_was_in_time() -> None:
    world = seen(hourly())
    world.until(at("11:00"))
    world.until(at("11:40"))
    world.end()
    assert only(world.tick(at("11:40:03"))).claims[0].trigger == "schedule"
    assert world.cursors["etl"].waiting is None


def test_a_verdict_says_what_has_begun_to_wait() -> None:
    world = seen(hourly())
    world.until(at("10:59"))
    verdict = only(world.tick(at("11:00")))
    assert verdict.queued == Waiting(at("11:00"), "schedule")
    assert world.tick(at("11:01")).verdicts == ()


def test_what_waits_outlives_a_restart_whatever_catchup_says() -> None:
    world = seen(hourly(catchup="none"))
    world.until(at("11:00"))
    world.restart()
    world.end()
    world.tick(at("11:30"))
    assert world.ran() == [("22T10:00", "schedule"), ("22T11:00", "schedule")]


@pytest.mark.parametrize(("trigger", "cancelled"), [("schedule", True), ("manual", False), ("backfill", False)])
def test_replace_cancels_a_scheduled_run_and_no_other(trigger: Trigger, cancelled: bool) -> None:
    world = seen(hourly(overlap="replace"))
    world.by_hand("etl", at("09:00"), trigger=trigger)
    verdict = only(world.tick(at("10:00")))
    assert [cancel.run_id for cancel in verdict.cancels] == (["20261122T090000Z"] if cancelled else [])
    assert verdict.claims == ()
    assert world.tick(at("10:00:01")).verdicts == (), "once is enough"
    world.end()
    world.tick(at("10:00:09"))
    assert world.ran() == [("22T10:00", "schedule")]


def test_replace_with_several_slots_cancels_the_oldest() -> None:
    world = seen(hourly(overlap="replace", max_active_runs=2))
    world.until(at("11:00"))
    (cancel,) = only(world.tick(at("12:00"))).cancels
    assert (cancel.run_id, cancel.replaced_by) == ("20261122T100000Z", at("12:00"))


def test_replace_starts_nothing_that_it_would_cancel_at_once() -> None:
    world = seen(hourly(schedule=("*/2 * * * *",), overlap="replace"))
    world.restart()
    world.tick(at("10:00"))
    assert world.ran() == [("22T10:00", "schedule")]
    assert [world.outcome(at(text)) for text in ("09:56", "09:58")] == ["superseded", "superseded"]
    assert world.outcome(at("09:54")) == "waiting", "what catches up comes after, and is not of the newest's kind"


def test_replace_does_not_start_what_waited_before_something_newer() -> None:
    world = seen(hourly(overlap="replace"))
    world.restart()
    world.by_hand("etl", at("09:00"))
    world.tick(at("10:30"))
    assert world.cursors["etl"].waiting == Waiting(at("10:00"), "catchup")
    world.end()
    world.restart()
    world.tick(at("11:30"))
    assert world.ran() == [("22T11:00", "catchup")]
    assert world.outcome(at("10:00")) == "superseded"


def test_replace_never_cancels_a_newer_run_for_an_older_period() -> None:
    world = seen(hourly(overlap="replace"))
    world.restart()
    world.tick(at("12:02"))
    assert world.ran() == [("22T12:00", "schedule")]
    assert world.cursors["etl"].waiting == Waiting(at("11:00"), "catchup")
    assert world.tick(at("12:03")).verdicts == ()


def test_a_run_without_a_slot_stands_in_nobodys_way() -> None:
    world = seen(hourly(overlap="skip"))
    world.by_hand("etl", at("09:00"), has_slot=False)
    world.tick(at("10:00"))
    assert world.ran() == [("22T10:00", "schedule")]


def test_what_waited_starts_when_overlap_is_allowed_meanwhile() -> None:
    world = seen(hourly())
    world.until(at("11:00"))
    world.edit(overlap="allow")
    world.tick(at("11:01"))
    assert world.ran() == [("22T10:00", "schedule"), ("22T11:00", "schedule")]


def test_what_waited_and_was_started_by_hand_waits_no_more() -> None:
    world = seen(hourly())
    world.until(at("11:00"))
    world.by_hand("etl", at("11:00"))
    world.end()
    world.tick(at("11:01"))
    assert world.cursors["etl"].waiting is None
    assert world.ran() == [("22T10:00", "schedule")]
