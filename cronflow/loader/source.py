"""The text of a file that cronflow may obey: a regular one, of a sane size, that only its owner writes, in UTF-8."""

import os
import stat

from yaml.reader import Reader

from cronflow.loader import trust
from cronflow.problem import Problem, is_utf8

LARGEST = 1024 * 1024
# YAML's own, and already compiled: the character class takes 5 ms.
_UNPRINTABLE = Reader.NON_PRINTABLE


class Unusable(Exception):
    """The file can't be used at all."""

    def __init__(self, *problems: Problem) -> None:
        """All that is wrong with it."""
        super().__init__()
        self.problems = problems


def read(path: str, *, any_owner: bool = False) -> str:
    """The file's text. Raises Unusable. `any_owner` as for `trust.refusals`."""
    if not is_utf8(path):
        raise Unusable(Problem(1, 1, "", "the path is not UTF-8: rename the file, or the directory"))
    content = _content(path, any_owner=any_owner)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line, column = spot(content[: error.start].decode("utf-8", "replace"))
        byte = content[error.start]
        raise Unusable(Problem(line, column, "", f"not UTF-8: found the byte 0x{byte:02x}; save it as UTF-8")) from None
    bad = _UNPRINTABLE.search(text)
    if bad:
        message = f"found the control character U+{ord(bad[0]):04X}: remove it, or write it as an escape in quotes"
        raise Unusable(Problem(*spot(text[: bad.start()]), "", message))
    return text


def spot(before: str) -> tuple[int, int]:
    """Line and column of what follows a text."""
    lines = before.split("\n")
    return len(lines), len(lines[-1]) + 1


def _content(path: str, *, any_owner: bool) -> bytes:
    """The bytes of a trusted file, not more than the limit. A file that is no file is not waited for."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise Unusable(Problem(1, 1, "", f"can't be read: {error.strerror}")) from None
    try:
        return _trusted_content(path, fd, any_owner=any_owner)
    except OSError as error:
        raise Unusable(Problem(1, 1, "", f"can't be read: {error.strerror}")) from None
    finally:
        os.close(fd)


def _trusted_content(path: str, fd: int, *, any_owner: bool) -> bytes:
    """The bytes of an open file, if it is one to be trusted."""
    status = os.fstat(fd)
    if not stat.S_ISREG(status.st_mode):
        raise Unusable(Problem(1, 1, "", "not a regular file"))
    refusals = trust.refusals(path, status, any_owner=any_owner)
    if refusals:
        raise Unusable(*(Problem(1, 1, "", refusal) for refusal in refusals))
    content = b""
    while len(content) <= LARGEST and (part := os.read(fd, LARGEST + 1)):
        content += part
    if len(content) > LARGEST:
        raise Unusable(Problem(1, 1, "", "larger than 1 MiB: split it, or move what is large into files of its own"))
    return content
