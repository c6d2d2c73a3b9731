"""Sentences of the README that no other test holds, each against real processes."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from cronflow.loader import pipeline_file
from cronflow.spec import Config, Pipeline
from tests.acceptance.witness import Gate, ended, started, until
from tests.conftest import Cronflow, clean_environment
from tests.terminal import Terminal

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


def test_a_terminal_shows_the_tasks_as_they_go_on(cronflow: Cronflow, tmp_path: Path) -> None:
    gate = Gate(tmp_path / "gate")
    cronflow.pipeline(
        "etl",
        f"""
        tasks:
          pull:
            run: |
              echo "try $CRONFLOW_ATTEMPT"; test $CRONFLOW_ATTEMPT = 2
              {gate.passed}
            retries: 2
            retry_delay: 0
          load: {{run: "true", needs: pull}}
        """,
    )
    with Terminal(cronflow, "run", "etl", columns=60) as terminal:
        terminal.read_until(lambda screen: b"attempt 2 of 3  try 2" in screen and b" 0/2 done, 1 running" in screen)
        gate.open()
        assert terminal.to_the_end() == 0
        block, end = terminal.screen.decode().rsplit("2/2 done", 1)
    assert "━" in block
    assert "● succeeded" in end
    assert " status etl " in end
    with Terminal(cronflow, "run", "etl", columns=60, env={"NO_COLOR": "1"}) as terminal:
        terminal.read_until(lambda screen: b"attempt 2" in screen)
        gate.open()
        assert terminal.to_the_end() == 0
        assert terminal.screen.isascii(), "neither colours nor glyphs where they are not wanted"
        assert not re.search(rb"\x1b\[[0-9;]*[34][0-7][;m]", terminal.screen)


# As whoever this user is said to be; nothing can be written, so that no test leaves anything in a default place.
AS_SOMEBODY = """
import errno, os, sys
from cronflow.cli.app import invoke

def refuse(event, args):
    if event == "os.mkdir" or (event == "open" and isinstance(args[2], int) and args[2] & os.O_CREAT):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), args[0])

os.geteuid = lambda: int(sys.argv[1])
sys.addaudithook(refuse)
sys.exit(invoke(sys.argv[2:]))
"""
IN_HOME = ("/home/me/.config/cronflow/pipelines", "/home/me/.local/state/cronflow")
BY_XDG = ("/conf/cronflow/pipelines", "/lasting/cronflow")
ROOTS = ("/etc/cronflow/pipelines", "/var/lib/cronflow")
XDG = {"XDG_CONFIG_HOME": "/conf", "XDG_STATE_HOME": "/lasting"}


@pytest.mark.parametrize(
    ("user", "env", "places"), [("1000", {}, IN_HOME), ("1000", XDG, BY_XDG), ("0", {}, ROOTS), ("0", XDG, ROOTS)]
)
def test_where_pipelines_and_history_are_by_default(
    cronflow: Cronflow, user: str, env: dict[str, str], places: tuple[str, str]
) -> None:
    def said(*words: object) -> str:
        command = [sys.executable, "-c", AS_SOMEBODY, user, *map(str, words)]
        environment = clean_environment() | {"HOME": "/home/me"} | env
        return subprocess.run(command, env=environment, check=False, capture_output=True, text=True).stderr

    if not os.path.exists(places[0]):
        assert said("list").startswith(f"cronflow: {places[0]}: no such directory")
    path = cronflow.pipeline("etl", "run: 'true'\n")
    # What keeps it from writing there may be its owner, too.
    assert re.match(f"cronflow: {places[1]}[/:]", said("run", path))


def test_variables_say_where_they_are_and_options_win(cronflow: Cronflow, tmp_path: Path) -> None:
    program = cronflow.command_line([])[0]
    cronflow.pipeline("etl", "run: 'true'\n")
    here = {"CRONFLOW_PIPELINES_DIR": str(cronflow.pipelines_dir), "CRONFLOW_STATE_DIR": str(cronflow.state_dir)}

    def rows(*options: str) -> list[tuple[str, bool]]:
        words = [program, *options, "status", "--json"]
        done = subprocess.run(words, env=cronflow.environment(here), check=True, capture_output=True, text=True)
        return [(row["name"], bool(row["recent"])) for row in json.loads(done.stdout)["pipelines"]]

    subprocess.run([program, "run", "etl"], env=cronflow.environment(here), check=True, capture_output=True)
    assert rows() == [("etl", True)]
    assert rows("--state-dir", str(tmp_path / "other")) == [("etl", False)]
    (tmp_path / "none").mkdir(mode=0o755)
    assert rows("--pipelines-dir", str(tmp_path / "none"), "--state-dir", str(tmp_path / "other")) == []


# Tells of every effect on the disk that others can see, in order, once the command has ended.
WATCHED = """
import json, os, sys
from cronflow.cli.app import invoke

seen, fsync = [], os.fsync

def note(what, path):
    seen.append([what, os.fsdecode(path)])

def heard(event, args):
    if event == "os.rename":
        note("rename", args[1])
    elif event == "os.remove":
        note("remove", args[0])
    elif event == "os.posix_spawn":
        note("start", "")
    elif event == "open" and isinstance(args[0], str) and args[2] & os.O_CREAT:
        note("open", args[0])

def synced(fd):
    note("sync", os.readlink(f"/proc/self/fd/{fd}"))
    fsync(fd)

os.fsync = synced
sys.addaudithook(heard)
code = invoke(sys.argv[1:])
sys.stderr.write(json.dumps(seen))
sys.exit(code)
"""


def effects(cronflow: Cronflow, *arguments: object) -> list[tuple[str, str]]:
    """What a command does to the disk, in order; paths from the state directory on."""
    words = [sys.executable, "-c", WATCHED, *cronflow.command_line(arguments)[1:]]
    done = subprocess.run(words, env=cronflow.environment(), check=True, capture_output=True, text=True)
    return [(what, path.removeprefix(f"{cronflow.state_dir}/")) for what, path in json.loads(done.stderr)]


def in_order(seen: list[tuple[str, str]], *wanted: tuple[str, str]) -> bool:
    """Whether these come one after the other, whatever lies between."""
    rest = iter(seen)
    return all(one in rest for one in wanted)


def test_the_order_of_writes(cronflow: Cronflow) -> None:
    cronflow.pipeline("etl", 'schedule: "@daily"\ntimezone: UTC\nrun: "true"\n')
    month, entry = "pipelines/etl/runs/2026-01", "open/etl~20260102T000000Z"
    run = f"{month}/20260102T000000Z"
    attempt = ("open", f"{run}/main.1.json")
    claim = [("open", entry), ("sync", "open"), ("sync", f"{run}.draft"), ("rename", run), ("sync", month)]
    end = [("rename", f"{run}/run.json"), ("sync", run), ("remove", attempt[1]), ("remove", entry)]
    seen = effects(cronflow, "run", "etl", "--date", "2026-01-01")
    assert in_order(seen, ("open", entry), ("sync", f"{run}.draft/run.json"), ("rename", run))
    assert in_order(seen, *claim, attempt, ("start", ""), *end)
    assert ("start", "") not in seen[: seen.index(attempt)]
    again = effects(cronflow, "run", "etl", "--date", "2026-01-01", "--force")
    opened = [("open", entry), ("sync", "open"), ("rename", f"{run}/run.json"), ("sync", run)]
    assert in_order(again, *opened, ("open", f"{run}/main.2.json"), ("start", ""), end[0], end[1], ("remove", entry))


README = (SOURCE / "README.md").read_text(encoding="utf-8")
# Keys, what they mean, and a default that is a value: `| `retry_delay`, `retry_backoff` | … | `30s`, 2 |`.
VALUE = r"`[^`]+`|\d[\d.]*"
ROWS = re.findall(rf"^\| ((?:`\w+`(?:, )?)+) \| .* \| ((?:(?:{VALUE})(?:, )?)+) \|$", README, re.MULTILINE)
DEFAULTS = {
    key: value.strip("`")
    for keys, values in ROWS
    for key, value in zip(re.findall(r"\w+", keys), re.findall(VALUE, values), strict=True)
}
ONLY_WHERE_WRITTEN = {"max_active_runs"}


def definition(text: str) -> Pipeline:
    """The one pipeline of a text."""
    loaded = pipeline_file.parse(text, name="etl", directory="/", config=Config())
    assert loaded.problems == ()
    return loaded.pipelines[0]


@pytest.mark.parametrize("key", sorted(DEFAULTS.keys() - ONLY_WHERE_WRITTEN))
def test_the_readme_s_defaults_are_the_defaults(key: str) -> None:
    written = f"{key}: {DEFAULTS[key]}"
    on_top = key in Pipeline.__struct_fields__
    said = f"run: x\n{written}\n" if on_top else f"tasks: {{main: {{run: x, {written}}}}}\n"
    assert definition(said) == definition("run: x\n")


def test_the_readme_has_a_default_for_most_keys() -> None:
    assert len(DEFAULTS) >= 18
