"""A small shop with an HTTP API: it stands in for the real one, so that the samples run anywhere.

    python3 shop_server.py [--port 8080]

    GET /orders?day=2026-11-21&region=all&page=1    that day's orders
    GET /products?page=1                            what the shop sells

Both answer `{"page", "pages", "total", "rows": [...]}`. A day's orders follow from its date alone: the same day
gives the same rows on every machine. They are as orders come in real life: some arrive twice, some are corrected
later (same `order_id`, newer `updated_at`), some are broken. On a busy day the first request is refused with 503.
"""

import argparse
import json
import random
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime, time, timedelta
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from socketserver import ThreadingTCPServer
from urllib.parse import parse_qsl, urlsplit

ROWS_PER_PAGE = 100
REGIONS = ("eu", "us", "apac")
PRODUCTS = (
    {"sku": "BK-100", "name": "City bike", "category": "bikes", "unit_cents": 64900},
    {"sku": "BK-200", "name": "Cargo bike", "category": "bikes", "unit_cents": 289000},
    {"sku": "HL-010", "name": "Helmet", "category": "safety", "unit_cents": 5990},
    {"sku": "LT-020", "name": "Front light", "category": "safety", "unit_cents": 2495},
    {"sku": "LK-030", "name": "Chain lock", "category": "safety", "unit_cents": 4450},
    {"sku": "PN-040", "name": "Pannier", "category": "bags", "unit_cents": 7900},
    {"sku": "BL-050", "name": "Bell", "category": "extras", "unit_cents": 995},
)
POPULARITY = (8, 2, 14, 20, 11, 9, 25)
DEFECTS = (
    {"quantity": "two"},
    {"quantity": -1},
    {"quantity": None},
    {"unit_cents": None},
    {"unit_cents": "n/a"},
    {"sku": "XX-999"},
    {"order_id": None},
)
SENT_TWICE, CORRECTED = 4, 5


def is_busy(day: date) -> bool:
    """Whether the first request for this day is refused: every fifth day."""
    return day.toordinal() % 5 == 0


def orders_of(day: date) -> list[dict]:
    """A day's rows as the API delivers them, in the order in which the shop wrote them."""
    chance = random.Random(day.isoformat())
    weekend = 120 if day.weekday() >= 5 else 0
    orders = [new_order(day, number, chance) for number in range(1, chance.randint(180, 260) + weekend)]
    chance.shuffle(orders)
    twice, orders_left = orders[:SENT_TWICE], orders[SENT_TWICE:]
    corrections = [corrected(order, chance) for order in orders_left[:CORRECTED]]
    broken = [order | defect for order, defect in zip(orders_left[CORRECTED:], DEFECTS, strict=False)]
    whole = orders_left[:CORRECTED] + orders_left[CORRECTED + len(DEFECTS) :]
    return sorted(twice + twice + whole + corrections + broken, key=lambda row: row["updated_at"])


def new_order(day: date, number: int, chance: random.Random) -> dict:
    """One order, at some second of its day."""
    ordered_at = datetime.combine(day, time()) + timedelta(seconds=chance.randrange(86_400))
    product = chance.choices(PRODUCTS, POPULARITY)[0]
    return {
        "order_id": f"{day:%Y%m%d}-{number:04d}",
        "ordered_at": ordered_at.isoformat(),
        "updated_at": ordered_at.isoformat(),
        "region": chance.choices(REGIONS, (5, 3, 2))[0],
        "sku": product["sku"],
        "quantity": chance.choices((1, 2, 3), (8, 2, 1))[0],
        "unit_cents": product["unit_cents"],
    }


def corrected(order: dict, chance: random.Random) -> dict:
    """The same order as the customer changed it, up to three hours later."""
    later = datetime.fromisoformat(order["updated_at"]) + timedelta(seconds=chance.randrange(60, 10_800))
    return order | {"updated_at": later.isoformat(), "quantity": order["quantity"] + 1}


class Shop(ThreadingTCPServer):
    """The shop, listening. (HTTPServer would look its own name up, which hangs where no name server answers.)"""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, port: int, *, busy: bool = True, quiet: bool = False) -> None:
        """Listen on the loopback address; port 0 takes a free one. `busy` false: nobody is refused."""
        super().__init__(("127.0.0.1", port), Counter)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.busy = busy
        self.quiet = quiet
        self.refused: set[date] = set()

    def refuses(self, day: date) -> bool:
        """Whether this request is the one that a busy day costs."""
        refuse = self.busy and is_busy(day) and day not in self.refused
        self.refused.add(day)
        return refuse


class Counter(BaseHTTPRequestHandler):
    """Serves one request."""

    server: Shop

    def do_GET(self) -> None:
        path, query = urlsplit(self.path).path, dict(parse_qsl(urlsplit(self.path).query))
        try:
            if path == "/orders":
                self.send_orders(query)
            elif path == "/products":
                self.send_page(list(PRODUCTS), query)
            else:
                self.send_json(HTTPStatus.NOT_FOUND, {"error": f"no such thing here: {path}"})
        except (KeyError, ValueError) as error:
            self.send_json(HTTPStatus.BAD_REQUEST, {"error": f"bad request: {error}"})

    def send_orders(self, query: dict[str, str]) -> None:
        day, region = date.fromisoformat(query["day"]), query.get("region", "all")
        if region not in ("all", *REGIONS):
            raise ValueError(f"no such region: {region}")
        if self.server.refuses(day):
            self.send_json(HTTPStatus.SERVICE_UNAVAILABLE, {"error": "too busy, come again in a moment"})
        else:
            self.send_page([row for row in orders_of(day) if region in ("all", row["region"])], query)

    def send_page(self, rows: list[dict], query: dict[str, str]) -> None:
        page, pages = int(query.get("page", "1")), max(1, -(-len(rows) // ROWS_PER_PAGE))
        if not 1 <= page <= pages:
            raise ValueError(f"no such page: {page}")
        shown = rows[(page - 1) * ROWS_PER_PAGE : page * ROWS_PER_PAGE]
        self.send_json(HTTPStatus.OK, {"page": page, "pages": pages, "total": len(rows), "rows": shown})

    def send_json(self, status: HTTPStatus, answer: dict) -> None:
        body = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, form: str, *values: object) -> None:
        if not self.server.quiet:
            super().log_message(form, *values)


@contextmanager
def open_shop(*, busy: bool) -> Iterator[str]:
    """A shop on a free port of this machine, in a thread: it can't outlive this process. Yields its address."""
    with Shop(0, busy=busy, quiet=True) as shop:
        threading.Thread(target=shop.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        try:
            yield shop.url
        finally:
            shop.shutdown()


def main() -> None:
    """Serve until somebody ends it."""
    parser = argparse.ArgumentParser(description="A small shop with an HTTP API, on the loopback address.")
    parser.add_argument("--port", type=int, default=0, help="default: a free one")
    try:
        with Shop(parser.parse_args().port) as shop:
            print(shop.url, flush=True)
            shop.serve_forever()
    except OSError as error:
        sys.exit(f"shop_server: can't listen: {error.strerror}")
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
