"""`cronflow list`, as a process."""

from tests.conftest import Cronflow


def test_the_pipelines(cronflow: Cronflow) -> None:
    cronflow.pipeline("b", "description: By hand\ntasks: {x: {run: x}, y: {run: y, needs: x}}\n")
    cronflow.pipeline("sub/a", 'schedule: ["0 3 * * *", "@weekly"]\ntimezone: Europe/Berlin\nrun: x\n')
    done = cronflow("list")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "pipeline  schedule                          tasks  description  file",
        "b         by hand                               2  By hand      b.yaml",
        "sub.a     0 3 * * *, @weekly Europe/Berlin      1               sub/a.yaml",
    ]


def test_bad_files_are_named_at_the_end(cronflow: Cronflow) -> None:
    bad = cronflow.pipeline("bad", "run: 1\nretires: 1\n")
    cronflow.pipeline("good", "run: x\n")
    done = cronflow("list")
    assert done.returncode == 0
    assert [line.split()[0] for line in done.stdout.splitlines()] == ["pipeline", "good"]
    message = 'run: expected text; found 1, a number to YAML: quote it, "1"'
    assert done.stderr == f"{bad}:1:6: {message} (and 1 more); see 'cronflow validate'\n"


def test_none_yet(cronflow: Cronflow) -> None:
    done = cronflow("list")
    assert done.returncode == 0
    assert done.stdout == f"no pipelines in {cronflow.pipelines_dir}; 'cronflow new NAME' writes one to start from\n"


def test_json(cronflow: Cronflow) -> None:
    path = cronflow.pipeline("etl", 'schedule: "@daily"\nowner: me\ntags: one\nenabled: false\nrun: x\n')
    bad = cronflow.pipeline("bad", "run: 1\n")
    assert cronflow.json("list") == {
        "schema": 1,
        "pipelines": [
            {
                "name": "etl",
                "description": "",
                "owner": "me",
                "tags": ["one"],
                "enabled": False,
                "schedule": ["@daily"],
                "timezone": None,
                "tasks": ["main"],
                "file": str(path),
            }
        ],
        "bad_files": [str(bad)],
    }
