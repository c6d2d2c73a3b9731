"""Where cronflow looks when nothing was named: never at a place that depends on where it was called."""

import os

import pytest

from cronflow.cli.app import Places
from cronflow.errors import WrongUse

NOTHING_NAMED = Places(None, None)


@pytest.fixture(autouse=True)
def an_ordinary_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 54321)
    for name in ("XDG_CONFIG_HOME", "XDG_STATE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", "/home/jo")


def test_by_default_below_the_home_directory() -> None:
    assert NOTHING_NAMED.pipelines_dir == "/home/jo/.config/cronflow/pipelines"
    assert NOTHING_NAMED.state_dir == "/home/jo/.local/state/cronflow"


def test_or_where_the_xdg_variables_say(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", "/config")
    monkeypatch.setenv("XDG_STATE_HOME", "/state")
    assert (NOTHING_NAMED.pipelines_dir, NOTHING_NAMED.state_dir) == ("/config/cronflow/pipelines", "/state/cronflow")


def test_a_relative_xdg_variable_counts_as_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", "state")
    assert NOTHING_NAMED.state_dir == "/home/jo/.local/state/cronflow"


# `~` stays what it is for a user whom nobody knows; a directory of that name must not be made.
@pytest.mark.parametrize("home", ["~", "relative", "./x"])
def test_without_a_home_directory_it_asks_for_a_place(home: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", home)
    with pytest.raises(WrongUse, match="set HOME, or name a directory with --pipelines-dir"):
        _ = NOTHING_NAMED.pipelines_dir
    with pytest.raises(WrongUse, match="set HOME, or name a directory with --state-dir"):
        _ = NOTHING_NAMED.state_dir


def test_roots_is_the_machines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setenv("HOME", "~")
    assert (NOTHING_NAMED.pipelines_dir, NOTHING_NAMED.state_dir) == ("/etc/cronflow/pipelines", "/var/lib/cronflow")


def test_an_empty_name_is_a_variable_that_was_never_set() -> None:
    with pytest.raises(WrongUse, match="--pipelines-dir: the path is empty"):
        _ = Places("", "x").pipelines_dir
    with pytest.raises(WrongUse, match="--state-dir: the path is empty"):
        _ = Places("x", "").state_dir
