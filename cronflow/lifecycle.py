"""What a run's state is, as a function of what was seen of its attempts. No files, no processes, no clock.

`judge` turns one sighting of an attempt into its record; `Flow` holds the tasks of a run and answers, after each
sighting, which tasks may start, wait, or can't start any more. `state` builds a whole run from scratch; the
engine feeds a `Flow` one sighting at a time. Both walk the same code, so recovery is not a special case.

The rules are those of the design's "When a task starts". A task's state only ever moves forward within a round.
"""

import zlib
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from signal import Signals
from typing import Literal

import msgspec
from msgspec import Struct

from cronflow import instant
from cronflow.record import RUN_ENDED, TASK_ENDED, Attempt, AttemptState, Run, RunState, TaskRun, TaskState
from cronflow.spec import Pipeline, Task

NOT_SELECTED = "not selected"
LOST = "lost: killed together with its shell, or the machine went down"

StopReason = Literal["timeout", "run timeout", "cancel"]


class Sighting(Struct, frozen=True, kw_only=True):
    """What is known of one attempt. `phase` ended has an exit code or an error, lost has neither.

    `at` and `ended_at` are record texts; `error` is why it could not be started.
    """

    number: int
    phase: Literal["running", "ended", "lost"]
    pid: int | None = None
    exit_code: int | None = None
    error: str | None = None
    started_at: str | None = None
    ended_at: str | None = None
    cpu_seconds: float | None = None
    max_rss_bytes: int | None = None
    log: str | None = None


class Stop(Struct, frozen=True, kw_only=True):
    """Why an engine stopped an attempt: it decides the outcome, whatever exit status follows."""

    reason: StopReason
    by: str
    at: str


class Wish(Struct, frozen=True, kw_only=True):
    """That a run shall end: because somebody asked, or because its time is over."""

    kind: Literal["cancel", "timeout"] = "cancel"
    by: str
    at: str
    reason: str | None = None


def judge(seen: Sighting, stop: Stop | None, task: Task) -> Attempt:
    """The record of an attempt as it was seen."""
    state, reason = outcome(seen, stop, task)
    signal = seen.exit_code - 128 if seen.exit_code is not None and 128 < seen.exit_code <= 192 else None
    return Attempt(
        number=seen.number,
        state=state,
        reason=reason,
        exit_code=seen.exit_code,
        signal=signal,
        pid=seen.pid,
        started_at=seen.started_at,
        ended_at=seen.ended_at,
        cpu_seconds=seen.cpu_seconds,
        max_rss_bytes=seen.max_rss_bytes,
        log=seen.log,
    )


def with_usage(seen: Sighting, cpu_seconds: float, max_rss_bytes: int) -> Sighting:
    """A sighting with what only the attempt's parent knows."""
    return msgspec.structs.replace(seen, cpu_seconds=cpu_seconds, max_rss_bytes=max_rss_bytes)


def outcome(seen: Sighting, stop: Stop | None, task: Task) -> tuple[AttemptState, str | None]:
    """The state of an attempt and its reason. A stop decides; then an error, then the exit code."""
    if seen.phase == "running":
        return "running", f"being stopped: {stop.reason}" if stop else None
    if stop is not None:
        return stopped(stop, task)
    if seen.error is not None:
        return "failed", seen.error
    if seen.phase == "lost" or seen.exit_code is None:
        return "lost", LOST
    if seen.exit_code == 0:
        return "succeeded", None
    if seen.exit_code == task.skip_exit_code:
        return "skipped", f"exit code {seen.exit_code}"
    return "failed", exit_reason(seen.exit_code)


def stopped(stop: Stop, task: Task) -> tuple[AttemptState, str]:
    """The outcome of an attempt that an engine stopped."""
    if stop.reason == "cancel":
        return "cancelled", f"cancelled by {stop.by}"
    if stop.reason == "timeout":
        return "failed", f"timeout: still running after {duration(task.timeout or 0)}"
    return "failed", "run timeout: the run's time was over"


def exit_reason(code: int) -> str:
    """An exit code in words; 126, 127 and 128 + N are the shell's (POSIX, 2.8.2)."""
    if code == 126:
        return "exit code 126: found, but can't be executed"
    if code == 127:
        return "exit code 127: command not found"
    if 128 < code <= 192:
        try:
            return f"killed by {Signals(code - 128).name}"
        except ValueError:
            return f"killed by signal {code - 128}"
    return f"exit code {code}"


def duration(seconds: float) -> str:
    """`5400` -> `1h30m`: as a pipeline file writes it."""
    if seconds < 60 or seconds != int(seconds):
        return f"{seconds:g}s"
    parts, rest = [], int(seconds)
    for size, letter in ((86400, "d"), (3600, "h"), (60, "m"), (1, "s")):
        count, rest = divmod(rest, size)
        if count:
            parts.append(f"{count}{letter}")
    return "".join(parts)


def retry_wait(task: Task, tries: int, attempt_key: str) -> float:
    """Seconds between the end of a round's attempt number `tries` and the next.

    The jitter comes from the attempt's name, so that every engine that works it out gets the same instant.
    """
    # The highest backoff is 100, and 100 ** 150 is still a float.
    delay = min(task.retry_delay * task.retry_backoff ** min(tries - 1, 150), task.retry_max_delay)
    share = zlib.crc32(attempt_key.encode()) / 0xFFFFFFFF * 2 - 1
    return min(delay * (1 + task.retry_jitter * share), task.retry_max_delay)


class Flow:
    """The tasks of a run's open round. Feed it sightings; ask it what may start and how the run stands.

    `tasks` is each task's record now; `ready` the tasks whose `when` is met and `retries` the instants at which
    retrying tasks may start again: whoever drives the run takes both out. `open` counts the tasks not ended.
    """

    def __init__(self, run: Run, wish: Wish | None = None) -> None:
        """All tasks pending, but for those the round leaves alone. Feed the attempts with `see`."""
        self.run = run
        self.definition: Pipeline = run.definition
        self.round = run.rounds[-1]
        self.wish = wish
        self.tasks: dict[str, TaskRun] = {}
        self.ready: list[str] = []
        self.retries: dict[str, float] = {}
        self.open = 0
        self._changed: list[str] = []
        self._unmet: dict[str, int] = {}
        self._bad: dict[str, int] = {}
        self._skipped: dict[str, int] = {}
        self._cancelled: dict[str, int] = {}
        self._dependants: dict[str, list[str]] = {name: [] for name in self.definition.tasks}
        self._ended: deque[str] = deque()
        self._lay_out()

    def _lay_out(self) -> None:
        """Every task's first record, and who waits for whom. A need that was left out is no need."""
        selected = self.definition.tasks.keys() if self.round.tasks is None else set(self.round.tasks)
        for name in self.definition.tasks:
            earlier = self.run.tasks.get(name)
            if name in selected:
                self.tasks[name] = TaskRun(state="pending", attempts=earlier.attempts if earlier else ())
                self._unmet[name] = self._bad[name] = self._skipped[name] = self._cancelled[name] = 0
            elif earlier is not None and earlier.state in TASK_ENDED:
                self.tasks[name] = earlier
                self._ended.append(name)
            else:
                self.tasks[name] = TaskRun(state="skipped", reason=NOT_SELECTED)
        self.open = len(self._unmet)
        for name in self._unmet:
            for need in self.definition.tasks[name].needs:
                if self.tasks[need].reason != NOT_SELECTED:
                    self._dependants[need].append(name)
                    self._unmet[name] += 1

    def start(self, sightings: Mapping[str, Sequence[tuple[Sighting, Stop | None]]] | None = None) -> None:
        """Take in what was seen of the open round, and decide every task."""
        roots = [name for name, unmet in self._unmet.items() if not unmet]
        for name, seen in (sightings or {}).items():
            if name in self._unmet:
                task = self.definition.tasks[name]
                self._judged(name, tuple(judge(sighting, stop, task) for sighting, stop in seen))
        for name in roots:
            if self.tasks[name].state == "pending":
                self._consider(name)
        self._spread()
        if self.wish is not None:
            self.end(self.wish)

    def see(self, name: str, sighting: Sighting, stop: Stop | None = None) -> None:
        """One attempt of a task as it is now: a new one, or news of the last one."""
        attempt = judge(sighting, stop, self.definition.tasks[name])
        kept = [old for old in self._this_round(name) if old.number < attempt.number]
        self._judged(name, (*kept, attempt))
        self._spread()

    def end(self, wish: Wish) -> None:
        """The run shall end: what has not started never will. Running attempts are for the engine to stop.

        A task that still waits for its needs is decided when they have ended, so that it doesn't matter which came
        first, their ends or the wish.
        """
        self.wish = wish
        self.ready.clear()
        for name in list(self._unmet):
            record = self.tasks[name]
            if record.state == "pending":
                self._consider(name)
            elif record.state == "retrying":
                self._judged(name, self._this_round(name))
        self._spread()

    def note_stop(self, name: str, stop: Stop) -> None:
        """A running attempt is being stopped, and why."""
        *before, last = self.tasks[name].attempts
        stopping = msgspec.structs.replace(last, reason=f"being stopped: {stop.reason}")
        self._set(name, TaskRun(state="running", reason=stopping.reason, attempts=(*before, stopping)))

    def drain_changes(self) -> list[str]:
        """The tasks whose records changed since the last call."""
        changed, self._changed = self._changed, []
        return changed

    def next_number(self, name: str) -> int:
        """The number that the task's next attempt gets."""
        attempts = self.tasks[name].attempts
        return attempts[-1].number + 1 if attempts else self.round.first.get(name, 1)

    def _this_round(self, name: str) -> tuple[Attempt, ...]:
        first = self.round.first.get(name, 1)
        return tuple(attempt for attempt in self.tasks[name].attempts if attempt.number >= first)

    def _judged(self, name: str, attempts: tuple[Attempt, ...]) -> None:
        """Set a task's state from the attempts of this round; a task without any is still to be considered."""
        if not attempts:
            return
        first = self.round.first.get(name, 1)
        earlier = tuple(attempt for attempt in self.tasks[name].attempts if attempt.number < first)
        self.retries.pop(name, None)
        state, reason, again = self._after(name, attempts)
        if again is not None:
            self.retries[name] = again
        self._set(
            name,
            TaskRun(
                state=state,
                reason=reason,
                next_attempt_at=None if again is None else instant.to_text(again),
                attempts=earlier + attempts,
            ),
        )

    def _after(self, name: str, attempts: tuple[Attempt, ...]) -> tuple[TaskState, str | None, float | None]:
        """State, reason and next attempt's instant of a task that was tried."""
        last = attempts[-1]
        if last.state != "failed" and last.state != "lost":  # noqa: PLR1714 - the type checker narrows on this form
            return last.state, last.reason, None
        task = self.definition.tasks[name]
        if len(attempts) > task.retries:
            return "failed", last.reason, None
        if self.wish is not None:
            if self.wish.kind == "timeout":
                return "failed", last.reason, None
            return "cancelled", f"cancelled by {self.wish.by} before attempt {last.number + 1}", None
        key = f"{self.run.pipeline}/{self.run.run_id}/{name}/{last.number}"
        ended = instant.to_seconds(last.ended_at or last.started_at or self.round.at)
        return "retrying", last.reason, ended + retry_wait(task, len(attempts), key)

    def _consider(self, name: str) -> None:
        """Decide a task that was not tried yet."""
        state, reason = self._may_start(name)
        if self.wish is not None and state in {"start", "pending"}:
            why = "run timeout" if self.wish.kind == "timeout" else f"cancelled by {self.wish.by}"
            state, reason = ("cancelled", why) if state == "start" else ("pending", f"will not start: {why}")
        if state == "start":
            self.ready.append(name)
        elif state != "pending" or reason != self.tasks[name].reason:
            self._set(name, TaskRun(state=state, reason=reason, attempts=self.tasks[name].attempts))

    def _may_start(self, name: str) -> tuple[Literal["start"] | TaskState, str | None]:
        """Whether the task's `when` is met, may yet be, or never will. A cancelled need is one that never succeeds."""
        when, unmet, bad = self.definition.tasks[name].when, self._unmet[name], self._bad[name]
        if when == "all_succeeded":
            if bad:
                return "upstream_failed", f"{self._first(name, 'failed', 'upstream_failed')} failed"
            state, why = self._kept_back(name)
            if unmet:
                # What it becomes depends on the others; that it won't start is known now.
                return "pending", f"will not start: {why}" if why else None
            return state, why
        if unmet:
            return "pending", None
        if when == "any_failed" and not bad:
            return self._kept_back(name) if self._cancelled[name] else ("skipped", "nothing it needs failed")
        return "start", None

    def _kept_back(self, name: str) -> tuple[Literal["start", "cancelled", "skipped"], str | None]:
        """What needs that neither succeeded nor failed make of a task."""
        if self._cancelled[name]:
            return "cancelled", f"{self._first(name, 'cancelled')} was cancelled"
        return ("skipped", f"{self._first(name, 'skipped')} was skipped") if self._skipped[name] else ("start", None)

    def _first(self, name: str, *states: TaskState) -> str:
        """The first need that keeps a task from starting, for people."""
        needs = self.definition.tasks[name].needs
        return next((f"'{need}'" for need in needs if self.tasks[need].state in states), "a need")

    def _set(self, name: str, record: TaskRun) -> None:
        ended_before = self.tasks[name].state in TASK_ENDED
        self.tasks[name] = record
        self._changed.append(name)
        if record.state in TASK_ENDED and not ended_before:
            self.open -= 1
            self._ended.append(name)

    def _spread(self) -> None:
        """Tell the tasks that need it of each task that ended, until nothing changes any more."""
        while self._ended:
            name = self._ended.popleft()
            state = self.tasks[name].state
            forgiven = state == "failed" and self.definition.tasks[name].allow_failure
            bad = state in {"failed", "upstream_failed"} and not forgiven
            for dependant in self._dependants[name]:
                self._unmet[dependant] -= 1
                self._bad[dependant] += bad
                self._skipped[dependant] += state == "skipped"
                self._cancelled[dependant] += state == "cancelled"
                if self.tasks[dependant].state == "pending" and not self._waits(dependant):
                    self._consider(dependant)

    def _waits(self, name: str) -> bool:
        """Whether there is nothing to decide yet: the common case, kept cheap."""
        return bool(self._unmet[name] and not (self._bad[name] or self._skipped[name] or self._cancelled[name]))

    def result(self) -> tuple[RunState, str | None]:
        """The run's state and its reason, as they stand."""
        if self.open:
            return "running", None
        if self.wish is not None and self.wish.kind == "cancel":
            return "cancelled", self.wish.reason or f"cancelled by {self.wish.by}"
        if self.wish is not None:
            return "failed", self.wish.reason or "run timeout"
        failed = [
            name
            for name, record in self.tasks.items()
            if record.state == "failed" and not self.definition.tasks[name].allow_failure
        ]
        if failed:
            return "failed", failure(failed, self.tasks)
        if all(record.state == "skipped" for record in self.tasks.values()):
            return "skipped", "every task was skipped"
        return "succeeded", None

    def record(self, ended_at: str | None = None) -> Run:
        """The run as its record says it now; `ended_at` for when it has ended."""
        state, reason = self.result()
        return msgspec.structs.replace(
            self.run,
            state=state,
            reason=reason,
            tasks=dict(self.tasks),
            ended_at=ended_at if state in RUN_ENDED else None,
        )


def failure(failed: Sequence[str], tasks: Mapping[str, TaskRun]) -> str:
    """Why a run failed, in one line."""
    if len(failed) == 1:
        return f"task '{failed[0]}' failed: {tasks[failed[0]].reason}"
    names = ", ".join(f"'{name}'" for name in failed[:3])
    more = f" and {len(failed) - 3} more" if len(failed) > 3 else ""
    return f"{len(failed)} tasks failed: {names}{more}"


def state(run: Run, sightings: Mapping[str, Iterable[tuple[Sighting, Stop | None]]], wish: Wish | None = None) -> Flow:
    """A run as what was seen of its open round makes it."""
    flow = Flow(run, wish)
    flow.start({name: sorted(seen, key=lambda pair: pair[0].number) for name, seen in sightings.items()})
    return flow
