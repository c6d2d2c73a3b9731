"""`cronflow list`: the pipelines that there are."""

import os
import sys
from typing import Annotated, Any

import msgspec
import typer

from cronflow.catalog import Catalog, File, Found, load_catalog
from cronflow.cli import screen
from cronflow.cli.output import write
from cronflow.problem import printable, show
from cronflow.record import SCHEMA
from cronflow.view.ink import Line, line
from cronflow.view.table import Column, table


def command(
    ctx: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List the pipelines.

    Files that are not right are named at the end, on standard error.
    """
    pipelines_dir = ctx.obj.pipelines_dir
    catalog = load_catalog(pipelines_dir, ctx.obj.state_dir)
    if as_json:
        write(msgspec.json.format(msgspec.json.encode(record(catalog)), indent=2).decode())
    elif catalog.pipelines:
        screen.show(table(columns(list(catalog.pipelines.values()), pipelines_dir), screen.look()))
    else:
        write(f"no pipelines in {pipelines_dir}; 'cronflow new NAME' writes one to start from")
    for file in bad(catalog):
        sys.stderr.write(fault(file) + "\n")


def columns(found: list[Found], pipelines_dir: str) -> list[Column]:
    """What there is to say of each."""
    pipelines = [one.pipeline for one in found]
    files = [os.path.relpath(one.path, pipelines_dir) for one in found]
    return [
        Column("pipeline", [line(one.name, "strong") for one in pipelines], least=20),
        Column("schedule", [when(one.pipeline) for one in found], keep=7, least=12),
        Column("tasks", [line(str(len(one.tasks))) for one in pipelines], keep=3, right=True),
        Column("description", [line(one.description) for one in pipelines], keep=5, least=20),
        Column("file", [line(file, "dim") for file in files], keep=4, least=12),
    ]


def when(pipeline: Any) -> Line:
    """The schedule, with its zone."""
    if not pipeline.schedule:
        return line("by hand", "dim")
    zone = f" {pipeline.timezone}" if pipeline.timezone else ""
    return line(", ".join(pipeline.schedule) + zone + ("" if pipeline.enabled else " (off)"))


def bad(catalog: Catalog) -> list[File]:
    """The files with problems."""
    return [file for file in catalog.files if file.problems]


def fault(file: File) -> str:
    """One line on a file that is not right."""
    more = f" (and {len(file.problems) - 1} more)" if len(file.problems) > 1 else ""
    return f"{show(file.path, file.problems[0])}{more}; see 'cronflow validate'"


def record(catalog: Catalog) -> dict[str, Any]:
    """The same as JSON has it."""
    told = [
        {
            "name": found.pipeline.name,
            "description": found.pipeline.description,
            "owner": found.pipeline.owner,
            "tags": found.pipeline.tags,
            "enabled": found.pipeline.enabled,
            "schedule": found.pipeline.schedule,
            "timezone": found.pipeline.timezone,
            "tasks": list(found.pipeline.tasks),
            "file": found.path,
        }
        for found in catalog.pipelines.values()
    ]
    return {"schema": SCHEMA, "pipelines": told, "bad_files": [printable(file.path) for file in bad(catalog)]}
