"""What a task finds in its environment: every variable, from where, and who wins."""

import json
import os
import re
import stat
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

import pytest

from tests.acceptance.witness import log, record, run_dir
from tests.conftest import Cronflow

DUMP = "env -0"


def environment(cronflow: Cronflow, pipeline: str, task: str = "main", number: int = 1) -> dict[str, str]:
    """What a task that dumped its environment had."""
    words = log(cronflow, pipeline, task, number).decode().split("\0")
    return dict(word.split("=", 1) for word in words if word)


def run_with(cronflow: Cronflow, pipeline: str, *arguments: str, env: Mapping[str, str] | None = None) -> None:
    done = cronflow("run", pipeline, *arguments, env=env)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_variable_of_a_period(cronflow: Cronflow) -> None:
    cronflow.pipeline("etl", f"schedule: '30 1 * * *'\ntimezone: Europe/Berlin\ntasks: {{load: {{run: {DUMP}}}}}\n")
    run_with(cronflow, "etl", "--date", "2026-03-28")
    found = {name: value for name, value in environment(cronflow, "etl", "load").items() if name.startswith("CRON")}
    assert re.fullmatch(r"etl/20260329T003000Z/load/1@[0-9a-f]{8}", found.pop("CRONFLOW_ATTEMPT_ID"))
    assert found == {
        "CRONFLOW_PIPELINE": "etl",
        "CRONFLOW_TASK": "load",
        "CRONFLOW_RUN_ID": "20260329T003000Z",
        "CRONFLOW_ATTEMPT": "1",
        "CRONFLOW_TRIGGER": "manual",
        "CRONFLOW_LOGICAL_DATE": "2026-03-28T01:30:00+01:00",
        "CRONFLOW_INTERVAL_START": "2026-03-28T01:30:00+01:00",
        "CRONFLOW_INTERVAL_END": "2026-03-29T01:30:00+01:00",
        "CRONFLOW_SCHEDULED_AT": "2026-03-29T01:30:00+01:00",
        "CRONFLOW_DS": "2026-03-28",
        "CRONFLOW_DS_NODASH": "20260328",
        "CRONFLOW_SCHEDULED_DS": "2026-03-29",
    }


def test_the_offset_is_the_zones_at_that_instant(cronflow: Cronflow) -> None:
    cronflow.pipeline("etl", f"schedule: '@daily'\ntimezone: Europe/Berlin\nrun: {DUMP}\n")
    run_with(cronflow, "etl", "--date", "2026-03-29")
    found = environment(cronflow, "etl")
    assert found["CRONFLOW_INTERVAL_START"] == "2026-03-29T00:00:00+01:00"
    assert found["CRONFLOW_INTERVAL_END"] == "2026-03-30T00:00:00+02:00"
    assert found["CRONFLOW_RUN_ID"] == "20260329T220000Z"


def test_by_hand_a_task_sees_the_latest_period_and_claims_nothing(cronflow: Cronflow) -> None:
    cronflow.pipeline("etl", f"schedule: '@daily'\ntimezone: UTC\nrun: {DUMP}\n")
    run_with(cronflow, "etl")
    found = environment(cronflow, "etl")
    start = datetime.fromisoformat(found["CRONFLOW_INTERVAL_START"])
    end = datetime.fromisoformat(found["CRONFLOW_INTERVAL_END"])
    assert (end - start).total_seconds() == 86400
    assert found["CRONFLOW_SCHEDULED_AT"] == found["CRONFLOW_INTERVAL_END"]
    assert found["CRONFLOW_DS"] == found["CRONFLOW_INTERVAL_START"][:10]
    assert re.fullmatch(r"\d{8}T\d{6}\.\d{3}Z-manual", found["CRONFLOW_RUN_ID"])
    run_with(cronflow, "etl", "--date", found["CRONFLOW_DS"])


@pytest.mark.parametrize("schedule", ["", "schedule: '@reboot'\n"])
def test_without_periods_the_moment_of_starting_stands_for_all(cronflow: Cronflow, schedule: str) -> None:
    cronflow.pipeline("once", f"{schedule}timezone: Asia/Kathmandu\nrun: {DUMP}\n")
    run_with(cronflow, "once")
    found = environment(cronflow, "once")
    moments = {found[f"CRONFLOW_{name}"] for name in ("LOGICAL_DATE", "INTERVAL_START", "INTERVAL_END", "SCHEDULED_AT")}
    assert len(moments) == 1
    moment = datetime.fromisoformat(moments.pop())
    assert str(moment.utcoffset()) == "5:45:00"
    assert f"{moment:%Y-%m-%d}" == found["CRONFLOW_DS"] == found["CRONFLOW_SCHEDULED_DS"]
    assert f"{moment:%Y%m%d}" == found["CRONFLOW_DS_NODASH"]


def test_the_attempt_is_counted_and_its_id_is_new_each_time(cronflow: Cronflow) -> None:
    cronflow.pipeline("etl", f"tasks: {{a: {{run: '{DUMP}; exit 1', retries: 1, retry_delay: 0}}}}\n")
    cronflow("run", "etl")
    first, second = (environment(cronflow, "etl", "a", number) for number in (1, 2))
    assert (first["CRONFLOW_ATTEMPT"], second["CRONFLOW_ATTEMPT"]) == ("1", "2")
    assert first["CRONFLOW_ATTEMPT_ID"] != second["CRONFLOW_ATTEMPT_ID"]


def test_two_state_directories_never_share_an_attempts_id(cronflow: Cronflow) -> None:
    cronflow.pipeline("etl", f"schedule: '@daily'\ntimezone: UTC\nrun: {DUMP}\n")
    ids = set()
    for name in ("one", "two"):
        state = cronflow.home / name
        done = cronflow("--state-dir", state, "run", "etl", "--date", "2026-01-01")
        assert done.returncode == 0
        (written,) = state.glob("pipelines/etl/runs/*/*/main.1.log")
        ids.add(re.search(rb"CRONFLOW_ATTEMPT_ID=([^\0]+)", written.read_bytes())[1])  # type: ignore[index]
    assert len(ids) == 2


# Each variable is set by one layer and all that come before it, and named after the layer that must win.
LAYERS = """
env: {FROM_PIPELINE: env, FROM_PARAMS: env, FROM_TASK: env}
params: {FROM_PARAMS: params, FROM_TASK: params, FROM_TYPED: params}
env_file: .env
tasks:
  main: {run: env -0, env: {FROM_TASK: task}}
  other: {run: env -0}
"""
NAMES = ["FROM_FILE", "FROM_PIPELINE", "FROM_PARAMS", "FROM_TASK"]


def test_later_layers_win(cronflow: Cronflow) -> None:
    (cronflow.pipelines_dir / ".env").write_text("".join(f"{name}=file\n" for name in NAMES))
    cronflow.pipeline("layers", LAYERS)
    outer = dict.fromkeys([*NAMES, "FROM_ENGINE"], "engine")
    run_with(cronflow, "layers", "--param", "FROM_TYPED=ty ped=1", env=outer)
    found, other = environment(cronflow, "layers"), environment(cronflow, "layers", "other")
    assert {name: value for name, value in found.items() if name.startswith("FROM_")} == {
        "FROM_ENGINE": "engine",
        "FROM_FILE": "file",
        "FROM_PIPELINE": "env",
        "FROM_PARAMS": "params",
        "FROM_TASK": "task",
        "FROM_TYPED": "ty ped=1",
    }
    assert (other["FROM_TASK"], other["FROM_TYPED"]) == ("params", "ty ped=1")


def test_no_layer_says_who_a_task_is(cronflow: Cronflow) -> None:
    mine = "CRONFLOW_TASK=file\nCRONFLOW_RUN_ID=file\nCRONFLOW_ATTEMPT_ID=file\nCRONFLOW_DS=file\n"
    (cronflow.pipelines_dir / ".env").write_text(mine)
    cronflow.pipeline("who", f"env_file: .env\nrun: {DUMP}\n")
    run_with(cronflow, "who", env={"CRONFLOW_TASK": "outer", "CRONFLOW_OUTER": "outer", "CRONFLOW_STATE_DIR": "/no"})
    found = environment(cronflow, "who")
    assert found["CRONFLOW_TASK"] == "main"
    assert found["CRONFLOW_RUN_ID"] == run_dir(cronflow, "who").name
    assert found["CRONFLOW_ATTEMPT_ID"].startswith("who/")
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", found["CRONFLOW_DS"])
    assert not {"CRONFLOW_OUTER", "CRONFLOW_STATE_DIR"} & found.keys()


def test_the_engines_environment_comes_through_as_it_is(cronflow: Cronflow) -> None:
    cronflow.pipeline("env", f"run: {DUMP}\n")
    odd = {"EMPTY": "", "LINES_2": "one\ntwo", "SPACED": " a  b ", "QUOTED": "'\"$HOME`id`\\", "UTF": "äß€𝄞"}
    given = cronflow.environment(odd)
    run_with(cronflow, "env", env=odd)
    found = {name: value for name, value in environment(cronflow, "env").items() if not name.startswith("CRONFLOW_")}
    assert found.pop("PWD") == str(cronflow.pipelines_dir)
    given.pop("PWD", None)
    ours = {"_", "SHLVL", "OLDPWD"}  # what some shells note for themselves
    assert {name: found[name] for name in found.keys() - ours} == {name: given[name] for name in given.keys() - ours}


def test_bytes_that_are_no_utf_8_come_through(cronflow: Cronflow) -> None:
    cronflow.pipeline("env", 'run: printf %s "$ODD"\n')
    run_with(cronflow, "env", env={"ODD": os.fsdecode(b"\xff\xfe")})
    assert log(cronflow, "env", "main") == b"\xff\xfe"


def test_the_values_of_an_env_file_are_read_at_each_attempt_and_kept_nowhere(cronflow: Cronflow) -> None:
    secrets = cronflow.home / "secrets"
    secrets.write_text("TOKEN=hush-one\n")
    cronflow.pipeline(
        "etl",
        f"""
        env_file: {secrets}
        tasks:
          a:
            run: 'echo "$TOKEN" | cut -d- -f2; echo TOKEN=hu""sh-two > {secrets}; exit 1'
            retries: 1
            retry_delay: 0
        """,
    )
    done = cronflow("run", "etl", "--json")
    assert done.returncode == 1
    assert [log(cronflow, "etl", "a", number) for number in (1, 2)] == [b"one\n", b"two\n"]
    kept = [path for path in cronflow.state_dir.rglob("*") if path.is_file() and b"hush" in path.read_bytes()]
    assert kept == []
    assert "hush" not in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "No such file or directory"),
        (b"A=1\nhush hush\n", "line 2 is not NAME=VALUE"),
        (b"A='hush", "line 1: the quote ' is not closed, or something follows it"),
        (b"A=\xff\xfe\n", "not UTF-8"),
        (b"A=hu\0sh\n", "line 1 holds a NUL byte, which no environment variable can"),
    ],
)
def test_an_env_file_that_cannot_be_read_fails_the_attempt(
    cronflow: Cronflow, content: bytes | None, reason: str
) -> None:
    path = cronflow.pipelines_dir / "secrets.env"
    if content is not None:
        path.write_bytes(content)
    cronflow.pipeline("etl", "env_file: secrets.env\nrun: echo never\n")
    run = cronflow.json("run", "etl", code=1)
    attempt = run["tasks"]["main"]["attempts"][0]
    assert (attempt["state"], attempt["reason"]) == ("failed", f"env_file {path}: {reason}")
    assert (attempt["exit_code"], attempt["pid"], attempt["log"]) == (None, None, None)
    assert attempt["started_at"] is not None
    assert "hush" not in json.dumps(run)
    assert not (run_dir(cronflow, "etl") / "main.1.log").exists()


def test_params_are_in_the_record_and_typed_ones_replace_them(cronflow: Cronflow) -> None:
    cronflow.pipeline("etl", "params: {region: eu, mode: fast}\nrun: echo $region $mode\n")
    run_with(cronflow, "etl", "--param", "region=us", "--param", "mode=")
    assert log(cronflow, "etl", "main") == b"us\n"
    assert record(cronflow, "etl")["params"] == {"region": "us", "mode": ""}


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        ("region", "cronflow: --param region: expected NAME=VALUE, as in --param region=us\n"),
        ("=us", "cronflow: --param =us: expected NAME=VALUE, as in --param region=us\n"),
        ("1a=us", "cronflow: --param 1a=us: expected NAME=VALUE, as in --param region=us\n"),
        (
            "regoin=us",
            "cronflow: --param regoin: 'etl': its params are region, mode; did you mean 'region'?\n",
        ),
    ],
)
def test_a_param_must_be_one_of_the_pipelines(cronflow: Cronflow, typed: str, message: str) -> None:
    cronflow.pipeline("etl", "params: {region: eu, mode: fast}\nrun: echo $region $mode\n")
    done = cronflow("run", "etl", "--param", typed)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", message)
    assert not (cronflow.state_dir / "pipelines").exists()


def test_a_pipeline_without_params_takes_none(cronflow: Cronflow) -> None:
    cronflow.pipeline("etl", "run: 'true'\n")
    done = cronflow("run", "etl", "--param", "a=b")
    assert (done.returncode, done.stderr) == (2, "cronflow: --param a: 'etl': it has no params\n")


def test_nothing_is_spliced_into_a_command(cronflow: Cronflow) -> None:
    cronflow.pipeline("etl", 'params: {name: x}\nrun: echo "$name"\n')
    run_with(cronflow, "etl", "--param", 'name="; touch broken; $(touch broken) `touch broken` {{ds}}')
    assert log(cronflow, "etl", "main") == b'"; touch broken; $(touch broken) `touch broken` {{ds}}\n'
    assert not list(Path(cronflow.pipelines_dir).glob("broken"))


def test_every_file_and_directory_of_the_state_is_private(cronflow: Cronflow) -> None:
    (cronflow.home / "config.yaml").write_text("pools: {p: 1}\n")
    cronflow.pipeline("etl", "schedule: '@daily'\ntasks: {a: {run: exit 1, pool: p, retries: 1, retry_delay: 0}}\n")
    before = os.umask(0)
    try:
        assert cronflow("run", "etl", "--date", "2026-01-01").returncode == 1
    finally:
        os.umask(before)
    paths = [cronflow.state_dir, *cronflow.state_dir.rglob("*")]
    modes = {str(path): stat.S_IMODE(path.stat().st_mode) for path in paths}
    assert {path: mode for path, mode in modes.items() if mode != (0o700 if Path(path).is_dir() else 0o600)} == {}
