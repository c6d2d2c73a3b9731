"""cronflow and something to compare it with, in turn: the result is a ratio, which a busy machine spoils least.

Every run has a directory of its own, and none is deleted before the end: ext4 creates many files several times more
slowly for some seconds after many were deleted in the same place.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Literal

from tests.benchmarks.process import Cost, run

Measure = Literal["wall", "cpu", "memory"]
Budgets = Mapping[Measure, float]
# Makes the given new directory ready and returns the command to run in it. The making is not measured.
Prepare = Callable[[Path], list[str]]


@dataclass(frozen=True)
class Contest:
    """What is measured: cronflow's side, the other side, and the largest ratio of the two that is promised."""

    title: str
    place: Path
    cronflow: Prepare
    baseline: Prepare
    budgets: Budgets
    pairs: int = 5


@dataclass(frozen=True)
class Result:
    """One measure of one contest: medians (seconds or bytes), and the median and the least of the pairs' ratios."""

    title: str
    measure: Measure
    cronflow: float
    baseline: float
    ratio: float
    least: float
    budget: float

    @property
    def passes(self) -> bool:
        """Whether the promise is kept."""
        return self.ratio <= self.budget


def hold(contest: Contest) -> list[Result]:
    """Run the two sides in turn, after one pair that does not count. One result for each budget."""
    pairs = [pair(contest, number) for number in range(contest.pairs + 1)][1:]
    return [result(contest, measure, pairs) for measure in contest.budgets]


def pair(contest: Contest, number: int) -> tuple[Cost, Cost]:
    """One run of each side, cronflow's first."""
    ours = one_side(contest.cronflow, contest.place / f"cronflow-{number}")
    theirs = one_side(contest.baseline, contest.place / f"baseline-{number}")
    return ours, theirs


def one_side(prepare: Prepare, directory: Path) -> Cost:
    """Make the directory ready and measure one run in it."""
    directory.mkdir(parents=True)
    return run(prepare(directory), cwd=directory)


def result(contest: Contest, measure: Measure, pairs: list[tuple[Cost, Cost]]) -> Result:
    """The medians of one measure."""
    values = [(getattr(ours, measure), getattr(theirs, measure)) for ours, theirs in pairs]
    ratios = [ours / theirs for ours, theirs in values]
    return Result(
        title=contest.title,
        measure=measure,
        cronflow=median(ours for ours, _ in values),
        baseline=median(theirs for _, theirs in values),
        ratio=median(ratios),
        least=min(ratios),
        budget=contest.budgets[measure],
    )
