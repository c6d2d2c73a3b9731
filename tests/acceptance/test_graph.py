"""`cronflow graph`, as a process, on a terminal and off it."""

import os
import pty
import subprocess

import pytest

from tests.conftest import Cronflow

TEXT = """
    tasks:
      pull: {run: x}
      check: {run: x, needs: pull}
      load: {run: x, needs: pull}
      mail: {run: x, needs: [check, load]}
"""
TREE = """\
etl
`- pull
   |- check
   |  `- mail (needs check, load)
   `- load
      `- mail (above)
"""


@pytest.fixture(autouse=True)
def etl(cronflow: Cronflow) -> None:
    cronflow.pipeline("etl", TEXT)


def on_terminal(cronflow: Cronflow, **env: str) -> str:
    """What `graph etl` draws on a terminal."""
    ours, theirs = pty.openpty()
    done = subprocess.run(
        cronflow.command_line(["graph", "etl"]),
        stdout=theirs,
        env=cronflow.environment({"TERM": "xterm", "COLUMNS": "80"} | env),
        check=True,
    )
    os.close(theirs)
    drawn = os.read(ours, 65536).decode()
    os.close(ours)
    assert done.returncode == 0
    return drawn.replace("\r\n", "\n")


def test_off_a_terminal(cronflow: Cronflow) -> None:
    assert cronflow("graph", "etl").stdout == TREE
    assert cronflow("graph", cronflow.pipelines_dir / "etl.yaml").stdout == TREE


def test_on_a_terminal(cronflow: Cronflow) -> None:
    assert "├─" in on_terminal(cronflow)
    assert on_terminal(cronflow, NO_COLOR="1") == TREE
    assert "|-" in on_terminal(cronflow, LC_ALL="C", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0")


def test_mermaid_and_dot(cronflow: Cronflow) -> None:
    assert cronflow("graph", "etl", "--format", "mermaid").stdout.startswith("flowchart LR\n")
    assert cronflow("graph", "etl", "--format", "dot").stdout.startswith('digraph "etl" {\n')
    done = cronflow("graph", "etl", "--format", "png")
    assert done.returncode == 2
    assert "png" in done.stderr


def test_json(cronflow: Cronflow) -> None:
    assert cronflow.json("graph", "etl") == {
        "schema": 1,
        "pipeline": "etl",
        "tasks": [
            {"name": "pull", "needs": [], "when": "all_succeeded"},
            {"name": "check", "needs": ["pull"], "when": "all_succeeded"},
            {"name": "load", "needs": ["pull"], "when": "all_succeeded"},
            {"name": "mail", "needs": ["check", "load"], "when": "all_succeeded"},
        ],
    }


def test_an_unknown_pipeline(cronflow: Cronflow) -> None:
    done = cronflow("graph", "elt")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"cronflow: no pipeline 'elt' in {cronflow.pipelines_dir}; did you mean 'etl'?\n"


def test_a_bad_file(cronflow: Cronflow) -> None:
    path = cronflow.pipeline("bad", "tasks: {a: {run: x, needs: b}, b: {run: x, needs: a}}\n")
    for target in ("bad", path):
        done = cronflow("graph", target)
        assert (done.returncode, done.stdout) == (2, "")
        assert f"{path}:1:28: tasks wait for each other: a -> b -> a" in done.stderr
