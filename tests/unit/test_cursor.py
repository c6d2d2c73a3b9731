"""The cursor: which schedule was in force when, what is owed, a clock that was set back, and the file that keeps it."""

import os
import stat
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cronflow.cursor import (
    MOST_SCHEDULES,
    Away,
    Cursor,
    InForce,
    Waiting,
    periods_between,
    reigns,
    schedule_in_force,
)
from cronflow.errors import StateTrouble
from cronflow.schedule import Schedule, Span, ZoneError
from cronflow.state import cursors
from cronflow.state.cursors import UnreadableCursor
from cronflow.state.layout import Layout
from tests.unit.planning import at, hourly

ONE = InForce(at("09:00"), ("0 1 * * *",), "UTC")
TWO = InForce(at("12:00"), ("0 2 * * *",), "UTC")
DAILY = hourly(schedule=("0 2 * * *",))


def cursor(*schedules: InForce, until: float = at("12:00"), **keys: Any) -> Cursor:
    return Cursor(decided_until=until, schedules=schedules or (ONE, TWO), **keys)


def day(text: str) -> float:
    return at("00:00", text)


# Which schedule was in force


@pytest.mark.parametrize(
    ("due", "expected"),
    [("08:00", ONE), ("09:00", ONE), ("11:00", ONE), ("12:00", ONE), ("12:00:01", TWO), ("23:00", TWO)],
)
def test_a_schedule_governs_what_is_due_after_it_began(due: str, expected: InForce) -> None:
    assert cursor().in_force(at(due)) is expected


def test_moving_a_due_time_does_not_make_last_month_new() -> None:
    spans = list(periods_between(cursor(), DAILY, day("2026-11-19"), day("2026-11-25")))
    assert [span.end for span in spans] == [
        at("01:00", "2026-11-20"),
        at("01:00", "2026-11-21"),
        at("01:00", "2026-11-22"),
        at("02:00", "2026-11-23"),
        at("02:00", "2026-11-24"),
        at("02:00", "2026-11-25"),
    ]
    assert spans[3].start == at("02:00", "2026-11-22"), "the new schedule's own period"


def test_without_a_cursor_the_file_is_all_there_is() -> None:
    spans = list(periods_between(None, DAILY, day("2026-11-19"), day("2026-11-21")))
    assert [span.end for span in spans] == [at("02:00", "2026-11-20"), at("02:00", "2026-11-21")]
    assert schedule_in_force(None, DAILY, 0.0) == Schedule.of(("0 2 * * *",), "UTC")


def test_an_edit_that_no_daemon_has_seen_governs_what_is_not_decided() -> None:
    edited = hourly(schedule=("30 4 * * *",))
    found = reigns(cursor(until=at("15:00")), edited)
    assert [reign.until for reign in found] == [at("12:00"), at("15:00"), float("inf")]
    assert schedule_in_force(cursor(until=at("15:00")), edited, at("15:00")) == Schedule.of(("0 2 * * *",), "UTC")
    assert schedule_in_force(cursor(until=at("15:00")), edited, at("15:01")) == Schedule.of(("30 4 * * *",), "UTC")


def test_a_pipeline_without_due_times_has_no_periods() -> None:
    assert list(periods_between(None, hourly(schedule=("@reboot",)), 0.0, at("12:00"))) == []


def test_a_zone_that_is_gone_is_read_as_the_one_there_is() -> None:
    lost = InForce(at("09:00"), ("0 1 * * *",), "Mars/Olympus")
    assert schedule_in_force(cursor(lost), DAILY, at("08:00")) == Schedule.of(("0 2 * * *",), "UTC")
    with pytest.raises(ZoneError):
        reigns(cursor(), hourly(timezone="Mars/Olympus"))


@given(
    edits=st.lists(
        st.tuples(st.integers(0, 200), st.sampled_from(["@hourly", "*/7 * * * *", "30 2 * * *"])), max_size=4
    ),
    zone=st.sampled_from(["UTC", "Europe/Berlin"]),
)
def test_due_times_ascend_through_all_edits(edits: list[tuple[int, str]], zone: str) -> None:
    begin = at("12:00", "2026-10-22")
    entries = [InForce(begin + hours * 3600.0, (cron,), zone) for hours, cron in sorted(edits)]
    known = cursor(InForce(begin, ("@daily",), zone), *entries, until=begin + 300 * 3600)
    pipeline = hourly(schedule=known.schedules[-1].schedule, timezone=zone)
    spans = list(periods_between(known, pipeline, begin - 86400, begin + 200 * 3600))
    assert all(one.end < two.end for one, two in pairwise(spans))
    for span in spans:
        entry = known.in_force(span.end)
        assert entry.calendar(Schedule.of((), "UTC")).last_until(span.end) == span.end


def test_schedules_are_bounded_and_the_first_one_stays() -> None:
    known = cursor(ONE)
    for number in range(MOST_SCHEDULES + 5):
        known = known.governed_by(InForce(at("10:00") + number, (f"{number % 60} * * * *",), "UTC"))
    assert len(known.schedules) == MOST_SCHEDULES
    assert known.schedules[0] is ONE
    assert known.decided_until == known.schedules[-1].since == at("10:00") + MOST_SCHEDULES + 4


# What is owed


def test_owed_periods_that_touch_are_one_span() -> None:
    known = cursor(ONE).owing(Span(100.0, 200.0)).owing(Span(300.0, 400.0)).owing(Span(200.0, 300.0))
    assert known.owed == (Span(100.0, 400.0),)
    assert known.owing(Span(150.0, 500.0)).owed == (Span(100.0, 500.0),)
    assert [known.is_owed(due) for due in (100.0, 101.0, 400.0, 401.0)] == [False, True, True, False]


def test_owed_periods_of_two_schedules_stay_two_spans() -> None:
    noon = at("12:00")
    known = cursor().owing(Span(noon - 60, noon)).owing(Span(noon, noon + 60))
    assert known.owed == (Span(noon - 60, noon), Span(noon, noon + 60))


# A clock that is set back


def test_a_clock_set_back_leaves_nothing_in_the_future() -> None:
    known = cursor(
        until=at("15:00"),
        waiting=Waiting(at("15:00"), "schedule"),
        owed=(Span(at("10:00"), at("11:00")), Span(at("11:20"), at("14:00"))),
    )
    back = known.set_back(at("11:30"))
    assert back.decided_until == at("11:30")
    assert back.waiting is None
    assert back.owed == (Span(at("10:00"), at("11:00")), Span(at("11:20"), at("11:30")))
    assert [entry.since for entry in back.schedules] == [at("09:00"), at("11:30")]


@pytest.mark.parametrize(
    ("keys", "ahead"),
    [
        ({}, "15:00"),
        ({"waiting": Waiting(at("14:00"), "schedule")}, "13:59:59"),
        ({"waiting": Waiting(at("13:00"), "schedule")}, "15:00"),
        ({"owed": (Span(at("14:10"), at("14:30")),)}, "14:10"),
        ({"owed": (Span(at("12:10"), at("14:30")),)}, None),
        ({"owed": (Span(at("12:10"), at("12:30")),)}, "15:00"),
        ({"ahead": at("16:00")}, "16:00"),
        ({"ahead": at("16:00"), "waiting": Waiting(at("14:00"), "schedule")}, "13:59:59"),
        ({"schedules": (ONE, InForce(at("14:00"), ("@hourly",), "UTC"))}, None),
    ],
)
def test_what_was_decided_ahead_of_the_clock_counts_as_far_as_it_was_done(
    keys: dict[str, Any], ahead: str | None
) -> None:
    known = msgspec.structs.replace(cursor(until=at("15:00")), **keys)
    assert known.set_back(at("13:00")).ahead == (None if ahead is None else at(ahead))


def test_a_clock_that_caught_up_goes_on_from_where_it_had_been() -> None:
    back = cursor(until=at("15:00")).set_back(at("13:00")).caught_up()
    assert (back.decided_until, back.ahead) == (at("15:00"), None)


# On disk

FULL = cursor(
    until=at("15:00"),
    waiting=Waiting(at("15:00"), "catchup"),
    owed=(Span(at("10:00"), at("11:00")),),
    boot_id="1c2f9a33",
    away=Away(at("15:01"), "file_bad"),
    ahead=at("16:00"),
)


@pytest.fixture
def place(tmp_path: Path) -> Layout:
    return Layout(str(tmp_path / "state"))


@pytest.mark.parametrize("known", [cursor(ONE), FULL, cursor(InForce(0.0, (), None))])
def test_a_cursor_comes_back_as_it_was_written(place: Layout, known: Cursor) -> None:
    cursors.write_all(place, {"etl": known})
    assert cursors.read(place, "etl") == known
    assert stat.S_IMODE(os.stat(cursors.path(place, "etl")).st_mode) == 0o600


def test_the_file_is_for_people_and_other_versions_too(place: Layout) -> None:
    cursors.write_all(place, {"etl": FULL})
    stored = msgspec.json.decode(Path(cursors.path(place, "etl")).read_bytes())
    assert stored == {
        "schema": 1,
        "decided_until": "2026-11-22T15:00:00.000Z",
        "waiting": {"scheduled_at": "2026-11-22T15:00:00.000Z", "trigger": "catchup"},
        "owed": [{"from": "2026-11-22T10:00:00.000Z", "to": "2026-11-22T11:00:00.000Z"}],
        "schedules": [
            {"since": "2026-11-22T09:00:00.000Z", "schedule": ["0 1 * * *"], "timezone": "UTC"},
            {"since": "2026-11-22T12:00:00.000Z", "schedule": ["0 2 * * *"], "timezone": "UTC"},
        ],
        "boot_id": "1c2f9a33",
        "away": {"since": "2026-11-22T15:01:00.000Z", "why": "file_bad"},
        "ahead": "2026-11-22T16:00:00.000Z",
    }
    stored["more"] = [1]
    for missing in ("waiting", "owed", "boot_id", "away", "ahead", "schema"):
        del stored[missing]
    Path(cursors.path(place, "etl")).write_bytes(msgspec.json.encode(stored))
    assert cursors.read(place, "etl") == cursor(until=at("15:00"))


def test_no_cursor_where_none_was_written(place: Layout) -> None:
    assert cursors.read(place, "etl") is None
    assert cursors.take_all(place) == cursors.Found({}, {}, [])
    cursors.write_all(place, {})
    os.makedirs(place.pipeline("by_hand"))
    assert cursors.take_all(place) == cursors.Found({}, {}, [])


def test_many_cursors_are_written_together_and_nothing_is_left_behind(place: Layout) -> None:
    many = {f"etl{number}": cursor(until=float(number)) for number in range(3 * cursors.AT_ONCE + 1)}
    cursors.write_all(place, many)
    cursors.write_all(place, many)
    assert cursors.take_all(place).cursors == many
    assert [names for _, _, names in os.walk(place.pipelines) if names not in ([], ["cursor.json"])] == []


def test_a_cursor_cut_anywhere_is_put_aside_and_stops_no_other(place: Layout) -> None:
    cursors.write_all(place, {"etl": FULL, "good": FULL})
    path = Path(cursors.path(place, "etl"))
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(UnreadableCursor):
            cursors.read(place, "etl")
    found = cursors.take_all(place)
    assert found.cursors == {"good": FULL}
    (said,) = found.said
    assert said.startswith(f"{path}: cursor unreadable: ")
    assert said.endswith(f"; put aside as {path}.bad")
    assert cursors.take_all(place) == cursors.Found({"good": FULL}, {}, [])


@pytest.mark.parametrize(
    "content",
    [
        b"[]",
        b"\0" * 400,
        b'{"decided_until": "soon", "schedules": [{"since": "2026-11-22T09:00Z", "schedule": [], "timezone": null}]}',
        b'{"decided_until": "2026-11-22T09:00:00Z", "schedules": []}',
        b"[" * 100_000,
        '{"decided_until": "ä'.encode("latin-1"),
    ],
)
def test_garbage_is_no_cursor(place: Layout, content: bytes) -> None:
    os.makedirs(place.pipeline("etl"))
    Path(cursors.path(place, "etl")).write_bytes(content)
    with pytest.raises(UnreadableCursor, match="cursor unreadable"):
        cursors.read(place, "etl")


def test_a_cursor_of_a_newer_cronflow_is_left_alone_and_its_pipeline_too(place: Layout) -> None:
    os.makedirs(place.pipeline("etl"))
    path = Path(cursors.path(place, "etl"))
    path.write_text('{"schema": 2, "decided_until": 7}', encoding="utf-8")
    with pytest.raises(StateTrouble, match="written by a newer cronflow"):
        cursors.read(place, "etl")
    found = cursors.take_all(place)
    assert list(found.refused) == ["etl"]
    assert (found.cursors, found.said) == ({}, [])
    assert path.exists()


def test_what_can_not_be_written_says_so_and_leaves_what_was_there(place: Layout) -> None:
    cursors.write_all(place, {"etl": FULL})
    os.makedirs(f"{place.pipeline('other')}/cursor.json")
    with pytest.raises(StateTrouble, match=r"pipelines: can't write the cursors: "):
        cursors.write_all(place, {"other": FULL})
    assert os.listdir(place.pipeline("other")) == ["cursor.json"], "no draft is left"
    assert cursors.read(place, "etl") == FULL
