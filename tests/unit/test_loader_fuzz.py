"""Whatever a file holds: problems or pipelines, never anything else."""

from pathlib import Path

import msgspec
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from cronflow.loader import config_file, pipeline_file
from cronflow.loader.nodes import Node, Scalar, Sequence, compose
from cronflow.problem import show
from cronflow.spec import Config, Pipeline, PipelineFile, TaskKeys

CONFIG = Config(pools={"warehouse": 4})
KEYS = [*PipelineFile.__struct_fields__, *TaskKeys.__struct_fields__, "<<", "x"]
WORDS = [
    "a",
    "b",
    "",
    "null",
    "yes",
    "1",
    "-1",
    "1.5",
    "30s",
    "@daily",
    "0 3 * * *",
    "2026-01-31",
    "Europe/Berlin",
    "x y",
]

scalars = st.sampled_from(WORDS) | st.text(max_size=8) | st.integers() | st.booleans() | st.none() | st.floats()
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS + WORDS), inner, max_size=4),
    max_leaves=12,
)
tasks = st.dictionaries(
    st.sampled_from(["a", "b", "c"]), st.dictionaries(st.sampled_from(KEYS), values, max_size=4) | values, max_size=3
)
documents = st.dictionaries(st.sampled_from(KEYS), values, max_size=5).flatmap(
    lambda keys: tasks.map(lambda them: keys | {"tasks": them})
)
PIECES = """
a|: |- |{|}|[|]|*a|&a |<<: |'|"|#|? |!!str |run: |tasks:|needs: |@daily|*/5 * * * *|%|,
"""
pieces = st.lists(
    st.sampled_from([*PIECES.strip().split("|"), "\n", "\n  ", "|\n", ">\n", "---\n", "\t"]), max_size=25
).map("".join)


def check(text: str) -> None:
    """Load a text both ways. What comes out can be shown and recorded."""
    loaded = pipeline_file.parse(text, name="etl", directory="/srv", config=CONFIG)
    assert bool(loaded.problems) != bool(loaded.pipelines)
    lines = max(1, len([*text.splitlines(), ""]))
    for problem in (*loaded.problems, *loaded.warnings):
        assert 1 <= problem.line <= lines
        assert problem.column >= 1
        assert show("etl.yaml", problem).isprintable()
    for pipeline in loaded.pipelines:
        assert msgspec.json.decode(msgspec.json.encode(pipeline), type=Pipeline) == pipeline
    config_file.parse(text, directory="/srv")


@given(pieces)
@example("run: &a [*a]")
@example("{run: x, <<: {tasks: *x}}")
def test_pieces_of_yaml(text: str) -> None:
    check(text)


@given(documents)
def test_values_of_every_kind_under_every_key(document: object) -> None:
    check(yaml.safe_dump(document, allow_unicode=True))


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"])))
def test_any_text(text: str) -> None:
    check(text)


@given(st.binary(max_size=64) | pieces.map(str.encode))
def test_any_bytes(tmp_path_factory: object, content: bytes) -> None:
    path = Path(getattr(tmp_path_factory, "getbasetemp")()) / "any.yaml"  # noqa: B009
    path.write_bytes(content)
    path.chmod(0o644)
    loaded = pipeline_file.load(str(path), pipelines_dir=str(path.parent), config=CONFIG)
    assert bool(loaded.problems) != bool(loaded.pipelines)


@given(values)
def test_the_tree_is_what_yaml_says(value: object) -> None:
    text = yaml.safe_dump(value, allow_unicode=True).replace("<<", "key")
    composed = compose(text)
    assert composed.problems == ()
    assert [texts(root) for root in composed.documents] in ([yaml.load(text, yaml.BaseLoader)], [])


def texts(node: Node) -> object:
    """A tree as its texts."""
    if isinstance(node, Scalar):
        return node.text
    if isinstance(node, Sequence):
        return [texts(item) for item in node.items]
    return {key: texts(item) for key, (_, item) in node.entries.items()}
