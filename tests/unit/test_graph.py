"""Graphs of tasks: orders and circles, against what a naive reading says."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from cronflow.graph import cycles, dependants, order

Needs = dict[str, list[str]]


@st.composite
def graphs(draw: st.DrawFn) -> Needs:
    """Any graph, circles and all."""
    names = [f"t{number}" for number in range(draw(st.integers(0, 8)))]
    return {name: draw(st.lists(st.sampled_from(names), unique=True)) for name in names}


def reachable(needs: Needs, start: str) -> set[str]:
    """All that a task waits for, directly or not."""
    seen: set[str] = set()
    waiting = list(needs[start])
    while waiting:
        name = waiting.pop()
        if name not in seen:
            seen.add(name)
            waiting += needs[name]
    return seen


def test_by_hand() -> None:
    needs = {"mail": ["load", "check"], "load": ["pull"], "check": ["pull"], "pull": []}
    assert order(needs) == ["pull", "load", "check", "mail"]
    assert dependants(needs) == {"mail": [], "load": ["mail"], "check": ["mail"], "pull": ["load", "check"]}
    assert cycles(needs) == []
    assert cycles({"a": ["b"], "b": ["c"], "c": ["a"], "d": ["d", "a"]}) == [["a", "b", "c", "a"], ["d", "d"]]


def test_a_need_that_is_no_task_closes_no_circle() -> None:
    assert cycles({"a": ["nobody", "b"], "b": ["a"]}) == [["a", "b", "a"]]


@given(graphs())
def test_an_order_has_every_task_after_what_it_needs(needs: Needs) -> None:
    ordered = order(needs)
    stuck = {
        name for name in needs if any(other in reachable(needs, other) for other in {name, *reachable(needs, name)})
    }
    assert set(ordered) == set(needs) - stuck
    assert len(ordered) == len(set(ordered))
    for name in ordered:
        assert all(ordered.index(need) < ordered.index(name) for need in needs[name])


@given(graphs())
def test_every_tangle_has_a_circle_and_every_circle_is_one(needs: Needs) -> None:
    found = cycles(needs)
    for circle in found:
        assert circle[0] == circle[-1]
        assert all(need in needs[name] for name, need in pairwise(circle))
        assert len(set(circle)) == len(circle) - 1
    tangled = {name for name in needs if name in reachable(needs, name)}
    for name in tangled:
        tangle = {other for other in reachable(needs, name) if name in reachable(needs, other)}
        assert any(tangle >= set(circle) for circle in found)


def test_ten_thousand_in_a_chain_and_in_a_ring() -> None:
    chain: Needs = {f"t{number}": [f"t{number + 1}"] for number in range(10_000)} | {"t10000": []}
    assert order(chain) == list(reversed(chain))
    assert cycles(chain) == []
    ring = chain | {"t10000": ["t0"]}
    assert order(ring) == []
    assert cycles(ring) == [[*ring, "t0"]]
