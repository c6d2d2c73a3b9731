"""Processes of an attempt that are still there, and telling them to stop. Linux's /proc, read without trust.

A process belongs to an attempt if it is in the session of the attempt's shell, or carries the attempt's id in the
environment it was started with: that finds what left the session (setsid, double forks) as well.

One look at /proc takes a while, and serves for every attempt that is stopped at that moment.
"""

import os
import signal
from collections.abc import Iterable, Sequence
from contextlib import suppress

from msgspec import Struct

MARK = b"\0CRONFLOW_ATTEMPT_ID="


class Process(Struct, frozen=True):
    """A process as it was seen: its group, its session, and the attempt that its environment names, if any."""

    pid: int
    group: int
    session: int
    attempt_id: str | None


def look() -> list[Process]:
    """Every process of this machine but this one and zombies."""
    pids = (int(name) for name in os.listdir("/proc") if name.isdecimal())
    return [seen for seen in map(_see, pids) if seen is not None]


def survivors(seen: Iterable[Process], attempt_id: str, session: int | None) -> list[Process]:
    """Those of an attempt, without its shell.

    `session` is the pid of the attempt's shell, None where that pid may be a stranger's by now.
    """
    return [process for process in seen if _belongs(process, attempt_id, session)]


def signal_all(seen: Iterable[Process], attempt_id: str, shell_pid: int, *signals: int) -> None:
    """Send once to every process of an attempt whose shell is known to live: to its group, then to who left that."""
    with suppress(ProcessLookupError, PermissionError):
        for number in signals:
            os.killpg(shell_pid, number)
    for process in survivors(seen, attempt_id, shell_pid):
        if process.group != shell_pid:
            _send(process.pid, attempt_id, shell_pid, signals)


def signal_survivors(seen: Iterable[Process], attempt_id: str, session: int | None, *signals: int) -> int:
    """Send to each of them, by descriptor: a pid that is reused meanwhile is not hit. Returns how many there were."""
    found = survivors(seen, attempt_id, session)
    for process in found:
        _send(process.pid, attempt_id, session, signals)
    return len(found)


def still_session(shell_pid: int | None) -> int | None:
    """The session of a shell that is gone, unless its pid has a new owner: then that is a stranger's session.

    While any process is in the session, the kernel gives its number to nobody else.
    """
    if shell_pid is None or os.path.exists(f"/proc/{shell_pid}"):
        return None
    return shell_pid


def _send(pid: int, attempt_id: str, session: int | None, signals: Sequence[int]) -> None:
    with suppress(ProcessLookupError, PermissionError):
        handle = os.pidfd_open(pid)
        try:
            now = _see(pid) if signals else None
            if now is not None and _belongs(now, attempt_id, session):
                for number in signals:
                    signal.pidfd_send_signal(handle, number)
        finally:
            os.close(handle)


def _belongs(process: Process, attempt_id: str, session: int | None) -> bool:
    if process.pid == session:
        return False
    return process.session == session or process.attempt_id == attempt_id


def _see(pid: int) -> Process | None:
    """One process now, from /proc/PID/stat: its name may hold spaces and parentheses. None where there is none."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            state, _, group, session = file.read().rpartition(b")")[2].split()[:4]
        if state in b"ZX" or pid == os.getpid():
            return None
        return Process(pid, int(group), int(session), _attempt_id(pid))
    except (FileNotFoundError, ProcessLookupError, ValueError):
        return None


def _attempt_id(pid: int) -> str | None:
    """The attempt that a process's environment named when it was started. Another user's is not for us to read."""
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            _, mark, rest = (b"\0" + file.read()).partition(MARK)
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return None
    return rest.partition(b"\0")[0].decode("utf-8", "replace") if mark else None
