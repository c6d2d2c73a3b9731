"""SALES_HOME: the directory under which the samples keep everything they make. Default: `out`, where the step runs."""

import os
import sys
from pathlib import Path


def place(*names: str) -> Path:
    """A file's path under SALES_HOME, its directory made. Ends the program, with a reason, where that can't be."""
    path = Path(os.environ.get("SALES_HOME") or "out", *names)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        not_writable(path, error.strerror)
    if not os.access(path.parent, os.W_OK):
        not_writable(path, "no right to write there")
    return path


def replace(path: Path, text: str) -> None:
    """Write a file whole or not at all, so that the next step never reads half of one."""
    unfinished = path.with_name(path.name + ".part")
    try:
        unfinished.write_text(text, encoding="utf-8")
        unfinished.replace(path)
    except OSError as error:
        not_writable(path, error.strerror)


def not_writable(path: Path, why: str) -> None:
    """End the program and say what to do."""
    sys.exit(f"can't write {path.absolute()}: {why}; set SALES_HOME to a directory you may write to")
