"""Driving runs in a terminal: what is shown meanwhile, and what Ctrl-C, SIGTERM and a lost terminal mean."""

import contextlib
import os
import pwd
import signal
from collections.abc import Iterator
from typing import Any, TextIO

from cronflow import clock, instant
from cronflow.cli import screen
from cronflow.cli.output import complain, go_nowhere
from cronflow.driven import Driven
from cronflow.engine import Engine, Listener
from cronflow.lifecycle import Wish
from cronflow.opening import Moment
from cronflow.record import Run, TaskRun
from cronflow.state import layout
from cronflow.view import progress
from cronflow.view.ink import Line, harmless, text_of
from cronflow.view.signs import Look
from cronflow.wall import Wall

REFRESH = 0.1  # seconds
TAIL = 4096  # bytes of a log's end that are looked at for its last line


def moment() -> Moment:
    """Now, and who acts."""
    return Moment(clock.now(), clock.awake(), clock.boot_id(), user())


def user() -> str:
    """Who runs this process, by name where that is known."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())


class Lines(Listener):
    """One line an event, for whatever is no terminal. Nothing that it prints to may end the run."""

    def __init__(self, stream: TextIO, prefix: str) -> None:
        """`stream` may go away meanwhile. `prefix` is how a command begins that is to be typed next."""
        self._prefix = prefix
        self._stream: TextIO | None = stream
        self._said: dict[str, tuple[str, int]] = {}
        self._second, self._clock_text = -1, ""

    def opened(self, driven: Driven) -> None:
        """A run is being driven from now on."""
        self._wall = Wall(driven.definition.timezone)
        self._widest = min(24, max(map(len, driven.definition.tasks), default=0))
        self.say(text_of(progress.title(driven.run, self._wall)))

    def task(self, driven: Driven, name: str, record: TaskRun) -> None:
        """Print it, if a person would see a difference."""
        key = (f"{record.state} {record.reason}", len(record.attempts))
        if self._said.get(name) != key and record.state != "pending":
            self._said[name] = key
            now = clock.now()
            self.say(f"{self._clock(int(now))}  {progress.event(driven.run, name, record, now, self._widest)}")

    def _clock(self, second: int) -> str:
        """The time of day; of a thousand events a second, it is worked out once."""
        if second != self._second:
            self._second, self._clock_text = second, f"{self._wall.at(second):%H:%M:%S}"
        return self._clock_text

    def suspended(self) -> None:
        """The process is about to be stopped, by Ctrl-Z."""

    def resumed(self) -> None:
        """It goes on."""

    def trouble(self, text: str) -> None:
        """Print it where errors go."""
        complain(text)

    def closed(self, run: Run | None) -> None:
        """The run has ended, or is no longer driven."""
        if run is not None:
            for drawn in (*progress.ending(run, Look()), *progress.commands(run, self._prefix)):
                self.say(text_of(drawn))

    def say(self, text: str) -> None:
        """Print a line; a reader that has gone is no reason to stop the run."""
        if self._stream is None:
            return
        try:
            self._stream.write(text + "\n")
            self._stream.flush()
        except OSError:
            go_nowhere(self._stream)
            self._stream = None


class Screen(Lines):
    """The run as a block that is drawn again and again on a terminal."""

    def __init__(self, stream: TextIO, prefix: str) -> None:
        """`stream` is the terminal."""
        super().__init__(stream, prefix)
        from rich.console import Console

        self._console = Console(file=stream, highlight=False)
        self._live: Any = None
        self._driven: Driven | None = None

    def opened(self, driven: Driven) -> None:
        """Begin to draw."""
        self._driven = driven
        self._wall = Wall(driven.definition.timezone)
        with contextlib.suppress(OSError):
            self._print([progress.title(driven.run, self._wall)])
            self.resumed()

    def task(self, driven: Driven, name: str, record: TaskRun) -> None:
        """It is seen at the next refresh."""

    def suspended(self) -> None:
        """Leave the terminal as the shell wants it: with its cursor, below the block."""
        if self._live is not None:
            with contextlib.suppress(OSError):
                self._live.stop()

    def resumed(self) -> None:
        """Draw a block from here on: what else was printed meanwhile stays."""
        from rich.live import Live

        self._live = Live(console=self._console, auto_refresh=False, redirect_stdout=False, redirect_stderr=False)
        self._live.start()

    def trouble(self, text: str) -> None:
        """Print it above the block."""
        with contextlib.suppress(OSError):
            self._console.print(f"cronflow: {harmless(text)}", style="yellow", markup=False)

    def refresh(self) -> None:
        """Draw what there is now. A terminal that has gone is drawn on no more."""
        if self._live is None or self._driven is None:
            return
        try:
            self._live.update(screen.painted(self._block()), refresh=True)
        except OSError:
            self._live = None

    def closed(self, run: Run | None) -> None:
        """Draw the end, and leave it standing."""
        self.refresh()
        if self._live is not None:
            with contextlib.suppress(OSError):
                self._live.stop()
                if run is not None:
                    self._print([*progress.ending(run, screen.look()), *progress.commands(run, self._prefix)])

    def _block(self) -> list[Line]:
        assert self._driven is not None  # noqa: S101 - for the type checker: refresh looked
        run_dir = self._driven.held.dir
        tails = {
            name: last_line(f"{run_dir}/{layout.log_name(name, live.number)}")
            for name, live in list(self._driven.live.items())[: self._console.height]
        }
        scene = progress.Scene(self._driven.run, self._driven.flow.tasks, tails, clock.now())
        look = Look(self._console.width - 1, screen.look().signs)
        return progress.block(scene, look, max(1, self._console.height - 3))

    def _print(self, lines: list[Line]) -> None:
        self._console.print(screen.painted(lines), soft_wrap=True)


class Silent(Lines):
    """Nothing but trouble, for `--json`."""

    def opened(self, driven: Driven) -> None:
        """Nothing is said."""

    def task(self, driven: Driven, name: str, record: TaskRun) -> None:
        """Nothing is said."""

    def closed(self, run: Run | None) -> None:
        """Nothing is said."""


def listener_on(stream: TextIO, prefix: str) -> Lines:
    """What suits this stream: a block that is drawn again and again needs a terminal that can move its cursor."""
    can_draw = stream.isatty() and os.environ.get("TERM", "") not in {"", "dumb", "unknown"}
    return Screen(stream, prefix) if can_draw else Lines(stream, prefix)


def last_line(path: str) -> str:
    """The last line in a log's end that is not empty."""
    try:
        # A task may have put anything in its log's place: a pipe is not waited for.
        with open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK)) as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - TAIL))
            lines = file.read(TAIL).replace(b"\r", b"\n").split(b"\n")
    except OSError:
        return ""
    return next((line.decode("utf-8", "replace").strip() for line in reversed(lines) if line.strip()), "")


class Signals:
    """What the person at the terminal, or the system, wants: asked in the engine's loop, never in between."""

    ASKED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGTSTP)

    def __init__(self) -> None:
        """Nothing is caught before `caught`."""
        self.interrupts = 0
        self.leave = False
        self._read, self._write = -1, -1

    @contextlib.contextmanager
    def caught(self, engine: Engine, listener: Lines) -> Iterator["Signals"]:
        """From here on signals are requests to this engine, which tells this listener."""
        self._engine, self._listener = engine, listener
        self._read, self._write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        # What whoever started us had ignored (nohup, a script's `&`) stays ignored.
        asked = [number for number in self.ASKED if signal.getsignal(number) is not signal.SIG_IGN]
        before = {number: signal.signal(number, lambda *_: None) for number in asked}
        wakeup = signal.set_wakeup_fd(self._write, warn_on_full_buffer=False)
        engine.loop.attach(self._read, self._heard)
        try:
            yield self
        finally:
            signal.set_wakeup_fd(wakeup)
            for number, handler in before.items():
                signal.signal(number, handler)

    def _heard(self) -> None:
        for number in os.read(self._read, 64):
            if number == signal.SIGINT:
                self.interrupts += 1
                self._interrupt()
            elif number == signal.SIGTSTP:
                self._suspend()
            elif number in self.ASKED:
                self.leave = True

    def _interrupt(self) -> None:
        again = self.interrupts > 1
        for driven in list(self._engine.runs.values()):
            if not again:
                at = instant.to_text(clock.now())
                self._engine.cancel(driven, Wish(by=user(), at=at))
            else:
                self._engine.kill(driven)
        if again and not any(driven.live for driven in self._engine.runs.values()):
            self.leave = True
        if self.interrupts == 1 and self._engine.runs:
            self._listener.trouble("cancelling; Ctrl-C again kills what is still there")

    def _suspend(self) -> None:
        """Stop, as Ctrl-Z wants it, and go on when somebody continues us. Tasks go on meanwhile."""
        self._listener.suspended()
        caught = signal.signal(signal.SIGTSTP, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGTSTP)
        signal.signal(signal.SIGTSTP, caught)
        with contextlib.suppress(OSError):
            self._listener.resumed()
