"""Where results and messages go: to readers that may leave early, and disks that may be full."""

import io
import os
import sys
from typing import TextIO

import typer

from cronflow.errors import CronflowError


def settle() -> None:
    """Give this process its three standard streams, whatever it was started with, and any text a way out.

    The number of a closed stream would go to the next file that is opened: a lock, or a task's record.
    """
    while (fd := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(fd)
    sys.stdout = sys.stdout or os.fdopen(1, "w", encoding="utf-8", closefd=False)
    sys.stderr = sys.stderr or os.fdopen(2, "w", encoding="utf-8", closefd=False)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    for size in ("COLUMNS", "LINES"):
        if os.environ.get(size) == "0":  # nobody knew it, and what draws would take it at its word
            del os.environ[size]


def complain(text: str) -> None:
    """One message on standard error, as far as there is one: how a command ends is not for that to decide.

    Lines after the first stand as they are; nothing in them can do anything to a terminal.
    """
    from cronflow.problem import printable

    tell("cronflow: " + "\n".join(map(printable, text.split("\n"))))


def tell(text: str) -> None:
    """The same, for text that begins in the first column."""
    try:
        sys.stderr.write(f"{text}\n")
        sys.stderr.flush()
    except OSError:
        go_nowhere(sys.stderr)


def write(text: str) -> None:
    """Print a result, ending with a newline. A reader that has gone (`| head`) ends the command quietly."""
    try:
        sys.stdout.write(text if text.endswith("\n") else text + "\n")
        sys.stdout.flush()
    except OSError as error:
        go_nowhere(sys.stdout)
        if isinstance(error, BrokenPipeError):
            raise typer.Exit(0) from None
        raise CronflowError(f"can't write to standard output: {error.strerror}") from error


def go_nowhere(stream: TextIO) -> None:
    """Let what could not be written vanish: the interpreter flushes once more at its exit."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)
