"""The JSON Schema of a pipeline file and of `config.yaml`, for editors, made from the definitions in `spec`.

It follows what the loader accepts as far as a schema can say it: forms as patterns, a single value in place of a
list, text where YAML might read a number, and nothing that is not known.
"""

from collections.abc import Callable
from typing import Any

import msgspec
from msgspec import inspect

from cronflow.loader import forms
from cronflow.spec import ENV_NAME_PATTERN, Config, PipelineFile, Task, TaskKeys

DIALECT = "https://json-schema.org/draft/2020-12/schema"
Schema = dict[str, Any]


def of_pipeline_file() -> Schema:
    """What a pipeline file may hold: draft 2020-12, JSON types."""
    schema = _document(PipelineFile, "A cronflow pipeline")
    schema["properties"]["tasks"]["minProperties"] = 1
    # A task's command may come from `defaults`; else every task has its own.
    schema["if"] = {"required": ["defaults"], "properties": {"defaults": {"required": ["run"]}}}
    schema["else"] = {"properties": {"tasks": {"additionalProperties": {"required": ["run"]}}}}
    schema["oneOf"] = [{"required": ["run"]}, {"required": ["tasks"]}]
    return schema


def of_config_file() -> Schema:
    """What `config.yaml` may hold."""
    return _document(Config, "cronflow's config.yaml")


def _document(definition: type, title: str) -> Schema:
    """The schema of a whole file."""
    return {"$schema": DIALECT, "title": title, **_struct(inspect.type_info(definition))}


def _struct(info: Any) -> Schema:
    """A mapping of known keys."""
    required = [field.name for field in info.fields if field.required and info.cls is not Task]
    return {
        "type": "object",
        "description": (info.cls.__doc__ or "").split("\n")[0],
        "properties": {field.name: _key(field) for field in info.fields},
        **({"required": required} if required else {}),
        "additionalProperties": False,
    }


def _key(field: Any) -> Schema:
    """One key: its description comes from its definition, so does its default."""
    schema = _of(field.type)
    default = field.default
    if default not in {msgspec.NODEFAULT, None, "", ()} and not isinstance(default, msgspec.Struct):
        schema["default"] = forms.spelled(default) if "pattern" in schema and isinstance(default, float) else default
    return schema


def _of(info: Any, form: str = "") -> Schema:
    """The schema of a type as msgspec describes it."""
    if isinstance(info, inspect.Metadata):
        return _of(info.type, (info.extra or {}).get("form", form)) | (info.extra_json_schema or {})
    if isinstance(info, inspect.UnionType):
        (one,) = [member for member in info.types if not isinstance(member, inspect.NoneType)]
        schema = _of(one, form)
        types = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
        return schema | {"type": [*types, "null"]}
    return FORMS[form](info) if form in FORMS else _PLAIN[type(info)](info)


def _limits(info: Any) -> Schema:
    """The limits of a number."""
    limits = {"minimum": info.ge, "exclusiveMinimum": info.gt, "maximum": info.le}
    return {word: limit for word, limit in limits.items() if limit is not None}


def _text(info: Any) -> Schema:
    """Text, with what is asked of it."""
    asked = {"pattern": info.pattern, "minLength": info.min_length}
    return {"type": "string", **{word: value for word, value in asked.items() if value is not None}}


def _table(info: Any) -> Schema:
    """Values by names that the file chooses."""
    names = {word: value for word, value in _of(info.key_type).items() if word != "type"}
    return {"type": "object", "propertyNames": names, "additionalProperties": _of(info.value_type)}


def _one_or_more(info: Any) -> Schema:
    """A value or a list."""
    item = _of(info.item_type)
    return {**item, "type": [item["type"], "array"], "items": item, "uniqueItems": True}


FORMS: dict[str, Callable[[Any], Schema]] = {
    "duration": lambda info: {"type": ["string", "number"], "pattern": forms.DURATION_PATTERN, **_limits(info)},
    "size": lambda info: {"type": ["string", "integer"], "pattern": forms.SIZE_PATTERN, **_limits(info)},
    "day": lambda _info: {"type": "string", "pattern": forms.DAY_PATTERN, "format": "date"},
    "one or more": _one_or_more,
    "variables": lambda _info: {
        "type": "object",
        "propertyNames": {"pattern": ENV_NAME_PATTERN, "not": {"pattern": "^CRONFLOW_"}},
        "additionalProperties": {"type": "string"},
    },
    "task keys": lambda _info: _struct(inspect.type_info(TaskKeys)),
}
_PLAIN: dict[type, Callable[[Any], Schema]] = {
    inspect.StrType: _text,
    inspect.IntType: lambda info: {"type": "integer", **_limits(info)},
    inspect.FloatType: lambda info: {"type": "number", **_limits(info)},
    inspect.BoolType: lambda _info: {"type": "boolean"},
    inspect.LiteralType: lambda info: {"type": "string", "enum": list(info.values)},
    inspect.DictType: _table,
    inspect.StructType: _struct,
}
