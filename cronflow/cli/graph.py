"""`cronflow graph`: a pipeline's tasks and what they need."""

from typing import Annotated, Any, Literal

import msgspec
import typer

from cronflow.catalog import find
from cronflow.cli import screen
from cronflow.cli.output import write
from cronflow.graph import order
from cronflow.record import SCHEMA
from cronflow.spec import Pipeline
from cronflow.view import graph as drawing


def command(
    ctx: typer.Context,
    pipeline: Annotated[str, typer.Argument(metavar="PIPELINE|FILE", help="A pipeline's name, or a file.")],
    style: Annotated[
        Literal["tree", "mermaid", "dot"],
        typer.Option("--format", help="A tree to look at, or text for Mermaid or Graphviz."),
    ] = "tree",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Draw a pipeline's tasks and what they need.

    In the tree a task stands below what it needs. One that needs several stands below the first of them, and is
    pointed to from the others.
    """
    definition = find(pipeline, ctx.obj.pipelines_dir, ctx.obj.state_dir).pipeline
    if as_json:
        write(msgspec.json.format(msgspec.json.encode(record(definition)), indent=2).decode())
    elif style == "tree":
        screen.show(drawing.tree(definition, screen.look()))
    else:
        write(drawing.mermaid(definition) if style == "mermaid" else drawing.dot(definition))


def record(pipeline: Pipeline) -> dict[str, Any]:
    """The same as JSON has it: tasks so that each comes after what it needs."""
    names = order({name: task.needs for name, task in pipeline.tasks.items()})
    tasks = [{"name": name, "needs": pipeline.tasks[name].needs, "when": pipeline.tasks[name].when} for name in names]
    return {"schema": SCHEMA, "pipeline": pipeline.name, "tasks": tasks}
