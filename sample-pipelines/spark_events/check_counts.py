"""Check one day's counts against the events they were made of, by another engine than the one that made them.

    python3 spark_events/check_counts.py DAY EVENTS COUNTS

exits with 1 where an event was lost, or counted twice.
"""

import sys

import duckdb

LANDED = "SELECT count(DISTINCT event_id) FROM read_json_auto(? || '/*.jsonl.gz')"
COUNTED = "SELECT sum(events) FROM read_parquet(? || '/*.parquet')"


def main(day: str, events: str, result: str) -> None:
    """Compare the two numbers."""
    try:
        (landed,) = duckdb.execute(LANDED, [f"{events}/{day}"]).fetchone()
        (counted,) = duckdb.execute(COUNTED, [f"{result}/day={day}"]).fetchone()
    except duckdb.Error as error:
        sys.exit(f"can't check {day}: {error}")
    if landed != counted:
        sys.exit(f"{landed} events landed on {day}, and {counted} were counted")
    print(f"{day}: {counted} events, each counted once")


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit("usage: check_counts.py DAY EVENTS COUNTS")
    main(*sys.argv[1:])
