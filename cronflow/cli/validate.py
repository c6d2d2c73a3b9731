"""`cronflow validate`: check pipeline files and `config.yaml`."""

import os
from collections.abc import Iterable, Iterator
from typing import Annotated, Any

import msgspec
import typer

from cronflow.catalog import Catalog, load_catalog, read_file
from cronflow.cli import screen
from cronflow.cli.output import write
from cronflow.errors import WrongUse
from cronflow.problem import Problem, printable
from cronflow.record import SCHEMA
from cronflow.view.findings import Checked, findings


def command(
    ctx: typer.Context,
    path: Annotated[
        list[str] | None,
        typer.Argument(metavar="[PATH]...", help="Files and directories. Default: the pipelines directory."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> int:
    """Check pipeline files; every error with its line.

    All errors of a file come at once, each as file:line:column: message. Warnings do not make a file bad. A
    directory is checked whole, with the config.yaml beside it.

    Exit code: 0 all files are good, 2 one is not.
    """
    pipelines_dir = ctx.obj.pipelines_dir
    files = [file for typed in path or [pipelines_dir] for file in check(typed, pipelines_dir)]
    if as_json:
        write(msgspec.json.format(msgspec.json.encode(record(files)), indent=2).decode())
    else:
        screen.show(findings(files))
    return 2 if any(file.problems for file in files) else 0


def check(typed: str, pipelines_dir: str) -> Iterator[Checked]:
    """The files that a path stands for, each under the name that it makes of what was typed."""
    if not typed:
        raise WrongUse("an empty path names no file")  # a variable that was never set, not the current directory
    absolute = os.path.abspath(typed)
    if not os.path.lexists(absolute) and absolute != pipelines_dir:
        raise WrongUse(f"{typed}: no such file or directory")
    is_file = os.path.lexists(absolute) and not os.path.isdir(absolute)
    catalog = read_file(absolute, pipelines_dir) if is_file else load_catalog(absolute)
    return checked(catalog, absolute, typed)


def checked(catalog: Catalog, absolute: str, typed: str) -> Iterator[Checked]:
    """What was found, for people and programs alike."""
    for file in catalog.files:
        inside = file.path == absolute or file.path.startswith(absolute.rstrip("/") + "/")
        shown = typed.rstrip("/") + file.path[len(absolute) :] if inside else file.path
        yield Checked(printable(shown), file.names if not file.problems else (), file.problems, file.warnings)


def record(files: Iterable[Checked]) -> dict[str, Any]:
    """The same as JSON has it."""
    told = [
        {
            "path": file.path,
            "ok": not file.problems,
            "pipelines": file.pipelines,
            "errors": [of_problem(problem) for problem in file.problems],
            "warnings": [of_problem(warning) for warning in file.warnings],
        }
        for file in files
    ]
    return {"schema": SCHEMA, "files": told}


def of_problem(problem: Problem) -> dict[str, Any]:
    """One problem as JSON has it."""
    return msgspec.structs.asdict(problem)
