"""`cronflow schema`: the JSON Schema that editors check and complete pipeline files with."""

import json
from typing import Annotated

import typer

from cronflow import schema
from cronflow.cli.output import write


def command(
    config: Annotated[bool, typer.Option("--config", help="The schema of config.yaml in its place.")] = False,
) -> None:
    """Print the JSON Schema of a pipeline file.

    An editor with a YAML language server completes and checks a file that begins with
    "# yaml-language-server: $schema=FILE", where FILE holds what this prints.
    """
    write(json.dumps(schema.of_config_file() if config else schema.of_pipeline_file(), indent=2, ensure_ascii=False))
