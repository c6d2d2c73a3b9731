"""The seam through which an attempt becomes a process: start it once, watch it from what is on disk, stop it.

One `/bin/sh` is started for each attempt: it holds the attempt file's lock, notes its pid there, runs the command
with the file closed, and appends the exit status (design: the attempt file). No engine has to live for that.
"""

import errno
import os
import pwd
import signal
from collections.abc import Mapping
from contextlib import suppress
from shutil import which

from msgspec import Struct

from cronflow.spec import DEFAULT_SHELL
from cronflow.state import attempts, files, layout, locks

SCARCE = {errno.EMFILE, errno.ENFILE}  # the engine's own want of descriptors, no fault of a task
RECORD_FD, SLOT_FD = 3, 4  # in the shell only; dash knows descriptors of one digit

# The shell catches what it could be stopped with (an ignored signal would be inherited) and outlives its command by
# the line it writes then; a full or broken disk delays that line, and the exit status is kept until it can be
# written. What it says itself of a killed command may be what exceeds the limit of file sizes (XFSZ). The command
# gets neither the file nor the slot: the shell keeps both under descriptors that an exec closes.
_CATCH = "trap : HUP INT QUIT TERM USR1 USR2 ALRM PIPE XFSZ"
_PID = """printf ',"pid":%s\\n' "$$" >&3 || exit 125"""
_EXIT = """status=$?; until printf ',"exit":%s}\\n' "$status" >&3; do sleep 1; done"""
_TO_FILE = "{catch}\n{pid}\n{run} 3>&- 4>&-\n{exit}"
_TO_PIPE = (
    "{catch}\n{pid}\n"
    "{{ {catch}; {run} 3>&- 4>&-; {exit}; }} 2>&1 | "
    "( trap '' HUP INT QUIT TERM USR1 USR2 ALRM; exec cat 3>&- 4>&- )"
)
# A shell of its own for the command, or, where that could not tell the difference, this one.
_OWN, _HERE = '"$@"', 'eval "$1"'
SCRIPTS = {
    (output, run): template.format(catch=_CATCH, pid=_PID, exit=_EXIT, run=run)
    for output, template in (("file", _TO_FILE), ("pipe", _TO_PIPE))
    for run in (_OWN, _HERE)
}
PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 ./_-:,@%+=")
# What is no program: words of the grammar, and builtins that change or read the shell itself (dash, bash, busybox).
SHELL_WORDS = frozenset(
    """alias bg bind break builtin caller case cd chdir command compgen complete compopt continue coproc declare dirs
    disown do done elif else enable esac eval exec exit export fc fg fi for function getopts hash help history if in
    jobs kill let local logout mapfile popd pushd read readarray readonly return select set shift shopt source suspend
    then time times trap type typeset ulimit umask unalias unset until wait while .""".split()  # noqa: SIM905 - prose
)
# A stopped process does not act on SIGTERM until it goes on.
TERM, KILL = (signal.SIGTERM, signal.SIGCONT), (signal.SIGKILL,)
DEFAULT_SIGNALS = sorted(signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP})


class NotStartedError(Exception):
    """The attempt can't be started. The text is the reason, for its record."""


class Busy(Exception):
    """The attempt's file is locked: it runs already."""


class Order(Struct, frozen=True, kw_only=True):
    """All that starting one attempt needs. `slot` is the descriptor of a pool's slot, or None."""

    run_dir: str
    task: str
    number: int
    head: attempts.Head
    command: str
    shell: str
    output: str
    cwd: str
    env: Mapping[str, str]
    user: str | None
    stdin: str | None
    slot: int | None


def prepare() -> None:
    """Make this a process that starts tasks. Raises ValueError outside the main thread.

    What it was started with beside the three standard streams (locks, pipes) is kept from them, and the kernel
    keeps what they used until it is asked: where SIGCHLD is ignored, it does not.
    """
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for name in os.listdir("/proc/self/fd"):
        if int(name) > 2:
            with suppress(OSError):
                os.set_inheritable(int(name), False)  # noqa: FBT003 - the library's only form


def start(order: Order) -> int:
    """Start an attempt; returns its shell's pid. From the moment its file is there, the file tells its story.

    Raises Busy, NotStartedError (the file has the reason then), and OSError where not even the file could be made.
    """
    fd = _open_record(order.run_dir, order.task, order.number)
    try:
        files.write_all(fd, attempts.head(order.head))
        try:
            return _spawn(order, fd)
        except (OSError, ValueError) as error:
            if isinstance(error, OSError) and error.errno in SCARCE:
                raise  # its file says that it was never started
            reason = why_not(error, order)
            files.write_all(fd, attempts.refusal(reason))
            raise NotStartedError(reason) from error
    finally:
        os.close(fd)


def refuse(run_dir: str, task: str, number: int, head: attempts.Head, reason: str) -> None:
    """Record an attempt that could not even be tried, with its reason. Raises Busy and OSError as `start` does."""
    fd = _open_record(run_dir, task, number)
    try:
        files.write_all(fd, attempts.head(head) + attempts.refusal(reason))
    finally:
        os.close(fd)


def give_up(run_dir: str, task: str, number: int, reason: str) -> None:
    """End the file of an attempt whose shell ended by itself without noting an exit code."""
    fd = os.open(layout.attempt(run_dir, task, number), os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
    try:
        files.write_all(fd, attempts.refusal(reason))
    finally:
        os.close(fd)


def _open_record(run_dir: str, task: str, number: int) -> int:
    """The attempt's file, locked and empty. One that was made but never got a shell is used again."""
    path = layout.attempt(run_dir, task, number)
    flags = os.O_RDWR | os.O_APPEND | os.O_CLOEXEC
    try:
        fd = os.open(path, flags | os.O_CREAT | os.O_EXCL, files.PRIVATE_FILE)
    except FileExistsError:
        fd = os.open(path, flags)
    if locks.lock(fd):
        content = os.pread(fd, 8192, 0)
        if not content:
            return fd
        if attempts.parse(content, locked=False)[0] == "unstarted":
            files.remove(layout.stop(run_dir, task, number))  # of something that never ran
            os.ftruncate(fd, 0)
            return fd
    os.close(fd)
    raise Busy


def _spawn(order: Order, record: int) -> int:
    arguments = _arguments(order)
    log = f"{order.run_dir}/{layout.log_name(order.task, order.number)}"
    stdin = None if order.stdin is None else _text_file(order.stdin)
    actions: list[tuple[int, ...] | tuple[int, int, str, int, int]] = [
        (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0) if stdin is None else (os.POSIX_SPAWN_DUP2, stdin, 0),
        (os.POSIX_SPAWN_OPEN, 1, log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, files.PRIVATE_FILE),
        (os.POSIX_SPAWN_DUP2, 1, 2),
        (os.POSIX_SPAWN_DUP2, record, RECORD_FD),
    ]
    if order.slot is not None:
        actions.append((os.POSIX_SPAWN_DUP2, order.slot, SLOT_FD))
    try:
        if order.user is not None:
            _give_log(log, order.user)
        # posix_spawn knows no working directory; this process has one thread, and its own is of no use to it.
        os.chdir(order.cwd)
        return os.posix_spawn(
            "/bin/sh",
            arguments,
            order.env,
            file_actions=actions,
            setsid=True,
            setsigmask=(),
            setsigdef=DEFAULT_SIGNALS,
        )
    finally:
        os.chdir("/")
        if stdin is not None:
            os.close(stdin)


def _arguments(order: Order) -> list[str]:
    """The shell's argument list."""
    switch = _switch_user(order.user)
    if order.shell == DEFAULT_SHELL and not switch and is_plain(order.command):
        return ["/bin/sh", "-c", SCRIPTS[order.output, _HERE], "/bin/sh", order.command]
    shell = order.shell.split()
    shell[0] = _program(shell[0], order.cwd, order.env)
    return ["/bin/sh", "-c", SCRIPTS[order.output, _OWN], "/bin/sh", *switch, *shell, "-c", order.command]


def is_plain(command: str) -> bool:
    """Whether a command is one program or harmless builtin with plain words, the same in whichever shell runs it."""
    if not PLAIN.issuperset(command):
        return False
    first = command.split(maxsplit=1)[:1]
    return bool(first) and first[0] not in SHELL_WORDS and first[0][0] not in "-+" and "=" not in first[0]


def _program(name: str, cwd: str, env: Mapping[str, str]) -> str:
    """The path of the program that is to be the shell: one with a `/` is looked for where the task will be."""
    path = which(os.path.join(cwd, name) if "/" in name else name, path=env.get("PATH", os.defpath))
    if path is None:
        raise FileNotFoundError(f"no such shell: '{name}'")
    return path


def _switch_user(user: str | None) -> list[str]:
    """The words that run the rest as another user. Only root can, and who is that user already needs none."""
    if user is None:
        return []
    account = _account(user)
    if os.geteuid() != 0:
        if account.pw_uid == os.geteuid():
            return []
        raise PermissionError(f"user '{user}': only root can run a task as another user")
    setpriv = which("setpriv")
    if setpriv is None:
        raise FileNotFoundError(f"user '{user}': the command setpriv is needed (Debian: util-linux)")
    groups = ",".join(map(str, os.getgrouplist(user, account.pw_gid)))
    return [setpriv, f"--reuid={account.pw_uid}", f"--regid={account.pw_gid}", f"--groups={groups}", "--"]


def _account(user: str) -> pwd.struct_passwd:
    try:
        return pwd.getpwnam(user)
    except KeyError:
        raise FileNotFoundError(f"no such user: '{user}'") from None


def user_variables(user: str | None) -> dict[str, str]:
    """What a task with `user` finds of that user in its environment; empty where there is no such user."""
    if user is None:
        return {}
    try:
        account = pwd.getpwnam(user)
    except KeyError:
        return {}
    return {"HOME": account.pw_dir, "USER": user, "LOGNAME": user, "SHELL": account.pw_shell or "/bin/sh"}


def _give_log(log: str, user: str) -> None:
    """Make the log, the user's own."""
    fd = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, files.PRIVATE_FILE)
    try:
        if os.geteuid() == 0:
            account = _account(user)
            os.fchown(fd, account.pw_uid, account.pw_gid)
    finally:
        os.close(fd)


def _text_file(text: str) -> int:
    """A file without a name that holds the text, at its beginning."""
    fd = os.memfd_create("stdin")
    files.write_all(fd, text.encode())
    os.lseek(fd, 0, os.SEEK_SET)
    return fd


def why_not(error: OSError | ValueError, order: Order) -> str:
    """What kept an attempt from starting, for a person."""
    if isinstance(error, ValueError):
        return f"can't be started: {error}"
    if error.errno is None:
        return str(error)
    if error.filename == order.cwd and not os.path.isdir(order.cwd):
        return f"{'not a' if os.path.lexists(order.cwd) else 'no such'} directory: '{order.cwd}'"
    if error.filename == order.cwd:
        return f"can't enter the directory '{order.cwd}': {error.strerror}"
    return {
        errno.E2BIG: "command and environment are too large for the system (see 'getconf ARG_MAX')",
        errno.EAGAIN: "too many processes: the system refused another one (see 'ulimit -u')",
        errno.ENOMEM: "not enough memory to start a process",
        errno.ENOSPC: "no space left for its log",
    }.get(error.errno, f"can't be started: {error}")
