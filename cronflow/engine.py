"""Drives open runs: starts what may start, watches what runs, stops what must stop, and writes each run's end.

One thread, one loop: it waits for the ends of shells, for its timers, and for whoever attached a descriptor. Every
decision is the lifecycle's; every fact is on disk before the next effect. So an engine may be killed anywhere, and
the next one goes on.
"""

import heapq
import os
import resource
import sys
from collections.abc import Callable
from contextlib import suppress

from cronflow import clock, executor, instant, lifecycle
from cronflow.driven import Driven, Live, state_token
from cronflow.lifecycle import Sighting, Stop, StopReason, Wish
from cronflow.loop import Loop
from cronflow.record import Run, TaskRun
from cronflow.spec import Config
from cronflow.state import attempts, files, layout, logs, slots
from cronflow.state.claims import Held
from cronflow.state.layout import Layout
from cronflow.stopping import Stopping

LOOK = 0.5  # seconds between looks at what other processes may have changed: wishes, pools, log sizes
SPARE = 8  # descriptors that watching shells leave for everything else
UNWATCHED = 0.1  # seconds between looks at a shell whose end nobody tells
WHY_A_SHELL_GIVES_UP = "too many processes, too few descriptors, or a full disk?"
AGAIN = 1.0  # seconds until what the system refused (disk, descriptors) is tried again


class Listener:
    """Who is told what happens; every method may be left as it is."""

    def task(self, driven: Driven, name: str, record: TaskRun) -> None:
        """A task's record changed."""

    def ended(self, run: Run) -> None:
        """A run's end is on disk."""

    def trouble(self, text: str) -> None:
        """Something keeps the engine from going on; it tries again."""


class Engine:
    """`runs` are the open runs it drives. Feed it with `add`, turn it with `step` or `drive`."""

    def __init__(self, place: Layout, config: Config, environment: dict[str, str], listener: Listener) -> None:
        """`environment` is what tasks get below everything else: the engine's own."""
        files.make_dirs(place.root)
        executor.prepare()
        self.place = place
        self.config = config
        self.listener = listener
        self.loop = Loop()
        self.runs: dict[tuple[str, str], Driven] = {}
        self._environment = environment
        self._token = state_token(place.root)
        self._stopping = Stopping(self.loop, self._cleared, listener.trouble)
        self._ready: list[tuple[int, int, Driven, str]] = []
        self._pool_waits: dict[str, list[tuple[int, int, Driven, str]]] = {}
        self._count = 0
        self._running = 0
        self._looking = False
        limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        self._watchable = (limit if limit != resource.RLIM_INFINITY else sys.maxsize) - SPARE
        self._troubles: set[str] = set()

    # What others call

    def add(self, held: Held, opened: Callable[[Driven], None] | None = None) -> Driven:
        """Drive this run, taking over whatever of it is running. `opened` is told before anything of it happens."""
        seen = attempts.sightings(held.dir, held.run)
        flow = lifecycle.state(held.run, seen, attempts.read_wish(held.dir))
        driven = Driven(held, flow, self._environment, self._token)
        self.runs[driven.key] = driven
        if opened is not None:
            opened(driven)
        for path in attempts.unreadable_notes(held.dir):
            self._move_aside(path)
        for task, found in seen.items():
            self._adopt(driven, task, found[-1][0])
        if flow.wish is not None:
            self._stop_all(driven, flow.wish)
        self._arm_run_timeout(driven)
        self._after_change(driven)
        if not self._looking:
            self._looking = True
            self.loop.after(LOOK, self._look)
        return driven

    def drive(self) -> None:
        """Go on until every run has ended."""
        while self.runs:
            self.step()

    def step(self) -> None:
        """Start what may start, then wait for the next thing to happen and handle it."""
        self._pump()
        if self.runs:
            self.loop.turn()

    def cancel(self, driven: Driven, wish: Wish) -> None:
        """End a run: what runs is stopped, what waits never starts. The wish is on disk first."""
        if driven.flow.wish is None:
            try:
                attempts.write_wish(driven.held.dir, wish)
            except OSError as error:
                self.listener.trouble(f"can't note that a run shall end: {error.strerror}: {driven.held.dir}")
            self._wished(driven, wish)

    def kill(self, driven: Driven) -> None:
        """Don't wait for the grace of what is being stopped."""
        for live in list(driven.live.values()):
            self._stopping.hurry(live)

    def let_go(self) -> None:
        """Stop driving. Tasks live on, and so do their runs' entries."""
        for driven in self.runs.values():
            driven.held.let_go()
        self.runs.clear()

    # Starting

    def _after_change(self, driven: Driven) -> None:
        """Take up what a run's flow decided: tell, queue, arm retries, end."""
        flow = driven.flow
        for name in flow.drain_changes():
            self.listener.task(driven, name, flow.tasks[name])
        for name in flow.ready:
            self._enqueue(driven, name)
        flow.ready.clear()
        for name in list(flow.retries):
            self._arm_retry(driven, name, flow.retries.pop(name))
        if flow.open == 0 and not driven.live and not driven.ending:
            driven.ending = True
            self._end(driven)

    def _enqueue(self, driven: Driven, name: str) -> None:
        self._count += 1
        heapq.heappush(self._ready, (-driven.definition.tasks[name].priority, self._count, driven, name))

    def _arm_retry(self, driven: Driven, name: str, due: float) -> None:
        """Queue the task again at `due`; the awake clock counts, so that a clock step neither skips nor stretches."""
        task = driven.definition.tasks[name]
        wait = min(max(0.0, due - clock.now()), max(task.retry_max_delay, task.retry_delay))
        number = driven.flow.next_number(name)

        def ring() -> None:
            record = driven.flow.tasks[name]
            if record.state == "retrying" and driven.flow.next_number(name) == number:
                self._enqueue(driven, name)

        self.loop.after(wait, ring)

    def _pump(self) -> None:
        """Start ready tasks, highest priority first, as far as the limits let."""
        while self._ready and self._running < self.config.max_tasks:
            item = heapq.heappop(self._ready)
            driven, name = item[2], item[3]
            if driven.flow.tasks[name].state not in {"pending", "retrying"} or name in driven.live:
                # What is still being cleared away of its last attempt brings the task back.
                self._unpark(driven)
            elif driven.has_room():
                self._try_start(item)
            else:
                heapq.heappush(driven.parked, (item[0], item[1], name))

    def _unpark(self, driven: Driven) -> None:
        """One more task of this run may look for a place."""
        if driven.parked:
            priority, count, name = heapq.heappop(driven.parked)
            heapq.heappush(self._ready, (priority, count, driven, name))

    def _try_start(self, item: tuple[int, int, Driven, str]) -> None:
        driven, name = item[2], item[3]
        number = driven.flow.next_number(name)
        pool = driven.definition.tasks[name].pool
        slot = None
        try:
            if pool is not None:
                slot = slots.take_pool(self.place, pool, self.config.pools.get(pool, 1))
                if slot is None:
                    self._pool_waits.setdefault(pool, []).append(item)
                    self._unpark(driven)
                    return
            self._start(driven, name, number, slot)
        except executor.Busy:
            self._found_running(driven, name, number)
        except executor.NotStartedError:
            self._news(driven, name, number)
        except OSError as error:
            self._later(f"can't start tasks of {driven.run.pipeline}: {error.strerror}: {driven.held.dir}", item)
        finally:
            if slot is not None:
                os.close(slot)

    def _start(self, driven: Driven, name: str, number: int, slot: int | None) -> None:
        try:
            order = driven.order(name, number, clock.now(), slot)
        except executor.NotStartedError as error:
            executor.refuse(driven.held.dir, name, number, self._head(driven, name, number), str(error))
            raise
        pid = executor.start(order)
        live = Live(
            driven=driven,
            task=name,
            number=number,
            attempt_id=order.head.attempt_id,
            pid=pid,
            since=order.head.monotonic,
            ours=True,
        )
        self._watch(live)
        driven.flow.see(
            name,
            Sighting(
                number=number,
                phase="running",
                pid=pid,
                started_at=order.head.started_at,
                log=layout.log_name(name, number),
            ),
        )
        self._after_change(driven)

    def _later(self, trouble: str, item: tuple[int, int, Driven, str]) -> None:
        """The system refused: say so once, and try again."""
        self._tell_trouble(f"{trouble}; trying again")
        self._unpark(item[2])
        self.loop.after(AGAIN, lambda: heapq.heappush(self._ready, item))

    def _tell_trouble(self, trouble: str) -> None:
        if trouble not in self._troubles:
            self._troubles.add(trouble)
            self.listener.trouble(trouble)

    # Watching

    def _adopt(self, driven: Driven, task: str, seen: Sighting) -> None:
        """Watch an attempt that some engine before us started, if it is not over."""
        if seen.phase == "running":
            self._found_running(driven, task, seen.number)
            return
        live = self._live_from_file(driven, task, seen.number)
        unclear = seen.phase == "lost" or seen.error == attempts.UNREADABLE
        if live is not None and (unclear or live.stop is not None):
            self._take_up(live)
            self._stopping.clear(live)

    def _found_running(self, driven: Driven, task: str, number: int) -> None:
        live = self._live_from_file(driven, task, number)
        if live is None:
            self._news(driven, task, number)
            return
        self._watch(live)
        if live.stop is not None:
            self._stopping.press(live)

    def _live_from_file(self, driven: Driven, task: str, number: int) -> Live | None:
        """An attempt that was started before; None where its file is gone. Its pid counts only within its boot."""
        try:
            _, whole, _ = attempts.look(driven.held.dir, task, number)
        except FileNotFoundError:
            return None
        same_boot = whole is not None and whole.boot_id == clock.boot_id()
        return Live(
            driven=driven,
            task=task,
            number=number,
            attempt_id=driven.attempt_id(task, number) if whole is None else whole.attempt_id,
            pid=whole.pid if whole is not None and same_boot else None,
            since=whole.monotonic if whole is not None and same_boot else clock.awake(),
            ours=False,
            stop=attempts.read_stop(driven.held.dir, task, number),
        )

    def _take_up(self, live: Live) -> None:
        live.driven.live[live.task] = live
        self._running += 1

    def _watch(self, live: Live) -> None:
        """Be told of the shell's end, and mind its timeout. Without a descriptor for it, look from time to time."""
        self._take_up(live)
        live.watch = self._end_of(live.pid)
        if live.watch >= 0:
            self.loop.attach(live.watch, lambda: self._shell_gone(live))
        else:
            self.loop.after(UNWATCHED, lambda: self._shell_gone(live))
        timeout = live.driven.definition.tasks[live.task].timeout
        if timeout is not None:
            self.loop.at(live.since + timeout, lambda: self._stop(live, "timeout", "cronflow"))

    def _end_of(self, pid: int | None) -> int:
        """A descriptor that tells of a shell's end. -1 where there is none, or where too few would be left."""
        if pid is None:
            return -1
        try:
            fd = os.pidfd_open(pid)
        except OSError:
            return -1
        if fd < self._watchable:
            return fd
        os.close(fd)
        return -1

    def _shell_gone(self, live: Live) -> None:
        """An attempt's shell seems to have ended: see how, and go on."""
        if live.over or live.gone:
            return
        self._reap(live)
        if live.ours and live.exit_status is None:
            self.loop.after(UNWATCHED, lambda: self._shell_gone(live))
            return
        found = self._found(live.driven, live.task, live.number)
        phase, whole, _ = found
        if phase == "running":
            if live.pid is None and whole is not None and whole.pid is not None:
                live.pid = whole.pid
            self.loop.after(UNWATCHED, lambda: self._shell_gone(live))
        elif phase == "ended" and live.stop is None:
            self._drop(live)
            self._news(live.driven, live.task, live.number, live, found)
        elif (
            phase in {"lost", "unstarted"} and live.exit_status is not None and live.exit_status >= 0 and not live.stop
        ):
            reason = f"its shell gave up with exit code {live.exit_status}: {WHY_A_SHELL_GIVES_UP}"
            with suppress(OSError):
                executor.give_up(live.driven.held.dir, live.task, live.number, reason)
            self._cleared(live)
        else:
            self._stopping.clear(live)

    def _cleared(self, live: Live) -> None:
        """Nothing of this attempt is left: its place is free, and its outcome counts."""
        if live.gone:
            with suppress(OSError):
                # Nobody wrote an end: this is when it was seen, for every reader from now on.
                if self._found(live.driven, live.task, live.number)[0] != "ended":
                    os.utime(layout.attempt(live.driven.held.dir, live.task, live.number))
        self._drop(live)
        self._news(live.driven, live.task, live.number, live)

    @staticmethod
    def _found(driven: Driven, task: str, number: int) -> attempts.Found:
        """What an attempt's file says now; one that was removed says nothing."""
        try:
            return attempts.look(driven.held.dir, task, number)
        except FileNotFoundError:
            return ("garbage", None, clock.now())

    def _reap(self, live: Live) -> None:
        """Close the watch; collect our own child with what it used."""
        if live.watch >= 0:
            self.loop.detach(live.watch)
            os.close(live.watch)
            live.watch = -1
        if live.ours and live.pid is not None and live.exit_status is None:
            try:
                pid, status, usage = os.wait4(live.pid, os.WNOHANG)
            except ChildProcessError:
                live.ours = False
                return
            if pid:
                live.usage = (round(usage.ru_utime + usage.ru_stime, 3), usage.ru_maxrss * 1024)
                live.exit_status = os.waitstatus_to_exitcode(status)

    def _drop(self, live: Live) -> None:
        """This attempt is over: its place is free."""
        live.over = True
        driven = live.driven
        del driven.live[live.task]
        self._running -= 1
        self._unpark(driven)
        pool = driven.definition.tasks[live.task].pool
        if pool is not None:
            self._free_pool(pool)

    def _free_pool(self, pool: str) -> None:
        for item in self._pool_waits.pop(pool, ()):
            heapq.heappush(self._ready, item)

    def _news(
        self, driven: Driven, task: str, number: int, live: Live | None = None, found: attempts.Found | None = None
    ) -> None:
        """Take in how an attempt ended, from its file, with what only its parent knows."""
        run_dir = driven.held.dir
        found = found or self._found(driven, task, number)
        if found[0] == "garbage":
            self._put_aside(driven, task, number)
        log = layout.log_name(task, number)
        seen = attempts.sighting(number, *found, log)
        if seen is None:
            reason = "its shell ended before it could note its pid: see its log; is the disk full?"
            seen = Sighting(number=number, phase="ended", error=reason, ended_at=instant.to_text(clock.now()), log=log)
        if live is not None and live.usage is not None:
            seen = lifecycle.with_usage(seen, *live.usage)
        if seen.log is not None:
            self._cap_log(f"{run_dir}/{log}")
        driven.flow.see(task, seen, attempts.read_stop(run_dir, task, number) if live is None else live.stop)
        self._after_change(driven)

    def _put_aside(self, driven: Driven, task: str, number: int) -> None:
        """Keep an attempt file that says nothing out of the way, and say in its place that the attempt was."""
        path = layout.attempt(driven.held.dir, task, number)
        self._move_aside(path)
        with suppress(OSError, executor.Busy):
            executor.refuse(driven.held.dir, task, number, self._head(driven, task, number), attempts.UNREADABLE)

    def _move_aside(self, path: str) -> None:
        """Keep a file that can't be read, out of the way, and say so."""
        with suppress(OSError):
            self.listener.trouble(f"{path}: record unreadable; put aside as {files.put_aside(path)}")

    def _head(self, driven: Driven, task: str, number: int) -> attempts.Head:
        return attempts.Head(
            driven.attempt_id(task, number), clock.boot_id(), instant.to_text(clock.now()), clock.awake()
        )

    # Stopping

    def _stop(self, live: Live, reason: StopReason, by: str) -> None:
        stop = Stop(reason=reason, by=by, at=instant.to_text(clock.now()))
        if self._stopping.stop(live, stop):
            live.driven.flow.note_stop(live.task, stop)
            self._after_change(live.driven)

    def _stop_all(self, driven: Driven, wish: Wish) -> None:
        reason: StopReason = "run timeout" if wish.kind == "timeout" else "cancel"
        for live in list(driven.live.values()):
            self._stop(live, reason, wish.by)

    def _wished(self, driven: Driven, wish: Wish) -> None:
        driven.flow.end(wish)
        self._stop_all(driven, wish)
        self._after_change(driven)

    def _arm_run_timeout(self, driven: Driven) -> None:
        timeout = driven.definition.timeout
        if timeout is None:
            return
        began = driven.flow.round.monotonic if driven.flow.round.boot_id == clock.boot_id() else 0.0

        def ring() -> None:
            if driven.key in self.runs and not driven.ending:
                reason = f"run timeout: not done after {lifecycle.duration(timeout)}"
                at = instant.to_text(clock.now())
                self.cancel(driven, Wish(kind="timeout", by="cronflow", at=at, reason=reason))

        self.loop.at(began + timeout, ring)

    # From time to time

    def _look(self) -> None:
        """See what other processes changed: wishes, freed slots of pools; and how logs grow."""
        for driven in list(self.runs.values()):
            path = f"{driven.held.dir}/{layout.WISH}"
            if driven.flow.wish is None and os.path.exists(path):
                wish = attempts.read_wish(driven.held.dir)
                if wish is not None:
                    self._wished(driven, wish)
                else:
                    self._move_aside(path)
            for live in driven.live.values():
                self._cap_log(f"{driven.held.dir}/{layout.log_name(live.task, live.number)}")
        for pool in list(self._pool_waits):
            self._free_pool(pool)
        self._looking = bool(self.runs)
        if self._looking:
            self.loop.after(LOOK, self._look)

    def _cap_log(self, path: str) -> None:
        try:
            logs.cap(path, self.config.log_limit)
        except OSError as error:
            self._tell_trouble(f"{os.path.dirname(path)}: logs can't be kept under log_limit here: {error.strerror}")

    def _end(self, driven: Driven) -> None:
        """Write a run's end; where that fails, say so and try again."""
        try:
            driven.held.end(driven.flow.record(ended_at=instant.to_text(clock.now())))
        except OSError as error:
            self._tell_trouble(f"{driven.held.dir}: can't write the run's end: {error.strerror}; trying again")
            self.loop.after(AGAIN, lambda: self._end(driven))
            return
        self.runs.pop(driven.key, None)
        self.listener.ended(driven.held.run)
