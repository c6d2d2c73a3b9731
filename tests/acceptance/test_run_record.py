"""What `cronflow run` prints: the record for programs, lines for people, and the plan of a dry run."""

import re
from typing import Any

from tests.acceptance.witness import instant, log, record, run_dir
from tests.conftest import Cronflow

RUN = [
    "schema", "pipeline", "run_id", "trigger", "state", "reason", "scheduled_at", "logical_date", "interval_start",
    "interval_end", "created_at", "started_at", "ended_at", "params", "rounds", "tasks", "definition",
]  # fmt: skip
TASK = ["state", "reason", "next_attempt_at", "attempts"]
ATTEMPT = [
    "number", "state", "reason", "exit_code", "signal", "pid", "started_at", "ended_at", "cpu_seconds",
    "max_rss_bytes", "log",
]  # fmt: skip
ROUND = {"at", "by", "from", "tasks"}

PIPELINE = """
description: Everything that an attempt may become
schedule: "0 1 * * *"
timezone: Europe/Berlin
params: {region: eu}
tasks:
  good: {run: echo good}
  bad: {run: kill -9 $$, retries: 1, retry_delay: 0, allow_failure: true}
  lost: {run: kill -9 $PPID, shell: /bin/sh, allow_failure: true}
  refused: {run: "true", cwd: missing, allow_failure: true}
  nothing: {run: exit 9, skip_exit_code: 9}
  never: {run: "true", needs: good, when: any_failed}
"""


def is_instant(text: object) -> bool:
    """UTC, with milliseconds and `Z`."""
    return isinstance(text, str) and re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", text) is not None


def test_the_record_has_every_key_with_its_type(cronflow: Cronflow) -> None:
    cronflow.pipeline("etl", PIPELINE)
    run = cronflow.json("run", "etl", "--date", "2026-11-21")
    assert list(run) == RUN
    assert {name: run[name] for name in RUN[:10]} == {
        "schema": 1,
        "pipeline": "etl",
        "run_id": "20261122T000000Z",
        "trigger": "manual",
        "state": "succeeded",
        "reason": None,
        "scheduled_at": "2026-11-22T00:00:00.000Z",
        "logical_date": "2026-11-21T00:00:00.000Z",
        "interval_start": "2026-11-21T00:00:00.000Z",
        "interval_end": "2026-11-22T00:00:00.000Z",
    }
    assert all(is_instant(run[name]) for name in ("created_at", "started_at", "ended_at"))
    assert run["created_at"] <= run["started_at"] <= run["ended_at"]
    assert run["params"] == {"region": "eu"}
    (one_round,) = run["rounds"]
    assert one_round.keys() >= ROUND
    assert is_instant(one_round["at"])
    assert (one_round["from"], one_round["tasks"]) == ({}, None)
    assert list(run["tasks"]) == ["good", "bad", "lost", "refused", "nothing", "never"]
    assert {name: [one["state"] for one in task["attempts"]] for name, task in run["tasks"].items()} == {
        "good": ["succeeded"],
        "bad": ["failed", "failed"],
        "lost": ["lost"],
        "refused": ["failed"],
        "nothing": ["skipped"],
        "never": [],
    }
    for task in run["tasks"].values():
        assert list(task) == TASK
        assert task["next_attempt_at"] is None
        for number, attempt in enumerate(task["attempts"], 1):
            check_attempt(attempt, number)
    assert run["definition"]["tasks"]["good"]["run"] == "echo good"
    assert run == record(cronflow, "etl"), "what is printed is what is stored"


def check_attempt(attempt: dict[str, Any], number: int) -> None:
    """Keys and types of one attempt, and that its times make sense."""
    assert list(attempt) == ATTEMPT
    assert attempt["number"] == number
    assert is_instant(attempt["started_at"])
    assert is_instant(attempt["ended_at"])
    assert attempt["started_at"] <= attempt["ended_at"]
    types: dict[str, tuple[type, ...]] = {
        "state": (str,),
        "reason": (str, type(None)),
        "exit_code": (int, type(None)),
        "signal": (int, type(None)),
        "pid": (int, type(None)),
        "cpu_seconds": (float, int, type(None)),
        "max_rss_bytes": (int, type(None)),
        "log": (str, type(None)),
    }
    assert {name: type(attempt[name]) for name in types if not isinstance(attempt[name], types[name])} == {}


def test_an_attempt_that_was_lost_and_one_that_never_began(cronflow: Cronflow) -> None:
    cronflow.pipeline("etl", PIPELINE)
    tasks = cronflow.json("run", "etl")["tasks"]
    (lost,) = tasks["lost"]["attempts"]
    assert lost["reason"] == "lost: killed together with its shell, or the machine went down"
    assert (lost["exit_code"], lost["signal"], lost["log"]) == (None, None, "lost.1.log")
    (refused,) = tasks["refused"]["attempts"]
    assert (refused["pid"], refused["exit_code"], refused["log"], refused["cpu_seconds"]) == (None, None, None, None)
    killed = tasks["bad"]["attempts"][-1]
    assert (killed["exit_code"], killed["signal"], killed["reason"]) == (137, 9, "killed by SIGKILL")


def test_people_get_a_line_an_event_and_what_to_type_next(cronflow: Cronflow) -> None:
    cronflow.pipeline(
        "etl",
        """
        schedule: "0 1 * * *"
        timezone: Europe/Berlin
        tasks:
          pull: {run: "test $CRONFLOW_ATTEMPT = 2", retries: 1, retry_delay: 0}
          load: {run: exit 7, needs: pull}
          tell: {run: "true", needs: load}
        """,
    )
    done = cronflow("run", "etl", "--date", "2026-11-21")
    assert done.stderr == ""
    lines = [re.sub(r"^\d\d:\d\d:\d\d  |\s+\d+\.\ds", "", line) for line in done.stdout.splitlines()]
    assert lines == [
        "etl  due 2026-11-22 01:00 Europe/Berlin, period from 2026-11-21 01:00  run 20261122T000000Z",
        "pull  running",
        "pull  retrying         attempt 1  exit code 1; again in",
        "pull  running          attempt 2",
        "pull  succeeded        attempt 2",
        "load  running",
        "load  failed  exit code 7",
        "tell  upstream failed  'load' failed",
        "etl failed in: task 'load' failed: exit code 7",
        f"  log:     cronflow --state-dir {cronflow.state_dir} logs etl 20261122T000000Z load",
        f"  details: cronflow --state-dir {cronflow.state_dir} status etl 20261122T000000Z",
    ]


def test_what_is_said_to_type_works(cronflow: Cronflow) -> None:
    cronflow.pipeline("etl", "run: echo what went wrong; exit 7\n")
    done = cronflow("run", "etl")
    for line in done.stdout.splitlines()[-2:]:
        words = line.split(":", 1)[1].split()
        assert words[0] == "cronflow"
        shown = cronflow(*words[1:])
        assert (shown.returncode, shown.stderr) == (0, "")
        assert "what went wrong" in shown.stdout


DRY = """
schedule: "@daily"
timezone: UTC
params: {region: eu}
tasks:
  load: {run: ./load.sh, needs: pull, timeout: 90m}
  pull: {run: "./pull.sh\\n./more.sh", retries: 3}
  tell: {run: ./tell.sh, needs: [pull, load]}
"""


def test_a_dry_run_shows_what_would_be_and_writes_nothing(cronflow: Cronflow) -> None:
    cronflow.pipeline("etl", DRY)
    cronflow("validate")
    before = sorted(cronflow.state_dir.rglob("*"))
    done = cronflow("run", "etl", "--date", "2026-11-21", "--task", "pull", "--task", "load", "--dry-run")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "etl  due 2026-11-22 00:00 UTC, period from 2026-11-21 00:00  run 20261122T000000Z",
        "  pull  starts at once, 3 retries",
        "      ./pull.sh",
        "      ./more.sh",
        "  load  needs pull, timeout 1h30m",
        "      ./load.sh",
        "  tell  not selected",
        "nothing was started (--dry-run)",
    ]
    after = [path for path in cronflow.state_dir.rglob("*") if path not in before]
    assert [path for path in after if "cache" not in path.parts] == []


def test_a_dry_run_for_programs_is_the_record_that_would_begin(cronflow: Cronflow) -> None:
    cronflow.pipeline("etl", DRY)
    run = cronflow.json("run", "etl", "--date", "2026-11-21", "--param", "region=us", "--dry-run")
    assert list(run) == RUN
    assert (run["run_id"], run["params"], run["ended_at"]) == ("20261122T000000Z", {"region": "us"}, None)
    assert not (cronflow.state_dir / "pipelines").exists()


def test_a_dry_run_knows_what_is_refused(cronflow: Cronflow) -> None:
    cronflow.pipeline("etl", DRY)
    done = cronflow("run", "etl", "--date", "2099-01-01", "--dry-run")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("cronflow: --date 2099-01-01: ")


def test_a_file_is_run_from_anywhere(cronflow: Cronflow) -> None:
    path = cronflow.pipeline("etl", "run: pwd\n")
    away = cronflow.home / "away"
    away.mkdir(mode=0o755)
    moved = path.rename(away / "other.yaml")
    assert cronflow("run", moved).returncode == 0
    assert cronflow("run", "./other.yaml", cwd=away).returncode == 0
    assert log(cronflow, "other", "main").decode() == f"{away}\n"
    assert run_dir(cronflow, "other").name.endswith("-manual")


def test_times_are_those_of_the_attempt(cronflow: Cronflow) -> None:
    cronflow.pipeline("etl", "run: sleep 0.2\n")
    run = cronflow.json("run", "etl")
    (attempt,) = run["tasks"]["main"]["attempts"]
    assert instant(attempt["ended_at"]) - instant(attempt["started_at"]) > 0.15
    assert instant(run["started_at"]) <= instant(attempt["started_at"])
    assert instant(attempt["ended_at"]) <= instant(run["ended_at"])
