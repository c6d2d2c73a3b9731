"""Runs the real command in children that are killed at a chosen moment: between any two of its effects.

A request is a line of JSON on standard input: `{"arguments": […], "kill_at": N or null, "env": {…}, "output": PATH,
"state": DIR}`. The answer is a line on standard output: `{"code": …, "effects": …}`; the code is null where the child
was killed, and "hung" where it did not end. The child gets SIGKILL right before its Nth effect. Its tasks find its
pid in $ENGINE.

An effect is what another process, or the next engine, could see: a file of the state directory opened for writing,
made, written, synced, renamed, removed, locked or closed (which unlocks it), a process started, signalled or
collected. Python's own audit events tell of most of them; the rest are counted on their way into `os`. The product
has no part in this. One process serves many requests, so that only the first pays for importing.
"""

import fcntl
import json
import mmap
import os
import select
import signal
import sys
from collections.abc import Callable
from typing import Any

from cronflow.cli import foreground, run  # noqa: F401 - once for all children
from cronflow.cli.app import invoke

PATIENCE = 60.0  # seconds until a child counts as hung
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
OF_FILES = {"open", "os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.truncate", "os.utime", "fcntl.fcntl"}
OF_PROCESSES = {"os.posix_spawn", "os.chdir", "os.kill", "os.killpg"}
UNTOLD = {os: ("write", "pwrite", "fsync", "close", "wait4"), signal: ("pidfd_send_signal",)}


class Effects:
    """Counts what this process does to the world, and kills it at the one it must not reach."""

    def __init__(self, state: str, kill_at: int | None, count: mmap.mmap) -> None:
        self.state = state
        self.kill_at = kill_at
        self.count = count
        self.counting = True

    def watch(self) -> None:
        """From here on every effect counts."""
        sys.addaudithook(self.heard)
        for module, names in UNTOLD.items():
            for name in names:
                setattr(module, name, self.counted(getattr(module, name)))

    def heard(self, event: str, args: tuple[Any, ...]) -> None:
        if event in OF_PROCESSES or (event in OF_FILES and self.is_ours(event, args)):
            self.one_more()

    def is_ours(self, event: str, args: tuple[Any, ...]) -> bool:
        """Whether it is about the state directory, and more than reading."""
        if event == "fcntl.fcntl":
            return bool(args[1] == fcntl.F_OFD_SETLK)
        if event == "open" and not args[2] & WRITING:
            return False
        return isinstance(args[0], int) or os.fsdecode(args[0]).startswith(self.state)

    def counted(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*args: Any, **keys: Any) -> Any:
            self.one_more()
            return call(*args, **keys)

        return counted

    def one_more(self) -> None:
        if self.counting:
            count = int.from_bytes(self.count[:8], "little") + 1
            self.count[:8] = count.to_bytes(8, "little")
            if count == self.kill_at:
                self.counting = False
                os.kill(os.getpid(), signal.SIGKILL)


def child(request: dict[str, Any], count: mmap.mmap) -> None:
    """The command, as its own process; does not return."""
    output = os.open(request["output"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for fd in (1, 2):
        os.dup2(output, fd)
    os.close(output)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.environ.update(request["env"], ENGINE=str(os.getpid()))
    Effects(request["state"], request["kill_at"], count).watch()
    code = 70
    try:
        code = invoke(request["arguments"])
    except BaseException:
        sys.excepthook(*sys.exc_info())
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def serve(request: dict[str, Any]) -> dict[str, Any]:
    """Run it in a child, and say how it went."""
    count = mmap.mmap(-1, 8)
    pid = os.fork()
    if pid == 0:
        child(request, count)
    watch = os.pidfd_open(pid)
    ended = select.select([watch], [], [], PATIENCE)[0]
    if not ended:
        os.kill(pid, signal.SIGKILL)
    os.close(watch)
    status = os.waitpid(pid, 0)[1]
    code = os.WEXITSTATUS(status) if os.WIFEXITED(status) else None
    return {"code": code if ended else "hung", "effects": int.from_bytes(count[:8], "little")}


def main() -> None:
    """Serve until nobody asks any more."""
    for line in sys.stdin:
        sys.stdout.write(json.dumps(serve(json.loads(line))) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
