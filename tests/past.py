"""Histories for tests: runs as records, and state directories that hold them, as an engine would have left them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from cronflow import instant
from cronflow.record import Attempt, AttemptState, Round, Run, TaskRun, TaskState
from cronflow.spec import Pipeline, Task
from cronflow.state.layout import Layout

DAY = 86400.0
MIDNIGHT = instant.to_seconds("2026-11-22T00:00:00Z")  # 01:00 in Berlin
ENDED_AFTER = 100.0


def pipeline(name: str = "etl", tasks: Sequence[str] = ("extract", "load"), **keys: Any) -> Pipeline:
    """A chain of tasks, due each day at 01:00 in Berlin."""
    needs = {name: tuple(tasks[max(0, at - 1) : at]) for at, name in enumerate(tasks)}
    keys = {"schedule": ("0 1 * * *",), "timezone": "Europe/Berlin"} | keys
    return Pipeline(name=name, tasks={name: Task(run="true", needs=needs[name]) for name in tasks}, **keys)


def attempt(
    start: float, end: float | None, state: AttemptState = "succeeded", number: int = 1, days_ago: int = 0, **keys: Any
) -> Attempt:
    """One attempt from `start` to `end`, seconds after the due time; running where there is no end."""
    due = MIDNIGHT - days_ago * DAY
    return Attempt(
        number=number,
        state="running" if end is None else state,
        started_at=instant.to_text(due + start),
        ended_at=None if end is None else instant.to_text(due + end),
        **keys,
    )


def task(state: TaskState, *attempts: Attempt, **keys: Any) -> TaskRun:
    """A task of a run."""
    return TaskRun(state=state, attempts=attempts, **keys)


def run(
    definition: Pipeline | None = None, days_ago: int = 0, tasks: Mapping[str, TaskRun] | None = None, **keys: Any
) -> Run:
    """The run of one period, succeeded unless `keys` say otherwise. `days_ago` moves its due time."""
    due = MIDNIGHT - days_ago * DAY
    definition = definition or pipeline()
    if tasks is None:
        tasks = {
            name: task("succeeded", attempt(0, 1, days_ago=days_ago, log=f"{name}.1.log")) for name in definition.tasks
        }
    values: dict[str, Any] = {
        "pipeline": definition.name,
        "run_id": instant.compact(due),
        "trigger": "schedule",
        "state": "succeeded",
        "scheduled_at": instant.to_text(due),
        "logical_date": instant.to_text(due - DAY),
        "interval_start": instant.to_text(due - DAY),
        "interval_end": instant.to_text(due),
        "created_at": instant.to_text(due),
        "started_at": instant.to_text(due),
        "ended_at": instant.to_text(due + ENDED_AFTER),
        "rounds": (Round(at=instant.to_text(due), by="daemon"),),
        "tasks": dict(tasks),
        "definition": definition,
    }
    return Run(**values | keys)


def by_hand(definition: Pipeline | None = None, at: float = MIDNIGHT + 3600, **keys: Any) -> Run:
    """A run by hand: its id is when it was asked for, its period the last one that had ended."""
    own = {
        "run_id": f"{instant.compact_milliseconds(at)}-manual",
        "trigger": "manual",
        "created_at": instant.to_text(at),
    }
    return run(definition, **own | keys)


def write(state_dir: Path, *runs: Run) -> None:
    """Put the runs into a state directory."""
    for one in runs:
        write_raw(state_dir, one.pipeline, one.run_id, msgspec.json.encode(one))


def write_raw(state_dir: Path, name: str, run_id: str, content: bytes) -> Path:
    """Put any bytes where a run's record belongs. Returns the run's directory."""
    run_dir = Path(Layout(str(state_dir)).run(name, run_id))
    run_dir.mkdir(parents=True, exist_ok=True)
    (run_dir / "run.json").write_bytes(content)
    return run_dir


def write_log(state_dir: Path, one: Run, task_name: str, content: bytes, number: int = 1) -> Path:
    """Put an attempt's log beside its run. Returns its path."""
    path = Path(Layout(str(state_dir)).run(one.pipeline, one.run_id)) / f"{task_name}.{number}.log"
    path.write_bytes(content)
    return path
