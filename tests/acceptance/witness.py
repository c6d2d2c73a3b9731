"""What a test sees of runs from outside, and how it waits: for something to be so, never for time to pass."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from tests.conftest import Cronflow

PATIENCE = 30.0  # seconds; whoever waits that long has waited in vain
Found = TypeVar("Found")


def until(look: Callable[[], Found]) -> Found:
    """What `look` finds, as soon as it finds anything."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        found = look()
        if found:
            return found
        time.sleep(0.004)
    raise AssertionError("waited in vain")


# A test's own parent may have these ignored, as a script's background has; then nobody would heed them.
HEEDFUL = "for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM): signal.signal(number, signal.SIG_DFL)"


def after(setup: str, words: Sequence[str]) -> list[str]:
    """The words that start a program after these lines of Python: they set what it inherits."""
    script = f"import os, resource, signal, sys\n{setup}\nos.execv(sys.argv[1], sys.argv[1:])"
    return [sys.executable, "-c", script, *words]


def run_after(setup: str, cronflow: Cronflow, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run cronflow to its end, after these lines of Python."""
    words = after(setup, cronflow.command_line(arguments))
    env = cronflow.environment()
    return subprocess.run(
        words, cwd=cronflow.home, env=env, capture_output=True, encoding="utf-8", timeout=60, check=False
    )


@contextmanager
def started(cronflow: Cronflow, *arguments: object, setup: str = HEEDFUL) -> Iterator[subprocess.Popen[str]]:
    """A cronflow that goes on beside the test; at the end it is gone, however the test went."""
    process = subprocess.Popen(
        after(setup, cronflow.command_line(arguments)),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=cronflow.home,
        env=cronflow.environment(),
        encoding="utf-8",
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def until_driving(process: subprocess.Popen[str]) -> str:
    """Wait for a `run` to hold its run and to heed signals: then it says which run it is. Returns what it says."""
    assert process.stdout
    return process.stdout.readline()


def ended(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    """Its exit code, and what it printed on both streams, once it has ended by itself."""
    out, errors = process.communicate(timeout=PATIENCE)
    return process.returncode, out, errors


class Gate:
    """A FIFO where a task waits until the test lets it through."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._here = path.with_name(f"{path.name}.here")
        os.mkfifo(path)

    @property
    def passed(self) -> str:
        """The words of a command that waits here."""
        return f": > {self._here}; read _ < {self.path} || :"

    def is_awaited(self) -> bool:
        """Whether a task has come."""
        return self._here.exists()

    def open(self) -> None:
        """Let the task through that has come, or will."""

        def try_it() -> bool:
            try:
                fd = os.open(self.path, os.O_WRONLY | os.O_NONBLOCK)
            except OSError:
                return False
            os.write(fd, b"\n")
            os.close(fd)
            return True

        until(try_it)


def run_dirs(cronflow: Cronflow, pipeline: str) -> list[Path]:
    """The directories of a pipeline's runs, oldest first."""
    return sorted(
        path
        for path in (cronflow.state_dir / "pipelines" / pipeline / "runs").glob("*/*")
        if path.is_dir() and not path.name.endswith(".draft")
    )


def run_dir(cronflow: Cronflow, pipeline: str) -> Path:
    """The directory of the newest run."""
    return run_dirs(cronflow, pipeline)[-1]


def record(cronflow: Cronflow, pipeline: str) -> dict[str, Any]:
    """The newest run's stored record."""
    stored: dict[str, Any] = json.loads((run_dir(cronflow, pipeline) / "run.json").read_bytes())
    return stored


def states(run: dict[str, Any]) -> dict[str, str]:
    """Each task's state."""
    return {name: task["state"] for name, task in run["tasks"].items()}


def log(cronflow: Cronflow, pipeline: str, task: str, number: int = 1) -> bytes:
    """What an attempt printed."""
    return (run_dir(cronflow, pipeline) / f"{task}.{number}.log").read_bytes()


def instant(text: str) -> float:
    """A record's instant, in seconds."""
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%f%z").timestamp()


def running(pid: int) -> bool:
    """Whether there is such a process, and it is no zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] not in "ZX"


def noted_pid(path: Path) -> int:
    """The pid that a task wrote into a file, as soon as it is there."""
    return int(until(lambda: path.exists() and path.read_text().strip()))


def leftovers(home: Path) -> list[int]:
    """The processes that a test's cronflow started, and that are still there: their HOME tells."""
    mark, found = f"HOME={home}".encode(), []
    for name in filter(str.isdecimal, os.listdir("/proc")):
        try:
            environment = Path(f"/proc/{name}/environ").read_bytes().split(b"\0")
        except OSError:
            continue
        if mark in environment:
            found.append(int(name))
    return found


def end_leftovers(home: Path) -> None:
    """What a test left behind, whether it went well or not, ends with it."""
    for pid in leftovers(home):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
