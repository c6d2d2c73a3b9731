"""Open-file-description locks, tried between real processes."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from cronflow.state import locks


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "lock"


def opened(path: Path, flags: int = os.O_RDWR | os.O_CREAT) -> int:
    return os.open(path, flags, 0o600)


def test_a_lock_belongs_to_one_open_description(path: Path) -> None:
    first, second = opened(path), opened(path)
    assert locks.lock(first)
    assert locks.lock(first), "taking it again changes nothing"
    assert not locks.lock(second)
    os.close(first)
    assert locks.lock(second)
    os.close(second)


def test_looking_takes_nothing(path: Path) -> None:
    holder, reader = opened(path), opened(path, os.O_RDONLY)
    assert not locks.is_locked(reader)
    assert locks.lock(holder)
    assert locks.is_locked(reader)
    assert not locks.is_locked(holder), "to its own holder it is free"
    os.close(reader)
    os.close(opened(path, os.O_RDONLY))
    other = opened(path)
    assert not locks.lock(other), "closing another descriptor of the file freed the lock"
    os.close(holder)
    os.close(other)


def test_a_child_inherits_the_lock_and_the_kernel_frees_it(path: Path) -> None:
    fd = opened(path)
    assert locks.lock(fd)
    child = subprocess.Popen(["sleep", "60"], pass_fds=[fd])
    os.close(fd)
    other = opened(path)
    assert not locks.lock(other)
    child.kill()
    child.wait()
    assert locks.lock(other)
    os.close(other)


def test_another_process_sees_the_lock(path: Path) -> None:
    look = "import os, sys; from cronflow.state import locks; print(locks.is_locked(os.open(sys.argv[1], os.O_RDONLY)))"
    fd = opened(path)

    def seen() -> str:
        return subprocess.run([sys.executable, "-c", look, path], capture_output=True, text=True, check=True).stdout

    assert seen() == "False\n"
    assert locks.lock(fd)
    assert seen() == "True\n"
    os.close(fd)


def test_open_locked_makes_a_private_file_and_refuses_a_taken_one(path: Path) -> None:
    before = os.umask(0)
    try:
        fd = locks.open_locked(str(path))
    finally:
        os.umask(before)
    assert fd is not None
    assert path.stat().st_mode & 0o777 == 0o600
    assert not os.get_inheritable(fd)
    assert locks.open_locked(str(path)) is None
    os.close(fd)


def test_a_refusal_leaves_no_descriptor_open(path: Path) -> None:
    fd = locks.open_locked(str(path))
    assert fd is not None
    before = sorted(os.listdir("/proc/self/fd"))
    assert all(locks.open_locked(str(path)) is None for _ in range(3))
    assert sorted(os.listdir("/proc/self/fd")) == before
    os.close(fd)


def test_a_removed_file_is_not_the_one_under_the_name(path: Path) -> None:
    fd = locks.open_locked(str(path))
    assert fd is not None
    assert locks.same_file(fd, str(path))
    path.unlink()
    assert not locks.same_file(fd, str(path))
    path.touch()
    assert not locks.same_file(fd, str(path))
    again = locks.open_locked(str(path))
    assert again is not None, "whoever comes now gets the new file, and its lock"
    os.close(fd)
    os.close(again)


# Each of the processes takes the lock and removes the file before letting go, as the last holder of an entry does:
# the one that locked a removed file has to notice.
RACE = """
import os, sys
from cronflow.state import locks
path, inside, rounds = sys.argv[1], sys.argv[2], int(sys.argv[3])
taken = 0
while taken < rounds:
    fd = locks.open_locked(path)
    if fd is None:
        continue
    os.close(os.open(inside, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
    os.unlink(inside)
    taken += 1
    if taken % 2:
        os.unlink(path)
    os.close(fd)
"""


def test_never_two_holders_also_where_holders_remove_the_file(path: Path) -> None:
    words = [sys.executable, "-c", RACE, path, path.with_name("inside"), "300"]
    racers = [subprocess.Popen(words, stderr=subprocess.PIPE, text=True) for _ in range(3)]
    for racer in racers:
        errors = racer.communicate(timeout=60)[1]
        assert racer.returncode == 0, errors


def test_a_file_that_cannot_be_opened_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        locks.open_locked(str(tmp_path / "missing" / "lock"))
