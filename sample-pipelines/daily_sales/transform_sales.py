"""Turn one day's raw orders into the clean table `daily_sales`: a row for each day, region and product.

Each raw row is judged by itself; a bad one goes to `rejected_orders` with its problem. Of an order's good rows the
newest counts: that drops what was sent twice, and takes a correction in place of what it corrects.
"""

from daily_sales.command_line import arguments
from daily_sales.warehouse import THIS_PART, transaction

JUDGED = """
CREATE TEMP VIEW judged_orders AS
SELECT raw.day, raw.region, raw.body, raw.order_id, raw.updated_at, raw.quantity, raw.unit_cents,
       products.name AS product,
       CASE
           WHEN raw.order_id IS NULL THEN 'no order id'
           WHEN raw.region IS NULL THEN 'no region'
           WHEN substr(raw.ordered_at, 1, 10) IS NOT raw.day THEN 'not of this day'
           WHEN typeof(raw.quantity) <> 'integer' OR raw.quantity < 1 THEN 'bad quantity'
           WHEN typeof(raw.unit_cents) <> 'integer' OR raw.unit_cents < 0 THEN 'bad price'
           WHEN products.sku IS NULL THEN 'unknown product'
       END AS problem
FROM (
    SELECT day, region, body,
           json_extract(body, '$.order_id')   AS order_id,
           json_extract(body, '$.ordered_at') AS ordered_at,
           json_extract(body, '$.updated_at') AS updated_at,
           json_extract(body, '$.sku')        AS sku,
           json_extract(body, '$.quantity')   AS quantity,
           json_extract(body, '$.unit_cents') AS unit_cents
    FROM raw_orders
) AS raw
LEFT JOIN products ON products.sku = raw.sku
"""
REJECT = f"""
INSERT INTO rejected_orders (day, region, problem, body)
SELECT day, region, problem, body FROM judged_orders WHERE problem IS NOT NULL AND {THIS_PART}
"""
TOTAL = f"""
INSERT INTO daily_sales (day, region, product, orders, units, revenue_cents)
SELECT day, region, product, count(*), sum(quantity), sum(quantity * unit_cents)
FROM (
    SELECT *, row_number() OVER (PARTITION BY order_id ORDER BY updated_at DESC, body) AS age
    FROM judged_orders WHERE problem IS NULL AND {THIS_PART}
)
WHERE age = 1
GROUP BY day, region, product
"""


def main(day: str, region: str) -> None:
    """Replace the day's part of both tables, in one transaction."""
    part = {"day": day, "region": region}
    with transaction() as warehouse:
        warehouse.execute(JUDGED)
        warehouse.execute(f"DELETE FROM rejected_orders WHERE {THIS_PART}", part)
        warehouse.execute(f"DELETE FROM daily_sales WHERE {THIS_PART}", part)
        rejected = warehouse.execute(REJECT, part).rowcount
        totals = warehouse.execute(TOTAL, part).rowcount
    print(f"{totals} totals for {day}; {rejected} rows rejected")


if __name__ == "__main__":
    main(*arguments("DAY", "REGION"))
