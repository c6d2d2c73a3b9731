"""`cronflow logs`: what a run's tasks printed. Nothing of a log is held but a small part at a time."""

import os
from typing import Annotated

import msgspec
import typer

from cronflow import clock
from cronflow.cli.log_printer import Choice, Printer
from cronflow.cli.outlet import outlet
from cronflow.cli.output import complain
from cronflow.errors import WrongUse
from cronflow.nearest import did_you_mean
from cronflow.record import RUN_ENDED, Attempt, Run, TaskRun
from cronflow.state import claims, layout
from cronflow.state.history import LATEST, History
from cronflow.survey import Survey
from cronflow.view.signs import WORDS

NAMED = 12  # tasks, in an error
POLL = 0.25  # seconds between two looks of --follow


def command(
    ctx: typer.Context,
    pipeline: Annotated[str, typer.Argument(metavar="PIPELINE", help="A pipeline's name.")],
    run: Annotated[
        str | None,
        typer.Argument(metavar="[RUN]", help="A run's id, its beginning, latest (the default), or the day it was due."),
    ] = None,
    task: Annotated[str | None, typer.Argument(metavar="[TASK]", help="Only this task.")] = None,
    attempt: Annotated[int | None, typer.Option(metavar="N", min=1, help="Only attempts with this number.")] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until the run has ended.")] = False,
    tail: Annotated[int | None, typer.Option(metavar="N", min=0, help="Only the last N lines of each log.")] = None,
) -> None:
    """Show what a run's tasks printed, on standard output and error, as it came.

    Without TASK: all of them, in the order in which they started, each under its name. A word after PIPELINE that
    is no run may be a task of the latest run.

    A program that reads this gets the bytes as the tasks wrote them; on a terminal, control characters are shown.
    """
    history = History(ctx.obj.state_dir)
    name = pipeline if history.knows(pipeline) else known(ctx.obj.pipelines_dir, ctx.obj.state_dir, pipeline)
    run_id, wanted = resolve(history, name, run, task)
    choice = Choice(wanted, attempt, tail)
    found = whole(history, name, run_id)
    check(choice, found, following=follow)
    printer = Printer(history.run_dir(name, run_id), choice, outlet())
    if follow:
        follow_run(history, name, run_id, printer)
    else:
        printer.show(choice.parts(found))
    printer.outlet.end_log()


def known(pipelines_dir: str, state_dir: str, target: str) -> str:
    """The name of a pipeline that has no history under what was typed. Raises WrongUse where there is none either."""
    name = Survey(pipelines_dir, state_dir, clock.now()).one(target).name
    if name == target:
        raise WrongUse(f"{name} has no runs yet; start one with: cronflow run {name}")
    return name


def resolve(history: History, pipeline: str, run: str | None, task: str | None) -> tuple[str, str | None]:
    """The run and the task that the words name. A single word may be either; as a run it is meant first."""
    try:
        return history.find(pipeline, run or LATEST), task
    except WrongUse as error:
        latest = next(history.run_ids(pipeline), None)
        if run is None or task is not None or latest is None:
            raise
        tasks = whole(history, pipeline, latest).tasks
        if run in tasks:
            return latest, run
        raise WrongUse(f"{error}\nand its latest run has no task '{run}'{did_you_mean(run, tasks)}") from None


def whole(history: History, pipeline: str, run_id: str) -> Run:
    """The run; of one whose record can't be read, the logs that are there."""
    run = history.run(pipeline, run_id)
    return run if run.tasks else with_logs(run, history.run_dir(pipeline, run_id))


def with_logs(run: Run, run_dir: str) -> Run:
    """A run with a task for each log in its directory."""
    found = sorted(filter(None, map(layout.of_attempt, os.listdir(run_dir))))
    tasks: dict[str, TaskRun] = {}
    for name, number, kind in found:
        if kind == "log":
            attempt = Attempt(number=number, state="lost", reason=run.reason, log=layout.log_name(name, number))
            before = tasks[name].attempts if name in tasks else ()
            tasks[name] = TaskRun(state="failed", attempts=(*before, attempt))
    return msgspec.structs.replace(run, tasks=tasks)


def check(choice: Choice, run: Run, *, following: bool) -> None:
    """Raise WrongUse where there is no such task or attempt; say so where nothing was started yet."""
    names = {**run.definition.tasks, **run.tasks}
    if choice.task is not None and choice.task not in names:
        there = f"; its tasks are {', '.join(names)}" if len(names) <= NAMED else ""
        raise WrongUse(f"{run.run_id} has no task '{choice.task}'{did_you_mean(choice.task, names) or there}")
    if choice.parts(run) or following:
        return
    tried = Choice(choice.task, None, None).parts(run)
    if choice.number is not None and tried:
        raise WrongUse(f"no attempt {choice.number}: the last one is {max(part.attempt.number for part in tried)}")
    task = run.tasks.get(choice.task) if choice.task else None
    subject, state, reason = (choice.task, task.state, task.reason) if task else (run.run_id, run.state, run.reason)
    complain(f"nothing was started: {subject} is {WORDS.get(state, state)}{f', {reason}' if reason else ''}")


def follow_run(history: History, pipeline: str, run_id: str, printer: Printer) -> None:
    """Print what is there, and what comes, until no more will come."""
    run = whole(history, pipeline, run_id)
    if run.state not in RUN_ENDED and not claims.is_driven(history.place, pipeline, run_id):
        complain(f"nothing drives {pipeline} {run_id} at the moment; waiting for it to go on")
    while True:
        printer.show(printer.choice.parts(run))
        if printer.choice.is_over(run):
            return
        printer.outlet.wait(POLL)
        # The state first, then the logs: an attempt that has ended writes no more.
        run = whole(history, pipeline, run_id)
