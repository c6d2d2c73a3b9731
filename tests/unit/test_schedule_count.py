"""Counting due times: as many as there are one by one, over corrections of the clock too, and in no time."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cronflow.schedule import Schedule
from cronflow.schedule.count import count_between
from tests.unit.planning import at

DAY, YEAR = 86400, 366 * 86400
ZONES = [
    "UTC",
    "Europe/Berlin",
    "America/Santiago",
    "America/Havana",
    "America/St_Johns",
    "Australia/Lord_Howe",
    "Antarctica/Troll",
    "Antarctica/Vostok",
    "Africa/Casablanca",
    "Africa/Monrovia",
    "Pacific/Apia",
    "Pacific/Chatham",
]
CRONS = [
    "* * * * *",
    "*/7 * * * *",
    "15,45 2 * * *",
    "30 1-3 * * *",
    "0 0 * * *",
    "5 4 * * 1-5",
    "30 * 13 * 5",
    "0 12 29 2 *",
    "59 23 31 12 *",
    "@hourly",
    "@reboot",
]


def test_ten_years_of_minutes() -> None:
    schedule = Schedule.of(["* * * * *"], "Europe/Berlin")
    begin = at("00:00", "2016-11-22")
    assert count_between(schedule, begin, at("00:00")) == (at("00:00") - begin) / 60


@pytest.mark.parametrize(
    ("after", "until", "count"), [(0, 0, 0), (0, 60, 1), (-60, 60, 2), (1, 59, 0), (59, 60, 1), (60, 0, 0)]
)
def test_after_is_out_and_until_is_in(after: float, until: float, count: int) -> None:
    schedule = Schedule.of(["* * * * *"], "UTC")
    assert count_between(schedule, at("10:00") + after, at("10:00") + until) == count


def test_what_two_expressions_share_counts_once() -> None:
    schedule = Schedule.of(["0 * * * *", "0,30 * * * *"], "UTC")
    assert count_between(schedule, at("00:00"), at("12:00")) == 24


@given(
    crons=st.lists(st.sampled_from(CRONS), min_size=1, max_size=3),
    zone=st.sampled_from(ZONES),
    after=st.integers(0, 60 * YEAR),
    length=st.integers(0, 4 * DAY) | st.integers(0, 40 * DAY),
    second=st.sampled_from([0.0, 0.5]),
)
def test_as_many_as_one_by_one(crons: list[str], zone: str, after: int, length: int, second: float) -> None:
    schedule = Schedule.of(crons, zone)
    until = after + length
    assert count_between(schedule, after + second, until) == sum(1 for _ in schedule.between(after + second, until))


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("crons", [["*/10 * * * *"], ["15,45 2 * * *", "30 * * * *"], ["0 0 * * *", "15 3 * * 0"]])
def test_as_many_through_years_with_corrections(zone: str, crons: list[str]) -> None:
    schedule = Schedule.of(crons, zone)
    for year in (1994, 2011, 2026):
        begin = at("00:00", f"{year}-01-01")
        whole = count_between(schedule, begin, begin + 365 * DAY)
        assert whole == sum(count_between(schedule, begin + day * DAY, begin + (day + 1) * DAY) for day in range(365))
    for month in ("2026-03", "2026-04", "2026-09", "2026-10", "2011-12", "1994-01"):
        begin = at("00:00", f"{month}-01")
        dues = sum(1 for _ in schedule.between(begin, begin + 31 * DAY))
        assert count_between(schedule, begin, begin + 31 * DAY) == dues
