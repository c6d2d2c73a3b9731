"""`cronflow validate` and `cronflow schema`, as processes."""

import json
import os
from pathlib import Path

import pytest

from tests.conftest import Cronflow

FIXTURES = Path(__file__).parents[1] / "fixtures" / "pipelines"
MISSPELT = "tasks:\n  load:\n    run: ./load.sh\n    needs: [extarct]\n    retry: 3\n  extract:\n    run: x\n"


def test_the_pipelines_directory_is_the_default(cronflow: Cronflow) -> None:
    good = cronflow.pipeline("good", "run: x\n")
    bad = cronflow.pipeline("sub/bad", MISSPELT)
    done = cronflow("validate")
    assert done.returncode == 2
    assert done.stderr == ""
    assert done.stdout.splitlines() == [
        f"{good}: ok good",
        f"{bad}:4:13: task 'load' needs 'extarct': no such task; did you mean 'extract'?",
        f"{bad}:5:5: tasks.load: unknown key 'retry'; did you mean 'retries'?",
        "2 files, 1 not ok: 2 problems",
    ]


def test_files_and_directories_are_named_as_they_were_typed(cronflow: Cronflow) -> None:
    cronflow.pipeline("good", "run: x\n")
    cronflow.pipeline("bad", MISSPELT)
    done = cronflow("validate", "pipelines/good.yaml", "./pipelines/")
    assert [line.split(" ")[0] for line in done.stdout.splitlines()] == [
        "pipelines/good.yaml:",
        "./pipelines/bad.yaml:4:13:",
        "./pipelines/bad.yaml:5:5:",
        "./pipelines/good.yaml:",
        "3",
    ]


def test_all_well(cronflow: Cronflow) -> None:
    path = cronflow.pipeline("two", "name: a\nrun: x\n---\nname: b\nrun: x\n")
    done = cronflow("validate")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{path}: ok a, b\n1 file, all ok\n", "")


def test_nothing_to_check(cronflow: Cronflow) -> None:
    done = cronflow("validate")
    assert (done.returncode, done.stdout) == (0, "no pipeline files\n")


def test_a_warning_does_not_make_a_file_bad(cronflow: Cronflow) -> None:
    path = cronflow.pipeline("etl", "run: echo oops > /dev/stderr\noverlap: skip\n")
    done = cronflow("validate", path)
    assert done.returncode == 0
    assert done.stdout.splitlines() == [
        (
            f"{path}:1:6: warning: opening /dev/stderr empties the log:"
            " write '>&1' or '>&2', append with '>>', or set 'output: pipe'"
        ),
        f"{path}:2:1: warning: 'overlap' is checked, and has no effect until the daemon is there",
        f"{path}: ok etl",
        "1 file, all ok, 2 warnings",
    ]


def test_config_is_checked_with_its_directory(cronflow: Cronflow) -> None:
    cronflow.pipeline("etl", "tasks: {load: {run: x, pool: warehouse}}\n")
    config = cronflow.home / "config.yaml"
    config.write_text("pools: {warehouse: none}\n")
    config.chmod(0o644)
    done = cronflow("validate")
    assert done.returncode == 2
    message = "pools.warehouse: expected a whole number from 1 to 10000; found 'none'"
    assert done.stdout.splitlines()[0] == f"{config}:1:20: {message}"
    config.write_text("pools: {warehouse: 4}\nheartbeat: {url: https://example.com}\n")
    done = cronflow("validate", "config.yaml", "pipelines/etl.yaml")
    assert done.returncode == 0
    assert done.stdout.splitlines()[:2] == [
        "config.yaml:2:1: warning: 'heartbeat' is checked, and has no effect until the daemon is there",
        "config.yaml: ok",
    ]


def test_json(cronflow: Cronflow) -> None:
    good = cronflow.pipeline("a", "run: x\njitter: 5m\n")
    bad = cronflow.pipeline("b", MISSPELT)
    assert cronflow.json("validate", code=2) == {
        "schema": 1,
        "files": [
            {
                "path": str(good),
                "ok": True,
                "pipelines": ["a"],
                "errors": [],
                "warnings": [
                    {
                        "line": 2,
                        "column": 1,
                        "key": "jitter",
                        "message": "'jitter' is checked, and has no effect until the daemon is there",
                    }
                ],
            },
            {
                "path": str(bad),
                "ok": False,
                "pipelines": [],
                "errors": [
                    {
                        "line": 4,
                        "column": 13,
                        "key": "tasks.load.needs[0]",
                        "message": "task 'load' needs 'extarct': no such task; did you mean 'extract'?",
                    },
                    {
                        "line": 5,
                        "column": 5,
                        "key": "tasks.load.retry",
                        "message": "tasks.load: unknown key 'retry'; did you mean 'retries'?",
                    },
                ],
                "warnings": [],
            },
        ],
    }


def test_a_file_that_others_may_write_is_refused_and_mended_as_told(cronflow: Cronflow) -> None:
    path = cronflow.pipeline("etl", "run: x\n")
    path.chmod(0o666)
    done = cronflow("validate", path)
    assert done.returncode == 2
    assert f"{path}:1:1: others may write {path}: chmod o-w {path}" in done.stdout.splitlines()
    path.chmod(0o644)
    assert cronflow("validate", path).returncode == 0


MISSING = [
    (["none.yaml"], "cronflow: none.yaml: no such file or directory\n"),
    (["pipelines/none"], "cronflow: pipelines/none: no such file or directory\n"),
]


@pytest.mark.parametrize(("arguments", "message"), MISSING)
def test_what_is_not_there(cronflow: Cronflow, arguments: list[str], message: str) -> None:
    done = cronflow("validate", *arguments)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", message)


def test_no_pipelines_directory_yet(cronflow: Cronflow) -> None:
    cronflow.pipelines_dir.rmdir()
    message = "no such directory; 'cronflow new NAME' makes it, with a first pipeline"
    for command in ("validate", "list"):
        done = cronflow(command)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr == f"cronflow: {cronflow.pipelines_dir}: {message}\n"


def test_a_directory_of_bad_files_ends_in_no_traceback(cronflow: Cronflow) -> None:
    os.mkfifo(cronflow.pipelines_dir / "fifo.yaml")
    (cronflow.pipelines_dir / "nul.yaml").write_bytes(b"\0")
    (cronflow.pipelines_dir / "deep.yaml").write_bytes(b"[" * 1_000_000)
    (cronflow.pipelines_dir / "binary.yml").write_bytes(bytes(range(256)) * 8)
    done = cronflow("validate", FIXTURES / "bad", cronflow.pipelines_dir)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert done.stdout.count("\n") > 100


@pytest.mark.parametrize("options", [[], ["--config"]])
def test_schema(cronflow: Cronflow, options: list[str]) -> None:
    done = cronflow("schema", *options)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["$schema"] == "https://json-schema.org/draft/2020-12/schema"
