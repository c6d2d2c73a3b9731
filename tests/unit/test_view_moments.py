"""Spans of time and amounts of memory, as people say them; the wall clock of a zone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cronflow.view.moments import away, between, lasted, memory
from cronflow.wall import Wall


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (-5, "0.0s"), (0, "0.0s"), (0.42, "0.4s"), (9.94, "9.9s"), (9.96, "10s"), (59.4, "59s"), (59.6, "1m00s"),
        (192, "3m12s"), (3599, "59m59s"), (3599.7, "1h00m"), (7500, "2h05m"), (86399, "23h59m"), (86400, "1d00h"),
        (360_000, "4d04h"), (1e9, "11574d01h"),
    ],
)  # fmt: skip
def test_lasted(seconds: float, said: str) -> None:
    assert lasted(seconds) == said


@pytest.mark.parametrize(
    ("gap", "said"),
    [
        (0, "now"), (0.9, "now"), (-0.9, "now"), (1, "in 1s"), (-42, "42s ago"), (-60, "1m ago"), (-3599, "59m ago"),
        (3600, "in 1h"), (-86399, "23h ago"), (-86400, "1d ago"), (-400 * 86400, "400d ago"),
    ],
)  # fmt: skip
def test_away(gap: float, said: str) -> None:
    assert away(1e9 + gap, 1e9) == said


@given(st.floats(0, 4e9), st.floats(0, 4e9))
def test_away_is_short(at: float, now: float) -> None:
    assert len(away(at, now)) <= 10


@pytest.mark.parametrize(
    ("amount", "said"),
    [(0, "0K"), (1024, "1K"), (1 << 20, "1M"), (25_165_824, "24M"), (1 << 30, "1.0G"), (3 << 40, "3072.0G")],
)
def test_memory(amount: int, said: str) -> None:
    assert memory(amount) == said


def test_between_counts_until_now_where_there_is_no_end() -> None:
    start = "2026-11-22T00:00:00.000Z"
    assert between(start, "2026-11-22T00:00:42.000Z", 0) == "42s"
    assert between(start, None, 1_795_305_600 + 60) == "1m00s"
    assert between(None, None, 0) == ""


@pytest.mark.parametrize(
    ("zone", "label", "minute"),
    [
        ("Europe/Berlin", "Europe/Berlin", "2026-11-22 01:00"),
        ("America/St_Johns", "America/St_Johns", "2026-11-21 20:30"),
        ("UTC", "UTC", "2026-11-22 00:00"),
        ("Etc/UTC", "UTC", "2026-11-22 00:00"),
        ("Atlantis/Capital", "UTC", "2026-11-22 00:00"),
        ("../../etc/passwd", "UTC", "2026-11-22 00:00"),
    ],
)
def test_a_wall_shows_its_zone(zone: str, label: str, minute: str) -> None:
    wall = Wall(zone)
    assert wall.label == label
    assert wall.minute("2026-11-22T00:00:00.000Z") == minute
    assert wall.second("2026-11-22T00:00:00.000Z") == f"{minute}:00"


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [("Europe/Berlin", "2026-03-29", 23), ("Europe/Berlin", "2026-10-25", 25), ("UTC", "2026-10-25", 24),
     ("Australia/Lord_Howe", "2026-04-05", 24.5), ("Pacific/Apia", "2011-12-30", 0)],
)  # fmt: skip
def test_a_local_day_is_as_long_as_it_was(zone: str, day: str, hours: float) -> None:
    start, end = Wall(zone).span(day)
    assert (end - start) / 3600 == hours


@pytest.mark.parametrize("day", ["2026-02-30", "tomorrow", "1969-12-31", "9999-01-01", ""])
def test_what_is_no_day_is_an_error(day: str) -> None:
    with pytest.raises(ValueError, match=r"day|due|isoformat"):
        Wall("UTC").span(day)
