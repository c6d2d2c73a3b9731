"""One pipeline's verdict in the making. The rules are in the modules beside this one; here they are written down."""

import zlib
from typing import Any

import msgspec

from cronflow import instant
from cronflow.cursor import Cursor, Waiting, period_due_at
from cronflow.decision import Decision, Reason
from cronflow.planner.situation import Situation
from cronflow.planner.verdict import Cancel, Claim, Verdict
from cronflow.record import Trigger
from cronflow.schedule import Schedule, Span
from cronflow.schedule.count import count_between
from cronflow.spec import Pipeline

COUNTED = 200 * 366 * 86400.0  # a longer stretch of periods is not counted: the clock was wrong by centuries


class Case:
    """The pipeline as it is decided now: what has been found so far, and the cursor as that leaves it."""

    def __init__(self, situation: Situation, pipeline: Pipeline, schedule: Schedule, cursor: Cursor) -> None:
        """`schedule` is the one that is in force."""
        self.situation = situation
        self.pipeline = pipeline
        self.schedule = schedule
        self.cursor = cursor
        self.before = cursor
        self.because: str | None = None
        self.again = False
        self.records: list[Decision] = []
        self.cancels: list[Cancel] = []
        self.claims: list[Claim] = []
        self.warnings: list[str] = []

    @property
    def now(self) -> float:
        """The wall clock."""
        return self.situation.now

    @property
    def reached(self) -> float:
        """What is due until this instant may start: now, less the pipeline's own delay."""
        return self.now - start_delay(self.pipeline)

    @property
    def held(self) -> bool:
        """Whether nothing of this pipeline may start, whatever is due."""
        return not self.pipeline.enabled or self.pipeline.name in self.situation.paused

    @property
    def slots(self) -> int:
        """How many of its runs may be active."""
        return self.pipeline.max_active_runs or 1

    @property
    def free(self) -> int:
        """How many more may be now."""
        taken = sum(run.has_slot for run in self.situation.runs.get(self.pipeline.name, ()))
        return max(0, self.slots - taken - len(self.claims))

    def change(self, **values: Any) -> None:
        """Move the cursor on."""
        self.cursor = msgspec.structs.replace(self.cursor, **values)

    def calendar(self, due: float) -> Schedule:
        """The schedule by which something is or was due."""
        entry = self.cursor.in_force(due)
        return self.schedule if entry is self.cursor.schedules[-1] else entry.calendar(self.schedule)

    def span(self, due: float) -> Span:
        """The period due at an instant."""
        return period_due_at(self.calendar(due), due)

    def begin(self, due: float) -> float:
        """Where a stretch of periods begins whose first is due at an instant.

        With that period, but not before its schedule came into force: until then others were due.
        """
        entry = self.cursor.in_force(due)
        start = self.span(due).start
        return start if entry is self.cursor.schedules[0] else max(start, entry.since)

    def is_claimed(self, due: float) -> bool:
        """Whether the period has its run already: started by hand, or by a plan whose cursor was lost."""
        return self.situation.claimed(self.pipeline.name, instant.compact(due))

    def claim(self, due: float, trigger: Trigger, *, at_once: bool = False) -> None:
        """Run this period now."""
        self.claims.append(Claim(instant.compact(due), trigger, self.span(due), self.slots, at_once))

    def record(self, reason: Reason, after: float, until: float, because: str | None = None) -> None:
        """Note that the periods with after < due <= until, all of one schedule, will not run."""
        if after >= until:
            return
        schedule = self.calendar(until)
        first, last = schedule.next_after(after), schedule.last_until(until)
        if first is None or last is None or first > last:
            return
        count = 1 if first == last else count_between(schedule, after, until) if until - after < COUNTED else None
        self.note(reason, self.begin(first), last, count, because)

    def note(self, reason: Reason, start: float, end: float, count: int | None, because: str | None = None) -> None:
        """Write a decision down."""
        self.records.append(
            Decision(
                at=instant.to_text(self.now),
                pipeline=self.pipeline.name,
                reason=reason,
                start=instant.to_text(start),
                end=instant.to_text(end),
                count=count,
                because=because,
            )
        )

    def verdict(self, known: Cursor | None) -> Verdict | None:
        """What was found; None if that is nothing new. `known` is the cursor as it is stored."""
        if self.cursor == known and not (self.records or self.cancels or self.claims):
            return None
        return Verdict(
            pipeline=self.pipeline.name,
            records=tuple(self.records),
            cancels=tuple(self.cancels),
            claims=tuple(self.claims),
            queued=self._queued(),
            cursor=self.cursor,
        )

    def _queued(self) -> Waiting | None:
        return self.cursor.waiting if self.cursor.waiting != self.before.waiting else None


def start_delay(pipeline: Pipeline) -> float:
    """The delay of all of a pipeline's starts, below its `jitter`: the same on every machine, by its name.

    In parts of a second that floats hold exactly, so that what is due at an instant is due when that comes.
    """
    if not pipeline.jitter:
        return 0.0
    share = zlib.crc32(pipeline.name.encode()) / 2**32
    return int(share * pipeline.jitter * 1024) / 1024
