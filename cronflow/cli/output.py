"""Where results go: standard output, with a reader that may leave early."""

import os
import sys

import typer


def write(text: str) -> None:
    """Print a result, ending with a newline. A reader that has gone (`| head`) ends the command quietly."""
    try:
        sys.stdout.write(text if text.endswith("\n") else text + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        # The interpreter flushes once more at its exit: let that go nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(0) from None
