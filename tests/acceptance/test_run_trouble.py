"""`cronflow run` where the machine does not play along: said plainly, with the path, and never as a traceback."""

import os
import re
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from tests.acceptance.witness import (
    HEEDFUL,
    after,
    ended,
    leftovers,
    noted_pid,
    record,
    run_after,
    started,
    states,
    until,
)
from tests.conftest import Cronflow

ROOT = os.geteuid() == 0
STRANGER = 54_321  # nobody has this id, so no process of anybody else counts against its limits

one_task = "run: echo hello\n"


def failed_plainly(done: subprocess.CompletedProcess[str], code: int) -> str:
    """What it said, all of it on standard error, in lines of its own."""
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    return done.stderr


# The state directory


def test_a_state_directory_that_is_not_there_is_made_with_its_parents(cronflow: Cronflow) -> None:
    cronflow.pipeline("one", one_task)
    state = cronflow.home / "a" / "b" / "state"
    assert cronflow("--state-dir", state, "run", "one").returncode == 0
    assert [path.stat().st_mode & 0o777 for path in (state, *state.parents[:2])] == [0o700] * 3


def test_a_file_where_the_state_directory_should_be(cronflow: Cronflow) -> None:
    cronflow.pipeline("one", one_task)
    cronflow.state_dir.write_text("")
    state = cronflow.state_dir
    said = failed_plainly(cronflow("run", "one"), 4)
    assert said == f"cronflow: {state}: can't prepare the state directory: Not a directory\n"
    said = failed_plainly(cronflow("--state-dir", state / "below", "run", "one"), 4)
    assert said == f"cronflow: {state}/below: can't prepare the state directory: Not a directory\n"


@pytest.mark.skipif(ROOT, reason="root may write anywhere")
@pytest.mark.parametrize("below", ["", "below"])
def test_a_state_directory_that_may_not_be_written(cronflow: Cronflow, below: str) -> None:
    cronflow.pipeline("one", one_task)
    cronflow.state_dir.mkdir(mode=0o500)
    said = failed_plainly(cronflow("--state-dir", cronflow.state_dir / below, "run", "one"), 4)
    assert said.startswith(f"cronflow: {cronflow.state_dir / below}")
    assert said.endswith("Permission denied\n")


def with_mount(cronflow: Cronflow, options: str, script: str) -> subprocess.CompletedProcess[str]:
    """Run a shell script with a small file system of its own as the state directory; `$@` is the run's command."""
    if not ROOT:
        pytest.skip("only root can mount a file system")
    cronflow.state_dir.mkdir(mode=0o700)
    whole = f'cd "$0" && mount -t tmpfs -o {options} none . && cd . && {script}'
    words = ["unshare", "-m", "sh", "-c", whole, cronflow.state_dir, *cronflow.command_line(["run", "one"])]
    env = cronflow.environment()
    done = subprocess.run(words, cwd=cronflow.home, env=env, capture_output=True, text=True, timeout=60, check=False)
    if re.search("^(mount|unshare):", done.stderr, re.MULTILINE):
        pytest.skip(f"no private mounts on this machine: {done.stderr}")
    return done


def test_a_state_directory_that_is_read_only(cronflow: Cronflow) -> None:
    cronflow.pipeline("one", one_task)
    said = failed_plainly(with_mount(cronflow, "size=1m,ro", '"$@"'), 4)
    assert said == f"cronflow: {cronflow.state_dir}: can't claim a run: Read-only file system\n"


def test_a_disk_that_is_full_from_the_start(cronflow: Cronflow) -> None:
    cronflow.pipeline("one", one_task)
    said = failed_plainly(with_mount(cronflow, "size=64k", 'cat /dev/zero > "$0/fill" 2>/dev/null; "$@"'), 4)
    assert said == f"cronflow: {cronflow.state_dir}: can't claim a run: No space left on device\n"


FILLS = """
tasks:
  fill: {run: head -c 10M /dev/zero}
  after: {run: echo more, needs: fill, when: all_done}
"""


def test_a_disk_that_fills_up_in_the_middle_is_waited_for(cronflow: Cronflow) -> None:
    cronflow.pipeline("one", FILLS)
    # The run says that it waits; then the log that fills the disk is emptied.
    script = """
        mkfifo ../said
        "$@" 2> ../said & run=$!
        while read -r line; do
            echo "$line" >&2
            case $line in *"No space left"*) for path in pipelines/one/runs/*/*/fill.1.log; do : > $path; done;; esac
        done < ../said
        wait $run; code=$?
        cat pipelines/one/runs/*/*/after.1.log
        exit $code
    """
    done = with_mount(cronflow, "size=2m", f'cd "$0"; {script}')
    assert done.returncode == 1, done.stdout + done.stderr
    assert re.fullmatch(
        r"cronflow: can't start tasks of one: No space left on device: \S+/one/runs/\S+; trying again\n", done.stderr
    )
    assert done.stdout.endswith("more\n")
    assert "after  succeeded" in done.stdout


def test_a_state_directory_that_goes_away_is_said_and_left_with_ctrl_c(cronflow: Cronflow) -> None:
    cronflow.pipeline("one", "run: 'echo $$ > pid; until test -e go; do sleep 0.01; done'\n")
    with started(cronflow, "run", "one") as engine:
        noted_pid(cronflow.pipelines_dir / "pid")
        shutil.rmtree(cronflow.state_dir)
        (cronflow.pipelines_dir / "go").touch()
        assert engine.stderr
        said = [engine.stderr.readline()]
        assert "can't write the run's end: No such file or directory; trying again" in said[0]
        engine.send_signal(signal.SIGINT)
        said.append(until(engine.stderr.readline))
        engine.send_signal(signal.SIGINT)
        code, _, errors = ended(engine)
    assert code == 130
    assert "Traceback" not in errors


# The system's limits


def as_stranger(cronflow: Cronflow, setup: str) -> subprocess.CompletedProcess[str]:
    """Run the pipeline `one` as a user of its own, after these lines of Python."""
    if not ROOT:
        pytest.skip("only root can become somebody else")
    words = after(setup, cronflow.command_line(["run", "one", "--json"]))
    # May read everything, so that it finds its Python wherever that is installed.
    become = ["setpriv", f"--reuid={STRANGER}", f"--regid={STRANGER}", "--clear-groups"]
    reads = ["--inh-caps=-all,+dac_override", "--ambient-caps=-all,+dac_override", "--bounding-set=-all,+dac_override"]
    done = subprocess.run(
        [*become, *reads, *words],
        cwd=cronflow.home,
        env=cronflow.environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    if done.stderr.startswith("setpriv:"):
        pytest.skip(done.stderr)
    return done


@pytest.mark.parametrize(
    ("limit", "reason"),
    [
        (1, r"too many processes: the system refused another one \(see 'ulimit -u'\)"),
        (2, r"its shell gave up with exit code \d+: too many processes, too few descriptors, or a full disk\?"),
    ],
)
def test_too_many_processes_is_the_attempts_reason(cronflow: Cronflow, limit: int, reason: str) -> None:
    cronflow.pipeline("one", "run: sleep 0\n")
    done = as_stranger(cronflow, f"resource.setrlimit(resource.RLIMIT_NPROC, ({limit}, {limit}))")
    assert done.returncode == 1, done.stderr
    (attempt,) = record(cronflow, "one")["tasks"]["main"]["attempts"]
    assert attempt["state"] == "failed"
    assert re.fullmatch(reason, attempt["reason"])
    assert record(cronflow, "one")["rounds"][0]["by"] == str(STRANGER)


# POSIX lets no system give a process fewer than 20.
FEW = "resource.setrlimit(resource.RLIMIT_NOFILE, (20, 20))"


def test_few_descriptors_are_enough_for_many_tasks(cronflow: Cronflow) -> None:
    tasks = "\n".join(f"  t{number}: {{run: sleep 0.1, timeout: 10}}" for number in range(30))
    cronflow.pipeline("one", f"max_parallel_tasks: 30\ntasks:\n{tasks}\n")
    done = run_after(FEW, cronflow, "run", "one")
    assert (done.returncode, done.stderr) == (0, "")
    run = record(cronflow, "one")
    assert set(states(run).values()) == {"succeeded"}
    assert all(task["attempts"][0]["cpu_seconds"] is not None for task in run["tasks"].values())


def test_few_descriptors_are_enough_to_stop_many_tasks(cronflow: Cronflow) -> None:
    tasks = "\n".join(f"  t{number}: {{run: touch $CRONFLOW_TASK; exec sleep 60}}" for number in range(30))
    cronflow.pipeline("one", f"max_parallel_tasks: 30\ntasks:\n{tasks}\n")
    with started(cronflow, "run", "one", setup=f"{HEEDFUL}\n{FEW}") as engine:
        until(lambda: len(list(cronflow.pipelines_dir.glob("t*"))) == 30)
        engine.send_signal(signal.SIGINT)
        code, _, errors = ended(engine)
    assert (code, errors.count("\n")) == (130, 1)
    assert set(states(record(cronflow, "one")).values()) == {"cancelled"}
    assert leftovers(cronflow.home) == []


# Standard output


def test_a_reader_that_leaves_early_stops_nothing(cronflow: Cronflow) -> None:
    cronflow.pipeline("one", "tasks: {a: {run: echo a}, b: {run: echo b; exit 3, needs: a}}\n")
    for extra in ((), ("--json",)):
        read, write = os.pipe()
        os.close(read)
        engine = cronflow.start("run", "one", *extra, stdout=write)
        os.close(write)
        errors = engine.communicate(timeout=60)[1]
        assert (engine.returncode, errors) == (1, ""), "the run's own exit code"
        assert states(record(cronflow, "one")) == {"a": "succeeded", "b": "failed"}


def test_standard_output_on_a_full_disk(cronflow: Cronflow) -> None:
    cronflow.pipeline("one", one_task)
    with open("/dev/full", "w") as full:
        done = cronflow("run", "one", capture_output=False, stdout=full, stderr=subprocess.PIPE)
        assert (done.returncode, done.stderr) == (0, ""), "the run itself went well"
        done = cronflow("run", "one", "--json", capture_output=False, stdout=full, stderr=subprocess.PIPE)
    message = "cronflow: can't write to standard output: No space left on device\n"
    assert (done.returncode, done.stderr) == (4, message)


@pytest.mark.parametrize(
    "env",
    [
        {"PYTHONIOENCODING": "ascii"},
        {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"},
        {"LC_ALL": "POSIX"},
    ],
)
def test_a_terminal_without_utf_8_gets_all_that_can_be_said(cronflow: Cronflow, env: dict[str, str]) -> None:
    cronflow.pipeline("one", "tasks: {a: {run: 'true', cwd: größe}}\n")
    done = cronflow("run", "one", env=env, encoding="latin-1")
    assert done.returncode == 1
    assert done.stderr == ""
    assert "no such directory" in done.stdout or "can't encode" in done.stdout
    assert Path(record(cronflow, "one")["definition"]["tasks"]["a"]["cwd"]).name == "größe"


def test_what_a_file_says_cannot_command_a_terminal(cronflow: Cronflow) -> None:
    cronflow.pipeline("one", 'tasks: {a: {run: "true", cwd: "\\e]0;x\\a\\e[31mred"}}\n')
    done = cronflow("run", "one")
    assert done.returncode == 1
    assert "\x1b" not in done.stdout + done.stderr
    assert "no such directory: '" in done.stdout


def test_in_a_directory_that_is_gone(cronflow: Cronflow) -> None:
    cronflow.pipeline("one", one_task)
    words = cronflow.command_line(["run", "one"])
    gone = "mkdir $HOME/gone; cd $HOME/gone; rmdir $HOME/gone"
    script = f'{gone}; "$@"; {gone}; "$1" --state-dir x list'
    done = subprocess.run(
        ["sh", "-c", script, "sh", *words],
        cwd=cronflow.home,
        env=cronflow.environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert "one succeeded" in done.stdout
    assert (done.returncode, done.stderr) == (4, "cronflow: the current directory: No such file or directory\n")


def test_what_is_typed_wrong_is_said_in_one_place(cronflow: Cronflow) -> None:
    cronflow.pipeline("daily_sales", one_task)
    directory = cronflow.pipelines_dir
    said = failed_plainly(cronflow("run", "daily_sale"), 2)
    assert said == f"cronflow: no pipeline 'daily_sale' in {directory}; did you mean 'daily_sales'?\n"
    assert failed_plainly(cronflow("run", "./missing.yaml"), 2) == "cronflow: ./missing.yaml: no such file\n"
    said = failed_plainly(cronflow("run", "daily_sales", "--task", "mian"), 2)
    assert said == "cronflow: --task mian: 'daily_sales' has no such task; did you mean 'main'?\n"
    said = failed_plainly(cronflow("run", "daily_sales", "--date", "2026-01-01"), 2)
    assert said == "cronflow: --date: 'daily_sales' has no schedule, so no periods: leave --date out\n"
    assert "Missing argument" in failed_plainly(cronflow("run"), 2)
    assert "No such option" in failed_plainly(cronflow("run", "daily_sales", "--frobnicate"), 2)
    assert not (cronflow.state_dir / "pipelines").exists()
