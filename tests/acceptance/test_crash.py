"""`kill -9` the engine between any two of its effects: the next one goes on as if nothing had been.

Each test is a share of the moments at which to kill, so that they spread over the machine's cores.
"""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.crash import storm
from tests.crash.driver import Doomed, Grave, doomed
from tests.crash.storm import DAY

SHARES = 6
CLAIM = ("run", "storm", "--date", DAY)
BY_HAND = ("run", "storm")


@pytest.fixture(scope="module", name="kill")
def _kill() -> Iterator[Doomed]:
    with doomed() as serving:
        yield serving


@pytest.fixture
def pipelines(tmp_path: Path) -> Path:
    return write_pipeline(tmp_path / "pipelines", "storm", storm.PIPELINE)


def write_pipeline(directory: Path, name: str, text: str) -> Path:
    directory.mkdir(mode=0o755)
    path = directory / f"{name}.yaml"
    path.write_text(text, encoding="utf-8")
    path.chmod(0o644)
    return directory


def moments(share: int, effects: int, every: int = 1) -> range:
    """The effects before which this share kills: all shares together, each `every`th."""
    return range(1 + share * every, effects + 1, SHARES * every)


@pytest.mark.parametrize("share", range(SHARES))
def test_a_claimed_run_comes_to_its_right_end(kill: Doomed, tmp_path: Path, pipelines: Path, share: int) -> None:
    whole = kill(Grave(tmp_path / "whole", pipelines), *CLAIM)
    assert whole.code == 1
    for moment in moments(share, whole.effects):
        grave = Grave(tmp_path / str(moment), pipelines)
        kill(grave, *CLAIM, kill_at=moment)
        if moment % 3 == 0:
            kill(grave, *CLAIM, kill_at=moment * 7 % 60 + 1)
        had_ended = [run["state"] for run in storm.records(grave.state)] == ["failed"]
        assert kill(grave, *CLAIM).code == (3 if had_ended else 1)
        storm.check(grave)
        assert [run["run_id"] for run in storm.records(grave.state)] == [storm.RUN_ID]


@pytest.mark.parametrize("share", range(SHARES))
def test_a_run_by_hand_is_taken_over_by_the_same_command(
    kill: Doomed, tmp_path: Path, pipelines: Path, share: int
) -> None:
    whole = kill(Grave(tmp_path / "whole", pipelines), *BY_HAND)
    for moment in moments(share, whole.effects, every=3):
        grave = Grave(tmp_path / str(moment), pipelines)
        kill(grave, *BY_HAND, kill_at=moment)
        ended = [run for run in storm.records(grave.state) if run["state"] == "failed"]
        assert kill(grave, *BY_HAND).code == 1
        storm.check(grave)
        assert len(storm.records(grave.state)) == len(ended) + 1


@pytest.mark.parametrize("share", range(SHARES))
def test_a_second_round_comes_to_its_right_end(kill: Doomed, tmp_path: Path, pipelines: Path, share: int) -> None:
    first = Grave(tmp_path / "first", pipelines)
    assert kill(first, *CLAIM).code == 1
    whole = Grave(tmp_path / "whole", pipelines)
    shutil.copytree(first.home, whole.home)
    effects = kill(whole, *CLAIM, "--force").effects
    storm.check(whole)
    for moment in moments(share, effects, every=3):
        grave = Grave(tmp_path / str(moment), pipelines)
        shutil.copytree(first.home, grave.home)
        kill(grave, *CLAIM, "--force", kill_at=moment)
        (run,) = storm.records(grave.state)
        forced = ("--force",) if len(run["rounds"]) == 1 else ()
        had_ended = len(run["rounds"]) == 2 and run["state"] == "failed"
        assert kill(grave, *CLAIM, *forced).code == (3 if had_ended else 1)
        storm.check(grave)
        (run,) = storm.records(grave.state)
        assert len(run["rounds"]) == 2
