"""Attempts as processes: what is told to the shell, what is in the file, and that a short cut can't be told."""

import os
import pwd
import signal
import stat
from itertools import count
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import Struct
from msgspec.structs import replace

from cronflow import executor
from cronflow.executor import Busy, NotStartedError, Order
from cronflow.spec import DEFAULT_SHELL
from cronflow.state import attempts, layout, locks

SAME_SHELL = DEFAULT_SHELL + " "  # the same words, but not taken for the default: no short cut
ROOT = os.geteuid() == 0


class Outcome(Struct, frozen=True):
    """What an attempt left: the exit status in its file, and its log."""

    exit: int | None
    log: bytes


@pytest.fixture
def order(tmp_path: Path) -> Order:
    executor.prepare()
    run_dir, cwd = tmp_path / "run", tmp_path / "cwd"
    run_dir.mkdir()
    cwd.mkdir()
    return Order(
        run_dir=str(run_dir),
        task="main",
        number=1,
        head=attempts.Head("etl/1/main/1@0", "boot", "2026-11-22T00:00:00.000Z", 12.5),
        command="true",
        shell=DEFAULT_SHELL,
        output="file",
        cwd=str(cwd),
        env={"PATH": os.environ["PATH"], "PWD": str(cwd), "LC_ALL": "C"},
        user=None,
        stdin=None,
        slot=None,
    )


def done(order: Order) -> Outcome:
    """Start it, wait for it."""
    pid = executor.start(order)
    os.waitpid(pid, 0)
    phase, whole, _ = attempts.look(order.run_dir, order.task, order.number)
    assert whole is not None
    assert whole.pid == pid
    assert phase == "ended"
    return Outcome(whole.exit, Path(order.run_dir, layout.log_name(order.task, order.number)).read_bytes())


def fresh(order: Order, **changes: object) -> Order:
    """The same order for the next attempt."""
    return replace(order, number=order.number + 1, **changes)


# The short cut for plain commands

PLAIN = [
    "true",
    "false",
    ":",
    ": a b",
    "echo one  two   three",
    "   echo padded   ",
    "echo -n x",
    "echo a=b -x %s @ + : , ./x ../y",
    "printf %s-%s a b",
    "test a = a",
    "test a = b",
    "test",
    "pwd",
    "env",
    "env A=1 B=2 env",
    "env -i env",
    "missing-command with words",
    "./missing",
    "./directory",
    "./not-executable",
    "./bad-interpreter",
    "./no-interpreter a b",
    "./exit-seven",
    "./killed-by-term",
    "./killed-by-segv",
    "./killed-by-pipe",
    "./kills-its-group",
    "./arguments a  b = c=d %1 x",
    "./descriptors",
    "./nature",
    "cat",
    "cat missing",
    "%1",
    "@",
    ",",
    "..",
    "/",
    "sh -c true",
    "sh -c false",
    "sleep 0",
    "env sh ./exit-seven",
]
NOT_PLAIN = [
    "",
    "   ",
    "exit 3",
    "cd x",
    "A=1 env",
    "A=1",
    "a+=1 b",
    "export A",
    ". ./file",
    "exec true",
    "eval true",
    "trap",
    "kill 0",
    "wait",
    "if",
    "{ true",
    "umask 0",
    "ulimit -n 5",
    "set -x",
    "-x",
    "-",
    "-- true",
    "+x",
    "true && true",
    "true; false",
    "true\nfalse",
    "true #",
    "echo *",
    "echo ~",
    "echo ?",
    "echo [a]",
    "echo $HOME",
    "echo `id`",
    "echo 'a'",
    'echo "a"',
    "echo a\\b",
    "! true",
    "time true",
    "true &",
    "true | true",
    "true > x",
    "true < x",
    "(true)",
    "echo ä",
    "true\t",
    "alias",
    "read x",
    "shift",
    "return",
    "break",
    "command true",
    "type true",
    "hash",
    "source x",
    "let a=1",
]
SCRIPTS = {
    "exit-seven": "exit 7",
    "killed-by-term": "kill -TERM $$",
    "killed-by-segv": "kill -SEGV $$",
    "killed-by-pipe": "kill -PIPE $$",
    "kills-its-group": "kill -TERM 0",
    "arguments": 'printf "<%s>" "$0" "$@"',
    "descriptors": "exec ls /proc/self/fd",
    "nature": "umask; ulimit -a; grep Sig /proc/self/status | sed /SigQ/d; cat /proc/$$/comm; readlink /proc/$$/cwd",
}


@pytest.fixture
def programs(order: Order) -> Order:
    """Programs of every sort in the working directory."""
    cwd = Path(order.cwd)
    for name, text in SCRIPTS.items():
        (cwd / name).write_text(f"#!/bin/sh\n{text}\n")
        (cwd / name).chmod(0o755)
    (cwd / "directory").mkdir()
    (cwd / "not-executable").write_text("#!/bin/sh\n")
    (cwd / "bad-interpreter").write_text("#!/no/such/interpreter\n")
    (cwd / "bad-interpreter").chmod(0o755)
    (cwd / "no-interpreter").write_text('echo "$#: $*"\n')
    (cwd / "no-interpreter").chmod(0o755)
    return order


@pytest.mark.parametrize("output", ["file", "pipe"])
@pytest.mark.parametrize("command", PLAIN)
def test_a_plain_command_is_the_same_with_and_without_a_shell_of_its_own(
    programs: Order, command: str, output: str
) -> None:
    assert executor.is_plain(command)
    short = done(fresh(programs, command=command, output=output, shell=DEFAULT_SHELL))
    whole = done(fresh(fresh(programs), command=command, output=output, shell=SAME_SHELL))
    assert without_noise(short) == without_noise(whole)


def without_noise(found: Outcome) -> Outcome:
    """Which line of which shell said it, and what a shell notes for itself, is no difference."""
    lines = found.log.splitlines(keepends=True)
    kept = [line for line in lines if not line.startswith((b"SHLVL=", b"_=", b"OLDPWD="))]
    return Outcome(found.exit, b"".join(map(without_place, kept)))


def without_place(line: bytes) -> bytes:
    """`/bin/sh: 3: eval: x: not found` -> `x: not found`."""
    if not line.startswith(b"/bin/sh: "):
        return line
    said = line.removeprefix(b"/bin/sh: ").split(b": ")
    return b": ".join(part for part in said if not (part.isdigit() or part == b"eval" or part.startswith(b"line ")))


NUMBERS = count(1)


@given(
    first=st.sampled_from(["echo", "printf", "test", "expr", "true", "missing", "./missing", "basename"]),
    words=st.lists(st.text(alphabet=sorted(executor.PLAIN), max_size=5), max_size=4),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_plain_words_are_the_same_words_either_way(order: Order, first: str, words: list[str]) -> None:
    asked = replace(order, number=next(NUMBERS), command=" ".join([first, *words]))
    assert without_noise(done(replace(asked, task="short"))) == without_noise(
        done(replace(asked, task="whole", shell=SAME_SHELL))
    )


@pytest.mark.parametrize("command", NOT_PLAIN)
def test_what_a_shell_would_read_differently_gets_its_own(command: str) -> None:
    assert not executor.is_plain(command)


# What a shell is started with


def test_a_command_runs_in_its_shell_with_minus_e(order: Order) -> None:
    assert done(replace(order, command="false; echo no")) == Outcome(1, b"")
    assert done(fresh(order, command="echo $0 $#; exit 3")) == Outcome(3, b"/bin/sh 0\n")


@pytest.mark.parametrize(
    ("shell", "command", "expected"),
    [
        ("bash -eo pipefail", "false | true; echo no", Outcome(1, b"")),
        ("bash", "false; echo $BASH_VERSION | cut -c1 | wc -l", Outcome(0, b"1\n")),
        ("/bin/sh", "false; echo yes", Outcome(0, b"yes\n")),
        ("sh", "echo yes", Outcome(0, b"yes\n")),
        ("env A=1 sh -e", "echo $A", Outcome(0, b"1\n")),
        ("./my-shell --loud", "a b", Outcome(0, b"--loud -c a b\n")),
    ],
)
def test_shell_is_a_command_line(order: Order, shell: str, command: str, expected: Outcome) -> None:
    mine = Path(order.cwd, "my-shell")
    mine.write_text('#!/bin/sh\necho "$@"\n')
    mine.chmod(0o755)
    assert done(replace(order, shell=shell, command=command)) == expected


def test_the_shell_is_looked_for_on_the_tasks_path(order: Order, tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    mine = tmp_path / "bin" / "my-shell"
    mine.write_text("#!/bin/sh\necho mine\n")
    mine.chmod(0o755)
    with pytest.raises(NotStartedError, match="no such shell: 'my-shell'"):
        executor.start(replace(order, shell="my-shell"))
    env = order.env | {"PATH": f"{tmp_path}/bin:/bin:/usr/bin"}
    assert done(fresh(order, shell="my-shell", env=env)) == Outcome(0, b"mine\n")


@pytest.mark.parametrize("output", ["file", "pipe"])
@pytest.mark.parametrize("code", [0, 1, 2, 99, 125, 126, 127, 128, 129, 254, 255])
def test_every_exit_code_comes_through(order: Order, code: int, output: str) -> None:
    assert done(replace(order, command=f"exit {code}", output=output)).exit == code


@pytest.mark.parametrize("output", ["file", "pipe"])
@pytest.mark.parametrize("name", ["HUP", "INT", "TERM", "KILL", "USR1", "USR2", "ALRM", "PIPE", "ABRT"])
def test_a_command_killed_by_a_signal_has_128_and_its_number(order: Order, name: str, output: str) -> None:
    number = signal.Signals[f"SIG{name}"].value
    assert done(replace(order, command=f"kill -{name} $$; sleep 60", output=output)).exit == 128 + number


@pytest.mark.parametrize("output", ["file", "pipe"])
@pytest.mark.parametrize("name", ["HUP", "INT", "QUIT", "TERM", "USR1", "USR2", "ALRM", "PIPE"])
def test_a_signal_to_the_group_leaves_the_exit_code_to_the_command(order: Order, name: str, output: str) -> None:
    command = f"trap 'exit 42' {name}; kill -{name} 0; sleep 60 & wait; wait"
    assert done(replace(order, command=command, output=output)).exit == 42


@pytest.mark.parametrize("output", ["file", "pipe"])
def test_standard_input_is_empty_or_the_text(order: Order, output: str) -> None:
    assert done(replace(order, command="cat; echo $?", output=output)) == Outcome(0, b"0\n")
    assert done(fresh(order, command="cat", stdin="", output=output)).log == b""
    text = "ä\n\0%s\n" + "x" * 300_000
    again = fresh(fresh(order), command="cat", stdin=text, output=output)
    assert done(again) == Outcome(0, text.encode())


def test_a_task_may_read_its_input_again_and_from_a_script(order: Order) -> None:
    command = "read a; cat /dev/stdin; echo $a"
    assert done(replace(order, command=command, stdin="one\ntwo\n")) == Outcome(0, b"one\ntwo\none\n")


def test_a_command_may_be_as_long_as_the_system_lets_it(order: Order) -> None:
    text = "x" * (128 * 1024 - 100)
    assert done(replace(order, command=f"echo '{text}' | wc -c")) == Outcome(0, b"%d\n" % (len(text) + 1))


def test_what_is_not_ascii_reaches_the_command_as_utf_8(order: Order) -> None:
    env = order.env | {"NAME": "Größe €"}
    assert done(replace(order, command='echo "$NAME über"', env=env)) == Outcome(0, "Größe € über\n".encode())


# Files and modes


def test_file_and_log_are_private_whatever_the_umask(order: Order) -> None:
    before = os.umask(0)
    try:
        done(replace(order, command="umask"))
    finally:
        os.umask(before)
    for name in ("main.1.json", "main.1.log"):
        assert stat.S_IMODE(Path(order.run_dir, name).stat().st_mode) == 0o600
    assert Path(order.run_dir, "main.1.log").read_text() == "0000\n"


def test_the_engines_own_descriptors_stay_closed(order: Order) -> None:
    before = sorted(os.listdir("/proc/self/fd"))
    done(replace(order, stdin="text"))
    with pytest.raises(NotStartedError):
        executor.start(fresh(order, stdin="text", cwd="/no/such/directory"))
    with pytest.raises(NotStartedError):
        executor.start(fresh(fresh(order), stdin="text", shell="no-such-shell"))
    assert sorted(os.listdir("/proc/self/fd")) == before


@pytest.mark.parametrize("output", ["file", "pipe"])
@pytest.mark.parametrize("command", ["ls /proc/self/fd", "ls /proc/self/fd && true", "(ls /proc/self/fd) | cat"])
def test_a_task_has_three_descriptors(order: Order, tmp_path: Path, command: str, output: str) -> None:
    slot = locks.open_locked(str(tmp_path / "slot"))
    # The fourth is that of `ls`, which reads the directory.
    assert done(replace(order, command=command, output=output, slot=slot, stdin="x")) == Outcome(0, b"0\n1\n2\n3\n")


def test_what_was_inherited_is_kept_from_tasks(order: Order) -> None:
    read, write = os.pipe()
    os.set_inheritable(write, True)
    executor.prepare()
    assert not os.get_inheritable(write)
    os.close(read)
    os.close(write)


# The file, while and after


def test_the_file_is_locked_while_the_command_runs_and_says_who(order: Order, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    pid = executor.start(replace(order, command=f"read x < {gate} || exit 5"))
    with gate.open("w"):
        phase, whole, _ = attempts.look(order.run_dir, "main", 1)
        assert phase == "running"
        assert whole is not None
        assert (whole.pid, whole.exit, whole.attempt_id) == (pid, None, order.head.attempt_id)
        with pytest.raises(Busy):
            executor.start(order)
        with pytest.raises(Busy):
            executor.refuse(order.run_dir, "main", 1, order.head, "no")
    os.waitpid(pid, 0)
    phase, whole, _ = attempts.look(order.run_dir, "main", 1)
    assert phase == "ended"
    assert whole is not None
    assert whole.exit == 5


def test_an_attempt_is_started_once(order: Order) -> None:
    done(replace(order, command="echo once"))
    with pytest.raises(Busy):
        executor.start(order)
    assert Path(order.run_dir, "main.1.log").read_bytes() == b"once\n"


def test_an_attempt_that_never_got_a_shell_is_started_now(order: Order) -> None:
    path = Path(layout.attempt(order.run_dir, "main", 1))
    for content in (b"", b'{"att', attempts.head(order.head)):
        path.write_bytes(content)
        assert done(replace(order, command="exit 4")).exit == 4
        path.unlink()


def test_another_engine_that_is_just_starting_it_is_left_alone(order: Order) -> None:
    path = layout.attempt(order.run_dir, "main", 1)
    fd = locks.open_locked(path)
    assert fd is not None
    with pytest.raises(Busy):
        executor.start(order)
    os.close(fd)
    assert done(order).exit == 0


@pytest.mark.parametrize("output", ["file", "pipe"])
@pytest.mark.parametrize("command", ["cat /dev/fd/3", "printf x >&3", "printf x >&4", "cat <&3", "ls /proc/self/fd/3"])
def test_a_task_can_neither_read_nor_write_its_own_record(order: Order, command: str, output: str) -> None:
    found = done(replace(order, command=f"{command}; exit 9", shell="/bin/sh", output=output))
    assert found.exit in {2, 9}, found
    lines = Path(layout.attempt(order.run_dir, "main", 1)).read_bytes().split(b"\n")
    assert len(lines) == 4, "a head, a pid, an end, and nothing after it"


# What can't be started


def refusal(order: Order) -> str:
    """The reason that is raised; the same must be in the file."""
    with pytest.raises(NotStartedError) as caught:
        executor.start(order)
    phase, whole, _ = attempts.look(order.run_dir, order.task, order.number)
    assert phase == "ended"
    assert whole is not None
    assert whole.error == str(caught.value)
    return str(caught.value)


def test_the_reason_is_plain(order: Order, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    numbered = iter(replace(order, number=number) for number in range(1, 99))
    assert refusal(replace(next(numbered), cwd="/no/such")) == "no such directory: '/no/such'"
    assert refusal(replace(next(numbered), cwd=str(tmp_path / "file"))) == f"not a directory: '{tmp_path}/file'"
    assert refusal(replace(next(numbered), shell="no-such-shell -e")) == "no such shell: 'no-such-shell'"
    assert refusal(replace(next(numbered), shell="./no-such-shell")) == "no such shell: './no-such-shell'"
    assert refusal(replace(next(numbered), shell="/bin")) == "no such shell: '/bin'"
    assert refusal(replace(next(numbered), user="no-such-user")) == "no such user: 'no-such-user'"
    large = order.env | {"LARGE": "x" * 3_000_000}
    assert refusal(replace(next(numbered), env=large)) == (
        "command and environment are too large for the system (see 'getconf ARG_MAX')"
    )
    nul = order.env | {"A": "x\0y"}
    assert refusal(replace(next(numbered), env=nul)) == "can't be started: embedded null byte"


@pytest.mark.skipif(ROOT, reason="root may enter any directory")
def test_a_directory_that_may_not_be_entered(order: Order, tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(0o000)
    assert refusal(replace(order, cwd=str(closed))) == f"can't enter the directory '{closed}': Permission denied"


@pytest.mark.skipif(ROOT, reason="root may run a task as anybody")
def test_only_root_runs_tasks_as_others(order: Order) -> None:
    assert refusal(replace(order, user="root")) == "user 'root': only root can run a task as another user"


def test_as_oneself_a_task_may_always_run(order: Order) -> None:
    mine = [account.pw_name for account in pwd.getpwall() if account.pw_uid == os.geteuid()]
    if not mine:
        pytest.skip("this user has no name here")
    assert done(replace(order, user=mine[0], command="id -u")) == Outcome(0, b"%d\n" % os.geteuid())


def test_a_refusal_may_be_longer_than_the_file_should_be(order: Order) -> None:
    executor.refuse(order.run_dir, "main", 1, order.head, "ä" * 10_000)
    assert Path(layout.attempt(order.run_dir, "main", 1)).stat().st_size < 4096
    phase, whole, _ = attempts.look(order.run_dir, "main", 1)
    assert phase == "ended"
    assert whole is not None
    assert whole.error is not None
    assert set(whole.error) == {"ä"}


def test_an_attempt_whose_shell_gave_up_gets_its_end(order: Order) -> None:
    path = Path(layout.attempt(order.run_dir, "main", 1))
    for begun in (attempts.head(order.head), attempts.head(order.head) + b',"pid":4711\n'):
        path.write_bytes(begun)
        executor.give_up(order.run_dir, "main", 1, "no processes left")
        phase, whole, _ = attempts.look(order.run_dir, "main", 1)
        assert (phase, whole and whole.error) == ("ended", "no processes left")
