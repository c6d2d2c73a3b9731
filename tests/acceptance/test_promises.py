"""Sentences of the README that no other test holds, each against real processes."""

import os
import re
from pathlib import Path

from tests.acceptance.witness import Gate, ended, started, until
from tests.conftest import Cronflow

SOURCE = Path(__file__).resolve().parents[2]


def test_what_is_installed_is_this_source_and_no_package_of_the_same_name() -> None:
    files = [*SOURCE.glob("*.md"), *(SOURCE / "sample-pipelines").glob("*.yaml")]
    lines = [line for path in files for line in path.read_text(encoding="utf-8").splitlines() if "pip install" in line]
    assert lines
    assert [line for line in lines if not re.search(r"pip install (-\w )*('?\.(\[\w+\])?'?)(?=[\s`]|$)", line)] == []


# What the system can hold in a name or a word and a record can't.
NOT_UTF_8 = os.fsdecode(b"\xff")


def test_what_is_not_utf_8_is_refused_where_a_record_would_hold_it(cronflow: Cronflow) -> None:
    cronflow.pipeline("etl", "params: {region: eu}\nrun: 'true'\n")
    done = cronflow("run", "etl", "--param", f"region={NOT_UTF_8}")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "cronflow: --param region: the value is not UTF-8, so the run's record can't hold it\n"
    place = f"{cronflow.home}/{NOT_UTF_8}"
    for command in (["run", "etl"], ["status", "--json"], ["logs", "etl"]):
        done = cronflow("--state-dir", place, *command)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.startswith("cronflow: ")
        assert done.stderr.endswith(": the path is not UTF-8: name another one with --state-dir\n")
    assert not os.path.exists(place)


def test_a_file_whose_path_is_not_utf_8_is_a_bad_file_to_programs_too(cronflow: Cronflow) -> None:
    cronflow.pipeline("good", "run: 'true'\n")
    (cronflow.pipelines_dir / f"{NOT_UTF_8}.yaml").write_text("run: 'true'\n")
    rows = cronflow.json("status")["pipelines"]
    assert {row["name"]: row["ok"] for row in rows}["good"]
    assert [row["path"] for row in rows if not row["ok"]] == [f"{cronflow.pipelines_dir}/\\udcff.yaml"]


DAILY = """
schedule: "@daily"
timezone: UTC
max_active_runs: 1
run: 'test ! -e {gate}.shut || {{ {passed}; }}'
"""


def test_a_run_that_is_opened_again_is_one_of_the_active_runs(cronflow: Cronflow, tmp_path: Path) -> None:
    gate, shut = Gate(tmp_path / "gate"), tmp_path / "gate.shut"
    cronflow.pipeline("etl", DAILY.format(gate=gate.path, passed=gate.passed))
    assert cronflow("run", "etl", "--date", "2026-01-01").returncode == 0
    assert cronflow("run", "etl", "--date", "2026-01-02").returncode == 0
    shut.touch()
    with started(cronflow, "run", "etl", "--date", "2026-01-01", "--force") as engine:
        until(gate.is_awaited)
        for other in ("2026-01-02", "2026-01-03"):
            done = cronflow("run", "etl", "--date", other, "--force")
            message = "cronflow: etl: max_active_runs is 1, and that many are active: 20260102T000000Z\n"
            assert (done.returncode, done.stdout, done.stderr) == (3, "", message)
        gate.open()
        assert ended(engine)[0] == 0
    shut.unlink()
    assert cronflow("run", "etl", "--date", "2026-01-02", "--force").returncode == 0
    assert not [*(cronflow.state_dir / "open").iterdir()]
