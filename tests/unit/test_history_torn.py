"""A record cut at every byte: each view of it still comes, says what happened, and leaves the rest as it is."""

import os
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from cronflow.cli import logs
from cronflow.cli.log_printer import Choice, Printer
from cronflow.cli.outlet import Outlet
from cronflow.cli.status import Everything, OnePipeline, OneRun, Request
from cronflow.state.history import History
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


def test_whole_again_it_is_read_again(request_for: Request, tmp_path: Path) -> None:
    past.write_raw(tmp_path, "etl", TORN.run_id, WHOLE[:-1])
    past.write(tmp_path, TORN)
    lines, over = OneRun(request_for, "etl", "latest").picture()
    assert over
    assert "reason     why" in [text_of(line) for line in lines]
