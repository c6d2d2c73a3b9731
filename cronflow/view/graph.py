"""A pipeline's graph: as a tree for a terminal, as text for Mermaid and Graphviz."""

from collections.abc import Mapping, Sequence

from msgspec import Struct

from cronflow.graph import dependants
from cronflow.spec import Pipeline
from cronflow.view.ink import Line, Span, line, span
from cronflow.view.signs import UNICODE, Look

USUAL_WHEN = "all_succeeded"


class Branches(Struct, frozen=True):
    """What a tree is drawn with."""

    fork: str
    last: str
    down: str
    then: str


DRAWN = Branches(fork="├─ ", last="└─ ", down="│  ", then=" → ")
TYPED = Branches(fork="|- ", last="`- ", down="|  ", then=" -> ")


def tree(pipeline: Pipeline, look: Look) -> list[Line]:
    """The tasks below what they need; a chain of tasks stands on one line.

    A task with several needs stands below the first of them, and below the others its name only points there.
    Nothing recurses: a pipeline may be as deep as it is long.
    """
    branches = DRAWN if look.signs is UNICODE else TYPED
    waiters = dependants({name: task.needs for name, task in pipeline.tasks.items()})
    lines: list[Line] = [line(pipeline.name, "strong")]
    drawn: set[str] = set()
    waiting = fork("", [name for name, task in pipeline.tasks.items() if not task.needs], branches)
    while waiting:
        guide, branch, name = waiting.pop()
        if name in drawn:
            lines += fitted(guide + branch, (span(name), span(" (above)", "dim")), look)
            continue
        chain = chain_from(name, pipeline, waiters)
        drawn.update(chain)
        lines += fitted(guide + branch, links(chain, pipeline, branches), look)
        waiting += fork(guide + (branches.down if branch == branches.fork else "   "), waiters[chain[-1]], branches)
    return lines


def fork(guide: str, names: Sequence[str], branches: Branches) -> list[tuple[str, str, str]]:
    """The branches to tasks, the last one first: they are taken from the end."""
    return [(guide, branches.fork if at else branches.last, name) for at, name in enumerate(reversed(names))]


def chain_from(name: str, pipeline: Pipeline, waiters: Mapping[str, Sequence[str]]) -> list[str]:
    """The task and those that follow it one by one, each needing nothing but the one before."""
    chain = [name]
    while len(waiters[chain[-1]]) == 1 and len(pipeline.tasks[waiters[chain[-1]][0]].needs) == 1:
        chain.append(waiters[chain[-1]][0])
    return chain


def links(chain: Sequence[str], pipeline: Pipeline, branches: Branches) -> Line:
    """A chain on one line."""
    spans: list[Span] = []
    for name in chain:
        spans += [Span(branches.then, "dim")] if spans else []
        spans += [span(name), *note(name, pipeline)]
    return tuple(spans)


def note(name: str, pipeline: Pipeline) -> Line:
    """What the tree does not show of a task: its other needs, and a `when` that is not the usual one."""
    task = pipeline.tasks[name]
    notes = [f"needs {', '.join(task.needs)}"] if len(task.needs) > 1 else []
    notes += [task.when] if task.when != USUAL_WHEN else []
    return line(f" ({'; '.join(notes)})", "dim") if notes else ()


def fitted(guide: str, spans: Line, look: Look) -> list[Line]:
    """The line behind its guide, folded to the width there is. Of a guide that would take it all the end is shown."""
    if look.width is not None and len(guide) > look.width // 2:
        guide = look.signs.more + guide[len(look.signs.more) - look.width // 2 :]
    return look.fold((Span(guide, "dim"), *spans), len(guide))


def mermaid(pipeline: Pipeline) -> str:
    """The graph as Mermaid, which Markdown viewers draw. A task's name may be a word of Mermaid's: ids are numbers."""
    ids = {name: f"t{number}" for number, name in enumerate(pipeline.tasks)}
    lines = ["flowchart LR", *(f'  {ids[name]}["{name}"]' for name in pipeline.tasks)]
    for name, task in pipeline.tasks.items():
        arrow = "-->" if task.when == USUAL_WHEN else f"-. {task.when} .->"
        lines += [f"  {ids[need]} {arrow} {ids[name]}" for need in task.needs]
    return "\n".join(lines)


def dot(pipeline: Pipeline) -> str:
    """The graph as Graphviz reads it."""
    lines = [f'digraph "{pipeline.name}" {{', "  rankdir=LR", "  node [shape=box]"]
    lines += [f'  "{name}"' for name in pipeline.tasks]
    for name, task in pipeline.tasks.items():
        style = "" if task.when == USUAL_WHEN else f' [label="{task.when}", style=dashed]'
        lines += [f'  "{need}" -> "{name}"{style}' for need in task.needs]
    return "\n".join([*lines, "}"])
