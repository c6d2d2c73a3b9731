"""Whose files cronflow obeys: in the pipelines directory its owner's and root's, elsewhere whosever were named."""

import os
from pathlib import Path

import pytest

from cronflow.catalog import find
from cronflow.errors import BadPipeline


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_strangers_file_runs_where_it_was_named_and_not_out_of_the_pipelines_directory(tmp_path: Path) -> None:
    checkout, pipelines = tmp_path / "checkout", tmp_path / "pipelines"
    for directory in (checkout, pipelines):
        directory.mkdir()
        (directory / "etl.yaml").write_text("run: 'true'\n")
        os.chown(directory / "etl.yaml", 987654, 0)
    os.chown(checkout, 987654, 0)
    assert find(str(checkout / "etl.yaml"), str(pipelines)).pipeline.name == "etl"
    for target in ("etl", str(pipelines / "etl.yaml")):
        with pytest.raises(BadPipeline, match=r"etl.yaml belongs to 987654: chown root "):
            find(target, str(pipelines))
