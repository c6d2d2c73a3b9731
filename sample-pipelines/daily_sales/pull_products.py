"""Pull the list of what the shop sells into `raw/products-DAY.jsonl`."""

import json

from daily_sales import shop
from daily_sales.command_line import arguments
from daily_sales.home import place, replace


def main(day: str) -> None:
    """Keep the list as it is now under the day that it is pulled for."""
    target = place("raw", f"products-{day}.jsonl")
    products = shop.rows("products")
    replace(target, "".join(json.dumps(product) + "\n" for product in products))
    print(f"{len(products)} products: {target}")


if __name__ == "__main__":
    main(*arguments("DAY"))
