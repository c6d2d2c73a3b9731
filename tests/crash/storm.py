"""A pipeline with a bit of everything, and what must be so once its runs have ended, whoever was killed meanwhile."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

from tests.acceptance.witness import leftovers, until
from tests.crash.driver import Grave

DAY = "2026-01-05"
RUN_ID = "20260106T000000Z"

# Each attempt leaves a line in $STARTS as it starts: one write to a file opened for appending.
BEGIN = 'echo "$CRONFLOW_ATTEMPT_ID" >>"$STARTS"; echo "begin $CRONFLOW_TASK $CRONFLOW_ATTEMPT"'
END = 'echo "end $CRONFLOW_TASK $CRONFLOW_ATTEMPT"'

PIPELINE = f"""
schedule: "0 0 * * *"
timezone: UTC
max_parallel_tasks: 3
tasks:
  slow:
    run: '{BEGIN}; sleep 0.05; {END}'
  quick:
    run: '{BEGIN}; {END}'
  flaky:
    retries: 2
    retry_delay: 0.02
    run: '{BEGIN}; {END}; [ "$CRONFLOW_ATTEMPT" -gt 1 ]'
  tolerated:
    allow_failure: true
    run: '{BEGIN}; {END}; exit 3'
  idle:
    skip_exit_code: 99
    run: '{BEGIN}; {END}; exit 99'
  after_idle:
    needs: idle
    run: '{BEGIN}; {END}'
  join:
    needs: [slow, quick, flaky, tolerated]
    run: '{BEGIN}; {END}'
  broken:
    needs: quick
    run: '{BEGIN}; sleep 0.02; {END}; exit 1'
  after_broken:
    needs: broken
    run: '{BEGIN}; {END}'
  handler:
    needs: broken
    when: any_failed
    run: '{BEGIN}; {END}'
  last:
    needs: [join, handler, after_broken]
    when: all_done
    run: '{BEGIN}; {END}'
"""

# Each task's end, and the exit codes of its attempts in one round.
ENDS: dict[str, tuple[str, list[int]]] = {
    "slow": ("succeeded", [0]),
    "quick": ("succeeded", [0]),
    "flaky": ("succeeded", [1, 0]),
    "tolerated": ("failed", [3]),
    "idle": ("skipped", [99]),
    "after_idle": ("skipped", []),
    "join": ("succeeded", [0]),
    "broken": ("failed", [1]),
    "after_broken": ("upstream_failed", []),
    "handler": ("succeeded", [0]),
    "last": ("succeeded", [0]),
}


def records(state: Path) -> list[dict[str, Any]]:
    """Every run's record. A claim that was killed leaves a draft, which is no run."""
    paths = sorted(state.glob("pipelines/*/runs/*/*/run.json"))
    return [json.loads(path.read_bytes()) | {"dir": path.parent} for path in paths if path.parent.suffix != ".draft"]


def check(grave: Grave) -> None:
    """All runs have ended as they must, each attempt was started once, every log is whole, and nothing is left."""
    runs = records(grave.state)
    for run in runs:
        check_run(run)
    check_starts(runs, grave.starts)
    check_nothing_is_left(grave, runs)


def check_run(run: dict[str, Any]) -> None:
    assert (run["state"], run["reason"]) == ("failed", "task 'broken' failed: exit code 1")
    assert run["ended_at"] >= run["started_at"] >= run["created_at"]
    rounds = len(run["rounds"])
    for name, (state, codes) in ENDS.items():
        task = run["tasks"][name]
        assert task["state"] == state, name
        attempts = task["attempts"]
        assert [attempt["exit_code"] for attempt in attempts] == expected_codes(name, codes, rounds), name
        assert [attempt["number"] for attempt in attempts] == list(range(1, len(attempts) + 1))
        for attempt in attempts:
            check_log(run["dir"], name, attempt["number"])


def expected_codes(name: str, codes: list[int], rounds: int) -> list[int]:
    """Over all rounds. The flaky task fails at its first attempt only, and attempts are numbered on."""
    return [1, *[0] * rounds] if name == "flaky" else codes * rounds


def check_log(run_dir: Path, task: str, number: int) -> None:
    text = (run_dir / f"{task}.{number}.log").read_text(encoding="utf-8")
    assert text == f"begin {task} {number}\nend {task} {number}\n"


def check_starts(runs: list[dict[str, Any]], starts: Path) -> None:
    """What the attempts wrote themselves agrees with the records, and no attempt came twice."""
    lines = starts.read_text(encoding="utf-8").splitlines() if starts.exists() else []
    assert [line for line, count in Counter(lines).items() if count > 1] == []
    started = {line.partition("@")[0] for line in lines}
    assert started == {
        f"{run['pipeline']}/{run['run_id']}/{name}/{attempt['number']}"
        for run in runs
        for name, task in run["tasks"].items()
        for attempt in task["attempts"]
    }


def check_nothing_is_left(grave: Grave, runs: list[dict[str, Any]]) -> None:
    """Records and logs stay: no attempt files, notes, drafts, entries or processes."""
    of_runs = {run["dir"] for run in runs}
    found = [*grave.state.glob("pipelines/*/runs/*/*"), *grave.state.glob("open/*")]
    for directory in of_runs:
        found += [path for path in directory.iterdir() if path.name != "run.json" and path.suffix != ".log"]
    assert [str(path) for path in found if path not in of_runs] == []
    until(lambda: not leftovers(grave.home))
