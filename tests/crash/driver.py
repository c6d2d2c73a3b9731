"""What tests ask for the doomed: one process that imports once, and a child of it for each command."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tests.conftest import clean_environment

SCRIPT = Path(__file__).with_name("doomed.py")


@dataclass(frozen=True)
class Answer:
    """How a command went. `code` is None where it was killed; `effects` is how far it came."""

    code: int | str | None
    effects: int


@dataclass(frozen=True)
class Grave:
    """One place where runs begin and engines die: a home of its own, with pipelines that others may share."""

    home: Path
    pipelines: Path

    @property
    def state(self) -> Path:
        return self.home / "state"

    @property
    def starts(self) -> Path:
        """Where the tasks note each start."""
        return self.home / "starts"

    @property
    def output(self) -> str:
        """All that the commands printed."""
        return (self.home / "output").read_text(encoding="utf-8")


@dataclass(frozen=True)
class Doomed:
    """Runs commands that may be killed on their way."""

    process: "subprocess.Popen[str]"

    def __call__(self, grave: Grave, *arguments: str, kill_at: int | None = None) -> Answer:
        """Run it there to its end, or to the effect that it must not reach."""
        grave.home.mkdir(exist_ok=True, mode=0o755)
        request = {
            "arguments": ["--pipelines-dir", str(grave.pipelines), "--state-dir", str(grave.state), *arguments],
            "kill_at": kill_at,
            "env": {"HOME": str(grave.home), "STARTS": str(grave.starts)},
            "output": str(grave.home / "output"),
            "state": str(grave.state),
        }
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        answer = Answer(**json.loads(self.process.stdout.readline()))
        assert answer.code != "hung", grave.output
        assert "Traceback" not in grave.output, grave.output
        return answer


def end_all(homes: Path) -> None:
    """End whatever was started with a home in this directory and is still there: a test may fail half-way."""
    mark = f"HOME={homes}/".encode()
    for name in filter(str.isdecimal, os.listdir("/proc")):
        with suppress(OSError):
            environment = Path("/proc", name, "environ").read_bytes()
            if any(variable.startswith(mark) for variable in environment.split(b"\0")):
                os.kill(int(name), signal.SIGKILL)


@contextmanager
def doomed() -> Iterator[Doomed]:
    """The process that serves, as long as it is needed."""
    process = subprocess.Popen(
        [sys.executable, str(SCRIPT)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        encoding="utf-8",
        env=clean_environment(),
    )
    with process:
        yield Doomed(process)
