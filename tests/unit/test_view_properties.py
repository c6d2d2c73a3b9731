"""Whatever the records say, however narrow the terminal: no line is wider, nothing harmful comes, nothing fails."""

from typing import Any
from unicodedata import category

from hypothesis import given, settings
from hypothesis import strategies as st

from cronflow.record import Run
from cronflow.view.grid import Heading, grid
from cronflow.view.ink import Line, text_of, width
from cronflow.view.overview import Entry, Fault, overview
from cronflow.view.signs import ASCII, UNICODE, Look
from cronflow.view.timeline import Extract, timeline
from cronflow.wall import Wall
from tests import past

NOW = past.MIDNIGHT + 5000
TEXT = st.text(max_size=80)
NAMES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}", fullmatch=True)
ZONES = st.sampled_from(["Europe/Berlin", "UTC", "America/St_Johns", "Atlantis/Capital"])
STATES = st.sampled_from(["queued", "running", "succeeded", "failed", "cancelled", "skipped"])
TASK_STATES = st.sampled_from(
    ["pending", "running", "retrying", "succeeded", "failed", "upstream_failed", "skipped", "cancelled"]
)
LOOKS = st.builds(Look, st.integers(20, 200), st.sampled_from([UNICODE, ASCII]))
SECONDS = st.floats(-1e5, 1e6)


@st.composite
def attempts(draw: st.DrawFn) -> Any:
    """Attempts as they come, also in an order that no engine would leave."""
    return [
        past.attempt(
            draw(SECONDS),
            draw(st.none() | SECONDS),
            draw(st.sampled_from(["succeeded", "failed", "skipped", "cancelled", "lost"])),
            number,
            reason=draw(st.none() | TEXT),
            exit_code=draw(st.none() | st.integers()),
            cpu_seconds=draw(st.none() | st.floats(0, 1e12)),
            max_rss_bytes=draw(st.none() | st.integers(0, 1 << 60)),
        )
        for number in range(1, draw(st.integers(0, 7)) + 1)
    ]


TASKS = st.builds(lambda state, tries, reason: past.task(state, *tries, reason=reason), TASK_STATES, attempts(), TEXT)


@st.composite
def runs(draw: st.DrawFn) -> Run:
    """A run of anything."""
    tasks = draw(st.dictionaries(NAMES, TASKS, max_size=6))
    definition = past.pipeline(draw(NAMES), tuple(tasks), timezone=draw(ZONES), description=draw(TEXT))
    return past.run(
        definition,
        days_ago=draw(st.integers(0, 400)),
        tasks=tasks,
        state=draw(STATES),
        reason=draw(st.none() | TEXT),
        params=draw(st.dictionaries(NAMES, TEXT, max_size=2)),
    )


def fits(lines: list[Line], look: Look) -> bool:
    """Whether no line is wider than it may be, and each is one line of printable text."""
    assert look.width is not None
    said = [text_of(line) for line in lines]
    harmless = not {category(character) for text in said for character in text} & {"Cc", "Cf", "Cs", "Zl", "Zp"}
    return harmless and all(width(line) <= look.width for line in lines)


@settings(max_examples=60)
@given(st.lists(runs(), max_size=4), TEXT, LOOKS, st.none() | st.floats(0, 1e10))
def test_an_overview_fits(some: list[Run], text: str, look: Look, next_due: float | None) -> None:
    entries = [
        Entry(
            name=run.pipeline,
            wall=Wall(run.definition.timezone),
            last=run,
            recent=tuple(one.state for one in some),
            next_due=next_due,
            instead=text,
        )
        for run in some
    ]
    assert fits(overview(entries, [Fault(text, text, 3)], NOW, look), look)


@settings(max_examples=60)
@given(st.lists(runs(), max_size=4), TEXT, LOOKS, ZONES)
def test_a_grid_fits(some: list[Run], text: str, look: Look, zone: str) -> None:
    heading = Heading(name="etl", description=text, schedule=("0 1 * * *", text), instead=text, wall=Wall(zone))
    assert fits(grid(heading, some, NOW, look), look)


@settings(max_examples=60)
@given(runs(), TEXT, LOOKS, st.integers(1, 5))
def test_a_timeline_fits(run: Run, text: str, look: Look, most: int) -> None:
    extract = Extract(task="load", lines=(text, text), command=f"cronflow logs {run.pipeline} {run.run_id} load")
    lines = timeline(run, [extract], wall=Wall(run.definition.timezone), most=most, now=NOW, look=look)
    assert fits(lines, look)
