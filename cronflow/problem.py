"""What is wrong in a file, and where."""

from msgspec import Struct

LONGEST_QUOTE = 40


class Problem(Struct, frozen=True, order=True):
    """One thing wrong, or worth a warning. Line and column count from 1; a trouble of the whole file is at 1:1.

    `key` is the path of the key it is about, `tasks.load.needs`; empty where it is about no key.
    """

    line: int
    column: int
    key: str
    message: str


def show(path: str, problem: Problem) -> str:
    """The problem on one line, as compilers write it, so that editors can jump there.

    Whatever the file holds, no character of the line can do anything to a terminal.
    """
    return printable(f"{path}:{problem.line}:{problem.column}: {problem.message}")


def printable(text: str) -> str:
    """Text, with escapes in place of what can't be printed, or is no character at all."""
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text)


def is_utf8(text: str) -> bool:
    """Whether the text can stand in a record: what the system could not decode came in as lone surrogates."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def clipped(text: str) -> str:
    """Text of a file as part of a message: not more than it takes to find it."""
    return text if len(text) <= LONGEST_QUOTE else text[:LONGEST_QUOTE] + "..."
