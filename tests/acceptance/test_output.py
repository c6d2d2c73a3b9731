"""What tasks print: every byte of it, straight into a file or by way of one pipe, and bounded on disk."""

import re
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.witness import (
    Gate,
    ended,
    log,
    noted_pid,
    record,
    run_dir,
    running,
    started,
    until,
    until_driving,
)
from tests.conftest import Cronflow

both = pytest.mark.parametrize("output", ["file", "pipe"])


def only(run: dict[str, Any]) -> dict[str, Any]:
    """The last attempt of the only task."""
    (task,) = run["tasks"].values()
    return dict(task["attempts"][-1])


@both
@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("printf 'no newline'", b"no newline"),
        ("printf 'a\\000b\\377\\033]0;x\\007\\r\\n'", b"a\0b\xff\x1b]0;x\x07\r\n"),
        ("echo one; echo two >&2; echo three; echo four >&2", b"one\ntwo\nthree\nfour\n"),
        ("true", b""),
        ("echo one; exec >&- 2>&-; sleep 0.05; echo two || :", b"one\n"),
        ("head -c 1000000 /dev/zero | tr '\\000' x", b"x" * 1_000_000),
    ],
)
def test_every_byte_is_in_the_log_in_order(cronflow: Cronflow, output: str, command: str, expected: bytes) -> None:
    (cronflow.pipelines_dir / "print.sh").write_text(command)
    cronflow.pipeline("print", f"output: {output}\nrun: sh -e print.sh\n")
    assert cronflow("run", "print").returncode == 0
    assert log(cronflow, "print", "main") == expected


def test_by_a_pipe_a_task_that_opens_its_output_again_truncates_nothing(cronflow: Cronflow) -> None:
    cronflow.pipeline(
        "again",
        """
        output: pipe
        run: |
          echo one
          echo two > /dev/stdout
          echo three > /dev/stderr
          echo four | tee /dev/stderr > /dev/null
          exit 5
        """,
    )
    run = cronflow.json("run", "again", code=1)
    assert log(cronflow, "again", "main") == b"one\ntwo\nthree\nfour\n"
    assert only(run)["exit_code"] == 5


def test_into_the_file_itself_a_task_may_append(cronflow: Cronflow) -> None:
    cronflow.pipeline("again", "run: echo one; echo two >> /dev/stdout; echo three >> /dev/stderr\n")
    assert cronflow("run", "again").returncode == 0
    assert log(cronflow, "again", "main") == b"one\ntwo\nthree\n"


def test_a_pipe_is_read_to_its_end_as_cron_did(cronflow: Cronflow, tmp_path: Path) -> None:
    gate = Gate(tmp_path / "gate")
    cronflow.pipeline("late", f"output: pipe\nrun: '({gate.passed}; echo late) & echo $$ > pid; echo early; exit 3'\n")
    with started(cronflow, "run", "late") as engine:
        command = noted_pid(cronflow.pipelines_dir / "pid")
        until(lambda: gate.is_awaited() and not running(command))
        assert cronflow.json("status", "late", "latest")["tasks"]["main"]["state"] == "running"
        gate.open()
        assert ended(engine)[0] == 1
    assert log(cronflow, "late", "main") == b"early\nlate\n"
    assert only(record(cronflow, "late"))["exit_code"] == 3


def test_into_a_file_what_comes_late_is_kept_and_nobody_waits_for_it(cronflow: Cronflow, tmp_path: Path) -> None:
    gate = Gate(tmp_path / "gate")
    cronflow.pipeline("late", f"run: '({gate.passed}; echo late) & echo early'\n")
    assert cronflow("run", "late").returncode == 0
    assert log(cronflow, "late", "main") == b"early\n"
    gate.open()
    until(lambda: log(cronflow, "late", "main") == b"early\nlate\n")


def test_a_pipe_that_is_never_closed_ends_with_the_timeout(cronflow: Cronflow) -> None:
    cronflow.pipeline(
        "late", "output: pipe\ntasks: {main: {run: 'sleep 60 & echo $! > pid; exit 3', timeout: 0.2s, grace: 0.1s}}\n"
    )
    run = cronflow.json("run", "late", code=1)
    assert (only(run)["reason"], only(run)["exit_code"]) == ("timeout: still running after 0.2s", 3)
    assert not running(noted_pid(cronflow.pipelines_dir / "pid"))


@both
def test_a_task_that_closes_its_output_goes_on(cronflow: Cronflow, output: str) -> None:
    cronflow.pipeline("mute", f"output: {output}\nrun: 'exec >&- 2>&- <&-; sleep 0.05; touch done; exit 4'\n")
    assert only(cronflow.json("run", "mute", code=1))["exit_code"] == 4
    assert (cronflow.pipelines_dir / "done").exists()


# Bounds

MIB = 1 << 20
NUMBERED = "i=0; while [ $i -lt 30 ]; do head -c 1048575 /dev/zero | tr '\\000' x; echo; i=$((i + 1)); done"


def blocks(path: Path) -> int:
    """The bytes that a file takes on disk."""
    return path.stat().st_blocks * 512


@both
def test_a_long_log_keeps_its_head_and_its_tail(cronflow: Cronflow, output: str) -> None:
    (cronflow.home / "config.yaml").write_text("log_limit: 1MiB\n")
    (cronflow.pipelines_dir / "print.sh").write_text(f"echo head; {NUMBERED}; echo tail")
    cronflow.pipeline("long", f"output: {output}\nrun: sh print.sh\n")
    assert cronflow("run", "long").returncode == 0
    path = run_dir(cronflow, "long") / "main.1.log"
    content = path.read_bytes()
    assert len(content) == 30 * MIB + len("head\ntail\n"), "its length tells how much was printed"
    assert blocks(path) <= MIB + 8192
    half = MIB // 2
    assert content[:half] == b"head\n" + b"x" * (half - 5)
    assert content[-half:] == b"x" * (half - 6) + b"\ntail\n"
    shown = cronflow("logs", "long")
    assert shown.stdout.startswith("head\nxxx")
    assert shown.stdout.endswith("xxx\ntail\n")
    missing = content.count(b"\0")
    assert f"[{missing:,} bytes are missing here: the log grew past log_limit" in shown.stdout + shown.stderr


def test_a_log_is_bounded_while_the_task_still_prints(cronflow: Cronflow, tmp_path: Path) -> None:
    first, second = Gate(tmp_path / "first"), Gate(tmp_path / "second")
    (cronflow.home / "config.yaml").write_text("log_limit: 100KiB\n")
    script = f"{NUMBERED}; {first.passed}; {NUMBERED}; echo more; {second.passed}; echo end"
    (cronflow.pipelines_dir / "print.sh").write_text(script)
    cronflow.pipeline("long", "run: sh print.sh\n")
    with started(cronflow, "run", "long") as engine:
        until_driving(engine)
        for gate in (first, second):
            until(gate.is_awaited)
            until(lambda: blocks(run_dir(cronflow, "long") / "main.1.log") <= 108 * 1024)
            gate.open()
        assert ended(engine)[0] == 0
    assert log(cronflow, "long", "main").endswith(b"x\nmore\nend\n")


@pytest.mark.parametrize("limit", ["0", "1", "4KiB", "8KiB", "10000"])
def test_a_small_limit_leaves_a_head_and_a_tail_too(cronflow: Cronflow, limit: str) -> None:
    (cronflow.home / "config.yaml").write_text(f"log_limit: {limit}\n")
    cronflow.pipeline("long", "run: echo head; head -c 40000 /dev/zero | tr '\\000' x; printf '%951s' tail\n")
    assert cronflow("run", "long").returncode == 0
    content = log(cronflow, "long", "main")
    assert len(content) == 40_956
    assert content.startswith(b"head\nxxx")
    assert content.endswith(b"  tail")
    assert blocks(run_dir(cronflow, "long") / "main.1.log") <= 16_384


def test_a_log_within_the_limit_is_whole(cronflow: Cronflow) -> None:
    (cronflow.home / "config.yaml").write_text("log_limit: 1MiB\n")
    cronflow.pipeline("full", "run: head -c 1048576 /dev/zero | tr '\\000' x\n")
    assert cronflow("run", "full").returncode == 0
    assert log(cronflow, "full", "main") == b"x" * MIB


@pytest.mark.parametrize(("output", "size"), [("file", "400M"), ("pipe", "100M")])
def test_the_engines_memory_does_not_know_how_much_is_printed(
    cronflow: Cronflow, tmp_path: Path, output: str, size: str
) -> None:
    (cronflow.home / "config.yaml").write_text("log_limit: 1MiB\n")
    peaks = []
    for name, command in (("quiet", "true"), ("loud", f"yes | head -c {size}")):
        gate = Gate(tmp_path / name)
        cronflow.pipeline(name, f"output: {output}\nrun: '{command}; {gate.passed}'\n")
        with started(cronflow, "run", name) as engine:
            until_driving(engine)
            until(gate.is_awaited)
            status = Path(f"/proc/{engine.pid}/status").read_text()
            peaks.append(int(re.findall(r"VmHWM:\s+(\d+) kB", status)[0]))
            gate.open()
            assert ended(engine)[0] == 0
    assert peaks[1] - peaks[0] < 1500, "kB"
