"""The README against the code: its two lines, every command, key and exit code, and what it points to."""

import re
from pathlib import Path

import pytest

from cronflow import errors
from cronflow.cli.app import COMMANDS
from cronflow.spec import Config, Pipeline, Task

SOURCE = Path(__file__).resolve().parents[2]
README = (SOURCE / "README.md").read_text(encoding="utf-8")
CODE_BLOCKS = re.findall(r"^```[^\n]*\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


def two_lines() -> tuple[str, str]:
    """The README's two lines: the one that runs the main job, and the one that runs the tests."""
    section = README.split("## Two commands", 1)[1].split("\n## ", 1)[0]
    main_job, tests = re.findall(r"^```sh\n(.*)\n```$", section, re.MULTILINE)
    return main_job, tests


def test_the_two_commands_are_one_line_each_and_do_what_is_said() -> None:
    main_job, tests = two_lines()
    assert main_job.endswith("cronflow run sample-pipelines/daily_sales.yaml")
    assert tests.endswith("python tests")


def test_ci_runs_the_line_of_the_readme() -> None:
    _, tests = two_lines()
    script = SOURCE / ".ci" / "run"
    assert tests in [line.strip() for line in script.read_text(encoding="utf-8").splitlines()]


def test_every_command_is_explained() -> None:
    assert [name for name in COMMANDS if not re.search(rf"\bcronflow {name}\b", README)] == []


def test_every_command_it_shows_exists() -> None:
    shown = re.findall(r"^\$ cronflow (?:--\S+ \S+ )*([a-z][a-z-]*)", "".join(CODE_BLOCKS), re.MULTILINE)
    assert sorted(set(shown) - set(COMMANDS)) == []


@pytest.mark.parametrize("noun", [Pipeline, Task, Config])
def test_every_key_is_explained(noun: type[Pipeline] | type[Task] | type[Config]) -> None:
    assert [key for key in noun.__struct_fields__ if not re.search(rf"`{key}`|\b{key}:", README)] == []


def test_every_exit_code_is_explained() -> None:
    """As the first cell of a table's row."""
    classes = [value for value in vars(errors).values() if isinstance(value, type)]
    codes = {0, 1, 130} | {each.exit_code for each in classes if issubclass(each, errors.CronflowError)}
    assert [code for code in sorted(codes) if not re.search(rf"^\| `?{code}`? \|", README, re.MULTILINE)] == []


def test_every_file_it_points_to_is_there() -> None:
    links = re.findall(r"\]\(([^)#\s]+)[^)]*\)", README)
    files = [link for link in links if not re.match(r"[a-z]+:", link)]
    assert [name for name in files if not (SOURCE / name).exists()] == []
