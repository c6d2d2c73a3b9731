"""The lines of the benchmark: what cronflow promises to cost, beside `ninja` or a bare Python on the same machine."""

import sys
from collections.abc import Callable
from pathlib import Path

from tests.benchmarks.contest import Budgets, Contest
from tests.benchmarks.process import run

AT_ONCE = 16
GIB = 1024**3
PIPELINES = 20
RUNS_OF_EACH = 3


def program(name: str) -> str:
    """A program of this Python's environment."""
    return str(Path(sys.executable).with_name(name))


def independent(place: Path, tasks: int = 1000) -> Contest:
    """Many tasks that need nothing: what one task costs."""
    needs = dict.fromkeys(names(tasks), "")
    return against_ninja(f"{tasks} independent tasks, {AT_ONCE} at once", place, needs, {"wall": 1.8, "cpu": 2.0})


def chain(place: Path, tasks: int = 1000) -> Contest:
    """Many tasks that each need the one before: how soon the end of one starts the next."""
    in_order = names(tasks)
    needs = dict(zip(in_order, ["", *in_order], strict=False))
    return against_ninja(f"a chain of {tasks} tasks", place, needs, {"wall": 2.0})


def four(place: Path) -> Contest:
    """A small pipeline, from the prompt and back to it."""
    in_order = names(4)
    text = pipeline_text(dict(zip(in_order, ["", *in_order], strict=False)))
    return Contest("four chained tasks", place, lambda new: run_pipeline(new, text), bare_python, {"wall": 10.0}, 15)


def usage(place: Path) -> Contest:
    """`cronflow --help`: the start of every command."""
    return Contest("--help", place, lambda _: [program("cronflow"), "--help"], bare_python, {"wall": 8.0}, 15)


def status(place: Path) -> Contest:
    """`cronflow status` of some pipelines with a history, not for the first time."""
    place.mkdir(parents=True)
    show = [*command(place), "status"]
    for number in range(PIPELINES):
        schedule = f'schedule: "{number} 1 * * *"\n'
        write_pipeline(place, f"p{number}", schedule + pipeline_text(dict.fromkeys(names(3), "")))
        for _ in range(RUNS_OF_EACH):
            run([*command(place), "run", f"p{number}"], cwd=place)
    title = f"status of {PIPELINES} pipelines, {RUNS_OF_EACH} runs each"
    return Contest(title, place, lambda _: show, bare_python, {"wall": 8.0}, 15)


def output(place: Path, size: int = GIB) -> Contest:
    """A task that prints much, beside one that prints nothing: the engine's memory is the same."""
    loud = f'run: "head -c {size} /dev/zero"\n'
    return Contest(
        f"a task that prints {size // 1024**2} MiB",
        place,
        lambda new: run_pipeline(new, loud),
        lambda new: run_pipeline(new, 'run: "true"\n'),
        {"memory": 1.1},
        3,
    )


LINES: dict[str, Callable[[Path], Contest]] = {
    "independent": independent,
    "chain": chain,
    "four": four,
    "help": usage,
    "status": status,
    "output": output,
}


def names(count: int) -> list[str]:
    """Names of that many tasks."""
    return [f"t{number}" for number in range(count)]


def against_ninja(title: str, place: Path, needs: dict[str, str], budgets: Budgets) -> Contest:
    """The same tasks, each a `true` of the shell, by cronflow and by ninja."""
    text = pipeline_text(needs)
    rules = "rule task\n  command = true\n" + "".join(f"build {name}: task {need}\n" for name, need in needs.items())
    return Contest(title, place, lambda new: run_pipeline(new, text), lambda new: ninja(new, rules), budgets)


def pipeline_text(needs: dict[str, str]) -> str:
    """A pipeline of `true` tasks; each needs the one that is named, or nothing."""
    tasks = "".join(f"  {name}: {{run: 'true', needs: [{need}]}}\n" for name, need in needs.items())
    return f"max_parallel_tasks: {AT_ONCE}\ntasks:\n{tasks}"


def run_pipeline(directory: Path, text: str) -> list[str]:
    """A pipeline with a state directory of its own, and the command that runs it."""
    return [*command(directory), "run", str(write_pipeline(directory, "measured", text))]


def write_pipeline(directory: Path, name: str, text: str) -> Path:
    """Write a pipeline file below the directory."""
    path = directory / "pipelines" / f"{name}.yaml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    path.chmod(0o644)
    return path


def command(directory: Path) -> list[str]:
    """cronflow with its places in the directory."""
    return [program("cronflow"), f"--pipelines-dir={directory / 'pipelines'}", f"--state-dir={directory / 'state'}"]


def ninja(directory: Path, rules: str) -> list[str]:
    """ninja on the rules."""
    (directory / "build.ninja").write_text(rules)
    return [program("ninja"), f"-j{AT_ONCE}"]


def bare_python(_directory: Path) -> list[str]:
    """The least that any Python program costs."""
    return [sys.executable, "-c", "pass"]
