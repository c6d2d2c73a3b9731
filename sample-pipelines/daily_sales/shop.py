"""The shop's API, read to its last page. SHOP_URL says where it is; without it a stand-in is started."""

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPException
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import ProxyHandler, build_opener

import shop_server

SECONDS_TO_WAIT = 30
# The shop is a service in the same network: a proxy from the environment is not meant for it.
DIRECT = build_opener(ProxyHandler({}))


def rows(resource: str, **query: str) -> list[dict]:
    """All rows of `orders` or `products`. Ends the program, with a reason, where the shop does not deliver them.

    There is no second try in here: when and how often to try again is the orchestrator's part (`retries`).
    """
    with shop_url() as url:
        pages = list(read_pages(f"{url.rstrip('/')}/{resource}", query))
    found = [row for page in pages for row in page["rows"]]
    if len(found) != pages[0]["total"]:
        sys.exit(f"the shop promised {pages[0]['total']} {resource} and sent {len(found)}")
    return found


@contextmanager
def shop_url() -> Iterator[str]:
    """Where the shop is."""
    if url := os.environ.get("SHOP_URL"):
        yield url
        return
    # This stand-in lives for one attempt, so it can't know by itself that it has refused an earlier one.
    first = os.environ.get("CRONFLOW_ATTEMPT", "1") == "1"
    with shop_server.open_shop(busy=first) as url:
        yield url


def read_pages(url: str, query: dict[str, str]) -> Iterator[dict]:
    """Page after page, until the last."""
    number, last = 1, 1
    while number <= last:
        page = get(f"{url}?{urlencode(query | {'page': str(number)})}")
        last, number = page["pages"], number + 1
        yield page


def get(url: str) -> dict:
    """One page: `{"pages", "total", "rows"}` at least."""
    try:
        with DIRECT.open(url, timeout=SECONDS_TO_WAIT) as answer:
            page = json.load(answer)
    except HTTPError as error:
        with error:
            sys.exit(f"the shop answered {error.code} {error.reason}: {url}")
    except (OSError, HTTPException, ValueError) as error:
        sys.exit(f"no good answer from the shop: {url}: {getattr(error, 'reason', None) or error}")
    if not is_page(page):
        sys.exit(f"no good answer from the shop: {url}: not an object with pages, total and rows")
    return page


def is_page(answer: object) -> bool:
    """Whether an answer has the form that the rest relies on. What is in a row is judged in `transform_sales`."""
    match answer:
        case {"pages": int(), "total": int(), "rows": [*rows]}:
            return all(isinstance(row, dict) for row in rows)
    return False
