"""Every kind of error in a pipeline file, as a person reads it: `bad/NAME.yaml` must say what is in `bad/NAME.txt`."""

import os
from pathlib import Path

import pytest
import yaml

from cronflow.loader import nodes, pipeline_file
from cronflow.loader.pipeline_file import Loaded
from cronflow.problem import show
from cronflow.spec import Config

PIPELINES = Path(__file__).parents[1] / "fixtures" / "pipelines"
BAD = sorted((PIPELINES / "bad").glob("*.yaml"))
CONFIG = Config(pools={"warehouse": 4})


def parse(text: str, name: str = "etl") -> Loaded:
    return pipeline_file.parse(text, name=name, directory="/srv/pipelines", config=CONFIG)


def told(text: str) -> list[str]:
    """The problems of a text."""
    return [show("etl.yaml", problem) for problem in parse(text).problems]


def warned(text: str) -> list[str]:
    """The warnings of a text."""
    return [show("etl.yaml", warning) for warning in parse(text).warnings]


@pytest.mark.parametrize("path", BAD, ids=lambda path: path.stem)
@pytest.mark.parametrize("parser", [nodes.LOADER, yaml.SafeLoader], ids=["libyaml", "python"])
def test_every_problem_is_told_at_its_place(path: Path, parser: type, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nodes, "LOADER", parser)
    loaded = parse(path.read_text(encoding="utf-8"), path.stem)
    assert [show(path.name, problem) for problem in loaded.problems] == (
        path.with_suffix(".txt").read_text(encoding="utf-8").splitlines()
    )
    assert loaded.problems
    assert loaded.pipelines == ()


def test_every_expectation_has_its_fixture() -> None:
    assert sorted(path.stem for path in (PIPELINES / "bad").glob("*.txt")) == [path.stem for path in BAD]


KEYS = [
    ("scheduel: x\nrun: x\n", "scheduel"),
    ("tasks: {load: {run: x, retry: 1}}\n", "tasks.load.retry"),
    ("tasks: {load: {run: x, retries: many}}\n", "tasks.load.retries"),
    ("tasks: {load: {run: x, needs: [nobody]}}\n", "tasks.load.needs[0]"),
    ("tasks: {load: {run: x, run: y}}\n", "tasks.load.run"),
    ("retention: {runs: 0}\nrun: x\n", "retention.runs"),
    ("schedule: ['0 3 * * *', '61 * * * *']\nrun: x\n", "schedule[1]"),
    ("defaults: {pool: nowhere}\ntasks: {a: {run: x}, b: {run: x}}\n", "defaults.pool"),
    ("defaults: {run: x, retries: 1.5}\nrun: x\n", "defaults.retries"),
]


@pytest.mark.parametrize(("text", "key"), KEYS, ids=[key for _, key in KEYS])
def test_a_problem_names_its_key(text: str, key: str) -> None:
    assert [problem.key for problem in parse(text).problems] == [key]


def test_one_value_behind_many_names_is_told_once() -> None:
    text = "tasks:\n  a: &a {run: x, retries: x}\n  b: *a\n  c: *a\n"
    assert told(text) == ["etl.yaml:2:27: tasks.a.retries: expected a whole number from 0 to 10000; found 'x'"]


def test_a_command_that_the_kernel_would_not_take() -> None:
    assert told(f"run: {'x' * 131071}\n") == []
    assert told(f"run: {'x' * 131072}\n") == [
        "etl.yaml:1:6: the command is 128 KiB or more, the kernel takes less: put it into a file and run that"
    ]


def test_a_variable_that_the_kernel_would_not_take() -> None:
    assert told(f"run: x\nenv: {{A: {'x' * 131069}}}\n") == []
    assert told(f"run: x\nenv: {{A: {'x' * 131070}}}\n") == [
        "etl.yaml:2:10: the value is 128 KiB or more, the kernel takes less: pass a file's name"
    ]


def test_nesting_without_end() -> None:
    for deep in ("[" * 10_000, "{a: " * 10_000, "- " * 10_000, "? " * 10_000):
        assert [line.split(": ", 1)[1] for line in told(f"run: x\nenv:\n  {deep}")] == ["nested more than 100 deep"]


def test_a_long_circle_is_not_spelled_out_whole() -> None:
    names = [f"t{number}" for number in range(100)]
    tasks = "".join(f"  {name}: {{run: x, needs: t{(at + 1) % 100}}}\n" for at, name in enumerate(names))
    assert told(f"tasks:\n{tasks}") == [
        (
            "etl.yaml:2:23: tasks wait for each other: t0 -> t1 -> t2 -> t3 -> t4 -> t5 -> t6 -> t7 -> t8 -> t9"
            " -> (81 more) -> t91 -> t92 -> t93 -> t94 -> t95 -> t96 -> t97 -> t98 -> t99 -> t0"
        )
    ]


def test_of_very_many_problems_the_first_are_told() -> None:
    lines = told("run: x\n" + "".join(f"zzz{number}: x\n" for number in range(2000)))
    assert len(lines) == 1001
    assert lines[-1] == "etl.yaml:1002:1: 1000 more like these"


def test_nothing_that_a_file_holds_reaches_the_terminal_raw() -> None:
    text = 'tasks:\n  "a\\e]0;title\\a": {run: x}\n  load: {run: x, needs: "\\e[31m\\u202e"}\n'
    assert told(text) == [
        (
            "etl.yaml:2:3: tasks: expected a name: a letter or digit, then up to 63 letters, digits, '_', '.' or '-';"
            r" found 'a\x1b]0;title\x07'"
        ),
        r"etl.yaml:3:25: task 'load' needs '\x1b[31m\u202e': no such task",
    ]


WARNINGS = [
    (
        "run: echo broken > /dev/stderr\n",
        (
            "etl.yaml:1:6: opening /dev/stderr empties the log:"
            " write '>&1' or '>&2', append with '>>', or set 'output: pipe'"
        ),
    ),
    (
        "run: make | tee /dev/stdout\n",
        (
            "etl.yaml:1:6: opening /dev/stdout empties the log:"
            " write '>&1' or '>&2', append with '>>', or set 'output: pipe'"
        ),
    ),
    ("run: x\nenv_file: .env\n", "etl.yaml:2:11: no such file now: /srv/pipelines/.env"),
    ("defaults: {cwd: work}\nrun: x\n", "etl.yaml:1:17: no such directory now: /srv/pipelines/work"),
    (
        'run: x\nschedule: "@daily"\n',
        "etl.yaml:2:1: 'schedule' gives 'run --date' its periods; nothing starts by itself until the daemon is there",
    ),
    ("run: x\ncatchup: all\n", "etl.yaml:2:1: 'catchup' is checked, and has no effect until the daemon is there"),
]


@pytest.mark.parametrize(("text", "warning"), WARNINGS, ids=[text for text, _ in WARNINGS])
def test_what_is_worth_a_warning(text: str, warning: str) -> None:
    assert warned(text) == [warning]
    assert told(text) == []


def test_another_user_is_worth_a_warning_where_nobody_can_become_one() -> None:
    warning = "etl.yaml:1:30: task 'load' will fail: only root can run a task as another user"
    assert warned("tasks: {load: {run: x, user: etl}}\n") == ([] if os.geteuid() == 0 else [warning])


@pytest.mark.parametrize(
    "text",
    [
        "run: echo done >> /dev/stdout\n",
        "run: echo done >&2\n",
        "run: echo done > /dev/null\n",
        "run: echo done > /dev/stderr\noutput: pipe\n",
        "run: ls /dev/stdout\n",
    ],
)
def test_what_does_not_empty_the_log(text: str) -> None:
    assert warned(text) == []
