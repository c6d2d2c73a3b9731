"""The samples, really run: their results against a computation of the test's own, twice, and with everything broken.

Where dbt or Spark is not beside this Python, name the directory that has them: `CRONFLOW_SAMPLES_PATH=/venv/bin`.
"""

import gzip
import json
import os
import shutil
import socketserver
import sqlite3
import subprocess
import sys
import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from email import message_from_string
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import takewhile
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit
from urllib.request import urlopen

import pytest

from tests.conftest import Cronflow, clean_environment

SAMPLES = Path(__file__).resolve().parents[2] / "sample-pipelines"
DAY, DAY_BEFORE = "2026-11-21", "2026-11-19"
BUSY_DAY = "2026-11-20"  # the shop refuses the first request for it
NOWHERE = "http://127.0.0.1:9"  # no port that anything listens to
Row = dict[str, Any]
Totals = list[tuple[str, str, str, int, int, int]]


def path_with(*directories: str) -> str:
    """PATH, with the directories and this Python's in front."""
    return os.pathsep.join([*directories, str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])


@dataclass(frozen=True)
class Sample:
    """A copy of the samples that retries without waiting, and where its results go."""

    cronflow: Cronflow
    directory: Path

    @property
    def home(self) -> Path:
        return self.directory / "out"

    def environment(self, env: dict[str, str]) -> dict[str, str]:
        # A proxy that is nowhere: what is on this machine must be reached without it.
        return {"PATH": path_with(), "http_proxy": NOWHERE} | env

    def run(self, name: str, *arguments: str, code: int = 0, **env: str) -> Any:
        """`cronflow run FILE …`. Returns the run's tasks: `{NAME: {state, attempts}}`."""
        file = self.directory / f"{name}.yaml"
        done = self.cronflow("run", file, *arguments, "--json", env=self.environment(env), timeout=300)
        logs = "" if done.returncode == code else self.log(name)
        assert done.returncode == code, f"exit code {done.returncode}\n{done.stdout}\n{done.stderr}\n{logs}"
        return json.loads(done.stdout)["tasks"]

    def step(self, *words: str, **env: str) -> subprocess.CompletedProcess[str]:
        """One step by hand, as its author would try it: `python3 WORDS`."""
        environment = clean_environment() | self.environment(env)
        return subprocess.run(
            ["python3", *words], cwd=self.directory, env=environment, capture_output=True, text=True, check=False
        )

    def log(self, pipeline: str, *task: str) -> str:
        """What the newest run, or one task of it, printed."""
        return self.cronflow("logs", pipeline, "latest", *task).stdout

    def warehouse(self, query: str) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(self.home / "warehouse.db")) as connection:
            return connection.execute(query).fetchall()

    def daily_sales(self) -> Totals:
        return self.warehouse("SELECT * FROM daily_sales ORDER BY day, region, product")


@pytest.fixture
def sample(cronflow: Cronflow, tmp_path: Path) -> Sample:
    directory = tmp_path / "samples"
    shutil.copytree(SAMPLES, directory, ignore=shutil.ignore_patterns("out", "__pycache__"))
    for file in directory.glob("*.yaml"):
        text = file.read_text(encoding="utf-8")
        file.write_text(
            text.replace("retry_delay: 2s", "retry_delay: 0s").replace("retry_delay: 1m", "retry_delay: 0s")
        )
    return Sample(cronflow, directory)


@pytest.mark.parametrize("name", ["daily_sales", "dbt_sales", "spark_events"])
def test_a_sample_is_a_good_pipeline_file(cronflow: Cronflow, name: str) -> None:
    (file,) = cronflow.json("validate", SAMPLES / f"{name}.yaml")["files"]
    assert (file["pipelines"], file["errors"]) == ([name], [])


# What should come out, computed here and in another way than the samples do it.


def totals(day: str, orders: Iterable[Row], names: dict[str, str]) -> Totals:
    """The rows of `daily_sales` that a day's delivered rows amount to. `names` are the products' by sku."""
    newest = {
        row["order_id"]: row for row in sorted(orders, key=lambda row: str(row["updated_at"])) if is_good(row, names)
    }
    found: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0, 0])
    for row in newest.values():
        total = found[row["region"], names[row["sku"]]]
        total[:] = total[0] + 1, total[1] + row["quantity"], total[2] + row["quantity"] * row["unit_cents"]
    return sorted((day, region, name, *numbers) for (region, name), numbers in found.items())  # type: ignore[misc]


def is_good(row: Row, names: dict[str, str]) -> bool:
    numbers = (row["quantity"], row["unit_cents"])
    return bool(row["order_id"]) and row["sku"] in names and all(type(n) is int and n > 0 for n in numbers)


def lines(path: Path) -> list[Row]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def pulled_totals(home: Path, day: str) -> Totals:
    """What the files that a sample has pulled amount to."""
    names = {row["sku"]: row["name"] for row in lines(home / "raw" / f"products-{day}.jsonl")}
    return totals(day, lines(home / "raw" / f"orders-{day}-all.jsonl"), names)


# A shop whose orders are written down here, and which answers what it is told to.


@dataclass
class Shop:
    """Answers with `pages` by path and query; `answer` (status, body), where set, answers everything."""

    url: str = ""
    orders: list[Row] = field(default_factory=list)
    products: list[Row] = field(default_factory=list)
    answer: tuple[int, bytes] | None = None

    def reply(self, target: str) -> tuple[int, bytes]:
        if self.answer:
            return self.answer
        query = parse_qs(urlsplit(target).query)
        rows = {"/orders": self.orders, "/products": self.products}[urlsplit(target).path]
        number = int(query["page"][0])
        page = {"pages": len(rows), "total": len(rows), "rows": rows[number - 1 : number]}
        return 200, json.dumps(page).encode()


@contextmanager
def served(server: socketserver.BaseServer) -> Iterator[None]:
    """The server, working in a thread while the block lasts."""
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def shop() -> Iterator[Shop]:
    """A shop of one row a page, that listens."""
    own = Shop()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = own.reply(self.path)
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the library's name
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server, served(server):
        own.url = f"http://127.0.0.1:{server.server_port}"
        yield own


def order(order_id: str | None, **changed: Any) -> Row:
    usual = {"ordered_at": f"{DAY}T10:00:00", "updated_at": f"{DAY}T10:00:00", "region": "eu", "sku": "B"}
    return {"order_id": order_id, **usual, "quantity": 1, "unit_cents": 500, **changed}


PRODUCTS = [
    {"sku": "B", "name": "Bell", "category": "extras"},
    {"sku": "H", "name": "Helmet", "category": "safety"},
]
ORDERS = [
    order("1"),
    order("1"),
    order("2", quantity=3),
    order("2", quantity=2, updated_at=f"{DAY}T11:00:00"),
    order("3", sku="H", unit_cents=5990),
    order("4", region="us"),
    order("4", region="us", quantity=-1, updated_at=f"{DAY}T12:00:00"),
    order("5", region="us", unit_cents=0),
]
BROKEN = {
    "no order id": order(None),
    "no region": order("11", region=None),
    "not of this day": order("12", ordered_at="2026-11-22T00:00:00"),
    "bad quantity": order("13", quantity="two"),
    "bad price": order("14", unit_cents=None),
    "unknown product": order("15", sku="?"),
}
EXPECTED = [
    (DAY, "eu", "Bell", 2, 3, 1500),
    (DAY, "eu", "Helmet", 1, 1, 5990),
    (DAY, "us", "Bell", 2, 2, 500),
]


def test_the_totals_are_those_of_the_orders_written_down_here(sample: Sample, shop: Shop) -> None:
    shop.products, shop.orders = PRODUCTS, [*ORDERS, *BROKEN.values()]
    sample.run("daily_sales", "--date", DAY, SHOP_URL=shop.url)
    assert sample.daily_sales() == EXPECTED
    rejected = [problem for (problem,) in sample.warehouse("SELECT problem FROM rejected_orders")]
    assert sorted(rejected) == sorted([*BROKEN, "bad quantity"])


def test_a_day_done_again_leaves_the_same_table_and_no_other_day_is_touched(sample: Sample) -> None:
    sample.run("daily_sales", "--date", DAY_BEFORE)
    sample.run("daily_sales", "--date", DAY)
    first = sample.daily_sales()
    assert first == pulled_totals(sample.home, DAY_BEFORE) + pulled_totals(sample.home, DAY)
    rejected = sample.warehouse("SELECT * FROM rejected_orders ORDER BY body")
    assert len(rejected) == 14
    sample.run("daily_sales", "--date", DAY, "--force")
    assert sample.daily_sales() == first
    assert sample.warehouse("SELECT * FROM rejected_orders ORDER BY body") == rejected


def test_what_has_changed_in_the_shop_changes_that_day(sample: Sample, shop: Shop) -> None:
    shop.products, shop.orders = PRODUCTS, [*ORDERS, BROKEN["bad price"]]
    sample.run("daily_sales", "--date", DAY, SHOP_URL=shop.url)
    shop.orders = [order("14", quantity=7)]
    sample.run("daily_sales", "--date", DAY, "--force", SHOP_URL=shop.url)
    assert sample.daily_sales() == [(DAY, "eu", "Bell", 1, 7, 3500)]
    assert sample.warehouse("SELECT * FROM rejected_orders") == []


def test_one_region_is_replaced_alone(sample: Sample, shop: Shop) -> None:
    shop.products, shop.orders = PRODUCTS, ORDERS
    sample.run("daily_sales", "--date", DAY, SHOP_URL=shop.url)
    shop.orders = [order("6", region="us", quantity=9)]
    sample.run("daily_sales", "--date", DAY, "--force", "--param", "region=us", SHOP_URL=shop.url)
    assert sample.daily_sales() == [*EXPECTED[:2], (DAY, "us", "Bell", 1, 9, 4500)]


def test_the_shop_is_too_busy_once_and_a_retry_cures_it(sample: Sample) -> None:
    tasks = sample.run("daily_sales", "--date", BUSY_DAY)
    attempts = {name: [attempt["state"] for attempt in task["attempts"]] for name, task in tasks.items()}
    assert attempts == {name: ["succeeded"] for name in tasks} | {"pull_orders": ["failed", "succeeded"]}
    assert "the shop answered 503 Service Unavailable" in sample.log("daily_sales", "pull_orders")
    assert sample.daily_sales() == pulled_totals(sample.home, BUSY_DAY)


def test_no_shop_no_table(sample: Sample) -> None:
    tasks = sample.run("daily_sales", "--date", DAY, code=1, SHOP_URL=NOWHERE)
    assert {name: task["state"] for name, task in tasks.items()} == {
        "pull_orders": "failed",
        "pull_products": "failed",
        "load_orders": "upstream_failed",
        "transform_sales": "upstream_failed",
        "send_notice": "upstream_failed",
    }
    log = sample.log("daily_sales", "pull_orders")
    assert f"no good answer from the shop: {NOWHERE}/orders?day={DAY}" in log
    assert not list(sample.home.rglob("*.*"))


def test_a_place_that_cannot_be_written_is_named(sample: Sample, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    sample.run("daily_sales", "--date", DAY, code=1, SALES_HOME=str(tmp_path / "file"))
    log = sample.log("daily_sales", "pull_orders")
    assert f"can't write {tmp_path}/file/raw" in log
    assert "set SALES_HOME to a directory you may write to" in log
    assert "Traceback" not in log


# Mail.


class Mailbox(socketserver.ThreadingTCPServer):
    """A mail server that takes everything, and knows neither passwords nor encryption."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), MailSession)
        self.said: list[str] = []
        self.mails: list[str] = []


class MailSession(socketserver.StreamRequestHandler):
    """One conversation of RFC 5321."""

    server: Mailbox

    def handle(self) -> None:
        self.answer("220 ready")
        for said in self.lines():
            self.server.said.append(said)
            if said.upper() == "QUIT":
                break
            if said.upper() == "DATA":
                self.answer("354 go on")
                self.server.mails.append("\n".join(takewhile(lambda line: line != ".", self.lines())))
            self.answer("250 good")

    def lines(self) -> Iterator[str]:
        return (line.decode().rstrip("\r\n") for line in self.rfile)

    def answer(self, text: str) -> None:
        self.wfile.write(text.encode() + b"\r\n")


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    with Mailbox() as server, served(server):
        yield server


def test_the_notice_arrives_by_mail(sample: Sample, mailbox: Mailbox) -> None:
    port = str(mailbox.server_address[1])
    sample.run(
        "daily_sales", "--date", DAY, "--param", "recipient=me@there.example", SMTP_URL=f"smtp://127.0.0.1:{port}"
    )
    (mail,) = map(message_from_string, mailbox.mails)
    assert (mail["To"], mail["Subject"]) == ("me@there.example", f"daily_sales is fresh: {DAY}")
    assert "rcpt TO:<me@there.example>" in mailbox.said
    orders = sum(total[3] for total in pulled_totals(sample.home, DAY) if total[1] == "eu")
    assert f"eu         {orders} orders" in mail.get_payload()
    assert "7 rows were rejected." in mail.get_payload()
    assert not (sample.home / "outbox").exists()
    again = sample.step("-m", "daily_sales.send_notice", DAY, "all", "you@x", SMTP_HOST="127.0.0.1", SMTP_PORT=port)
    assert (again.returncode, len(mailbox.mails)) == (0, 2), again.stderr


def test_without_a_mail_server_the_notice_is_kept(sample: Sample) -> None:
    sample.run("daily_sales", "--date", DAY)
    mail = message_from_string((sample.home / "outbox" / f"daily_sales-{DAY}-all.eml").read_text(encoding="utf-8"))
    assert mail["To"] == "sales-team@example.com"
    assert f"Sales of {DAY}, by region:" in mail.get_payload()


def test_a_password_is_never_sent_in_the_clear(sample: Sample, mailbox: Mailbox) -> None:
    url = f"smtp://me:secret@127.0.0.1:{mailbox.server_address[1]}"
    done = sample.step("-m", "daily_sales.send_notice", DAY, "all", "you@x", SMTP_URL=url)
    assert (done.returncode, mailbox.mails) == (1, [])
    assert done.stderr.startswith("the mail server 127.0.0.1 did not take the notice: STARTTLS")
    assert not [said for said in mailbox.said if "AUTH" in said]


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("smtp://127.0.0.1:9", "the mail server 127.0.0.1 did not take the notice: [Errno 111] Connection refused"),
        ("127.0.0.1:25", "SMTP_URL must be like smtp://user:password@host:587, or smtps://…"),
        ("smtp://host:port", "SMTP_URL must be like smtp://user:password@host:587, or smtps://…"),
    ],
)
def test_a_mail_server_that_is_wrong_or_away_is_named(sample: Sample, url: str, message: str) -> None:
    done = sample.step("-m", "daily_sales.send_notice", DAY, "all", "you@x", SMTP_URL=url)
    assert (done.returncode, done.stderr) == (1, message + "\n")


# The steps by hand, and the shop.


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ((500, b""), "the shop answered 500 Internal Server Error: "),
        ((404, b"{}"), "the shop answered 404 Not Found: "),
        ((200, b"<html>"), "no good answer from the shop: "),
        ((200, b"\xff"), "no good answer from the shop: "),
        ((200, b"[]"), "no good answer from the shop: "),
        ((200, b'{"pages": 1, "total": 1, "rows": ["x"]}'), "no good answer from the shop: "),
        ((200, b'{"pages": 1, "total": 2, "rows": [{}]}'), "the shop promised 2 orders and sent 1"),
    ],
)
def test_what_the_shop_answers_wrong_is_said(
    sample: Sample, shop: Shop, answer: tuple[int, bytes], message: str
) -> None:
    shop.answer = answer
    done = sample.step("-m", "daily_sales.pull_orders", DAY, "all", SHOP_URL=shop.url)
    assert done.returncode == 1
    assert done.stderr.startswith(message)
    assert done.stderr.count("\n") == 1
    assert not list(sample.home.rglob("*.*"))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["-m", "daily_sales.pull_orders", DAY], "pull_orders.py DAY REGION"),
        (["-m", "daily_sales.pull_orders", "yesterday", "all"], "not a day: 'yesterday'; expected one like 2026-11-21"),
        (["-m", "daily_sales.pull_orders", DAY, "mars"], "the shop answered 400 Bad Request"),
        (["-m", "daily_sales.load_orders", DAY, "all"], f"products-{DAY}.jsonl is not there: pull it first"),
        (["spark_events/land_events.py"], "usage: land_events.py DAY DIRECTORY"),
        (["spark_events/land_events.py", "today", "out"], "not a day: 'today'; expected one like 2026-11-21"),
        (["spark_events/land_events.py", DAY, "/dev/null"], "set SALES_HOME to a directory you may write to"),
    ],
)
def test_a_step_that_is_used_wrong_says_how(sample: Sample, words: list[str], message: str) -> None:
    done = sample.step(*words)
    assert done.returncode == 1
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_the_shop_runs_by_itself(sample: Sample) -> None:
    command = ["python3", "-u", "shop_server.py"]
    environment = clean_environment() | sample.environment({})
    streams: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL, "text": True}
    with subprocess.Popen(command, cwd=sample.directory, env=environment, **streams) as process:
        assert process.stdout
        try:
            url = process.stdout.readline().strip()
            tasks = sample.run("daily_sales", "--date", BUSY_DAY, SHOP_URL=url)
            with urlopen(f"{url}/orders?day={BUSY_DAY}&page=1") as answer:
                page = json.load(answer)
        finally:
            process.terminate()
    assert page["rows"] == lines(sample.home / "raw" / f"orders-{BUSY_DAY}-all.jsonl")[:100]
    assert len(tasks["pull_orders"]["attempts"]) == 2


# dbt and Spark: heavy, so they may live elsewhere; without them these tests say what to install.


def tools() -> str:
    return os.environ.get("CRONFLOW_SAMPLES_PATH") or str(Path(sys.executable).parent)


def samples_python(*words: str) -> str:
    """What the Python that has the tools prints."""
    python = str(shutil.which("python3", path=path_with(tools())))
    done = subprocess.run([python, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@cache
def installed_packages() -> frozenset[str]:
    code = "from importlib.metadata import distributions\nfor d in distributions(): print(d.metadata['Name'].lower())"
    return frozenset(samples_python("-c", code).split())


@pytest.fixture
def installed() -> Callable[..., dict[str, str]]:
    """Skips the test where packages are missing. Returns the environment in which they are found."""

    def require(*packages: str) -> dict[str, str]:
        if missing := ", ".join(sorted(set(packages) - installed_packages())):
            pytest.skip(f"{missing} not installed: pip install '.[samples]'")
        # Warnings of other people's packages are not ours to mend.
        return {"PATH": path_with(tools()), "PYTHONWARNINGS": "default"}

    return require


def duckdb(database: Path | None, query: str) -> list[tuple[Any, ...]]:
    """A query's rows, by the DuckDB of the samples' Python. Everything as text or number."""
    code = (
        "import duckdb, json, sys\n"
        "connection = duckdb.connect(sys.argv[1], read_only=sys.argv[1] != ':memory:')\n"
        "print(json.dumps(connection.execute(sys.argv[2]).fetchall(), default=str))"
    )
    return [tuple(row) for row in json.loads(samples_python("-c", code, str(database or ":memory:"), query))]


DBT_SALES = "SELECT * FROM daily_sales ORDER BY day, region, product"


def test_dbt_makes_the_same_totals_and_a_day_again_changes_nothing(
    sample: Sample, installed: Callable[..., dict[str, str]]
) -> None:
    env = installed("dbt-core", "dbt-duckdb", "duckdb")
    sample.run("dbt_sales", "--date", DAY_BEFORE, **env)
    sample.run("dbt_sales", "--date", DAY, **env)
    first = duckdb(sample.home / "sales.duckdb", DBT_SALES)
    assert first == pulled_totals(sample.home, DAY_BEFORE) + pulled_totals(sample.home, DAY)
    sample.run("dbt_sales", "--date", DAY, "--force", **env)
    assert duckdb(sample.home / "sales.duckdb", DBT_SALES) == first
    assert duckdb(sample.home / "sales.duckdb", "SELECT count(*) FROM rejected_orders") == [(14,)]


def test_dbt_forgets_what_the_shop_has_mended_and_fails_where_too_much_is_broken(
    sample: Sample, shop: Shop, installed: Callable[..., dict[str, str]]
) -> None:
    env = installed("dbt-core", "dbt-duckdb", "duckdb") | {"SHOP_URL": shop.url}
    shop.products, shop.orders = PRODUCTS, [*ORDERS, *BROKEN.values()]
    sample.run("dbt_sales", "--date", DAY, code=1, **env)
    assert "few_orders_are_rejected" in sample.log("dbt_sales", "dbt_test")
    assert duckdb(sample.home / "sales.duckdb", DBT_SALES) == EXPECTED
    shop.orders = [order("14", quantity=7)]
    sample.run("dbt_sales", "--date", DAY, "--force", **env)
    assert duckdb(sample.home / "sales.duckdb", DBT_SALES) == [(DAY, "eu", "Bell", 1, 7, 3500)]
    assert duckdb(sample.home / "sales.duckdb", "SELECT * FROM rejected_orders") == []


def test_spark_counts_each_event_once_and_replaces_one_day(
    sample: Sample, installed: Callable[..., dict[str, str]]
) -> None:
    env = installed("pyspark", "duckdb")
    if not (shutil.which("java") or os.environ.get("JAVA_HOME")):
        pytest.skip("Spark needs Java 17 or later, and there is no java on PATH and no JAVA_HOME")
    counts = sample.home / "event_counts"
    another = counts / "day=2026-11-01" / "kept.parquet"
    another.parent.mkdir(parents=True)
    duckdb(None, f"COPY (SELECT 1 AS events) TO '{another}'")
    query = f"SELECT hour, kind, page, events, visitors FROM read_parquet('{counts}/day={DAY}/*.parquet')"

    sample.run("spark_events", "--date", DAY, **env)
    first = sorted(duckdb(None, query))
    assert first == landed_counts(sample.home / "events" / DAY)
    assert "each counted once" in sample.log("spark_events", "check_counts")

    sample.run("spark_events", "--date", DAY, "--force", **env)
    assert sorted(duckdb(None, query)) == first
    assert another.exists()

    (sample.home / "events" / DAY / "07.jsonl.gz").unlink()
    check = sample.step("spark_events/check_counts.py", DAY, "out/events", "out/event_counts", **env)
    assert check.returncode == 1
    assert f"events landed on {DAY}, and " in check.stderr


def landed_counts(directory: Path) -> list[tuple[Any, ...]]:
    """Events and visitors by hour, kind and page, each event once, from the landed files."""
    events: dict[str, Row] = {}
    for path in directory.glob("*.gz"):
        with gzip.open(path, "rt", encoding="utf-8") as text:
            events |= {event["event_id"]: event for event in map(json.loads, text)}
    visitors: dict[tuple[int, str, str], list[str]] = defaultdict(list)
    for event in events.values():
        visitors[int(event["at"][11:13]), event["kind"], event["page"]].append(event["visitor"])
    return sorted((*key, len(seen), len(set(seen))) for key, seen in visitors.items())
