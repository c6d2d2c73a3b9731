"""The reading side of the state directory: order, laziness, what a person means by RUN, and records that are none."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cronflow import instant
from cronflow.errors import StateTrouble, WrongUse
from cronflow.record import Round, Run, RunSummary
from cronflow.spec import Pipeline, Task
from cronflow.state.history import History, NewerRecord, summarised
from tests import past

IDS = ["20261122T000000Z", "20261121T000000Z", "20261031T230000Z", "20251231T230000Z"]


def history(state_dir: Path, *ids: str, name: str = "etl") -> History:
    """A history with a run for each id."""
    for run_id in ids:
        past.write(state_dir, past.run(past.pipeline(name), run_id=run_id))
    return History(str(state_dir))


def test_pipelines_are_those_with_runs(tmp_path: Path) -> None:
    history(tmp_path, IDS[0], name="b")
    history(tmp_path, IDS[0], name="a.b-c")
    (tmp_path / "pipelines/only_a_cursor").mkdir()
    (tmp_path / "pipelines/.hidden/runs").mkdir(parents=True)
    assert History(str(tmp_path)).pipelines() == ["a.b-c", "b"]


def test_a_state_directory_that_is_not_there_is_an_empty_history(tmp_path: Path) -> None:
    empty = History(str(tmp_path / "no/such"))
    assert empty.pipelines() == []
    assert list(empty.run_ids("etl")) == []
    assert not empty.knows("etl")


def test_runs_come_newest_first_over_months_and_years(tmp_path: Path) -> None:
    assert list(history(tmp_path, *reversed(IDS)).run_ids("etl")) == IDS


def test_what_is_no_run_is_no_run(tmp_path: Path) -> None:
    known = history(tmp_path, IDS[0])
    month = tmp_path / "pipelines/etl/runs/2026-11"
    for stray in (".20261122T010000Z", "20261122T010000Z.4711.draft", "lost+found", "20261001T000000Z", "2026"):
        (month / stray).mkdir()
    (tmp_path / "pipelines/etl/runs/notes").mkdir()
    (tmp_path / "pipelines/etl/runs/2026-10").write_text("a file where a month should be")
    assert list(known.run_ids("etl")) == IDS[:1]


@contextmanager
def listed_directories() -> Iterator[list[str]]:
    """The directories that are listed meanwhile."""
    seen: list[str] = []
    active = True

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        if active and event in {"os.listdir", "os.scandir"}:
            seen.append(str(arguments[0]))

    sys.addaudithook(hook)
    try:
        yield seen
    finally:
        active = False


def test_ten_runs_open_no_month_but_theirs(tmp_path: Path) -> None:
    newest = [f"202611{day:02d}T000000Z" for day in range(1, 23)]
    known = history(tmp_path, *newest, *IDS[2:])
    with listed_directories() as listed:
        assert len(list(islice(known.summaries("etl"), 10))) == 10
    assert [os.path.basename(path) for path in listed] == ["runs", "2026-11"]


def test_runs_of_one_month_come_newest_first_too(tmp_path: Path) -> None:
    known = history(tmp_path, IDS[0])
    month = tmp_path / "pipelines/etl/runs/2026-11"
    for second in range(200):
        os.mkdir(month / instant.compact(past.MIDNIGHT - second - 1))
    assert next(known.run_ids("etl")) == IDS[0]


@pytest.mark.parametrize("name", ["../etl", "etl/../etl", "", ".", "a" * 65, "e\0tl", "-rf"])
def test_a_name_that_is_none_leads_nowhere(tmp_path: Path, name: str) -> None:
    known = history(tmp_path, IDS[0])
    assert not known.knows(name)
    assert list(known.run_ids(name)) == []


def test_a_summary_is_the_run_without_its_tasks(tmp_path: Path) -> None:
    one = past.run(reason="why", params={"region": "eu"})
    past.write(tmp_path, one)
    assert History(str(tmp_path)).summary("etl", one.run_id) == summarised(one)
    assert History(str(tmp_path)).run("etl", one.run_id) == one


def test_unknown_keys_are_read(tmp_path: Path) -> None:
    one = past.run()
    record = msgspec.json.decode(msgspec.json.encode(one)) | {"of_tomorrow": [1, {"deep": None}]}
    past.write_raw(tmp_path, "etl", one.run_id, msgspec.json.encode(record))
    assert History(str(tmp_path)).run("etl", one.run_id) == one
    assert History(str(tmp_path)).summary("etl", one.run_id) == summarised(one)


BROKEN = {
    "empty": b"",
    "zeros": b"\0" * 512,
    "no JSON": b"not a record",
    "another shape": b"[1, 2]",
    "null": b"null",
    "not UTF-8": b'{"pipeline": "\xff\xfe"}',
    "nested without end": b'{"x":' + b"[" * 100_000,
    "a state nobody knows": msgspec.json.encode(past.run()).replace(b'"succeeded"', b'"splendid"', 1),
    "a wrong type": msgspec.json.encode(past.run()).replace(b'"params":{}', b'"params":7'),
    "no instant": msgspec.json.encode(past.run(created_at="yesterday")),
    "an instant without offset": msgspec.json.encode(past.run(ended_at="2026-11-22T01:00:00")),
    "a year that no clock shows": msgspec.json.encode(past.run(ended_at="9999-12-31T23:59:59.000Z")),
    "before 1970": msgspec.json.encode(past.run(started_at="1969-12-31T23:59:59.000Z")),
    "a schema of words": msgspec.json.encode(past.run()).replace(b'"schema":1', b'"schema":"one"'),
}


@pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN)
def test_a_record_that_is_none_is_a_failed_run_that_names_its_file(tmp_path: Path, content: bytes) -> None:
    known = history(tmp_path, IDS[1])
    run_dir = past.write_raw(tmp_path, "etl", IDS[0], content)
    first, second = known.summaries("etl")
    assert (first.run_id, first.state, first.reason) == (IDS[0], "failed", f"record unreadable: {run_dir}/run.json")
    assert (first.scheduled_at, first.trigger) == ("2026-11-22T00:00:00.000Z", "schedule")
    assert (second.run_id, second.state) == (IDS[1], "succeeded")
    assert known.run("etl", IDS[0]).reason == first.reason
    assert [run.state for run in known.runs("etl")] == ["failed", "succeeded"]


NO_RUNS = {
    "open, without a round": past.run(state="running", ended_at=None, rounds=()),
    "a need that is no task": past.run(Pipeline(name="etl", tasks={"load": Task(run="true", needs=("gone",))})),
    "a round at no time": past.run(rounds=(Round(at="then", by="me"),)),
}


@pytest.mark.parametrize("record", NO_RUNS.values(), ids=NO_RUNS)
def test_what_has_all_the_types_and_is_no_run_is_unreadable_too(tmp_path: Path, record: Run) -> None:
    past.write(tmp_path, record)
    assert "record unreadable" in str(History(str(tmp_path)).run("etl", record.run_id).reason)


def test_instants_within_tasks_count_too(tmp_path: Path) -> None:
    torn = past.task("succeeded", past.attempt(0, 1), next_attempt_at="soon")
    past.write(tmp_path, past.run(tasks={"extract": torn}))
    assert "record unreadable" in str(History(str(tmp_path)).run("etl", IDS[0]).reason)


@pytest.fixture(scope="module")
def state_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One for all examples: each writes the same record anew."""
    return tmp_path_factory.mktemp("state")


@given(cut=st.integers(0, len(msgspec.json.encode(past.run())) - 1))
def test_cut_anywhere_a_record_is_still_a_run(state_dir: Path, cut: int) -> None:
    past.write_raw(state_dir, "etl", IDS[0], msgspec.json.encode(past.run())[:cut])
    assert [run.state for run in History(str(state_dir)).summaries("etl")] == ["failed"]


@given(content=st.binary(max_size=200))
def test_whatever_bytes_there_are_one_run_comes_of_them(state_dir: Path, content: bytes) -> None:
    past.write_raw(state_dir, "etl", IDS[0], content)
    assert [run.run_id for run in History(str(state_dir)).summaries("etl")] == IDS[:1]


def test_a_record_put_aside_is_named_where_it_is(tmp_path: Path) -> None:
    run_dir = past.write_raw(tmp_path, "etl", IDS[0], b"")
    (run_dir / "run.json").rename(run_dir / "run.json.bad")
    assert History(str(tmp_path)).summary("etl", IDS[0]).reason == f"record unreadable: {run_dir}/run.json.bad"


def test_an_id_that_is_no_date_is_still_listed(tmp_path: Path) -> None:
    past.write_raw(tmp_path, "etl", "20269922T996199Z", b"")
    (only,) = History(str(tmp_path)).summaries("etl")
    assert only.created_at == "1970-01-01T00:00:00.000Z"


def test_a_newer_schema_is_refused_by_its_number(tmp_path: Path) -> None:
    known = history(tmp_path, IDS[1])
    newer = (
        msgspec.json.encode(past.run()).replace(b'"schema":1', b'"schema":7').replace(b'"succeeded"', b'"splendid"', 1)
    )
    run_dir = past.write_raw(tmp_path, "etl", IDS[0], newer)
    with pytest.raises(NewerRecord) as refused:
        known.run("etl", IDS[0])
    assert str(refused.value).startswith(f"{run_dir}/run.json: written by a newer cronflow (schema 7")
    first, second = known.summaries("etl")
    assert (first.state, second.state) == ("failed", "succeeded")
    assert "schema 7" in str(first.reason)
    assert [run.state for run in known.runs("etl")] == ["failed", "succeeded"]


def test_a_newer_schema_that_we_could_read_is_refused_too(tmp_path: Path) -> None:
    past.write_raw(tmp_path, "etl", IDS[0], msgspec.json.encode(past.run(schema=2)))
    known = History(str(tmp_path))
    assert "schema 2" in str(known.summary("etl", IDS[0]).reason)
    with pytest.raises(NewerRecord):
        known.run("etl", IDS[0])


def test_what_vanishes_while_it_is_read_is_passed_over(tmp_path: Path) -> None:
    known = history(tmp_path, *IDS[:2])
    runs = known.summaries("etl")
    assert next(runs).run_id == IDS[0]
    gone = tmp_path / "pipelines/etl/runs/2026-11" / IDS[1]
    (gone / "run.json").unlink()
    gone.rmdir()
    assert list(runs) == []
    with pytest.raises(WrongUse, match=f"etl has no run '{IDS[1]}'"):
        known.summary("etl", IDS[1])


def test_a_directory_in_a_records_place_hides_no_other(tmp_path: Path) -> None:
    known = history(tmp_path, IDS[1])
    (tmp_path / f"pipelines/etl/runs/2026-11/{IDS[0]}/run.json").mkdir(parents=True)
    assert [run.state for run in known.summaries("etl")] == ["failed", "succeeded"]


@pytest.fixture
def as_somebody_else() -> Iterator[None]:
    """For root: as a user without rights, while the test looks."""
    if os.geteuid() == 0:
        os.seteuid(65534)
    yield
    os.seteuid(os.getuid())


def test_what_may_not_be_read_is_trouble_with_a_hint(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    known = history(tmp_path, *IDS[:2])
    record = tmp_path / f"pipelines/etl/runs/2026-11/{IDS[0]}/run.json"
    record.chmod(0)
    tmp_path.chmod(0o755 if os.geteuid() else 0)
    request.getfixturevalue("as_somebody_else")
    with pytest.raises(StateTrouble, match=r"can't read: Permission denied; ask its owner, or .*--state-dir"):
        list(known.summaries("etl"))


RUNS = ["20261122T101530.123Z-manual", "20261122T000000Z", "20261121T000000Z", "20261029T000000Z", "20261028T230000Z"]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("latest", RUNS[0]),
        (RUNS[2], RUNS[2]),
        (RUNS[0], RUNS[0]),
        ("20261122T1", RUNS[0]),
        ("20261122T0", RUNS[1]),
        ("20261121", RUNS[2]),
        ("20261029", RUNS[3]),
        ("2026-11-22", RUNS[1]),  # due that day, before the one by hand
        ("2026-11-21", RUNS[2]),
        ("2026-10-29", RUNS[3]),  # in Berlin both October runs are due on the 29th
    ],
)
def test_what_a_person_means_by_run(tmp_path: Path, text: str, found: str) -> None:
    assert history(tmp_path, *RUNS).find("etl", text) == found


def test_a_day_with_nothing_due_is_that_of_the_run_by_hand(tmp_path: Path) -> None:
    assert history(tmp_path, RUNS[0], RUNS[2]).find("etl", "2026-11-22") == RUNS[0]


@pytest.mark.parametrize(
    ("day", "zone", "found"),
    [
        ("2026-11-20", "America/New_York", None),
        ("2026-11-22", "America/New_York", "20261122T100000Z"),
        ("2026-11-21", "America/New_York", "20261122T000000Z"),
        ("2026-11-22", "Pacific/Kiritimati", "20261122T000000Z"),
        ("2026-11-23", "Pacific/Kiritimati", "20261122T100000Z"),
        ("2026-11-22", "UTC", "20261122T100000Z"),
    ],
)
def test_a_day_is_a_day_of_the_pipelines_zone(tmp_path: Path, day: str, zone: str, found: str | None) -> None:
    for run_id in ("20261122T000000Z", "20261122T100000Z"):
        past.write(tmp_path, past.run(past.pipeline(timezone=zone), run_id=run_id))
    known = History(str(tmp_path))
    if found:
        assert known.find("etl", day) == found
    else:
        with pytest.raises(WrongUse, match="has no run"):
            known.find("etl", day)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "20261123",
        "2026-11-23",
        "2026-13-45",
        "9999-12-31",
        "0001-01-01",
        "../x",
        "yesterday",
        "2026-11-22T00",
        "a\nb",
    ],
)
def test_what_is_no_run_is_refused_with_what_there_is(tmp_path: Path, text: str) -> None:
    known = history(tmp_path, *RUNS)
    with pytest.raises(WrongUse) as refused:
        known.find("etl", text)
    assert str(refused.value) == f"etl has no run '{text}'; its newest are {', '.join(RUNS[:3])}"


def test_a_beginning_of_several_runs_is_refused_with_them(tmp_path: Path) -> None:
    known = history(tmp_path, *RUNS)
    with pytest.raises(WrongUse, match=f"'202610' is the beginning of several runs of etl: {RUNS[3]}, {RUNS[4]}$"):
        known.find("etl", "202610")
    with pytest.raises(WrongUse, match=r"several runs of etl: .*, …$"):
        known.find("etl", "2026")


def test_a_history_without_runs_says_so(tmp_path: Path) -> None:
    (tmp_path / "pipelines/etl/runs").mkdir(parents=True)
    with pytest.raises(WrongUse, match="etl has no runs yet; start one with: cronflow run etl"):
        History(str(tmp_path)).find("etl", "latest")


def test_the_zone_is_that_of_the_newest_run_that_can_be_read(tmp_path: Path) -> None:
    past.write(tmp_path, past.run(past.pipeline(timezone="Asia/Tokyo"), days_ago=2))
    past.write(tmp_path, past.run(past.pipeline(timezone="Europe/Riga"), days_ago=1))
    past.write_raw(tmp_path, "etl", IDS[0], b"torn")
    assert History(str(tmp_path)).timezone("etl") == "Europe/Riga"
    assert History(str(tmp_path)).timezone("unknown") is None


def test_an_open_run_comes_as_its_attempts_make_it(tmp_path: Path) -> None:
    one = past.run(state="running", ended_at=None, tasks={})
    past.write(tmp_path, one)
    now = History(str(tmp_path)).run("etl", one.run_id)
    assert {name: task.state for name, task in now.tasks.items()} == {"extract": "pending", "load": "pending"}
    assert History(str(tmp_path)).summary("etl", one.run_id).state == "running"


def test_reading_changes_nothing(tmp_path: Path) -> None:
    known = history(tmp_path, *IDS)
    past.write_raw(tmp_path, "etl", "20261123T000000Z", b"torn")
    past.write(tmp_path, past.run(run_id="20261124T000000Z", state="running", ended_at=None, tasks={}))
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    assert all(isinstance(run, RunSummary) for run in known.summaries("etl"))
    assert len(list(known.runs("etl"))) == len(IDS) + 2
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before
