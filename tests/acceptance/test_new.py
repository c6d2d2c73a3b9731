"""`cronflow new`, as a process: what it writes works as it is."""

import stat
import subprocess

import pytest

from tests.conftest import Cronflow


def test_what_it_writes_is_good_and_runs(cronflow: Cronflow) -> None:
    cronflow.pipelines_dir.rmdir()
    done = cronflow("new", "daily_sales")
    path = cronflow.pipelines_dir / "daily_sales.yaml"
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        f"wrote {path}",
        "next:",
        f"  cronflow validate {path}",
        f"  cronflow graph {path}",
        f"  cronflow run {path}",
    ]
    assert stat.S_IMODE(cronflow.pipelines_dir.stat().st_mode) == 0o700
    assert cronflow("validate").stdout == f"{path}: ok daily_sales\n1 file, all ok\n"
    assert cronflow("run", "daily_sales").returncode == 0


def test_where_the_directory_is_known_the_name_is_enough(cronflow: Cronflow) -> None:
    env = cronflow.environment({"CRONFLOW_PIPELINES_DIR": str(cronflow.pipelines_dir)})
    words = [cronflow.command_line([])[0], "new", "two"]
    done = subprocess.run(words, env=env, cwd=cronflow.home, capture_output=True, encoding="utf-8", check=True)
    assert done.stdout.splitlines()[-1] == "  cronflow run two"


def test_a_file_is_never_overwritten(cronflow: Cronflow) -> None:
    path = cronflow.pipeline("etl", "run: x\n")
    other = cronflow.pipeline("other", "name: sales\nrun: x\n")
    for name, holder in (("etl", path), ("sales", other)):
        done = cronflow("new", name)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr == f"cronflow: {holder} has a pipeline '{name}' already; nothing was written\n"
    other.write_text("run: x\n")
    (cronflow.pipelines_dir / "hidden.yaml").symlink_to("nowhere")
    done = cronflow("new", "hidden")
    assert done.returncode == 2
    assert path.read_text() == "run: x\n"
    assert not (cronflow.pipelines_dir / "nowhere").exists()


NAMES = [
    ("../etl", "'../etl' can't name a pipeline: expected a letter or digit,"),
    ("a b", "'a b' can't name a pipeline: expected a letter or digit,"),
    ("x" * 65, f"'{'x' * 65}' can't name a pipeline: expected a letter or digit,"),
    ("etl.yaml", "'etl.yaml' would be taken for a file: leave '.yaml' out"),
]


@pytest.mark.parametrize(("name", "message"), NAMES)
def test_names_that_can_not_be(cronflow: Cronflow, name: str, message: str) -> None:
    done = cronflow("new", name)
    assert done.returncode == 2
    assert done.stderr.startswith(f"cronflow: {message}")
    assert list(cronflow.pipelines_dir.iterdir()) == []


def test_another_directory(cronflow: Cronflow) -> None:
    done = cronflow("new", "etl", "--dir", "my pipelines/more")
    path = cronflow.home / "my pipelines" / "more" / "etl.yaml"
    assert done.returncode == 0
    assert done.stdout.splitlines()[-1] == f"  cronflow run '{path}'"
    assert cronflow("run", path).returncode == 0


def test_where_nothing_can_be_written(cronflow: Cronflow) -> None:
    (cronflow.home / "file").write_text("")
    done = cronflow("new", "etl", "--dir", "file/pipelines")
    assert done.returncode == 4
    assert done.stderr == f"cronflow: {cronflow.home}/file/pipelines/etl.yaml: can't be written: Not a directory\n"
