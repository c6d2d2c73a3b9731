"""What an impatient hand types, and what the world does to streams and directories meanwhile."""

import json
import os
import shlex
import signal
import subprocess
from pathlib import Path

import pytest

from tests.acceptance.witness import started, until_driving
from tests.conftest import Cronflow
from tests.terminal import Terminal, on_terminal


def test_nothing_typed_shows_the_help_and_is_still_wrong_use(cronflow: Cronflow) -> None:
    done = subprocess.run(
        cronflow.command_line([])[:1], check=False, capture_output=True, encoding="utf-8", env=cronflow.environment()
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("Usage: cronflow ")
    assert "status    Show what ran" in done.stderr


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (["statu"], "cronflow: no command 'statu'; did you mean 'status'?\nsee 'cronflow --help'\n"),
        (["backup"], "cronflow: no command 'backup'\nsee 'cronflow --help'\n"),
        ([""], "cronflow: no command ''\nsee 'cronflow --help'\n"),
        (["run", "--task"], "cronflow: Option '--task' requires an argument.\nsee 'cronflow run --help'\n"),
    ],
)
def test_a_mistyped_command_line_says_where_to_look(cronflow: Cronflow, typed: list[str], said: str) -> None:
    done = cronflow(*typed)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", said)


def test_what_was_typed_does_nothing_to_the_terminal(cronflow: Cronflow) -> None:
    done = cronflow("run", "a\x1b[2Jb")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"cronflow: no pipeline 'a\\x1b[2Jb' in {cronflow.pipelines_dir}\n"


@pytest.mark.parametrize("target", ["nothing_of_that_name", "bad"])
def test_a_full_standard_error_does_not_change_the_exit_code(cronflow: Cronflow, target: str) -> None:
    cronflow.pipeline("bad", "run: 1\n")
    with Path("/dev/full").open("wb") as full:
        done = cronflow("run", target, capture_output=False, stdout=subprocess.PIPE, stderr=full)
    assert (done.returncode, done.stdout) == (2, "")


READERS = [("status",), ("status", "one"), ("status", "one", "latest"), ("logs", "one")]


@pytest.mark.parametrize("words", [*READERS, ("run", "one")])
def test_a_state_directory_that_is_a_file_is_said(cronflow: Cronflow, words: tuple[str, ...]) -> None:
    cronflow.pipeline("one", "run: 'true'\n")
    cronflow.state_dir.write_text("")
    done = cronflow(*words)
    assert (done.returncode, done.stdout) == (4, "")
    assert done.stderr.startswith(f"cronflow: {cronflow.state_dir}: ")
    assert "ot a directory" in done.stderr


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
@pytest.mark.parametrize("words", [*READERS, ("run", "one")])
def test_somebody_elses_state_is_never_taken_for_an_empty_one(cronflow: Cronflow, words: tuple[str, ...]) -> None:
    cronflow.pipeline("one", "run: 'true'\n")
    assert cronflow("run", "one").returncode == 0
    cronflow.state_dir.chmod(0)
    done = cronflow(*words)
    cronflow.state_dir.chmod(0o700)
    assert (done.returncode, done.stdout) == (4, "")
    assert "Permission denied; ask its owner, or name another directory with --state-dir\n" in done.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["validate", ""], "an empty path names no file"),
        (["new", "x", "--dir", ""], "--dir: the path is empty"),
        (["--state-dir", "", "status"], "--state-dir: the path is empty"),
        (["--pipelines-dir", "", "list"], "--pipelines-dir: the path is empty"),
        (["run", "./"], "./: a directory, expected a pipeline's file or its name"),
        (["graph", "pipelines/"], "pipelines/: a directory, expected a pipeline's file or its name"),
    ],
)
def test_a_variable_that_was_never_set_means_nothing(cronflow: Cronflow, words: list[str], said: str) -> None:
    done = cronflow(*words)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", f"cronflow: {said}\n")


@pytest.mark.parametrize("words", [["list"], ["status"], ["run", "one"], ["graph", "one"]])
def test_a_pipelines_directory_that_is_a_file_is_said(cronflow: Cronflow, words: list[str]) -> None:
    path = cronflow.pipeline("one", "run: 'true'\n")
    done = cronflow("--pipelines-dir", path, *words)
    said = f"cronflow: {path}: not a directory; name another one with --pipelines-dir\n"
    assert (done.returncode, done.stdout, done.stderr) == (2, "", said)


# The shell of an attempt writes more than its task: what the system says of a killed command goes to the same log.
@pytest.mark.parametrize("output", ["file", "pipe"])
def test_a_log_at_the_limit_of_file_sizes_fails_the_task_and_not_its_record(cronflow: Cronflow, output: str) -> None:
    cronflow.pipeline("much", f"output: {output}\nrun: head -c 4000000 /dev/zero\n")
    words = ["sh", "-c", 'ulimit -f 1000; exec "$@"', "sh", *cronflow.command_line(["run", "much", "--json"])]
    done = subprocess.run(
        words, check=False, capture_output=True, encoding="utf-8", timeout=60, env=cronflow.environment()
    )
    attempt = json.loads(done.stdout)["tasks"]["main"]["attempts"][0]
    assert (done.returncode, attempt["state"], attempt["exit_code"] is None) == (1, "failed", False)


def test_one_retry_is_one_retry(cronflow: Cronflow) -> None:
    cronflow.pipeline("one", "tasks: {a: {run: 'true', retries: 1}, b: {run: 'true', retries: 2}}")
    plan = cronflow("run", "one", "--dry-run").stdout
    assert "  a  starts at once, 1 retry\n" in plan
    assert "  b  starts at once, 2 retries\n" in plan


def test_what_could_not_be_started_is_not_said_to_have_said_nothing(cronflow: Cronflow) -> None:
    cronflow.pipeline("lost", "tasks: {a: {cwd: /nowhere/at/all, run: 'true'}}")
    assert cronflow("run", "lost").returncode == 1
    shown = cronflow("status", "lost", "latest").stdout
    assert "no such directory: '/nowhere/at/all'" in shown
    assert "said" not in shown


def test_a_run_that_nobody_drives_says_so(cronflow: Cronflow) -> None:
    cronflow.pipeline("long", "run: sleep 60\n")
    left = "engine     none at the moment: the command that started the run takes it over\n"
    with started(cronflow, "run", "long") as engine:
        until_driving(engine)
        assert left not in cronflow("status", "long", "latest").stdout
        os.kill(engine.pid, signal.SIGKILL)
        engine.wait()
    assert left in cronflow("status", "long", "latest").stdout
    with started(cronflow, "run", "long") as engine:
        until_driving(engine)
        engine.send_signal(signal.SIGINT)
        assert engine.wait(60) == 130
    assert left not in cronflow("status", "long", "latest").stdout


def test_a_log_without_a_newline_and_a_complaint_after_it_share_no_line(cronflow: Cronflow) -> None:
    text = (
        "tasks: {a: {run: printf half}, b: {run: 'true', cwd: /nowhere/at/all, needs: a}, c: {run: echo c, needs: a}}"
    )
    cronflow.pipeline("mixed", text)
    assert cronflow("run", "mixed").returncode == 1
    done = cronflow("logs", "mixed", capture_output=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert "half\ncronflow: b, attempt 1 has no log: no such directory: '/nowhere/at/all'\n" in done.stdout


def test_the_commands_to_type_next_find_the_run(cronflow: Cronflow) -> None:
    cronflow.pipeline("bad", "run: 'echo out; exit 3'\n")
    lines = cronflow("run", "bad").stdout.splitlines()
    logs, status = (line.partition("cronflow ")[2] for line in lines[-2:])
    program = cronflow.command_line([])[0]
    for command, said in ((logs, "out\n"), (status, "bad  failed ")):
        done = subprocess.run(
            f"{shlex.quote(program)} {command}",
            shell=True,
            check=False,
            capture_output=True,
            encoding="utf-8",
            env=cronflow.environment(),
        )
        assert done.stdout.startswith(said), done.stderr


def test_ctrl_z_gives_the_cursor_back(cronflow: Cronflow) -> None:
    """Here nobody could continue the process, so the kernel lets it go on at once: that is drawn again."""
    cronflow.pipeline("wait", "run: 'until test -e go; do sleep 0.01; done'\n")
    hidden, shown = b"\x1b[?25l", b"\x1b[?25h"
    with Terminal(cronflow, "run", "wait") as terminal:
        terminal.read_until(lambda screen: b"1 running" in screen)
        terminal.process.send_signal(signal.SIGTSTP)
        terminal.read_until(lambda screen: screen.count(hidden) == 2)
        (cronflow.pipelines_dir / "go").touch()
        assert terminal.to_the_end() == 0
        assert terminal.screen.count(shown) == 2
        assert terminal.screen.index(hidden) < terminal.screen.index(shown) < terminal.screen.rindex(hidden)


@pytest.mark.parametrize("kind", ["pipe", "endless", "huge"])
def test_an_env_file_that_is_none_fails_the_task_and_stops_nobody(cronflow: Cronflow, kind: str) -> None:
    cronflow.pipeline("secret", "{env_file: .env, run: 'true'}\n")
    path = cronflow.pipelines_dir / ".env"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "endless":
        path.symlink_to("/dev/zero")
    else:
        path.write_text("A=1\n")
        os.truncate(path, 1 << 32)
    task = cronflow.json("run", "secret", code=1)["tasks"]["main"]
    said = "more than 4 MiB, which no environment can hold" if kind == "huge" else "not a regular file"
    assert task["reason"] == f"env_file {path}: {said}"


def test_a_pipe_in_the_place_of_a_log_holds_nobody_up(cronflow: Cronflow) -> None:
    cronflow.pipeline("odd", 'run: \'log=$(readlink /proc/self/fd/2); rm "$log"; mkfifo "$log"; sleep 0.5\'\n')
    with Terminal(cronflow, "run", "odd") as terminal:
        assert terminal.to_the_end() == 0
        assert b"succeeded" in terminal.screen
    done = cronflow("logs", "odd")
    assert (done.returncode, done.stdout) == (0, "")
    assert "not a file any more" in done.stderr


@pytest.mark.parametrize("words", [["status"], ["run", "one"]])
def test_a_terminal_whose_size_nobody_knows_is_drawn_on(cronflow: Cronflow, words: list[str]) -> None:
    cronflow.pipeline("one", "run: 'true'\n")
    assert "one" in on_terminal(cronflow, *words, env={"COLUMNS": "0", "LINES": "0"})
