"""The due times that come next, kept between commands: to work them out, cron's rules have to be imported.

What is kept counts for a day at most, as a zone's rules may change. Whatever is wrong with it, it is as if there
were nothing: it only ever saves time.
"""

import os
from bisect import bisect_right
from contextlib import suppress
from itertools import islice

import msgspec
from msgspec import Struct

from cronflow import instant
from cronflow.spec import Pipeline
from cronflow.state import files
from cronflow.state.layout import Layout
from cronflow.wall import Wall

KEPT_FOR = 86400.0
KEPT_AT_MOST = 60

Span = tuple[float, float]


class Coming(Struct, frozen=True):
    """Due times one after the other: the last one that had come at the instant `since`, and those that follow."""

    since: float
    times: tuple[float, ...]

    def span(self, now: float) -> Span | None:
        """The period that is due next, [start, end); None where it is not among these."""
        after = bisect_right(self.times, now)
        if not self.since <= now < self.since + KEPT_FOR or not 0 < after < len(self.times):
            return None
        return self.times[after - 1], self.times[after]


class Dues:
    """Says what is due next. `keep` saves what had to be worked out for it."""

    def __init__(self, state_dir: str) -> None:
        """`state_dir` is absolute. Where it can't be written, nothing is kept."""
        self._directory = Layout(state_dir).cache
        self._kept: dict[str, Coming] | None = None
        self._learned = False

    def next(self, pipeline: Pipeline, now: float) -> Span | None:
        """The period of a pipeline that is due next, [start, end); None where none of its own is to come."""
        wall = Wall(pipeline.timezone)
        span = self._span(pipeline, f"{wall.label} {' | '.join(pipeline.schedule)}", now)
        if span and pipeline.start and local_day(wall, span[0]) < pipeline.start:
            first = coming(pipeline, wall.span(pipeline.start)[0] - 1).times[1:2]
            span = coming(pipeline, first[0]).span(first[0]) if first else None
        return span if span and not (pipeline.end and local_day(wall, span[0]) >= pipeline.end) else None

    def _span(self, pipeline: Pipeline, key: str, now: float) -> Span | None:
        if self._kept is None:
            self._kept = read(self._path)
        known = self._kept.get(key)
        span = known.span(now) if known else None
        if span is None:
            self._kept[key] = coming(pipeline, now)
            self._learned = True
            span = self._kept[key].span(now)
        return span

    @property
    def _path(self) -> str:
        return f"{self._directory}/dues.json"

    def keep(self, now: float) -> None:
        """Save what was worked out, without what has gone by. Where that can't be done, it is not done."""
        if self._kept is None or not self._learned:
            return
        current = {key: known for key, known in self._kept.items() if known.span(now)}
        draft = f"{self._path}.{os.getpid()}.draft"
        with suppress(OSError):
            files.make_dirs(self._directory)
            with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, files.PRIVATE_FILE), "wb") as file:
                file.write(msgspec.json.encode(current))
            os.replace(draft, self._path)


def read(path: str) -> dict[str, Coming]:
    """What was kept; nothing where that is not readable."""
    try:
        with open(path, "rb") as file:
            return msgspec.json.decode(file.read(), type=dict[str, Coming])
    except (OSError, ValueError, msgspec.DecodeError, RecursionError):
        return {}


def coming(pipeline: Pipeline, now: float) -> Coming:
    """The due times around now; none where nothing is due before it or after it."""
    from cronflow.schedule import Schedule

    try:
        schedule = Schedule.of(pipeline.schedule, pipeline.timezone)
    except ValueError:  # a zone that this machine has lost
        return Coming(now, ())
    last, following = schedule.last_until(now), schedule.next_after(now)
    if last is None or following is None:
        return Coming(now, ())
    more = islice(schedule.between(following, now + KEPT_FOR), KEPT_AT_MOST)
    return Coming(now, (last, following, *more))


def local_day(wall: Wall, at: float) -> str:
    """The local day of an instant."""
    return wall.day(instant.to_text(at))
