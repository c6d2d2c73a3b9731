"""Pull one day's orders from the shop into `raw/orders-DAY-REGION.jsonl`, one row a line, as delivered."""

import json

from daily_sales import shop
from daily_sales.command_line import arguments
from daily_sales.home import place, replace


def main(day: str, region: str) -> None:
    """Pull everything, then put the file in its place: a day that is half pulled never shows."""
    target = place("raw", f"orders-{day}-{region}.jsonl")
    orders = shop.rows("orders", day=day, region=region)
    replace(target, "".join(json.dumps(order) + "\n" for order in orders))
    print(f"{len(orders)} rows of {day}, region {region}: {target}")


if __name__ == "__main__":
    main(*arguments("DAY", "REGION"))
