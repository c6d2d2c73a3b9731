"""What must hold between the values of a pipeline, and what is worth a warning.

Each rule is a function of a document and yields findings: a path in the document, and what is wrong there. A new
rule is one more function in RULES or WARNINGS.
"""

import os
import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

from msgspec import Struct

from cronflow import graph, schedule
from cronflow.loader.nodes import Node, Sequence, entries_of
from cronflow.nearest import did_you_mean
from cronflow.problem import clipped
from cronflow.spec import MAIN_TASK, Config

Path = tuple[str | int, ...]
KeyPath = tuple[str, ...]
Finding = tuple[Path, str]

# The kernel's limit for one argument or variable (MAX_ARG_STRLEN), the ending NUL included.
ARGUMENT_LIMIT = 128 * 1024
LONGEST_CIRCLE = 20
LONGEST_ZONE = 100
FILE_ENDINGS = (".yaml", ".yml")
_TRUNCATING = re.compile(r"""(?:(?<!>)>\|?\s*|\btee\s+)["']?(/dev/(?:stdout|stderr)|(?:/dev|/proc/self)/fd/[12])\b""")


class Document(Struct, frozen=True):
    """A pipeline as far as its values could be read, with what it came from.

    `tasks` has each task's keys with all defaults merged in; `keys` the pipeline's own, `name` among them.
    """

    root: Node
    keys: dict[str, Any]
    tasks: dict[str, dict[str, Any]]
    config: Config

    def has(self, *path: str) -> bool:
        """Whether the document itself says something about these keys."""
        return self.node(*path) is not None

    def node(self, *path: str) -> Node | None:
        """What the document has there."""
        node: Node | None = self.root
        for step in path:
            node = entries_of(node).get(step, (None, None))[1] if node else None
        return node

    def source(self, task: str, key: str) -> KeyPath:
        """Where a task's value stands: with the task, or in the pipeline's `defaults`."""
        if task == MAIN_TASK and key == "run" and self.has("run"):
            return ("run",)
        own: KeyPath = ("tasks", task) if self.has("tasks", task) else ()
        if self.has("tasks", task, key):
            return (*own, key)
        return ("defaults", key) if self.has("defaults", key) else own


def tasks_or_run(document: Document) -> Iterator[Finding]:
    """One way or the other."""
    if document.has("run") and document.has("tasks"):
        yield ("run",), "'run' stands for a single task: write either 'run' or 'tasks'"
    elif not document.has("run") and not document.has("tasks"):
        yield (), "no tasks: write 'tasks', or 'run' for a single command"
    elif document.keys.get("tasks") == {} and not entries_of(document.node("tasks")):
        yield ("tasks",), "no tasks: write at least one"


def commands(document: Document) -> Iterator[Finding]:
    """Every task has one, and the kernel can take it."""
    for name, task in document.tasks.items():
        source = document.source(name, "run")
        if task.get("run") is None:
            if source[-1:] != ("run",):
                yield source, f"task '{name}' has no 'run'"
        elif len(task["run"].encode()) >= ARGUMENT_LIMIT:
            yield source, "the command is 128 KiB or more, the kernel takes less: put it into a file and run that"


def variables(document: Document) -> Iterator[Finding]:
    """None is larger than the kernel can take."""
    groups: list[tuple[Path, dict[str, str]]] = [((key,), document.keys.get(key, {})) for key in ("params", "env")]
    groups += [(document.source(name, "env"), task.get("env", {})) for name, task in document.tasks.items()]
    for source, values in groups:
        for name, value in values.items():
            if len(f"{name}={value}".encode()) >= ARGUMENT_LIMIT:
                yield (*source, name), "the value is 128 KiB or more, the kernel takes less: pass a file's name"


def needs(document: Document) -> Iterator[Finding]:
    """What a task needs is a task, and no task waits for itself."""
    wanted = {name: task.get("needs", ()) for name, task in document.tasks.items()}
    known = entries_of(document.node("tasks")) or wanted
    for name, list_ in wanted.items():
        for need in list_:
            if need not in known:
                said = f"task '{name}' needs '{clipped(need)}': no such task{did_you_mean(need, known)}"
                yield _need_place(document, name, need), said
    for circle in graph.cycles(wanted):
        yield _need_place(document, circle[0], circle[1]), _circular(circle)


def _circular(circle: list[str]) -> str:
    """The message for a circle of tasks, spelled out."""
    if len(circle) == 2:
        return f"task '{circle[0]}' needs itself"
    if len(circle) > LONGEST_CIRCLE:
        left_out = f"({len(circle) - LONGEST_CIRCLE} more)"
        circle = [*circle[: LONGEST_CIRCLE // 2], left_out, *circle[-LONGEST_CIRCLE // 2 :]]
    return f"tasks wait for each other: {' -> '.join(circle)}"


def _need_place(document: Document, task: str, need: str) -> Path:
    """Where a need is written: in a list, or by itself."""
    source = document.source(task, "needs")
    node = document.node(*source)
    texts = [getattr(item, "text", None) for item in node.items] if isinstance(node, Sequence) else []
    return (*source, texts.index(need)) if need in texts else source


def schedules(document: Document) -> Iterator[Finding]:
    """Cron can read them, and they fire."""
    listed = isinstance(document.node("schedule"), Sequence)
    for position, expression in enumerate(document.keys.get("schedule", ())):
        trouble = _schedule_trouble(expression)
        if trouble:
            yield (("schedule", position) if listed else ("schedule",)), trouble


def timezone(document: Document) -> Iterator[Finding]:
    """The machine knows it."""
    name = document.keys.get("timezone")
    trouble = zone_trouble(name) if name is not None else ""
    if trouble:
        yield ("timezone",), trouble


@lru_cache
def _schedule_trouble(expression: str) -> str:
    """What is wrong with a cron expression; many files have the same few."""
    try:
        schedule.check(expression)
    except schedule.ScheduleError as error:
        return str(error)
    return ""


@lru_cache
def zone_trouble(name: str) -> str:
    """What is wrong with a time zone's name."""
    if len(name) > LONGEST_ZONE:
        return f"expected a time zone such as Europe/Berlin; found {clipped(name)!r}"
    try:
        schedule.zone(name)
    except schedule.ZoneError as error:
        return str(error)
    return ""


def days(document: Document) -> Iterator[Finding]:
    """There is something between start and end."""
    start, end = document.keys.get("start"), document.keys.get("end")
    if start and end and start >= end:
        yield ("end",), f"'end' must be after 'start': {end} is not after {start}"


def pools(document: Document) -> Iterator[Finding]:
    """config.yaml has the pool."""
    for name, task in document.tasks.items():
        pool = task.get("pool")
        if pool is not None and pool not in document.config.pools:
            hint = did_you_mean(pool, document.config.pools) or f"; add it there: 'pools: {{{pool}: 4}}'"
            yield document.source(name, "pool"), f"no pool '{pool}' in config.yaml{hint}"


def names(document: Document) -> Iterator[Finding]:
    """The command line could not tell it from a file."""
    if document.keys.get("name", "").endswith(FILE_ENDINGS):
        yield ("name",), "a name that ends in .yaml or .yml would be taken for a file"


def directories(document: Document) -> Iterator[Finding]:
    """What is named is there now."""
    for name, task in document.tasks.items():
        source = document.source(name, "cwd")
        is_set = source[-1:] == ("cwd",) or "cwd" in document.config.defaults
        if is_set and not os.path.isdir(task["cwd"]):
            yield source, f"no such directory now: {task['cwd']}"
    env_file = document.keys.get("env_file")
    if env_file and not os.path.isfile(env_file):
        yield ("env_file",), f"no such file now: {env_file}"


def users(document: Document) -> Iterator[Finding]:
    """Only root may become somebody else."""
    if os.geteuid() == 0:
        return
    for name, task in document.tasks.items():
        if task.get("user"):
            yield document.source(name, "user"), f"task '{name}' will fail: only root can run a task as another user"


def truncation(document: Document) -> Iterator[Finding]:
    """With `output: file` the log is the task's standard output itself: opening it anew with `>` empties it."""
    if document.keys.get("output", "file") != "file":
        return
    for name, task in document.tasks.items():
        match = _TRUNCATING.search(task.get("run") or "")
        if match:
            instead = "write '>&1' or '>&2', append with '>>', or set 'output: pipe'"
            yield document.source(name, "run"), f"opening {match[1]} empties the log: {instead}"


Rule = Callable[[Document], Iterator[Finding]]

RULES: tuple[Rule, ...] = (
    tasks_or_run, commands, variables, needs, schedules, timezone, days, pools, names,
)  # fmt: skip
WARNINGS: tuple[Rule, ...] = (directories, users, truncation)
