"""`config.yaml`: the machine's own settings, beside the pipelines directory."""

import os
from typing import Any

from msgspec import Struct

from cronflow.loader import later, rules, source
from cronflow.loader.nodes import Node, compose, entries_of, place
from cronflow.loader.shapes import Report, Wrong, keys_of
from cronflow.nearest import did_you_mean
from cronflow.problem import Problem
from cronflow.spec import Alerts, Config, Heartbeat, Retention


class Loaded(Struct, frozen=True):
    """The settings, as far as they could be read, and what is wrong with the rest."""

    config: Config = Config()
    problems: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()


def load(path: str) -> Loaded:
    """Read and check the file at an absolute path. Without a file everything has its default."""
    if not os.path.lexists(path):
        return Loaded()
    try:
        return parse(source.read(path), directory=os.path.dirname(path))
    except source.Unusable as trouble:
        return Loaded(problems=trouble.problems)


def parse(text: str, *, directory: str) -> Loaded:
    """The settings of a text. Relative paths in it start at `directory`. An empty one sets nothing."""
    composed = compose(text)
    report = Report()
    report.take(composed.problems)
    for extra in composed.documents[1:]:
        report.add(extra, "", "a second document: config.yaml holds one")
    if not composed.documents:
        return Loaded(problems=report.all())
    root = composed.documents[0]
    try:
        keys = keys_of(Config).read(root, "", report)
    except Wrong:
        return Loaded(problems=report.all())
    _check(keys, root, report)
    return Loaded(_config(keys, directory), report.all(), _later(root))


def _check(keys: dict[str, Any], root: Node, report: Report) -> None:
    """What must hold between the values."""
    zone = rules.zone_trouble(keys["timezone"]) if keys.get("timezone") is not None else ""
    if zone:
        report.take([Problem(*place(root, ("timezone",)), "timezone", zone)])
    pool, pools = keys.get("defaults", {}).get("pool"), keys.get("pools", {})
    if pool is not None and pool not in pools:
        message = f"no pool '{pool}' in 'pools'{did_you_mean(pool, pools)}"
        report.take([Problem(*place(root, ("defaults", "pool")), "defaults.pool", message)])
    if keys.get("heartbeat") is not None and "url" not in entries_of(entries_of(root)["heartbeat"][1]):
        report.take([Problem(*place(root, ("heartbeat",)), "heartbeat", "heartbeat: needs a 'url'")])


def _config(keys: dict[str, Any], directory: str) -> Config:
    """The settings, with paths absolute."""
    structs: dict[str, Any] = {"alerts": Alerts, "retention": Retention, "heartbeat": Heartbeat}
    for key, definition in structs.items():
        if keys.get(key) is not None:
            complete = key != "heartbeat" or "url" in keys[key]
            keys[key] = definition(**keys[key]) if complete else None
    cwd = keys.get("defaults", {}).get("cwd")
    if cwd:
        keys["defaults"]["cwd"] = os.path.normpath(os.path.join(directory, cwd))
    return Config(**keys)


def _later(root: Node) -> tuple[Problem, ...]:
    """Notes on keys whose behaviour is not there yet."""
    entries = entries_of(root)
    set_here = [(key, entries[key][0]) for key in later.CONFIG if key in entries]
    return tuple(Problem(node.line, node.column, key, f"'{key}' {later.CONFIG[key]}") for key, node in set_here)
