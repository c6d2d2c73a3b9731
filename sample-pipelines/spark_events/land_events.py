"""Land one day's web events as a collector would: gzipped files of JSON lines, an hour each.

    python3 spark_events/land_events.py DAY DIRECTORY        writes DIRECTORY/DAY/00.jsonl.gz to 23.jsonl.gz

The events follow from the date alone. Some are delivered twice, in the same hour or the next, as queues do.
"""

import gzip
import json
import random
import sys
from datetime import date
from pathlib import Path

KINDS = ("view", "search", "add_to_cart", "checkout")
PAGES = ("/", "/bikes", "/helmets", "/lights", "/locks", "/offers")


def events_of(day: date, hour: int) -> list[dict]:
    """An hour's events, without those sent twice."""
    chance = random.Random(f"{day} {hour}")
    return [
        {
            "event_id": f"{day:%Y%m%d}{hour:02d}-{number:05d}",
            "at": f"{day}T{hour:02d}:{chance.randrange(60):02d}:{chance.randrange(60):02d}",
            "visitor": f"v{chance.randrange(400):03d}",
            "kind": chance.choices(KINDS, (70, 20, 7, 3))[0],
            "page": chance.choice(PAGES),
        }
        for number in range(chance.randint(100, 400))
    ]


def main(day: date, directory: Path) -> None:
    """Write the day's files again from the start."""
    directory.mkdir(parents=True, exist_ok=True)
    landed = 0
    late: list[dict] = []
    for hour in range(24):
        events = events_of(day, hour)
        repeated = random.Random(f"repeated {day} {hour}").sample(events, 6)
        landed += write(directory / f"{hour:02d}.jsonl.gz", events + repeated[:3] + late)
        late = repeated[3:]
    print(f"{landed} events of {day} in {directory}")


def write(path: Path, events: list[dict]) -> int:
    """One file, whole or not at all. Returns how many events are in it."""
    unfinished = path.with_name(f".{path.name}.part")
    with gzip.open(unfinished, "wt", encoding="utf-8") as lines:
        lines.writelines(json.dumps(event) + "\n" for event in events)
    unfinished.replace(path)
    return len(events)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: land_events.py DAY DIRECTORY")
    try:
        main(date.fromisoformat(sys.argv[1]), Path(sys.argv[2], sys.argv[1]))
    except ValueError:
        sys.exit(f"not a day: {sys.argv[1]!r}; expected one like 2026-11-21")
    except OSError as problem:
        sys.exit(f"can't write {problem.filename}: {problem.strerror}; set SALES_HOME to a directory you may write to")
