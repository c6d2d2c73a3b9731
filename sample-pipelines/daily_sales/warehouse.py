"""The warehouse: one SQLite file, `warehouse.db` under SALES_HOME. A bigger one would have the same tables."""

import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager

from daily_sales.home import place

SECONDS_TO_WAIT = 60  # for another run that is writing
TABLES = """
CREATE TABLE IF NOT EXISTS raw_orders (      -- as delivered: a row's JSON is not trusted before the transformation
    day TEXT NOT NULL, region TEXT, body TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS raw_orders_by_day ON raw_orders (day);
CREATE TABLE IF NOT EXISTS products (
    sku TEXT PRIMARY KEY, name TEXT NOT NULL, category TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS daily_sales (
    day TEXT, region TEXT, product TEXT,
    orders INTEGER NOT NULL, units INTEGER NOT NULL, revenue_cents INTEGER NOT NULL,
    PRIMARY KEY (day, region, product)
);
CREATE TABLE IF NOT EXISTS rejected_orders (
    day TEXT NOT NULL, region TEXT, problem TEXT NOT NULL, body TEXT NOT NULL
);
"""
# What of a table belongs to the day and region at hand: replaced whole, so that doing a day again changes nothing.
THIS_PART = "day = :day AND :region IN ('all', region)"


@contextmanager
def transaction() -> Iterator[sqlite3.Connection]:
    """The warehouse, changed all at once when the block ends, or not at all. Ends the program where it can't be."""
    path = place("warehouse.db")
    try:
        with closing(sqlite3.connect(path, timeout=SECONDS_TO_WAIT, isolation_level="IMMEDIATE")) as connection:
            connection.executescript(TABLES)
            with connection:
                yield connection
    except sqlite3.Error as error:
        sys.exit(f"warehouse {path.absolute()}: {error}")
