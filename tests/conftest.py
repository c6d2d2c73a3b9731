"""What every test may ask for: the real command on directories of the test's own, and steady random tests."""

import json
import os
import subprocess
import sys
import textwrap
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

# No deadline anywhere: a busy machine is no bug. Where CI is set, the same examples every time.
settings.register_profile("steady", deadline=None, derandomize=True, database=None, print_blob=True)
settings.register_profile("exploring", deadline=None)
settings.load_profile("steady" if os.environ.get("CI") else "exploring")

# What a developer's shell may hold and a test must not depend on.
NOT_INHERITED = {"COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "PYTHONPATH", "LANG"}
NOT_INHERITED_PREFIXES = ("CRONFLOW_", "XDG_", "LC_", "PYTEST_")


def pytest_configure(config: pytest.Config) -> None:
    """The marks that the tests of this project use."""
    config.addinivalue_line("markers", "timing: compares how long things take; run with nothing beside it")


def clean_environment() -> dict[str, str]:
    """This process's environment without what would change an answer; UTC, UTF-8, and warnings are errors."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in NOT_INHERITED and not name.startswith(NOT_INHERITED_PREFIXES)
    }
    return kept | {"TZ": "UTC", "LC_ALL": "C.UTF-8", "PYTHONWARNINGS": "error"}


@dataclass(frozen=True)
class Cronflow:
    """The installed `cronflow`, run as a process.

    `cronflow("run", "etl", "--json")` runs it to its end; `.start(…)` only starts it; `.json(…)` adds `--json`,
    expects exit code 0 (or `code=`) and hands out what was printed; `.pipeline(name, text)` writes a pipeline file.
    """

    home: Path

    @property
    def pipelines_dir(self) -> Path:
        return self.home / "pipelines"

    @property
    def state_dir(self) -> Path:
        return self.home / "state"

    def pipeline(self, name: str, text: str) -> Path:
        """Write `NAME.yaml` (indentation that all lines share is dropped). Returns its path."""
        path = self.pipelines_dir / f"{name}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text), encoding="utf-8")
        path.chmod(0o644)
        return path

    def command_line(self, arguments: Iterable[object]) -> list[str]:
        """The words to start, for a test that starts them in its own way."""
        program = Path(sys.executable).with_name("cronflow")
        places = ["--pipelines-dir", self.pipelines_dir, "--state-dir", self.state_dir]
        return [str(word) for word in (program, *places, *arguments)]

    def environment(self, env: Mapping[str, str] | None = None) -> dict[str, str]:
        """What the process sees: clean, with a home of its own and with `env` on top."""
        return clean_environment() | {"HOME": str(self.home)} | dict(env or {})

    def start(self, *arguments: object, env: Mapping[str, str] | None = None, **popen: Any) -> subprocess.Popen[str]:
        """Start it, with pipes for its output. Whoever starts it ends it."""
        options: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        return subprocess.Popen(
            self.command_line(arguments),
            **options | {"cwd": self.home, "env": self.environment(env), "encoding": "utf-8"} | popen,
        )

    def __call__(
        self, *arguments: object, env: Mapping[str, str] | None = None, typed: str = "", **run: Any
    ) -> subprocess.CompletedProcess[str]:
        """Run it to its end, a minute at most, with `typed` as its input. The answer has `returncode` and the rest."""
        options: dict[str, Any] = {"cwd": self.home, "capture_output": True, "encoding": "utf-8", "timeout": 60}
        return subprocess.run(
            self.command_line(arguments),
            check=False,
            **options | {"env": self.environment(env), "input": typed} | run,
        )

    def json(self, *arguments: object, code: int = 0, **run: Any) -> Any:
        """What it prints with `--json`, parsed."""
        done = self(*arguments, "--json", **run)
        assert done.returncode == code, f"exit code {done.returncode}, expected {code}\n{done.stdout}\n{done.stderr}"
        return json.loads(done.stdout)


@pytest.fixture
def cronflow(tmp_path: Path) -> Cronflow:
    """The real command, with pipelines and state in this test's own directory."""
    home = tmp_path / "home"
    (home / "pipelines").mkdir(parents=True, mode=0o755)
    return Cronflow(home)
