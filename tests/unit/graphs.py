"""Runs and sightings in a few words, for tests of what is pure."""

from collections.abc import Mapping, Sequence

from cronflow import instant
from cronflow.lifecycle import Flow, Sighting, Stop, StopReason, Wish, state
from cronflow.opening import Moment, Reach, new_run
from cronflow.record import Run
from cronflow.spec import Pipeline, Task

BEGAN = 1_795_305_600.0  # 2026-11-22T00:00:00Z
SKIP = 99

Seen = tuple[Sighting, Stop | None]


def task(*needs: str, **keys: object) -> Task:
    """A task that needs these."""
    return Task(run="true", needs=needs, **keys)  # type: ignore[arg-type]


def moment(seconds: float = 0.0) -> Moment:
    """So many seconds after the beginning."""
    return Moment(BEGAN + seconds, 100.0 + seconds, "boot", "ann")


def run_of(tasks: Mapping[str, Task], selected: Sequence[str] | None = None, **keys: object) -> Run:
    """A run that has just been claimed, of a pipeline of these tasks."""
    definition = Pipeline(name="etl", tasks=dict(tasks), **keys)  # type: ignore[arg-type]
    return new_run(definition, moment(), Reach(BEGAN - 86400, BEGAN, claimed=True), tasks=selected)


def running(number: int = 1) -> Sighting:
    return Sighting(number=number, phase="running", pid=7, started_at=instant.to_text(BEGAN), log=f"x.{number}.log")


def ended(number: int = 1, code: int = 0, at: float = 1.0) -> Sighting:
    """An attempt that ended with this exit code, so many seconds after the beginning."""
    return Sighting(
        number=number,
        phase="ended",
        pid=7,
        exit_code=code,
        started_at=instant.to_text(BEGAN),
        ended_at=instant.to_text(BEGAN + at),
        log=f"x.{number}.log",
    )


def refused(number: int = 1, error: str = "no such shell: 'zsh'") -> Sighting:
    return Sighting(number=number, phase="ended", error=error, ended_at=instant.to_text(BEGAN + 1))


def lost(number: int = 1, at: float = 1.0) -> Sighting:
    return Sighting(number=number, phase="lost", pid=7, ended_at=instant.to_text(BEGAN + at), log=f"x.{number}.log")


def stop(reason: StopReason = "cancel") -> Stop:
    return Stop(reason=reason, by="ann", at=instant.to_text(BEGAN + 1))


def cancel() -> Wish:
    return Wish(by="ann", at=instant.to_text(BEGAN + 1))


def over_time() -> Wish:
    reason = "run timeout: not done after 1h"
    return Wish(kind="timeout", by="cronflow", at=instant.to_text(BEGAN + 1), reason=reason)


def flow_of(
    tasks: Mapping[str, Task],
    seen: Mapping[str, Sequence[Seen]] | None = None,
    wish: Wish | None = None,
    selected: Sequence[str] | None = None,
) -> Flow:
    """A run of these tasks of which this was seen."""
    return state(run_of(tasks, selected), seen or {}, wish)


def states(flow: Flow) -> dict[str, str]:
    return {name: record.state for name, record in flow.tasks.items()}
