"""Printing the logs of attempts: whole, their last lines, or what is new since the last look."""

import os
from collections.abc import Sequence

from msgspec import Struct

from cronflow.cli.outlet import Outlet
from cronflow.cli.output import complain
from cronflow.errors import StateTrouble
from cronflow.record import RUN_ENDED, TASK_ENDED, Attempt, Run
from cronflow.state import output
from cronflow.view.ink import harmless
from cronflow.view.moments import between

MISSING = "[{:,} bytes are missing here: the log grew past log_limit, and its middle was given back]"


class Part(Struct, frozen=True):
    """One attempt of one task."""

    task: str
    attempt: Attempt

    @property
    def key(self) -> tuple[str, int]:
        """What it is called within its run."""
        return self.task, self.attempt.number


class Choice(Struct, frozen=True):
    """Which attempts of a run: of one task, or of all; with this number, or all. `tail` is the lines of each."""

    task: str | None = None
    number: int | None = None
    tail: int | None = None

    def parts(self, run: Run) -> list[Part]:
        """The attempts, in the order in which they started."""
        found = [
            Part(name, attempt)
            for name, task in run.tasks.items()
            for attempt in task.attempts
            if self.task in {None, name} and self.number in {None, attempt.number}
        ]
        return sorted(found, key=lambda part: part.attempt.started_at or part.attempt.ended_at or "")

    def is_over(self, run: Run) -> bool:
        """Whether nothing more will come of it."""
        if run.state in RUN_ENDED:
            return True
        if self.task is None:
            return False
        passed = self.number is not None and any(part.attempt.ended_at for part in self.parts(run))
        return passed or (self.task in run.tasks and run.tasks[self.task].state in TASK_ENDED)


class Printer:
    """Prints logs, each time as far as they were not printed yet."""

    def __init__(self, run_dir: str, choice: Choice, to: Outlet) -> None:
        """Nothing is printed yet."""
        self.choice = choice
        self.outlet = to
        self._run_dir = run_dir
        self._reached: dict[tuple[str, int], int] = {}
        self._whole: set[tuple[str, int]] = set()
        self._last: tuple[str, int] | None = None

    def show(self, parts: Sequence[Part]) -> None:
        """What is new in the logs of these attempts; under their names, where there are several."""
        for part in parts:
            if part.key not in self._whole:
                self._look(part, named=len(parts) > 1)
            if part.attempt.ended_at is not None:
                self._whole.add(part.key)

    def _look(self, part: Part, *, named: bool) -> None:
        try:
            fd = output.open_log(self._run_dir, part.attempt)
        except FileNotFoundError:
            self._miss(part, f"{self._run_dir}/{part.attempt.log}: not there any more")
            return
        except StateTrouble as error:
            self._miss(part, str(error))
            return
        try:
            self._show(part, fd, named=named)
        finally:
            os.close(fd)

    def _show(self, part: Part, fd: int, *, named: bool) -> None:
        end = output.size(fd)
        start = self._reached.get(part.key)
        if start is None:
            self._name(part, named=named)
            start = 0 if self.choice.tail is None else output.last_lines(fd, self.choice.tail, end)
        elif start > end:
            start = 0  # the task emptied it
        if start < end:
            self._name(part, named=named)
            self._copy(fd, start, end)
        self._reached[part.key] = end

    def _copy(self, fd: int, start: int, end: int) -> None:
        for piece in output.pieces(fd, start, end):
            if not piece.there:
                self.outlet.say(MISSING.format(piece.end - piece.start))
                continue
            for chunk in output.chunks(fd, piece.start, piece.end):
                self.outlet.log(chunk)

    def _name(self, part: Part, *, named: bool) -> None:
        """Say whose log comes now, where that is not clear."""
        if part.key != self._last and (named or self._last):
            if self._last:
                self.outlet.say("")
            self.outlet.say(f"==> {part.task}, attempt {part.attempt.number}: {fate(part.attempt)} <==")
        self._last = part.key

    def _miss(self, part: Part, why: str) -> None:
        """Say that an attempt has no log to show; one that has just started will have one."""
        if part.attempt.state != "running":
            said = why if part.attempt.log else harmless(part.attempt.reason or "it could not be started")
            self.outlet.end_line()
            complain(f"{part.task}, attempt {part.attempt.number} has no log: {said}")


def fate(attempt: Attempt) -> str:
    """How an attempt ended, and after how long: `failed after 48s, exit code 1`."""
    took = (
        f" after {between(attempt.started_at, attempt.ended_at, 0)}" if attempt.ended_at and attempt.started_at else ""
    )
    reason = f", {harmless(attempt.reason)}" if attempt.reason else ""
    return f"{attempt.state}{took}{reason}"
