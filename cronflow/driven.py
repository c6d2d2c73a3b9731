"""An open run in an engine's hands: its flow, its attempts, and what each next attempt is to be started with."""

import os
import stat
import zlib

from msgspec import Struct

from cronflow import clock, instant, variables
from cronflow.executor import SCARCE, NotStartedError, Order, user_variables
from cronflow.lifecycle import Flow, Stop
from cronflow.spec import DEFAULT_SHELL
from cronflow.state import attempts
from cronflow.state.claims import Held

ENV_FILE_LARGEST = 4 << 20  # bytes


class Live(Struct, kw_only=True, eq=False):
    """An attempt whose shell is, or was just now, running. Instants `since` and `kill_at` are of the awake clock.

    `watch` is the descriptor that tells of the shell's end, `ours` whether it is our child, `stop` why it is being
    stopped, `gone` that its shell is and what is left of it is being stopped, `told` that this got its SIGTERM,
    `presses` how often it was looked for, `empty` that the last look found nothing, `over` that nothing is left.
    """

    driven: "Driven"
    task: str
    number: int
    attempt_id: str
    pid: int | None
    since: float
    ours: bool
    watch: int = -1
    stop: Stop | None = None
    kill_at: float | None = None
    gone: bool = False
    over: bool = False
    told: bool = False
    presses: int = 0
    empty: bool = False
    usage: tuple[float, int] | None = None
    exit_status: int | None = None

    @property
    def grace(self) -> float:
        """Seconds between SIGTERM and SIGKILL."""
        return self.driven.definition.tasks[self.task].grace


class Driven:
    """One open run. `live` are its attempts by task; `parked` the ready tasks that wait for one of them to end."""

    def __init__(self, held: Held, flow: Flow, environment: dict[str, str], state_token: str) -> None:
        """`environment` is the engine's own; `state_token` tells this state directory from others."""
        self.held = held
        self.run = held.run
        self.flow = flow
        self.definition = held.run.definition
        self.key = (self.run.pipeline, self.run.run_id)
        self.live: dict[str, Live] = {}
        self.parked: list[tuple[int, int, str]] = []
        self.ending = False
        self._token = state_token
        self._engine_env = variables.of_engine(environment)
        self._own_env = {**self.definition.env, **self.definition.params, **self.run.params}
        self._period_env = period_variables(
            self.run.definition.timezone, self.run.interval_start, self.run.interval_end
        )

    def has_room(self) -> bool:
        """Whether one more task may run at once."""
        return len(self.live) < self.definition.max_parallel_tasks

    def attempt_id(self, task: str, number: int) -> str:
        """Unique over state directories, runs and attempts."""
        return f"{self.run.pipeline}/{self.run.run_id}/{task}/{number}@{self._token}"

    def order(self, task: str, number: int, now: float, slot: int | None) -> Order:
        """What the task's next attempt is started with. Raises NotStartedError where that can't be said."""
        spec = self.definition.tasks[task]
        attempt_id = self.attempt_id(task, number)
        cwd = spec.cwd or "/"
        return Order(
            run_dir=self.held.dir,
            task=task,
            number=number,
            head=attempts.Head(attempt_id, clock.boot_id(), instant.to_text(now), clock.awake()),
            command=spec.run,
            shell=spec.shell or DEFAULT_SHELL,
            output=self.definition.output,
            cwd=cwd,
            env={
                **self._engine_env,
                "PWD": cwd,
                **user_variables(spec.user),
                **self._from_env_file(),
                **self._own_env,
                **spec.env,
                **variables.of_attempt(self.run, task, number, attempt_id),
                **self._period_env,
            },
            user=spec.user,
            stdin=spec.stdin,
            slot=slot,
        )

    def _from_env_file(self) -> dict[str, str]:
        path = self.definition.env_file
        if path is None:
            return {}
        try:
            return variables.parse_env_file(env_file_text(path))
        except OSError as error:
            if error.errno in SCARCE:
                raise
            raise NotStartedError(f"env_file {path}: {error.strerror}") from error
        except UnicodeDecodeError as error:
            raise NotStartedError(f"env_file {path}: not UTF-8") from error
        except variables.EnvFileError as error:
            raise NotStartedError(f"env_file {path}: {error}") from error


def env_file_text(path: str) -> str:
    """An env_file's text. What is no file is not waited for. Raises OSError, UnicodeDecodeError, EnvFileError."""
    with open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK)) as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise variables.EnvFileError("not a regular file")
        content = file.read(ENV_FILE_LARGEST + 1)
    if len(content) > ENV_FILE_LARGEST:
        raise variables.EnvFileError("more than 4 MiB, which no environment can hold")
    return content.decode("utf-8-sig")


def period_variables(timezone: str | None, start: str | None, end: str | None) -> dict[str, str]:
    """The variables that name a run's period; none where the run has none."""
    if start is None or end is None:
        return {}
    from cronflow.schedule import Span, span_variables, zone

    return span_variables(Span(instant.to_seconds(start), instant.to_seconds(end)), zone(timezone))


def state_token(root: str) -> str:
    """What tells this state directory from any other of the machine."""
    at = os.stat(root)
    return f"{zlib.crc32(f'{os.path.realpath(root)}:{at.st_dev}:{at.st_ino}'.encode()):08x}"
