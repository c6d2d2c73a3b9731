"""The README's tour, walked: every command it shows with an answer is typed again, and must answer the same.

What differs from day to day and from machine to machine (times, sizes, places, the lengths of bars) counts as the same.
"""

import re
import shlex
import shutil
from pathlib import Path

import pytest

from cronflow.cli.app import COMMANDS
from tests.acceptance.test_readme import CODE_BLOCKS, SOURCE
from tests.conftest import Cronflow
from tests.pictures import AtHome

NIGHTLY_REPORT = """\
    description: The finance report, rendered and sent
    schedule: "30 6 * * 1-5"
    timezone: Europe/Berlin
    tasks:
      fetch_rates: {run: sleep 0.1}
      render:
        needs: fetch_rates
        retries: 1
        retry_delay: 0.1s
        run: |
          echo "rendering the report of $CRONFLOW_DS"
          echo "font 'Inter' is missing"
          exit 3
      send: {run: ./send.sh, needs: render}
      page_me: {run: "true", needs: [render, send], when: any_failed}
"""
MISSPELT = """\
shedule: "0 3 * * *"
tasks:
  extract: {run: ./extract.sh, retires: 3}
  load: {run: ./load.sh, needs: [extarct], timeout: 5 minutes}
"""
EARLIER = ["2026-11-17", "2026-11-18"]
LAST = "2026-11-19"

# The answer's lines up to the next command, or to the end of the block.
SHOWN = [
    (command, answer.strip("\n").split("\n"))
    for block in CODE_BLOCKS
    for command, answer in re.findall(r"^\$ (cronflow .*)\n((?:(?!\$ ).*\n)+)", block, re.MULTILINE)
]
DURATION = r"\d+(?:\.\d+)?(?:ms|[smhd])(?:\d\d[smh])?"
MASKS = [
    (r"/\S*/pipelines/", "PLACE/"),
    (r"took +cpu +memory .*", "took cpu memory AXIS"),
    (r"(?<=[KMG]) +[=.x]+(?= |$)", " BAR"),
    (rf"(?:in )?{DURATION}(?: ago)?|now", "SOME TIME"),
    (r"\b\d+[KMG]\b", "SIZE"),
    (r"\d+", "0"),
    (r" +", " "),
]


def masked(line: str) -> str:
    """The line without what may differ."""
    for pattern, mask in MASKS:
        line = re.sub(pattern, mask, line.rstrip())
    return line


@pytest.fixture
def tour(cronflow: Cronflow) -> Cronflow:
    """The tour's two pipelines, each with some history, and a file with mistakes."""
    cronflow = AtHome(cronflow.home)
    samples = SOURCE / "sample-pipelines"
    shutil.copytree(samples / "daily_sales", cronflow.pipelines_dir / "daily_sales")
    for name in ("daily_sales.yaml", "shop_server.py"):
        shutil.copy(samples / name, cronflow.pipelines_dir)
    cronflow.pipeline("nightly_report", NIGHTLY_REPORT)
    (cronflow.home / "etl.yaml").write_text(MISSPELT, encoding="utf-8")
    (cronflow.home / "etl.yaml").chmod(0o644)
    for day in (*EARLIER, LAST):
        assert cronflow("run", "daily_sales", "--date", day).returncode == 0
    for day in EARLIER:
        assert cronflow("run", "nightly_report", "--date", day).returncode == 1
    return cronflow


def test_every_command_answers_as_the_readme_shows(tour: Cronflow) -> None:
    assert {command.split()[1] for command, _ in SHOWN} == {*COMMANDS} - {"schema"}, "the schema is too long to show"
    for command, answer in SHOWN:
        done = tour(*shlex.split(command)[1:])
        assert done.stderr == "", command
        lines = [masked(line) for line in done.stdout.rstrip("\n").split("\n")]
        assert lines == [masked(line) for line in answer], command


def test_the_tour_s_files_are_those_that_a_person_would_write(tmp_path: Path) -> None:
    """Each YAML block of the README that is a pipeline is a good one."""
    from cronflow.loader import pipeline_file
    from cronflow.spec import Config

    readme = (SOURCE / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```yaml\n(.*?)^```", readme, re.MULTILINE | re.DOTALL)
    pipelines = [block for block in blocks if "tasks:" in block]
    assert pipelines
    for block in pipelines:
        assert pipeline_file.parse(block, name="sales", directory=str(tmp_path), config=Config()).problems == ()
