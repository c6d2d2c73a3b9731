"""Due times: what Debian's cron was seen to do, what its main loop would do, and what must hold for any schedule."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise, takewhile
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cronflow.schedule import Schedule, ScheduleError, ZoneError, advice
from cronflow.schedule.expression import Reading, read
from cronflow.schedule.stretches import stretches

# What cron 3.0pl1 ran under a virtual clock; `due` is strictly after `after`, and empty where it never ran.
CASES = json.loads(Path(__file__).with_name("cron_cases.json").read_text(encoding="utf-8"))
MINUTE, HOUR, DAY, YEAR = 60, 3600, 86400, 366 * 86400
NOW = datetime(2026, 11, 22, 10, 15, 30, tzinfo=UTC).timestamp()

# Corrections by half an hour, at midnight, of two and three hours and of whole days; the other way round; at :45;
# and Boa Vista in 2000, whose two were closer than any others since 1970: a week.
ZONES = [
    "UTC",
    "Europe/Berlin",
    "Europe/Dublin",
    "Europe/Moscow",
    "America/Boa_Vista",
    "America/New_York",
    "America/Santiago",
    "America/Havana",
    "America/Sao_Paulo",
    "Africa/Casablanca",
    "Africa/Cairo",
    "Antarctica/Casey",
    "Antarctica/Troll",
    "Antarctica/Vostok",
    "Asia/Beirut",
    "Asia/Kathmandu",
    "Asia/Pyongyang",
    "Atlantic/Azores",
    "Australia/Lord_Howe",
    "Pacific/Apia",
    "Pacific/Chatham",
    "Pacific/Kwajalein",
]


def name_of(case: dict[str, Any]) -> str:
    return f"{case['cron']} {case['zone']}"


def instant(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def local(schedule: Schedule, times: Iterator[float]) -> list[str]:
    return [datetime.fromtimestamp(due, schedule.zone).isoformat() for due in times]


@pytest.mark.parametrize("case", [case for case in CASES if case["due"]], ids=name_of)
def test_as_cron_was_seen_to_run(case: dict[str, Any]) -> None:
    schedule = Schedule.of([case["cron"]], case["zone"])
    times = schedule.between(instant(case["after"]), instant(case["after"]) + 50 * YEAR)
    assert local(schedule, islice(times, len(case["due"]))) == case["due"]


@pytest.mark.parametrize("case", [case for case in CASES if case["due"]], ids=name_of)
def test_as_cron_was_seen_to_run_looking_back(case: dict[str, Any]) -> None:
    schedule = Schedule.of([case["cron"]], case["zone"])
    due = [instant(text) for text in case["due"]]
    assert [schedule.last_until(time) for time in due] == due
    assert [schedule.last_until(later - 1) for later in due[1:]] == due[:-1]


@pytest.mark.parametrize("case", [case for case in CASES if not case["due"]], ids=name_of)
def test_what_cron_never_ran_is_refused(case: dict[str, Any]) -> None:
    with pytest.raises(ScheduleError):
        Schedule.of([case["cron"]], case["zone"])


@pytest.mark.parametrize(
    ("expression", "due"),
    [
        ("@midnight", ["2024-01-02T00:00", "2024-01-03T00:00"]),
        ("@daily", ["2024-01-02T00:00", "2024-01-03T00:00"]),
        ("@yearly", ["2025-01-01T00:00", "2026-01-01T00:00"]),
        ("@annually", ["2025-01-01T00:00", "2026-01-01T00:00"]),
        ("@monthly", ["2024-02-01T00:00", "2024-03-01T00:00"]),
        ("0 0 1-31/2,*/7 * *", ["2024-01-03T00:00", "2024-01-05T00:00"]),
        ("0 0 29 2 *", ["2024-02-29T00:00", "2028-02-29T00:00"]),
    ],
)
def test_words_and_rare_days(expression: str, due: list[str]) -> None:
    schedule = Schedule.of([expression], "UTC")
    times = islice(schedule.between(instant("2024-01-01T00:00Z"), NOW + 10 * YEAR), 2)
    assert local(schedule, times) == [f"{time}:00+00:00" for time in due]


# A correction of three hours and more is taken as it comes: nothing is made good, and nothing held back.
@pytest.mark.parametrize(
    ("expression", "zone", "after", "due"),
    [
        ("30 2 * * *", "Antarctica/Troll", "2024-03-31T00:00+00:00", "2024-03-31T03:00:00+02:00"),
        ("30 1 * * *", "Antarctica/Casey", "2020-10-04T00:00+08:00", "2020-10-05T01:30:00+11:00"),
        ("0 12 30 12 *", "Pacific/Apia", "2011-12-01T00:00-10:00", "2012-12-30T12:00:00+14:00"),
        ("0 20 * * *", "Antarctica/Vostok", "1994-01-31T20:00+07:00", "1994-01-31T20:00:00+00:00"),
        ("30 23 * * *", "Antarctica/Casey", "2023-03-08T23:30+11:00", "2023-03-09T23:30:00+08:00"),
    ],
)
def test_large_corrections(expression: str, zone: str, after: str, due: str) -> None:
    schedule = Schedule.of([expression], zone)
    assert local(schedule, islice(schedule.between(instant(after), instant(after) + 2 * YEAR), 1)) == [due]


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "Pacific/Apia"])
def test_rare_times_are_found_both_ways(zone: str) -> None:
    """29 February on a Sunday: every 28 years, and 40 across 2100, which is no leap year."""
    schedule = Schedule.of(["0 12 29 2 */7"], zone)
    days = [due[:10] for due in local(schedule, schedule.between(NOW, NOW + 103 * YEAR))]
    assert days == ["2032-02-29", "2060-02-29", "2088-02-29", "2128-02-29"]
    before = schedule.last_until(NOW)
    assert before is not None
    assert local(schedule, iter([before]))[0][:10] == "2004-02-29"


def test_a_time_that_every_year_skips_ends_the_search() -> None:
    """New York's clock skips 02:00 on March's second Sunday since 2007; a job with `*` is not made good."""
    schedule = Schedule.of(["*/30 2 8-14 3 */7"], "America/New_York")
    assert schedule.next_after(NOW) is None
    assert list(schedule.between(NOW, NOW + 60 * YEAR)) == []
    before = schedule.last_until(NOW)
    assert before is not None
    assert local(schedule, iter([before])) == ["2006-03-12T02:30:00-05:00"]


def test_several_expressions_are_one_schedule_without_repeats() -> None:
    schedule = Schedule.of(["0 9 * * *", "@reboot", "0 9,17 * * 1-5", "@hourly"], "Europe/Berlin")
    hourly = Schedule.of(["@hourly"], "Europe/Berlin")
    assert list(schedule.between(NOW, NOW + 7 * DAY)) == list(hourly.between(NOW, NOW + 7 * DAY))
    two = Schedule.of(["30 17 * * 5", "0 9 * * *"], "UTC")
    assert local(two, islice(two.between(instant("2026-11-19T10:00Z"), NOW), 3)) == [
        "2026-11-20T09:00:00+00:00",
        "2026-11-20T17:30:00+00:00",
        "2026-11-21T09:00:00+00:00",
    ]


@pytest.mark.parametrize("expressions", [[], ["@reboot"]])
def test_a_schedule_without_times(expressions: list[str]) -> None:
    schedule = Schedule.of(expressions, "UTC")
    assert not schedule.has_times
    assert schedule.next_after(NOW) is None
    assert schedule.last_until(NOW) is None
    assert list(schedule.between(0, NOW)) == []


def test_due_times_begin_in_1970_and_end_with_the_calendar() -> None:
    schedule = Schedule.of(["@daily"], "UTC")
    assert schedule.next_after(-(10.0**9)) == 0
    assert schedule.last_until(-1) is None
    end = datetime(9000, 1, 1, tzinfo=UTC).timestamp()
    assert schedule.next_after(end) is None
    assert schedule.last_until(end + YEAR) == end - DAY


def test_an_unknown_zone_or_expression_is_refused() -> None:
    with pytest.raises(ZoneError):
        Schedule.of([], "Mars/Phobos")
    with pytest.raises(ScheduleError):
        Schedule.of(["@daily", "61 * * * *"], "UTC")


@pytest.mark.parametrize(
    ("expression", "zone", "sentences"),
    [
        ("*/15 * * * *", "UTC", []),
        ("*/30 */6 * */3 *", "UTC", []),
        ("10-50/7 * * * *", "UTC", []),
        ("@reboot", None, []),
        ("*/7 * * * *", "UTC", ["minute '*/7' is not every 7 minutes: it means 0, 7, 14, …, 56, then 0 again"]),
        ("0-59/35 * * * *", "UTC", ["minute '0-59/35' is not every 35 minutes: it means 0, 35, then 0 again"]),
        ("*/90 * * * *", "UTC", ["minute '*/90' is not every 90 minutes: it means 0 only"]),
        ("0 */5 * * *", "UTC", ["hour '*/5' is not every 5 hours: it means 0, 5, 10, 15, 20, then 0 again"]),
        ("0 0 */2 * *", "UTC", ["day '*/2' is not every 2 days: it means 1, 3, 5, …, 31, then 1 again"]),
        ("0 0 1 */5 *", "UTC", ["month '*/5' is not every 5 months: it means 1, 6, 11, then 1 again"]),
        ("0 0 * * */3", "UTC", ["weekday '*/3' is not every 3 weekdays: it means 0, 3, 6, then 0 again"]),
        (
            "0 0 13 * 5",
            "UTC",
            ["day and weekday are both given, and cron takes either: a day that matches one of them is enough"],
        ),
        (
            "30 2 * * *",
            "Europe/Berlin",
            ["2027-03-28 02:30 does not exist in Europe/Berlin, it is due at 03:00 on that day"],
        ),
        ("30 2 * * 1-6", "Europe/Berlin", []),
        ("30 3 * * *", "Europe/Berlin", []),
        ("*/30 2 * * *", "Europe/Berlin", []),
        (
            "@daily",
            "America/Santiago",
            ["2027-09-05 00:00 does not exist in America/Santiago, it is due at 01:00 on that day"],
        ),
    ],
)
def test_advice(expression: str, zone: str | None, sentences: list[str]) -> None:
    assert advice(expression, zone, NOW) == [f"{expression!r}: {sentence}" for sentence in sentences]


expressions = st.tuples(
    st.sampled_from(["*", "*/7", "*/15", "0", "30", "15,45", "0-59/20", "5-50/15"]),
    st.sampled_from(["*", "*/2", "*/5", "0", "1", "2", "0-3", "1,2,3", "23", "2-4/2", "0,20-23"]),
    st.sampled_from(["*", "*", "*", "*/2", "1,28-31", "1-15"]),
    st.sampled_from(["*", "*", "*", "*/3", "3,10", "9-12"]),
    st.sampled_from(["*", "*", "*", "*/2", "0", "sun,sat", "1-5"]),
).map(" ".join)


@st.composite
def moments(draw: st.DrawFn, zone: str) -> float:
    """An instant, mostly within a day and a half of a correction of the zone's clock."""
    year = draw(st.integers(1971, 2040))
    corrected = [stretch.start for stretch in stretches(ZoneInfo(zone), year) if stretch.offset != stretch.before]
    anchor = draw(st.sampled_from(corrected or [instant(f"{year}-06-15T00:00Z")]))
    return anchor + draw(st.integers(-36 * 60, 36 * 60)) * MINUTE + draw(st.sampled_from([0, 0, 0, 1, 29.5, 59.999]))


zones_and_moments = st.sampled_from(ZONES).flatmap(lambda zone: st.tuples(st.just(zone), moments(zone)))


def matches(reading: Reading, wall: int) -> bool:
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(minutes=wall)
    day, weekday = moment.day in reading.days, moment.isoweekday() % 7 in reading.weekdays
    return (
        moment.month in reading.months
        and moment.hour * 60 + moment.minute in reading.times
        and (day or weekday if reading.either_day else day and weekday)
    )


def cron(reading: Reading, zone: ZoneInfo, first: float, last: float) -> Iterator[float]:
    """cron's main loop, woken at each minute's start from `first` on: the instants at which it would start the job.

    It keeps a virtual time, the wall minute up to which all jobs have run, and looks at how far the clock is off.
    """

    def clock(now: float) -> int:
        moment = datetime.fromtimestamp(now, zone)
        return int(moment.replace(tzinfo=UTC).timestamp() // MINUTE)

    virtual = clock(first - MINUTE)
    for now in range(int(first), int(last) + 1, MINUTE):
        running = clock(now)
        late = running - virtual
        missed = range(virtual + 1, running + 1)
        if abs(late) > 180 or late == 1:
            started = matches(reading, running)
        elif late <= 0:
            started = not reading.fixed and matches(reading, running)
        elif reading.fixed or late <= 5:
            started = any(matches(reading, wall) for wall in missed)
        else:
            started = matches(reading, running)
        virtual = virtual if -180 <= late <= 0 else running
        if started:
            yield float(now)


@given(expressions, zones_and_moments)
def test_as_the_main_loop_of_cron_would_run_it(expression: str, place: tuple[str, float]) -> None:
    zone, moment = place
    first = moment // MINUTE * MINUTE
    schedule = Schedule.of([expression], zone)
    ran = list(cron(read(expression), schedule.zone, first - 6 * HOUR, first + 2 * DAY))
    after = first + HOUR
    assert [due for due in ran if due > after] == list(schedule.between(after, first + 2 * DAY))


@given(expressions, zones_and_moments)
def test_each_due_time_comes_after_the_one_before(expression: str, place: tuple[str, float]) -> None:
    zone, moment = place
    times = list(islice(Schedule.of([expression], zone).between(moment, moment + 50 * YEAR), 60))
    assert times
    assert moment < times[0]
    assert all(earlier < later for earlier, later in pairwise(times))


@given(st.lists(expressions, min_size=1, max_size=3), zones_and_moments)
def test_looking_back_is_the_inverse_of_looking_ahead(several: list[str], place: tuple[str, float]) -> None:
    zone, moment = place
    schedule = Schedule.of(several, zone)
    times = list(islice(schedule.between(moment, moment + 50 * YEAR), 40))
    for earlier, later in pairwise(times):
        assert schedule.next_after(earlier) == later
        assert schedule.last_until(earlier) == earlier
        assert schedule.last_until(later - 0.001) == earlier
        assert schedule.last_until((earlier + later) / 2) == earlier
    before = schedule.last_until(moment)
    assert before is None or schedule.next_after(before) == times[0]


@given(st.lists(expressions, min_size=1, max_size=3), zones_and_moments, st.integers(0, 3 * DAY))
def test_a_range_may_be_cut_anywhere(several: list[str], place: tuple[str, float], cut: int) -> None:
    zone, moment = place
    schedule = Schedule.of(several, zone)
    end = moment + 3 * DAY
    whole = list(schedule.between(moment, end))
    assert [*schedule.between(moment, moment + cut), *schedule.between(moment + cut, end)] == whole
    alone = {due for text in several for due in Schedule.of([text], zone).between(moment, end)}
    assert whole == sorted(alone)


@pytest.mark.parametrize("expression", ["7,22,37,52 0-4,23 * * *", "7,22,37,52 * * * *"])
@pytest.mark.parametrize(
    ("zone", "day"),
    [
        ("Europe/Berlin", "2026-03-29"),
        ("Europe/Berlin", "2026-10-25"),
        ("Atlantic/Azores", "2024-10-27"),
        ("America/Santiago", "2024-09-08"),
        ("Australia/Lord_Howe", "2024-04-07"),
        ("Antarctica/Troll", "2024-10-27"),
        ("Antarctica/Casey", "2023-03-09"),
        ("Antarctica/Vostok", "1994-02-01"),
        ("Pacific/Apia", "2011-12-30"),
    ],
)
def test_around_a_correction_it_does_not_matter_from_where_one_looks(expression: str, zone: str, day: str) -> None:
    schedule = Schedule.of([expression], zone)
    start = instant(f"{day}T00:00Z") - 1.5 * DAY
    times = list(schedule.between(start - DAY, start + 4 * DAY))
    for step in range(3 * 24 * 12):
        moment = start + step * 5 * MINUTE
        assert schedule.next_after(moment) == min(due for due in times if due > moment)
        assert schedule.last_until(moment) == max(due for due in times if due <= moment)


@pytest.mark.parametrize("name", ZONES)
def test_stretches_are_what_an_hourly_look_at_the_clock_shows(name: str) -> None:
    zone = ZoneInfo(name)

    def offset(at: float) -> float:
        return datetime.fromtimestamp(at, zone).replace(tzinfo=UTC).timestamp() - at

    for year in (1979, 1994, 2000, 2010, 2011, 2018, 2024, 2039):
        found = stretches(zone, year)
        assert found[0].start == instant(f"{year}-01-01T00:00Z")
        assert found[-1].end == instant(f"{year + 1}-01-01T00:00Z")
        assert all(earlier.end == later.start for earlier, later in pairwise(found))
        for stretch in found:
            assert stretch.before == offset(stretch.start - 1)
            assert {offset(at) for at in range(stretch.start, stretch.end, HOUR)} == {stretch.offset}
            assert offset(stretch.end - 1) == stretch.offset


def test_the_first_of_a_year_of_minutes_costs_no_more_than_one() -> None:
    times = Schedule.of(["* * * * *"], "Europe/Berlin").between(NOW, NOW + YEAR)
    assert next(times) == NOW // MINUTE * MINUTE + MINUTE
    assert sum(1 for _ in takewhile(lambda due: due <= NOW + DAY, times)) == 24 * 60 - 1
