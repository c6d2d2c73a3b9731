"""Decisions not to run: what `decisions/DAY.jsonl` holds, a line each, and what they say of one period. Pure."""

from collections.abc import Iterable, Sequence
from typing import Literal

import msgspec
from msgspec import Struct, field

Reason = Literal[
    "missed",  # more than five minutes late, and `catchup` does not run it
    "outside_window",  # missed for longer than `catchup_window`
    "overlap",  # `overlap: skip`, and no slot was free
    "superseded",  # it waited for a slot, and a newer one took its place
    "paused",
    "disabled",  # `enabled: false`
    "before_start",  # it does not belong to the pipeline, by `start`
    "after_end",  # the same, by `end`
    "edited",  # the schedule was edited before it was decided
    "absent",  # the pipeline had no file
    "daemon_down",  # of no pipeline: from one daemon's last tick to the next one's first
    "time_jump",  # of no pipeline: the machine slept, the daemon was stopped, or the clock was set forward
]


class Decision(Struct, frozen=True, kw_only=True):
    """Periods of a pipeline that will not run, one after the other, and why.

    `start` and `end` (in JSON: `from`, `to`) are the first one's start and the last one's due time; `count` is how
    many they are, None where that was not counted. `because` tells more of the reason. `reason` is a Reason, or one
    that a newer cronflow knows. With `pipeline` None it is a stretch of time in which nothing was decided.
    """

    at: str
    pipeline: str | None
    reason: str
    start: str = field(name="from")
    end: str = field(name="to")
    count: int | None = None
    because: str | None = None

    def covers(self, pipeline: str, due: str) -> bool:
        """Whether the period of a pipeline that is due at an instant (as records write it) is among these."""
        return self.pipeline == pipeline and self.start < due <= self.end


def decided(decisions: Iterable[Decision], pipeline: str, due: str) -> Decision | None:
    """What was decided last of one period, of decisions in the order in which they were made; None if nothing.

    A run of that period counts more than any of them: what was decided against may have been started by hand.
    """
    found = None
    for decision in decisions:
        if decision.covers(pipeline, due):
            found = decision
    return found


def merged(decisions: Iterable[Decision]) -> list[Decision]:
    """The same with neighbours that are alike as one, in the order in which they were made."""
    kept: list[Decision] = []
    last: dict[str | None, int] = {}
    for decision in decisions:
        place = last.get(decision.pipeline)
        joined = None if place is None else join(kept[place], decision)
        if place is None or joined is None:
            last[decision.pipeline] = len(kept)
            kept.append(decision)
        else:
            kept[place] = joined
    return kept


def join(one: Decision, later: Decision) -> Decision | None:
    """Both as one: the later one goes on where the first ends, or says the same again. None if they are two.

    The same is said again where a crash came between a decision and the cursor.
    """
    if (one.pipeline, one.reason, one.because) != (later.pipeline, later.reason, later.because):
        return None
    if one.start <= later.start and later.end <= one.end:
        return one
    if later.start == one.start:
        return later
    if later.start != one.end or one.pipeline is None:
        return None
    count = None if one.count is None or later.count is None else one.count + later.count
    return msgspec.structs.replace(later, start=one.start, count=count)


def gaps(decisions: Iterable[Decision], start: str, end: str) -> Sequence[Decision]:
    """The stretches of time without decisions that touch [start, end)."""
    return [gap for gap in decisions if gap.pipeline is None and gap.start < end and start < gap.end]
