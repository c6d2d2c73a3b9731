"""Stopping an attempt: note why, SIGTERM, grace, SIGKILL, until nothing of it is left (design: stopping).

While the attempt's shell lives, which its lock tells, its process group is signalled at once. What left the group
(setsid, double forks), and what is left once the shell has gone, is found by the attempt's id and its session.
"""

from collections.abc import Callable
from contextlib import suppress

from cronflow import clock, executor, processes
from cronflow.driven import Live
from cronflow.lifecycle import Stop
from cronflow.loop import Loop
from cronflow.processes import Process
from cronflow.state import attempts

SWEEP = 0.1  # seconds between looks for what is left
# One look may miss a process that forks or replaces itself just then: nothing is left once two looks agree.
MOMENT = 0.02  # seconds between those two
STUCK = 10.0  # seconds after SIGKILL when what is still there is left to the kernel


class Stopping:
    """Stops attempts in an engine's loop. `cleared` is called with each one of which nothing is left."""

    def __init__(self, loop: Loop, cleared: Callable[[Live], None], trouble: Callable[[str], None]) -> None:
        """`trouble` is told what could not be written."""
        self._loop = loop
        self._cleared = cleared
        self._trouble = trouble
        self._seen: tuple[int, list[Process]] = (-1, [])

    def stop(self, live: Live, stop: Stop) -> bool:
        """Begin to stop an attempt. False where that has begun, or where it ended by itself: that outcome stands."""
        if live.stop is not None or live.gone or live.over or not still_runs(live):
            return False
        try:
            attempts.write_stop(live.driven.held.dir, live.task, live.number, stop)
        except OSError as error:
            self._trouble(f"can't note why '{live.task}' is stopped: {error.strerror}: {live.driven.held.dir}")
        live.stop = stop
        self.press(live)
        return True

    def clear(self, live: Live) -> None:
        """The attempt's shell has gone: stop what is left of it."""
        live.gone = True
        self.press(live)

    def hurry(self, live: Live) -> None:
        """Don't wait for the grace."""
        if live.stop is not None and not live.over:
            live.kill_at = clock.awake()
            self.press(live)

    def press(self, live: Live) -> None:
        """Signal what there is, and look again. SIGTERM is sent once, SIGKILL until nothing is left."""
        if live.over:
            return
        now = clock.awake()
        if live.kill_at is None:
            live.kill_at = now + live.grace
        signals = executor.KILL if now >= live.kill_at else () if live.told else executor.TERM
        live.told = True
        if live.gone:
            session = processes.still_session(live.pid)
            left = processes.signal_survivors(self._look(), live.attempt_id, session, *signals)
            if (left == 0 and live.empty) or now > live.kill_at + STUCK:
                self._cleared(live)
                return
            live.empty = left == 0
        elif still_runs(live):
            if live.pid is None:
                processes.signal_survivors(self._look(), live.attempt_id, None, *signals)
            else:
                processes.signal_all(self._look(), live.attempt_id, live.pid, *signals)
        if live.empty:
            self._press_later(live, MOMENT)
        else:
            self._press_later(live, SWEEP if live.gone or now >= live.kill_at else max(SWEEP, live.kill_at - now))

    def _look(self) -> list[Process]:
        """What runs on this machine, looked at once for all that is pressed in a turn of the loop."""
        if self._seen[0] != self._loop.turns:
            self._seen = (self._loop.turns, processes.look())
        return self._seen[1]

    def _press_later(self, live: Live, wait: float) -> None:
        """Look again; only the last of these appointments is kept."""
        live.presses += 1
        turn = live.presses
        self._loop.after(wait, lambda: self.press(live) if live.presses == turn else None)


def still_runs(live: Live) -> bool:
    """Whether the attempt's lock is held; where its file was removed, whether its shell is still watched."""
    with suppress(FileNotFoundError):
        return attempts.look(live.driven.held.dir, live.task, live.number)[0] == "running"
    return live.watch >= 0
