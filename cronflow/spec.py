"""The nouns of a pipeline file and of `config.yaml`: what each key means, its type, its default.

These definitions are the only ones: the loader validates with them, `cronflow schema` prints them, a run's
record stores them (`definition`), and the engine reads them. The loader hands out resolved values: durations in
seconds, paths absolute, `defaults` merged into every task, `run` at the top level turned into the task `main`.
"""

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$"
ENV_NAME_PATTERN = r"^[A-Za-z_][A-Za-z0-9_]*$"
MAIN_TASK = "main"
DEFAULT_SHELL = "/bin/sh -e"

# `form` tells the loader and the schema how the value is written in YAML where that differs from the type here.
Name = Annotated[str, Meta(pattern=NAME_PATTERN)]
Duration = Annotated[float, Meta(ge=0, extra={"form": "duration"})]
Limit = Annotated[float, Meta(gt=0, extra={"form": "duration"})]
Size = Annotated[int, Meta(ge=0, extra={"form": "size"})]
Names = Annotated[tuple[str, ...], Meta(extra={"form": "one or more"})]
Variables = Annotated[dict[str, str], Meta(extra={"form": "variables"})]
Day = Annotated[str, Meta(extra={"form": "day"})]
Word = Annotated[str, Meta(min_length=1)]
ExitCode = Annotated[int, Meta(ge=1, le=255)]
Slots = Annotated[int, Meta(ge=1, le=10_000)]

Catchup = Literal["latest", "all", "none"]
Overlap = Literal["queue", "skip", "replace", "allow"]
Output = Literal["file", "pipe"]
When = Literal["all_succeeded", "all_done", "any_failed"]


class Retention(Struct, frozen=True, kw_only=True):
    """How much history is kept; whichever limit is reached first."""

    runs: Annotated[int, Meta(ge=1, description="Keep at most this many ended runs.")] = 1000
    days: Annotated[int, Meta(ge=1, description="Keep ended runs for this many days.")] = 365


class Alerts(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Who is told of what. Targets are URLs (`mailto://…`, `slack://…`) or `command: …`."""

    on_failure: Annotated[Names, Meta(description="A run failed.")] = ()
    on_recovery: Annotated[Names, Meta(description="A run succeeded after failures.")] = ()
    on_success: Annotated[Names, Meta(description="A run succeeded.")] = ()
    on_retry: Annotated[Names, Meta(description="An attempt failed and will be retried.")] = ()
    on_late: Annotated[Names, Meta(description="A run has not ended `late_after` its due time.")] = ()
    on_missed: Annotated[Names, Meta(description="A period will not run.")] = ()
    on_output: Annotated[Names, Meta(description="A run wrote any output (cron's habit).")] = ()
    late_after: Annotated[Limit | None, Meta(description="How long after its due time a run counts as late.")] = None
    remind: Annotated[Duration, Meta(description="How often a lasting failure is told again.")] = 86400.0


class TaskKeys(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Every key of a task, none of them required: what `defaults` may hold."""

    run: Annotated[
        Word | None,
        Meta(description="The shell command. Under 128 KiB. Nothing is spliced into it; the shell expands variables."),
    ] = None
    needs: Annotated[Names, Meta(description="The tasks this one waits for: a name or a list of names.")] = ()
    when: Annotated[
        When,
        Meta(
            description="all_succeeded: every need succeeded. all_done: every need ended. "
            "any_failed: every need ended and at least one failed."
        ),
    ] = "all_succeeded"
    retries: Annotated[int, Meta(ge=0, le=10_000, description="Attempts after the first, in each round.")] = 0
    retry_delay: Annotated[Duration, Meta(description="The wait before the first retry.")] = 30.0
    retry_backoff: Annotated[float, Meta(ge=1, le=100, description="The delay's factor for each further attempt.")] = (
        2.0
    )
    retry_max_delay: Annotated[Duration, Meta(description="No wait is longer than this.")] = 3600.0
    retry_jitter: Annotated[
        float, Meta(ge=0, le=1, description="A share of the delay that is added or taken, fixed per attempt.")
    ] = 0.1
    timeout: Annotated[Limit | None, Meta(description="The longest one attempt may run.")] = None
    grace: Annotated[Duration, Meta(description="The time between SIGTERM and SIGKILL when a task is stopped.")] = 10.0
    cwd: Annotated[
        str | None,
        Meta(description="The working directory, relative to the YAML file's. Default: the YAML file's directory."),
    ] = None
    shell: Annotated[
        str,
        Meta(
            min_length=1,
            description="The command line that gets `-c COMMAND`, for instance `bash -eo pipefail`.",
        ),
    ] = DEFAULT_SHELL
    user: Annotated[Word | None, Meta(description="Run as this user. Only where cronflow runs as root.")] = None
    stdin: Annotated[str | None, Meta(description="Text fed to the command's standard input. Default: empty.")] = None
    allow_failure: Annotated[
        bool,
        Meta(description="A failure counts as success for the tasks that need this one, and for the run."),
    ] = False
    skip_exit_code: Annotated[
        ExitCode | None, Meta(description="This exit code means: nothing to do, the task is skipped.")
    ] = None
    pool: Annotated[Name | None, Meta(description="A named limit from config.yaml, shared by all pipelines.")] = None
    priority: Annotated[
        int, Meta(ge=-1_000_000, le=1_000_000, description="Who gets a free slot first; higher wins.")
    ] = 0
    env: Annotated[Variables, Meta(description="Environment variables for this task.")] = {}


class Task(TaskKeys, frozen=True, kw_only=True, omit_defaults=True):
    """One shell command and what it needs."""

    run: Annotated[
        str,
        Meta(
            min_length=1,
            description="The shell command. Under 128 KiB. Nothing is spliced into it; the shell expands variables.",
        ),
    ]


class Pipeline(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A schedule and tasks, resolved. `definition` in a run's record is this, as JSON."""

    name: Annotated[
        str,
        Meta(
            pattern=NAME_PATTERN,
            description="The pipeline's name. Default: the path under the pipelines directory, no suffix, `/` as `.`.",
        ),
    ]
    description: Annotated[str, Meta(description="One line for people.")] = ""
    owner: Annotated[str, Meta(description="Who looks after it.")] = ""
    tags: Annotated[Names, Meta(description="Words to group pipelines by.")] = ()
    enabled: Annotated[bool, Meta(description="false: never started by the daemon.")] = True
    schedule: Annotated[
        Names,
        Meta(description="A cron expression, a list of them, @daily and its like, or @reboot. Absent: by hand only."),
    ] = ()
    timezone: Annotated[
        str | None,
        Meta(
            extra={"form": "zone"},
            description="An IANA zone such as Europe/Berlin. Default: the machine's zone.",
        ),
    ] = None
    start: Annotated[Day | None, Meta(description="Periods before this day do not belong to the pipeline.")] = None
    end: Annotated[Day | None, Meta(description="Periods from this day on do not belong to the pipeline.")] = None
    catchup: Annotated[Catchup, Meta(description="Which missed periods run once the daemon is back.")] = "latest"
    catchup_window: Annotated[Duration, Meta(description="Missed periods older than this never run.")] = 604800.0
    overlap: Annotated[
        Overlap, Meta(description="What happens to a due period while earlier ones run and no slot is free.")
    ] = "queue"
    max_active_runs: Annotated[
        Slots | None, Meta(description="Runs of this pipeline at once; `run` keeps to it where it is set. Default: 1.")
    ] = None
    max_parallel_tasks: Annotated[int, Meta(ge=1, le=10_000, description="Tasks at once within one run.")] = 16
    timeout: Annotated[Limit | None, Meta(description="The longest a round of a run may take.")] = None
    jitter: Annotated[
        Duration | None,
        Meta(description="Spread starts by a fixed delay of this pipeline's own, below this."),
    ] = None
    params: Annotated[
        Variables, Meta(description="Environment variables that `run --param NAME=VALUE` overrides.")
    ] = {}
    env: Annotated[Variables, Meta(description="Environment variables for every task.")] = {}
    env_file: Annotated[
        str | None,
        Meta(description="A file of NAME=VALUE lines, read at each attempt's start; never written to history."),
    ] = None
    output: Annotated[
        Output,
        Meta(description="file: the task writes its log itself. pipe: one `cat` stands between, as in cron."),
    ] = "file"
    retention: Annotated[Retention, Meta(description="How much history is kept.")] = Retention()
    alerts: Annotated[Alerts, Meta(description="Who is told of what.")] = Alerts()
    tasks: Annotated[dict[Name, Task], Meta(description="The tasks by name.")] = {}


class PipelineFile(Pipeline, frozen=True, kw_only=True, omit_defaults=True):
    """A pipeline as its file has it: the name may follow from the path, `run` stands for a single task."""

    name: Annotated[
        str,
        Meta(
            pattern=NAME_PATTERN,
            description="The pipeline's name. Default: the path under the pipelines directory, no suffix, `/` as `.`.",
        ),
    ] = ""
    run: Annotated[
        str,
        Meta(min_length=1, description="In place of `tasks`: the shell command of the one task, which is named main."),
    ] = ""
    defaults: Annotated[
        dict[str, Any],
        Meta(
            extra={"form": "task keys"},
            description="Any task key, for all tasks. A task's own value wins; `env` is merged variable by variable.",
        ),
    ] = {}


class Heartbeat(Struct, frozen=True, kw_only=True):
    """A URL that the daemon pings, so that somebody outside hears when the machine is dead."""

    url: Annotated[str, Meta(pattern=r"^https?://", description="Fetched with GET.")]
    every: Annotated[Limit, Meta(description="The time between two pings.")] = 300.0


class Config(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`config.yaml`, beside the pipelines directory."""

    timezone: Annotated[str | None, Meta(extra={"form": "zone"}, description="The default zone of all pipelines.")] = (
        None
    )
    max_tasks: Annotated[int, Meta(ge=1, le=100_000, description="Tasks at once, per engine.")] = 256
    pools: Annotated[dict[Name, Slots], Meta(description="Named limits: how many tasks may hold each.")] = {}
    defaults: Annotated[
        dict[str, Any],
        Meta(extra={"form": "task keys"}, description="Any task key, for all tasks; a pipeline's own `defaults` win."),
    ] = {}
    alerts: Annotated[Alerts, Meta(description="The default of every pipeline's `alerts`.")] = Alerts()
    retention: Annotated[Retention, Meta(description="The default of every pipeline's `retention`.")] = Retention()
    log_limit: Annotated[Size, Meta(description="The most of one attempt's log that is kept; its head and tail.")] = (
        64 * 1024 * 1024
    )
    heartbeat: Annotated[Heartbeat | None, Meta(description="A URL that the daemon pings.")] = None
