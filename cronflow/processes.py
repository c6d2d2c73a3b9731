"""Processes of an attempt that are still there, and telling them to stop. Linux's /proc, read without trust.

A process belongs to an attempt if it is in the session of the attempt's shell, or carries the attempt's id in the
environment it was started with: that finds what left the session (setsid, double forks) as well.
"""

import os
import signal
from collections.abc import Sequence
from contextlib import suppress


def signal_all(attempt_id: str, shell_pid: int, *signals: int) -> None:
    """Send once to every process of an attempt whose shell is known to live: to its group, then to who left that."""
    with suppress(ProcessLookupError, PermissionError):
        for number in signals:
            os.killpg(shell_pid, number)
    for pid in survivors(attempt_id, shell_pid):
        if not _in_group(pid, shell_pid):
            _send(pid, attempt_id, shell_pid, signals)


def survivors(attempt_id: str, session: int | None) -> list[int]:
    """The pids of an attempt's processes, without its shell and without zombies.

    `session` is the pid of the attempt's shell, None where that pid may be a stranger's by now.
    """
    pids = (int(name) for name in os.listdir("/proc") if name.isdecimal())
    return [pid for pid in pids if _belongs(pid, attempt_id, session)]


def signal_survivors(attempt_id: str, session: int | None, *signals: int) -> int:
    """Send to each of them, by descriptor: a pid that is reused meanwhile is not hit. Returns how many there were."""
    pids = survivors(attempt_id, session)
    for pid in pids:
        _send(pid, attempt_id, session, signals)
    return len(pids)


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
            if _belongs(pid, attempt_id, session):
                for number in signals:
                    signal.pidfd_send_signal(handle, number)
        finally:
            os.close(handle)


def _in_group(pid: int, group: int) -> bool:
    with suppress(ProcessLookupError):
        return os.getpgid(pid) == group
    return False


def _belongs(pid: int, attempt_id: str, session: int | None) -> bool:
    if pid in {os.getpid(), session}:
        return False
    return _in_session(pid, session) or b"CRONFLOW_ATTEMPT_ID=" + attempt_id.encode() in _environment(pid)


def _in_session(pid: int, session: int | None) -> bool:
    state = _state_and_session(pid)
    return session is not None and state is not None and state[1] == session and state[0] not in "ZX"


def _state_and_session(pid: int) -> tuple[str, int] | None:
    """The process's state letter and session, from /proc/PID/stat: its name may hold spaces and parentheses."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
        return fields[0].decode(), int(fields[3])
    except (OSError, IndexError, ValueError):
        return None


def _environment(pid: int) -> list[bytes]:
    """The variables a process was started with. A zombie has none."""
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            return file.read().split(b"\0")
    except OSError:
        return []
