"""One process from its start to its end, and what it and all it waited for have cost."""

import os
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Cost:
    """Seconds on the wall, seconds of CPU (user and system), and the peak memory of the largest process in bytes.

    CPU and memory are of the whole tree, as far as each process was waited for. The kernel counts a process's memory
    from the fork on, so no peak is below that of whoever starts it: what calls this should stay small.
    """

    wall: float
    cpu: float
    memory: float


class Failed(Exception):
    """A measured command did not end with exit code 0. The text has its last words."""


def run(command: Sequence[str], *, cwd: Path) -> Cost:
    """Run the command in `cwd`, its output going nowhere. Raises Failed where its exit code is not 0."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("CRONFLOW_")}
    environment["HOME"] = str(cwd)
    nowhere = subprocess.DEVNULL
    with (cwd / "stderr").open("w+") as stderr:
        began = time.perf_counter()
        process = subprocess.Popen(command, cwd=cwd, env=environment, stdin=nowhere, stdout=nowhere, stderr=stderr)
        _, status, used = os.wait4(process.pid, 0)
        wall = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            stderr.seek(0)
            raise Failed(f"exit code {process.returncode}: {' '.join(command)}\n{stderr.read()[-2000:]}")
    return Cost(wall=wall, cpu=used.ru_utime + used.ru_stime, memory=used.ru_maxrss * 1024)
