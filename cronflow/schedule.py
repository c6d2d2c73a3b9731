"""What cron expressions mean as instants, exactly as Debian's cron would run them."""

from cronflow.expression import ScheduleError, at_boot, check
from cronflow.timezone import ZoneError, zone

__all__ = ["ScheduleError", "ZoneError", "at_boot", "check", "zone"]
