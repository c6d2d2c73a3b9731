"""The nouns of the history: what `run.json` holds and `--json` prints (design: JSON, schema 1).

Times are text (see `instant`). A value that is not known or not yet true is None. Records are replaced, never
changed: whoever has one may keep it.
"""

from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from cronflow.spec import Pipeline

SCHEMA = 1

Trigger = Literal["schedule", "catchup", "backfill", "manual", "reboot"]
RunState = Literal["queued", "running", "succeeded", "failed", "cancelled", "skipped"]
TaskState = Literal["pending", "running", "retrying", "succeeded", "failed", "upstream_failed", "skipped", "cancelled"]
AttemptState = Literal["running", "succeeded", "failed", "skipped", "cancelled", "lost"]

RUN_ENDED = frozenset({"succeeded", "failed", "cancelled", "skipped"})
TASK_ENDED = frozenset({"succeeded", "failed", "upstream_failed", "skipped", "cancelled"})


class Attempt(Struct, frozen=True, kw_only=True):
    """One process of a task. `signal` is `exit_code - 128` where that is 1 to 64.

    `cpu_seconds` and `max_rss_bytes` cover the command and what it waited for; None after adoption. Linux counts the
    instant between fork and exec in, so the memory is never below what the engine itself had taken (some 25 MB).
    `log` is the file's name within the run's directory.
    """

    number: int
    state: AttemptState
    reason: str | None = None
    exit_code: int | None = None
    signal: int | None = None
    pid: int | None = None
    started_at: str | None = None
    ended_at: str | None = None
    cpu_seconds: float | None = None
    max_rss_bytes: int | None = None
    log: str | None = None


class TaskRun(Struct, frozen=True, kw_only=True):
    """One task within a run, with the attempts of all rounds, oldest first."""

    state: TaskState
    reason: str | None = None
    next_attempt_at: str | None = None
    attempts: tuple[Attempt, ...] = ()


class Round(Struct, frozen=True, kw_only=True):
    """One go at a run. `first` (in JSON: `from`) is the number of each task's first attempt in it.

    A task that the round was asked to leave alone keeps the state it had; `tasks` None means all of them.
    `boot_id` and `monotonic` (seconds) are the awake clock at `at`: the round's timeout counts on it.
    """

    at: str
    by: str
    first: dict[str, int] = field(name="from", default_factory=dict)
    tasks: tuple[str, ...] | None = None
    boot_id: str = ""
    monotonic: float = 0.0


class RunSummary(Struct, frozen=True, kw_only=True):
    """A run without its tasks, rounds and definition: what lists show."""

    schema: Annotated[int, Meta(ge=1)] = SCHEMA
    pipeline: str
    run_id: str
    trigger: Trigger
    state: RunState
    reason: str | None = None
    scheduled_at: str | None = None
    logical_date: str | None = None
    interval_start: str | None = None
    interval_end: str | None = None
    created_at: str
    started_at: str | None = None
    ended_at: str | None = None
    params: dict[str, str] = {}


class Run(RunSummary, frozen=True, kw_only=True):
    """A run, whole: what `run.json` holds.

    While a run is open, `tasks` has only the attempts of earlier rounds; those of the open round are files
    beside it, and `state` is what is computed from both.
    """

    rounds: tuple[Round, ...] = ()
    tasks: dict[str, TaskRun] = {}
    definition: Pipeline


class Period(Struct, frozen=True, kw_only=True):
    """The span that one run covers. `scheduled_at` is the due time, `logical_date` the span's start.

    `logical_date` and the due time are in UTC; what is shown to a person is in the pipeline's zone.
    """

    pipeline: str
    scheduled_at: str
    logical_date: str
    interval_start: str
    interval_end: str
