"""The benchmark in short, for every change: fewer tasks and few pairs, with room enough that only a doubling fails.

With few tasks the start of Python weighs more than it does in a thousand, so the limits are not those promised:
they are between 1.5 and 1.8 times what was measured. `python -m tests.benchmarks` measures the promises.
"""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.benchmarks import lines
from tests.benchmarks.contest import Budgets, Contest, hold

TASKS = 250
MEBIBYTE = 1024**2

SHORT: dict[str, tuple[Callable[[Path], Contest], Budgets]] = {
    "independent": (lambda place: lines.independent(place, TASKS), {"wall": 5.0, "cpu": 4.0}),
    "chain": (lambda place: lines.chain(place, TASKS), {"wall": 4.5}),
    "four": (lines.four, {"wall": 15.0}),
    "help": (lines.usage, {"wall": 8.0}),
    "status": (lines.status, {"wall": 11.0}),
    "output": (lambda place: lines.output(place, 200 * MEBIBYTE), {"memory": 1.5}),
}


@pytest.mark.timing
@pytest.mark.parametrize("name", SHORT)
def test_nothing_costs_twice_what_it_did(name: str, tmp_path: Path) -> None:
    make, budgets = SHORT[name]
    contest = dataclasses.replace(make(tmp_path / name), budgets=budgets, pairs=5)
    # The least of the ratios: what else the machine does makes one pair worse, never better.
    over = [f"{r.measure}: {r.least:.2f} times the baseline" for r in hold(contest) if r.least > r.budget]
    assert over == []


def test_every_line_has_its_short_form() -> None:
    assert SHORT.keys() == lines.LINES.keys()
