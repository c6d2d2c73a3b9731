"""What is due, what of it runs now, later or never: `plan(situation, watches)`, a pure function.

situation     all that the planner is told: the tick, the pipelines, their cursors, the open runs
verdict       all that it answers: per pipeline what to record, cancel and claim, and the cursor after that
case          one pipeline's verdict in the making
sight         the cursor's own rules: first sight, absence, edits, a clock that was set back
dues          what has come due since the cursor, and what of it may run
places        who gets a slot: `overlap`, what waits, what is owed
boot          `@reboot`
plan          all pipelines; those that nothing can have changed for are passed over

Whoever applies a plan does, for each verdict: records, cancels, claims, and the cursor last. A crash anywhere in
between is harmless, since planning again from the old cursor finds what was claimed.
"""

from cronflow.planner.plan import plan
from cronflow.planner.situation import OpenRun, Situation, Tick
from cronflow.planner.verdict import Cancel, Claim, Plan, Verdict, Warned, Watch

__all__ = ["Cancel", "Claim", "OpenRun", "Plan", "Situation", "Tick", "Verdict", "Warned", "Watch", "plan"]
