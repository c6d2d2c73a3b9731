"""YAML as a tree of nodes that know their places.

PyYAML's own composer recurses, keeps the last of two equal keys and lets an alias hold itself. Building the tree from
the parser's events instead takes one loop, and stops at the first thing that would never end.
"""

from collections.abc import Iterator
from typing import Any

import yaml
from msgspec import Struct

from cronflow.loader import syntax
from cronflow.problem import Problem, clipped

DEEPEST = 100
# Characters of all values, and some for each node, once every alias stands for what it names.
LARGEST = 10 * 1024 * 1024
NODE_WEIGHT = 16

LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
MERGE_KEY = "<<"
STANDARD_TAG = "tag:yaml.org,2002:"


class Scalar(Struct, frozen=True):
    """A single value, as written. `plain` says that it stands there without quotes and is not a text block."""

    line: int
    column: int
    text: str
    plain: bool


class Sequence(Struct, frozen=True):
    """A list."""

    line: int
    column: int
    items: list["Node"]


class Mapping(Struct, frozen=True):
    """Keys with their values; each key's own node gives its place."""

    line: int
    column: int
    entries: dict[str, tuple[Scalar, "Node"]]


Node = Scalar | Sequence | Mapping


class Composed(Struct, frozen=True):
    """The documents of a text that are not empty, and what is wrong with it as YAML."""

    documents: tuple[Node, ...]
    problems: tuple[Problem, ...]


class Unreadable(Exception):
    """The rest of the text can't be read."""

    def __init__(self, line: int, column: int, message: str) -> None:
        """The place counts from 1."""
        super().__init__(message)
        self.problem = Problem(line, column, "", message)


def compose(text: str) -> Composed:
    """Read YAML. What comes before the first syntax error is read, too."""
    composer = _Composer()
    documents: list[Node] = []
    problems = []
    try:
        documents.extend(composer.documents(yaml.parse(text, Loader=LOADER)))
    except Unreadable as trouble:
        problems.append(trouble.problem)
    except yaml.YAMLError as error:
        problems.append(syntax.explain(text, error))
    return Composed(tuple(documents), tuple(composer.problems + problems))


def entries_of(node: Node | None) -> dict[str, tuple[Scalar, Node]]:
    """A mapping's keys and values; nothing where it is none."""
    return node.entries if isinstance(node, Mapping) else {}


def place(root: Node, path: tuple[str | int, ...]) -> tuple[int, int]:
    """Line and column of what a path of keys and positions leads to, or of the last part of it that is there."""
    node: Node = root
    for step in path:
        if isinstance(node, Mapping) and step in node.entries:
            _, node = node.entries[str(step)]
        elif isinstance(node, Sequence) and isinstance(step, int) and step < len(node.items):
            node = node.items[step]
        else:
            break
    return node.line, node.column


class _Open:
    """A list or mapping whose end has not come yet."""

    def __init__(self, event: Any) -> None:
        self.line = event.start_mark.line + 1
        self.column = event.start_mark.column + 1
        self.anchor = event.anchor
        self.is_mapping = isinstance(event, yaml.MappingStartEvent)
        self.items: list[Node] = []
        self.entries: dict[str, tuple[Scalar, Node]] = {}
        self.merged: list[Mapping] = []
        self.key: Scalar | None = None
        self.weight = NODE_WEIGHT

    def close(self) -> Node:
        """The finished node; of two equal keys the mapping's own one counts, not the merged one."""
        if not self.is_mapping:
            return Sequence(self.line, self.column, self.items)
        for mapping in self.merged:
            self.entries = mapping.entries | self.entries
        return Mapping(self.line, self.column, self.entries)


class _Composer:
    """Builds the documents of one text, event by event."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self.open: list[_Open] = []
        self.anchors: dict[str, tuple[Node, int]] = {}
        self.root: Node | None = None

    def documents(self, events: Iterator[Any]) -> Iterator[Node]:
        """Each document with something in it. Raises Unreadable where the text goes wrong."""
        for event in events:
            self.take(event)
            if self.root is not None:
                yield self.root
                self.root = None

    def take(self, event: Any) -> None:
        """One step."""
        if isinstance(event, yaml.ScalarEvent):
            self.scalar(event)
        elif isinstance(event, yaml.MappingStartEvent | yaml.SequenceStartEvent):
            self.start(event)
        elif isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
            self.end()
        elif isinstance(event, yaml.AliasEvent):
            self.alias(event)
        elif isinstance(event, yaml.DocumentStartEvent):
            self.anchors = {}

    def scalar(self, event: Any) -> None:
        """A value or a key."""
        self.refuse_tag(event)
        mark = event.start_mark
        node = Scalar(mark.line + 1, mark.column + 1, event.value, event.implicit[0] and event.style in {None, ""})
        self.add(node, NODE_WEIGHT + len(event.value), event.anchor)

    def start(self, event: Any) -> None:
        """A list or mapping begins."""
        self.refuse_tag(event)
        if len(self.open) == DEEPEST:
            raise self.unreadable(event, f"nested more than {DEEPEST} deep")
        self.open.append(_Open(event))

    def end(self) -> None:
        """The innermost list or mapping is complete."""
        ended = self.open.pop()
        self.add(ended.close(), ended.weight, ended.anchor)

    def alias(self, event: Any) -> None:
        """`*name` stands for the node that has `&name`."""
        name = clipped(event.anchor)
        if any(ended.anchor == event.anchor for ended in self.open):
            raise self.unreadable(event, f"the alias *{name} stands inside of what it stands for")
        if event.anchor not in self.anchors:
            hint = "quote a value that begins with '*'"
            raise self.unreadable(event, f"the alias *{name} has no &{name} before it; {hint}")
        self.add(*self.anchors[event.anchor], None)

    def add(self, node: Node, weight: int, anchor: str | None) -> None:
        """A node is complete: put it where it belongs."""
        if anchor:
            self.anchors[anchor] = (node, weight)
        if not self.open:
            self.root = None if isinstance(node, Scalar) and node.plain and not node.text else node
            return
        parent = self.open[-1]
        parent.weight += weight
        if parent.weight > LARGEST:
            raise Unreadable(node.line, node.column, "too large: the aliases unfold to more than 10 MiB")
        if not parent.is_mapping:
            parent.items.append(node)
        elif parent.key is None:
            parent.key = self.as_key(node)
        else:
            self.entry(parent, parent.key, node)
            parent.key = None

    def as_key(self, node: Node) -> Scalar:
        """Keys are words."""
        if not isinstance(node, Scalar):
            raise Unreadable(node.line, node.column, "a key must be a word, found a list or mapping")
        return node

    def entry(self, parent: _Open, key: Scalar, value: Node) -> None:
        """A key with its value."""
        if key.text == MERGE_KEY and key.plain:
            self.merge(parent, value)
        elif key.text in parent.entries:
            first = parent.entries[key.text][0]
            message = f"the key '{clipped(key.text)}' is here twice: first in line {first.line}"
            self.problems.append(Problem(key.line, key.column, self.key_path(key), message))
        else:
            parent.entries[key.text] = (key, value)

    def key_path(self, last: Scalar) -> str:
        """The keys that lead here."""
        return ".".join(clipped(key.text) for key in [*(level.key for level in self.open[:-1]), last] if key)

    def merge(self, parent: _Open, value: Node) -> None:
        """`<<: *base` takes over the keys of another mapping, or of several."""
        for mapping in value.items if isinstance(value, Sequence) else [value]:
            if isinstance(mapping, Mapping):
                parent.merged.append(mapping)
            else:
                message = "'<<' takes a mapping, or a list of mappings"
                self.problems.append(Problem(mapping.line, mapping.column, MERGE_KEY, message))

    def refuse_tag(self, event: Any) -> None:
        """Nothing here has a type of its own."""
        if event.tag is not None:
            mark = event.start_mark
            tag = clipped(event.tag.replace(STANDARD_TAG, "!!"))
            message = f"the tag '{tag}' means nothing here: leave it out; to make text of a value, quote it"
            self.problems.append(Problem(mark.line + 1, mark.column + 1, "", message))

    def unreadable(self, event: Any, message: str) -> Unreadable:
        """The error at an event."""
        return Unreadable(event.start_mark.line + 1, event.start_mark.column + 1, message)
