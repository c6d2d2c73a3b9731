"""What a step is told on its command line."""

import sys
from datetime import date


def arguments(*names: str) -> list[str]:
    """The values of `names`, which are what the step expects, DAY first. Ends the program where they are wrong."""
    step, *values = sys.argv
    if len(values) != len(names):
        sys.exit(f"usage: {step} {' '.join(names)}")
    try:
        date.fromisoformat(values[0])
    except ValueError:
        sys.exit(f"not a day: {values[0]!r}; expected one like 2026-11-21")
    return values
