"""`cronflow validate`: every problem on a line that editors can jump to, the good files, and the sum of it."""

from collections.abc import Sequence

from msgspec import Struct

from cronflow.problem import Problem
from cronflow.view.ink import Line, span


class Checked(Struct, frozen=True):
    """A file under the name it was asked for by."""

    path: str
    pipelines: tuple[str, ...]
    problems: tuple[Problem, ...]
    warnings: tuple[Problem, ...]


def findings(files: Sequence[Checked]) -> list[Line]:
    """The lines; in a file warnings and problems by their place."""
    return [line for file in files for line in of_file(file)] + [summary(files)]


def of_file(file: Checked) -> list[Line]:
    """What there is to say of one file."""
    told = [(problem, False) for problem in file.problems] + [(warning, True) for warning in file.warnings]
    lines = [of_problem(file.path, problem, warning=warning) for problem, warning in sorted(told)]
    if file.problems:
        return lines
    good = (span(f"{file.path}: "), span("ok", "good"), span(f" {', '.join(file.pipelines)}".rstrip(), "dim"))
    return [*lines, good]


def of_problem(path: str, problem: Problem, *, warning: bool) -> Line:
    """`etl.yaml:14:12: task 'load' needs …`."""
    place = span(f"{path}:{problem.line}:{problem.column}: ", "strong")
    kind = (span("warning: ", "warn"),) if warning else ()
    return (place, *kind, span(problem.message))


def summary(files: Sequence[Checked]) -> Line:
    """How many of what."""
    problems = sum(len(file.problems) for file in files)
    warnings = sum(len(file.warnings) for file in files)
    bad = sum(1 for file in files if file.problems)
    noted = f", {count(warnings, 'warning')}" if warnings else ""
    if bad:
        return (span(f"{count(len(files), 'file')}, {bad} not ok: {count(problems, 'problem')}{noted}", "bad"),)
    return (span(f"{count(len(files), 'file')}, all ok{noted}" if files else "no pipeline files", "strong"),)


def count(number: int, noun: str) -> str:
    """`1 file`, `2 files`."""
    return f"{number} {noun}" + ("" if number == 1 else "s")
