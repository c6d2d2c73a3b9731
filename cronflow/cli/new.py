"""`cronflow new`: a commented pipeline file to start from."""

import os
import re
import shlex
from typing import Annotated

import typer

from cronflow.catalog import load_catalog
from cronflow.cli.app import named
from cronflow.cli.output import write
from cronflow.errors import CronflowError, WrongUse
from cronflow.spec import NAME_PATTERN

ENDINGS = (".yaml", ".yml")
STARTER = """\
# {name}: one line on what this pipeline is for.
#
# 'cronflow validate' checks this file, 'cronflow schema' prints every key there is, with what it means.
description: Say hello, twice

# When it is due, as in a crontab: minute, hour, day of the month, month, day of the week. Without a schedule it runs
# by hand only. The run that is due on Sunday at 3:00 is for Saturday: $CRONFLOW_DS is that day.
# schedule: "0 3 * * *"
# timezone: Europe/Berlin

# Environment variables of every task; 'cronflow run {name} --param greeting=Hi' changes them for one run.
params:
  greeting: Hello

# What every task below gets, unless it says otherwise.
defaults:
  retries: 1            # attempts after the first
  retry_delay: 10s
  timeout: 10m          # of one attempt

tasks:
  greet:
    run: echo "$greeting from $CRONFLOW_PIPELINE, for $CRONFLOW_DS"

  # Starts once greet has succeeded. The command goes to /bin/sh -e: a line that fails fails the task.
  greet_again:
    needs: greet
    run: |
      echo "Attempt $CRONFLOW_ATTEMPT of $CRONFLOW_TASK"
      echo "$greeting again"
"""


def command(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="The pipeline's name; the file is NAME.yaml.")],
    directory: Annotated[
        str | None, typer.Option("--dir", metavar="DIR", help="Where to write it. Default: the pipelines directory.")
    ] = None,
) -> None:
    """Write a commented pipeline file to start from.

    A file that is there is never overwritten. A directory that is not there is made, for nobody else to read.
    """
    check_name(name)
    place = named("--dir", directory) or ctx.obj.pipelines_dir
    refuse_double(name, place)
    path = os.path.join(place, f"{name}.yaml")
    create(path, STARTER.format(name=name))
    write(f"wrote {path}\n{advice(ctx, name, path, typed=directory)}")


def check_name(name: str) -> None:
    """Raise WrongUse for a name that no pipeline can have."""
    if not re.fullmatch(NAME_PATTERN, name):
        wanted = "a letter or digit, then up to 63 letters, digits, '_', '.' or '-'"
        raise WrongUse(f"{name!r} can't name a pipeline: expected {wanted}")
    if name.endswith(ENDINGS):
        raise WrongUse(f"{name!r} would be taken for a file: leave '{os.path.splitext(name)[1]}' out")


def refuse_double(name: str, place: str) -> None:
    """Raise WrongUse where the directory has a pipeline of this name, in whatever file."""
    for file in load_catalog(place).files if os.path.isdir(place) else ():
        if name in file.names:
            raise WrongUse(f"{file.path} has a pipeline '{name}' already; nothing was written")


def create(path: str, text: str) -> None:
    """Write a new file, and its directories where they are not there."""
    try:
        for missing in missing_directories(os.path.dirname(path)):
            os.mkdir(missing, 0o700)
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
    except FileExistsError:
        raise WrongUse(f"{path} is there already; nothing was written") from None
    except OSError as error:
        raise CronflowError(f"{path}: can't be written: {error.strerror}") from error
    with open(fd, "w", encoding="utf-8") as file:
        file.write(text)


def missing_directories(path: str) -> list[str]:
    """The directories to make, the outermost first."""
    missing: list[str] = []
    while not os.path.lexists(path):
        missing.insert(0, path)
        path = os.path.dirname(path)
    return missing


def advice(ctx: typer.Context, name: str, path: str, *, typed: str | None) -> str:
    """The commands to type next; they name the directory where they would not find it by themselves."""
    source = ctx.parent.get_parameter_source("pipelines_dir") if ctx.parent else None
    by_option = source is not None and source.name == "COMMANDLINE"
    subject = shlex.quote(path) if typed or by_option else name
    return f"next:\n  cronflow validate {shlex.quote(path)}\n  cronflow graph {subject}\n  cronflow run {subject}"
