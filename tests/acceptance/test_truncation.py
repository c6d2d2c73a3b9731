"""Every kind of state file cut short, emptied, or filled with what is none: nothing else suffers, and it is said.

A real history is made once: a run that has ended, and one whose engine was killed. Each damage is done to a copy of
it, which is then looked at by readers, and claimed.
"""

import json
import shutil
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from cronflow.cli.app import invoke
from cronflow.lifecycle import Stop, Wish
from cronflow.state import attempts
from tests.acceptance.witness import leftovers, until
from tests.conftest import Cronflow
from tests.crash.driver import Doomed, Grave, doomed, end_all
from tests.crash.storm import BEGIN

# `fatal` kills its engine where it is asked to, and ends well itself; before it an attempt has been stopped.
PIPELINE = f"""
schedule: "0 0 * * *"
timezone: UTC
max_active_runs: 2
tasks:
  first: {{run: '{BEGIN}'}}
  stopped:
    timeout: 0.05
    allow_failure: true
    run: '{BEGIN}; trap "exit 0" TERM; sleep 60 & wait'
  fatal:
    needs: [first, stopped]
    retries: 1
    retry_delay: 0
    run: |
      {BEGIN}
      if [ -e "$STARTS.kill" ]; then rm "$STARTS.kill"; kill -9 "$ENGINE"; fi
  last: {{needs: [fatal], run: '{BEGIN}'}}
"""
ENDED, OPEN = "20260106T000000Z", "20260107T000000Z"
DAYS = {ENDED: "2026-01-05", OPEN: "2026-01-06"}
RUNS = "pipelines/torn/runs/2026-01"
GARBAGE = [b"", b"\0", b"\0" * 3000, b"\xff\xfe\x00", b"garbage\n", b"null", b"[]", b"{}", b'"x"', b'{"x":' * 5000]


@pytest.fixture(scope="module", name="run")
def _run() -> Iterator[Doomed]:
    with doomed() as serving:
        yield serving


@pytest.fixture(scope="module", name="whole")
def _whole(run: Doomed, tmp_path_factory: pytest.TempPathFactory) -> Grave:
    """The history that is to be damaged."""
    cronflow = Cronflow(tmp_path_factory.mktemp("whole"))
    cronflow.pipeline("torn", PIPELINE).parent.chmod(0o755)
    grave = Grave(cronflow.home, cronflow.pipelines_dir)
    assert claim(run, grave, ENDED).code == 0
    Path(f"{grave.starts}.kill").touch()
    assert claim(run, grave, OPEN).code is None
    until(lambda: not leftovers(cronflow.home))
    return grave


def claim(run: Doomed, grave: Grave, run_id: str, *more: str) -> Any:
    return run(grave, "run", "torn", "--date", DAYS[run_id], *more)


@pytest.fixture(autouse=True)
def nothing_lives_on(tmp_path: Path) -> Iterator[None]:
    yield
    end_all(tmp_path)


@pytest.fixture
def copy(whole: Grave, tmp_path: Path) -> Callable[[], Grave]:
    """Makes copies of the history, one for each damage."""
    count = iter(range(10_000))

    def make() -> Grave:
        grave = Grave(tmp_path / str(next(count)), whole.pipelines)
        shutil.copytree(whole.home, grave.home)
        return grave

    return make


def damages(content: bytes, step: int) -> Iterator[bytes]:
    """The content cut at every `step`th byte and around its lines' ends; and what is no content at all."""
    ends = {at + more for at, byte in enumerate(content) if byte == ord("\n") for more in (0, 1)}
    for at in sorted({*range(1, len(content), step), *ends, len(content) - 1} - {len(content)}):
        yield content[:at]
    yield content[: len(content) // 2] + b"\0" * (len(content) - len(content) // 2)
    yield from GARBAGE


def cronflow(grave: Grave, *arguments: str) -> int:
    """A command that only looks, within this process."""
    return invoke(["--pipelines-dir", str(grave.pipelines), "--state-dir", str(grave.state), *arguments])


def check_readers(grave: Grave, capfd: pytest.CaptureFixture[str], damaged: str) -> None:
    """Every view comes, no run is lost, those that were not hit are whole, and nothing has been touched."""
    before = contents(grave)
    capfd.readouterr()
    assert cronflow(grave, "status", "torn", "--json") == 0
    assert [one["run_id"] for one in json.loads(capfd.readouterr().out)["runs"]] == [OPEN, ENDED]
    for arguments in (
        ["status"],
        ["status", "torn"],
        *([what, "torn", one] for what in ("status", "logs") for one in DAYS),
    ):
        assert cronflow(grave, *arguments) == 0, (arguments, capfd.readouterr())
    if damaged != ENDED:
        capfd.readouterr()
        assert cronflow(grave, "status", "torn", ENDED, "--json") == 0
        assert json.loads(capfd.readouterr().out) == record(grave, ENDED)
    assert contents(grave) == before


def contents(grave: Grave) -> dict[str, bytes]:
    """Every file but what can be rebuilt."""
    paths = (path for path in grave.state.rglob("*") if path.is_file())
    return {str(path): path.read_bytes() for path in paths if path.parent.name != "cache"}


def record(grave: Grave, run_id: str) -> dict[str, Any]:
    stored: dict[str, Any] = json.loads((grave.state / RUNS / run_id / "run.json").read_bytes())
    return stored


def printed(grave: Grave, before: int) -> str:
    return grave.output[before:]


@pytest.mark.parametrize("run_id", [ENDED, OPEN])
def test_a_run_s_record(
    run: Doomed, whole: Grave, copy: Callable[[], Grave], capfd: pytest.CaptureFixture[str], run_id: str
) -> None:
    """It is put aside by who claims the run; --force runs the period again, its attempts numbered on."""
    content = (whole.state / RUNS / run_id / "run.json").read_bytes()
    for number, bad in enumerate(damages(content, 97)):
        grave = copy()
        path = grave.state / RUNS / run_id / "run.json"
        path.write_bytes(bad)
        check_readers(grave, capfd, run_id)
        before = len(grave.output)
        assert claim(run, grave, run_id).code == 4
        assert f"cronflow: {path}: record unreadable: " in printed(grave, before)
        assert f"put aside as {path}.bad; --force runs the period again" in printed(grave, before)
        assert Path(f"{path}.bad").read_bytes() == bad
        check_readers(grave, capfd, run_id)
        assert claim(run, grave, run_id).code == 4
        if number % 5 == 0:
            assert claim(run, grave, run_id, "--force").code == 0
            again = record(grave, run_id)
            assert again["state"] == "succeeded"
            assert [one["number"] for one in again["tasks"]["first"]["attempts"]] == [2]
            check_readers(grave, capfd, ENDED)


@pytest.mark.parametrize("name", ["first.1.json", "stopped.1.json", "stopped.1.stop", "fatal.1.json", "cancel.json"])
def test_a_file_of_an_open_run(
    run: Doomed, whole: Grave, copy: Callable[[], Grave], capfd: pytest.CaptureFixture[str], name: str
) -> None:
    """The run goes on with what can be known; what can't be read is put aside and named."""
    wish = Wish(by="ann", at="2026-01-07T00:00:00.000Z")
    asked = whole.home / "asked"
    asked.mkdir(exist_ok=True)
    attempts.write_wish(str(asked), wish)
    source = asked if name == "cancel.json" else whole.state / RUNS / OPEN
    for bad in damages((source / name).read_bytes(), 7):
        grave = copy()
        path = grave.state / RUNS / OPEN / name
        path.write_bytes(bad)
        unreadable = not name.endswith(".1.json") or attempts.parse(bad, locked=False)[0] == "garbage"
        check_readers(grave, capfd, OPEN)
        before = len(grave.output)
        assert claim(run, grave, OPEN).code in {0, 1}
        note = f"cronflow: {path}: record unreadable; put aside as {path}.bad"
        assert (note in printed(grave, before)) is unreadable, bad
        assert Path(f"{path}.bad").exists() is unreadable
        assert record(grave, OPEN)["state"] in {"succeeded", "failed"}
        check_starts(grave, name.partition(".")[0])
        check_tidy(grave)
        check_readers(grave, capfd, OPEN)


def check_starts(grave: Grave, hit: str) -> None:
    """Only the attempt whose own file was hit may have come twice."""
    lines = Counter(line.partition("@")[0] for line in grave.starts.read_text(encoding="utf-8").splitlines())
    again = {line for line, count in lines.items() if count > 1}
    assert again <= {f"torn/{OPEN}/{hit}/1"}


def check_tidy(grave: Grave) -> None:
    """Nothing but records, logs and what was put aside."""
    left = [path for path in (grave.state / RUNS).rglob("*.*") if path.suffix not in {".bad", ".log"}]
    assert {path.name for path in left} == {"run.json"}
    assert list((grave.state / "open").iterdir()) == []


@dataclass(frozen=True)
class Lenient:
    """A file whose content nobody needs: it can be told from elsewhere, or is only a lock."""

    pattern: str
    step: int


@pytest.mark.parametrize(
    "kind",
    [Lenient("open/*", 1), Lenient("pipelines/torn/active/*", 5), Lenient("cache/*", 61)],
    ids=lambda kind: kind.pattern,
)
def test_a_file_that_is_not_needed(
    run: Doomed, whole: Grave, copy: Callable[[], Grave], capfd: pytest.CaptureFixture[str], kind: Lenient
) -> None:
    found = sorted(whole.state.glob(kind.pattern))
    assert found
    for one in found:
        for bad in damages(one.read_bytes() or b"?", kind.step):
            grave = copy()
            (grave.state / one.relative_to(whole.state)).write_bytes(bad)
            check_readers(grave, capfd, "")
            assert claim(run, grave, OPEN).code == 0
            assert record(grave, OPEN)["state"] == "succeeded"
            check_starts(grave, "none")
            check_tidy(grave)


@pytest.mark.parametrize("bad", [b"", b'{"schema":1', b"\0" * 100])
def test_a_run_by_hand_is_not_stopped_by_another_s_record(
    run: Doomed, copy: Callable[[], Grave], whole: Grave, bad: bytes
) -> None:
    grave = copy()
    Path(f"{grave.starts}.kill").touch()
    assert run(grave, "run", "torn").code is None
    until(lambda: not leftovers(grave.home))
    (path,) = grave.state.glob("pipelines/torn/runs/*/*-manual/run.json")
    path.write_bytes(bad)
    before = len(grave.output)
    assert run(grave, "run", "torn").code == 0
    assert f"{path}: record unreadable: " in printed(grave, before)
    assert len(list(grave.state.glob("pipelines/torn/runs/*/*-manual/run.json"))) == 1
    assert [one.name for one in (grave.state / "open").iterdir()] == [f"torn~{OPEN}"]


def test_the_real_command_says_the_same(whole: Grave, copy: Callable[[], Grave]) -> None:
    grave = copy()
    real = Cronflow(grave.home)
    path = grave.state / RUNS / OPEN / "run.json"
    path.write_bytes(path.read_bytes()[:100])
    done = real("status", "torn", OPEN)
    assert (done.returncode, done.stderr) == (0, "")
    assert f"record unreadable: {path}" in done.stdout.replace("\n", "")
    done = real("run", "torn", "--date", DAYS[OPEN])
    assert (done.returncode, done.stdout) == (4, "")
    assert done.stderr.startswith(f"cronflow: {path}: record unreadable: ")
    assert done.stderr.endswith(f"; put aside as {path}.bad; --force runs the period again\n")
    done = real("run", "torn", "--date", DAYS[OPEN], "--force", env={"STARTS": str(grave.starts)})
    assert done.returncode == 0, done.stderr


# The task outlives its engine, and its file is cut while it runs: all there is then is that somebody holds the lock.
HELD = f"""
tasks:
  load:
    grace: 0.1
    run: |
      {BEGIN}
      [ -e "$STARTS.killed" ] || {{ : >"$STARTS.killed"; kill -9 "$ENGINE"; }}
      while [ ! -e "$STARTS.go" ]; do sleep 0.01; done
  next: {{needs: [load], when: all_done, run: '{BEGIN}'}}
"""


@pytest.mark.parametrize(
    ("cut", "cancel", "code", "state"),
    [
        (0, False, 1, "failed"),
        (20, False, 1, "failed"),
        (-1, False, 0, "succeeded"),  # a newline less: what the shell adds is still the end of it
        (0, True, 130, "cancelled"),
        (20, True, 130, "cancelled"),
        (-1, True, 130, "cancelled"),
    ],
)
def test_an_attempt_whose_file_is_cut_while_it_runs(
    run: Doomed, tmp_path: Path, cut: int, cancel: bool, code: int, state: str
) -> None:
    real = Cronflow(tmp_path / "home")
    real.pipeline("held", HELD).parent.chmod(0o755)
    grave = Grave(real.home, real.pipelines_dir)
    assert run(grave, "run", "held").code is None
    (path,) = grave.state.glob("pipelines/held/runs/*/*/load.1.json")
    path.write_bytes(path.read_bytes()[:cut])
    engine = real.start("run", "held", env={"STARTS": str(grave.starts)})
    assert engine.stdout is not None
    assert "running" in next(line for line in engine.stdout if " load " in line)
    if cancel:
        engine.send_signal(signal.SIGINT)
    else:
        Path(f"{grave.starts}.go").touch()
    said = engine.communicate(timeout=30)[1]
    assert engine.returncode == code
    (stored,) = [json.loads(one.read_bytes()) for one in grave.state.glob("pipelines/held/runs/*/*/run.json")]
    (tried,) = stored["tasks"]["load"]["attempts"]
    assert tried["state"] == state
    assert (f"{path}: record unreadable; put aside as {path}.bad" in said) is (cut >= 0)
    assert len(stored["tasks"]["next"]["attempts"]) == (not cancel)
    until(lambda: not leftovers(real.home))


def test_a_note_of_a_start_that_never_was_stops_nothing(run: Doomed, copy: Callable[[], Grave]) -> None:
    """The attempt's file says that it never started, so nobody can have stopped it; it is started, and is no other."""
    grave = copy()
    run_dir = grave.state / RUNS / OPEN
    path = run_dir / "fatal.1.json"
    path.write_bytes(path.read_bytes().partition(b"\n")[0])
    attempts.write_stop(str(run_dir), "fatal", 1, Stop(reason="timeout", by="cronflow", at="2026-01-07T00:00:00.000Z"))
    Path(f"{grave.starts}.kill").touch()
    assert claim(run, grave, OPEN).code is None
    assert claim(run, grave, OPEN).code == 0
    assert [one["state"] for one in record(grave, OPEN)["tasks"]["fatal"]["attempts"]] == ["succeeded"]
