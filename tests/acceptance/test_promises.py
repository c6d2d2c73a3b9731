"""Sentences of the README that no other test holds, each against real processes."""

import re
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[2]


def test_what_is_installed_is_this_source_and_no_package_of_the_same_name() -> None:
    files = [*SOURCE.glob("*.md"), *(SOURCE / "sample-pipelines").glob("*.yaml")]
    lines = [line for path in files for line in path.read_text(encoding="utf-8").splitlines() if "pip install" in line]
    assert lines
    assert [line for line in lines if not re.search(r"pip install (-\w )*('?\.(\[\w+\])?'?)(?=[\s`]|$)", line)] == []
