"""What the planner answers. Instants are seconds since the epoch."""

from collections.abc import Mapping

from msgspec import Struct

from cronflow.cursor import Cursor, Waiting
from cronflow.decision import Decision
from cronflow.record import Trigger
from cronflow.schedule import Schedule, Span
from cronflow.spec import Pipeline


class Claim(Struct, frozen=True):
    """A run to claim and start now. For a boot's run the span is the moment itself.

    It has to find one of `slots` free, and takes one; with `at_once` it starts even where none is.
    """

    run_id: str
    trigger: Trigger
    span: Span
    slots: int
    at_once: bool = False


class Cancel(Struct, frozen=True):
    """An open run to cancel, and the due time of the period that replaces it."""

    run_id: str
    replaced_by: float


class Verdict(Struct, frozen=True, kw_only=True):
    """What was decided for one pipeline, to be carried out in this order: records, cancels, claims, cursor.

    The cursor counts only if each of the claims made its run exist, or found that it did; else nothing of it is
    kept, and the next plan decides again. `queued` is the period that has begun to wait for a slot.
    """

    pipeline: str
    records: tuple[Decision, ...] = ()
    cancels: tuple[Cancel, ...] = ()
    claims: tuple[Claim, ...] = ()
    queued: Waiting | None = None
    cursor: Cursor


class Warned(Struct, frozen=True):
    """Something a person should know. `pipeline` is None where it concerns them all."""

    pipeline: str | None
    text: str


class Watch(Struct, frozen=True):
    """What was worked out for one pipeline: nothing of it is due before the instant `wake`.

    It holds for this pipeline and this cursor only, the very objects. A `hungry` one is looked at in each plan: it
    would start something if a slot were free.
    """

    pipeline: Pipeline
    cursor: Cursor | None
    schedule: Schedule
    wake: float
    hungry: bool = False


class Plan(Struct, frozen=True, kw_only=True):
    """The decisions of one tick. `records` belong to no pipeline.

    `watches` is for the next call. `wake` is when something is due next; a plan before that (a run of a pipeline
    in `hungry` ended, a file changed, the minute is full) is always right too.
    """

    records: tuple[Decision, ...] = ()
    verdicts: tuple[Verdict, ...] = ()
    warnings: tuple[Warned, ...] = ()
    watches: Mapping[str, Watch] = {}
    hungry: frozenset[str] = frozenset()
    wake: float = float("inf")
