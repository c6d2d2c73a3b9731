"""Logs on disk: read in pieces, from the end, and with a hole where the middle was given back."""

import os
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cronflow.errors import StateTrouble
from cronflow.record import Attempt
from cronflow.state import logs, output
from cronflow.state.output import CHUNK, Piece

MEBIBYTE = 1 << 20


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[int]:
    """A log to write and read."""
    fd = os.open(tmp_path / "load.1.log", os.O_RDWR | os.O_CREAT)
    yield fd
    os.close(fd)


def content(fd: int, start: int, end: int) -> bytes:
    return b"".join(output.chunks(fd, start, end))


@given(text=st.text("ab\n", max_size=40).map(str.encode), count=st.integers(0, 12))
def test_the_last_lines_are_those_of_a_simple_reader(
    tmp_path_factory: pytest.TempPathFactory, text: bytes, count: int
) -> None:
    path = tmp_path_factory.getbasetemp() / f"tail-{os.getpid()}.log"
    path.write_bytes(text)
    fd = os.open(path, os.O_RDONLY)
    lines = text.splitlines(keepends=True)
    wanted = lines[max(0, len(lines) - count) :]
    assert content(fd, output.last_lines(fd, count, len(text)), len(text)) == b"".join(wanted)
    os.close(fd)


def test_lines_longer_than_a_chunk_are_found_too(opened: int) -> None:
    long = b"x" * (3 * CHUNK)
    os.write(opened, b"first\n" + long + b"\nlast\n")
    end = output.size(opened)
    assert content(opened, output.last_lines(opened, 1, end), end) == b"last\n"
    assert content(opened, output.last_lines(opened, 2, end), end) == long + b"\nlast\n"
    assert output.last_lines(opened, 3, end) == output.last_lines(opened, 99, end) == 0


def test_a_log_without_a_hole_is_one_piece(opened: int) -> None:
    os.write(opened, b"x" * MEBIBYTE)
    assert list(output.pieces(opened, 5, MEBIBYTE)) == [Piece(5, MEBIBYTE, there=True)]


def test_the_middle_that_was_given_back_is_a_piece_of_its_own(opened: int, tmp_path: Path) -> None:
    for number in range(8):
        os.write(opened, str(number).encode() * MEBIBYTE)
    missing = logs.cap(str(tmp_path / "load.1.log"), 2 * MEBIBYTE)
    end = output.size(opened)
    head, gap, tail = output.pieces(opened, 0, end)
    assert (head.there, gap.there, tail.there) == (True, False, True)
    assert (head.start, gap.end - gap.start, tail.end) == (0, missing, 8 * MEBIBYTE)
    assert content(opened, head.start, head.end) == b"0" * MEBIBYTE
    assert content(opened, tail.start, tail.end) == b"7" * MEBIBYTE
    assert [piece.there for piece in output.pieces(opened, gap.start + 9, end)] == [False, True]


def test_the_last_lines_reach_over_the_hole_without_reading_it(opened: int, tmp_path: Path) -> None:
    os.write(opened, b"first\n" + b"x" * MEBIBYTE + b"\n")
    os.truncate(opened, 1 << 34)
    os.pwrite(opened, b"\nlast\n", 1 << 34)
    end = output.size(opened)
    assert output.last_lines(opened, 1, end) == (1 << 34) + 1
    assert output.last_lines(opened, 2, end) == 6 + MEBIBYTE + 1
    assert output.last_lines(opened, 3, end) == 6
    assert output.last_lines(opened, 9, end) == 0


def test_reading_takes_little_memory(opened: int) -> None:
    os.truncate(opened, 256 * MEBIBYTE)
    tracemalloc.start()
    try:
        assert sum(map(len, output.chunks(opened, 0, 256 * MEBIBYTE))) == 256 * MEBIBYTE
        assert output.last_lines(opened, 5, 256 * MEBIBYTE) == 0
        assert tracemalloc.get_traced_memory()[1] < 4 * CHUNK
    finally:
        tracemalloc.stop()


def test_a_log_that_got_shorter_ends_where_it_ends(opened: int) -> None:
    os.write(opened, b"abc")
    assert content(opened, 1, 100) == b"bc"


def attempt(log: str | None) -> Attempt:
    return Attempt(number=1, state="failed", log=log)


def test_an_excerpt_is_text_of_the_last_lines(tmp_path: Path) -> None:
    (tmp_path / "load.1.log").write_bytes(b"one\ntwo\r\n\xffthree\nfour")
    assert output.excerpt(str(tmp_path), attempt("load.1.log"), 3) == ["two", "\ufffdthree", "four"]
    assert output.excerpt(str(tmp_path), attempt("load.2.log"), 3) == []
    assert output.excerpt(str(tmp_path), attempt(None), 3) == []
    (tmp_path / "load.1.log").write_bytes(b"x" * (2 * CHUNK))
    assert [len(line) for line in output.excerpt(str(tmp_path), attempt("load.1.log"), 3)] == [CHUNK]


def test_a_record_leads_to_no_file_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "run").mkdir()
    with pytest.raises(FileNotFoundError):
        output.open_log(str(tmp_path / "run"), attempt("../secret"))


def test_what_a_task_put_in_its_logs_place_blocks_nobody(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "load.1.log")
    with pytest.raises(StateTrouble, match="not a file any more"):
        output.open_log(str(tmp_path), attempt("load.1.log"))
    (tmp_path / "load.2.log").mkdir()
    with pytest.raises(StateTrouble, match="not a file any more"):
        output.open_log(str(tmp_path), attempt("load.2.log"))
