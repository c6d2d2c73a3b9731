"""Load what was pulled for one day into the warehouse's `raw_orders` and `products`."""

import json
import sys
from collections.abc import Iterator

from daily_sales.command_line import arguments
from daily_sales.home import place
from daily_sales.warehouse import THIS_PART, transaction


def main(day: str, region: str) -> None:
    """Replace the day's rows."""
    products = list(read_rows(f"products-{day}.jsonl"))
    orders = [(day, row.get("region"), json.dumps(row)) for row in read_rows(f"orders-{day}-{region}.jsonl")]
    with transaction() as warehouse:
        warehouse.executemany("INSERT OR REPLACE INTO products VALUES (:sku, :name, :category)", products)
        warehouse.execute(f"DELETE FROM raw_orders WHERE {THIS_PART}", {"day": day, "region": region})
        warehouse.executemany("INSERT INTO raw_orders VALUES (?, ?, ?)", orders)
    print(f"{len(orders)} rows and {len(products)} products are in the warehouse")


def read_rows(name: str) -> Iterator[dict]:
    """The rows of one pulled file."""
    path = place("raw", name)
    try:
        with path.open(encoding="utf-8") as lines:
            yield from map(json.loads, lines)
    except FileNotFoundError:
        sys.exit(f"{path.absolute()} is not there: pull it first")


if __name__ == "__main__":
    main(*arguments("DAY", "REGION"))
