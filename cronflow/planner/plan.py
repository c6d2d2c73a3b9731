"""The plan of one tick: every pipeline that may have something new is decided, the others are passed over."""

from collections.abc import Mapping
from datetime import UTC, datetime
from math import inf

import msgspec

from cronflow import instant
from cronflow.cursor import Cursor
from cronflow.decision import Decision
from cronflow.planner.boot import start_boot
from cronflow.planner.case import Case, start_delay
from cronflow.planner.dues import come_due, gap_reason
from cronflow.planner.places import settle
from cronflow.planner.sight import AHEAD, first_seen, look, lost_sight
from cronflow.planner.situation import Situation
from cronflow.planner.verdict import Plan, Verdict, Warned, Watch
from cronflow.schedule import Schedule, ScheduleError, ZoneError
from cronflow.spec import Pipeline

FIRST_SANE, LAST_SANE = (datetime(year, 1, 1, tzinfo=UTC).timestamp() for year in (2000, 8000))
INSANE = "the clock is before the year 2000 or after 8000: nothing is planned until it is set"


def plan(situation: Situation, watches: Mapping[str, Watch] | None = None) -> Plan:
    """Decide what is due. `watches` are those of the plan before; without them all is worked out anew, the same.

    A machine without a battery for its clock starts in 1970: then nothing is decided.
    """
    watches = watches or {}
    if not FIRST_SANE <= situation.now < LAST_SANE:
        return Plan(warnings=(Warned(None, INSANE),), watches=watches)
    planning = Planning(situation)
    for name, pipeline in situation.pipelines.items():
        planning.see(name, pipeline, watches.get(name))
    for name in situation.cursors.keys() - situation.pipelines.keys():
        planning.miss(name)
    return planning.result()


class Planning:
    """A plan in the making."""

    def __init__(self, situation: Situation) -> None:
        """Nothing is decided yet."""
        self.situation = situation
        self._now = situation.now
        self._ahead = situation.now + AHEAD
        self._verdicts: list[Verdict] = []
        self._warnings: list[Warned] = []
        self._watches: dict[str, Watch] = {}
        self._again = False

    def see(self, name: str, pipeline: Pipeline, watch: Watch | None) -> None:
        """Decide one pipeline, unless nothing can have changed for it."""
        cursor = self.situation.cursors.get(name)
        if watch is None or not self._rests(watch, pipeline, cursor):
            schedule = self._schedule(pipeline, watch)
            if schedule is None:
                return
            watch = self._decide(pipeline, cursor, schedule)
        self._watches[name] = watch

    def miss(self, name: str) -> None:
        """Note in its cursor that a pipeline is gone, or its file bad."""
        cursor = lost_sight(self.situation, name, self.situation.cursors[name])
        if cursor is not None:
            self._verdicts.append(Verdict(pipeline=name, cursor=cursor))

    def result(self) -> Plan:
        """All of it."""
        hungry = frozenset(name for name, watch in self._watches.items() if watch.hungry)
        wake = min((watch.wake for watch in self._watches.values()), default=inf)
        return Plan(
            records=self._gap(),
            verdicts=tuple(self._verdicts),
            warnings=tuple(self._warnings),
            watches=self._watches,
            hungry=hungry,
            wake=self._now if self._again else wake,
        )

    def _rests(self, watch: Watch, pipeline: Pipeline, cursor: Cursor | None) -> bool:
        """Whether what was worked out for a pipeline still holds, and says that nothing is due."""
        return (
            not watch.hungry
            and watch.pipeline is pipeline
            and watch.cursor is cursor
            and self._now < watch.wake
            and (cursor is None or cursor.decided_until <= self._ahead)
            and (pipeline.timezone is not None or watch.schedule.zone is self.situation.zone)
        )

    def _schedule(self, pipeline: Pipeline, watch: Watch | None) -> Schedule | None:
        """The pipeline's own schedule; None, and said, where it can't be known."""
        zone = self.situation.zone
        if watch is not None and watch.pipeline is pipeline and (pipeline.timezone or watch.schedule.zone is zone):
            return watch.schedule
        try:
            schedule = Schedule.of(pipeline.schedule, pipeline.timezone or "UTC")
        except (ScheduleError, ZoneError) as error:
            self._warnings.append(Warned(pipeline.name, f"can't be planned: {error}"))
            return None
        return schedule if pipeline.timezone else msgspec.structs.replace(schedule, zone=zone)

    def _decide(self, pipeline: Pipeline, cursor: Cursor | None, schedule: Schedule) -> Watch:
        """Decide what is new of one pipeline, and when to look again."""
        if cursor is None and not pipeline.schedule:
            return Watch(pipeline, None, schedule, inf)
        case = Case(self.situation, pipeline, schedule, cursor or first_seen(self.situation, pipeline, schedule))
        if cursor is not None:
            look(case)
        boot_waits = start_boot(case)
        settle(case, come_due(case))
        verdict = case.verdict(cursor)
        if verdict is not None:
            self._verdicts.append(verdict)
        self._warnings += (Warned(pipeline.name, text) for text in case.warnings)
        self._again = self._again or case.again
        hungry = boot_waits or case.cursor.waiting is not None or bool(case.cursor.owed)
        known = cursor if case.cursor == cursor else case.cursor
        return Watch(pipeline, known, schedule, _next_look(case), hungry)

    def _gap(self) -> tuple[Decision, ...]:
        """The stretch of time before now in which nothing was decided."""
        reason, previous = gap_reason(self.situation), self.situation.previous
        if reason is None or previous is None:
            return ()
        now = instant.to_text(self._now)
        return (Decision(at=now, pipeline=None, reason=reason, start=instant.to_text(previous.at), end=now),)


def _next_look(case: Case) -> float:
    """When something of this pipeline may start next, or its cursor has to be looked at."""
    due, ahead = case.schedule.next_after(case.cursor.decided_until), case.cursor.ahead
    start = inf if due is None else due + start_delay(case.pipeline)
    return start if ahead is None else min(start, ahead)
