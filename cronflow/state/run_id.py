"""Run ids: `20261122T000000Z` for a due time, `20261122T101530.123Z-manual` by hand, `…Z-reboot-BOOTID8` at a boot."""

import re

from cronflow import instant
from cronflow.record import Trigger

PATTERN = re.compile(r"(\d{8}T\d{6})(\.\d{3})?Z(-[0-9A-Za-z-]+)?")
BEGINNING = re.compile(r"\d{1,8}(T[0-9A-Za-z.-]*)?")


def is_one(text: str) -> bool:
    """Whether this is a run's id."""
    return PATTERN.fullmatch(text) is not None


def may_begin(text: str) -> bool:
    """Whether a run's id may begin like this."""
    return BEGINNING.fullmatch(text) is not None


def at(run_id: str) -> float:
    """The instant that an id begins with: the due time, or when the run was asked for. 0 where that is no instant."""
    try:
        return instant.to_seconds(run_id.partition("Z")[0] + "Z")
    except ValueError:
        return 0.0


def is_due(run_id: str) -> bool:
    """Whether the id is a due time: the run was claimed for a period."""
    return run_id.endswith("Z")


def trigger(run_id: str) -> Trigger:
    """What an id tells of why its run exists."""
    if is_due(run_id):
        return "schedule"
    return "reboot" if "-reboot" in run_id else "manual"
