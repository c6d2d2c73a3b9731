"""Where logs are printed: byte for byte for a program, as harmless text on a terminal."""

import codecs
import os
import select
import sys

import typer

from cronflow.cli.screen import is_coloured
from cronflow.errors import CronflowError
from cronflow.view.ink import readable

GONE = select.POLLERR | select.POLLHUP | select.POLLNVAL
STRONG, USUAL = "\x1b[1m", "\x1b[0m"


class Outlet:
    """An open file for a program to read: what is in a log goes out as it is."""

    def __init__(self, fd: int) -> None:
        """At the beginning of a line."""
        self._fd = fd
        self._mid_line = False

    def log(self, chunk: bytes) -> None:
        """Print a part of a log."""
        self._put(chunk)

    def end_log(self) -> None:
        """There is no more of this log for now."""

    def say(self, text: str) -> None:
        """Print a line of our own, on a line of its own."""
        self.end_line()
        self._put(self._styled(text).encode("utf-8", "replace") + b"\n")

    def end_line(self) -> None:
        """What comes next, here or on standard error, begins a line."""
        self.end_log()
        if self._mid_line:
            self._put(b"\n")

    def _styled(self, text: str) -> str:
        return text

    def _put(self, data: bytes) -> None:
        """Write all of it. A reader that has gone ends the command quietly."""
        view = memoryview(data)
        try:
            while view:
                view = view[os.write(self._fd, view) :]
        except BrokenPipeError:
            raise typer.Exit(0) from None
        except OSError as error:
            raise CronflowError(f"standard output: {error.strerror}") from error
        if data:
            self._mid_line = not data.endswith(b"\n")

    def wait(self, seconds: float) -> None:
        """Let time pass; a reader that goes meanwhile ends the command quietly."""
        poll = select.poll()
        poll.register(self._fd, 0)
        if any(event & GONE for _, event in poll.poll(seconds * 1000)):
            raise typer.Exit(0)


class TerminalOutlet(Outlet):
    """A terminal for a person: no byte of a log can do anything to the terminal."""

    def __init__(self, fd: int, encoding: str) -> None:
        """With nothing half decoded."""
        super().__init__(fd)
        self._encoding = encoding
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def log(self, chunk: bytes) -> None:
        """Print a part of a log, as text."""
        self._text(self._decoder.decode(chunk))

    def end_log(self) -> None:
        """Print what was left of a character that never came whole."""
        self._text(self._decoder.decode(b"", final=True))

    def _text(self, text: str) -> None:
        self._put(readable(text).encode(self._encoding, "backslashreplace"))

    def _styled(self, text: str) -> str:
        return f"{STRONG}{text}{USUAL}" if text and is_coloured() else text


def outlet() -> Outlet:
    """What standard output is."""
    fd = sys.stdout.fileno()
    return TerminalOutlet(fd, sys.stdout.encoding or "ascii") if sys.stdout.isatty() else Outlet(fd)
