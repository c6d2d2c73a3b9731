"""The record that a run begins with, and the round that opens it again. Pure: the moment is an argument."""

from collections.abc import Mapping, Sequence

import msgspec
from msgspec import Struct

from cronflow import instant
from cronflow.record import Round, Run, Trigger
from cronflow.spec import Pipeline


class Moment(Struct, frozen=True):
    """Now: wall time and awake time in seconds, the boot they belong to, and who acts."""

    wall: float
    awake: float
    boot_id: str
    by: str


class Reach(Struct, frozen=True):
    """The span [start, end) whose values a run's tasks see. With `claimed` the run is the period's own."""

    start: float
    end: float
    claimed: bool


def new_run(
    definition: Pipeline,
    moment: Moment,
    reach: Reach,
    *,
    trigger: Trigger = "manual",
    params: Mapping[str, str] | None = None,
    tasks: Sequence[str] | None = None,
) -> Run:
    """A run as its claim writes it. A claimed period names its run by its due time; any other is named by now."""
    now = instant.to_text(moment.wall)
    run_id = instant.compact(reach.end) if reach.claimed else named_by_now(moment, trigger)
    return Run(
        pipeline=definition.name,
        run_id=run_id,
        trigger=trigger,
        state="running",
        scheduled_at=instant.to_text(reach.end),
        logical_date=instant.to_text(reach.start),
        interval_start=instant.to_text(reach.start),
        interval_end=instant.to_text(reach.end),
        created_at=now,
        started_at=now,
        params={**definition.params, **(params or {})},
        rounds=(new_round(moment, tasks=tasks),),
        definition=definition,
    )


def named_by_now(moment: Moment, trigger: Trigger) -> str:
    """The id of a run that claims no period."""
    return f"{instant.compact_milliseconds(moment.wall)}-{trigger}"


def renamed(run: Run, moment: Moment) -> Run:
    """The same run by hand, not claimed yet, under another moment's name."""
    return msgspec.structs.replace(run, run_id=named_by_now(moment, run.trigger))


def new_round(moment: Moment, *, first: Mapping[str, int] | None = None, tasks: Sequence[str] | None = None) -> Round:
    """One go at a run, beginning now."""
    return Round(
        at=instant.to_text(moment.wall),
        by=moment.by,
        first=dict(first or {}),
        tasks=None if tasks is None else tuple(tasks),
        boot_id=moment.boot_id,
        monotonic=moment.awake,
    )


def again(
    run: Run,
    definition: Pipeline,
    moment: Moment,
    *,
    params: Mapping[str, str] | None = None,
    tasks: Sequence[str] | None = None,
) -> Run:
    """An ended run, opened for another round. Attempts are numbered on, and the earlier ones stay.

    Tasks that this round leaves alone keep their state. A task of an earlier definition that is no more goes from
    the record's state; its logs stay where they are.
    """
    kept = {name: run.tasks[name] for name in definition.tasks if name in run.tasks}
    first = {name: task.attempts[-1].number + 1 for name, task in kept.items() if task.attempts}
    return msgspec.structs.replace(
        run,
        state="running",
        reason=None,
        started_at=run.started_at or instant.to_text(moment.wall),
        ended_at=None,
        params={**definition.params, **run.params, **(params or {})},
        rounds=(*run.rounds, new_round(moment, first=first, tasks=tasks)),
        tasks=kept,
        definition=definition,
    )


def is_same_wish(run: Run, fresh: Run) -> bool:
    """Whether an open run by hand is what the same command, typed again, would make."""
    return (
        run.trigger == fresh.trigger
        and run.params == fresh.params
        and len(run.rounds) == 1
        and run.rounds[0].tasks == fresh.rounds[0].tasks
    )
