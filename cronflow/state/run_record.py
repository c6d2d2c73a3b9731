"""`run.json` from bytes to a run: what has the right types and can be a run's. One reading for engines and readers."""

from contextlib import suppress
from functools import cache

import msgspec
from msgspec import Struct

from cronflow import graph, instant
from cronflow.record import RUN_ENDED, SCHEMA, Run, RunSummary

LAST = 253_370_764_800.0  # the year 9999: no further, or local time overflows
# What bytes that are no record raise on the way to one; deep nesting raises RecursionError.
NO_RECORD = (msgspec.DecodeError, ValueError, OverflowError, RecursionError)


class _Versioned(Struct):
    schema: int


@cache
def _decoder() -> "msgspec.json.Decoder[Run]":
    """Made when the first whole run is read: lists do without it."""
    return msgspec.json.Decoder(Run)


def decode(content: bytes) -> Run:
    """The run. Raises one of NO_RECORD where this is none; `newer_schema` is for the caller to ask."""
    run = _decoder().decode(content)
    check_whole(run)
    return run


def newer_schema(content: bytes) -> str | None:
    """What to say of a record that a newer cronflow wrote; None for any other."""
    with suppress(*NO_RECORD):
        number = msgspec.json.decode(content, type=_Versioned).schema
        if number > SCHEMA:
            return f"written by a newer cronflow (schema {number}; this one reads up to {SCHEMA}): upgrade to read it"
    return None


def check_whole(run: Run) -> None:
    """Raise ValueError where a record has the right types, and still can't be a run's."""
    check_times(run)
    needs = {name: task.needs for name, task in run.definition.tasks.items()}
    if run.state not in RUN_ENDED and not run.rounds:
        raise ValueError("open, without a round")
    if not all(needs.keys() >= {*names} for names in needs.values()):
        raise ValueError("a need that is no task")
    if run.state not in RUN_ENDED and len(graph.order(needs)) < len(needs):
        raise ValueError("open, and it would never end: tasks that need each other")
    for one in run.rounds:
        check_time(one.at)
    for task in run.tasks.values():
        check_time(task.next_attempt_at)
        for attempt in task.attempts:
            check_time(attempt.started_at)
            check_time(attempt.ended_at)


def check_times(run: RunSummary) -> None:
    """Raise ValueError where an instant of a record is none."""
    period = (run.scheduled_at, run.logical_date, run.interval_start, run.interval_end)
    for text in (*period, run.created_at, run.started_at, run.ended_at):
        check_time(text)


def check_time(text: str | None) -> None:
    """Raise ValueError unless this is an instant that every zone can show, or none."""
    if text is not None and not 0 <= instant.to_seconds(text) < LAST:
        raise ValueError(f"not an instant to work with: {text!r}")
