"""Where things are in the state directory. Names only: nothing here touches a file."""

import os

RECORD = "run.json"
WISH = "cancel.json"
BETWEEN = "~"  # never part of a pipeline's name or a run's id


class Layout:
    """The paths below one state directory."""

    def __init__(self, root: str) -> None:
        """`root` is absolute."""
        self.root = root
        self.open = os.path.join(root, "open")
        self.pools = os.path.join(root, "pools")
        self.cache = os.path.join(root, "cache")
        self.pipelines = os.path.join(root, "pipelines")

    def pipeline(self, name: str) -> str:
        """The directory of one pipeline's history."""
        return f"{self.pipelines}/{name}"

    def runs(self, pipeline: str) -> str:
        """The directory of its runs, by month."""
        return f"{self.pipelines}/{pipeline}/runs"

    def active(self, pipeline: str) -> str:
        """The directory of its slots."""
        return f"{self.pipelines}/{pipeline}/active"

    def pruned(self, pipeline: str, run_id: str) -> str:
        """Where a run whose record is gone would still be named."""
        return f"{self.pipelines}/{pipeline}/pruned/{month(run_id)}.jsonl"

    def run(self, pipeline: str, run_id: str) -> str:
        """A run's directory."""
        return f"{self.pipelines}/{pipeline}/runs/{month(run_id)}/{run_id}"

    def entry(self, pipeline: str, run_id: str) -> str:
        """The mark of a run that has not ended."""
        return f"{self.open}/{pipeline}{BETWEEN}{run_id}"

    def pool(self, name: str) -> str:
        """The directory of a pool's slots."""
        return f"{self.pools}/{name}"


def month(run_id: str) -> str:
    """`20261122T000000Z` -> `2026-11`."""
    return f"{run_id[:4]}-{run_id[4:6]}"


def attempt(run_dir: str, task: str, number: int) -> str:
    """An attempt's file."""
    return f"{run_dir}/{task}.{number}.json"


def stop(run_dir: str, task: str, number: int) -> str:
    """Why an engine stopped it."""
    return f"{run_dir}/{task}.{number}.stop"


def log_name(task: str, number: int) -> str:
    """The name of its output within the run's directory."""
    return f"{task}.{number}.log"


def of_attempt(name: str) -> tuple[str, int, str] | None:
    """`load.2.json` -> ("load", 2, "json"). None for any other file; a task's name may have dots itself."""
    stem, dot, kind = name.rpartition(".")
    task, second, number = stem.rpartition(".")
    if not (dot and second and task) or kind not in {"json", "stop", "log"} or not number.isdecimal():
        return None
    return task, int(number), kind
