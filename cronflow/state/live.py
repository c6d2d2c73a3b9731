"""An open run as it stands, from what is on disk: what any reader sees, with or without an engine."""

from cronflow import lifecycle
from cronflow.record import Run
from cronflow.state import attempts


def current(run_dir: str, stored: Run) -> Run:
    """The stored record of an open run, with the state of its tasks computed from its attempt files."""
    flow = lifecycle.state(stored, attempts.sightings(run_dir, stored), attempts.read_wish(run_dir))
    return flow.record()
