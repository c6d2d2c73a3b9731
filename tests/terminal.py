"""A terminal for a command under test: what it writes there, byte by byte, on as many columns as the test likes."""

import fcntl
import os
import select
import struct
import termios
import time
from collections.abc import Callable, Mapping
from typing import Any

from tests.conftest import Cronflow

PATIENCE = 60  # seconds, for a machine that is busy


class Terminal:
    """A command on a pseudo-terminal; `screen` is all that it wrote so far."""

    def __init__(
        self,
        cronflow: Cronflow,
        *arguments: object,
        columns: int = 100,
        rows: int = 40,
        env: Mapping[str, str] | None = None,
    ) -> None:
        self._master, slave = os.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        streams: dict[str, Any] = {"stdin": slave, "stdout": slave, "stderr": slave}
        environment = {"TERM": "xterm-256color"} | dict(env or {})
        self.process = cronflow.start(*arguments, env=environment, encoding=None, start_new_session=True, **streams)
        os.close(slave)
        self.screen = b""

    def __enter__(self) -> "Terminal":
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self._master)

    def read_until(self, is_there: Callable[[bytes], bool]) -> bytes:
        """Read until the condition holds for what is on the screen."""
        deadline = time.monotonic() + PATIENCE
        while not is_there(self.screen):
            assert time.monotonic() < deadline, f"not in {PATIENCE} s:\n{self.screen.decode(errors='replace')}"
            if not self._read(1.0):
                assert is_there(self.screen), f"ended before:\n{self.screen.decode(errors='replace')}"
                break
        return self.screen

    def to_the_end(self) -> int:
        """Read until the command has ended. Returns its exit code."""
        deadline = time.monotonic() + PATIENCE
        while self._read(1.0):
            assert time.monotonic() < deadline, f"still running:\n{self.screen.decode(errors='replace')}"
        return self.process.wait(PATIENCE)

    def _read(self, seconds: float) -> bool:
        """Take in what comes within some seconds. False where the other end is closed."""
        ready, _, _ = select.select([self._master], [], [], seconds)
        if not ready:
            return True
        try:
            self.screen += os.read(self._master, 1 << 16)
        except OSError:  # how Linux says that nobody has the other end open
            return False
        return True


def on_terminal(
    cronflow: Cronflow, *arguments: object, columns: int = 100, env: Mapping[str, str] | None = None
) -> str:
    """What a command writes on a terminal, from start to end; it must end well."""
    with Terminal(cronflow, *arguments, columns=columns, env=env) as terminal:
        code = terminal.to_the_end()
        text = terminal.screen.decode()
        assert code == 0, text
    return text.replace("\r\n", "\n")
