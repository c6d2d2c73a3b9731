"""The attempt file: whatever bytes it holds, they have one meaning, and more of it never means less."""

from itertools import pairwise
from pathlib import Path

import hypothesis.strategies as st
import pytest
from hypothesis import given

from cronflow.lifecycle import Sighting, Stop
from cronflow.state import attempts, locks
from cronflow.state.attempts import Head, parse
from tests.unit.graphs import cancel, run_of, stop, task

HEAD = attempts.head(Head("etl/20261122T000000Z/load/1@00c0ffee", "b-o-o-t", "2026-11-22T00:00:01.000Z", 81.5))
PID = b',"pid":4711\n'
EXIT = b',"exit":143}\n'
REFUSAL = attempts.refusal("no such directory: '/gone'")

WHOLE = {
    "ended": HEAD + PID + EXIT,
    "refused": HEAD + REFUSAL,
    "given up": HEAD + PID + attempts.refusal("its shell gave up with exit code 2"),
}

# How far an attempt came, in the order in which its file grows. While the file is locked, all of it is `running`.
UNLOCKED = {"unstarted": 0, "lost": 1, "ended": 2}


def marks(content: bytes) -> dict[str, int]:
    """Where in a whole file each line is complete, its newline included."""
    pid = content.find(PID)
    return {"pid": pid + len(PID) if pid >= 0 else len(content), "end": len(content)}


@pytest.mark.parametrize("kind", WHOLE)
def test_every_beginning_of_a_file_has_its_meaning(kind: str) -> None:
    content = WHOLE[kind]
    at = marks(content)
    for length in range(len(content) + 1):
        expected = "unstarted" if length < at["pid"] else "lost" if length < at["end"] else "ended"
        phase, whole = parse(content[:length], locked=False)
        assert phase == expected, content[:length]
        assert (whole is not None) == (phase != "unstarted")
        assert parse(content[:length], locked=True)[0] == "running"


@pytest.mark.parametrize("kind", WHOLE)
@pytest.mark.parametrize("locked", [False, True])
def test_more_of_a_file_never_means_less(kind: str, locked: bool) -> None:
    seen = [parse(WHOLE[kind][:length], locked=locked) for length in range(len(WHOLE[kind]) + 1)]
    for (before, was), (after, now) in pairwise(seen):
        assert before == after == "running" if locked else UNLOCKED[before] <= UNLOCKED[after]
        assert was is None or (now is not None and now.attempt_id == was.attempt_id)
        assert was is None or now is None or was.pid is None or now.pid == was.pid


@pytest.mark.parametrize("length", range(len(HEAD), len(WHOLE["ended"])))
def test_a_running_attempt_tells_its_head_as_soon_as_it_is_there(length: int) -> None:
    phase, whole = parse(WHOLE["ended"][:length], locked=True)
    assert phase == "running"
    assert whole is not None
    assert whole.attempt_id == "etl/20261122T000000Z/load/1@00c0ffee"
    assert whole.pid == (4711 if length >= len(HEAD + PID) else None)


@pytest.mark.parametrize("kind", WHOLE)
@pytest.mark.parametrize("zeros", [1, 4096])
def test_zeros_after_a_file_s_end_are_nothing(kind: str, zeros: int) -> None:
    """Some file systems fill up to the length of a write that power loss cut off."""
    for length in range(len(WHOLE[kind]) + 1):
        content = WHOLE[kind][:length]
        assert parse(content + b"\0" * zeros, locked=False) == parse(content, locked=False)


@pytest.mark.parametrize(
    "content",
    [
        b"garbage",
        b"\n",
        b"{}\n",
        b"[]\n",
        b"null",
        b"\xff\xfe\n",
        b'{"attempt":1}\n',
        HEAD.replace(b"1@", b"1\xff@") + PID + EXIT,
        HEAD + PID.replace(b"4711", b"four") + EXIT,
        HEAD + b"\0" * 9 + PID + EXIT,
        PID + EXIT,
        EXIT,
        HEAD + HEAD,
        b"[" * 8000,
        HEAD + b",[" * 2000 + b"\n",
        HEAD + PID.replace(b"4711", b"0") + EXIT,
        HEAD + PID.replace(b"4711", b"1"),
        HEAD + PID.replace(b"4711", b"47114711") + EXIT,
        HEAD + PID + b',"ex' + REFUSAL,
        HEAD.replace(b"2026-11-22", b"2026-99-99") + PID + EXIT,
        b'{"attempt_id":' + b"[" * 8000 + b"\n\n",
        b'{"x":' * 1500 + b"\n",
    ],
)
@pytest.mark.parametrize("locked", [False, True])
def test_bytes_that_no_engine_and_no_shell_wrote(content: bytes, locked: bool) -> None:
    assert parse(content, locked=locked)[0] == ("running" if locked else "garbage")


@given(content=st.binary(max_size=200), locked=st.booleans())
def test_any_bytes_have_a_meaning(content: bytes, locked: bool) -> None:
    check_meaning(content, locked)


@given(
    kind=st.sampled_from(sorted(WHOLE)),
    at=st.integers(0, 200),
    length=st.integers(0, 20),
    instead=st.binary(max_size=20),
    locked=st.booleans(),
)
def test_a_file_that_was_hit_somewhere_has_a_meaning(
    kind: str, at: int, length: int, instead: bytes, locked: bool
) -> None:
    whole = WHOLE[kind]
    check_meaning(whole[:at] + instead + whole[at + length :], locked)


def check_meaning(content: bytes, locked: bool) -> None:
    """A phase that there is, and a sighting that the lifecycle can use."""
    phase, whole = parse(content, locked=locked)
    assert (phase == "running") == locked
    assert phase != "ended" or (whole is not None and (whole.exit is not None or whole.error is not None))
    seen = attempts.sighting(1, phase, whole, 1_795_305_600.0, "load.1.log")
    assert (seen is None) == (phase == "unstarted")


@pytest.mark.parametrize(("letter", "most"), [("é", 1500), ("\N{WOMAN}", 750), ("\x01", 375)])
def test_a_refusal_is_short_enough_to_be_written_whole(letter: str, most: int) -> None:
    longest = f"{'p' * 64}/20261122T101530.123Z-reboot-12345678/{'t' * 64}/10001@12345678"
    content = attempts.head(Head(longest, "b" * 36, "2026-11-22T00:00:01.000Z", 1e9 / 3)) + PID
    content += attempts.refusal(letter * 5000)
    assert len(content) < 4096
    phase, whole = parse(content, locked=False)
    assert phase == "ended"
    assert whole is not None
    assert whole.error == letter * most


# What the lifecycle is told

LOG = "load.1.log"
CHANGED = 1_795_305_660.0


@pytest.mark.parametrize(
    ("content", "locked", "expected"),
    [
        (b"", False, None),
        (HEAD, False, None),
        (b"", True, Sighting(number=1, phase="running", log=LOG)),
        (HEAD, True, Sighting(number=1, phase="running", started_at="2026-11-22T00:00:01.000Z", log=LOG)),
        (
            HEAD + PID + EXIT,
            True,
            Sighting(number=1, phase="running", pid=4711, started_at="2026-11-22T00:00:01.000Z", log=LOG),
        ),
        (
            HEAD + PID + EXIT,
            False,
            Sighting(
                number=1,
                phase="ended",
                pid=4711,
                exit_code=143,
                started_at="2026-11-22T00:00:01.000Z",
                ended_at="2026-11-22T00:01:00.000Z",
                log=LOG,
            ),
        ),
        (
            HEAD + REFUSAL,
            False,
            Sighting(
                number=1,
                phase="ended",
                error="no such directory: '/gone'",
                started_at="2026-11-22T00:00:01.000Z",
                ended_at="2026-11-22T00:01:00.000Z",
            ),
        ),
        (
            HEAD + PID,
            False,
            Sighting(
                number=1,
                phase="lost",
                pid=4711,
                started_at="2026-11-22T00:00:01.000Z",
                ended_at="2026-11-22T00:01:00.000Z",
                log=LOG,
            ),
        ),
        (
            b"garbage",
            False,
            Sighting(number=1, phase="ended", error=attempts.UNREADABLE, ended_at="2026-11-22T00:01:00.000Z", log=LOG),
        ),
    ],
)
def test_what_the_lifecycle_is_told(content: bytes, locked: bool, expected: Sighting | None) -> None:
    assert attempts.sighting(1, *parse(content, locked=locked), CHANGED, LOG) == expected


def test_an_attempt_does_not_end_before_it_starts() -> None:
    """The clock may have been set back in between."""
    seen = attempts.sighting(1, *parse(HEAD + PID + EXIT, locked=False), CHANGED - 3600, LOG)
    assert seen is not None
    assert seen.ended_at == seen.started_at


# On disk


def test_looking_sees_the_lock_of_another_and_takes_none(tmp_path: Path) -> None:
    path = tmp_path / "load.1.json"
    path.write_bytes(HEAD + PID)
    held = locks.open_locked(str(path))
    assert held is not None
    with open(held, "rb+"):
        assert attempts.look(str(tmp_path), "load", 1)[0] == "running"
        assert locks.open_locked(str(path)) is None
    assert attempts.look(str(tmp_path), "load", 1)[0] == "lost"
    assert attempts.look(str(tmp_path), "load", 1)[0] == "lost"


def test_only_the_open_round_s_attempts_of_known_tasks_are_seen(tmp_path: Path) -> None:
    run = run_of({"load": task(), "load.all": task(), "other": task()})
    for name in ("load.2.json", "load.10.json", "load.all.1.json", "gone.1.json", "load.1.log", "load.x.json"):
        (tmp_path / name).write_bytes(HEAD + PID + EXIT)
    (tmp_path / "other.1.json").write_bytes(HEAD)
    (tmp_path / "run.json").write_bytes(b"{}")
    found = attempts.sightings(str(tmp_path), run)
    assert {name: [seen.number for seen, _ in pairs] for name, pairs in found.items()} == {
        "load": [2, 10],
        "load.all": [1],
    }


def test_a_note_why_an_attempt_is_stopped_stands(tmp_path: Path) -> None:
    assert attempts.read_stop(str(tmp_path), "load", 1) is None
    attempts.write_stop(str(tmp_path), "load", 1, stop("timeout"))
    attempts.write_stop(str(tmp_path), "load", 1, stop("cancel"))
    assert attempts.read_stop(str(tmp_path), "load", 1) == stop("timeout")


def test_a_wish_is_there_as_it_was_written(tmp_path: Path) -> None:
    assert attempts.read_wish(str(tmp_path)) is None
    attempts.write_wish(str(tmp_path), cancel())
    assert attempts.read_wish(str(tmp_path)) == cancel()


@pytest.mark.parametrize(
    "content", [b"", b"{", b"\xff\xfe", b"\0" * 50, b"[" * 5000, b'{"reason":"boredom"}', b'{"x":' * 1500]
)
def test_a_note_that_says_nothing_is_no_note(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "load.1.stop").write_bytes(content)
    (tmp_path / "cancel.json").write_bytes(content)
    assert attempts.read_stop(str(tmp_path), "load", 1) is None
    assert attempts.read_wish(str(tmp_path)) is None


def test_a_note_of_later_days_is_read_for_what_is_known(tmp_path: Path) -> None:
    (tmp_path / "load.1.stop").write_bytes(b'{"reason":"cancel","by":"ann","at":"2026-11-22T00:00:01.000Z","new":1}')
    assert attempts.read_stop(str(tmp_path), "load", 1) == Stop(
        reason="cancel", by="ann", at="2026-11-22T00:00:01.000Z"
    )
