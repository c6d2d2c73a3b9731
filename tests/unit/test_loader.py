"""What a good pipeline file means: values resolved, defaults merged, names, several documents, config.yaml."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest

from cronflow.loader import config_file, forms, pipeline_file
from cronflow.problem import show
from cronflow.spec import Config, Pipeline, PipelineFile, Retention, Task, TaskKeys

GOOD = Path(__file__).parents[1] / "fixtures" / "pipelines" / "good"
CONFIG = Config(pools={"warehouse": 4})
HERE = "/srv/pipelines"


def parse(text: str, config: Config = CONFIG) -> Pipeline:
    """The one pipeline of a good text."""
    loaded = pipeline_file.parse(text, name="etl", directory=HERE, config=config)
    assert loaded.problems == ()
    (pipeline,) = loaded.pipelines
    return pipeline


def good(name: str) -> dict[str, Pipeline]:
    """The pipelines of a good fixture by name."""
    text = (GOOD / name).read_text(encoding="utf-8")
    loaded = pipeline_file.parse(text, name="etl", directory=HERE, config=CONFIG)
    assert loaded.problems == ()
    return {pipeline.name: pipeline for pipeline in loaded.pipelines}


def task(keys: Mapping[str, Any]) -> Task:
    return Task(**{"cwd": HERE} | dict(keys))


def test_the_shortest_file_is_a_cron_line() -> None:
    assert good("shortest.yaml") == {
        "etl": Pipeline(name="etl", schedule=("0 3 * * *",), tasks={"main": task({"run": "/usr/local/bin/backup"})})
    }


def test_every_key_is_read() -> None:
    pipeline = good("every_key.yaml")["daily_sales"]
    assert msgspec.structs.asdict(pipeline) | {"alerts": None, "tasks": None} == {
        "name": "daily_sales",
        "description": "Yesterday's orders, loaded, transformed, mailed",
        "owner": "data-team",
        "tags": ("sales", "daily"),
        "enabled": True,
        "schedule": ("0 1 * * *",),
        "timezone": "Europe/Berlin",
        "start": "2026-01-01",
        "end": "2027-01-01",
        "catchup": "latest",
        "catchup_window": 7 * 86400.0,
        "overlap": "queue",
        "max_active_runs": 1,
        "max_parallel_tasks": 16,
        "timeout": 6 * 3600.0,
        "jitter": 300.0,
        "params": {"region": "eu"},
        "env": {"LANG": "C.UTF-8"},
        "env_file": "/srv/pipelines/.env",
        "output": "file",
        "retention": Retention(runs=500, days=90),
        "alerts": None,
        "tasks": None,
    }
    assert pipeline.alerts.on_failure == ("mailto://ops@example.com", "command: ./page.sh")
    assert (pipeline.alerts.on_success, pipeline.alerts.late_after, pipeline.alerts.remind) == ((), 7200.0, 86400.0)
    assert pipeline.tasks["pull_orders"] == task(
        {
            "run": 'python pull_orders.py "$CRONFLOW_DS"',
            "retries": 3,
            "retry_delay": 30.0,
            "retry_backoff": 2.0,
            "retry_max_delay": 600.0,
            "retry_jitter": 0.1,
            "timeout": 2700.0,
            "grace": 10.0,
        }
    )
    assert pipeline.tasks["load"] == task(
        {
            "run": "./load.sh",
            "needs": ("pull_orders",),
            "retries": 2,
            "retry_delay": 30.0,
            "shell": "bash -eo pipefail",
            "user": "etl",
            "stdin": "text fed to the command",
            "skip_exit_code": 99,
            "pool": "warehouse",
        }
    )


def test_the_fixture_of_every_key_has_every_key() -> None:
    import yaml

    document = yaml.safe_load((GOOD / "every_key.yaml").read_text(encoding="utf-8"))
    assert set(document) == set(PipelineFile.__struct_fields__) - {"run"}
    tasks = [set(keys) for keys in document["tasks"].values()]
    assert set.union(*tasks) == set(TaskKeys.__struct_fields__)


def test_several_documents_are_several_pipelines() -> None:
    pipelines = good("several.yaml")
    assert {name: pipeline.tasks["main"].run for name, pipeline in pipelines.items()} == {
        "north": "echo north",
        "south": "echo south",
    }
    assert pipelines["south"].schedule == ("0 6 * * 1-5", "@weekly")


def test_anchors_aliases_and_merge_keys() -> None:
    places = {"SOURCE": "/srv/in", "TARGET": "/srv/out"}
    usual = {"run": './copy "$SOURCE" "$TARGET"', "retries": 2, "timeout": 5400.0, "env": places}
    assert good("anchors.yaml")["etl"].tasks == {
        "first": task(usual),
        "second": task(usual | {"needs": ("first",), "retries": 5}),
        "third": task(usual | {"needs": ("first", "second"), "grace": 5.0}),
    }


def test_defaults_may_hold_any_key_and_null_takes_one_back() -> None:
    run, needs = './load.sh "$TABLE"', ("orders",)
    assert good("shared_command.yaml")["etl"].tasks == {
        "orders": task({"run": run, "pool": "warehouse", "env": {"SCHEMA": "public", "TABLE": "orders"}}),
        "products": task({"run": run, "needs": needs, "env": {"SCHEMA": "public", "TABLE": "products"}}),
    }


def test_words_are_words() -> None:
    pipeline = good("words.yaml")["etl"]
    assert (pipeline.description, pipeline.tags) == ("2026", ("1.0", "yes", "null"))
    assert pipeline.env == {
        "ON": "yes",
        "PORT": "8080",
        "MODE": "0777",
        "AT": "12:30:00",
        "EMPTY": "",
        "GREETING": "Grüße",
    }
    assert list(pipeline.tasks) == ["2024", "no", "x.y-z_0"]
    assert (pipeline.tasks["x.y-z_0"].run, pipeline.tasks["x.y-z_0"].timeout) == ("echo 'a: b' # c", 90.0)


def test_defaults_of_the_machine_give_way_to_the_pipelines_and_those_to_the_tasks() -> None:
    config = Config(
        timezone="Asia/Tokyo",
        retention=Retention(runs=7, days=7),
        defaults={"retries": 1, "grace": 5.0, "shell": "bash -e", "env": {"A": "config", "B": "config"}},
    )
    text = """
        retention: {days: 3}
        defaults: {retries: 2, grace: 6s, env: {B: pipeline, C: pipeline}}
        tasks: {load: {run: x, retries: 3, env: {C: task}}}
    """
    pipeline = parse(text, config)
    assert (pipeline.timezone, pipeline.retention) == ("Asia/Tokyo", Retention(runs=7, days=3))
    assert pipeline.tasks["load"] == task(
        {
            "run": "x",
            "retries": 3,
            "grace": 6.0,
            "shell": "bash -e",
            "env": {"A": "config", "B": "pipeline", "C": "task"},
        }
    )


PATHS = [
    ("work", "/srv/pipelines/work"),
    ("./work/../in", "/srv/pipelines/in"),
    ("/var/work", "/var/work"),
    ("..", "/srv"),
]


@pytest.mark.parametrize(("written", "meant"), PATHS)
def test_paths_start_at_the_files_directory(written: str, meant: str) -> None:
    pipeline = parse(f"env_file: {written}\ntasks: {{load: {{run: x, cwd: {written}}}}}\n")
    assert (pipeline.env_file, pipeline.tasks["load"].cwd) == (meant, meant)


NAMES = [
    ("/srv/pipelines/etl.yaml", "etl"),
    ("/srv/pipelines/sales/daily.yml", "sales.daily"),
    ("/srv/pipelines/a.b/c.d.yaml", "a.b.c.d"),
    ("/elsewhere/sales/daily.yaml", "daily"),
    ("/srv/pipelines2/etl.yaml", "etl"),
]


@pytest.mark.parametrize(("path", "name"), NAMES)
def test_the_name_follows_from_the_path(path: str, name: str) -> None:
    assert pipeline_file.default_name(path, "/srv/pipelines") == name


@pytest.mark.parametrize("text", ["\ufeffrun: x\n", "run: x\r\n", "---\nrun: x\n---\n", "# only\n--- \nrun: x\n..."])
def test_what_editors_leave_in_a_file_does_no_harm(text: str, tmp_path: Path) -> None:
    path = tmp_path / "etl.yaml"
    path.write_bytes(text.encode())
    loaded = pipeline_file.load(str(path), pipelines_dir=str(tmp_path), config=CONFIG)
    assert [pipeline.tasks["main"].run for pipeline in loaded.pipelines] == ["x"]


DURATIONS = [
    ("30s", 30.0),
    ("5m", 300.0),
    ("2h", 7200.0),
    ("1d", 86400.0),
    ("1h30m", 5400.0),
    ("1d2h3m4s", 93784.0),
    ("0", 0.0),
    ("90", 90.0),
    ("0.5", 0.5),
    ("1.5h", 5400.0),
]


@pytest.mark.parametrize(("text", "seconds"), DURATIONS)
def test_durations(text: str, seconds: float) -> None:
    assert forms.duration(text) == seconds


@pytest.mark.parametrize(
    "text", ["", " ", "s", "5 m", "5M", "m5", "30m1h", "-1", "+1", "1e3", "1_000", ".5", "1w", "٣s"]
)
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match=r"^a duration such as 30s, 5m, 2h, 1d or 1h30m, or seconds$"):
        forms.duration(text)


SIZES = [
    ("0", 0),
    ("4096", 4096),
    ("64MiB", 64 * 2**20),
    ("10 MB", 10**7),
    ("1.5k", 1536),
    ("2G", 2 * 2**30),
    ("1tb", 10**12),
    ("9" * 40 + "T", 2**62),
]


@pytest.mark.parametrize(("text", "size"), SIZES)
def test_sizes(text: str, size: int) -> None:
    assert forms.size(text) == size


@pytest.mark.parametrize("text", ["", "MiB", "-1", "1  MB", "1 PB", "1e6", "many"])
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(ValueError, match=r"^a size such as 64MiB or 10 MB, or bytes$"):
        forms.size(text)


@pytest.mark.parametrize("seconds", [0.0, 0.5, 1.0, 59.0, 60.0, 90.0, 3600.0, 5400.0, 86400.0, 604800.0])
def test_a_duration_that_is_spelled_is_read_back(seconds: float) -> None:
    assert forms.duration(forms.spelled(seconds)) == seconds


def test_config_sets_what_it_says(tmp_path: Path) -> None:
    text = """
        timezone: Europe/Berlin
        max_tasks: 8
        pools: {warehouse: 4, mail: 1}
        defaults: {retries: 2, cwd: work, pool: mail}
        alerts: {on_failure: mailto://ops@example.com}
        retention: {days: 30}
        log_limit: 10 MB
        heartbeat: {url: https://example.com/ping, every: 1m}
    """
    loaded = config_file.parse(text, directory="/etc/cronflow")
    assert loaded.problems == ()
    config = loaded.config
    assert (config.timezone, config.max_tasks, config.log_limit) == ("Europe/Berlin", 8, 10_000_000)
    assert config.pools == {"warehouse": 4, "mail": 1}
    assert config.defaults == {"retries": 2, "cwd": "/etc/cronflow/work", "pool": "mail"}
    assert config.alerts.on_failure == ("mailto://ops@example.com",)
    assert config.retention == Retention(days=30)
    assert config.heartbeat is not None
    assert (config.heartbeat.url, config.heartbeat.every) == ("https://example.com/ping", 60.0)


@pytest.mark.parametrize("text", ["", "# nothing set\n", "{}\n"])
def test_a_config_that_sets_nothing(text: str) -> None:
    assert config_file.parse(text, directory="/") == config_file.Loaded()


def test_no_config_is_no_trouble(tmp_path: Path) -> None:
    assert config_file.load(str(tmp_path / "config.yaml")) == config_file.Loaded()


BAD_CONFIGS = [
    ("pool: {a: 1}\n", ["1:1: unknown key 'pool' here; it is a task's key: set it with a task, or under 'defaults'"]),
    ("max_task: 3\n", ["1:1: unknown key 'max_task'; did you mean 'max_tasks'?"]),
    ("timezone: Europe/Berln\n", ["1:11: 'Europe/Berln' is not a time zone; did you mean 'Europe/Berlin'?"]),
    ("max_tasks: none\n", ["1:12: max_tasks: expected a whole number from 1 to 100000; found 'none'"]),
    ("pools: {warehouse: 0}\n", ["1:20: pools.warehouse: expected a whole number from 1 to 10000; found 0"]),
    ("log_limit: large\n", ["1:12: log_limit: expected a size such as 64MiB or 10 MB, or bytes; found 'large'"]),
    ("heartbeat: {every: 1m}\n", ["1:12: heartbeat: needs a 'url'"]),
    (
        "heartbeat: {url: example.com}\n",
        ["1:18: heartbeat.url: expected a URL that begins with https:// or http://; found 'example.com'"],
    ),
    (
        "pools: {warehouse: 4}\ndefaults: {pool: warehuose, retires: 1}\n",
        [
            "2:18: no pool 'warehuose' in 'pools'; did you mean 'warehouse'?",
            "2:29: defaults: unknown key 'retires'; did you mean 'retries'?",
        ],
    ),
    (
        "defaults: {env: {CRONFLOW_DS: x}}\n",
        ["1:18: defaults.env: 'CRONFLOW_DS' can't be set: names that begin with CRONFLOW_ are cronflow's own"],
    ),
    ("- a\n", ["1:1: expected keys with values, such as timezone; found a list"]),
    ("max_tasks: 3\n---\nmax_tasks: 4\n", ["3:1: a second document: config.yaml holds one"]),
    ("max_tasks: 3\nmax_tasks: 4\n", ["2:1: the key 'max_tasks' is here twice: first in line 1"]),
]


@pytest.mark.parametrize(("text", "expected"), BAD_CONFIGS, ids=[text for text, _ in BAD_CONFIGS])
def test_a_bad_config(text: str, expected: list[str]) -> None:
    problems = config_file.parse(text, directory="/").problems
    assert [show("config.yaml", problem).removeprefix("config.yaml:") for problem in problems] == expected


def test_what_is_good_in_a_bad_config_still_counts() -> None:
    loaded = config_file.parse("max_tasks: 3\nlog_limit: large\npools: {a: 1, b: x}\n", directory="/")
    assert (loaded.config.max_tasks, loaded.config.log_limit) == (3, Config().log_limit)
    assert loaded.config.pools == {"a": 1}


def test_a_definition_survives_its_record() -> None:
    pipeline = good("every_key.yaml")["daily_sales"]
    assert msgspec.json.decode(msgspec.json.encode(pipeline), type=Pipeline) == pipeline


def test_where_the_fixtures_are_is_a_pipelines_directory() -> None:
    for path in GOOD.rglob("*.y*ml"):
        text = path.read_text(encoding="utf-8")
        name = pipeline_file.default_name(os.fspath(path), os.fspath(GOOD))
        assert pipeline_file.parse(text, name=name, directory=HERE, config=CONFIG).problems == ()
