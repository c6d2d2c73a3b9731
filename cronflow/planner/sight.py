"""What the planner sees of a pipeline before it looks for what is due: is it new, back, edited; is the clock right?"""

from collections.abc import Sequence
from typing import Literal

import msgspec

from cronflow import instant
from cronflow.cursor import Away, Cursor, InForce
from cronflow.planner.case import Case
from cronflow.planner.dues import belonging
from cronflow.planner.places import write_off
from cronflow.planner.situation import Situation
from cronflow.schedule import Schedule, at_boot
from cronflow.spec import Pipeline

AHEAD = 60.0  # a cursor further in the future than this is not waited for


def first_seen(situation: Situation, pipeline: Pipeline, schedule: Schedule) -> Cursor:
    """The cursor of a pipeline that never had one: now, or its `start` where all is to be caught up."""
    since = situation.seen_since
    first = min(since, belonging(pipeline, schedule)[0]) if wants_all(pipeline) else since
    boot_id = "" if situation.first_of_boot else situation.tick.boot_id
    return Cursor(decided_until=first, schedules=(entry_of(pipeline, schedule, since),), boot_id=boot_id)


def lost_sight(situation: Situation, name: str, cursor: Cursor) -> Cursor | None:
    """The cursor of a pipeline that can't be planned now; None if it says so already. Gone for good outweighs bad."""
    why: Literal["absent", "file_bad"] = "file_bad" if name in situation.bad else "absent"
    if cursor.away is None:
        return msgspec.structs.replace(cursor, away=Away(situation.second, why))
    if cursor.away.why == "file_bad" and why == "absent":
        return msgspec.structs.replace(cursor, away=Away(cursor.away.since, why))
    return None


def look(case: Case) -> None:
    """Bring the cursor of a pipeline that has one up to what it is now. Its own schedule is in force after this."""
    own = case.schedule
    case.schedule = case.cursor.schedules[-1].calendar(own)
    edited = is_edited(case.cursor.schedules[-1], case.schedule, case.pipeline, own)
    _set_clock_right(case)
    _return(case)
    if edited:
        _edit(case, own)
    case.schedule = own


def wants_all(pipeline: Pipeline) -> bool:
    """Whether its periods since its `start` are wanted, also those from before anybody saw its file."""
    return pipeline.catchup == "all" and pipeline.start is not None


def entry_of(pipeline: Pipeline, schedule: Schedule, since: float) -> InForce:
    """The pipeline's schedule as the cursor notes it: with its zone's name, also where that is the machine's."""
    return InForce(since, pipeline.schedule, schedule.zone.key)


def is_edited(last: InForce, before: Schedule, pipeline: Pipeline, own: Schedule) -> bool:
    """Whether a pipeline's schedule means something else than the one in force. How it is written does not matter."""
    if last.timezone != own.zone.key:
        return True
    if last.schedule == pipeline.schedule:
        return False
    return {*before.readings} != {*own.readings} or runs_at_boot(last.schedule) != runs_at_boot(pipeline.schedule)


def runs_at_boot(expressions: Sequence[str]) -> bool:
    """Whether `@reboot` is among them."""
    return any(map(at_boot, expressions))


def _set_clock_right(case: Case) -> None:
    """Never wait for a future that a wrong clock made up."""
    cursor, now = case.cursor, case.now
    if cursor.decided_until > now + AHEAD:
        case.warnings.append(
            f"decided until {instant.to_text(cursor.decided_until)}, and now it is {instant.to_text(now)}: "
            "the clock was wrong, or is; going on from now"
        )
        case.cursor = cursor.set_back(case.situation.second)
    elif cursor.ahead is not None and now >= cursor.ahead:
        case.cursor = cursor.caught_up()


def _return(case: Case) -> None:
    """Go on with a pipeline that could not be planned for a while: from its cursor after a bad file, else from now."""
    away, situation = case.cursor.away, case.situation
    if away is None:
        return
    case.change(away=None)
    case.because = away.why
    _miss_boot(case)
    if away.why == "absent" and not wants_all(case.pipeline):
        until = max(situation.seen_since, case.cursor.decided_until)
        write_off(case, "absent")
        case.record("absent", case.cursor.decided_until, until)
        case.change(decided_until=until)


def _edit(case: Case, own: Schedule) -> None:
    """Let the new schedule govern from now on. What was due before, and not decided, is not run."""
    cursor = case.cursor
    since = max(case.situation.seen_since, cursor.decided_until)
    case.record("edited", cursor.decided_until, since)
    if not runs_at_boot(cursor.schedules[-1].schedule):
        _miss_boot(case)
    case.cursor = case.cursor.governed_by(entry_of(case.pipeline, own, since))


def _miss_boot(case: Case) -> None:
    """What turns up after the machine has started has missed this boot."""
    if not case.situation.first_of_boot:
        case.change(boot_id=case.situation.tick.boot_id)
