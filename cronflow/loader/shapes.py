"""The definitions of `spec` as readers of YAML nodes.

Each shape turns a node into a value, or says what is wrong with it, where, and what is expected there. All values of
a file are read whatever is wrong with others, so that all errors come at once.
"""

import re
from collections.abc import Callable, Iterable
from functools import cache
from typing import Any, Protocol

import yaml
from msgspec import Struct, inspect

from cronflow.loader import forms
from cronflow.loader.nodes import Mapping, Node, Scalar, Sequence
from cronflow.nearest import did_you_mean
from cronflow.problem import LONGEST_QUOTE, Problem, clipped
from cronflow.spec import ENV_NAME_PATTERN, NAME_PATTERN, Config, PipelineFile, TaskKeys

EXPECTATION = {
    NAME_PATTERN: "a name: a letter or digit, then up to 63 letters, digits, '_', '.' or '-'",
    ENV_NAME_PATTERN: "a variable's name: letters, digits and '_', no digit first",
    "^https?://": "a URL that begins with https:// or http://",
}
# Where a key belongs that is not known where it stands.
OTHERS: dict[Any, str] = {
    TaskKeys: "; it is a task's key: set it with a task, or under 'defaults'",
    PipelineFile: "; it is a pipeline's key: set it in a pipeline's file, beside 'tasks'",
    Config: "; it is a key of config.yaml",
}
KINDS = {"int": "number", "float": "number", "timestamp": "date", "bool": "boolean", "null": "null"}
OURS = "CRONFLOW_"
TRUE = {"yes", "true", "on"}
# Enough to learn from: a file of nothing but slips is not what hints are for.
MOST_HINTS = 100

_WHOLE = re.compile(r"[-+]?(?:0|[1-9][0-9]{0,17})")
_FRACTION = re.compile(_WHOLE.pattern + r"(?:\.[0-9]+)?")
_UNUSABLE = re.compile("[\0\ud800-\udfff]")


class Wrong(Exception):
    """The value can't be used; it has been reported."""


class Report:
    """Collects problems, each once: an alias brings the same place more than once."""

    def __init__(self) -> None:
        """Nothing is wrong yet."""
        self._problems: dict[tuple[int, int, str], Problem] = {}

    def all(self) -> tuple[Problem, ...]:
        """The problems, in the order of the file."""
        return tuple(sorted(self._problems.values()))

    def hint(self, word: str, known: Iterable[str]) -> str:
        """`; did you mean …?`, as long as there are not too many problems."""
        return did_you_mean(word, known) if len(self._problems) < MOST_HINTS else ""

    def take(self, problems: Iterable[Problem]) -> None:
        """Problems that somebody else found."""
        for problem in problems:
            self._problems.setdefault((problem.line, problem.column, problem.message), problem)

    def add(self, node: Node, key: str, message: str) -> None:
        """One problem at a node."""
        whole = f"{key}: {message}" if key else message
        self._problems.setdefault((node.line, node.column, message), Problem(node.line, node.column, key, whole))

    def wrong(self, node: Node, key: str, message: str) -> Wrong:
        """Add it, and have something to raise."""
        self.add(node, key, message)
        return Wrong()

    def unexpected(self, node: Node, key: str, expected: str) -> Wrong:
        """What was found is not what is expected."""
        return self.wrong(node, key, f"expected {expected}; found {found(node)}")


class Shape(Protocol):
    """What a value must look like."""

    def read(self, node: Node, key: str, report: Report) -> Any:
        """The value. Raises Wrong once it is reported."""


def found(node: Node) -> str:
    """What stands there, for a message."""
    if isinstance(node, Sequence):
        return "a list"
    if isinstance(node, Mapping):
        return "a mapping"
    if node.plain and not node.text:
        return "nothing"
    text = clipped(node.text)
    return repr(text) if kind(node) == "str" else text


def kind(node: Scalar) -> str:
    """What YAML 1.1 makes of it: str, int, float, bool, null, timestamp…"""
    if not node.plain:
        return "str"
    for tag, pattern in yaml.SafeLoader.yaml_implicit_resolvers.get(node.text[:1], ()):
        if pattern.match(node.text):
            return str(tag).rpartition(":")[2]
    return "str"


def as_yaml_reads(node: Scalar) -> str:
    """`12:30:00` -> `the number 45000`, `8080` -> `a number`."""
    noun = KINDS.get(kind(node), "something else")
    try:
        value = yaml.safe_load(node.text) if len(node.text) <= LONGEST_QUOTE else None
    except (yaml.YAMLError, ValueError):
        value = None
    shown = {True: "true", False: "false"}[value] if isinstance(value, bool) else str(value)
    return f"a {noun}" if shown == node.text or value is None else f"the {noun} {shown}"


def join(key: str, name: str) -> str:
    """`tasks.load` and `needs` -> `tasks.load.needs`."""
    return f"{key}.{name}" if key else name


class Text(Struct, frozen=True):
    """Text. What YAML would read as something else must be quoted, so that nobody is surprised."""

    pattern: str | None = None
    shortest: int = 0

    def read(self, node: Node, key: str, report: Report) -> str:
        """The text."""
        if not isinstance(node, Scalar) or (node.plain and not node.text):
            raise report.unexpected(node, key, "text")
        if kind(node) != "str":
            message = (
                f'expected text; found {found(node)}, {as_yaml_reads(node)} to YAML: quote it, "{clipped(node.text)}"'
            )
            raise report.wrong(node, key, message)
        if len(node.text) < self.shortest:
            raise report.wrong(node, key, "must not be empty")
        if _UNUSABLE.search(node.text):
            raise report.wrong(
                node, key, "has a character that no command and no variable can hold: NUL, or half a pair"
            )
        if self.pattern and not re.search(self.pattern + r"(?!\n)", node.text):
            expected = EXPECTATION.get(self.pattern, f"text that matches {self.pattern}")
            # Letters that only look like others are shown by their numbers.
            raise report.wrong(node, key, f"expected {expected}; found {clipped(node.text)!a}")
        return node.text


class Variable(Struct, frozen=True):
    """The name of an environment variable that a file may set."""

    def read(self, node: Node, key: str, report: Report) -> str:
        """The name."""
        name = Text(ENV_NAME_PATTERN).read(node, key, report)
        if name.startswith(OURS):
            said = f"'{clipped(name)}' can't be set: names that begin with {OURS} are cronflow's own"
            raise report.wrong(node, key, said)
        return name


class Number(Struct, frozen=True):
    """A number within limits; whole, or with a fraction."""

    low: float | None
    high: float | None
    whole: bool

    def read(self, node: Node, key: str, report: Report) -> float:
        """The number, in plain decimal digits."""
        pattern = _WHOLE if self.whole else _FRACTION
        if not isinstance(node, Scalar) or not node.plain or not pattern.fullmatch(node.text):
            raise report.unexpected(node, key, self.expected())
        value = int(node.text) if self.whole else float(node.text)
        if (self.low is not None and value < self.low) or (self.high is not None and value > self.high):
            raise report.unexpected(node, key, self.expected())
        return value

    def expected(self) -> str:
        """`a whole number from 0 to 10000`."""
        low = "" if self.low is None else f" from {self.low}"
        high = "" if self.high is None else f" to {self.high}"
        return ("a whole number" if self.whole else "a number") + low + high


class Flag(Struct, frozen=True):
    """true or false, in any of YAML's words for them."""

    def read(self, node: Node, key: str, report: Report) -> bool:
        """Whether it is true."""
        if not isinstance(node, Scalar) or kind(node) != "bool":
            raise report.unexpected(node, key, "true or false")
        return node.text.lower() in TRUE


class Choice(Struct, frozen=True):
    """One of a few words."""

    words: tuple[str, ...]

    def read(self, node: Node, key: str, report: Report) -> str:
        """The word."""
        if isinstance(node, Scalar) and node.text in self.words:
            return node.text
        hint = report.hint(node.text, self.words) if isinstance(node, Scalar) else ""
        raise report.wrong(node, key, f"expected one of {', '.join(self.words)}; found {found(node)}{hint}")


class Form(Struct, frozen=True):
    """A value that is written in a form of its own: a duration, a size, a day."""

    parse: Callable[[str], Any]
    expected: str
    above_zero: bool = False

    def read(self, node: Node, key: str, report: Report) -> Any:
        """The value that the form means."""
        if not isinstance(node, Scalar) or not node.text:
            raise report.unexpected(node, key, self.expected)
        try:
            value = self.parse(node.text)
        except ValueError as error:
            raise report.unexpected(node, key, str(error)) from None
        if self.above_zero and not value:
            raise report.wrong(node, key, "expected more than 0; for no limit at all, leave the key out")
        return value


class OneOrMore(Struct, frozen=True):
    """A value, or a list of them."""

    item: Shape

    def read(self, node: Node, key: str, report: Report) -> tuple[Any, ...]:
        """The values. One that is there twice is reported and counts once."""
        if isinstance(node, Mapping) or (isinstance(node, Scalar) and node.plain and not node.text):
            raise report.unexpected(node, key, "text, or a list of it")
        if isinstance(node, Scalar):
            return (self.item.read(node, key, report),)
        values: dict[Any, None] = {}
        for position, item in enumerate(node.items):
            try:
                value = self.item.read(item, f"{key}[{position}]", report)
            except Wrong:
                continue
            if value in values:
                report.add(item, f"{key}[{position}]", f"{clipped(value)!r} is in the list twice")
            values[value] = None
        return tuple(values)


class Table(Struct, frozen=True):
    """Values by names that the file chooses."""

    name: Shape
    item: Shape
    expected: str

    def read(self, node: Node, key: str, report: Report) -> dict[str, Any]:
        """The values of the names that are good."""
        if not isinstance(node, Mapping):
            raise report.unexpected(node, key, self.expected)
        values = {}
        for name, (name_node, item) in node.entries.items():
            try:
                self.name.read(Scalar(name_node.line, name_node.column, name, plain=False), key, report)
                values[name] = self.item.read(item, join(key, name), report)
            except Wrong:
                continue
        return values


class Keys(Struct, frozen=True):
    """The keys of a definition. Gives those that are set."""

    definition: type
    fields: dict[str, Shape]

    def read(self, node: Node, key: str, report: Report) -> dict[str, Any]:
        """The values of the keys that are there and good."""
        if not isinstance(node, Mapping):
            raise report.unexpected(node, key, f"keys with values, such as {next(iter(self.fields))}")
        values = {}
        for name, (name_node, item) in node.entries.items():
            if name not in self.fields:
                report.take([self.unknown(name_node, key, report)])
                continue
            try:
                values[name] = self.fields[name].read(item, join(key, name), report)
            except Wrong:
                continue
        return values

    def unknown(self, node: Scalar, key: str, report: Report) -> Problem:
        """A key that is not known here."""
        name = node.text
        belongs = next((words for other, words in OTHERS.items() if name in other.__struct_fields__), "")
        hint = f" here{belongs}" if belongs else report.hint(name, self.fields)
        if not hint and self.definition is PipelineFile:
            hint = report.hint(name, TaskKeys.__struct_fields__)
        said = f"unknown key '{clipped(name)}'{hint}"
        return Problem(node.line, node.column, join(key, clipped(name)), f"{key}: {said}" if key else said)


class Nullable(Struct, frozen=True):
    """A value, or `null` for none."""

    shape: Shape

    def read(self, node: Node, key: str, report: Report) -> Any:
        """The value; None where null is spelled out. A key with nothing behind it is more likely a slip."""
        if isinstance(node, Scalar) and node.text and kind(node) == "null":
            return None
        return self.shape.read(node, key, report)


def shape_of(info: Any, form: str = "") -> Shape:
    """The shape of a type as msgspec describes it."""
    if isinstance(info, inspect.Metadata):
        return shape_of(info.type, (info.extra or {}).get("form", form))
    if isinstance(info, inspect.UnionType):
        (one,) = [member for member in info.types if not isinstance(member, inspect.NoneType)]
        return Nullable(shape_of(one, form))
    return FORMS[form](info) if form in FORMS else _PLAIN[type(info)](info)


def _table(info: Any) -> Shape:
    """The shape of a dict."""
    return Table(shape_of(info.key_type), shape_of(info.value_type), "names with values")


def _variables(_info: Any) -> Shape:
    """Environment variables."""
    return Table(Variable(), Text(), "variables with text, such as {LANG: C.UTF-8}")


@cache
def keys_of(definition: type) -> Keys:
    """The shape of a definition, made once."""
    info: Any = inspect.type_info(definition)
    return Keys(definition, {field.name: shape_of(field.type) for field in info.fields})


FORMS: dict[str, Callable[[Any], Shape]] = {
    "duration": lambda info: Form(forms.duration, forms.DURATION, above_zero=info.gt == 0),
    "size": lambda _info: Form(forms.size, forms.SIZE),
    "day": lambda _info: Form(forms.day, forms.DAY),
    "one or more": lambda info: OneOrMore(shape_of(info.item_type)),
    "variables": _variables,
    "task keys": lambda _info: keys_of(TaskKeys),
}
_PLAIN: dict[type, Callable[[Any], Shape]] = {
    inspect.StrType: lambda info: Text(info.pattern, info.min_length or 0),
    inspect.IntType: lambda info: Number(info.ge, info.le, whole=True),
    inspect.FloatType: lambda info: Number(info.ge, info.le, whole=False),
    inspect.BoolType: lambda _info: Flag(),
    inspect.LiteralType: lambda info: Choice(tuple(info.values)),
    inspect.DictType: _table,
    inspect.StructType: lambda info: keys_of(info.cls),
}
