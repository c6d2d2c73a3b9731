"""Decisions not to run: what two of them are together, what they say of a period, and the files that keep them."""

import os
import stat
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cronflow import instant
from cronflow.decision import Decision, decided, gaps, join, merged
from cronflow.errors import StateTrouble
from cronflow.state import decisions
from cronflow.state.layout import Layout
from tests.unit.planning import at

DAY = "2026-11-22"


def hours(first: int, last: int, reason: str = "paused", **keys: Any) -> Decision:
    """The hourly periods from one hour to another of a Sunday."""
    start, end = (instant.to_text(at(f"{hour:02}:00")) for hour in (first, last))
    told = {"at": end, "pipeline": "etl", "count": last - first} | keys
    return Decision(reason=reason, start=start, end=end, **told)


def due(hour: int) -> str:
    return instant.to_text(at(f"{hour:02}:00"))


def gap(first: int, last: int) -> Decision:
    return hours(first, last, "daemon_down", pipeline=None, count=None)


# Two of them together


@pytest.mark.parametrize(
    ("one", "later", "together"),
    [
        (hours(1, 2), hours(2, 3), hours(1, 3)),
        (hours(1, 4), hours(4, 9), hours(1, 9)),
        (hours(1, 4), hours(4, 9, count=None), hours(1, 9, count=None)),
        (hours(1, 4), hours(1, 4), hours(1, 4)),
        (hours(1, 4), hours(1, 6), hours(1, 6)),
        (hours(1, 4), hours(2, 3), hours(1, 4)),
        (gap(1, 4), gap(1, 6), gap(1, 6)),
        (gap(1, 4), gap(4, 6), None),
        (hours(1, 2), hours(3, 4), None),
        (hours(1, 4), hours(2, 6), None),
        (hours(1, 2), hours(2, 3, "overlap"), None),
        (hours(1, 2), hours(2, 3, pipeline="other"), None),
        (hours(1, 2), hours(2, 3, because="daemon_down"), None),
    ],
)
def test_neighbours_that_are_alike_are_one(one: Decision, later: Decision, together: Decision | None) -> None:
    assert join(one, later) == together


def test_what_lies_between_two_keeps_them_apart_within_a_pipeline_only() -> None:
    other = hours(1, 2, pipeline="other")
    made = [hours(1, 2), other, hours(2, 3), hours(3, 4, "overlap"), hours(4, 5), hours(5, 6)]
    assert merged(made) == [hours(1, 3), other, hours(3, 4, "overlap"), hours(4, 6)]


@pytest.mark.parametrize(
    ("hour", "reason"), [(1, None), (2, "paused"), (4, "paused"), (5, "superseded"), (6, "overlap"), (7, None)]
)
def test_the_last_decision_of_a_period_counts(hour: int, reason: str | None) -> None:
    made = [hours(1, 5), hours(4, 6, "overlap"), hours(4, 5, "superseded"), hours(1, 9, pipeline="other"), gap(0, 9)]
    found = decided(made, "etl", due(hour))
    assert (found and found.reason) == reason


@given(st.lists(st.tuples(st.integers(0, 8), st.integers(1, 4), st.sampled_from(["paused", "overlap"]))))
def test_together_they_say_the_same_of_each_period(spans: list[tuple[int, int, str]]) -> None:
    made = [hours(first, first + length, reason) for first, length, reason in spans]
    together = merged(made)
    assert len(together) <= len(made)
    for hour in range(14):
        one, other = decided(made, "etl", due(hour)), decided(together, "etl", due(hour))
        assert (one and one.reason) == (other and other.reason)
    assert merged(together) == together


def test_the_gaps_that_touch_a_stretch() -> None:
    made = [gap(1, 3), hours(1, 9), gap(5, 6), gap(8, 9)]
    assert gaps(made, due(3), due(8)) == [gap(5, 6)]
    assert gaps(made, due(2), due(9)) == [gap(1, 3), gap(5, 6), gap(8, 9)]


# On disk


@pytest.fixture
def place(tmp_path: Path) -> Layout:
    return Layout(str(tmp_path / "state"))


def path(place: Layout, day: str = DAY) -> Path:
    return Path(decisions.directory(place)) / f"{day}.jsonl"


def lines(place: Layout) -> list[Any]:
    return [msgspec.json.decode(line) for line in path(place).read_bytes().splitlines()]


def test_nothing_was_decided_yet(place: Layout) -> None:
    assert decisions.days(place) == []
    assert decisions.read(place, DAY) == decisions.Day([], 0)
    assert list(decisions.about(place, "etl", 0.0)) == []


def test_a_line_is_for_people_too(place: Layout) -> None:
    decisions.append(place, [hours(1, 3, because="daemon_down")])
    assert lines(place) == [
        {
            "at": "2026-11-22T03:00:00.000Z",
            "pipeline": "etl",
            "reason": "paused",
            "from": "2026-11-22T01:00:00.000Z",
            "to": "2026-11-22T03:00:00.000Z",
            "count": 2,
            "because": "daemon_down",
        }
    ]
    assert stat.S_IMODE(os.stat(path(place)).st_mode) == 0o600


def test_a_paused_day_is_one_line(place: Layout) -> None:
    for hour in range(1, 23):
        decisions.append(place, [hours(hour, hour + 1), hours(hour, hour + 1, "overlap", pipeline="other")])
    assert [(line["pipeline"], line["count"]) for line in lines(place)] == [("etl", 22), ("other", 22)]


def test_what_is_said_again_after_a_crash_is_not_written_again(place: Layout) -> None:
    decisions.append(place, [gap(1, 4), hours(1, 4)])
    before = path(place).stat()
    decisions.append(place, [hours(1, 4)])
    assert path(place).stat().st_mtime_ns == before.st_mtime_ns
    decisions.append(place, [gap(1, 5), hours(1, 5)])
    assert decisions.read(place, DAY).decisions == [gap(1, 5), hours(1, 5)]


def test_each_day_has_its_file_by_when_it_was_decided(place: Layout) -> None:
    later = hours(1, 4, at="2026-11-23T00:00:00.000Z")
    decisions.append(place, [hours(1, 2), later])
    assert decisions.days(place) == [DAY, "2026-11-23"]
    assert decisions.read(place, "2026-11-23").decisions == [later]


def test_what_was_decided_about_one_pipeline_since_a_day(place: Layout) -> None:
    other, later = hours(2, 3, pipeline="other"), hours(4, 5, at="2026-11-23T00:00:00.000Z")
    decisions.append(place, [hours(1, 2), other, gap(3, 4), later])
    assert list(decisions.about(place, "etl", at("23:59"))) == [hours(1, 2), gap(3, 4), later]
    assert list(decisions.about(place, "etl", at("00:00", "2026-11-23"))) == [later]


def test_a_torn_last_line_is_passed_over_and_cut_off(place: Layout) -> None:
    decisions.append(place, [hours(1, 2), hours(3, 4), hours(5, 6)])
    whole = path(place).read_bytes()
    ends = [place for place, byte in enumerate(whole) if byte == ord("\n")]
    for length in range(len(whole) + 1):
        path(place).write_bytes(whole[:length])
        kept = sum(end < length for end in ends)
        assert decisions.read(place, DAY) == decisions.Day([hours(1, 2), hours(3, 4), hours(5, 6)][:kept], 0)
        decisions.append(place, [hours(7, 8)])
        assert len(lines(place)) == kept + 1


def test_garbage_within_a_file_is_counted_and_left_where_it_is(place: Layout) -> None:
    decisions.append(place, [hours(1, 2)])
    with path(place).open("ab") as file:
        file.write(b"\0\0\0\n{}\n" + b"[" * 5000 + b"\n")
    decisions.append(place, [hours(2, 3)])
    decisions.append(place, [hours(3, 4)])
    assert decisions.read(place, DAY) == decisions.Day([hours(1, 4)], 3)
    assert path(place).read_bytes().count(b"\n") == 6


def test_reasons_and_keys_of_a_newer_cronflow_are_read(place: Layout) -> None:
    decisions.append(place, [hours(1, 2)])
    newer = msgspec.json.encode(msgspec.to_builtins(hours(2, 3, "eclipse")) | {"moon": 1})
    with path(place).open("ab") as file:
        file.write(newer + b"\n")
    assert [found.reason for found in decisions.read(place, DAY).decisions] == ["paused", "eclipse"]


def test_a_large_file_is_joined_now_and_then(place: Layout) -> None:
    names = [f"pipeline{number}" for number in range(60)]
    sizes = []
    for hour in range(1, 23):
        for start in (hour, hour + 0.5):
            told = {"at": due(hour), "reason": "paused", "count": 1}
            begin, end = (instant.to_text(at("00:00") + 3600 * moment) for moment in (start, start + 0.5))
            decisions.append(place, [Decision(pipeline=name, start=begin, end=end, **told) for name in names])
            sizes.append(path(place).stat().st_size)
    assert max(sizes) < 4 * decisions.SMALL
    assert [found.count for found in decisions.read(place, DAY).decisions] == [44] * len(names)


def test_a_large_file_that_can_not_be_joined_grows_by_what_is_added(place: Layout) -> None:
    begins = iter(range(1200))
    for _ in range(60):
        some = [at("00:00") + 7200 * number for number in islice(begins, 20)]
        texts = [(instant.to_text(start), instant.to_text(start + 3600)) for start in some]
        decisions.append(place, [msgspec.structs.replace(hours(1, 2), start=start, end=end) for start, end in texts])
    assert len(decisions.read(place, DAY).decisions) == len(lines(place)) == 1200
    assert path(place).stat().st_size > 2 * decisions.SMALL


def test_a_torn_line_longer_than_a_block_is_cut_off(place: Layout) -> None:
    decisions.append(place, [hours(1, 2)])
    with path(place).open("ab") as file:
        file.write(b"\0" * (3 * decisions.SMALL))
    decisions.append(place, [hours(4, 5)])
    assert len(lines(place)) == 2


def test_what_can_not_be_written_or_read_says_so(place: Layout) -> None:
    os.makedirs(place.root)
    Path(decisions.directory(place)).write_text("", encoding="utf-8")
    with pytest.raises(StateTrouble, match="decisions: can't write: "):
        decisions.append(place, [hours(1, 2)])
    with pytest.raises(StateTrouble, match="decisions: can't read: "):
        decisions.days(place)
