"""`cronflow logs` as a process: bytes for programs, harmless text for people, and following a run to its end."""

import os
import re
import resource
import signal
import subprocess
from pathlib import Path

import msgspec
import pytest

from tests import past
from tests.conftest import Cronflow
from tests.terminal import Terminal, on_terminal

BINARY = bytes(range(256)) + b"\r\n\x1b[31mred\x1b[0m\nlast without end"
LOADED = (
    past.attempt(12, 30, "failed", log="load.1.log", exit_code=1, reason="exit code 1"),
    past.attempt(60, 100, log="load.2.log", number=2),
)
RUN = past.run(
    tasks={
        "load": past.task("succeeded", *LOADED),
        "extract": past.task("succeeded", past.attempt(0, 12, log="extract.1.log")),
        "never": past.task("upstream_failed", reason="'check' failed"),
    },
)
HEADERS = [
    "==> extract, attempt 1: succeeded after 12s <==",
    "==> load, attempt 1: failed after 18s, exit code 1 <==",
    "==> load, attempt 2: succeeded after 40s <==",
]


@pytest.fixture
def etl(cronflow: Cronflow) -> Cronflow:
    """A run whose tasks printed something."""
    past.write(cronflow.state_dir, RUN)
    past.write_log(cronflow.state_dir, RUN, "extract", b"one\ntwo\nthree\n")
    past.write_log(cronflow.state_dir, RUN, "load", b"no end of line")
    past.write_log(cronflow.state_dir, RUN, "load", BINARY, number=2)
    return cronflow


def printed(cronflow: Cronflow, *arguments: object) -> bytes:
    """What it prints, byte for byte; it must end well and say nothing else."""
    done = subprocess.run(
        cronflow.command_line(["logs", *arguments]),
        capture_output=True,
        env=cronflow.environment(),
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    return done.stdout


def test_all_logs_in_the_order_in_which_they_started_each_under_its_name(etl: Cronflow) -> None:
    first, second, third = (header.encode() for header in HEADERS)
    assert printed(etl, "etl") == (
        first + b"\none\ntwo\nthree\n\n" + second + b"\nno end of line\n\n" + third + b"\n" + BINARY
    )


@pytest.mark.parametrize(
    "words",
    [
        ("etl", RUN.run_id, "load", "--attempt", 2),
        ("etl", "latest", "load", "--attempt", 2),
        ("etl", "2026-11-22", "load", "--attempt", 2),
        ("etl", "load", "--attempt", 2),
        ("etl", "--attempt", 2),
    ],
)
def test_one_log_is_its_bytes_and_nothing_else(etl: Cronflow, words: tuple[object, ...]) -> None:
    assert printed(etl, *words) == BINARY


def test_all_attempts_of_one_task(etl: Cronflow) -> None:
    text = printed(etl, "etl", "latest", "load").decode("latin-1")
    assert re.findall("==>.*<==", text) == HEADERS[1:]


@pytest.mark.parametrize(
    ("count", "tail"), [(0, b""), (1, b"three\n"), (2, b"two\nthree\n"), (9, b"one\ntwo\nthree\n")]
)
def test_the_last_lines(etl: Cronflow, count: int, tail: bytes) -> None:
    assert printed(etl, "etl", "extract", "--tail", count) == tail


def test_the_last_lines_of_each(etl: Cronflow) -> None:
    assert b"<==\nthree\n\n==>" in printed(etl, "etl", "--tail", 1)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["elt"], "no pipeline 'elt'; did you mean 'etl'?"),
        (
            ["etl", "lod"],
            f"etl has no run 'lod'; its only run is {RUN.run_id}\nand its latest run has no task 'lod'; did you",
        ),
        (["etl", "latest", "lod"], f"{RUN.run_id} has no task 'lod'; did you mean 'load'?"),
        (["etl", "latest", "zzz"], f"{RUN.run_id} has no task 'zzz'; its tasks are extract, load, never"),
        (["etl", "load", "--attempt", "3"], "no attempt 3: the last one is 2"),
        (["etl", "2026-11-23"], "etl has no run '2026-11-23'"),
        (["etl", "--tail", "-1"], "Invalid value for '--tail'"),
    ],
)
def test_wrong_use_says_what_there_is(etl: Cronflow, words: list[str], said: str) -> None:
    done = etl("logs", *words)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"cronflow: {said}")


def test_a_pipeline_that_never_ran_says_how_to_run_it(cronflow: Cronflow) -> None:
    cronflow.pipeline("fresh", "run: 'true'")
    done = cronflow("logs", "fresh")
    assert (done.returncode, done.stderr) == (
        2,
        "cronflow: fresh has no runs yet; start one with: cronflow run fresh\n",
    )


def test_a_task_that_never_started_says_why(etl: Cronflow) -> None:
    done = etl("logs", "etl", "latest", "never")
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == "cronflow: nothing was started: never is upstream failed, 'check' failed\n"


def test_a_log_that_is_gone_is_named_and_the_others_shown(etl: Cronflow) -> None:
    gone = past.write_log(etl.state_dir, RUN, "extract", b"")
    gone.unlink()
    done = etl("logs", "etl", encoding="latin-1")
    assert done.returncode == 0
    assert done.stderr == f"cronflow: extract, attempt 1 has no log: {gone}: not there any more\n"
    assert "no end of line" in done.stdout


def test_an_attempt_that_could_not_be_started_says_so(etl: Cronflow) -> None:
    refused = past.attempt(0, 0, "failed", reason="no such directory: /nowhere")
    past.write(etl.state_dir, past.run(tasks={"extract": past.task("failed", refused)}))
    done = etl("logs", "etl")
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == "cronflow: extract, attempt 1 has no log: no such directory: /nowhere\n"


def test_of_a_record_that_can_not_be_read_the_logs_are_still_shown(etl: Cronflow) -> None:
    whole = msgspec.json.encode(RUN)
    for cut in (0, 1, len(whole) // 2, len(whole) - 1):
        past.write_raw(etl.state_dir, "etl", RUN.run_id, whole[:cut])
        text = printed(etl, "etl").decode("latin-1")
        assert "==> extract, attempt 1: lost, record unreadable: " in text
        assert "one\ntwo\nthree\n" in text
        assert printed(etl, "etl", "load", "--attempt", 2) == BINARY


def test_a_terminal_gets_nothing_that_could_act_on_it(etl: Cronflow) -> None:
    past.write_log(
        etl.state_dir, RUN, "extract", b"\x1b]0;title\x07\x1b[2J\x1b[1mbold\x1b[0m\ttab\xff\x9b\r\n10%\r20%\n"
    )
    text = on_terminal(etl, "logs", "etl", "latest", "extract", env={"TERM": "dumb"})
    assert "\x1b" not in text
    assert text.splitlines() == ["^[]0;title^G^[[2Jbold\ttab\ufffd\ufffd", "10%^M20%"]


def test_a_terminal_gets_names_in_bold(etl: Cronflow) -> None:
    assert f"\x1b[1m{HEADERS[0]}\x1b[0m\n" in on_terminal(etl, "logs", "etl")
    assert "\x1b" not in on_terminal(etl, "logs", "etl", "load", "--attempt", 1, env={"NO_COLOR": "1"})


def test_the_middle_that_was_given_back_is_said(etl: Cronflow) -> None:
    path = past.write_log(etl.state_dir, RUN, "extract", b"head\n")
    with path.open("r+b") as log:
        log.truncate(1 << 30)
        log.seek(0, os.SEEK_END)
        log.write(b"tail\n")
    if path.stat().st_blocks * 512 >= path.stat().st_size:
        pytest.skip("this file system has no holes")
    text = printed(etl, "etl", "extract").replace(b"\0", b"")
    said = re.fullmatch(rb"head\n\n\[([0-9,]+) bytes are missing here: .* log_limit, .*\]\ntail\n", text)
    assert said
    assert (1 << 30) - 65536 <= int(said[1].replace(b",", b"")) <= 1 << 30
    assert printed(etl, "etl", "extract", "--tail", 1).endswith(b"tail\n")


def test_a_long_log_takes_little_memory(etl: Cronflow) -> None:
    past.write_log(etl.state_dir, RUN, "extract", b"a line of a log that goes on and on\n" * (1 << 22))
    words = etl.command_line(["logs", "etl", "extract"])
    limit = 400 << 20  # address space, of which the interpreter takes about a fourth; the log is 144 MiB

    def confine() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))

    with Path(os.devnull).open("wb") as nowhere:
        done = subprocess.run(words, stdout=nowhere, env=etl.environment(), preexec_fn=confine, check=False)
    assert done.returncode == 0


def test_a_reader_that_leaves_is_no_error(etl: Cronflow) -> None:
    past.write_log(etl.state_dir, RUN, "extract", b"x" * (1 << 20))
    for words in (["etl"], ["etl", "--follow"]):
        process = etl.start("logs", *words)
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.read(10)
        process.stdout.close()
        assert process.wait(60) == 0
        assert process.stderr.read() == ""
        process.stderr.close()


def test_a_full_disk_is_said(etl: Cronflow) -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            etl.command_line(["logs", "etl"]), stdout=full, stderr=subprocess.PIPE, env=etl.environment(), check=False
        )
    assert (done.returncode, done.stderr) == (4, b"cronflow: standard output: No space left on device\n")


# Each task waits for a file of its own: the test says when it goes on, and nothing waits for luck.
WAITING = """\
    tasks:
      first: {{run: "echo first begins; {wait} go1; echo first ends"}}
      second:
        run: "echo try $CRONFLOW_ATTEMPT; {wait} go$((CRONFLOW_ATTEMPT + 1)); test $CRONFLOW_ATTEMPT = 2"
        needs: first
        retries: 1
        retry_delay: 0s
"""


@pytest.fixture
def waiting(cronflow: Cronflow) -> Cronflow:
    """A pipeline whose tasks wait for `go1`, `go2` and `go3` in the pipelines directory, which are pipes."""
    cronflow.pipeline("slow", WAITING.format(wait="cat <"))
    for number in (1, 2, 3):
        os.mkfifo(cronflow.pipelines_dir / f"go{number}")
    return cronflow


def go(cronflow: Cronflow, number: int) -> None:
    """Let the task go on that waits for this."""
    (cronflow.pipelines_dir / f"go{number}").write_text("")


def test_following_goes_on_over_tasks_and_attempts_to_the_runs_end(waiting: Cronflow) -> None:
    run = waiting.start("run", "slow")
    assert run.stdout is not None
    while "first" not in run.stdout.readline():
        pass
    with Terminal(waiting, "logs", "slow", "-f", env={"NO_COLOR": "1"}) as terminal:
        terminal.read_until(lambda screen: b"first begins" in screen)
        go(waiting, 1)
        terminal.read_until(lambda screen: b"try 1" in screen)
        go(waiting, 2)
        terminal.read_until(lambda screen: b"try 2" in screen)
        go(waiting, 3)
        assert terminal.to_the_end() == 0
        text = terminal.screen.decode().replace("\r\n", "\n")
    run.communicate(timeout=60)
    assert run.returncode == 0
    said = [line for line in text.splitlines() if line and not line.startswith("==>")]
    assert said == ["first begins", "first ends", "try 1", "try 2"]
    assert re.findall("==> (.*):", text) == ["second, attempt 1", "second, attempt 2"]


def test_following_one_task_ends_with_it(waiting: Cronflow) -> None:
    with waiting.start("run", "slow") as run:
        assert run.stdout is not None
        while "first" not in run.stdout.readline():
            pass
        follower = waiting.start("logs", "slow", "first", "--follow", encoding=None)
        assert follower.stdout is not None
        assert follower.stdout.readline() == b"first begins\n"
        go(waiting, 1)
        assert follower.communicate(timeout=60)[0] == b"first ends\n"
        assert follower.returncode == 0
        go(waiting, 2)
        go(waiting, 3)
        run.communicate(timeout=60)


def test_following_stops_quietly_when_it_is_interrupted(etl: Cronflow) -> None:
    past.write(etl.state_dir, past.run(state="running", ended_at=None, tasks={}))
    with Terminal(etl, "logs", "etl", "--follow") as terminal:
        terminal.read_until(lambda screen: b"nothing drives etl" in screen)
        os.killpg(terminal.process.pid, signal.SIGINT)
        assert terminal.to_the_end() == 130
        assert b"Traceback" not in terminal.screen


def test_following_what_has_ended_is_showing_it(etl: Cronflow) -> None:
    assert printed(etl, "etl", "--follow") == printed(etl, "etl")
