"""Random graphs, outcomes, interleavings, wishes and crashes, against a second and naive reading of the rules.

`Driving` plays an engine and its disk: `disk` is what the attempt files say, `waiting` what may start and has
not. After each step everything that must always hold is checked.
"""

from collections.abc import Mapping
from random import Random

import hypothesis.strategies as st
from hypothesis import given, settings

from cronflow import instant
from cronflow.lifecycle import NOT_SELECTED, Flow, Sighting, Stop, StopReason, Wish, retry_wait, state
from cronflow.opening import again
from cronflow.record import RUN_ENDED, TASK_ENDED, Run, TaskRun
from cronflow.spec import Task
from tests.unit.graphs import BEGAN, SKIP, cancel, ended, lost, moment, over_time, refused, run_of, running, stop

NAMES = "abcdefg"
STOPS: dict[str | None, StopReason] = {None: "timeout", "cancel": "cancel", "timeout": "run timeout"}
FORWARD = {"pending": 0, "running": 1, "retrying": 1}  # the rest is an end, and stays


@st.composite
def graphs(draw: st.DrawFn) -> dict[str, Task]:
    """Up to seven tasks; each needs some of those before it."""
    tasks: dict[str, Task] = {}
    for name in NAMES[: draw(st.integers(1, len(NAMES)))]:
        tasks[name] = Task(
            run="true",
            needs=tuple(draw(st.lists(st.sampled_from(sorted(tasks)), unique=True, max_size=3))) if tasks else (),
            when=draw(st.sampled_from(["all_succeeded"] * 4 + ["all_done", "any_failed"])),
            retries=draw(st.sampled_from([0, 0, 1, 2])),
            allow_failure=draw(st.sampled_from([False, False, False, True])),
            skip_exit_code=SKIP,
        )
    return tasks


def naive(run: Run, tried: Mapping[str, list[str]], wish: Wish | None) -> dict[str, str]:
    """Each task's state, or `start`, by the rules as a person would apply them, from the top of the graph down.

    `tried` has the states of this round's attempts.
    """
    known: dict[str, str] = {}
    chosen = run.rounds[-1].tasks
    for name, task in run.definition.tasks.items():
        if chosen is not None and name not in chosen:
            was = run.tasks.get(name, TaskRun(state="skipped", reason=NOT_SELECTED))
            known[name] = "left out" if was.reason == NOT_SELECTED else was.state
        elif tried.get(name):
            known[name] = after(task, tried[name], wish)
        else:
            counted = [success_of(need, known[need], run) for need in task.needs if known[need] != "left out"]
            known[name] = untried(task, counted, wish)
    return {name: "skipped" if became == "left out" else became for name, became in known.items()}


def success_of(need: str, became: str, run: Run) -> str:
    """A failure that is allowed counts as success for those that need it."""
    return "succeeded" if became == "failed" and run.definition.tasks[need].allow_failure else became


def after(task: Task, tried: list[str], wish: Wish | None) -> str:
    """What a task is after these attempts."""
    if tried[-1] not in {"failed", "lost"}:
        return tried[-1]
    if len(tried) > task.retries:
        return "failed"
    if wish is None:
        return "retrying"
    return "cancelled" if wish.kind == "cancel" else "failed"


def untried(task: Task, needs: list[str], wish: Wish | None) -> str:
    """What a task is that has no attempts: its needs alone decide, and a wish keeps it from starting."""
    all_ended = all(need in TASK_ENDED for need in needs)
    failed = any(need in {"failed", "upstream_failed"} for need in needs)
    if task.when == "all_succeeded" and failed:
        return "upstream_failed"
    if not all_ended:
        return "pending"
    if task.when == "all_done" or (task.when == "any_failed" and failed):
        return "cancelled" if wish else "start"
    if "cancelled" in needs:
        return "cancelled"
    if task.when == "any_failed" or "skipped" in needs:
        return "skipped"
    return "cancelled" if wish else "start"


def essence(tasks: Mapping[str, TaskRun]) -> dict[str, TaskRun]:
    """The records, without the need that is named where several kept a task from starting: the first to fail."""
    return {
        name: TaskRun(state="upstream_failed", attempts=record.attempts)
        if record.state == "upstream_failed"
        else record
        for name, record in tasks.items()
    }


class Driving:
    """An engine that starts, watches, dies and comes back at random moments, and its disk."""

    def __init__(self, tasks: dict[str, Task], chance: Random) -> None:
        self.chance = chance
        self.clock = 0.0
        self.open(run_of(tasks, self.selection(tasks)))

    def selection(self, tasks: Mapping[str, object]) -> tuple[str, ...] | None:
        """The tasks of a round: mostly all."""
        some = tuple(name for name in tasks if self.chance.random() < 0.6)
        return some if some and self.chance.random() < 0.3 else None

    def open(self, run: Run) -> None:
        """Begin to drive a round of this run."""
        self.run = run
        self.wish: Wish | None = None
        self.disk: dict[str, list[tuple[Sighting, Stop | None]]] = {}
        self.come_back()
        self.before = {name: record.state for name, record in self.flow.tasks.items()}
        self.check()

    def come_back(self) -> None:
        """An engine that knows only what is on disk."""
        self.flow: Flow = state(self.run, self.disk, self.wish)
        self.waiting: set[str] = set()
        self.retries: dict[str, float] = {}
        self.take_out()

    def take_out(self) -> None:
        """What an engine does after each change."""
        assert len(set(self.flow.ready)) == len(self.flow.ready)
        assert not self.waiting & set(self.flow.ready)
        waiting = self.waiting | set(self.flow.ready)
        retries = self.retries | self.flow.retries
        self.flow.ready.clear()
        self.flow.retries.clear()
        self.waiting = {name for name in waiting if self.flow.tasks[name].state == "pending"}
        self.retries = {name: at for name, at in retries.items() if self.flow.tasks[name].state == "retrying"}

    def go_on(self) -> None:
        """Something happens: mostly that a task starts or ends."""
        kinds = {self.start: len(self.startable()), self.end: len(self.running())}
        kinds |= {self.stop_one: 0.3 * len(self.running()), self.die: 0.3, self.want_an_end: 0.1}
        self.chance.choices(list(kinds), list(kinds.values()))[0]()
        self.check()

    def startable(self) -> list[str]:
        return sorted(self.waiting | self.retries.keys())

    def running(self) -> list[str]:
        return sorted(name for name, record in self.flow.tasks.items() if record.state == "running")

    def see(self, name: str, seen: Sighting, stopped: Stop | None = None) -> None:
        """An attempt as it is now, on disk and told."""
        kept = [pair for pair in self.disk.get(name, ()) if pair[0].number < seen.number]
        self.disk[name] = [*kept, (seen, stopped)]
        self.flow.see(name, seen, stopped)
        self.take_out()

    def start(self) -> None:
        """One of those that may start, or whose retry is due, is started; or it can't be."""
        name = self.chance.choice(self.startable())
        self.waiting.discard(name)
        self.retries.pop(name, None)
        number = self.flow.next_number(name)
        self.see(name, refused(number) if self.chance.random() < 0.1 else running(number))

    def end(self) -> None:
        """One of those that run ends in some way."""
        name = self.chance.choice(self.running())
        code = self.chance.choice([0, 0, 0, 0, 1, 2, SKIP, 137, None])
        seen, stopped = self.disk[name][-1]
        self.clock += 1
        self.see(name, lost(seen.number) if code is None else ended(seen.number, code, self.clock), stopped)

    def stop_one(self) -> None:
        """One of those that run is stopped: its own time is over, or the run is to end."""
        name = self.chance.choice(self.running())
        seen, stopped = self.disk[name][-1]
        if stopped is None:
            note = stop(STOPS[self.wish.kind if self.wish else None])
            self.disk[name][-1] = (seen, note)
            self.flow.note_stop(name, note)
            self.take_out()

    def want_an_end(self) -> None:
        """Somebody cancels the run, or its time is over."""
        if self.wish is None:
            self.wish = self.chance.choice([cancel(), over_time()])
            self.flow.end(self.wish)
            self.take_out()

    def die(self) -> None:
        """The engine is killed; the next one comes, and hears some news twice: nothing changes."""
        before = dict(self.flow.tasks)
        self.come_back()
        for name in self.disk:
            if self.chance.random() < 0.5:
                self.see(name, *self.disk[name][-1])
        assert essence(self.flow.tasks) == essence(before)

    def open_again(self) -> None:
        """Another round of all tasks, or some: attempts are numbered on, and the earlier ones stay."""
        record = self.flow.record(instant.to_text(BEGAN + 99))
        chosen = self.selection(record.tasks)
        self.open(again(record, record.definition, moment(100), tasks=chosen))
        for name, task in record.tasks.items():
            if chosen is not None and name not in chosen:
                assert self.flow.tasks[name] == task
            else:
                assert self.flow.tasks[name].attempts == task.attempts
                assert self.flow.next_number(name) == len(task.attempts) + 1

    def check(self) -> None:
        """What always holds."""
        self.it_follows_from_what_is_on_disk()
        self.the_naive_reading_agrees()
        self.states_moved_forward()
        self.no_task_is_forgotten()

    def it_follows_from_what_is_on_disk(self) -> None:
        fresh = state(self.run, self.disk, self.wish)
        assert essence(fresh.tasks) == essence(self.flow.tasks)
        assert fresh.open == self.flow.open
        assert set(fresh.ready) == self.waiting
        assert fresh.retries == self.retries
        assert fresh.result() == self.flow.result()

    def the_naive_reading_agrees(self) -> None:
        first = self.run.rounds[-1].first
        tried = {
            name: [attempt.state for attempt in record.attempts if attempt.number >= first.get(name, 1)]
            for name, record in self.flow.tasks.items()
        }
        expected = naive(self.run, tried, self.wish)
        assert self.waiting == {name for name, became in expected.items() if became == "start"}
        found = {name: record.state for name, record in self.flow.tasks.items()}
        assert found == {name: "pending" if became == "start" else became for name, became in expected.items()}

    def states_moved_forward(self) -> None:
        for name, record in self.flow.tasks.items():
            was = self.before[name]
            assert FORWARD[was] <= FORWARD.get(record.state, 2) if was in FORWARD else record.state == was
            assert [attempt.number for attempt in record.attempts] == list(range(1, len(record.attempts) + 1))
        self.before = {name: record.state for name, record in self.flow.tasks.items()}

    def no_task_is_forgotten(self) -> None:
        """What has not ended waits for something that will come."""
        not_ended = {name for name, record in self.flow.tasks.items() if record.state not in TASK_ENDED}
        assert len(not_ended) == self.flow.open
        assert bool(self.startable() or self.running()) == bool(not_ended)
        assert (self.flow.result()[0] in RUN_ENDED) == (not not_ended)


@settings(max_examples=300)
@given(tasks=graphs(), chance=st.randoms(use_true_random=True))
def test_every_run_comes_to_its_end_by_the_rules(tasks: dict[str, Task], chance: Random) -> None:
    driving = Driving(tasks, chance)
    for opened in range(3):
        if opened:
            driving.open_again()
        most = 400  # a run of seven tasks with three tries each takes far fewer steps
        while driving.flow.open:
            driving.go_on()
            most -= 1
            assert most, "the run does not come to its end"


@given(
    delay=st.floats(0, 1e6),
    backoff=st.floats(1, 100),
    cap=st.floats(0, 1e6),
    jitter=st.floats(0, 1),
    tries=st.integers(1, 10_000),
    key=st.text(),
)
def test_a_wait_is_never_below_zero_nor_above_its_cap(
    delay: float, backoff: float, cap: float, jitter: float, tries: int, key: str
) -> None:
    task = Task(run="true", retry_delay=delay, retry_backoff=backoff, retry_max_delay=cap, retry_jitter=jitter)
    wait = retry_wait(task, tries, key)
    assert 0 <= wait <= cap
    plain = min(delay * backoff ** min(tries - 1, 150), cap)
    assert plain * (1 - jitter) <= wait * (1 + 1e-9)
    assert wait <= plain * (1 + jitter) * (1 + 1e-9)
    assert wait == retry_wait(task, tries, key)
