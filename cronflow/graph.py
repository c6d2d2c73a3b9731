"""Graphs of tasks: pure functions of `needs`, the tasks by name with the names each one waits for.

Nothing here recurses: a chain of ten thousand tasks is an ordinary graph.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence

Needs = Mapping[str, Sequence[str]]


def dependants(needs: Needs) -> dict[str, list[str]]:
    """The tasks that wait for each one, in the order of the file."""
    waiting: dict[str, list[str]] = {name: [] for name in needs}
    for name, names in needs.items():
        for need in names:
            waiting[need].append(name)
    return waiting


def order(needs: Needs) -> list[str]:
    """The tasks so that each comes after all it needs; by the file's order where that leaves a choice.

    Tasks in a circle, or behind one, are left out.
    """
    waiting = dependants(needs)
    unmet = {name: len(names) for name, names in needs.items()}
    ready = deque(name for name, count in unmet.items() if count == 0)
    ordered = []
    while ready:
        name = ready.popleft()
        ordered.append(name)
        for dependant in waiting[name]:
            unmet[dependant] -= 1
            if unmet[dependant] == 0:
                ready.append(dependant)
    return ordered


def cycles(needs: Needs) -> list[list[str]]:
    """Circles of tasks that wait for each other, spelled out: `[a, b, c, a]` where a needs b, b needs c, c needs a.

    Every tangle of tasks is named by at least one of its circles, and a circle starts in no task that is already in
    another. Names that are no task are passed over.
    """
    found: list[list[str]] = []
    tangled: set[str] = set()
    done: set[str] = set()
    for start in needs:
        for way, need in _closed_ways(start, needs, done):
            if need not in tangled:
                names = list(way)
                circle = [*names[names.index(need) :], need]
                found.append(circle)
                tangled.update(circle)
    return found


def _closed_ways(start: str, needs: Needs, done: set[str]) -> Iterator[tuple[Iterable[str], str]]:
    """Walk depth first from one task: each way whose last task needs one that is already on it."""
    if start in done:
        return
    way: dict[str, Iterator[str]] = {start: iter(needs[start])}
    while way:
        name, rest = next(reversed(way.items()))
        need = next(rest, None)
        if need is None:
            del way[name]
            done.add(name)
        elif need in way:
            yield way, need
        elif need in needs and need not in done:
            way[need] = iter(needs[need])
