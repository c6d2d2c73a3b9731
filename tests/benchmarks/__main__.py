"""`python -m tests.benchmarks`: what cronflow costs, beside what it promises. About two minutes for all lines.

The wall times of a machine that does other things are worth little; the ratios of runs in turn are worth more.
"""

import argparse
import dataclasses
import json
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.benchmarks.contest import Measure, Result, hold
from tests.benchmarks.lines import LINES
from tests.benchmarks.process import Failed

SCALES: dict[Measure, tuple[float, str]] = {"wall": (1000, "ms"), "cpu": (1000, "ms"), "memory": (1 / 1024**2, "MiB")}
ROW = "{:<34} {:<7} {:>12} {:>12} {:>7} {:>7}  {}"


def main(arguments: list[str]) -> int:
    """Hold the contests that are asked for. 0 where every promise is kept, else 1."""
    asked = options(arguments)
    show = say_nothing if asked.json else say
    show(ROW.format("line", "measure", "cronflow", "baseline", "ratio", "budget", ""))
    try:
        results = list(contests(asked, show))
    except Failed as failure:
        print(failure, file=sys.stderr)
        return 1
    if asked.json:
        print(json.dumps([dataclasses.asdict(result) | {"passes": result.passes} for result in results], indent=2))
    return 0 if all(result.passes for result in results) else 1


def contests(asked: argparse.Namespace, show: Callable[[str], None]) -> Iterator[Result]:
    """Each line's results, shown as they come."""
    with tempfile.TemporaryDirectory(prefix="cronflow-benchmark-", dir=asked.dir) as place:
        for name in asked.lines or LINES:
            contest = LINES[name](Path(place) / name)
            for result in hold(dataclasses.replace(contest, pairs=asked.pairs or contest.pairs)):
                show(row(result))
                yield result


def say(text: str) -> None:
    """Print a line at once."""
    print(text, flush=True)


def say_nothing(_text: str) -> None:
    """Leave standard output to the JSON."""


def options(arguments: list[str]) -> argparse.Namespace:
    """What was asked for."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("lines", nargs="*", metavar="LINE", help=f"which lines: {' '.join(LINES)}; default: all")
    parser.add_argument("--pairs", type=int, help="runs of each side; default: each line's own number")
    parser.add_argument("--dir", help="where the runs keep their files; default: the system's temporary directory")
    parser.add_argument("--json", action="store_true", help="seconds, bytes and ratios as JSON")
    asked = parser.parse_args(arguments)
    for name in asked.lines:
        if name not in LINES:
            parser.error(f"no line {name!r}; there are: {' '.join(LINES)}")
    if asked.pairs is not None and asked.pairs < 1:
        parser.error("--pairs: at least 1")
    return asked


def row(result: Result) -> str:
    """One line of the table."""
    factor, unit = SCALES[result.measure]
    return ROW.format(
        result.title,
        result.measure,
        f"{result.cronflow * factor:.1f} {unit}",
        f"{result.baseline * factor:.1f} {unit}",
        f"{result.ratio:.2f}",
        f"{result.budget:.2f}",
        "pass" if result.passes else "falls short",
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
