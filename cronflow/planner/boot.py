"""`@reboot`: one run for each boot, of the pipelines that were known when a daemon first came up in it."""

from datetime import datetime

from cronflow import instant
from cronflow.decision import Reason
from cronflow.planner.case import Case
from cronflow.planner.sight import runs_at_boot
from cronflow.planner.verdict import Claim
from cronflow.schedule import Span


def start_boot(case: Case) -> bool:
    """Decide this boot's run, if it is not decided yet. True if it waits for a slot."""
    tick = case.situation.tick
    if case.cursor.boot_id == tick.boot_id or not runs_at_boot(case.pipeline.schedule):
        return False
    if case.pipeline.name not in case.situation.booted:
        reason = _refusal(case)
        at_once = case.pipeline.overlap == "allow"
        if reason is not None:
            case.note(reason, tick.at, tick.at, 1)
        elif case.free or at_once:
            span = Span(tick.at, tick.at)
            case.claims.append(Claim(boot_run_id(tick.at, tick.boot_id), "reboot", span, case.slots, at_once))
        else:
            return True
    case.change(boot_id=tick.boot_id)
    return False


def boot_run_id(now: float, boot_id: str) -> str:
    """`20261122T101530.123Z-reboot-1c2f9a33`: what comes after the Z is the same for all of a boot."""
    return f"{instant.compact_milliseconds(now)}-reboot-{boot_id[:8]}"


def _refusal(case: Case) -> Reason | None:
    """Why the pipeline does not run at this boot."""
    pipeline = case.pipeline
    today = datetime.fromtimestamp(case.now, case.schedule.zone).date().isoformat()
    if pipeline.start is not None and today < pipeline.start:
        return "before_start"
    if pipeline.end is not None and today >= pipeline.end:
        return "after_end"
    if case.held:
        return "paused" if pipeline.enabled else "disabled"
    if pipeline.overlap == "skip" and not case.free:
        return "overlap"
    return None
