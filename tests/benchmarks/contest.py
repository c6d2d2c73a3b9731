"""cronflow and something to compare it with, in turn: the result is a ratio, which a busy machine spoils least.

Every run has a directory of its own, and none is deleted before the end: ext4 without a journal creates a file ten
times more slowly for a while where many were deleted, by whomever (20 µs become 300). So they also keep apart on disk.
"""

import fcntl
import os
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Literal

from tests.benchmarks.process import Cost, run

# FS_IOC_GETFLAGS, FS_IOC_SETFLAGS and FS_TOPDIR_FL of <linux/fs.h>.
GET_FLAGS = 0x80086601
SET_FLAGS = 0x40086602
TOP_DIRECTORY = 0x20000

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
    contest.place.mkdir(parents=True, exist_ok=True)
    keep_apart(contest.place)
    pairs = [pair(contest, number) for number in range(contest.pairs + 1)][1:]
    return [result(contest, measure, pairs) for measure in contest.budgets]


def keep_apart(place: Path) -> None:
    """Ask the file system to put what is made in each directory here far from the others (chattr(1), flag T)."""
    descriptor = os.open(place, os.O_RDONLY)
    try:
        (flags,) = struct.unpack("l", fcntl.ioctl(descriptor, GET_FLAGS, bytes(8)))
        fcntl.ioctl(descriptor, SET_FLAGS, struct.pack("l", flags | TOP_DIRECTORY))
    except OSError:
        pass  # not every file system knows it, and not every one needs it
    finally:
        os.close(descriptor)


def pair(contest: Contest, number: int) -> tuple[Cost, Cost]:
    """One run of each side, cronflow's first."""
    ours = one_side(contest.cronflow, contest.place / f"cronflow-{number}")
    theirs = one_side(contest.baseline, contest.place / f"baseline-{number}")
    return ours, theirs


def one_side(prepare: Prepare, directory: Path) -> Cost:
    """Make the directory ready and measure one run in it."""
    directory.mkdir()
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
