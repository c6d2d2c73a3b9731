"""What is wrong in a file, and where."""

from msgspec import Struct


class Problem(Struct, frozen=True, order=True):
    """One thing wrong, or worth a warning. Line and column count from 1; a trouble of the whole file is at 1:1.

    `key` is the path of the key it is about, `tasks.load.needs`; empty where it is about no key.
    """

    line: int
    column: int
    key: str
    message: str


def show(path: str, problem: Problem) -> str:
    """The problem on one line, as compilers write it, so that editors can jump there."""
    return f"{path}:{problem.line}:{problem.column}: {problem.message}"
