"""All pipelines of a pipelines directory, and the one that a command line means.

Reading goes through a cache in the state directory: where nothing changed, neither YAML nor cron is even imported.
"""

import os
from collections.abc import Iterable

import msgspec
from msgspec import Struct

from cronflow import __version__, clock
from cronflow.errors import BadPipeline, WrongUse
from cronflow.loader import directory, trust
from cronflow.loader.cache import Entry
from cronflow.loader.directory import Directory
from cronflow.nearest import did_you_mean
from cronflow.problem import Problem, show
from cronflow.spec import Config, Pipeline
from cronflow.state.layout import Layout


class Found(Struct, frozen=True):
    """A pipeline, the absolute path of its file, and the `config.yaml` that it was resolved under."""

    pipeline: Pipeline
    path: str
    config: Config


class File(Struct, frozen=True):
    """A file and what it holds. With problems it has no pipelines; `names` has those it would define."""

    path: str
    names: tuple[str, ...] = ()
    pipelines: tuple[Pipeline, ...] = ()
    problems: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()


class Catalog(Struct, frozen=True):
    """The good pipelines by name, and every file, `config.yaml` first where there is one."""

    pipelines: dict[str, Found]
    files: tuple[File, ...]
    config: Config


def load_catalog(pipelines_dir: str, state_dir: str | None = None) -> Catalog:
    """Everything in the directory (absolute). Raises WrongUse where there is no such directory.

    Without a state directory there is no cache: everything is read.
    """
    read = _directory(pipelines_dir, state_dir)
    files = [_file(path, entry, read.outside[path]) for path, entry in read.files.items()]
    configs = _config_files(directory.config_path(pipelines_dir), read.config.problems, read.config.warnings)
    found = [(one.name, Found(one, file.path, read.config.config)) for file in files for one in file.pipelines]
    return Catalog(dict(sorted(found)), (*configs, *files), read.config.config)


def find(target: str, pipelines_dir: str, state_dir: str | None = None) -> Found:
    """The pipeline that a command line means: a NAME, a FILE, or FILE:NAME where a file holds several.

    Raises BadPipeline with all problems of its file, and WrongUse where there is no such pipeline or file.
    """
    path, name = split_target(target)
    if path:
        return _in_file(path, name, pipelines_dir)
    return _by_name(name, pipelines_dir, state_dir)


def split_target(target: str) -> tuple[str, str]:
    """FILE and NAME of what was typed; either may be empty. A file has `/` in it, or ends in .yaml or .yml."""
    file, colon, name = target.rpartition(":")
    if colon and file.endswith(directory.ENDINGS):
        return file, name
    return (target, "") if "/" in target or target.endswith(directory.ENDINGS) else ("", target)


def read_file(path: str, pipelines_dir: str) -> Catalog:
    """One file (absolute) by itself, read anew, as a catalog that has no other.

    Its directories count, up to the pipelines directory if it is inside of that, and so does `config.yaml`.
    """
    from cronflow.loader import config_file, pipeline_file

    config_path = directory.config_path(pipelines_dir)
    config = config_file.load(config_path)
    configs = _config_files(config_path, config.problems, config.warnings)
    if path == config_path:
        return Catalog({}, configs, config.config)
    any_owner = not pipeline_file.is_inside(path, pipelines_dir)
    places = trust.directories_of(path, pipelines_dir)
    outside = [problem for place in places for problem in directory.distrust(place, any_owner=any_owner)]
    loaded = pipeline_file.load(path, pipelines_dir=pipelines_dir, config=config.config)
    file = _file(path, directory.entry_of((), loaded), tuple(outside))
    pipelines = {pipeline.name: Found(pipeline, path, config.config) for pipeline in file.pipelines}
    return Catalog(pipelines, (*configs, file), config.config)


def _directory(pipelines_dir: str, state_dir: str | None) -> Directory:
    """The whole directory, by way of the cache."""
    if not os.path.isdir(pipelines_dir):
        if os.path.lexists(pipelines_dir):
            raise WrongUse(f"{pipelines_dir}: not a directory; name another one with --pipelines-dir")
        raise WrongUse(f"{pipelines_dir}: no such directory; 'cronflow new NAME' makes it, with a first pipeline")
    cache_dir = Layout(state_dir).cache if state_dir else None
    made_by = f"cronflow {__version__} uid {os.geteuid()}"
    return directory.read(pipelines_dir, cache_dir, made_by=made_by, now=clock.now())


def _file(path: str, entry: Entry, outside: tuple[Problem, ...]) -> File:
    """An entry as it is handed out."""
    problems = (*outside, *entry.problems)
    pipelines = () if problems else msgspec.json.decode(entry.pipelines, type=tuple[Pipeline, ...])
    return File(path, tuple(entry.names), pipelines, problems, entry.warnings)


def _config_files(path: str, problems: tuple[Problem, ...], warnings: tuple[Problem, ...]) -> tuple[File, ...]:
    """`config.yaml` as one of the files, if there is one."""
    return (File(path, problems=problems, warnings=warnings),) if os.path.lexists(path) else ()


def _by_name(name: str, pipelines_dir: str, state_dir: str | None) -> Found:
    """The pipeline of a name. Other files may be bad, its own and `config.yaml` may not."""
    read = _directory(pipelines_dir, state_dir)
    paths = [path for path, entry in read.files.items() if name in entry.names]
    if not paths:
        raise WrongUse(_unknown(name, pipelines_dir, read))
    config = _config_files(directory.config_path(pipelines_dir), read.config.problems, ())
    files = [_file(path, read.files[path], read.outside[path]) for path in paths]
    for file in files:
        for pipeline in file.pipelines:
            if pipeline.name == name:
                _refuse_bad(config)
                return Found(pipeline, file.path, read.config.config)
    raise _bad([*config, *files])


def _unknown(name: str, pipelines_dir: str, read: Directory) -> str:
    """The message for a name that no file has."""
    names = [known for entry in read.files.values() for known in entry.names]
    message = f"no pipeline '{name}' in {pipelines_dir}{did_you_mean(name, names)}"
    bad = sum(1 for path, entry in read.files.items() if entry.problems or read.outside[path])
    return message + (f"\nfiles with problems: {bad}; 'cronflow validate' shows them" if bad else "")


def _in_file(path: str, name: str, pipelines_dir: str) -> Found:
    """The pipeline of a file that was typed."""
    absolute = os.path.abspath(path)
    if not os.path.lexists(absolute):
        raise WrongUse(f"{path}: no such file")
    if os.path.isdir(absolute):
        raise WrongUse(f"{path}: a directory, expected a pipeline's file or its name")
    catalog = read_file(absolute, pipelines_dir)
    _refuse_bad(catalog.files)
    if not name and len(catalog.pipelines) > 1:
        raise WrongUse(
            f"{path} holds several pipelines: name one, {' or '.join(f'{path}:{one}' for one in catalog.pipelines)}"
        )
    if not name and catalog.pipelines:
        return next(iter(catalog.pipelines.values()))
    if name not in catalog.pipelines:
        raise WrongUse(f"{path} has no pipeline '{name}'{did_you_mean(name, catalog.pipelines)}")
    return catalog.pipelines[name]


def _refuse_bad(files: Iterable[File]) -> None:
    """Raise BadPipeline if one of them is bad."""
    if any(file.problems for file in files):
        raise _bad(files)


def _bad(files: Iterable[File]) -> BadPipeline:
    """All that is wrong with files."""
    return BadPipeline("\n".join(show(file.path, problem) for file in files for problem in file.problems))
