"""A record cut at every byte, or edited at random: each view still comes, and leaves what can be read as it is."""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cronflow.cli import logs
from cronflow.cli.log_printer import Choice, Printer
from cronflow.cli.outlet import Outlet
from cronflow.cli.status import Everything, OnePipeline, OneRun, Request
from cronflow.record import Run
from cronflow.state.history import History, NewerRecord
from cronflow.view.ink import text_of
from tests import past

OTHER = past.run(days_ago=1)
TORN = past.run(
    reason="why",
    tasks={
        "extract": past.task("succeeded", past.attempt(0, 12, log="extract.1.log")),
        "load": past.task(
            "failed", past.attempt(12, 30, "failed", log="load.1.log", exit_code=3), reason="exit code 3"
        ),
    },
)
WHOLE = msgspec.json.encode(TORN)


@pytest.fixture
def request_for(tmp_path: Path) -> Request:
    """A history of two runs, with logs; no pipelines directory."""
    past.write(tmp_path, OTHER, TORN)
    past.write_log(tmp_path, TORN, "load", b"what it said\n")
    return Request(str(tmp_path / "pipelines.yaml.d"), str(tmp_path), None, None, "cronflow")


@pytest.fixture
def nowhere() -> Iterator[int]:
    fd = os.open(os.devnull, os.O_WRONLY)
    yield fd
    os.close(fd)


def test_cut_at_every_byte_every_view_comes(request_for: Request, nowhere: int, tmp_path: Path) -> None:
    for cut in range(len(WHOLE)):
        past.write_raw(tmp_path, "etl", TORN.run_id, WHOLE[:cut])
        pictures = [
            Everything(request_for).picture(),
            OnePipeline(request_for, "etl").picture(),
            OneRun(request_for, "etl", "latest").picture(),
        ]
        everything, grid, timeline = ["\n".join(map(text_of, lines)) for lines, _ in pictures]
        assert "failed" in everything, cut
        assert "record unreadable" in grid, cut
        assert "2026-11-21 01:00" in grid, cut
        assert "record unreadable" in timeline, cut
        history = History(str(tmp_path))
        run_id, task = logs.resolve(history, "etl", "load", None)
        found = logs.whole(history, "etl", run_id)
        printer = Printer(history.run_dir("etl", run_id), Choice(task), Outlet(nowhere))
        printer.show(printer.choice.parts(found))
        assert [part.key for part in Choice().parts(found)] == [("load", 1)], cut


OPEN = past.run(state="running", ended_at=None, tasks={})
STRANGE = [None, 0, -1, 1e300, 10**30, True, "", "x", "\x1b[31m", "../../etc", "2026-11-22T00:00:00.000Z", [], {}]


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The paths to everything within a JSON value."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, one in inner:
        yield (*path, key)
        yield from places(one, (*path, key))


@settings(max_examples=300)
@given(data=st.data(), whole=st.sampled_from([TORN, OPEN]), edits=st.integers(1, 3))
def test_edited_anywhere_every_view_comes(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, whole: Run, edits: int
) -> None:
    record = msgspec.json.decode(msgspec.json.encode(whole))
    for _ in range(edits):
        *path, last = data.draw(st.sampled_from(list(places(record))))
        place = record
        for key in path:
            place = place[key]
        if isinstance(place, dict) and data.draw(st.booleans()):
            del place[last]
        else:
            place[last] = data.draw(st.sampled_from(STRANGE))
    state_dir = tmp_path_factory.getbasetemp() / "edited"
    past.write_raw(state_dir, "etl", TORN.run_id, msgspec.json.encode(record))
    asked = Request(str(state_dir / "none"), str(state_dir), None, None, "cronflow")
    with suppress(NewerRecord):
        assert OneRun(asked, "etl", "latest").picture()[0]
    assert Everything(asked).picture()[0]
    assert OnePipeline(asked, "etl").picture()[0]


def test_whole_again_it_is_read_again(request_for: Request, tmp_path: Path) -> None:
    past.write_raw(tmp_path, "etl", TORN.run_id, WHOLE[:-1])
    past.write(tmp_path, TORN)
    lines, over = OneRun(request_for, "etl", "latest").picture()
    assert over
    assert "reason     why" in [text_of(line) for line in lines]
