"""How far a pipeline has been decided, and under which schedules: what its `cursor.json` holds. Pure.

The schedules that were once in force stay, so that an edit never changes which periods the past had. All instants
are seconds since the epoch.
"""

from collections.abc import Iterator
from itertools import pairwise, takewhile
from math import inf
from typing import Literal

import msgspec
from msgspec import Struct

from cronflow.record import Trigger
from cronflow.schedule import Schedule, ScheduleError, Span, ZoneError
from cronflow.spec import Pipeline

MOST_SCHEDULES = 100


class InForce(Struct, frozen=True):
    """The schedule that governs the due times after `since`, until the next one does.

    The first of a pipeline's governs the time before it too. `timezone` is the zone's name; None for a machine's
    zone that has none.
    """

    since: float
    schedule: tuple[str, ...]
    timezone: str | None

    def calendar(self, otherwise: Schedule) -> Schedule:
        """Its due times; `otherwise` where they can't be known any more: its zone has left this machine."""
        try:
            return Schedule.of(self.schedule, self.timezone)
        except (ScheduleError, ZoneError):
            return otherwise


class Waiting(Struct, frozen=True):
    """The due time of the period that waits for a slot, and the trigger that its run will have."""

    due: float
    trigger: Trigger


class Away(Struct, frozen=True):
    """Since when the pipeline can't be planned, and why: it has no file, or only a bad one."""

    since: float
    why: Literal["absent", "file_bad"]


class Cursor(Struct, frozen=True, kw_only=True):
    """Where the planner stands with one pipeline. Periods due until `decided_until` are decided.

    Of these, `waiting` and those in `owed` will still run. An owed span [start, end) holds one or more periods,
    from the first one's start to the last one's due time. `boot_id` is the boot whose `@reboot` is decided. `ahead`
    is where the cursor stood before the clock was set back: what is due until then may have been decided already.
    """

    decided_until: float
    schedules: tuple[InForce, ...]
    waiting: Waiting | None = None
    owed: tuple[Span, ...] = ()
    boot_id: str = ""
    away: Away | None = None
    ahead: float | None = None

    def in_force(self, due: float) -> InForce:
        """The schedule under which something is due at an instant."""
        earlier = [entry for entry in self.schedules if entry.since < due]
        return earlier[-1] if earlier else self.schedules[0]

    def is_owed(self, due: float) -> bool:
        """Whether the period due at an instant is still to run, when its turn comes."""
        return any(span.start < due <= span.end for span in self.owed)

    def owing(self, span: Span) -> "Cursor":
        """The same, owing these periods too. Spans that touch are one, unless the schedule changed between them."""
        owed = sorted((*self.owed, span), key=lambda span: span.end)
        joined = [owed[0]]
        for later in owed[1:]:
            before = joined[-1]
            if later.start <= before.end and self.in_force(later.end) is self.in_force(before.end):
                joined[-1] = Span(min(before.start, later.start), later.end)
            else:
                joined.append(later)
        return msgspec.structs.replace(self, owed=tuple(joined))

    def governed_by(self, entry: InForce) -> "Cursor":
        """The same under a new schedule, decided until that begins.

        Of more than are kept the second oldest goes: the first one is what the time before it is read by.
        """
        schedules = (*self.schedules, entry)
        if len(schedules) > MOST_SCHEDULES:
            schedules = (schedules[0], *schedules[2:])
        return msgspec.structs.replace(self, schedules=schedules, decided_until=entry.since)

    def set_back(self, now: float) -> "Cursor":
        """The same for a clock that shows an earlier time than it did: nothing of it is in the future.

        What would wait or be owed only then, or be due by a schedule of then, is decided again: `ahead` ends before it.
        """
        later = self.waiting if self.waiting is not None and self.waiting.due > now else None
        undone = [max(span.start, now) for span in self.owed if span.end > now]
        undone += [later.due - 1] if later is not None else []
        undone += [now for entry in self.schedules[1:] if entry.since > now]
        ahead = min(max(self.ahead or now, self.decided_until), *undone, inf)
        return msgspec.structs.replace(
            self,
            decided_until=now,
            schedules=tuple(InForce(min(entry.since, now), entry.schedule, entry.timezone) for entry in self.schedules),
            waiting=None if later is not None else self.waiting,
            owed=tuple(Span(span.start, min(span.end, now)) for span in self.owed if span.start < now),
            ahead=ahead if ahead > now else None,
        )

    def caught_up(self) -> "Cursor":
        """The same for a clock that has come again to where it was before it was set back."""
        until = max(self.decided_until, self.ahead or -inf)
        return msgspec.structs.replace(self, decided_until=until, ahead=None)


class Reign(Struct, frozen=True):
    """The due times with after < due <= until are this schedule's."""

    after: float
    until: float
    schedule: Schedule


def reigns(cursor: Cursor | None, pipeline: Pipeline) -> list[Reign]:
    """The schedules of a pipeline, past to future, without a gap between them.

    Until `decided_until` they are what the cursor has; later, and without a cursor, what the file says now.
    Raises ScheduleError and ZoneError.
    """
    today = Schedule.of(pipeline.schedule, pipeline.timezone)
    if cursor is None:
        return [Reign(-inf, inf, today)]
    known = [(entry.since, entry.calendar(today)) for entry in cursor.schedules]
    if known[-1][1] != today:
        known.append((max(known[-1][0], cursor.decided_until), today))
    begin = [-inf, *(since for since, _ in known[1:]), inf]
    return [Reign(*bounds, schedule) for bounds, (_, schedule) in zip(pairwise(begin), known, strict=True)]


def schedule_in_force(cursor: Cursor | None, pipeline: Pipeline, due: float) -> Schedule:
    """The schedule under which a pipeline's periods are due at an instant, past or to come. Raises as `reigns`."""
    return next(reign.schedule for reign in reigns(cursor, pipeline) if reign.after < due <= reign.until)


def periods_between(cursor: Cursor | None, pipeline: Pipeline, start: float, end: float) -> Iterator[Span]:
    """The periods that begin in start <= instant < end, earliest first, by the schedules then in force.

    Whether they belong to the pipeline (its `start` and `end`) and have ended is for the caller to say. Each is
    worked out when it is asked for. Raises as `reigns`.
    """
    for reign in reigns(cursor, pipeline):
        dues = reign.schedule.between(max(start, reign.after), reign.until)
        spans = takewhile(lambda span: span.start < end, (period_due_at(reign.schedule, due) for due in dues))
        yield from (span for span in spans if span.start >= start)


def period_due_at(schedule: Schedule, due: float) -> Span:
    """The period due at an instant; one without length where no due time comes before it, as 1970 begins."""
    start = schedule.last_until(due - 1)
    return Span(due if start is None else start, due)
