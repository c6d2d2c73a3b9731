"""Who gets a slot of a pipeline's `max_active_runs`: what is due, what waits, what is owed (`overlap`, `catchup`).

What waits comes first, then what is due in time, then what catches up, then what is owed, oldest first.
"""

from collections.abc import Sequence

from cronflow.cursor import Waiting
from cronflow.decision import Reason
from cronflow.planner.case import Case
from cronflow.planner.dues import Dues, window_end
from cronflow.planner.verdict import Cancel
from cronflow.record import Trigger
from cronflow.schedule import Span

MOST_LOOKS = 1000  # at owed periods that have their run already, in one plan
MOST_SPANS = 1000  # of owed periods; more are a backlog that only grows
NEVER_REPLACED = {"manual", "backfill"}


def settle(case: Case, dues: Dues) -> None:
    """Start, queue, owe or record what came due, and start what waited for a slot."""
    if case.held:
        return
    live = _newest(case, dues) if case.pipeline.overlap == "replace" else dues.live
    _serve_waiting(case)
    for due in live:
        _admit(case, due, "schedule")
    if dues.missed is not None:
        _admit(case, dues.missed, "catchup")
    _replace(case)
    _serve_owed(case)


def write_off(case: Case, reason: Reason) -> None:
    """Record that what waits and what is owed will not run."""
    _write_off(case, reason, len(case.cursor.owed))
    if case.cursor.waiting is not None:
        _record_one(case, reason, case.cursor.waiting.due)
    case.change(waiting=None)


def _newest(case: Case, dues: Dues) -> Sequence[float]:
    """Of what is due in time the last. With `replace` nothing is started that a newer period would replace at once."""
    waiting = case.cursor.waiting
    newest = max(dues.live, default=dues.missed)
    if waiting is not None and newest is not None and waiting.due < newest:
        case.change(waiting=None)
        _supersede(case, waiting.due)
    for due in dues.live[:-1]:
        _supersede(case, due)
    return dues.live[-1:]


def _serve_waiting(case: Case) -> None:
    """Start what waits, if it may now. It may have its run already, from a plan whose cursor was lost, or by hand."""
    waiting = case.cursor.waiting
    if waiting is None:
        return
    at_once = case.pipeline.overlap == "allow"
    if case.is_claimed(waiting.due):
        case.change(waiting=None)
    elif case.free or at_once:
        case.change(waiting=None)
        case.claim(waiting.due, waiting.trigger, at_once=at_once)


def _admit(case: Case, due: float, trigger: Trigger) -> None:
    """What becomes of a period that may run, by the slots that are free and by `overlap`."""
    at_once = case.pipeline.overlap == "allow"
    if case.free or at_once:
        case.claim(due, trigger, at_once=at_once)
    elif case.pipeline.overlap == "skip":
        _record_one(case, "overlap", due)
    else:
        _wait(case, Waiting(due, trigger))


def _wait(case: Case, one: Waiting) -> None:
    """Let a period wait for a slot. Only one does, the newest."""
    other = case.cursor.waiting
    if other is not None:
        older, one = sorted((one, other), key=lambda waiting: waiting.due)
        _supersede(case, older.due)
    case.change(waiting=one)


def _supersede(case: Case, due: float) -> None:
    """A newer period took the place of this one: it is owed, or will not run."""
    if case.pipeline.catchup == "all":
        case.cursor = case.cursor.owing(Span(case.begin(due), due))
    else:
        _record_one(case, "superseded", due)


def _replace(case: Case) -> None:
    """With `replace`, cancel the oldest run that the waiting period may replace, unless a slot is being freed."""
    waiting = case.cursor.waiting
    if case.pipeline.overlap != "replace" or waiting is None:
        return
    holding = [run for run in case.situation.runs.get(case.pipeline.name, ()) if run.has_slot]
    if any(run.ending for run in holding):
        return
    replaceable = [run for run in holding if run.trigger not in NEVER_REPLACED and run.due < waiting.due]
    if replaceable:
        oldest = min(replaceable, key=lambda run: run.due)
        case.cancels.append(Cancel(oldest.run_id, waiting.due))


def _serve_owed(case: Case) -> None:
    """Start what is owed, oldest first, while slots are free."""
    _owe_less(case)
    for _ in range(MOST_LOOKS):
        if not case.cursor.owed or not case.free:
            return
        due = _take_owed(case)
        if not case.is_claimed(due):
            case.claim(due, "catchup")
    case.again = bool(case.cursor.owed)


def _owe_less(case: Case) -> None:
    """Write off what is owed and will not run any more: not wanted, too old, or a backlog that only grows."""
    if not case.cursor.owed:
        return
    if case.pipeline.catchup != "all":
        _write_off(case, "missed", len(case.cursor.owed))
    _write_off(case, "superseded", len(case.cursor.owed) - MOST_SPANS)
    old = window_end(case)
    _write_off(case, "outside_window", sum(span.end <= old for span in case.cursor.owed))
    _shorten(case, "outside_window", old)


def _write_off(case: Case, reason: Reason, spans: int) -> None:
    """Record that so many of the oldest spans of what is owed will not run."""
    for span in case.cursor.owed[: max(0, spans)]:
        case.record(reason, span.start, span.end)
    case.change(owed=case.cursor.owed[max(0, spans) :])


def _shorten(case: Case, reason: Reason, until: float) -> None:
    """The same of the oldest span, as far as it was due until an instant within it."""
    if not case.cursor.owed or case.cursor.owed[0].start >= until:
        return
    oldest, *rest = case.cursor.owed
    last = case.calendar(oldest.end).last_until(until)
    if last is not None and last > oldest.start:
        case.record(reason, oldest.start, last)
        case.change(owed=(Span(last, oldest.end), *rest))


def _take_owed(case: Case) -> float:
    """The oldest due time that is owed, which is not any more."""
    oldest, *rest = case.cursor.owed
    due = case.calendar(oldest.end).next_after(oldest.start)
    if due is None or due >= oldest.end:
        case.change(owed=tuple(rest))
        return oldest.end
    case.change(owed=(Span(due, oldest.end), *rest))
    return due


def _record_one(case: Case, reason: Reason, due: float) -> None:
    case.record(reason, due - 1, due)
