"""`cronflow status`: all pipelines, one of them, or one run. Each is a subject that can be drawn and told as JSON."""

from collections.abc import Sequence
from itertools import islice
from typing import Annotated, Any

import msgspec
import typer

from cronflow import clock, instant
from cronflow.cli import screen
from cronflow.cli.output import write
from cronflow.errors import WrongUse
from cronflow.problem import Problem, printable
from cronflow.record import RUN_ENDED, SCHEMA, Period, Run, RunState
from cronflow.state.history import History, summarised
from cronflow.survey import Standing, Survey
from cronflow.view.ink import Line, line
from cronflow.view.overview import Entry, Fault, overview

RUNS_IN_A_ROW, RUNS_IN_A_GRID, TASKS_IN_A_TIMELINE = 10, 20, 60
LINES_OF_A_LOG, LOGS_OF_A_RUN = 10, 3
EVERY = 1.0  # seconds between two looks of --watch


class Request(msgspec.Struct, frozen=True):
    """What was typed, but for the subject. `prefix` is what a command to be typed next begins with."""

    pipelines_dir: str
    state_dir: str
    limit: int | None
    state: RunState | None
    prefix: str

    def survey(self) -> Survey:
        """What is known now."""
        return Survey(self.pipelines_dir, self.state_dir, clock.now())


def command(
    ctx: typer.Context,
    pipeline: Annotated[
        str | None, typer.Argument(metavar="[PIPELINE]", help="Show this pipeline's runs, task by task.")
    ] = None,
    run: Annotated[
        str | None,
        typer.Argument(metavar="[RUN]", help="Show this run: an id, its beginning, latest, or the day it was due."),
    ] = None,
    watch: Annotated[
        bool, typer.Option("--watch", help="Draw it again each second, until Ctrl-C or the run's end.")
    ] = False,
    limit: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="At most N runs of a pipeline; at most N tasks of a RUN.")
    ] = None,
    state: Annotated[
        RunState | None, typer.Option(help="Only runs in this state, or pipelines whose last run is.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show what ran, what runs, and what is next.

    Without arguments: every pipeline on a line. With PIPELINE: its runs against its tasks. With a RUN too: what its
    tasks did and when, and what the failed ones said last.
    """
    if watch and as_json:
        raise WrongUse("--watch draws on a terminal, --json is for programs: leave one of them out")
    if run is not None and state is not None:
        raise WrongUse("--state chooses among runs: leave it out where a RUN is named")
    request = Request(ctx.obj.pipelines_dir, ctx.obj.state_dir, limit, state, ctx.obj.prefix)
    subject = subject_of(request, pipeline, run)
    if as_json:
        write(msgspec.json.format(msgspec.json.encode(subject.record()), indent=2).decode())
    elif watch:
        screen.watch(subject.picture, EVERY)
    else:
        screen.show(subject.picture()[0])


def subject_of(request: Request, pipeline: str | None, run: str | None) -> "Everything | OnePipeline | OneRun":
    """What the arguments name."""
    if pipeline is None:
        return Everything(request)
    return OnePipeline(request, pipeline) if run is None else OneRun(request, pipeline, run)


class Everything:
    """All pipelines."""

    def __init__(self, request: Request) -> None:
        """Nothing is read yet."""
        self._request = request

    def picture(self) -> tuple[Sequence[Line], bool]:
        """The lines now; there may always be others."""
        survey = self._request.survey()
        entries = [entry(standing) for standing in self._standings(survey)]
        faults = [fault(survey, file.path, file.problems) for file in survey.bad_files()]
        look = screen.look()
        return overview(entries, faults, survey.now, look) or look.fold(line(self._nothing(), "dim"), 2), False

    def _nothing(self) -> str:
        if self._request.state:
            return f"no pipeline whose last run is {self._request.state}"
        return f"no pipelines in {self._request.pipelines_dir} yet; 'cronflow new NAME' writes a first one"

    def record(self) -> dict[str, Any]:
        """The same as JSON has it."""
        survey = self._request.survey()
        rows = [told(standing) for standing in self._standings(survey)]
        rows += [told(standing) for standing in survey.nameless()]
        return {"schema": SCHEMA, "daemon": None, "pipelines": rows}

    def _standings(self, survey: Survey) -> list[Standing]:
        standings = survey.all(self._request.limit or RUNS_IN_A_ROW)
        wanted = self._request.state
        return [one for one in standings if wanted is None or (one.runs and one.runs[0].state == wanted)]


def entry(standing: Standing) -> Entry:
    """A pipeline as the overview draws it."""
    return Entry(
        name=standing.name,
        wall=standing.wall,
        last=standing.runs[0] if standing.runs else None,
        recent=tuple(run.state for run in standing.runs),
        next_due=standing.following[1] if standing.following else None,
        instead=standing.instead,
    )


def fault(survey: Survey, path: str, problems: Sequence[Problem]) -> Fault:
    """A bad file as the overview draws it."""
    first = problems[0]
    return Fault(f"{survey.short(path)}:{first.line}:{first.column}", first.message, len(problems) - 1)


def told(standing: Standing) -> dict[str, Any]:
    """A pipeline as JSON has it."""
    pipeline = standing.pipeline
    return {
        "name": standing.name or None,
        "path": printable(standing.path) if standing.path else None,
        "ok": not standing.problems,
        "errors": standing.problems,
        "enabled": pipeline.enabled if pipeline else None,
        "schedule": pipeline.schedule if pipeline else (),
        "timezone": pipeline.timezone if pipeline else None,
        "paused": standing.paused,
        "next": period(standing),
        "last": standing.runs[0] if standing.runs else None,
        "recent": [{"run_id": run.run_id, "state": run.state} for run in standing.runs],
    }


def period(standing: Standing) -> Period | None:
    """The period that is due next."""
    if standing.following is None:
        return None
    start, end = map(instant.to_text, standing.following)
    return Period(pipeline=standing.name, scheduled_at=end, logical_date=start, interval_start=start, interval_end=end)


class OnePipeline:
    """The runs of a pipeline."""

    def __init__(self, request: Request, target: str) -> None:
        """Raises WrongUse where there is no such pipeline, BadPipeline where its file is bad and it has no history."""
        self._request = request
        self._name = request.survey().one(target).name

    def picture(self) -> tuple[Sequence[Line], bool]:
        """The lines now; there may always be others."""
        from cronflow.view.grid import Heading, grid

        survey = self._request.survey()
        standing, runs = survey.one(self._name), self._runs(survey.history)
        pipeline = standing.pipeline or (runs[0].definition if runs else None)
        heading = Heading(
            name=self._name,
            description=pipeline.description if pipeline else "",
            schedule=pipeline.schedule if pipeline else (),
            next_due=standing.following[1] if standing.following else None,
            instead=standing.instead,
            wall=standing.wall,
        )
        look = screen.look()
        lines = grid(heading, runs, survey.now, look)
        if standing.path and standing.problems:
            lines += [(), *overview([], [fault(survey, standing.path, standing.problems)], survey.now, look)]
        return lines, False

    def record(self) -> dict[str, Any]:
        """The same as JSON has it."""
        runs = map(summarised, self._runs(History(self._request.state_dir)))
        return {"schema": SCHEMA, "pipeline": self._name, "runs": [*runs]}

    def _runs(self, history: History) -> list[Run]:
        wanted = self._request.state
        runs = (run for run in history.runs(self._name) if wanted in {None, run.state})
        return [*islice(runs, self._request.limit or RUNS_IN_A_GRID)]


class OneRun:
    """One run of a pipeline."""

    def __init__(self, request: Request, target: str, text: str) -> None:
        """Raises WrongUse where there is no such run."""
        self._request = request
        self._history = History(request.state_dir)
        self._name = target if self._history.knows(target) else request.survey().one(target).name
        self._run_id = self._history.find(self._name, text)

    def record(self) -> Run:
        """The run, whole, now."""
        return self._history.run(self._name, self._run_id)

    def picture(self) -> tuple[Sequence[Line], bool]:
        """The lines now, and whether the run has ended."""
        from cronflow.state.claims import is_driven
        from cronflow.view.timeline import timeline
        from cronflow.wall import Wall

        run = self.record()
        lines = timeline(
            run,
            self._extracts(run),
            wall=Wall(run.definition.timezone),
            most=self._request.limit or TASKS_IN_A_TIMELINE,
            now=clock.now(),
            look=screen.look(),
            driven=run.state in RUN_ENDED or is_driven(self._history.place, self._name, self._run_id),
        )
        return lines, run.state in RUN_ENDED

    def _extracts(self, run: Run) -> list[Any]:
        """What the first failed tasks said last."""
        from cronflow.state.output import excerpt
        from cronflow.view.timeline import Extract

        run_dir = self._history.run_dir(self._name, self._run_id)
        tried = {name: task.attempts[-1] for name, task in run.tasks.items() if task.attempts}
        # What could not be started has no log, and its reason stands with it already.
        failed = [name for name, last in tried.items() if run.tasks[name].state == "failed" and last.log]
        return [
            Extract(
                task=name,
                lines=tuple(excerpt(run_dir, tried[name], LINES_OF_A_LOG)),
                command=f"{self._request.prefix} logs {self._name} {self._run_id} {name}",
            )
            for name in failed[:LOGS_OF_A_RUN]
        ]
