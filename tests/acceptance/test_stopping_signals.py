"""What the signals that a person or a system sends to `cronflow run` mean."""

import json
import os
import pty
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import takewhile

import pytest

from tests.acceptance.witness import (
    HEEDFUL,
    after,
    ended,
    leftovers,
    log,
    noted_pid,
    record,
    running,
    started,
    states,
    until_driving,
)
from tests.conftest import Cronflow

LONG = """
tasks:
  done: {run: echo done}
  long: {run: 'trap "echo interrupted" INT; echo $$ > pid; sleep 60', needs: done}
  after: {run: "true", needs: long}
  always: {run: "true", needs: long, when: all_done}
"""
STUBBORN = """
tasks:
  long: {run: 'trap "" TERM; echo $$ > pid; while :; do sleep 60; done', grace: 1h}
"""


def pid_of_the_task(cronflow: Cronflow) -> int:
    return noted_pid(cronflow.pipelines_dir / "pid")


def test_ctrl_c_cancels_the_run_and_its_tasks(cronflow: Cronflow) -> None:
    cronflow.pipeline("long", LONG)
    with started(cronflow, "run", "long") as engine:
        pid = pid_of_the_task(cronflow)
        engine.send_signal(signal.SIGINT)
        code, out, errors = ended(engine)
    assert code == 130
    assert not running(pid)
    run = record(cronflow, "long")
    by = run["rounds"][0]["by"]
    assert (run["state"], run["reason"]) == ("cancelled", f"cancelled by {by}")
    assert states(run) == {"done": "succeeded", "long": "cancelled", "after": "cancelled", "always": "cancelled"}
    assert b"interrupted" not in log(cronflow, "long", "long"), "the task never hears of the Ctrl-C itself"
    assert errors == "cronflow: cancelling; Ctrl-C again kills what is still there\n"
    assert out.splitlines()[-2].endswith(f": cancelled by {by}")


def test_ctrl_c_with_json_leaves_the_record_alone_on_standard_output(cronflow: Cronflow) -> None:
    cronflow.pipeline("long", LONG)
    with started(cronflow, "run", "long", "--json") as engine:
        pid_of_the_task(cronflow)
        engine.send_signal(signal.SIGINT)
        code, out, _ = ended(engine)
    assert code == 130
    assert json.loads(out) == record(cronflow, "long")


def test_a_second_ctrl_c_kills(cronflow: Cronflow) -> None:
    cronflow.pipeline("long", STUBBORN)
    with started(cronflow, "run", "long") as engine:
        pid = pid_of_the_task(cronflow)
        engine.send_signal(signal.SIGINT)
        assert engine.stderr
        assert engine.stderr.readline()
        assert running(pid), "it has an hour's grace"
        engine.send_signal(signal.SIGINT)
        assert ended(engine)[0] == 130
    assert not running(pid)
    assert record(cronflow, "long")["tasks"]["long"]["attempts"][0]["state"] == "cancelled"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_sigterm_and_sighup_only_stop_driving(cronflow: Cronflow, number: signal.Signals) -> None:
    cronflow.pipeline("long", "tasks: {long: {run: 'echo $$ > pid; until test -e go; do sleep 0.01; done; exit 7'}}\n")
    with started(cronflow, "run", "long") as engine:
        pid = pid_of_the_task(cronflow)
        engine.send_signal(number)
        code, out, errors = ended(engine)
    run_id = out.splitlines()[0].split()[-1]
    assert code == 130
    assert running(pid)
    assert errors == (f"cronflow: stopped driving: tasks that run live on; the same command takes long {run_id} over\n")
    assert cronflow.json("status", "long", "latest")["state"] == "running"
    with started(cronflow, "run", "long") as engine:
        until_driving(engine)
        (cronflow.pipelines_dir / "go").touch()
        code, out, errors = ended(engine)
    assert code == 1
    assert errors.startswith(f"cronflow: taking over long {run_id}, which was left behind")
    (attempt,) = record(cronflow, "long")["tasks"]["long"]["attempts"]
    assert (attempt["state"], attempt["exit_code"]) == ("failed", 7)


def test_stopping_to_drive_prints_no_record(cronflow: Cronflow) -> None:
    cronflow.pipeline("long", LONG)
    with started(cronflow, "run", "long", "--json") as engine:
        pid_of_the_task(cronflow)
        engine.send_signal(signal.SIGTERM)
        code, out, _ = ended(engine)
    assert (code, out) == (130, "")


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGINT])
def test_a_signal_that_was_ignored_before_stays_ignored(cronflow: Cronflow, number: signal.Signals) -> None:
    cronflow.pipeline("long", "run: 'echo $$ > pid; until test -e go; do sleep 0.01; done'\n")
    with started(cronflow, "run", "long", setup=f"{HEEDFUL}\nsignal.signal({int(number)}, signal.SIG_IGN)") as engine:
        pid_of_the_task(cronflow)
        engine.send_signal(number)
        (cronflow.pipelines_dir / "go").touch()
        code, _, errors = ended(engine)
    assert (code, errors) == (0, "")


# At a terminal


class Terminal:
    """A terminal with a `cronflow run` in its foreground."""

    def __init__(self, cronflow: Cronflow, *arguments: str) -> None:
        self._master, slave = pty.openpty()
        setup = f"{HEEDFUL}\nos.setsid()\nimport fcntl, termios\nfcntl.ioctl(0, termios.TIOCSCTTY, 0)"
        self.process = subprocess.Popen(
            after(setup, cronflow.command_line(arguments)),
            stdin=slave,
            stdout=slave,
            stderr=slave,
            cwd=cronflow.home,
            env=cronflow.environment({"TERM": "xterm"}),
        )
        os.close(slave)

    def type(self, keys: bytes) -> None:
        os.write(self._master, keys)

    def close(self) -> None:
        """Close the window."""
        os.close(self._master)
        self._master = -1

    def read_to_the_end(self) -> str:
        """All that was drawn until the program ended."""
        return b"".join(takewhile(bool, iter(self._read, None))).decode()

    def _read(self) -> bytes:
        try:
            return os.read(self._master, 65536)
        except OSError:  # how Linux says that nobody has the other end open
            return b""

    def end(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        if self._master >= 0:
            os.close(self._master)


@contextmanager
def terminal(cronflow: Cronflow, *arguments: str) -> Iterator[Terminal]:
    one = Terminal(cronflow, *arguments)
    try:
        yield one
    finally:
        one.end()


def test_the_key_itself_cancels(cronflow: Cronflow) -> None:
    cronflow.pipeline("long", LONG)
    with terminal(cronflow, "run", "long") as window:
        pid = pid_of_the_task(cronflow)
        window.type(b"\x03")
        drawn = window.read_to_the_end()
        assert window.process.wait(timeout=30) == 130
    assert not running(pid)
    assert "cancelled" in drawn
    assert "Ctrl-C again kills" in drawn
    assert b"interrupted" not in log(cronflow, "long", "long")


def test_a_closed_window_only_stops_driving(cronflow: Cronflow) -> None:
    cronflow.pipeline("long", LONG)
    with terminal(cronflow, "run", "long") as window:
        pid = pid_of_the_task(cronflow)
        window.close()
        assert window.process.wait(timeout=30) == 130
    assert running(pid)
    assert pid in leftovers(cronflow.home)
    assert record(cronflow, "long")["state"] == "running"
