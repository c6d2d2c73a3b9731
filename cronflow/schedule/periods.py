"""Periods: the spans from one due time to the next, which a run covers, and how a person names one.

A period is due at its end and named by its start (the logical date): the run due on Sunday at 01:00 is for the
period that started on Saturday at 01:00. Days are days of the schedule's zone.
"""

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

from msgspec import Struct

from cronflow.schedule.times import Schedule
from cronflow.timezone import label

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

_WIDEST_OFFSET = 16 * 3600
_DAY = 86400


class PeriodError(ValueError):
    """What was named is not a period that can run: the text says why, and what could be written instead."""


class Span(Struct, frozen=True):
    """A period, start <= instant < end, in seconds since the epoch. It is due at `end`."""

    start: float
    end: float


def span_due_at(schedule: Schedule, due: float) -> Span:
    """The period that is due at an instant. Raises PeriodError where no due time comes before it."""
    start = schedule.last_until(due - 1)  # due times are whole seconds
    if start is None:
        raise PeriodError(f"no due time comes before {_text(due, schedule.zone)}")
    return Span(start, due)


def latest_ended(schedule: Schedule, now: float) -> Span | None:
    """The last period that has ended by now; None without due times."""
    due = schedule.last_until(now)
    start = None if due is None else schedule.last_until(due - 1)
    return None if due is None or start is None else Span(start, due)


def span_for(schedule: Schedule, text: str, now: float, start: str | None, end: str | None) -> Span:
    """The period that a text names by its start: a day, `today`, `yesterday`, or an ISO 8601 instant.

    An instant without an offset is in the schedule's zone. `start` and `end` are the pipeline's (`YYYY-MM-DD`).
    Raises PeriodError if there is no such period, more than one, or if it has not ended.
    """
    if not schedule.has_times:
        raise PeriodError(f"there are no due times, so no period {text!r}: leave the date out")
    day = _day(text, _local(now, schedule.zone).date())
    begin = _start_at(schedule, text) if day is None else _start_on(schedule, day)
    _refuse_outside(_local(begin, schedule.zone), start, end)
    due = schedule.next_after(begin)
    if due is None or due > now:
        ends = "never ends" if due is None else f"ends at {_text(due, schedule.zone)} ({label(schedule.zone)})"
        raise PeriodError(f"the period that starts at {_text(begin, schedule.zone)} has not ended: it {ends}")
    return Span(begin, due)


def span_variables(span: Span, zone: "ZoneInfo") -> dict[str, str]:
    """What a task's environment says about its period: instants to the second with their offset, and local days."""
    start, end = _local(span.start, zone), _local(span.end, zone)
    return {
        "CRONFLOW_LOGICAL_DATE": start.isoformat(timespec="seconds"),
        "CRONFLOW_INTERVAL_START": start.isoformat(timespec="seconds"),
        "CRONFLOW_INTERVAL_END": end.isoformat(timespec="seconds"),
        "CRONFLOW_SCHEDULED_AT": end.isoformat(timespec="seconds"),
        "CRONFLOW_DS": f"{start:%Y-%m-%d}",
        "CRONFLOW_DS_NODASH": f"{start:%Y%m%d}",
        "CRONFLOW_SCHEDULED_DS": f"{end:%Y-%m-%d}",
    }


def _day(text: str, today: date) -> date | None:
    """The day that a text means, if it means a day."""
    words = {"today": today, "yesterday": today - timedelta(days=1)}
    try:
        return words.get(text.lower()) or date.fromisoformat(text)
    except ValueError:
        return None


def _start_on(schedule: Schedule, day: date) -> float:
    """The one start on a local day."""
    midnight = datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()
    nearby = schedule.between(midnight - _WIDEST_OFFSET, midnight + _DAY + _WIDEST_OFFSET)
    starts = [start for start in nearby if _local(start, schedule.zone).date() == day]
    if not starts:
        neighbours = schedule.last_until(midnight), schedule.next_after(midnight)
        days = [str(_local(start, schedule.zone).date()) for start in neighbours if start is not None]
        raise PeriodError(f"no period starts on {day}{_nearest('on', days)}")
    if len(starts) > 1:
        first = ", ".join(_text(start, schedule.zone) for start in starts[:3])
        more = ", …" if len(starts) > 3 else ""
        raise PeriodError(f"{len(starts)} periods start on {day}: name one by its start, {first}{more}")
    return starts[0]


def _start_at(schedule: Schedule, text: str) -> float:
    """The start at an instant; an instant without an offset may be shown twice by the zone's clock."""
    instants = _instants(text, schedule.zone)
    starts = [instant for instant in instants if schedule.last_until(instant) == instant]
    if not starts:
        neighbours = schedule.last_until(instants[0]), schedule.next_after(instants[-1])
        near = [_text(start, schedule.zone) for start in neighbours if start is not None]
        raise PeriodError(f"no period starts at {text}{_nearest('at', near)}")
    if len(starts) > 1:
        both = " or ".join(_text(start, schedule.zone) for start in starts)
        raise PeriodError(f"the clock in {label(schedule.zone)} shows {text} twice: write {both}")
    return starts[0]


def _instants(text: str, zone: "ZoneInfo") -> list[float]:
    """The instants that a text can mean, ascending: one, or two if it has no offset."""
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is not None:
            return [moment.timestamp()]
        return sorted({moment.replace(tzinfo=zone, fold=fold).timestamp() for fold in (0, 1)})
    except (ValueError, OverflowError):
        forms = "a day (2026-11-22), today, yesterday or an instant (2026-11-22T01:00:00+01:00)"
        raise PeriodError(f"{text!r} names no period, expected {forms}") from None


def _refuse_outside(begin: datetime, start: str | None, end: str | None) -> None:
    """Raise PeriodError unless start <= the period's first day < end."""
    period = f"the period that starts at {begin.isoformat(timespec='seconds')}"
    if start is not None and begin.date() < date.fromisoformat(start):
        raise PeriodError(f"{period} does not belong to the pipeline, which starts on {start}")
    if end is not None and begin.date() >= date.fromisoformat(end):
        raise PeriodError(f"{period} does not belong to the pipeline, which ends before {end}")


def _nearest(preposition: str, starts: list[str]) -> str:
    return f"; the nearest start {preposition} {' and '.join(starts)}" if starts else ""


def _local(instant: float, zone: "ZoneInfo") -> datetime:
    return datetime.fromtimestamp(instant, zone)


def _text(instant: float, zone: "ZoneInfo") -> str:
    return _local(instant, zone).isoformat(timespec="seconds")
