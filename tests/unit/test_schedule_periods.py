"""Periods: which one is due, which one is named, and what a task is told of it."""

from datetime import UTC, datetime
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cronflow.schedule import PeriodError, Schedule, Span, latest_ended, span_due_at, span_for, span_variables

BERLIN = "Europe/Berlin"
DAILY = Schedule.of(["0 1 * * *"], BERLIN)
TWICE = Schedule.of(["0 6,18 * * *"], BERLIN)
HOURLY = Schedule.of(["@hourly"], BERLIN)
WEEKLY = Schedule.of(["0 0 * * 1"], BERLIN)
MINUTELY = Schedule.of(["* * * * *"], BERLIN)
BY_HAND = Schedule.of([], BERLIN)
AT_BOOT = Schedule.of(["@reboot"], BERLIN)
AT_MIDNIGHT = Schedule.of(["@daily"], "America/Santiago")  # whose clock is corrected at midnight
FORMS = "expected a day (2026-11-22), today, yesterday or an instant (2026-11-22T01:00:00+01:00)"
NOW = datetime(2026, 11, 22, 10, 15, 30, tzinfo=UTC).timestamp()  # a Sunday, 11:15:30 in Berlin


def instant(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def span(start: str, end: str) -> Span:
    return Span(instant(start), instant(end))


def test_the_run_due_on_sunday_is_for_the_period_since_saturday() -> None:
    due = instant("2026-11-22T01:00+01:00")
    assert span_due_at(DAILY, due) == span("2026-11-21T01:00+01:00", "2026-11-22T01:00+01:00")
    assert latest_ended(DAILY, NOW) == span_due_at(DAILY, due)


@pytest.mark.parametrize(
    ("due", "hours"),
    [("2026-03-29T03:00+02:00", 23), ("2026-03-30T03:00+02:00", 24), ("2026-10-25T03:00+01:00", 25)],
)
def test_a_period_is_as_long_as_its_day(due: str, hours: int) -> None:
    found = span_due_at(Schedule.of(["0 3 * * *"], BERLIN), instant(due))
    assert (found.end - found.start) / 3600 == hours


def test_no_period_without_times() -> None:
    assert latest_ended(BY_HAND, NOW) is None
    with pytest.raises(PeriodError) as refusal:
        span_due_at(BY_HAND, NOW)
    assert str(refusal.value) == "no due time comes before 2026-11-22T11:15:30+01:00"


def test_the_first_due_time_of_all_ends_no_period() -> None:
    daily = Schedule.of(["@daily"], "UTC")
    assert latest_ended(daily, 3600.0) is None
    assert latest_ended(daily, 90_000.0) == Span(0, 86400)


@pytest.mark.parametrize(
    ("schedule", "text", "found"),
    [
        (DAILY, "2026-11-20", span("2026-11-20T01:00+01:00", "2026-11-21T01:00+01:00")),
        (DAILY, "yesterday", span("2026-11-21T01:00+01:00", "2026-11-22T01:00+01:00")),
        (DAILY, "2026-11-20T01:00", span("2026-11-20T01:00+01:00", "2026-11-21T01:00+01:00")),
        (DAILY, "2026-11-20T01:00:00+01:00", span("2026-11-20T01:00+01:00", "2026-11-21T01:00+01:00")),
        (DAILY, "2026-11-20T00:00:00.000Z", span("2026-11-20T01:00+01:00", "2026-11-21T01:00+01:00")),
        (DAILY, "20261120T000000Z", span("2026-11-20T01:00+01:00", "2026-11-21T01:00+01:00")),
        (DAILY, "20261120", span("2026-11-20T01:00+01:00", "2026-11-21T01:00+01:00")),
        (HOURLY, "2026-11-22T10:00", span("2026-11-22T10:00+01:00", "2026-11-22T11:00+01:00")),
        (HOURLY, "2026-10-25T02:00+02:00", span("2026-10-25T02:00+02:00", "2026-10-25T02:00+01:00")),
        (HOURLY, "2026-10-25T02:00+01:00", span("2026-10-25T02:00+01:00", "2026-10-25T03:00+01:00")),
        (WEEKLY, "2026-11-09", span("2026-11-09T00:00+01:00", "2026-11-16T00:00+01:00")),
        (AT_MIDNIGHT, "2026-09-05", span("2026-09-05T00:00-04:00", "2026-09-06T01:00-03:00")),
        (AT_MIDNIGHT, "2026-09-06", span("2026-09-06T01:00-03:00", "2026-09-07T00:00-03:00")),
        (AT_MIDNIGHT, "2026-04-04", span("2026-04-04T00:00-03:00", "2026-04-05T00:00-04:00")),
    ],
)
def test_a_period_by_its_start(schedule: Schedule, text: str, found: Span) -> None:
    assert span_for(schedule, text, NOW, None, None) == found


@pytest.mark.parametrize(
    ("schedule", "text", "message"),
    [
        (BY_HAND, "today", "there are no due times, so no period 'today': leave the date out"),
        (AT_BOOT, "today", "there are no due times, so no period 'today': leave the date out"),
        (DAILY, "soon", f"'soon' names no period, {FORMS}"),
        (DAILY, "", f"'' names no period, {FORMS}"),
        (DAILY, "2026-02-30", f"'2026-02-30' names no period, {FORMS}"),
        (DAILY, "22.11.2026", f"'22.11.2026' names no period, {FORMS}"),
        (
            DAILY,
            "0001-01-01T00:00+14:00",
            "no period starts at 0001-01-01T00:00+14:00; the nearest start at 1970-01-01T01:00:00+01:00",
        ),
        (
            DAILY,
            "today",
            (
                "the period that starts at 2026-11-22T01:00:00+01:00 has not ended: "
                "it ends at 2026-11-23T01:00:00+01:00 (Europe/Berlin)"
            ),
        ),
        (
            DAILY,
            "2027-01-01",
            (
                "the period that starts at 2027-01-01T01:00:00+01:00 has not ended: "
                "it ends at 2027-01-02T01:00:00+01:00 (Europe/Berlin)"
            ),
        ),
        (
            HOURLY,
            "2026-11-22T11:00",
            (
                "the period that starts at 2026-11-22T11:00:00+01:00 has not ended: "
                "it ends at 2026-11-22T12:00:00+01:00 (Europe/Berlin)"
            ),
        ),
        (
            WEEKLY,
            "2026-11-10",
            "no period starts on 2026-11-10; the nearest start on 2026-11-09 and 2026-11-16",
        ),
        (DAILY, "1960-01-01", "no period starts on 1960-01-01; the nearest start on 1970-01-01"),
        (DAILY, "9999-12-31", "no period starts on 9999-12-31; the nearest start on 8999-12-31"),
        (DAILY, "0001-01-01", "no period starts on 0001-01-01; the nearest start on 1970-01-01"),
        (
            DAILY,
            "2026-11-20T02:00",
            (
                "no period starts at 2026-11-20T02:00; "
                "the nearest start at 2026-11-20T01:00:00+01:00 and 2026-11-21T01:00:00+01:00"
            ),
        ),
        (
            DAILY,
            "2026-11-20T01:00Z",
            (
                "no period starts at 2026-11-20T01:00Z; "
                "the nearest start at 2026-11-20T01:00:00+01:00 and 2026-11-21T01:00:00+01:00"
            ),
        ),
        (
            HOURLY,
            "2026-03-29T02:30",
            (
                "no period starts at 2026-03-29T02:30; "
                "the nearest start at 2026-03-29T01:00:00+01:00 and 2026-03-29T04:00:00+02:00"
            ),
        ),
        (
            HOURLY,
            "2026-10-25T02:00",
            (
                "the clock in Europe/Berlin shows 2026-10-25T02:00 twice: "
                "write 2026-10-25T02:00:00+02:00 or 2026-10-25T02:00:00+01:00"
            ),
        ),
        (
            TWICE,
            "yesterday",
            (
                "2 periods start on 2026-11-21: name one by its start, "
                "2026-11-21T06:00:00+01:00, 2026-11-21T18:00:00+01:00"
            ),
        ),
        (
            HOURLY,
            "2026-10-25",
            (
                "25 periods start on 2026-10-25: name one by its start, "
                "2026-10-25T00:00:00+02:00, 2026-10-25T01:00:00+02:00, 2026-10-25T02:00:00+02:00, …"
            ),
        ),
        (
            MINUTELY,
            "2026-03-29",
            (
                "1380 periods start on 2026-03-29: name one by its start, "
                "2026-03-29T00:00:00+01:00, 2026-03-29T00:01:00+01:00, 2026-03-29T00:02:00+01:00, …"
            ),
        ),
    ],
)
def test_what_names_no_period_is_refused_in_words(schedule: Schedule, text: str, message: str) -> None:
    with pytest.raises(PeriodError) as refusal:
        span_for(schedule, text, NOW, None, None)
    assert str(refusal.value) == message


def test_a_repeated_local_time_is_plain_where_only_one_of_the_two_is_a_start() -> None:
    at_two = Schedule.of(["0 2 * * *"], BERLIN)
    found = span_for(at_two, "2026-10-25T02:00", NOW, None, None)
    assert found == span("2026-10-25T02:00+02:00", "2026-10-26T02:00+01:00")


@pytest.mark.parametrize(
    ("day", "message"),
    [
        (
            "2026-09-30",
            "starts at 2026-09-30T01:00:00+02:00 does not belong to the pipeline, which starts on 2026-10-01",
        ),
        ("2026-10-01", None),
        ("2026-10-31", None),
        (
            "2026-11-01",
            "starts at 2026-11-01T01:00:00+01:00 does not belong to the pipeline, which ends before 2026-11-01",
        ),
    ],
)
def test_a_period_belongs_from_the_start_until_before_the_end(day: str, message: str | None) -> None:
    if message is None:
        assert span_for(DAILY, day, NOW, "2026-10-01", "2026-11-01").start < NOW
        return
    with pytest.raises(PeriodError) as refusal:
        span_for(DAILY, day, NOW, "2026-10-01", "2026-11-01")
    assert str(refusal.value) == f"the period that {message}"


def test_what_a_task_is_told() -> None:
    found = span("2026-10-25T01:00+02:00", "2026-10-26T01:00+01:00")
    assert span_variables(found, ZoneInfo(BERLIN)) == {
        "CRONFLOW_LOGICAL_DATE": "2026-10-25T01:00:00+02:00",
        "CRONFLOW_INTERVAL_START": "2026-10-25T01:00:00+02:00",
        "CRONFLOW_INTERVAL_END": "2026-10-26T01:00:00+01:00",
        "CRONFLOW_SCHEDULED_AT": "2026-10-26T01:00:00+01:00",
        "CRONFLOW_DS": "2026-10-25",
        "CRONFLOW_DS_NODASH": "20261025",
        "CRONFLOW_SCHEDULED_DS": "2026-10-26",
    }


def test_a_run_without_a_period_is_told_its_moment() -> None:
    told = span_variables(Span(NOW + 0.987, NOW + 0.987), ZoneInfo("Asia/Kolkata"))
    assert set(told.values()) == {"2026-11-22T15:45:30+05:30", "2026-11-22", "20261122"}


@given(
    st.sampled_from(["0 1 * * *", "@hourly", "*/20 * * * *", "30 2 * * 1-5", "0 0 1 * *"]),
    st.sampled_from(["UTC", BERLIN, "America/Santiago", "Australia/Lord_Howe", "Pacific/Apia"]),
    st.integers(1_200_000_000, 1_900_000_000),
)
def test_periods_leave_no_gap_and_each_is_found_by_its_own_start(cron: str, zone: str, now: int) -> None:
    schedule = Schedule.of([cron], zone)
    spans = [span_due_at(schedule, due) for due in schedule.between(now - 3 * 86400, now)]
    assert all(earlier.end == later.start for earlier, later in pairwise(spans))
    if spans:
        assert latest_ended(schedule, now) == spans[-1]
    for found in spans[:3]:
        text = datetime.fromtimestamp(found.start, schedule.zone).isoformat()
        assert span_for(schedule, text, now, None, None) == found
