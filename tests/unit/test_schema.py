"""The JSON Schema: good for editors, and of one mind with the loader."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from cronflow import schema
from cronflow.loader import pipeline_file
from cronflow.spec import Config, PipelineFile

SOURCE = Path(__file__).parents[2]
PIPELINES = SOURCE / "tests" / "fixtures" / "pipelines"
BOTH = {"pipeline": schema.of_pipeline_file(), "config": schema.of_config_file()}

# What a schema can't see: what is no YAML, what YAML hides, the file's own name, and what lies between values.
BEYOND_A_SCHEMA = {
    "alias_bomb", "alias_loop", "colon_in_text", "cycles", "duplicate_keys", "empty", "file_like_name", "indentation",
    "keys_that_are_no_words", "merge", "name of file", "never_fires", "open_list", "open_quote", "pools",
    "same_name_twice", "schedules", "special_character", "start_and_end", "syntax_after_other_errors", "tabs", "tags",
    "unknown_alias", "unknown_needs", "unnamed_documents", "unquoted_schedule", "unquoted_schedule_in_a_list",
    "unquoted_stars", "unquoted_word", "zones",
}  # fmt: skip


class CoreLoader(yaml.SafeLoader):
    """YAML as editors read it, whose YAML 1.2 knows no dates."""


CoreLoader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith(":timestamp")]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def documents(path: Path) -> list[Any]:
    """The documents of a file as JSON has them: keys are text."""
    loaded = yaml.load_all(path.read_text(encoding="utf-8"), Loader=CoreLoader)
    return [with_text_keys(document) for document in loaded if document is not None]


def with_text_keys(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): with_text_keys(item) for key, item in value.items()}
    return [with_text_keys(item) for item in value] if isinstance(value, list) else value


def accepts(which: str, document: Any) -> bool:
    return bool(Draft202012Validator(BOTH[which]).is_valid(document))


def keys_of(part: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every key that a schema describes, with its path."""
    for name, described in part.get("properties", {}).items():
        yield f"{path}.{name}", described
        yield from keys_of(described, f"{path}.{name}")
    rest = part.get("additionalProperties")
    if isinstance(rest, dict):
        yield from keys_of(rest, f"{path}.*")


@pytest.mark.parametrize("which", BOTH)
def test_it_is_a_schema(which: str) -> None:
    Draft202012Validator.check_schema(BOTH[which])
    assert BOTH[which]["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert BOTH[which]["title"]
    assert json.loads(json.dumps(BOTH[which])) == BOTH[which]


@pytest.mark.parametrize("which", BOTH)
def test_every_key_is_described(which: str) -> None:
    keys = dict(keys_of(BOTH[which]))
    assert [path for path, described in keys.items() if not described.get("description")] == []
    assert {f".{name}" for name in (PipelineFile if which == "pipeline" else Config).__struct_fields__} <= set(keys)


@pytest.mark.parametrize("which", BOTH)
def test_nothing_unknown_is_let_through_anywhere(which: str) -> None:
    parts = [BOTH[which], *(described for _, described in keys_of(BOTH[which]))]
    open_ended = [part for part in parts if "object" in part["type"] and "additionalProperties" not in part]
    assert open_ended == []


@pytest.mark.parametrize("which", BOTH)
def test_every_default_is_a_value_that_it_accepts(which: str) -> None:
    for path, described in keys_of(BOTH[which]):
        if "default" in described:
            assert Draft202012Validator(described).is_valid(described["default"]), path


GOOD = [*sorted((PIPELINES / "good").rglob("*.y*ml")), *sorted((SOURCE / "sample-pipelines").glob("*.yaml"))]


@pytest.mark.parametrize("path", GOOD, ids=lambda path: path.stem)
def test_every_good_file_and_every_sample_is_accepted(path: Path) -> None:
    assert documents(path)
    for document in documents(path):
        Draft202012Validator(BOTH["pipeline"]).validate(document)


BAD = sorted((PIPELINES / "bad").glob("*.yaml"))


@pytest.mark.parametrize("path", [path for path in BAD if path.stem not in BEYOND_A_SCHEMA], ids=lambda path: path.stem)
def test_what_a_schema_can_refuse_is_refused(path: Path) -> None:
    assert not all(accepts("pipeline", document) for document in documents(path))


def test_the_exceptions_are_fixtures() -> None:
    assert {path.stem for path in BAD} >= BEYOND_A_SCHEMA


# A document that one of the two refuses, the other refuses too.
SAME_MIND = [
    ({"run": "x"}, True),
    ({"run": ""}, False),
    ({}, False),
    ({"run": "x", "tasks": {"a": {"run": "x"}}}, False),
    ({"tasks": {"a": {}}}, False),
    ({"tasks": {"a": {}}, "defaults": {"run": "x"}}, True),
    ({"tasks": {"a": {}}, "defaults": {"retries": 1}}, False),
    ({"run": "x", "timeout": "1h30m"}, True),
    ({"run": "x", "timeout": 90}, True),
    ({"run": "x", "timeout": 1.5}, True),
    ({"run": "x", "timeout": 0}, False),
    ({"run": "x", "timeout": "5 m"}, False),
    ({"run": "x", "timeout": ""}, False),
    ({"run": "x", "timeout": None}, True),
    ({"run": "x", "catchup_window": None}, False),
    ({"run": "x", "catchup_window": -1}, False),
    ({"run": "x", "jitter": 0}, True),
    ({"run": "x", "tags": "one"}, True),
    ({"run": "x", "tags": ["one", "two"]}, True),
    ({"run": "x", "tags": ["one", "one"]}, False),
    ({"run": "x", "tags": [1]}, False),
    ({"run": "x", "env": {"A": "b"}}, True),
    ({"run": "x", "env": {"A": 8080}}, False),
    ({"run": "x", "env": {"1A": "b"}}, False),
    ({"run": "x", "env": {"CRONFLOW_DS": "b"}}, False),
    ({"run": "x", "start": "2026-01-31"}, True),
    ({"run": "x", "start": "31.1.2026"}, False),
    ({"run": "x", "max_active_runs": 1.5}, False),
    ({"run": "x", "max_active_runs": True}, False),
    ({"run": "x", "enabled": "off"}, False),
    ({"run": "x", "retention": {"runs": 10}}, True),
    ({"run": "x", "retention": None}, False),
    ({"run": "x", "alerts": {"on_failure": ["a", "b"], "late_after": "2h"}}, True),
    ({"name": "../x", "run": "x"}, False),
    ({"name": "a" * 64, "run": "x"}, True),
    ({"name": "a" * 65, "run": "x"}, False),
    ({"tasks": {"a b": {"run": "x"}}}, False),
    ({"tasks": {"a": {"run": "x", "retry_jitter": 1}}}, True),
    ({"tasks": {"a": {"run": "x", "retry_jitter": 1.1}}}, False),
    ({"tasks": {"a": {"run": "x", "when": "any_failed", "needs": "b"}, "b": {"run": "x"}}}, True),
    ({"tasks": {"a": {"run": "x", "skip_exit_code": 0}}}, False),
]


@pytest.mark.parametrize(("document", "good"), SAME_MIND, ids=[str(document) for document, _ in SAME_MIND])
def test_loader_and_schema_are_of_one_mind(document: Any, good: bool) -> None:
    text = yaml.safe_dump(document, sort_keys=False).replace("'2026-01-31'", "2026-01-31")
    loaded = pipeline_file.parse(text, name="etl", directory="/", config=Config())
    assert (accepts("pipeline", document), not loaded.problems) == (good, good)


CONFIGS = [
    ({}, True),
    ({"max_tasks": 4, "pools": {"warehouse": 4}, "log_limit": "64MiB", "defaults": {"retries": 2}}, True),
    ({"log_limit": 4096, "heartbeat": {"url": "https://example.com", "every": "5m"}, "timezone": "UTC"}, True),
    ({"log_limit": "large"}, False),
    ({"heartbeat": {"every": "5m"}}, False),
    ({"heartbeat": {"url": "example.com"}}, False),
    ({"pools": {"warehouse": 0}}, False),
    ({"pools": {"a b": 1}}, False),
    ({"tasks": {}}, False),
]


@pytest.mark.parametrize(("document", "good"), CONFIGS, ids=[str(document) for document, _ in CONFIGS])
def test_config_loader_and_schema_are_of_one_mind(document: Any, good: bool) -> None:
    from cronflow.loader import config_file

    problems = config_file.parse(yaml.safe_dump(document), directory="/").problems
    assert (accepts("config", document), not problems) == (good, good)
