"""What gives way where a terminal is narrow: never what the eye is there for."""

from cronflow.view.ink import text_of
from cronflow.view.overview import Entry, overview
from cronflow.view.signs import UNICODE, Look
from cronflow.view.timeline import timeline
from cronflow.wall import Wall
from tests import past

NOW = past.MIDNIGHT + 100
WALL = Wall("UTC")
LONG = "a_task_whose_name_goes_on_and_on_until_there_are_sixty_four_of_0"


def test_a_long_task_name_leaves_the_bars_their_room() -> None:
    tasks = {LONG: past.task("succeeded", past.attempt(0, 50)), "load": past.task("running", past.attempt(50, None))}
    run = past.run(past.pipeline(tasks=(LONG, "load")), state="running", ended_at=None, tasks=tasks)
    lines = timeline(run, [], wall=WALL, most=60, now=NOW, look=Look(80, UNICODE))
    rows = [text_of(line) for line in lines if text_of(line)[:2] in {"● ", "◐ "}]
    assert rows[0].startswith("● a_task_whose_name_goes")
    assert all("━━━━━━━━" in row for row in rows[:2])


def test_the_narrowest_overview_still_names_its_pipelines() -> None:
    entries = [Entry(name="sales", wall=WALL, last=past.run(past.pipeline("sales")), recent=("succeeded",))]
    lines = [text_of(line) for line in overview(entries, [], NOW, Look(20, UNICODE))]
    assert lines[1] == "sales     ● succeed…"
