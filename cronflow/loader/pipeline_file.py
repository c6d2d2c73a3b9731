"""A pipeline file: from its path to its pipelines, resolved, or to all of its problems."""

import os
import re
from collections.abc import Iterable
from itertools import islice
from typing import Any

import msgspec
from msgspec import Struct

from cronflow.loader import later, rules, source
from cronflow.loader.nodes import Node, compose, entries_of, place
from cronflow.loader.rules import Document, Finding, Rule
from cronflow.loader.shapes import Report, Wrong, join, keys_of
from cronflow.nearest import nearest
from cronflow.problem import Problem, printable
from cronflow.spec import MAIN_TASK, NAME_PATTERN, Config, Pipeline, PipelineFile, Task

# Keys that other tools' files have as well, and how many of a file's keys tell what it is.
KEYS_OF_ANY_FILE = {"name", "description", "owner", "tags", "env"}
MOST_KEYS = 50
MOST_OF_A_RULE = 100
MOST_PROBLEMS = 1000


class Loaded(Struct, frozen=True):
    """What a file holds. With problems there are no pipelines; `names` has what could be read of their names.

    `names` gives the line and column where each name is written.
    """

    pipelines: tuple[Pipeline, ...] = ()
    names: dict[str, tuple[int, int]] = {}
    problems: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()


def default_name(path: str, pipelines_dir: str) -> str:
    """The path under the pipelines directory without its suffix, `/` as `.`; elsewhere the file's own name."""
    inside = path.removeprefix(pipelines_dir.rstrip("/") + "/")
    stem = os.path.splitext(inside if inside != path else os.path.basename(path))[0]
    return stem.replace("/", ".")


def is_inside(path: str, pipelines_dir: str) -> bool:
    """Whether a file is below the pipelines directory."""
    return path.startswith(pipelines_dir.rstrip("/") + "/")


def load(path: str, *, pipelines_dir: str, config: Config) -> Loaded:
    """Read, check and resolve a file. `path` and `pipelines_dir` are absolute. Never raises for what is in it."""
    name = default_name(path, pipelines_dir)
    try:
        text = source.read(path, any_owner=not is_inside(path, pipelines_dir))
    except source.Unusable as trouble:
        return Loaded(names={printable(name): (1, 1)}, problems=trouble.problems)
    return parse(text, name=name, directory=os.path.dirname(path), config=config)


def parse(text: str, *, name: str, directory: str, config: Config) -> Loaded:
    """The pipelines of a text. `name` is for a document without its own, relative paths start at `directory`."""
    composed = compose(text)
    problems = list(composed.problems)
    if not composed.documents and not problems:
        problems.append(Problem(1, 1, "", "the file is empty: a pipeline has at least a 'run'"))
    default = name if len(composed.documents) == 1 else ""
    pipelines: list[Pipeline] = []
    warnings: list[Problem] = []
    names: dict[str, tuple[int, int]] = {}
    for root in composed.documents:
        one = _read(root, default, directory, config)
        pipelines += one.pipelines
        warnings += one.warnings
        problems += [*one.problems, *_twice(names, one.names)]
        names |= {own: spot for own, spot in one.names.items() if own not in names}
        if len(problems) > MOST_PROBLEMS:
            break
    return Loaded(
        pipelines=() if problems else tuple(pipelines),
        names=names or {name: (1, 1)},
        problems=_first(sorted(problems)),
        warnings=_first(sorted(warnings)),
    )


def _twice(known: dict[str, tuple[int, int]], names: dict[str, tuple[int, int]]) -> list[Problem]:
    """Names that an earlier document of the file has."""
    return [
        Problem(*spot, "name", f"name: '{name}' is also the name of the pipeline in line {known[name][0]}")
        for name, spot in names.items()
        if name in known
    ]


def _first(problems: list[Problem]) -> tuple[Problem, ...]:
    """As many as anybody reads."""
    if len(problems) <= MOST_PROBLEMS:
        return tuple(problems)
    line, column = problems[MOST_PROBLEMS].line, problems[MOST_PROBLEMS].column
    return (*problems[:MOST_PROBLEMS], Problem(line, column, "", f"{len(problems) - MOST_PROBLEMS} more like these"))


def _read(root: Node, name: str, directory: str, config: Config) -> Loaded:
    """One document."""
    report = Report()
    if _is_something_else(root):
        report.add(root, "", "no pipeline: it has neither 'run' nor 'tasks'; keep other YAML out of the directory")
        return Loaded(problems=report.all())
    try:
        keys = keys_of(PipelineFile).read(root, "", report)
    except Wrong:
        return Loaded(problems=report.all())
    if "name" not in entries_of(root):
        _take_name(keys, name, root, report)
    document = _resolve(root, keys, directory, config)
    problems = [*report.all(), *_located(root, rules.RULES, document)]
    return Loaded(
        pipelines=() if problems else (_pipeline(document),),
        names={keys["name"]: place(root, ("name",))} if "name" in keys else {},
        problems=tuple(dict.fromkeys(problems)),
        warnings=tuple(dict.fromkeys([*_located(root, rules.WARNINGS, document), *_later(root)])),
    )


def _is_something_else(root: Node) -> bool:
    """Whether it is a mapping that was never meant to be a pipeline: keys enough, and hardly any that are ours."""
    entries = entries_of(root)
    unknown = [key for key in entries if key not in PipelineFile.__struct_fields__]
    ours = set(entries) - set(unknown) - KEYS_OF_ANY_FILE
    return bool(unknown) and not ours and not any(nearest(key, ("run", "tasks")) for key in unknown[:MOST_KEYS])


def _take_name(keys: dict[str, Any], name: str, root: Node, report: Report) -> None:
    """The name that follows from the path, where it can be one."""
    if not name:
        report.add(root, "", "one of several pipelines in a file: each needs its 'name'")
    elif not can_be_name(name):
        report.add(root, "", f"the pipeline's name comes from the file's, and {name!r} can't be one: add a 'name'")
    else:
        keys["name"] = name


def can_be_name(text: str) -> bool:
    """Whether it can name a pipeline or a task."""
    return re.fullmatch(NAME_PATTERN, text) is not None


def _resolve(root: Node, keys: dict[str, Any], directory: str, config: Config) -> Document:
    """Defaults merged into every task, `run` turned into `main`, paths absolute."""
    own = keys.pop("defaults", {})
    command = keys.pop("run", None)
    tasks = keys.get("tasks", {}) if command is None else {MAIN_TASK: {"run": command}}
    if keys.get("env_file"):
        keys["env_file"] = os.path.normpath(os.path.join(directory, keys["env_file"]))
    defaults = merge(config.defaults, own)
    merged = {name: _with_cwd(merge(defaults, task), directory) for name, task in tasks.items()}
    return Document(root=root, keys=keys, tasks=merged, config=config)


def merge(defaults: dict[str, Any], own: dict[str, Any]) -> dict[str, Any]:
    """A task's keys over the defaults; `env` variable by variable."""
    merged = defaults | own
    if "env" in defaults and "env" in own:
        merged["env"] = defaults["env"] | own["env"]
    return merged


def _with_cwd(task: dict[str, Any], directory: str) -> dict[str, Any]:
    """The same with the working directory absolute."""
    return task | {"cwd": os.path.normpath(os.path.join(directory, task.get("cwd") or "."))}


def _located(root: Node, checks: Iterable[Rule], document: Document) -> list[Problem]:
    """What the rules find, with its place; of one rule not more than anybody reads."""
    problems: list[Problem] = []
    for rule in checks:
        found = [_at(root, finding) for finding in islice(rule(document), MOST_OF_A_RULE)]
        problems += found
        if len(found) == MOST_OF_A_RULE:
            problems.append(msgspec.structs.replace(found[-1], message="there may be more like these"))
    return problems


def _at(root: Node, finding: Finding) -> Problem:
    """A finding with its line and column."""
    path, message = finding
    line, column = place(root, path)
    return Problem(line, column, path_key(path), message)


def path_key(path: rules.Path) -> str:
    """`("tasks", "load", "needs", 0)` -> `tasks.load.needs[0]`."""
    key = ""
    for step in path:
        key = f"{key}[{step}]" if isinstance(step, int) else join(key, step)
    return key


def _later(root: Node) -> list[Problem]:
    """Notes on keys whose behaviour is not there yet."""
    entries = entries_of(root)
    set_here = [(key, entries[key][0]) for key in later.PIPELINE if key in entries]
    return [Problem(node.line, node.column, key, f"'{key}' {later.PIPELINE[key]}") for key, node in set_here]


def _pipeline(document: Document) -> Pipeline:
    """The definition, resolved."""
    config = msgspec.structs.asdict(document.config)
    tasks = {name: Task(**task) for name, task in document.tasks.items()}
    keys = {"timezone": config["timezone"]} | document.keys
    for key in ("alerts", "retention"):
        keys[key] = msgspec.structs.replace(config[key], **document.keys.get(key, {}))
    return Pipeline(**keys | {"tasks": tasks})
