"""A period is run once, whoever comes, and again only where that is asked for."""

import json
import os
import shutil
from pathlib import Path

import pytest

from tests.acceptance.witness import (
    Gate,
    ended,
    log,
    record,
    run_dir,
    run_dirs,
    started,
    states,
    until,
    until_driving,
)
from tests.conftest import Cronflow

DAILY = """
schedule: "@daily"
timezone: UTC
{keys}
tasks:
  a: {{run: 'echo a >> starts; {a}'}}
  b: {{run: 'echo b >> starts', needs: a}}
"""
DAY = ("--date", "2026-11-20")
RUN_ID = "20261121T000000Z"


def daily(cronflow: Cronflow, a: str = "true", keys: str = "") -> None:
    """The pipeline `etl` with its tasks `a` and `b`."""
    cronflow.pipeline("etl", DAILY.format(a=a, keys=keys))


def starts(cronflow: Cronflow) -> str:
    """Which tasks began, in order."""
    return "".join((cronflow.pipelines_dir / "starts").read_text().split())


def test_a_period_that_runs_is_refused(cronflow: Cronflow, tmp_path: Path) -> None:
    gate = Gate(tmp_path / "gate")
    daily(cronflow, a=gate.passed)
    with started(cronflow, "run", "etl", *DAY) as engine:
        until(gate.is_awaited)
        for extra in ((), ("--force",)):
            done = cronflow("run", "etl", *DAY, *extra)
            message = f"cronflow: etl {RUN_ID} is running already; 'cronflow status etl {RUN_ID}' shows it\n"
            assert (done.returncode, done.stdout, done.stderr) == (3, "", message)
        gate.open()
        assert ended(engine)[0] == 0
    assert starts(cronflow) == "ab"


def test_a_period_that_has_run_is_refused_unless_forced(cronflow: Cronflow) -> None:
    daily(cronflow, a="test -e there")
    assert cronflow("run", "etl", *DAY).returncode == 1
    done = cronflow("run", "etl", *DAY)
    at = record(cronflow, "etl")["ended_at"][:16].replace("T", " ")
    message = f"cronflow: etl {RUN_ID} is claimed: it failed on {at}; --force runs the period again\n"
    assert (done.returncode, done.stdout, done.stderr) == (3, "", message)
    (cronflow.pipelines_dir / "there").touch()
    run = cronflow.json("run", "etl", *DAY, "--force")
    assert starts(cronflow) == "aab"
    assert run["state"] == "succeeded"
    attempts = {
        name: [(one["number"], one["state"]) for one in task["attempts"]] for name, task in run["tasks"].items()
    }
    assert attempts == {"a": [(1, "failed"), (2, "succeeded")], "b": [(1, "succeeded")]}
    assert [one["from"] for one in run["rounds"]] == [{}, {"a": 2}]
    assert cronflow("run", "etl", *DAY).stderr.split(": ")[2].startswith("it succeeded on ")
    assert len(run_dirs(cronflow, "etl")) == 1


def test_another_round_is_for_the_tasks_and_with_the_params_that_are_typed_for_it(cronflow: Cronflow) -> None:
    cronflow.pipeline(
        "etl",
        """
        schedule: "@daily"
        timezone: UTC
        params: {mode: fast, region: eu}
        tasks:
          a: {run: echo a $mode $region}
          b: {run: echo b $mode $region, needs: a}
          c: {run: exit 1, needs: b, allow_failure: true}
        """,
    )
    cronflow.json("run", "etl", *DAY, "--param", "region=us")
    run = cronflow.json("run", "etl", *DAY, "--force", "--task", "b", "--param", "mode=slow")
    assert states(run) == {"a": "succeeded", "b": "succeeded", "c": "failed"}, "the others keep what they were"
    assert [len(task["attempts"]) for task in run["tasks"].values()] == [1, 2, 1]
    assert log(cronflow, "etl", "b", 1) == b"b fast us\n"
    assert log(cronflow, "etl", "b", 2) == b"b slow eu\n"


def test_retries_are_counted_anew_in_each_round(cronflow: Cronflow) -> None:
    cronflow.pipeline(
        "etl", "schedule: '@daily'\ntasks: {a: {run: 'false', retries: 1, retry_delay: 0}}\ntimezone: UTC\n"
    )
    cronflow.json("run", "etl", *DAY, code=1)
    run = cronflow.json("run", "etl", *DAY, "--force", code=1)
    assert [one["number"] for one in run["tasks"]["a"]["attempts"]] == [1, 2, 3, 4]


def test_of_many_that_come_at_once_one_runs_the_period(cronflow: Cronflow) -> None:
    daily(cronflow, a="sleep 0.3")
    for day in range(1, 6):
        engines = [cronflow.start("run", "etl", "--date", f"2026-10-{day:02}") for _ in range(3)]
        errors = [engine.communicate(timeout=60)[1] for engine in engines]
        assert sorted(engine.returncode for engine in engines) == [0, 3, 3], errors
        assert sum("is running already" in error or "is claimed" in error for error in errors) == 2
        assert starts(cronflow) == "ab" * day
    assert os.listdir(cronflow.state_dir / "open") == []


def test_by_hand_without_a_period_everybody_runs(cronflow: Cronflow) -> None:
    daily(cronflow)
    engines = [cronflow.start("run", "etl") for _ in range(5)]
    assert [(engine.communicate(timeout=60)[1], engine.returncode) for engine in engines] == [("", 0)] * 5
    assert len(run_dirs(cronflow, "etl")) == 5
    assert sorted(starts(cronflow)) == sorted("ab" * 5)


def test_a_limit_of_active_runs_holds_by_hand_where_it_was_written(cronflow: Cronflow, tmp_path: Path) -> None:
    gate = Gate(tmp_path / "gate")
    daily(cronflow, a=gate.passed, keys="max_active_runs: 1")
    with started(cronflow, "run", "etl", *DAY) as engine:
        until(gate.is_awaited)
        for other in (("--date", "2026-11-19"), ()):
            done = cronflow("run", "etl", *other)
            message = f"cronflow: etl: max_active_runs is 1, and that many are active: {RUN_ID}\n"
            assert (done.returncode, done.stdout, done.stderr) == (3, "", message)
        assert [path.name for path in run_dirs(cronflow, "etl")] == [RUN_ID]
        gate.open()
        assert ended(engine)[0] == 0
    (cronflow.pipelines_dir / "starts").unlink()
    daily(cronflow, keys="max_active_runs: 1")
    assert cronflow("run", "etl", "--date", "2026-11-19").returncode == 0


def test_the_limit_that_is_only_the_default_binds_nobody_by_hand(cronflow: Cronflow, tmp_path: Path) -> None:
    gate = Gate(tmp_path / "gate")
    daily(cronflow, a=f"test $CRONFLOW_DS = 2026-11-19 || {{ {gate.passed}; }}")
    with started(cronflow, "run", "etl", *DAY) as engine:
        until(gate.is_awaited)
        assert cronflow("run", "etl", "--date", "2026-11-19").returncode == 0
        gate.open()
        assert ended(engine)[0] == 0


def test_a_run_that_was_left_behind_counts_as_active_and_is_not_in_its_own_way(
    cronflow: Cronflow, tmp_path: Path
) -> None:
    gate = Gate(tmp_path / "gate")
    daily(cronflow, a=gate.passed, keys="max_active_runs: 1")
    with started(cronflow, "run", "etl", *DAY) as engine:
        until(gate.is_awaited)
        engine.kill()
    assert cronflow("run", "etl", "--date", "2026-11-19").returncode == 3
    with started(cronflow, "run", "etl", *DAY) as engine:
        until_driving(engine)
        gate.open()
        assert ended(engine)[0] == 0


@pytest.mark.parametrize(
    ("schedule", "date", "message"),
    [
        ("@daily", "2099-01-01", "has not ended"),
        ("@daily", "today", "has not ended"),
        ("@hourly", "2026-11-20", "24 periods start on 2026-11-20: name one by its start"),
        ("@daily", "yesterdy", "names no period"),
        ("@daily", "2026-02-30", "names no period"),
        ("0 0 1 * *", "2026-11-20", "no period starts on 2026-11-20; the nearest start on 2026-11-01 and 2026-12-01"),
    ],
)
def test_a_date_must_name_one_period_that_has_ended(cronflow: Cronflow, schedule: str, date: str, message: str) -> None:
    cronflow.pipeline("etl", f"schedule: '{schedule}'\ntimezone: UTC\nrun: 'true'\n")
    done = cronflow("run", "etl", "--date", date)
    assert (done.returncode, done.stdout) == (2, ""), done.stderr
    assert done.stderr.startswith(f"cronflow: --date {date}: ")
    assert message in done.stderr
    assert not (cronflow.state_dir / "pipelines").exists()


# What a crash, a disk or a person may have left


def test_an_entry_without_a_run_is_no_claim(cronflow: Cronflow) -> None:
    daily(cronflow)
    (cronflow.state_dir / "open").mkdir(parents=True, mode=0o700)
    (cronflow.state_dir / "open" / f"etl~{RUN_ID}").touch()
    assert cronflow("run", "etl", *DAY).returncode == 0
    assert os.listdir(cronflow.state_dir / "open") == []


def test_an_entry_of_a_run_that_has_ended_is_swept(cronflow: Cronflow) -> None:
    daily(cronflow)
    assert cronflow("run", "etl", *DAY).returncode == 0
    (cronflow.state_dir / "open" / f"etl~{RUN_ID}").touch()
    assert cronflow("run", "etl", *DAY).returncode == 3
    assert os.listdir(cronflow.state_dir / "open") == []


def test_a_draft_that_a_crash_left_is_in_nobodys_way(cronflow: Cronflow) -> None:
    daily(cronflow)
    at = cronflow.state_dir / "pipelines" / "etl" / "runs" / "2026-11"
    at.mkdir(parents=True)
    (at / f"{RUN_ID}.{os.getpid()}.draft").mkdir()
    (at / f"{RUN_ID}.1.draft").mkdir()
    assert cronflow("run", "etl", *DAY).returncode == 0
    assert cronflow("status", "etl").returncode == 0


@pytest.mark.parametrize("content", [b"", b"{", b"\0" * 500, b"[]", b'{"schema": 1}', b"\xff\xfe"])
def test_a_record_that_cannot_be_read_is_put_aside_and_said(cronflow: Cronflow, content: bytes) -> None:
    daily(cronflow)
    assert cronflow("run", "etl", *DAY).returncode == 0
    path = run_dir(cronflow, "etl") / "run.json"
    path.write_bytes(content)
    first = cronflow("run", "etl", *DAY)
    assert (first.returncode, first.stdout) == (4, "")
    assert first.stderr.startswith(f"cronflow: {path}: record unreadable: ")
    assert f"; put aside as {path}.bad" in first.stderr
    assert first.stderr.endswith("; --force runs the period again\n")
    assert Path(f"{path}.bad").read_bytes() == content
    second = cronflow("run", "etl", *DAY)
    assert (second.returncode, second.stdout) == (4, "")
    assert second.stderr.endswith("; --force runs the period again\n")
    run = cronflow.json("run", "etl", *DAY, "--force")
    assert starts(cronflow) == "abab"
    assert [one["number"] for one in run["tasks"]["a"]["attempts"]] == [2], "the earlier log stays what it was"
    assert cronflow("run", "etl", *DAY).returncode == 3


def test_a_record_of_a_newer_cronflow_is_left_alone(cronflow: Cronflow) -> None:
    daily(cronflow)
    assert cronflow("run", "etl", *DAY).returncode == 0
    path = run_dir(cronflow, "etl") / "run.json"
    newer = json.loads(path.read_bytes()) | {"schema": 2}
    path.write_text(json.dumps(newer))
    for extra in ((), ("--force",)):
        done = cronflow("run", "etl", *DAY, *extra)
        message = "written by a newer cronflow (schema 2; this one reads up to 1): upgrade to read it"
        assert (done.returncode, done.stdout, done.stderr) == (4, "", f"cronflow: {path}: {message}\n")
    assert json.loads(path.read_bytes()) == newer


def test_a_run_whose_record_was_pruned_is_still_claimed(cronflow: Cronflow) -> None:
    daily(cronflow)
    assert cronflow("run", "etl", *DAY).returncode == 0
    shutil.rmtree(run_dir(cronflow, "etl"))
    pruned = cronflow.state_dir / "pipelines" / "etl" / "pruned"
    pruned.mkdir()
    (pruned / "2026-11.jsonl").write_text(
        '{"run_id":"20261120T000000Z"}\n{"run_id":"' + RUN_ID + '","state":"failed"}\n'
    )
    done = cronflow("run", "etl", *DAY)
    message = f"cronflow: etl {RUN_ID} is claimed: it ran once, and its record has been pruned"
    assert (done.returncode, done.stderr) == (3, f"{message}; --force runs the period again\n")
    assert cronflow("run", "etl", *DAY, "--force").returncode == 0
    assert starts(cronflow) == "abab"
