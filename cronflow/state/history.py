"""The history as its readers see it: runs by pipeline, newest first, without asking or waiting for any engine.

Reading moves and changes nothing. A record that can't be understood is one failed run that says so and names its
file; it never hides another. Runs may vanish (retention) and records be replaced while they are read.
"""

import os
import re
import stat
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from typing import NoReturn

import msgspec
from msgspec import Struct

from cronflow import instant
from cronflow.errors import StateTrouble, WrongUse
from cronflow.record import RUN_ENDED, SCHEMA, Run, RunSummary
from cronflow.spec import NAME_PATTERN, Pipeline
from cronflow.state import layout, run_id, run_record
from cronflow.state.files import said
from cronflow.state.layout import Layout
from cronflow.wall import Wall

LATEST = "latest"
MONTH = re.compile(r"\d{4}-\d{2}")
DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
NAME = re.compile(NAME_PATTERN)

_decode_summary = msgspec.json.Decoder(RunSummary).decode


class NewerRecord(StateTrouble):
    """A record of a schema that this cronflow does not know."""


class _Zone(Struct):
    timezone: str | None = None


class _Zoned(Struct):
    definition: _Zone


class History:
    """The runs of one state directory. Nothing is kept in memory: every call sees what is there now."""

    def __init__(self, state_dir: str) -> None:
        """`state_dir` is absolute; it need not exist yet. Raises StateTrouble where something else is in its place."""
        if not is_dir(state_dir) and os.path.lexists(state_dir):
            raise StateTrouble(f"{state_dir}: not a directory; name another one with --state-dir")
        self.place = Layout(state_dir)

    def pipelines(self) -> list[str]:
        """The names of the pipelines that have a history, sorted."""
        names = listed(self.place.pipelines)
        return sorted(name for name in names if self.knows(name))

    def knows(self, pipeline: str) -> bool:
        """Whether the pipeline has a history."""
        return bool(NAME.match(pipeline)) and is_dir(self.place.runs(pipeline))

    def run_ids(self, pipeline: str, beginning: str = "") -> Iterator[str]:
        """The ids of a pipeline's runs, newest due first. Months are opened one by one, as they are asked for."""
        runs = self.place.runs(pipeline)
        months = [name for name in listed(runs) if MONTH.fullmatch(name)] if NAME.match(pipeline) else []
        for month in sorted(months, reverse=True):
            if month.replace("-", "").startswith(beginning[:6]):
                names = sorted(listed(f"{runs}/{month}"), reverse=True)
                yield from (name for name in names if name.startswith(beginning) and is_run(name, month))

    def summaries(self, pipeline: str) -> Iterator[RunSummary]:
        """What lists show of the runs, newest due first."""
        for run in self.run_ids(pipeline):
            with suppress(WrongUse):  # retention took it meanwhile
                yield self.summary(pipeline, run)

    def runs(self, pipeline: str) -> Iterator[Run]:
        """The runs, whole, newest due first. One whose record has a newer schema comes as failed, with the reason."""
        for run in self.run_ids(pipeline):
            with suppress(WrongUse):
                try:
                    yield self.run(pipeline, run)
                except NewerRecord:
                    yield bare(self.summary(pipeline, run))

    def summary(self, pipeline: str, run: str) -> RunSummary:
        """A run without its tasks. Raises WrongUse where there is no such run.

        One whose record can't be read, or has a newer schema, comes as failed, with the reason.
        """
        content = self._read(pipeline, run)
        try:
            summary = _decode_summary(content)
            run_record.check_times(summary)
        except run_record.NO_RECORD:
            return self._unreadable(pipeline, run, content)
        if summary.schema > SCHEMA:
            return self._unreadable(pipeline, run, content)
        return summary if summary.state in RUN_ENDED else summarised(self.run(pipeline, run))

    def run(self, pipeline: str, run: str) -> Run:
        """A run, whole, as it stands now. Raises WrongUse where there is no such run.

        One whose record can't be read comes as failed, with the reason and no tasks; one with a newer schema
        raises NewerRecord.
        """
        content = self._read(pipeline, run)
        while True:
            stored = self._whole(pipeline, run, content)
            if stored.state in RUN_ENDED:
                return stored
            current = self._current(pipeline, run, stored)
            # An engine may have ended the run, and swept its attempts, after we read the record.
            before, content = content, self._read(pipeline, run)
            if content == before:
                return current

    def run_dir(self, pipeline: str, run: str) -> str:
        """Where a run's record and logs are."""
        return self.place.run(pipeline, run)

    def is_paused(self, pipeline: str) -> bool:
        """Whether somebody paused the pipeline."""
        return os.path.exists(f"{self.place.pipeline(pipeline)}/paused")

    def timezone(self, pipeline: str) -> str | None:
        """The zone that the newest readable run was defined with; None for the machine's."""
        for run in self.run_ids(pipeline):
            with suppress(WrongUse, *run_record.NO_RECORD):
                return msgspec.json.decode(self._read(pipeline, run), type=_Zoned).definition.timezone
        return None

    def find(self, pipeline: str, text: str) -> str:
        """The id of the run that a person means by an id, a unique beginning of one, `latest`, or a local day.

        Raises WrongUse, with what there is, where that is no run or more than one.
        """
        if text == LATEST:
            found = next(self.run_ids(pipeline), None)
        elif run_id.is_one(text) and os.path.isdir(self.run_dir(pipeline, text)):
            found = text
        elif DAY.fullmatch(text):
            found = self._due_on(pipeline, text)
        else:
            found = self._by_beginning(pipeline, text)
        return found or self._no_run(pipeline, text)

    def _by_beginning(self, pipeline: str, text: str) -> str | None:
        if not run_id.may_begin(text):
            return None
        matches = list(islice(self.run_ids(pipeline, text), 3))
        if len(matches) > 1:
            more = ", …" if len(matches) > 2 else ""
            raise WrongUse(f"'{text}' is the beginning of several runs of {pipeline}: {', '.join(matches[:2])}{more}")
        return matches[0] if matches else None

    def _due_on(self, pipeline: str, day: str) -> str | None:
        """The newest run due on a local day, else the newest one by hand."""
        try:
            start, end = Wall(self.timezone(pipeline)).span(day)
        except ValueError:
            return None
        # The ids go by UTC: a local day touches two of its days, or three where it is longer than a day.
        dates = sorted({instant.compact(at)[:8] for at in (start, (start + end) / 2, end)}, reverse=True)
        ids = [run for date in dates for run in self.run_ids(pipeline, date) if start <= run_id.at(run) < end]
        return next(filter(run_id.is_due, ids), ids[0] if ids else None)

    def _no_run(self, pipeline: str, text: str) -> NoReturn:
        newest = list(islice(self.run_ids(pipeline), 3))
        if not newest:
            raise WrongUse(f"{pipeline} has no runs yet; start one with: cronflow run {pipeline}")
        there = "its only run is" if len(newest) == 1 else "its newest are"
        raise WrongUse(f"{pipeline} has no run '{text}'; {there} {', '.join(newest)}")

    def _record(self, pipeline: str, run: str) -> str:
        return f"{self.run_dir(pipeline, run)}/{layout.RECORD}"

    def _read(self, pipeline: str, run: str) -> bytes:
        """A record's bytes; none where only the record is missing. Raises WrongUse where there is no such run."""
        path = self._record(pipeline, run)
        try:
            with open(path, "rb", buffering=0) as file:
                return file.read()
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            if os.path.lexists(os.path.dirname(path)):
                return b""
            raise WrongUse(f"{pipeline} has no run '{run}'") from None
        except OSError as error:
            trouble(path, error)

    def _whole(self, pipeline: str, run: str, content: bytes) -> Run:
        """The stored record, or what stands for one that can't be read."""
        with suppress(*run_record.NO_RECORD):
            stored = run_record.decode(content)
            if stored.schema <= SCHEMA:
                return stored
        if newer := run_record.newer_schema(content):
            raise NewerRecord(f"{self._record(pipeline, run)}: {newer}")
        return bare(self._unreadable(pipeline, run, content))

    def _current(self, pipeline: str, run: str, stored: Run) -> Run:
        from cronflow.state.live import current

        try:
            return current(self.run_dir(pipeline, run), stored)
        except OSError as error:
            trouble(self.run_dir(pipeline, run), error)

    def _unreadable(self, pipeline: str, run: str, content: bytes) -> RunSummary:
        """A failed run of which only the id is known."""
        path = self._record(pipeline, run)
        if not os.path.exists(path) and os.path.exists(path + ".bad"):
            path += ".bad"
        newer = run_record.newer_schema(content)
        at = instant.to_text(run_id.at(run))
        return RunSummary(
            pipeline=pipeline,
            run_id=run,
            trigger=run_id.trigger(run),
            state="failed",
            reason=f"{path}: {newer}" if newer else f"record unreadable: {path}",
            scheduled_at=at if run_id.is_due(run) else None,
            created_at=at,
        )


def is_run(name: str, month: str) -> bool:
    """Whether this entry of a month's directory is a run; drafts of claims are not."""
    return run_id.is_one(name) and layout.month(name) == month


def listed(directory: str) -> list[str]:
    """The names in a directory; none where there is no such directory."""
    try:
        return os.listdir(directory)
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        trouble(directory, error)


def is_dir(path: str) -> bool:
    """Whether there is a directory. Raises StateTrouble where nobody lets us see."""
    try:
        return stat.S_ISDIR(os.stat(path).st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        trouble(path, error)


def trouble(path: str, error: OSError) -> NoReturn:
    """Say what the system said of a path, and what to do where that is known."""
    raise StateTrouble(f"{path}: can't read: {said(error)}") from error


def bare(summary: RunSummary) -> Run:
    """A run of which nothing but its summary is known."""
    return Run(**msgspec.structs.asdict(summary), definition=Pipeline(name=summary.pipeline))


def summarised(run: Run) -> RunSummary:
    """A run without its tasks."""
    return RunSummary(**{name: getattr(run, name) for name in RunSummary.__struct_fields__})
