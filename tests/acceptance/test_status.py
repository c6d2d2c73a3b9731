"""`cronflow status` as a process: what people and programs get, and that nothing on the disk stops it."""

import json
import os
import re
import signal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests import past
from tests.conftest import Cronflow
from tests.terminal import Terminal, on_terminal

ESCAPE = re.compile(r"\x1b\[[0-9;]*m")
ETL = """\
    description: Yesterday's orders
    schedule: "0 1 * * *"
    timezone: Europe/Berlin
    tasks:
      extract: {run: "true"}
      load: {run: "true", needs: extract}
"""
RUN_KEYS = [
    "schema", "pipeline", "run_id", "trigger", "state", "reason", "scheduled_at", "logical_date", "interval_start",
    "interval_end", "created_at", "started_at", "ended_at", "params",
]  # fmt: skip
EXTRACTED = past.attempt(0, 12, days_ago=1, log="extract.1.log", cpu_seconds=1.5, max_rss_bytes=1 << 25)
NOT_LOADED = past.attempt(12, 30, "failed", days_ago=1, log="load.1.log", exit_code=3, reason="exit code 3")
FAILED = past.run(
    days_ago=1,
    state="failed",
    reason="task 'load' failed: exit code 3",
    tasks={"extract": past.task("succeeded", EXTRACTED), "load": past.task("failed", NOT_LOADED)},
)
DONE = past.run()


@pytest.fixture
def etl(cronflow: Cronflow) -> Cronflow:
    """A pipeline with a failed run and one that went well since."""
    cronflow.pipeline("etl", ETL)
    past.write(cronflow.state_dir, FAILED, DONE)
    past.write_log(cronflow.state_dir, FAILED, "load", b"connecting\n\x1b[31mno such table\x1b[0m\xff\n")
    return cronflow


def printed(cronflow: Cronflow, *arguments: object, **run: Any) -> str:
    """What it prints; it must end well and say nothing else."""
    done = cronflow("status", *arguments, **run)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return done.stdout


def test_all_pipelines_a_line_each(etl: Cronflow) -> None:
    etl.pipeline("by_hand", "run: 'true'")
    past.write(etl.state_dir, past.run(past.pipeline("gone", timezone="UTC")))
    head, *rows = [line.split() for line in printed(etl).splitlines()]
    assert head[:4] == ["pipeline", "last", "run", "due"]
    assert [row[:2] for row in rows] == [["by_hand", "never"], ["etl", "succeeded"], ["gone", "succeeded"]]
    assert rows[1][2:4] == ["2026-11-22", "01:00"]
    assert "x+" in rows[1]
    assert rows[0][-2:] == ["by", "hand"]
    assert rows[2][-2:] == ["no", "file"]


def test_bad_files_are_lines_too(etl: Cronflow) -> None:
    etl.pipeline("sub/bad", "schedul: '@daily'\nrun: x\nretrys: 3")
    etl.pipeline("worse", "a: [")
    text = printed(etl)
    assert "x sub/bad.yaml:1:1: unknown key 'schedul'; did you mean 'schedule'? (and 1 more)" in text
    assert "x worse.yaml:" in text
    assert re.search(r"^etl +succeeded", text, re.MULTILINE)
    rows = {row["name"]: row for row in etl.json("status")["pipelines"]}
    assert (rows["etl"]["ok"], rows["sub.bad"]["ok"]) == (True, False)
    assert [list(error) for error in rows["sub.bad"]["errors"]] == [["line", "column", "key", "message"]] * 2


def test_a_pipeline_whose_file_went_bad_keeps_its_history(etl: Cronflow) -> None:
    etl.pipeline("etl", "schedul: '@daily'\nrun: x")
    assert re.search(r"^etl +succeeded .* its file is bad$", printed(etl), re.MULTILINE)
    assert "x etl.yaml:1:1: unknown key 'schedul'" in printed(etl, "etl")


def test_nothing_yet_says_what_to_do(cronflow: Cronflow) -> None:
    assert "no pipelines in" in printed(cronflow)
    assert cronflow.json("status") == {"schema": 1, "daemon": None, "pipelines": []}
    cronflow.pipelines_dir.rmdir()
    done = cronflow("status")
    assert (done.returncode, done.stdout) == (2, "")
    assert "no such directory" in done.stderr
    past.write(cronflow.state_dir, DONE)
    assert re.search(r"^etl +succeeded .* no file$", printed(cronflow), re.MULTILINE)


def test_json_of_all_has_the_documented_keys(etl: Cronflow) -> None:
    answer = etl.json("status")
    (row,) = answer["pipelines"]
    assert (answer["schema"], answer["daemon"]) == (1, None)
    assert {"name", "ok", "errors", "enabled", "schedule", "timezone", "paused", "next", "last", "recent"} <= set(row)
    assert (row["name"], row["ok"], row["enabled"], row["paused"]) == ("etl", True, True, False)
    assert (row["schedule"], row["timezone"]) == (["0 1 * * *"], "Europe/Berlin")
    assert list(row["last"]) == RUN_KEYS
    assert row["recent"] == [{"run_id": run.run_id, "state": run.state} for run in (DONE, FAILED)]
    following = row["next"]
    assert list(following) == ["pipeline", "scheduled_at", "logical_date", "interval_start", "interval_end"]
    assert following["scheduled_at"] == following["interval_end"] > following["interval_start"]


def test_the_runs_of_one_pipeline(etl: Cronflow) -> None:
    lines = printed(etl, "etl").splitlines()
    assert lines[0] == "etl  Yesterday's orders"
    assert lines[1].startswith("'0 1 * * *', times in Europe/Berlin, next due ")
    assert lines[3].split() == ["due", "period", "from", "state", "took", "extract", "load"]
    assert lines[4].startswith("+ 2026-11-22 01:00  2026-11-21   succeeded")
    assert lines[5].startswith("x 2026-11-21 01:00  2026-11-20   failed")
    answer = etl.json("status", "etl")
    assert (answer["schema"], answer["pipeline"]) == (1, "etl")
    assert [list(run) for run in answer["runs"]] == [RUN_KEYS] * 2
    assert [run["run_id"] for run in answer["runs"]] == [DONE.run_id, FAILED.run_id]


def test_state_and_limit_choose_among_runs(etl: Cronflow) -> None:
    assert [run["run_id"] for run in etl.json("status", "etl", "--state", "failed")["runs"]] == [FAILED.run_id]
    assert [run["run_id"] for run in etl.json("status", "etl", "--limit", 1)["runs"]] == [DONE.run_id]
    assert len(etl.json("status", "--limit", 1)["pipelines"][0]["recent"]) == 1
    assert etl.json("status", "--state", "failed")["pipelines"] == []
    assert "no pipeline whose last run is failed" in printed(etl, "--state", "failed")
    assert len(etl.json("status", "--state", "succeeded")["pipelines"]) == 1


def test_one_run_with_its_reasons_and_the_end_of_its_log(etl: Cronflow) -> None:
    text = printed(etl, "etl", "2026-11-21")
    assert text.startswith(
        f"etl  failed  1m40s\nrun        {FAILED.run_id}\ndue        2026-11-21 01:00 (Europe/Berlin)"
    )
    assert re.search(r"^x load +18s +=+x  exit code 3$", text, re.MULTILINE)
    assert re.search(r"^\+ extract +12s  1.5s +32M  =+$", text, re.MULTILINE)
    assert "load said last:\n| connecting\n| no such table\ufffd\nall of it: cronflow " in text
    assert etl.json("status", "etl", FAILED.run_id) == json.loads(msgspec.json.encode(FAILED))


def test_the_command_for_the_rest_shows_the_rest(etl: Cronflow) -> None:
    command = printed(etl, "etl", FAILED.run_id).splitlines()[-1].removeprefix("all of it: ")
    words = command.split()
    assert words[:3] == ["cronflow", "--state-dir", str(etl.state_dir)]
    assert "no such table" in etl(*words[1:], encoding=None, typed=None, text=False).stdout.decode("utf-8", "replace")


@pytest.mark.parametrize("run", ["latest", DONE.run_id, "20261122", "2026-11-22"])
def test_a_run_is_named_in_four_ways(etl: Cronflow, run: str) -> None:
    assert etl.json("status", "etl", run)["run_id"] == DONE.run_id


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["elt"], "no pipeline 'elt'; did you mean 'etl'?"),
        (["../etl"], "../etl: no such file"),
        (["etl", "2026-11-25"], f"etl has no run '2026-11-25'; its newest are {DONE.run_id}, {FAILED.run_id}"),
        (["etl", "2026"], f"'2026' is the beginning of several runs of etl: {DONE.run_id}, {FAILED.run_id}"),
        (["etl", "latest", "--state", "failed"], "--state chooses among runs: leave it out where a RUN is named"),
        (["--watch", "--json"], "--watch draws on a terminal, --json is for programs: leave one of them out"),
        (["--watch"], "--watch needs a terminal to draw on"),
        (["--state", "splendid"], "Invalid value for '--state'"),
        (["--limit", "0"], "Invalid value for '--limit'"),
    ],
)
def test_wrong_use_says_what_to_do_instead(etl: Cronflow, arguments: list[str], said: str) -> None:
    done = etl("status", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"cronflow: {said}")


def test_a_file_stands_for_its_pipeline(etl: Cronflow) -> None:
    assert etl.json("status", etl.pipelines_dir / "etl.yaml")["pipeline"] == "etl"


def test_warm_it_loads_neither_yaml_nor_cron_nor_rich(etl: Cronflow) -> None:
    assert "etl" in printed(etl)
    done = etl("status", env={"PYTHONPROFILEIMPORTTIME": "1"})
    modules = set(re.findall(r"^import time:.*\| +(\S+)$", done.stderr, re.MULTILINE))
    assert "cronflow.view.overview" in modules
    assert not modules & {
        "yaml",
        "croniter",
        "rich",
        "difflib.get_close_matches",
        "cronflow.schedule",
        "cronflow.lifecycle",
    }


def test_the_next_due_time_comes_from_a_cache_that_may_be_anything(etl: Cronflow) -> None:
    first = etl.json("status")["pipelines"][0]["next"]
    cache = etl.state_dir / "cache/dues.json"
    for content in (b"", b"torn", b"{}", b'{"Europe/Berlin 0 1 * * *": {"since": 0, "times": []}}', b"[" * 100_000):
        cache.write_bytes(content)
        assert etl.json("status")["pipelines"][0]["next"] == first
    cache.unlink()
    cache.mkdir()
    assert etl.json("status")["pipelines"][0]["next"] == first


def test_a_schedule_that_was_edited_has_its_new_due_time(etl: Cronflow) -> None:
    assert etl.json("status")["pipelines"][0]["next"]["scheduled_at"].endswith("T00:00:00.000Z")
    etl.pipeline("etl", ETL.replace("0 1 *", "30 6 *"))
    assert etl.json("status")["pipelines"][0]["next"]["scheduled_at"].endswith(":30:00.000Z")


VIEWS = [(), ("etl",), ("etl", DONE.run_id), ("etl", FAILED.run_id)]


def test_a_record_torn_anywhere_stops_no_view(etl: Cronflow) -> None:
    whole = msgspec.json.encode(DONE)
    for cut in (0, 1, len(whole) // 3, len(whole) // 2, len(whole) - 1):
        past.write_raw(etl.state_dir, "etl", DONE.run_id, whole[:cut])
        assert re.search(r"^etl +failed +2026-11-22 01:00 .* xx ", printed(etl), re.MULTILINE)
        assert "record unreadable: " in printed(etl, "etl")
        assert "run.json" in printed(etl, "etl", DONE.run_id)
        assert "exit code 3" in printed(etl, "etl", FAILED.run_id)
        assert [run["state"] for run in etl.json("status", "etl")["runs"]] == ["failed", "failed"]


def test_a_newer_record_is_refused_by_its_number_and_no_other(etl: Cronflow) -> None:
    past.write_raw(etl.state_dir, "etl", DONE.run_id, msgspec.json.encode(DONE).replace(b'"schema":1', b'"schema":9'))
    assert "schema 9" in printed(etl, "etl")
    done = etl("status", "etl", DONE.run_id)
    assert (done.returncode, done.stdout) == (4, "")
    assert "written by a newer cronflow (schema 9; this one reads up to 1): upgrade to read it" in done.stderr
    assert "exit code 3" in printed(etl, "etl", FAILED.run_id)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_what_may_not_be_read_is_named(etl: Cronflow) -> None:
    place = etl.state_dir / "pipelines/etl/runs/2026-11"
    place.chmod(0)
    try:
        done = etl("status", "etl")
    finally:
        place.chmod(0o700)
    assert done.returncode == 4
    assert f"{place}: can't read: Permission denied" in done.stderr


def test_on_a_terminal_there_are_colour_and_glyphs(etl: Cronflow) -> None:
    text = on_terminal(etl, "status")
    assert "\x1b[32m● succeeded\x1b[0m" in text
    assert "\x1b[31m✗\x1b[0m\x1b[32m●\x1b[0m" in text


@pytest.mark.parametrize("env", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
@pytest.mark.parametrize("view", VIEWS)
def test_without_colour_there_is_no_escape_and_no_glyph(
    etl: Cronflow, env: dict[str, str], view: tuple[str, ...]
) -> None:
    text = on_terminal(etl, "status", *view, env=env)
    assert "\x1b" not in text
    assert text.replace("\ufffd", "").isascii()


def test_where_the_encoding_has_no_glyphs_there_are_none(etl: Cronflow) -> None:
    text = on_terminal(etl, "status", env={"PYTHONIOENCODING": "latin-1"})
    assert "\x1b[32msucceeded\x1b[0m" in text
    assert text.isascii()
    assert printed(etl, "etl", env={"PYTHONIOENCODING": "ascii"}).isascii()


@pytest.mark.parametrize("columns", [20, 40, 63, 80, 132])
@pytest.mark.parametrize("view", VIEWS)
def test_no_line_is_wider_than_the_terminal(etl: Cronflow, columns: int, view: tuple[str, ...]) -> None:
    lines = ESCAPE.sub("", on_terminal(etl, "status", *view, columns=columns)).splitlines()
    assert max(map(len, lines)) <= columns


def test_watching_goes_on_until_it_is_interrupted(etl: Cronflow) -> None:
    with Terminal(etl, "status", "--watch") as terminal:
        terminal.read_until(lambda screen: screen.count(b"succeeded") >= 2)
        past.write(etl.state_dir, past.run(run_id="20261122T003000Z", state="cancelled"))
        terminal.read_until(lambda screen: b"cancelled" in screen)
        os.killpg(terminal.process.pid, signal.SIGINT)
        assert terminal.to_the_end() == 130
        last = terminal.screen.rpartition(b"\x1b[?1049l")[2]
    assert b"cancelled" in last
    assert b"Traceback" not in last


def test_watching_a_run_ends_with_the_run(etl: Cronflow) -> None:
    past.write(etl.state_dir, past.run(state="running", ended_at=None, tasks={}))
    with Terminal(etl, "status", "etl", "latest", "--watch") as terminal:
        terminal.read_until(lambda screen: b"running" in screen)
        past.write(etl.state_dir, DONE)
        assert terminal.to_the_end() == 0
        assert b"succeeded" in terminal.screen.rpartition(b"\x1b[?1049l")[2]


def test_watching_what_has_ended_is_showing_it(etl: Cronflow) -> None:
    assert "\x1b[?1049h" not in on_terminal(etl, "status", "etl", "latest", "--watch")


def test_a_reader_that_leaves_is_no_error(etl: Cronflow) -> None:
    process = etl.start("status", "etl")
    assert process.stdout is not None
    process.stdout.close()
    assert process.wait(60) in {0, None}
    assert process.stderr is not None
    assert process.stderr.read() == ""
    process.stderr.close()


def test_a_run_as_the_engine_leaves_it(cronflow: Cronflow) -> None:
    cronflow.pipeline("real", 'tasks:\n  one: {run: "echo hello"}\n  two: {run: "echo sorry; exit 3", needs: one}\n')
    assert cronflow("run", "real").returncode == 1
    text = printed(cronflow, "real", "latest")
    assert re.search(r"^x two +\S+ .*exit code 3$", text, re.MULTILINE)
    assert "two said last:\n| sorry\n" in text
    assert json.loads(json.dumps(cronflow.json("status", "real", "latest")))["state"] == "failed"
    assert Path(cronflow.state_dir).is_dir()
