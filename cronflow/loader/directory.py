"""All files of a pipelines directory, each as the cache has it, or read now.

Here is what concerns more than one file: the walk, who may write the directories, `config.yaml`, and two pipelines of
one name.
"""

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from cronflow.loader import cache, trust
from cronflow.loader.cache import Cache, ConfigEntry, Entry, Stamp
from cronflow.problem import Problem
from cronflow.spec import Config

if TYPE_CHECKING:
    from cronflow.loader.pipeline_file import Loaded

ENDINGS = (".yaml", ".yml")
NO_PIPELINES = ".cronflowignore"
CONFIG = "config.yaml"


class Directory(Struct, frozen=True):
    """The files by path, sorted. `outside` are problems of a file that lie outside of it."""

    files: dict[str, Entry]
    outside: dict[str, tuple[Problem, ...]]
    config: ConfigEntry


def config_path(pipelines_dir: str) -> str:
    """`config.yaml` is beside the pipelines directory."""
    return os.path.join(os.path.dirname(pipelines_dir), CONFIG)


def read(pipelines_dir: str, cache_dir: str | None, *, made_by: str, now: float) -> Directory:
    """Read what is not in the cache, and keep it there. Both directories are absolute; `now` in epoch seconds."""
    empty = Cache(made_by=made_by, pipelines_dir=pipelines_dir)
    kept = cache.read(cache_dir, empty) if cache_dir else empty
    config = _config(config_path(pipelines_dir), kept.config)
    known = kept.files if config is kept.config else {}
    outside = dict(sorted(_walk(pipelines_dir)))
    files = {path: _file(path, known.get(path), pipelines_dir, config.config) for path in outside}
    if cache_dir and (config is not kept.config or _differ(files, kept.files)):
        _keep(cache_dir, msgspec.structs.replace(empty, config=config, files=files), now)
    doubles = _doubles(files)
    return Directory(files, {path: (*outside[path], *doubles.get(path, ())) for path in files}, config)


def entry_of(stamp: Stamp, loaded: "Loaded") -> Entry:
    """What the loader found, as the cache keeps it."""
    pipelines = msgspec.Raw(msgspec.json.encode(loaded.pipelines))
    return Entry(stamp, loaded.names, pipelines, loaded.problems, loaded.warnings)


def distrust(directory: str, *, any_owner: bool = False) -> Iterator[Problem]:
    """Why no file of a directory can be trusted. `any_owner` as for `trust.refusals`."""
    try:
        refusals = trust.refusals(directory, os.stat(directory), any_owner=any_owner)
    except OSError as error:
        refusals = [f"can't look at {directory}: {error.strerror}"]
    return (Problem(1, 1, "", refusal) for refusal in refusals)


def _config(path: str, known: ConfigEntry | None) -> ConfigEntry:
    """`config.yaml`, read only if it is there and changed."""
    stamp = cache.stamp_of(path)
    if known and known.stamp == stamp:
        return known
    if not stamp and not os.path.lexists(path):
        return ConfigEntry(stamp, Config(), (), ())
    from cronflow.loader import config_file

    loaded = config_file.load(path)
    return ConfigEntry(stamp, loaded.config, loaded.problems, loaded.warnings)


def _file(path: str, known: Entry | None, pipelines_dir: str, config: Config) -> Entry:
    """A file's entry: the known one if its stamp still holds."""
    stamp = cache.stamp_of(path)
    if known and stamp and known.stamp == stamp:
        return known
    from cronflow.loader import pipeline_file

    return entry_of(stamp, pipeline_file.load(path, pipelines_dir=pipelines_dir, config=config))


def _walk(top: str) -> Iterator[tuple[str, tuple[Problem, ...]]]:
    """Every YAML file below, none of them hidden, with the trouble of the directories that lead to it.

    A directory with the mark NO_PIPELINES is somebody else's: a dbt project, say, whose YAML is not ours to judge.
    A directory that can't be read stands for its files. One that a link leads back to is not entered twice.
    """
    waiting: list[tuple[str, tuple[Problem, ...]]] = [(top, ())]
    seen = set()
    while waiting:
        directory, above = waiting.pop()
        try:
            status = os.stat(directory)
            entries = list(os.scandir(directory))
        except OSError:
            yield directory, above
            continue
        if (status.st_dev, status.st_ino) in seen:
            continue
        seen.add((status.st_dev, status.st_ino))
        if any(entry.name == NO_PIPELINES for entry in entries):
            continue
        problems = (*above, *distrust(directory))
        for entry in entries:
            if entry.name.startswith("."):
                continue
            linked = entry.is_symlink()
            if entry.is_dir(follow_symlinks=False) or (linked and os.path.isdir(entry.path)):
                waiting.append((entry.path, problems))
            elif entry.name.endswith(ENDINGS):
                target = distrust(os.path.dirname(os.path.realpath(entry.path))) if linked else ()
                yield entry.path, (*problems, *target)


def _differ(files: dict[str, Entry], kept: dict[str, Entry]) -> bool:
    """Whether the cache needs writing."""
    return files.keys() != kept.keys() or any(entry is not kept[path] for path, entry in files.items())


def _keep(cache_dir: str, new: Cache, now: float) -> None:
    """Write the cache, without the files that may still be changing."""
    if new.config and cache.is_settled(new.config.stamp, now):
        settled = {path: entry for path, entry in new.files.items() if cache.is_settled(entry.stamp, now)}
        cache.write(cache_dir, msgspec.structs.replace(new, files=settled))


def _doubles(files: dict[str, Entry]) -> dict[str, list[Problem]]:
    """Pipelines of one name: neither can run, as nobody could say which one is meant."""
    owners: dict[str, list[str]] = {}
    for path, entry in files.items():
        for name in entry.names if not entry.problems else ():
            owners.setdefault(name, []).append(path)
    problems: dict[str, list[Problem]] = {}
    for name, paths in owners.items():
        for path in paths if len(paths) > 1 else ():
            others = ", ".join(other for other in paths if other != path)
            message = f"name: '{name}' is also the name of a pipeline in {others}"
            problems.setdefault(path, []).append(Problem(*files[path].names[name], "name", message))
    return problems
