"""What the planner is told. Instants are seconds since the epoch."""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING

from msgspec import Struct

from cronflow.cursor import Cursor
from cronflow.record import Trigger
from cronflow.spec import Pipeline

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

GAP = 120.0  # a tick that comes later than this after the one before it leaves a gap


class Tick(Struct, frozen=True):
    """One moment of planning: the wall clock, the boot, and since when this daemon runs, which tells it from others."""

    at: float
    boot_id: str
    since: float


class OpenRun(Struct, frozen=True):
    """A run that has not ended. `due` is its `scheduled_at`; `ending` says that somebody asked it to stop."""

    run_id: str
    trigger: Trigger
    due: float
    has_slot: bool
    ending: bool = False


class Situation(Struct, frozen=True, kw_only=True):
    """All that a plan depends on.

    `previous` is the tick that was applied last, by whichever daemon. `pipelines` has those whose file is good, or
    was when this daemon last read it; `bad` names those of which only a bad file is known. `runs` are the open runs
    by pipeline. `claimed(pipeline, run_id)` says whether a run of this name exists or was pruned. `booted` are
    the pipelines that have a run for this boot. `zone` is the machine's.
    """

    tick: Tick
    zone: "ZoneInfo"
    claimed: Callable[[str, str], bool]
    pipelines: Mapping[str, Pipeline]
    cursors: Mapping[str, Cursor]
    previous: Tick | None = None
    runs: Mapping[str, Sequence[OpenRun]] = {}
    paused: Collection[str] = frozenset()
    bad: Collection[str] = frozenset()
    booted: Collection[str] = frozenset()

    @property
    def now(self) -> float:
        """The wall clock."""
        return self.tick.at

    @property
    def has_gap(self) -> bool:
        """Whether nothing was planned for longer than a late tick can explain."""
        return self.previous is not None and self.now - self.previous.at > GAP

    @property
    def first_of_boot(self) -> bool:
        """Whether no daemon has planned since this machine started."""
        return self.previous is None or self.previous.boot_id != self.tick.boot_id

    @property
    def second(self) -> float:
        """The wall clock in whole seconds, as due times are: for what is kept in records."""
        return self.now // 1

    @property
    def seen_since(self) -> float:
        """The second since which something that is seen for the first time counts: this one.

        While ticks come in time it is the last one before this minute, or that of the tick before this one: what was
        saved in the minute before is due in this one, as with cron.
        """
        if self.previous is None or self.previous.at > self.now or self.has_gap:
            return self.second
        return max(self.previous.at // 1, self.now // 60 * 60 - 1)
