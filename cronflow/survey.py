"""What is known of the pipelines: those of the catalog, and those that only the history knows, with their last runs."""

import os
from itertools import islice

from msgspec import Struct

from cronflow.catalog import Catalog, File, find, load_catalog
from cronflow.errors import WrongUse
from cronflow.nearest import did_you_mean
from cronflow.problem import Problem
from cronflow.record import RunSummary
from cronflow.spec import Config, Pipeline
from cronflow.state.dues import Dues, Span
from cronflow.state.history import History
from cronflow.wall import Wall

AT_BOOT = {"@reboot"}


class Standing(Struct, frozen=True, kw_only=True):
    """How one pipeline stands. `runs` are its newest, newest due first.

    `pipeline` is None where no good file has it now; its `problems` say why, if there is a file at all. `following` is
    the period that is due next, `instead` why there is none.
    """

    name: str
    wall: Wall
    pipeline: Pipeline | None = None
    path: str | None = None
    problems: tuple[Problem, ...] = ()
    paused: bool = False
    runs: tuple[RunSummary, ...] = ()
    following: Span | None = None
    instead: str = ""


class Survey:
    """The catalog and the history side by side, as they are now."""

    def __init__(self, pipelines_dir: str, state_dir: str, now: float) -> None:
        """Reads the catalog; both directories are absolute.

        A pipelines directory that is not there holds nothing, where there is a history.
        """
        self.history = History(state_dir)
        self.now = now
        self._pipelines_dir, self._state_dir = pipelines_dir, state_dir
        self._dues = Dues(state_dir)
        self._catalog = self._read_catalog()
        self._bad = {name: file for file in self.bad_files() for name in file.names}

    def _read_catalog(self) -> Catalog:
        if not os.path.isdir(self._pipelines_dir) and self.history.pipelines():
            return Catalog({}, (), Config())
        return load_catalog(self._pipelines_dir, self._state_dir)

    def bad_files(self) -> list[File]:
        """The files that have problems."""
        return [file for file in self._catalog.files if file.problems]

    def all(self, runs: int) -> list[Standing]:
        """Every pipeline by name, each with so many of its runs."""
        names = sorted({*self._catalog.pipelines, *self._bad, *self.history.pipelines()})
        standings = [self._standing(name, runs) for name in names]
        self._dues.keep(self.now)
        return standings

    def nameless(self) -> list[Standing]:
        """The bad files of which not even the pipelines' names are known."""
        files = [file for file in self.bad_files() if not file.names]
        return [Standing(name="", wall=Wall("UTC"), path=file.path, problems=file.problems) for file in files]

    def short(self, path: str) -> str:
        """A file's path, from the pipelines directory if it is in there."""
        return path.removeprefix(f"{self._pipelines_dir}/")

    def one(self, target: str) -> Standing:
        """The pipeline that a command line means, a NAME or a FILE, without its runs. Raises WrongUse, BadPipeline."""
        name = target
        if not self._knows(name):
            name = self._by_file(target)
        standing = self._standing(name, 0)
        self._dues.keep(self.now)
        return standing

    def _knows(self, name: str) -> bool:
        return name in self._catalog.pipelines or self.history.knows(name)

    def _by_file(self, target: str) -> str:
        """The name of the pipeline in a FILE; an error that says what there is for anything else."""
        if "/" in target or target.endswith((".yaml", ".yml")) or target in self._bad:
            return find(target, self._pipelines_dir, self._state_dir).pipeline.name
        known = {*self._catalog.pipelines, *self._bad, *self.history.pipelines()}
        raise WrongUse(f"no pipeline '{target}'{did_you_mean(target, known)}; 'cronflow list' shows them all")

    def _standing(self, name: str, runs: int) -> Standing:
        found, bad = self._catalog.pipelines.get(name), self._bad.get(name)
        pipeline = found.pipeline if found else None
        following, instead = self._following(pipeline, bad)
        return Standing(
            name=name,
            wall=Wall(pipeline.timezone if pipeline else self.history.timezone(name)),
            pipeline=pipeline,
            path=found.path if found else bad.path if bad else None,
            problems=bad.problems if bad else (),
            paused=self.history.is_paused(name),
            runs=tuple(islice(self.history.summaries(name), runs)),
            following=following,
            instead=instead,
        )

    def _following(self, pipeline: Pipeline | None, bad: File | None) -> tuple[Span | None, str]:
        """The period that is due next, or why there is none."""
        if pipeline is None:
            return None, "its file is bad" if bad else "no file"
        if not pipeline.enabled:
            return None, "disabled"
        if not pipeline.schedule:
            return None, "by hand"
        if {*pipeline.schedule} <= AT_BOOT:
            return None, "at boot"
        following = self._dues.next(pipeline, self.now)
        return following, "" if following else "never"
