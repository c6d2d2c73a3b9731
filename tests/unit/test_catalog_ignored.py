"""Directories below the pipelines directory that belong to another tool."""

from pathlib import Path

from cronflow.catalog import load_catalog


def test_a_directory_with_the_mark_is_not_entered(tmp_path: Path) -> None:
    pipelines = tmp_path / "pipelines"
    project = pipelines / "warehouse"
    (project / "models").mkdir(parents=True)
    (pipelines / "etl.yaml").write_text("run: 'true'\n")
    (project / "dbt_project.yml").write_text("name: warehouse\n")
    (project / "models" / "shop.yml").write_text("version: 2\n")
    assert [file.path for file in load_catalog(str(pipelines)).files if file.problems] == [
        str(project / "dbt_project.yml"),
        str(project / "models" / "shop.yml"),
    ]
    (project / ".cronflowignore").touch()
    assert [file.path for file in load_catalog(str(pipelines)).files] == [str(pipelines / "etl.yaml")]
