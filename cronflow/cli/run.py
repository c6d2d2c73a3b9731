"""`cronflow run`: one run of a pipeline, in the foreground."""

import os
import re
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Annotated

import msgspec
import typer

from cronflow.catalog import find
from cronflow.cli.foreground import REFRESH, Screen, Signals, Silent, listener_on, moment
from cronflow.cli.output import complain, write
from cronflow.engine import Engine
from cronflow.errors import Refused, StateTrouble, WrongUse
from cronflow.opening import Reach, again, is_same_wish, new_run, renamed
from cronflow.problem import is_utf8
from cronflow.record import RUN_ENDED, Run
from cronflow.spec import ENV_NAME_PATTERN, Config, Pipeline
from cronflow.state import claims, run_id, slots
from cronflow.state.files import make_dirs, told
from cronflow.state.layout import Layout
from cronflow.view import progress
from cronflow.view.ink import text_of
from cronflow.wall import Wall

WENT = {
    "succeeded": "it succeeded",
    "failed": "it failed",
    "cancelled": "it was cancelled",
    "skipped": "all its tasks were skipped",
}


def command(
    ctx: typer.Context,
    pipeline: Annotated[str, typer.Argument(metavar="PIPELINE|FILE", help="A pipeline's name, or a file.")],
    date: Annotated[
        str | None,
        typer.Option(metavar="D", help="Run the period that starts on this local day, or at this instant; claims it."),
    ] = None,
    task: Annotated[
        list[str] | None, typer.Option(metavar="T", help="Only this task; may be given again. The rest is skipped.")
    ] = None,
    param: Annotated[
        list[str] | None, typer.Option(metavar="K=V", help="Set one of the pipeline's params; may be given again.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Do a period again that has ended.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would run, and start nothing.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the run's record at its end, and nothing else.")
    ] = False,
) -> int:
    """Run a pipeline now, in the foreground.

    Without --date the run is an extra one: its tasks see the latest period that has ended, and claim nothing.
    With --date it is that period's run: there is only ever one, whoever starts it.

    Ctrl-C cancels the run, twice kills it. SIGTERM, or closing the terminal, only stops driving: tasks live on,
    and the same command takes the run over.

    Exit code: 0 well, 1 a task failed, 2 wrong use, 3 already claimed or running, 130 interrupted.
    """
    found = find(pipeline, ctx.obj.pipelines_dir, ctx.obj.state_dir)
    definition = found.pipeline
    params = chosen_params(definition, param or [])
    tasks = chosen_tasks(definition, task or [])
    fresh = fresh_run(definition, date, params, tasks)
    if dry_run:
        return show_plan(fresh, as_json=as_json)
    return go(ctx.obj.state_dir, found.config, fresh, force=force, as_json=as_json, prefix=ctx.obj.prefix)


def chosen_params(definition: Pipeline, words: Sequence[str]) -> dict[str, str]:
    """`K=V` words as values of the pipeline's own params. Raises WrongUse."""
    from cronflow.nearest import did_you_mean

    chosen = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals or not re.fullmatch(ENV_NAME_PATTERN, name):
            raise WrongUse(f"--param {word}: expected NAME=VALUE, as in --param region=us")
        if name not in definition.params:
            known = f"its params are {', '.join(definition.params)}" if definition.params else "it has no params"
            raise WrongUse(f"--param {name}: '{definition.name}': {known}{did_you_mean(name, definition.params)}")
        if not is_utf8(value):
            raise WrongUse(f"--param {name}: the value is not UTF-8, so the run's record can't hold it")
        chosen[name] = value
    return chosen


def chosen_tasks(definition: Pipeline, names: Sequence[str]) -> tuple[str, ...] | None:
    """The tasks that were named, in the file's order; None for all of them. Raises WrongUse."""
    from cronflow.nearest import did_you_mean

    for name in names:
        if name not in definition.tasks:
            raise WrongUse(f"--task {name}: '{definition.name}' has no such task{did_you_mean(name, definition.tasks)}")
    return tuple(name for name in definition.tasks if name in names) if names else None


def fresh_run(definition: Pipeline, date: str | None, params: Mapping[str, str], tasks: Sequence[str] | None) -> Run:
    """The run that was asked for, not claimed yet. Raises WrongUse where the date names no period that can run."""
    now = moment()
    return new_run(definition, now, reach(definition, date, now.wall), params=params, tasks=tasks)


def reach(definition: Pipeline, date: str | None, now: float) -> Reach:
    """The period whose values the tasks see: the one that was named, the latest that has ended, or just now."""
    if not definition.schedule:
        if date is not None:
            raise WrongUse(f"--date: '{definition.name}' has no schedule, so no periods: leave --date out")
        return Reach(now, now, claimed=False)
    from cronflow.schedule import PeriodError, Schedule, latest_ended, span_for

    schedule = Schedule.of(definition.schedule, definition.timezone)
    if date is None:
        span = latest_ended(schedule, now)
        return Reach(span.start, span.end, claimed=False) if span else Reach(now, now, claimed=False)
    try:
        span = span_for(schedule, date, now, definition.start, definition.end)
    except PeriodError as error:
        raise WrongUse(f"--date {date}: {error}") from error
    return Reach(span.start, span.end, claimed=True)


def show_plan(run: Run, *, as_json: bool) -> int:
    """Print what would run."""
    from cronflow.graph import order

    if as_json:
        write(msgspec.json.format(msgspec.json.encode(run), indent=2).decode())
        return 0
    names = order({name: task.needs for name, task in run.definition.tasks.items()})
    for drawn in progress.plan(run, names, Wall(run.definition.timezone)):
        write(text_of(drawn))
    write("nothing was started (--dry-run)")
    return 0


def go(state_dir: str, config: Config, fresh: Run, *, force: bool, as_json: bool, prefix: str) -> int:
    """Claim the run, or take it over, and drive it to its end. Returns the exit code."""
    place = Layout(state_dir)
    with told("prepare the state directory", state_dir):
        make_dirs(state_dir)
    held = hold(place, fresh, force=force)
    listener = Silent(sys.stderr, prefix) if as_json else listener_on(sys.stdout, prefix)
    engine = Engine(place, config, dict(os.environ), listener)
    with Signals().caught(engine, listener) as signals:
        driven = engine.add(held, listener.opened)
        if isinstance(listener, Screen):
            engine.loop.every(REFRESH, listener.refresh)
        while engine.runs and not signals.leave:
            engine.step()
    ended = driven.key not in engine.runs
    listener.closed(held.run if ended else None)
    if not ended:
        engine.let_go()
        complain(
            f"stopped driving: tasks that run live on; the same command takes {fresh.pipeline} {held.run.run_id} over"
        )
        return 130
    if as_json:
        with suppress(typer.Exit):  # a reader that has gone does not change how the run ended
            write(msgspec.json.format(msgspec.json.encode(held.run), indent=2).decode())
    if signals.interrupts and held.run.state == "cancelled":
        return 130
    return 0 if held.run.state in {"succeeded", "skipped"} else 1


def hold(place: Layout, fresh: Run, *, force: bool) -> claims.Held:
    """The lock on the run that is to be driven. Raises Refused where it is somebody's, or done."""
    if not run_id.is_due(fresh.run_id) and not force:
        left = left_behind(place, fresh)
        if left is not None:
            return left
    found = claim(place, fresh)
    while isinstance(found, claims.Taken) and found.why in {"running", "ended"} and not run_id.is_due(fresh.run_id):
        # Another run by hand was given this millisecond.
        fresh = renamed(fresh, moment())
        found = claim(place, fresh)
    if isinstance(found, claims.Held):
        if found.run is not fresh:
            complain(f"taking over {fresh.pipeline} {found.run.run_id}, which was left behind")
        return found
    return refused(place, fresh, found, force=force)


def left_behind(place: Layout, fresh: Run) -> claims.Held | None:
    """An open run by hand that nobody drives and that the same command would make.

    What else nobody drives and nobody can go on with is tidied up on the way: claims that were killed before they
    made a run, records that can't be read.
    """
    for pipeline, name in claims.open_runs(place):
        if pipeline != fresh.pipeline or run_id.is_due(name) or claims.is_driven(place, pipeline, name):
            continue
        if is_worth_taking(place, name, fresh):
            held = claims.take(place, pipeline, name)
            if isinstance(held, claims.Held):
                complain(f"taking over {pipeline} {name}, which was left behind; --force starts another one instead")
                return held
            if held.why == "unreadable":
                complain(held.detail)
    return None


def is_worth_taking(place: Layout, name: str, fresh: Run) -> bool:
    """Whether an entry that nobody drives is the same wish, or nothing that anybody will ever drive."""
    try:
        stored = claims.read_run(place.run(fresh.pipeline, name))
    except claims.UnreadableError:
        return True
    except StateTrouble:
        return False
    return stored is None or stored.state in RUN_ENDED or is_same_wish(stored, fresh)


def claim(place: Layout, fresh: Run) -> claims.Held | claims.Taken:
    """Claim the run, if its pipeline's limit lets one more be."""
    return claims.claim(place, fresh, admit=lambda: is_admitted(place, fresh))


def is_admitted(place: Layout, fresh: Run) -> bool:
    """Whether the run has a slot now, or needs none: a limit that is only the default binds nobody here."""
    limit = fresh.definition.max_active_runs
    return slots.take_active(place, fresh.pipeline, fresh.run_id, limit or 1) or limit is None


def refused(place: Layout, fresh: Run, taken: claims.Taken, *, force: bool) -> claims.Held:
    """What to do about a run that can't simply be claimed: with --force it is opened again."""
    name = f"{fresh.pipeline} {fresh.run_id}"
    if taken.why == "full":
        limit, active = fresh.definition.max_active_runs, ", ".join(slots.holders(place, fresh.pipeline))
        raise Refused(f"{fresh.pipeline}: max_active_runs is {limit}, and that many are active: {active}")
    if taken.why == "running":
        raise Refused(f"{name} is running already; 'cronflow status {name}' shows it")
    if taken.why == "newer":
        raise StateTrouble(taken.detail)
    if not force and taken.why == "unreadable":
        raise StateTrouble(f"{taken.detail}; --force runs the period again")
    if not force:
        raise Refused(f"{name} is claimed: {how_it_ended(fresh, taken)}; --force runs the period again")
    held = opened_again(place, fresh, taken)
    if isinstance(held, claims.Taken):
        return refused(place, fresh, held, force=False)
    if held.run.state in RUN_ENDED:
        record = again(held.run, fresh.definition, moment(), params=fresh.params, tasks=fresh.rounds[0].tasks)
        with told("open the run again", held.dir):
            held.open_again(record)
    return held


def opened_again(place: Layout, fresh: Run, taken: claims.Taken) -> claims.Held | claims.Taken:
    """The run that was there before, held; the record with its new round is still to be written."""
    if taken.why in {"pruned", "unreadable"}:
        return claims.start_over(place, fresh, admit=lambda: is_admitted(place, fresh))
    return claims.reopen(place, fresh.pipeline, fresh.run_id, admit=lambda: is_admitted(place, fresh))


def how_it_ended(fresh: Run, taken: claims.Taken) -> str:
    """What became of a period's run, in a few words."""
    if taken.run is None:
        return "it ran once, and its record has been pruned"
    at = taken.run.ended_at or taken.run.created_at
    return f"{WENT.get(taken.run.state, 'it ended')} on {Wall(fresh.definition.timezone).minute(at)}"
