"""`kill -9` the engine between any two of its effects: the next one goes on as if nothing had been.

Each test is a share of the moments at which to kill, so that they spread over the machine's cores.
"""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from random import Random

import pytest

from cronflow.lifecycle import LOST, Wish
from cronflow.state import attempts, claims
from cronflow.state.layout import Layout
from tests.acceptance.witness import leftovers, until
from tests.conftest import Cronflow
from tests.crash import storm
from tests.crash.driver import Doomed, Grave, doomed, end_all
from tests.crash.storm import BEGIN, DAY

SHARES = 6
CLAIM = ("run", "storm", "--date", DAY)
BY_HAND = ("run", "storm")


@pytest.fixture(scope="module", name="kill")
def _kill() -> Iterator[Doomed]:
    with doomed() as serving:
        yield serving


@pytest.fixture(autouse=True)
def nothing_lives_on(tmp_path: Path) -> Iterator[None]:
    yield
    end_all(tmp_path)


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


# Tasks that end in three ways when they are stopped: as asked, when they are killed, and with a child that has left
# the session. `caller` plays the person at the terminal, once all have begun.
STUBBORN = f"""
max_parallel_tasks: 4
defaults: {{grace: 0.05}}
tasks:
  polite: {{run: '{BEGIN}; trap "exit 0" TERM; sleep 60 & wait'}}
  deaf: {{run: '{BEGIN}; trap "" TERM; sleep 60'}}
  straying: {{run: '{BEGIN}; setsid sleep 60 & wait'}}
  caller:
    run: |
      {BEGIN}
      while [ "$(wc -l <"$STARTS")" -lt 4 ]; do sleep 0.01; done
      kill -INT "$ENGINE" || :
  later: {{needs: [polite, deaf], when: all_done, run: '{BEGIN}'}}
"""
CANCELLING = 60  # effects, at the end of such a run


@pytest.mark.parametrize("share", range(4))
def test_a_run_that_is_being_cancelled_is_cancelled(kill: Doomed, tmp_path: Path, share: int) -> None:
    pipelines = write_pipeline(tmp_path / "pipelines", "stubborn", STUBBORN)
    whole = Grave(tmp_path / "whole", pipelines)
    answer = kill(whole, "run", "stubborn")
    assert answer.code == 130
    check_cancelled(whole)
    for moment in range(answer.effects - CANCELLING + share * 3, answer.effects, 12):
        grave = Grave(tmp_path / str(moment), pipelines)
        kill(grave, "run", "stubborn", kill_at=moment)
        (run,) = storm.records(grave.state)
        if run["state"] == "running":
            if not (run["dir"] / "cancel.json").exists():
                attempts.write_wish(str(run["dir"]), Wish(by="ann", at=run["created_at"]))
            assert kill(grave, "run", "stubborn").code == 1
        else:
            claims.take(Layout(str(grave.state)), "stubborn", run["run_id"])  # the same command would begin another
        check_cancelled(grave)


def check_cancelled(grave: Grave) -> None:
    """It ended as cancelled, whatever had begun has ended too, and nothing has begun since."""
    runs = storm.records(grave.state)
    assert len(runs) == 1
    assert runs[0]["state"] == "cancelled"
    for name, task in runs[0]["tasks"].items():
        assert task["state"] == "cancelled" or (name, task["state"]) == ("caller", "succeeded")
        assert len(task["attempts"]) <= (name != "later")
    storm.check_starts(runs, grave.starts)
    storm.check_nothing_is_left(grave, runs)


# The shell that holds an attempt's lock is killed too: what is left of the attempt must go before its next one starts.
FATAL = """
tasks:
  load:
    retries: {retries}
    retry_delay: 0
    grace: 0.2
    run: |
      {begin}
      [ "$CRONFLOW_ATTEMPT" = 1 ] || exit 0
      setsid sleep 60 &
      kill -9 {victims}
      sleep 60
"""


@pytest.mark.parametrize("victims", ["$ENGINE $PPID", "$PPID"])
@pytest.mark.parametrize("retries", [0, 1])
def test_an_attempt_whose_shell_was_killed_is_lost(kill: Doomed, tmp_path: Path, victims: str, retries: int) -> None:
    text = FATAL.format(begin=BEGIN, victims=victims, retries=retries)
    grave = Grave(tmp_path / "home", write_pipeline(tmp_path / "pipelines", "fatal", text))
    answer = kill(grave, "run", "fatal")
    if "ENGINE" in victims:
        assert answer.code is None
        until(lambda: len(leftovers(grave.home)) == 3)
        answer = kill(grave, "run", "fatal")
    assert answer.code == 1 - retries
    runs = storm.records(grave.state)
    (run,) = runs
    tried = run["tasks"]["load"]["attempts"]
    assert [attempt["state"] for attempt in tried] == ["lost", "succeeded"][: retries + 1]
    assert (tried[0]["reason"], tried[0]["exit_code"]) == (LOST, None)
    storm.check_starts(runs, grave.starts)
    storm.check_nothing_is_left(grave, runs)


@pytest.mark.parametrize("seed", range(4))
def test_the_real_command_is_killed_at_any_time(tmp_path: Path, seed: int) -> None:
    chance = Random(seed)
    for number in range(3):
        cronflow = Cronflow(tmp_path / str(number))
        cronflow.pipeline("storm", storm.PIPELINE).parent.chmod(0o755)
        grave = Grave(cronflow.home, cronflow.pipelines_dir)
        env = {"STARTS": str(grave.starts)}
        for _ in range(chance.randrange(1, 4)):
            process = cronflow.start(*CLAIM, env=env)
            with suppress(subprocess.TimeoutExpired):
                process.wait(timeout=chance.uniform(0, 0.4))
            process.kill()
            process.communicate()
        assert cronflow(*CLAIM, env=env).returncode in {1, 3}
        storm.check(grave)
        assert [run["run_id"] for run in storm.records(grave.state)] == [storm.RUN_ID]
