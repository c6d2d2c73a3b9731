"""When a pipeline is due, exactly as Debian's cron would run it, and the periods between. Pure.

expression    what a cron expression says: read, or refused with what to write
stretches     what a zone's clock does
times         both together: due times as instants
periods       the spans between due times, and how a person names one
advice        what an expression does that its writer may not expect
"""

from cronflow.schedule.advice import advice
from cronflow.schedule.expression import ScheduleError, at_boot, check
from cronflow.schedule.periods import PeriodError, Span, latest_ended, span_due_at, span_for, span_variables
from cronflow.schedule.times import Schedule
from cronflow.timezone import ZoneError, zone

__all__ = [
    "PeriodError",
    "Schedule",
    "ScheduleError",
    "Span",
    "ZoneError",
    "advice",
    "at_boot",
    "check",
    "latest_ended",
    "span_due_at",
    "span_for",
    "span_variables",
    "zone",
]
