"""The shape of the code, held: the layers, what pure means, the sizes, the names, where commands are."""

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from cronflow.cli.app import COMMANDS

SOURCE = Path(__file__).resolve().parents[2]

# From the top down. A module may import from layers below its own, and from its own where that makes no circle.
# A package stands for all its modules. A new module is not finished until it has its place here.
LAYERS = {
    "the command": ["cronflow.__main__"],
    "reads arguments, calls below, hands results to a view": ["cronflow.cli"],
    "drives open runs": ["cronflow.engine", "cronflow.loop", "cronflow.stopping", "cronflow.driven"],
    "knows the pipelines and their last runs": ["cronflow.survey", "cronflow.catalog"],
    "one kind of effect each": [
        "cronflow.executor",
        "cronflow.loader",
        "cronflow.schema",
        "cronflow.state",
        "cronflow.processes",
        "cronflow.clock",
    ],
    "pure: draws records": ["cronflow.view"],
    "pure: decides": [
        "cronflow.cursor",
        "cronflow.lifecycle",
        "cronflow.opening",
        "cronflow.planner",
        "cronflow.schedule",
        "cronflow.variables",
        "cronflow.wall",
    ],
    "what the machine knows": ["cronflow.timezone"],
    "pure: the nouns": [
        "cronflow.spec",
        "cronflow.record",
        "cronflow.decision",
        "cronflow.instant",
        "cronflow.graph",
        "cronflow.nearest",
        "cronflow.problem",
        "cronflow.errors",
        "cronflow",
    ],
}

# What a pure module may import besides its own kind: nothing here knows a file, a process, a clock or a screen.
PURE_IMPORTS = {
    "bisect",
    "calendar",
    "collections",
    "collections.abc",
    "croniter",
    "dataclasses",
    "datetime",
    "difflib",
    "enum",
    "functools",
    "hashlib",
    "heapq",
    "itertools",
    "math",
    "msgspec",
    "re",
    "signal",
    "typing",
    "unicodedata",
    "zlib",
    "zoneinfo",
}

# Who may ask what time it is. Everybody else is told.
CLOCK_READERS = {"cronflow.clock"}
CLOCKS = re.compile(
    r"time\.((time|monotonic|perf_counter|clock_gettime)(_ns)?\(.*|(localtime|gmtime|ctime)\(\))"
    r"|(datetime\.)?(datetime|date)\.(now|utcnow|today)\(.*"
)

# Where a package's module has another name than the package.
MODULE_OF = {"pyyaml": "yaml"}

LONGEST_MODULE = 500
LONGEST_FUNCTION = 60
NO_NOUN = re.compile(r"utils?|helpers?|common|managers?|misc")


@dataclass(frozen=True)
class Module:
    """A module of the package: its dotted name, text and syntax tree."""

    name: str
    path: Path
    text: str
    tree: ast.Module


@cache
def modules() -> dict[str, Module]:
    """Every module of the package by name."""
    found = [read(path) for path in sorted((SOURCE / "cronflow").rglob("*.py"))]
    return {module.name: module for module in found}


def read(path: Path) -> Module:
    text = path.read_text(encoding="utf-8")
    name = ".".join(path.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__")
    return Module(name, path, text, ast.parse(text))


def imported(module: Module) -> Iterator[str]:
    """The modules that it imports anywhere, inside functions too, and those it names for importlib."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module.path}:{node.lineno}: a relative import"
            yield from (submodule(node.module or "", alias.name) for alias in node.names)
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module"):
            yield from (word.value for word in node.args if isinstance(word, ast.Constant) and type(word.value) is str)


def submodule(package: str, name: str) -> str:
    """`from package import name`: the submodule if it is one, else the package."""
    return f"{package}.{name}" if f"{package}.{name}" in modules() else package


def layer(name: str) -> int | None:
    """The layer's number from the top; None where the table has no place for the module."""
    for number, members in enumerate(LAYERS.values()):
        if any(name == member or (member != "cronflow" and name.startswith(f"{member}.")) for member in members):
            return number
    return None


def ours(module: Module) -> list[str]:
    """What it imports from this package."""
    return sorted({name for name in imported(module) if name.split(".")[0] == "cronflow"})


def is_pure(name: str) -> bool:
    number = layer(name)
    return number is not None and list(LAYERS)[number].startswith("pure")


def functions(module: Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Every function and method of the module."""
    return (node for node in ast.walk(module.tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def test_every_module_has_its_layer() -> None:
    assert [name for name in modules() if layer(name) is None] == []


def test_the_table_names_only_what_exists() -> None:
    named = {member for members in LAYERS.values() for member in members}
    assert sorted(named - set(modules())) == []


def test_imports_run_downwards() -> None:
    upwards = [
        f"{module.name} imports {name}"
        for module in modules().values()
        for name in ours(module)
        if (layer(name) or 0) < (layer(module.name) or 0)
    ]
    assert upwards == []


def test_no_circle_of_imports() -> None:
    graph = {module.name: [name for name in ours(module) if name != module.name] for module in modules().values()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as circle:
        pytest.fail(f"a circle: {' -> '.join(circle.args[1])}")


def test_pure_modules_know_no_file_process_clock_or_screen() -> None:
    impure = [
        f"{module.name} imports {name}"
        for module in modules().values()
        if is_pure(module.name)
        for name in imported(module)
        if name.split(".")[0] != "cronflow" and name not in PURE_IMPORTS
    ]
    assert impure == []


def test_only_the_edge_reads_a_clock() -> None:
    reads = [
        f"{module.path}:{node.lineno}: {ast.unparse(node)}"
        for module in modules().values()
        if module.name not in CLOCK_READERS
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Call) and CLOCKS.fullmatch(ast.unparse(node))
    ]
    assert reads == []


def test_nobody_hides_a_clock_behind_another_name() -> None:
    hidden = [name for name, module in modules().items() for node in ast.walk(module.tree) if imports_clock(node)]
    assert sorted(set(hidden) - CLOCK_READERS) == []


def imports_clock(node: ast.AST) -> bool:
    """`from time import …`, whatever it is called then."""
    return isinstance(node, ast.ImportFrom) and node.module == "time"


def test_every_module_is_named_for_what_it_is() -> None:
    vague = [name for name in modules() if any(NO_NOUN.fullmatch(part.strip("_")) for part in name.split("."))]
    assert vague == []


def test_every_module_is_read_in_one_sitting() -> None:
    long = {name: lines for name, module in modules().items() if (lines := module.text.count("\n")) > LONGEST_MODULE}
    assert long == {}


def test_no_function_is_long() -> None:
    long = [
        f"{module.path}:{node.lineno}: {node.name} has {lines} lines"
        for module in modules().values()
        for node in functions(module)
        if (lines := (node.end_lineno or node.lineno) - node.lineno + 1) > LONGEST_FUNCTION
    ]
    assert long == []


def test_the_table_of_commands_is_what_the_modules_offer() -> None:
    offering = {
        name.removeprefix("cronflow.cli.").replace("_", "-")
        for name, module in modules().items()
        if name.startswith("cronflow.cli.")
        if any(isinstance(node, ast.FunctionDef) and node.name == "command" for node in module.tree.body)
    }
    assert set(COMMANDS) == offering


def test_every_import_is_a_part_of_python_or_a_declared_dependency() -> None:
    project = tomllib.loads((SOURCE / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    packages = {re.split("[^A-Za-z0-9_-]", entry)[0].lower() for entry in project["dependencies"]}
    allowed = {MODULE_OF.get(package, package) for package in packages} | sys.stdlib_module_names | {"cronflow"}
    strangers = [
        f"{module.name} imports {name}"
        for module in modules().values()
        for name in imported(module)
        if name.split(".")[0] not in allowed
    ]
    assert strangers == []
