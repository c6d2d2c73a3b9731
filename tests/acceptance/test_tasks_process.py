"""What sort of process a task is: where it stands, what it holds, what it inherited."""

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests.acceptance.witness import log, run_after, run_dir, states
from tests.conftest import Cronflow


def attempt(cronflow: Cronflow, pipeline: str, *, code: int = 1) -> dict[str, object]:
    """The only attempt of the only task, as its run's record has it."""
    run = cronflow.json("run", pipeline, code=code)
    (task,) = run["tasks"].values()
    (found,) = task["attempts"]
    return dict(found)


# The working directory, the shell, the input


def test_the_directory_is_the_files_own_or_relative_to_it(cronflow: Cronflow) -> None:
    below = cronflow.pipelines_dir / "team"
    (below / "sub").mkdir(parents=True)
    cronflow.pipeline(
        "team/etl",
        f"""
        tasks:
          own: {{run: 'pwd; echo $PWD'}}
          sub: {{run: 'pwd; echo $PWD', cwd: sub}}
          up: {{run: 'pwd; echo $PWD', cwd: ..}}
          absolute: {{run: 'pwd', cwd: {cronflow.home}}}
        """,
    )
    assert cronflow("run", "team.etl", cwd="/").returncode == 0
    assert log(cronflow, "team.etl", "own").decode() == f"{below}\n" * 2
    assert log(cronflow, "team.etl", "sub").decode() == f"{below}/sub\n" * 2
    assert log(cronflow, "team.etl", "up").decode() == f"{cronflow.pipelines_dir}\n" * 2
    assert log(cronflow, "team.etl", "absolute").decode() == f"{cronflow.home}\n"


def test_a_directory_that_is_not_there_is_the_reason(cronflow: Cronflow) -> None:
    cronflow.pipeline("etl", "tasks: {a: {run: 'true', cwd: missing/größe}}\n")
    found = attempt(cronflow, "etl")
    missing = cronflow.pipelines_dir / "missing" / "größe"
    assert (found["state"], found["reason"]) == ("failed", f"no such directory: '{missing}'")
    assert (found["pid"], found["exit_code"], found["log"]) == (None, None, None)


def test_a_shell_may_be_any_program_that_takes_minus_c(cronflow: Cronflow) -> None:
    cronflow.pipeline(
        "shells",
        """
        tasks:
          posix: {run: 'false; echo never', allow_failure: true}
          bash: {run: 'false | true; echo never', shell: bash -eo pipefail, allow_failure: true}
          array: {run: 'a=(1 2 3); echo ${#a[@]}', shell: bash}
          python: {run: "import os\\nprint(os.environ['CRONFLOW_TASK'])", shell: python3 -I}
          missing: {run: 'true', shell: zzsh -e, allow_failure: true}
        """,
    )
    run = cronflow.json("run", "shells")
    assert states(run) == {
        "posix": "failed", "bash": "failed", "array": "succeeded", "python": "succeeded", "missing": "failed",
    }  # fmt: skip
    assert run["tasks"]["missing"]["reason"] == "no such shell: 'zzsh'"
    assert log(cronflow, "shells", "array") == b"3\n"
    assert log(cronflow, "shells", "python") == b"python\n"
    assert log(cronflow, "shells", "posix") == log(cronflow, "shells", "bash") == b""


def test_a_script_of_many_lines_stops_at_the_first_that_fails(cronflow: Cronflow) -> None:
    cronflow.pipeline("lines", "run: |\n  echo one\n  cd missing\n  echo two\n")
    found = attempt(cronflow, "lines")
    assert found["reason"] in {"exit code 1", "exit code 2"}, "shells differ"
    assert log(cronflow, "lines", "main").startswith(b"one\n")
    assert b"two" not in log(cronflow, "lines", "main")


def test_standard_input_is_empty_or_the_text(cronflow: Cronflow) -> None:
    cronflow.pipeline(
        "input",
        """
        tasks:
          empty: {run: cat; echo end}
          text: {run: cat, stdin: "one\\ntwo ä $HOME"}
          lines: {run: 'while read -r line; do echo "<$line>"; done', stdin: "a b\\nc\\\\d\\n"}
          nothing: {run: wc -c, stdin: ""}
        """,
    )
    done = cronflow("run", "input", typed="typed at the engine")
    assert done.returncode == 0
    assert log(cronflow, "input", "empty") == b"end\n"
    assert log(cronflow, "input", "text") == "one\ntwo ä $HOME".encode()
    assert log(cronflow, "input", "lines") == b"<a b>\n<c\\d>\n"
    assert log(cronflow, "input", "nothing").strip() == b"0"


# What it is


def test_each_attempt_is_a_session_of_its_own_and_leads_its_group(cronflow: Cronflow) -> None:
    stat = "cut -d ' ' -f 4-7 /proc/$$/stat"
    cronflow.pipeline("session", f'tasks: {{a: {{run: "{stat}"}}, b: {{run: "{stat}"}}}}\n')
    run = cronflow.json("run", "session")
    pids = [run["tasks"][name]["attempts"][0]["pid"] for name in "ab"]
    parents, groups, sessions, terminals = zip(*(log(cronflow, "session", name).split() for name in "ab"), strict=True)
    assert [int(pid) for pid in parents] == pids, "the command's parent is the attempt's shell"
    assert [int(pid) for pid in groups] == [int(pid) for pid in sessions] == pids
    assert set(terminals) == {b"0"}
    assert pids[0] != pids[1]


# Each in a shell of its own, without one, and with all that keeps a descriptor open in between.
DESCRIPTORS = """
output: {output}
tasks:
  plain: {{run: ls /proc/self/fd}}
  shell: {{run: 'ls /proc/self/fd; true'}}
  pooled: {{run: ls /proc/self/fd, pool: p}}
  text: {{run: 'ls /proc/self/fd; true', stdin: some text, pool: p}}
  bash: {{run: ls /proc/self/fd, shell: bash}}
"""


@pytest.mark.parametrize("output", ["file", "pipe"])
def test_a_task_gets_three_descriptors_and_no_more(cronflow: Cronflow, tmp_path: Path, output: str) -> None:
    (cronflow.home / "config.yaml").write_text("pools: {p: 1}\n")
    cronflow.pipeline("fds", DESCRIPTORS.format(output=output))
    inherited = os.open(tmp_path / "lock", os.O_CREAT | os.O_RDWR)
    done = cronflow("run", "fds", pass_fds=[inherited])
    os.close(inherited)
    assert done.returncode == 0
    for task in ("plain", "shell", "pooled", "text", "bash"):
        # The fourth is that of `ls` itself: the directory that it reads.
        assert log(cronflow, "fds", task).split() == [b"0", b"1", b"2", b"3"], task


def test_three_descriptors_also_where_cronflow_has_none(cronflow: Cronflow) -> None:
    cronflow.pipeline("fds", "tasks: {a: {run: 'ls /proc/self/fd; true'}, b: {run: cat, stdin: text, needs: a}}\n")
    line = ["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", *cronflow.command_line(["run", "fds"])]
    done = subprocess.run(line, cwd=cronflow.home, env=cronflow.environment(), check=False)
    assert done.returncode == 0
    assert log(cronflow, "fds", "a").split() == [b"0", b"1", b"2", b"3"]
    assert log(cronflow, "fds", "b") == b"text"


# posix_spawn leaves 32 and 33 ignored: no program can use them, the C library keeps them for its threads.
OF_THE_C_LIBRARY = 1 << 31 | 1 << 32
SIGNALS = """
output: {output}
tasks:
  plain: {{run: cat /proc/self/status}}
  shell: {{run: cat /proc/self/status; true}}
"""


AWKWARD = """
for number in (signal.SIGHUP, signal.SIGPIPE, signal.SIGQUIT, signal.SIGUSR1, signal.SIGCHLD):
    signal.signal(number, signal.SIG_IGN)
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGALRM, signal.SIGCHLD})
"""


@pytest.mark.parametrize("output", ["file", "pipe"])
def test_signals_are_at_their_defaults_whatever_cronflow_was_started_with(cronflow: Cronflow, output: str) -> None:
    cronflow.pipeline("signals", SIGNALS.format(output=output))

    done = run_after(AWKWARD, cronflow, "run", "signals", "--json")
    assert done.returncode == 0, done.stderr
    run = json.loads(done.stdout)
    for task in ("plain", "shell"):
        status = dict(line.split(":") for line in log(cronflow, "signals", task).decode().splitlines())
        masks = [int(status[name], 16) & ~OF_THE_C_LIBRARY for name in ("SigBlk", "SigIgn", "SigCgt")]
        assert masks == [0, 0, 0], task
        assert run["tasks"][task]["attempts"][0]["cpu_seconds"] is not None


def test_a_pipe_that_breaks_within_a_task_ends_its_writer_quietly(cronflow: Cronflow) -> None:
    cronflow.pipeline("pipes", "run: (yes; echo $? >&2) | head -n 1\n")
    assert cronflow("run", "pipes").returncode == 0
    assert log(cronflow, "pipes", "main") == b"y\n"


def test_umask_and_limits_are_those_that_cronflow_was_started_with(cronflow: Cronflow) -> None:
    cronflow.pipeline("limits", "run: umask; ulimit -n; ulimit -c; nice; touch made\n")

    given = """
os.umask(0o027)
os.nice(3)
resource.setrlimit(resource.RLIMIT_NOFILE, (333, 444))
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
"""
    assert run_after(given, cronflow, "run", "limits").returncode == 0
    assert log(cronflow, "limits", "main").split() == [b"0027", b"333", b"0", b"%d" % (os.nice(0) + 3)]
    assert (cronflow.pipelines_dir / "made").stat().st_mode & 0o777 == 0o640


# How it ends


@pytest.mark.parametrize(
    ("command", "reason", "exit_code", "number"),
    [
        ("exit 3", "exit code 3", 3, None),
        ("missing-command", "exit code 127: command not found", 127, None),
        ("./plain-file", "exit code 126: found, but can't be executed", 126, None),
        ("kill -KILL $$", "killed by SIGKILL", 137, 9),
        ("kill -SEGV $$", "killed by SIGSEGV", 139, 11),
        ("kill -40 $$", "killed by signal 40", 168, 40),
        ("exit 255", "exit code 255", 255, None),
        ("exit 193", "exit code 193", 193, None),
        ("exec sh -c 'exit 4'", "exit code 4", 4, None),
        ("set +e; false; exit", "exit code 1", 1, None),
        ("trap 'exit 6' EXIT; false", "exit code 6", 6, None),
        ("f() { return 7; }; f", "exit code 7", 7, None),
        ("if", "exit code 2", 2, None),
    ],
)
def test_how_it_ended_is_recorded_and_said(
    cronflow: Cronflow, command: str, reason: str, exit_code: int, number: int | None
) -> None:
    (cronflow.pipelines_dir / "plain-file").touch()
    cronflow.pipeline("end", f'run: "{command}"\n')
    found = attempt(cronflow, "end")
    assert (found["state"], found["reason"], found["exit_code"], found["signal"]) == (
        "failed",
        reason,
        exit_code,
        number,
    )


def test_what_it_used_is_recorded(cronflow: Cronflow) -> None:
    busy = "python3 -c 'x = bytearray(60_000_000); sum(range(3_000_000))'"
    cronflow.pipeline("used", f'tasks: {{busy: {{run: "{busy}"}}, idle: {{run: "true"}}}}\n')
    run = cronflow.json("run", "used")
    used, idle = (run["tasks"][name]["attempts"][0] for name in ("busy", "idle"))
    assert used["max_rss_bytes"] > 60_000_000 > idle["max_rss_bytes"] > 100_000
    assert used["cpu_seconds"] > idle["cpu_seconds"] >= 0
    assert used["cpu_seconds"] > 0.02


def test_a_command_too_large_for_the_system_is_the_reason(cronflow: Cronflow) -> None:
    cronflow.pipeline("large", "run: 'true'\n")
    (cronflow.pipelines_dir / "large.env").write_text("A=" + "x" * 3_000_000)
    cronflow.pipeline("large", "env_file: large.env\nrun: 'true'\n")
    expected = "command and environment are too large for the system (see 'getconf ARG_MAX')"
    assert attempt(cronflow, "large")["reason"] == expected


def test_a_task_that_removes_what_it_stands_on_does_no_harm(cronflow: Cronflow) -> None:
    cronflow.pipeline(
        "rough",
        """
        tasks:
          log: {run: rm -f $STATE/pipelines/rough/runs/*/*/log.1.log; echo gone}
          cwd: {run: rmdir $PWD, cwd: here}
          after: {run: "true", needs: [log, cwd]}
        """,
    )
    (cronflow.pipelines_dir / "here").mkdir()
    run = cronflow.json("run", "rough", env={"STATE": str(cronflow.state_dir)})
    assert set(states(run).values()) == {"succeeded"}
    assert not (run_dir(cronflow, "rough") / "log.1.log").exists()


def test_what_is_left_of_a_task_that_ended_well_is_left_alone(cronflow: Cronflow) -> None:
    cronflow.pipeline(
        "left",
        """
        tasks:
          near: {run: 'sleep 60 & echo $! > near'}
          away: {run: 'setsid sleep 60 & echo $! > away'}
          failed: {run: 'sleep 60 & echo $! > failed; exit 1', allow_failure: true}
        """,
    )
    assert cronflow("run", "left").returncode == 0
    for name in ("near", "away", "failed"):
        os.kill(int((cronflow.pipelines_dir / name).read_text()), signal.SIGKILL)
