"""A daemon and its disk, for tests of the planner: the situation of each tick, and what carrying out a plan does."""

from collections.abc import Callable, Iterator
from datetime import datetime
from itertools import pairwise
from math import inf
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from cronflow import instant
from cronflow.cursor import Cursor
from cronflow.decision import Decision, decided, merged
from cronflow.planner import Cancel, Claim, OpenRun, Plan, Situation, Tick, Verdict, Watch, plan
from cronflow.record import Trigger
from cronflow.schedule import Schedule
from cronflow.spec import Pipeline

BOOT = "1c2f9a33-0000-4000-8000-000000000000"
NEXT_BOOT = "77e01b5d-0000-4000-8000-000000000000"
DAY = "2026-11-22"  # a Sunday
MINUTE, HOUR = 60.0, 3600.0


def at(text: str, day: str = DAY) -> float:
    """`10:00` or `10:00:30` on a day, or a day and a time together: in UTC, unless the text has an offset."""
    whole = text if "T" in text else f"{day}T{text}"
    moment = datetime.fromisoformat(whole)
    return moment.timestamp() if moment.tzinfo else datetime.fromisoformat(f"{whole}+00:00").timestamp()


def hourly(name: str = "etl", **keys: Any) -> Pipeline:
    """Due at each full hour, unless told otherwise."""
    return Pipeline(name=name, **({"schedule": ("@hourly",), "timezone": "UTC"} | keys))


def seen(*pipelines: Pipeline) -> "World":
    """A world whose pipelines were first seen at 09:30."""
    world = World(*pipelines)
    world.tick(at("09:30"))
    return world


def only(planned: Plan) -> Verdict:
    """The verdict of a plan that has one."""
    (verdict,) = planned.verdicts
    return verdict


class World:
    """What lasts between two ticks. `tick` plans, carries the plan out, and gives it back.

    `claims` are the runs that exist, by pipeline and id; `runs` those of them that have not ended.
    """

    def __init__(self, *pipelines: Pipeline) -> None:
        self.pipelines = {pipeline.name: pipeline for pipeline in pipelines}
        self.cursors: dict[str, Cursor] = {}
        self.known_since: dict[str, float] = {}
        self.claims: dict[tuple[str, str], Claim | None] = {}
        self.runs: dict[str, list[OpenRun]] = {}
        self.decisions: list[Decision] = []
        self.paused: set[str] = set()
        self.bad: set[str] = set()
        self.previous: Tick | None = None
        self.watches: dict[str, Watch] = {}
        self.zone = ZoneInfo("UTC")
        self.boot_id = BOOT
        self.since = 0.0

    def situation(self, now: float) -> Situation:
        return Situation(
            tick=Tick(now, self.boot_id, self.since),
            previous=self.previous,
            zone=self.zone,
            claimed=lambda name, run_id: (name, run_id) in self.claims,
            pipelines=dict(self.pipelines),
            cursors=dict(self.cursors),
            runs={name: tuple(runs) for name, runs in self.runs.items()},
            paused=frozenset(self.paused),
            bad=frozenset(self.bad),
            booted=frozenset(name for name, run_id in self.claims if run_id.endswith(f"-reboot-{self.boot_id[:8]}")),
        )

    def tick(self, now: float, *, crash_after: int | None = None) -> Plan:
        """Plan and carry it out; with `crash_after` only so many of its effects happen, and the daemon is gone."""
        situation = self.situation(now)
        planned = plan(situation, self.watches)
        assert planned.verdicts == plan(situation).verdicts, "what was worked out before never changes a plan"
        effects = list(self.effects(planned, situation.tick))
        for effect in effects[:crash_after]:
            effect()
        self.watches = dict(planned.watches)
        if crash_after is not None:
            self.restart()
        return planned

    def until(self, now: float) -> None:
        """Plan at the start of each minute until this one, which is planned too."""
        minute = (self.previous.at if self.previous else now) // MINUTE * MINUTE + MINUTE
        while minute < now:
            self.tick(minute + 0.02)
            minute += MINUTE
        self.tick(now)

    def effects(self, planned: Plan, tick: Tick) -> Iterator[Callable[[], None]]:
        """What a daemon does with a plan, in its order, one durable step each."""
        records = [*planned.records, *(record for verdict in planned.verdicts for record in verdict.records)]
        yield lambda: self.decisions.extend(records)
        for verdict in planned.verdicts:
            for cancel in verdict.cancels:
                yield lambda verdict=verdict, cancel=cancel: self.cancel(verdict.pipeline, cancel)  # type: ignore[misc]
            for claim in verdict.claims:
                yield lambda verdict=verdict, claim=claim: self.claim(verdict, claim)  # type: ignore[misc]
            yield lambda verdict=verdict: self.keep(verdict)  # type: ignore[misc]
        yield lambda: setattr(self, "previous", tick)

    def claim(self, verdict: Verdict, claim: Claim) -> None:
        runs = self.runs.setdefault(verdict.pipeline, [])
        key = (verdict.pipeline, claim.run_id)
        assert key not in self.claims, "never twice"
        free = sum(run.has_slot for run in runs) < claim.slots
        assert free or claim.at_once, "never more than there are slots"
        self.claims[key] = claim
        runs.append(OpenRun(claim.run_id, claim.trigger, claim.span.end, free))

    def keep(self, verdict: Verdict) -> None:
        self.cursors[verdict.pipeline] = verdict.cursor
        self.known_since.setdefault(verdict.pipeline, verdict.cursor.decided_until)

    def cancel(self, name: str, cancel: Cancel) -> None:
        self.runs[name] = [
            msgspec.structs.replace(run, ending=True) if run.run_id == cancel.run_id else run for run in self.runs[name]
        ]

    def by_hand(self, name: str, due: float, *, trigger: Trigger = "manual", has_slot: bool = True) -> None:
        """Somebody else claims a period's run."""
        run_id = instant.compact(due)
        self.claims[name, run_id] = None
        self.runs.setdefault(name, []).append(OpenRun(run_id, trigger, due, has_slot))

    def end(self, name: str = "etl") -> None:
        """The oldest of the open runs ends."""
        self.runs[name] = self.runs[name][1:]

    def restart(self, boot_id: str | None = None) -> None:
        """Another daemon takes over, maybe after the machine was started anew."""
        self.watches = {}
        self.since += 1
        self.boot_id = boot_id or self.boot_id

    def edit(self, name: str = "etl", **keys: Any) -> None:
        self.pipelines[name] = msgspec.structs.replace(self.pipelines[name], **keys)

    # What became of things

    def ran(self, name: str = "etl") -> list[tuple[str, str]]:
        """The due times that have a run, in their order, as `22T10:00`, with the trigger of the claim."""
        found = [(claim.span.end, claim.trigger) for (of, _), claim in self.claims.items() if of == name and claim]
        return [(short(due), trigger) for due, trigger in sorted(found)]

    def said(self, name: str | None = "etl") -> list[tuple[str, str, str, int | None]]:
        """The decisions, alike ones as one: reason, first start, last due time, count."""
        lines = (line for line in merged(self.decisions) if line.pipeline == name)
        return [(line.reason, shorter(line.start), shorter(line.end), line.count) for line in lines]

    def outcome(self, due: float, name: str = "etl") -> str:
        """What became of the period due at an instant; empty if that is not decided."""
        cursor = self.cursors[name]
        if (name, instant.compact(due)) in self.claims:
            return "claimed"
        if cursor.waiting is not None and cursor.waiting.due == due:
            return "waiting"
        if cursor.is_owed(due):
            return "owed"
        line = decided(self.decisions, name, instant.to_text(due))
        return line.reason if line else ""


def short(seconds: float) -> str:
    """`22T10:00` of an instant in November 2026, the whole date otherwise."""
    return shorter(instant.to_text(seconds))


def shorter(text: str) -> str:
    return text.removeprefix("2026-11-").removesuffix(":00.000Z")


def dues(cursor: Cursor, since: float, until: float) -> Iterator[tuple[float, Schedule]]:
    """The due times with since < due <= until, by the schedules then in force, with their schedules."""
    begin = [-inf, *(entry.since for entry in cursor.schedules[1:]), inf]
    for (after, last), entry in zip(pairwise(begin), cursor.schedules, strict=True):
        schedule = entry.calendar(Schedule.of((), "UTC"))
        for due in schedule.between(max(after, since), min(last, until)):
            yield due, schedule
