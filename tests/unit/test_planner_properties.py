"""Random pipelines, clocks, downtimes, edits, pauses and crashes: each period of each pipeline gets one decision.

`World` plays the daemon and its disk. After each step everything that must always hold is checked: no run is claimed
twice, nothing starts before its time or without a slot, and each period since a pipeline was first seen has a run,
or a record that says why not, or waits, or is owed. In a history without crashes, wrong clocks and runs by hand it
has exactly one of these, and the counts of the records add up.
"""

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise

import hypothesis.strategies as st
import msgspec
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from cronflow import instant
from cronflow.cursor import Cursor, period_due_at, periods_between
from cronflow.planner import plan
from cronflow.planner.case import start_delay
from cronflow.schedule import Schedule
from cronflow.spec import Pipeline
from tests.unit.planning import World, at, dues

MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0
BEGAN = at("00:20", "2026-10-24")  # Berlin's clock is set back on the day after
FIRST_DAY, LAST_DAY = "2026-10-23", "2026-10-26"

schedules = st.sampled_from([
    ("*/10 * * * *",),
    ("@hourly",),
    ("*/20 * * * *", "@hourly", "5 3 * * *"),
    ("30 2 * * *", "0 12 * * *"),
    ("17 */2 * * *",),
])  # fmt: skip

pipelines = st.builds(
    Pipeline,
    name=st.just("replaced"),
    schedule=schedules,
    timezone=st.sampled_from(["UTC", "Europe/Berlin", "Australia/Lord_Howe"]),
    start=st.none() | st.sampled_from([FIRST_DAY, "2026-10-25"]),
    end=st.none() | st.sampled_from(["2026-10-25", LAST_DAY]),
    catchup=st.sampled_from(["latest", "all", "none"]),
    catchup_window=st.sampled_from([0.0, HOUR, 6 * HOUR, 7 * DAY]),
    overlap=st.sampled_from(["queue", "skip", "replace", "allow"]),
    max_active_runs=st.none() | st.integers(1, 3),
    jitter=st.none() | st.sampled_from([60.0, 1800.0]),
)

NAMES = "abc"
NEVER = Schedule.of((), "UTC")


class Planning(RuleBasedStateMachine):
    """A calm history: the daemon is down at times, files are edited, but nothing is torn and the clock is right."""

    calm = True

    @initialize(found=st.lists(pipelines, min_size=1, max_size=len(NAMES)))
    def begin(self, found: list[Pipeline]) -> None:
        self.world = World(*(msgspec.structs.replace(one, name=name) for name, one in zip(NAMES, found, strict=False)))
        self.gone: dict[str, Pipeline] = {}
        self.now = BEGAN
        self.tick()

    def tick(self, crash_after: int | None = None) -> None:
        known = set(self.world.claims)
        self.world.tick(self.now, crash_after=crash_after)
        for name, run_id in set(self.world.claims) - known:
            claim = self.world.claims[name, run_id]
            assert claim is not None
            begins = claim.span.end + (start_delay(self.world.pipelines[name]) if self.calm else -60)
            assert begins <= self.now, "never before its time"
            assert run_id == instant.compact(claim.span.end)
            in_force = self.world.cursors[name].in_force(claim.span.end) if name in self.world.cursors else None
            assert not in_force or claim.span == period_due_at(in_force.calendar(NEVER), claim.span.end)
        if crash_after is None:
            assert plan(self.world.situation(self.now), self.world.watches).verdicts == (), "a plan leaves nothing open"

    @rule(minutes=st.integers(1, 40))
    def go_on(self, minutes: int) -> None:
        """The daemon plans at the start of each minute."""
        for _ in range(minutes):
            self.now = self.now // MINUTE * MINUTE + MINUTE + 0.01
            self.tick()

    @rule(seconds=st.floats(0.1, 59))
    def look_between(self, seconds: float) -> None:
        """Something made it plan within the minute."""
        self.now += seconds
        self.tick()

    @rule(hours=st.floats(0.05, 20), same=st.booleans())
    def be_down(self, hours: float, *, same: bool) -> None:
        """Nobody plans for a while: the daemon was down, or the machine slept."""
        if not same:
            self.world.restart()
        self.now += hours * HOUR
        self.tick()

    @rule(data=st.data())
    def end_runs(self, data: st.DataObject) -> None:
        """Some of the open runs end, those first that somebody asked to stop."""
        for name, runs in self.world.runs.items():
            left = data.draw(st.lists(st.sampled_from(runs), unique_by=lambda run: run.run_id)) if runs else []
            self.world.runs[name] = [run for run in runs if run in left and not run.ending]
        self.tick()

    @rule(data=st.data(), other=pipelines)
    def edit(self, data: st.DataObject, other: Pipeline) -> None:
        """A file is edited: some of its keys are now another's."""
        name = data.draw(st.sampled_from(NAMES[: len(self.world.pipelines) + len(self.gone)]))
        keys = ["schedule", "timezone", "catchup", "catchup_window", "overlap", "max_active_runs", "end"]
        changed = data.draw(st.lists(st.sampled_from(keys), min_size=1, max_size=3, unique=True))
        if name in self.world.pipelines:
            self.world.edit(name, **{key: getattr(other, key) for key in changed})
            self.world.edit(name, enabled=data.draw(st.booleans()))

    @rule(names=st.sets(st.sampled_from(NAMES)))
    def pause(self, names: set[str]) -> None:
        """These are paused now, and no others."""
        self.world.paused = names

    @rule(name=st.sampled_from(NAMES), bad=st.booleans())
    def take_away(self, name: str, *, bad: bool) -> None:
        """A file is deleted, or goes bad with nobody who knew the good one."""
        if name in self.world.pipelines:
            self.gone[name] = self.world.pipelines.pop(name)
            self.world.bad |= {name} if bad else set()

    @rule()
    def bring_back(self) -> None:
        """All files are there again, and good."""
        self.world.pipelines |= self.gone
        self.world.bad = set()
        self.gone = {}

    @invariant()
    def cursors_are_as_they_must_be(self) -> None:
        for name in getattr(self, "world", World()).pipelines:
            cursor = self.world.cursors.get(name)
            if cursor is None or cursor.away:
                continue
            assert cursor.decided_until <= self.now + 60
            assert cursor.waiting is None or cursor.waiting.due <= cursor.decided_until
            assert not self.calm or all(one.end <= two.start for one, two in pairwise(cursor.owed))
            assert not cursor.owed or cursor.owed[-1].end <= cursor.decided_until

    @invariant()
    def each_period_has_its_decision(self) -> None:
        """Of the last hours; at the end, of all."""
        if hasattr(self, "world"):
            self.check(self.now - 3 * HOUR)

    def check(self, since: float) -> None:
        for name, cursor in self.world.cursors.items():
            known_since = self.world.known_since[name]
            found = dict(dues(cursor, max(since, known_since), min(cursor.decided_until, self.now)))
            ways = Counter(self.ways(name, cursor, list(found)))
            for due, schedule in found.items():
                assert ways[due] == 1 or (ways[due] and not self.calm), f"{name} {instant.to_text(due)}: {ways[due]}"
                claim = self.world.claims.get((name, instant.compact(due)))
                assert claim is None or not self.calm or claim.span == period_due_at(schedule, due)

    def ways(self, name: str, cursor: Cursor, due: list[float]) -> Iterator[float]:
        """Of these due times those that have a run, wait, are owed, or are in a record: each as often as that."""
        yield from (one for one in due if (name, instant.compact(one)) in self.world.claims)
        yield from (one for one in due if cursor.waiting is not None and cursor.waiting.due == one)
        yield from (one for one in due if cursor.is_owed(one))
        for line in self.world.decisions:
            if line.pipeline == name:
                first, last = (bisect_right(due, instant.to_seconds(text)) for text in (line.start, line.end))
                yield from due[first:last]

    def counts_add_up(self) -> None:
        """Each record has as many periods as it says."""
        for name, cursor in self.world.cursors.items():
            due = [due for due, _ in dues(cursor, BEGAN - 3 * DAY, cursor.decided_until)]
            for line in self.world.decisions:
                if line.pipeline == name:
                    first, last = (bisect_right(due, instant.to_seconds(text)) for text in (line.start, line.end))
                    assert line.count == last - first

    def teardown(self) -> None:
        """However far it came: once all files are good and slots are free, what waits and is owed gets its turn."""
        if not hasattr(self, "world"):
            return
        self.bring_back()
        self.world.paused = set()
        for name in self.world.pipelines:
            self.world.edit(name, enabled=True)
        for _ in range(2000):
            self.world.runs.clear()
            self.world.tick(self.now)
            if not any(cursor.waiting or cursor.owed for cursor in self.world.cursors.values()):
                break
        assert not any(cursor.waiting or cursor.owed for cursor in self.world.cursors.values())
        self.check(BEGAN - 3 * DAY)
        if self.calm:
            self.counts_add_up()


class Troubled(Planning):
    """A history with crashes between any two effects, a clock that jumps, and people who run periods by hand."""

    calm = False

    @rule(effects=st.integers(0, 12), minutes=st.integers(0, 90), seconds=st.sampled_from([1, 60, 400]))
    def crash(self, effects: int, minutes: int, seconds: int) -> None:
        """The daemon is killed while it carries a plan out; the next one comes soon."""
        self.now += minutes * MINUTE
        self.tick(effects)
        self.now += seconds
        self.tick()

    @rule(minutes=st.integers(1, 3000))
    def set_back(self, minutes: int) -> None:
        """The clock is set back; later it is right again, or time passes."""
        self.now = max(BEGAN, self.now - minutes * MINUTE)
        self.tick()

    @rule(years=st.sampled_from([1, 73]), crash=st.none() | st.integers(0, 6))
    def dream_of_the_future(self, years: int, crash: int | None) -> None:
        """The clock is years ahead for one tick."""
        now, self.now = self.now, self.now + years * 366 * DAY
        self.tick(crash)
        self.world.runs.clear()
        self.now = now + MINUTE
        self.tick()

    @precondition(lambda self: self.world.pipelines)
    @rule(data=st.data())
    def run_by_hand(self, data: st.DataObject) -> None:
        """Somebody runs a period of the last hours."""
        name = data.draw(st.sampled_from(sorted(self.world.pipelines)))
        cursor, pipeline = self.world.cursors.get(name), self.world.pipelines[name]
        spans = [
            span for span in periods_between(cursor, pipeline, self.now - 5 * HOUR, self.now) if span.end <= self.now
        ]
        if spans:
            due = data.draw(st.sampled_from(spans)).end
            if (name, instant.compact(due)) not in self.world.claims:
                self.world.by_hand(name, due, has_slot=False)


TestPlanning = Planning.TestCase
TestPlanning.settings = settings(max_examples=100, stateful_step_count=20)
TestTroubled = Troubled.TestCase
TestTroubled.settings = settings(max_examples=100, stateful_step_count=20)
