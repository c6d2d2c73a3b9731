"""The seam through which an attempt becomes a process: start it once, watch it from what is on disk, stop it.

`local` starts one `/bin/sh` for each attempt: it holds the attempt file's lock, notes its pid there, runs the
command in a subshell that has the file closed, and appends the exit status (design: the attempt file). No engine
has to live for that.
"""

import errno
import os
import pwd
import signal
from collections.abc import Mapping
from shutil import which

from msgspec import Struct

from cronflow.spec import DEFAULT_SHELL
from cronflow.state import attempts, files, layout, locks

RECORD_FD, SLOT_FD = 3, 4  # in the shell only; dash knows descriptors of one digit

# `$1` or `"$@"` is the command. The shell catches what it could be stopped with (an ignored signal would be
# inherited) and outlives its command by the two lines it writes. A full or broken disk delays the second: the
# exit status is kept until it can be written.
_CATCH = "trap : HUP INT QUIT TERM USR1 USR2 ALRM PIPE"
_PID = """printf ',"pid":%s\\n' "$$" >&3 || exit 125"""
_EXIT = """status=$?; until printf ',"exit":%s}\\n' "$status" >&3; do sleep 1; done 2>/dev/null"""
_TO_FILE = "{catch}\n{pid}\n( exec 3>&- 4>&-; {run} )\n{exit}"
_TO_PIPE = (
    "{catch}\n{pid}\n"
    "{{ {catch}; ( exec 3>&- 4>&-; {run} ) 2>&1; {exit}; }} | "
    "( trap '' HUP INT QUIT TERM USR1 USR2 ALRM; exec cat 3>&- 4>&- )"
)
# What `/bin/sh -e -c COMMAND` does, without a second shell. Only for commands that can't tell the difference.
_EVAL, _EXEC = 'set -e; eval "$1"', 'exec "$@"'
SCRIPTS = {
    (output, run): template.format(catch=_CATCH, pid=_PID, exit=_EXIT, run=run)
    for output, template in (("file", _TO_FILE), ("pipe", _TO_PIPE))
    for run in (_EVAL, _EXEC)
}
PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 ./_-:,@%+=")
SOURCING = frozenset({".", "source"})
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


def start(order: Order) -> int:
    """Start an attempt; returns its shell's pid. From the moment its file is there, the file tells its story.

    Raises Busy, NotStartedError (the file has the reason then), and OSError where not even the file could be made.
    """
    fd = _open_record(order)
    try:
        files.write_all(fd, attempts.head(order.head))
        try:
            return _spawn(order, fd)
        except (OSError, ValueError) as error:
            reason = why_not(error, order)
            files.write_all(fd, attempts.refusal(reason))
            raise NotStartedError(reason) from error
    finally:
        os.close(fd)


def _open_record(order: Order) -> int:
    """The attempt's file, locked and empty. One that was made but never got a shell is used again."""
    path = layout.attempt(order.run_dir, order.task, order.number)
    flags = os.O_RDWR | os.O_APPEND | os.O_CLOEXEC
    try:
        fd = os.open(path, flags | os.O_CREAT | os.O_EXCL, files.PRIVATE_FILE)
    except FileExistsError:
        fd = os.open(path, flags)
    if locks.lock(fd) and attempts.parse(os.pread(fd, 8192, 0), locked=False)[0] == "unstarted":
        os.ftruncate(fd, 0)
        return fd
    os.close(fd)
    raise Busy


def _spawn(order: Order, record: int) -> int:
    arguments, env = _arguments(order)
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
    if order.user is not None:
        _give_log(log, order.user)
    # posix_spawn knows no working directory; this process has one thread, and its own is of no use to it.
    os.chdir(order.cwd)
    try:
        return os.posix_spawn(
            "/bin/sh",
            arguments,
            env,
            file_actions=actions,
            setsid=True,
            setsigmask=(),
            setsigdef=DEFAULT_SIGNALS,
        )
    finally:
        os.chdir("/")
        if stdin is not None:
            os.close(stdin)


def _arguments(order: Order) -> tuple[list[str], Mapping[str, str]]:
    """The shell's argument list, and its environment."""
    switch = _switch_user(order.user)
    if order.shell == DEFAULT_SHELL and not switch and is_plain(order.command):
        return ["/bin/sh", "-c", SCRIPTS[order.output, _EVAL], "/bin/sh", order.command], order.env
    shell = order.shell.split()
    if order.shell != DEFAULT_SHELL:
        _require_shell(shell[0], order.env)
    command = [*switch, *shell, "-c", order.command]
    return ["/bin/sh", "-c", SCRIPTS[order.output, _EXEC], "/bin/sh", *command], order.env


def is_plain(command: str) -> bool:
    """Whether a command is plain words, which a subshell runs exactly as a shell of its own would.

    Without `$` it can't ask for `$$` or `$0`; a sourced script could.
    """
    return PLAIN.issuperset(command) and SOURCING.isdisjoint(command.split())


def _require_shell(name: str, env: Mapping[str, str]) -> None:
    if which(name, path=env.get("PATH", os.defpath)) is None:
        raise FileNotFoundError(f"no such shell: '{name}'")


def _switch_user(user: str | None) -> list[str]:
    """The words that run the rest as another user. Only root can, and who is that user already needs none."""
    if user is None:
        return []
    account = _account(user)
    if os.geteuid() != 0:
        if account.pw_uid == os.geteuid():
            return []
        raise PermissionError(f"user '{user}': only root can run a task as another user")
    if which("setpriv") is None:
        raise FileNotFoundError(f"user '{user}': the command setpriv is needed (Debian: util-linux)")
    groups = ",".join(map(str, os.getgrouplist(user, account.pw_gid)))
    return ["setpriv", f"--reuid={account.pw_uid}", f"--regid={account.pw_gid}", f"--groups={groups}", "--"]


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
        return f"no such directory: '{order.cwd}'"
    if error.filename == order.cwd:
        return f"can't enter the directory '{order.cwd}': {error.strerror}"
    return {
        errno.E2BIG: "command and environment are too large for the system (see 'getconf ARG_MAX')",
        errno.EAGAIN: "too many processes: the system refused another one (see 'ulimit -u')",
        errno.ENOMEM: "not enough memory to start a process",
        errno.ENOSPC: "no space left for its log",
    }.get(error.errno, f"can't be started: {error}")
