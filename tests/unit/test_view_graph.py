"""The drawings of a pipeline's graph."""

import pytest

from cronflow.spec import Pipeline, Task
from cronflow.view.graph import dot, mermaid, tree
from cronflow.view.ink import text_of, width
from cronflow.view.signs import UNICODE, Look


def pipeline(**needs: str) -> Pipeline:
    """Tasks by name with what they need, separated by blanks; `!` in front of one means `when: any_failed`."""
    tasks = {
        name: Task(
            run="x", needs=tuple(words.strip("!").split()), when="any_failed" if "!" in words else "all_succeeded"
        )
        for name, words in needs.items()
    }
    return Pipeline(name="etl", tasks=tasks)


DIAMOND = pipeline(pull="", check="pull", load="pull", mail="check load", sweep="!load", done="mail")

TREES = [
    (pipeline(main=""), ["etl", "`- main"]),
    (pipeline(a="", b="a", c="b"), ["etl", "`- a -> b -> c"]),
    (pipeline(a="", b=""), ["etl", "|- a", "`- b"]),
    (
        DIAMOND,
        [
            "etl",
            "`- pull",
            "   |- check",
            "   |  `- mail (needs check, load) -> done",
            "   `- load",
            "      |- mail (above)",
            "      `- sweep (any_failed)",
        ],
    ),
    (
        pipeline(a="", b="", c="!a b"),
        ["etl", "|- a", "|  `- c (needs a, b; any_failed)", "`- b", "   `- c (above)"],
    ),
]


@pytest.mark.parametrize(("drawn", "lines"), TREES)
def test_a_tree(drawn: Pipeline, lines: list[str]) -> None:
    assert [text_of(line) for line in tree(drawn, Look())] == lines


def test_a_tree_with_glyphs() -> None:
    assert [text_of(line) for line in tree(DIAMOND, Look(80, UNICODE))] == [
        "etl",
        "└─ pull",
        "   ├─ check",
        "   │  └─ mail (needs check, load) → done",
        "   └─ load",
        "      ├─ mail (above)",
        "      └─ sweep (any_failed)",
    ]


@pytest.mark.parametrize("columns", [20, 33, 80])
def test_every_task_can_be_read_however_narrow_and_deep(columns: int) -> None:
    # A comb: each task has a long tail, and one that goes on deeper.
    comb = {f"t{number}": f"t{number - 1}" if number else "" for number in range(50)}
    comb |= {f"side{number}": f"t{number}" for number in range(50)}
    lines = tree(pipeline(**comb), Look(columns))
    assert max(width(line) for line in lines) <= columns
    text = "\n".join(text_of(line) for line in lines)
    assert all(name in text for name in comb)


def test_a_thousand_in_a_chain_fit_their_width() -> None:
    chain = {f"t{number}": f"t{number - 1}" if number else "" for number in range(1000)}
    lines = tree(pipeline(**chain), Look(80))
    assert len(lines) < 150
    assert max(width(line) for line in lines) <= 80


def test_mermaid() -> None:
    assert mermaid(pipeline(pull="", end="pull", sweep="!end")).splitlines() == [
        "flowchart LR",
        '  t0["pull"]',
        '  t1["end"]',
        '  t2["sweep"]',
        "  t0 --> t1",
        "  t1 -. any_failed .-> t2",
    ]


def test_dot() -> None:
    assert dot(pipeline(pull="", load="pull", sweep="!load")).splitlines() == [
        'digraph "etl" {',
        "  rankdir=LR",
        "  node [shape=box]",
        '  "pull"',
        '  "load"',
        '  "sweep"',
        '  "pull" -> "load"',
        '  "load" -> "sweep" [label="any_failed", style=dashed]',
        "}",
    ]
