"""Where results go: standard output, with a reader that may leave early, and a disk behind it that may be full."""

import io
import os
import sys

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


def write(text: str) -> None:
    """Print a result, ending with a newline. A reader that has gone (`| head`) ends the command quietly."""
    try:
        sys.stdout.write(text if text.endswith("\n") else text + "\n")
        sys.stdout.flush()
    except OSError as error:
        # The interpreter flushes once more at its exit: let that go nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):
            raise typer.Exit(0) from None
        raise CronflowError(f"can't write to standard output: {error.strerror}") from error
