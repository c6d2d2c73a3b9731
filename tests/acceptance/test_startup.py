"""What a command loads before it answers: the start is a promise, and these modules are what would break it."""

import re

import pytest

from tests.conftest import Cronflow

# Each costs tens of milliseconds; a bare Python starts in about fifteen.
SLOW = {"asyncio", "croniter", "multiprocessing", "pydantic", "rich", "unittest", "yaml"}


def loaded(cronflow: Cronflow, *arguments: str) -> set[str]:
    """The top-level names of all modules that the command imports."""
    done = cronflow(*arguments, env={"PYTHONPROFILEIMPORTTIME": "1"})
    assert done.returncode == 0, done.stderr
    modules = re.findall(r"^import time:.*\| +(\S+)$", done.stderr, re.MULTILINE)
    assert "cronflow.cli.app" in modules
    return {name.split(".")[0] for name in modules}


@pytest.mark.parametrize("arguments", [["--help"], ["--version"]], ids=" ".join)
def test_the_first_answer_loads_nothing_slow(cronflow: Cronflow, arguments: list[str]) -> None:
    assert loaded(cronflow, *arguments) & SLOW == set()


def test_status_of_what_it_has_seen_loads_nothing_slow(cronflow: Cronflow) -> None:
    cronflow.pipeline("nightly", 'schedule: "0 3 * * *"\nrun: "true"\n')
    assert cronflow("run", "nightly").returncode == 0
    assert cronflow("status").returncode == 0
    assert loaded(cronflow, "status") & SLOW == set()
