"""Files of the state directory: private, whole or not there, and durable as far as a test can see."""

import errno
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cronflow.errors import StateTrouble
from cronflow.state import files


@pytest.fixture(params=[0o000, 0o022, 0o077])
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o7777


def test_what_is_written_is_its_owners_alone(tmp_path: Path, umask: int) -> None:
    files.make_dirs(str(tmp_path / "a" / "b"))
    files.write_new(str(tmp_path / "a" / "new"), b"1")
    files.replace(str(tmp_path / "a" / "b" / "whole"), b"2")
    assert [mode(tmp_path / "a"), mode(tmp_path / "a" / "b")] == [0o700, 0o700]
    assert [mode(tmp_path / "a" / "new"), mode(tmp_path / "a" / "b" / "whole")] == [0o600, 0o600]


def test_directories_that_are_there_stay_as_they_are(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    files.make_dirs(str(tmp_path))
    files.make_dirs(str(tmp_path / "a"))
    files.make_dirs(str(tmp_path / "a"))
    assert mode(tmp_path) == 0o755


def test_a_file_stands_where_a_directory_must_be(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("")
    with pytest.raises(NotADirectoryError):
        files.make_dirs(str(tmp_path / "a" / "b"))
    with pytest.raises(NotADirectoryError):
        files.make_dirs(str(tmp_path / "a"))


def test_two_processes_may_make_the_same_directories(tmp_path: Path) -> None:
    script = (
        "import sys; from cronflow.state import files; [files.make_dirs(f'{sys.argv[1]}/{n}/b/c') for n in range(60)]"
    )
    words = [sys.executable, "-c", script, str(tmp_path)]
    makers = [subprocess.Popen(words, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    for maker in makers:
        errors = maker.communicate(timeout=60)[1]
        assert maker.returncode == 0, errors


def test_write_new_overwrites_nothing(tmp_path: Path) -> None:
    path = tmp_path / "file"
    files.write_new(str(path), b"first")
    with pytest.raises(FileExistsError):
        files.write_new(str(path), b"second")
    assert path.read_bytes() == b"first"


def test_replace_leaves_the_new_content_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "file"
    for content in (b"a long first content", b"", b"second"):
        files.replace(str(path), content)
        assert path.read_bytes() == content
    assert os.listdir(tmp_path) == ["file"]


def test_a_reader_never_sees_half_of_a_replacement(tmp_path: Path) -> None:
    path = tmp_path / "file"
    files.replace(str(path), b"0" * 50_000)
    script = (
        "import sys; from cronflow.state import files\n"
        "for n in range(100): files.replace(sys.argv[1], b'%d' % (n % 10) * 50_000)\n"
    )
    writer = subprocess.Popen([sys.executable, "-c", script, str(path)])
    while writer.poll() is None:
        content = files.read(str(path))
        assert content is not None
        assert len(content) == 50_000
        assert len(set(content)) == 1
    assert writer.returncode == 0


def test_a_replacement_that_does_not_fit_keeps_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    files.replace(str(path), b"old")
    script = (
        "import resource, signal, sys; from cronflow.state import files\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "try: files.replace(sys.argv[1], b'x' * 5000)\n"
        "except OSError as error: sys.exit(error.errno)\n"
    )
    done = subprocess.run([sys.executable, "-c", script, str(path)], check=False)
    assert done.returncode == errno.EFBIG
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["file"], "the draft is gone"


def test_reading_what_is_not_there(tmp_path: Path) -> None:
    assert files.read(str(tmp_path / "missing")) is None
    (tmp_path / "big").write_bytes(os.urandom(3_000_000))
    assert files.read(str(tmp_path / "big")) == (tmp_path / "big").read_bytes()
    with pytest.raises(IsADirectoryError):
        files.read(str(tmp_path))


def test_removing_twice_is_removing_once(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    files.remove(str(tmp_path / "file"))
    files.remove(str(tmp_path / "file"))
    assert os.listdir(tmp_path) == []


def test_putting_aside_keeps_the_content_under_another_name(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"\xff")
    assert files.put_aside(str(tmp_path / "file")) == f"{tmp_path}/file.bad"
    assert (tmp_path / "file.bad").read_bytes() == b"\xff"


def test_putting_aside_again_loses_nothing(tmp_path: Path) -> None:
    for content in (b"1", b"2", b"3"):
        (tmp_path / "file").write_bytes(content)
        files.put_aside(str(tmp_path / "file"))
    assert sorted(path.read_bytes() for path in tmp_path.iterdir()) == [b"1", b"2", b"3"]


def test_no_descriptor_is_left_open(tmp_path: Path) -> None:
    before = sorted(os.listdir("/proc/self/fd"))
    files.replace(str(tmp_path / "file"), b"1")
    files.read(str(tmp_path / "file"))
    with pytest.raises(FileExistsError):
        files.write_new(str(tmp_path / "file"), b"2")
    assert sorted(os.listdir("/proc/self/fd")) == before


def test_what_the_system_says_is_told_with_the_path() -> None:
    with pytest.raises(StateTrouble) as caught, files.told("claim a run", "/state"):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert str(caught.value) == "/state: can't claim a run: No space left on device"
    assert caught.value.exit_code == 4
