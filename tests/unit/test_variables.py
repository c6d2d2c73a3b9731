"""The environment of a task, as far as it is a pure question."""

import shlex
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cronflow import variables
from cronflow.record import Run
from cronflow.spec import Pipeline

NAMES = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,8}", fullmatch=True)
LINE = st.text(alphabet=st.characters(exclude_categories=["Cc", "Cs"]), max_size=30)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("A=1", {"A": "1"}),
        ("A=1\r\nB=2\r\n", {"A": "1", "B": "2"}),
        ("\n  \n# comment\n  # another\nA=1\n", {"A": "1"}),
        ("export A=1\nexport\tB=2", {"A": "1", "B": "2"}),
        ("export=1", {"export": "1"}),
        ("  A = 1  ", {"A": "1"}),
        ("A=", {"A": ""}),
        ("A= # nothing", {"A": ""}),
        ("A=one two", {"A": "one two"}),
        ("A=one # a comment", {"A": "one"}),
        ("A=one#two", {"A": "one#two"}),
        ("A=b=c", {"A": "b=c"}),
        ("A='one # two'", {"A": "one # two"}),
        ("A='one'  # two", {"A": "one"}),
        ("A='$HOME \\n'", {"A": "$HOME \\n"}),
        ('A="one\\ntwo\\tthree"', {"A": "one\ntwo\tthree"}),
        (r'A="say \"hi\" for \$5 in C:\\"', {"A": 'say "hi" for $5 in C:\\'}),
        ("A=$HOME `id` $(id)", {"A": "$HOME `id` $(id)"}),
        ("A=it's", {"A": "it's"}),
        ('A=""', {"A": ""}),
        ("A=1\nA=2", {"A": "2"}),
        ("Ä=1 is no name\n", None),
        ("A=ä€𝄞", {"A": "ä€𝄞"}),
    ],
)
def test_an_env_file_is_lines_of_name_and_value(text: str, expected: dict[str, str] | None) -> None:
    if expected is None:
        with pytest.raises(variables.EnvFileError):
            variables.parse_env_file(text)
    else:
        assert variables.parse_env_file(text) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("A=1\nsecret-value", "line 2 is not NAME=VALUE"),
        ("1A=secret-value", "line 1 is not NAME=VALUE"),
        ("A.B=secret-value", "line 1 is not NAME=VALUE"),
        ("=secret-value", "line 1 is not NAME=VALUE"),
        ("export A", "line 1 is not NAME=VALUE"),
        ("\n\nA='secret-value", "line 3: the quote ' is not closed, or something follows it"),
        ('A="secret-value\\"', 'line 1: the quote " is not closed, or something follows it'),
        ("A='one' secret-value", "line 1: the quote ' is not closed, or something follows it"),
        ("A=secret\0value", "line 1 holds a NUL byte, which no environment variable can"),
    ],
)
def test_a_bad_line_is_named_by_its_number_and_never_by_its_value(text: str, message: str) -> None:
    with pytest.raises(variables.EnvFileError) as caught:
        variables.parse_env_file(text)
    assert str(caught.value) == message


@given(st.dictionaries(NAMES, LINE))
def test_what_a_shell_would_quote_is_read_back(wanted: dict[str, str]) -> None:
    quotable = {name: value for name, value in wanted.items() if "'" not in value}
    text = "\n".join(f"{name}={shlex.quote(value)}" for name, value in quotable.items())
    assert variables.parse_env_file(text) == quotable


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        found = variables.parse_env_file(text)
    except variables.EnvFileError:
        return
    letters = set(string.ascii_letters + string.digits + "_")
    assert all(name and letters.issuperset(name) and "\0" not in value for name, value in found.items())


def test_nothing_of_an_outer_cronflow_reaches_a_task() -> None:
    outer = {
        "PATH": "/bin",
        "CRONFLOW_TASK": "outer",
        "CRONFLOW_STATE_DIR": "/x",
        "MY_CRONFLOW_X": "1",
        "cronflow_x": "2",
    }
    assert variables.of_engine(outer) == {"PATH": "/bin", "MY_CRONFLOW_X": "1", "cronflow_x": "2"}


def test_an_attempt_is_named() -> None:
    run = Run(
        pipeline="etl",
        run_id="20261122T000000Z",
        trigger="backfill",
        state="running",
        created_at="2026-11-22T00:00:00.000Z",
        definition=Pipeline(name="etl"),
    )
    assert variables.of_attempt(run, "load", 3, "etl/20261122T000000Z/load/3@0a1b2c3d") == {
        "CRONFLOW_PIPELINE": "etl",
        "CRONFLOW_TASK": "load",
        "CRONFLOW_RUN_ID": "20261122T000000Z",
        "CRONFLOW_ATTEMPT": "3",
        "CRONFLOW_ATTEMPT_ID": "etl/20261122T000000Z/load/3@0a1b2c3d",
        "CRONFLOW_TRIGGER": "backfill",
    }
