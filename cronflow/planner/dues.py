"""What has come due since the cursor, and what of it may run: in time, or as what catches up."""

from datetime import date, datetime
from math import ceil, inf

from msgspec import Struct

from cronflow.planner.case import Case
from cronflow.planner.situation import Situation
from cronflow.schedule import Schedule, Span
from cronflow.spec import Pipeline

IN_TIME = 300.0  # a period decided later than this after its due time is missed


class Dues(Struct, frozen=True):
    """The due times of the periods to run, ascending: those decided in time, and the missed one that catches up."""

    live: tuple[float, ...] = ()
    missed: float | None = None


NOTHING = Dues()


def come_due(case: Case) -> Dues:
    """Decide all that is due until now: the cursor moves there. What will not run is recorded, the rest returned."""
    after, until = case.cursor.decided_until, case.reached
    first = case.schedule.next_after(after) if after < until else None
    if first is None or first > until:
        return NOTHING
    last = case.schedule.last_until(until) or first
    case.change(decided_until=last)
    return _own(case, after, last)


def belonging(pipeline: Pipeline, schedule: Schedule) -> tuple[float, float]:
    """Bounds of the due times, after < due <= until, whose periods belong: `start` <= their start < `end`."""
    before, last = -inf, inf
    if pipeline.start is not None:
        before = _first_from(schedule, pipeline.start)
    if pipeline.end is not None:
        last = _first_from(schedule, pipeline.end)
    return before, last


def _first_from(schedule: Schedule, day: str) -> float:
    """The first due time that is not before a local day: the end of the last period that starts before it."""
    first = date.fromisoformat(day)
    midnight = datetime(first.year, first.month, first.day, tzinfo=schedule.zone).timestamp()
    due = schedule.next_after(midnight - 1)
    return inf if due is None else due


def _own(case: Case, after: float, until: float) -> Dues:
    """What runs of after < due <= until; what does not belong to the pipeline is recorded."""
    before, last = belonging(case.pipeline, case.schedule)
    case.record("before_start", after, min(before, until))
    after_start, until_end = max(before, after), min(last, until)
    dues = _allowed(case, after_start, until_end) if after_start < until_end else NOTHING
    case.record("after_end", max(last, after), until)
    return dues


def _allowed(case: Case, after: float, until: float) -> Dues:
    """The same for periods that belong: whether anything may start at all."""
    if case.held:
        case.record("paused" if case.pipeline.enabled else "disabled", after, until)
        return NOTHING
    late = _second_before(case.reached - IN_TIME)
    missed = _missed(case, after, min(late, until))
    live = case.schedule.between(max(after, late), until)
    return Dues(tuple(due for due in live if not case.is_claimed(due)), missed)


def _missed(case: Case, after: float, until: float) -> float | None:
    """The one that catches up of those that come too late, by `catchup`; the rest is recorded or owed."""
    because = case.because or gap_reason(case.situation)
    if case.pipeline.catchup == "none":
        case.record("missed", after, until, because)
        return None
    old = window_end(case)
    case.record("outside_window", after, min(old, until), because)
    after = max(after, old)
    newest = case.schedule.last_until(until) if after < until else None
    if newest is None or newest <= after:
        return None
    if case.pipeline.catchup == "all":
        first = case.schedule.next_after(after) or newest
        case.cursor = case.cursor.owing(Span(case.begin(first), newest))
        return None
    case.record("missed", after, newest - 1, because)
    return None if case.is_claimed(newest) else newest


def window_end(case: Case) -> float:
    """What was due until this instant has been missed for longer than the pipeline's `catchup_window`."""
    return _second_before(max(case.reached - case.pipeline.catchup_window, 0.0))


def gap_reason(situation: Situation) -> str | None:
    """Why nothing was decided just before now, if nothing was: a new daemon, or the same one after a leap."""
    if situation.previous is None or not situation.has_gap:
        return None
    return "time_jump" if situation.previous.since == situation.tick.since else "daemon_down"


def _second_before(instant: float) -> float:
    """The last whole second before an instant. Due times are whole seconds."""
    return float(ceil(instant) - 1)
