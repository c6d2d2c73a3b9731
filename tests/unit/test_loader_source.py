"""Files that must not be read, or not be obeyed: what is said of them, and how they are mended."""

import getpass
import grp
import os
import pwd
import stat
import subprocess
from pathlib import Path

import pytest

from cronflow.loader import pipeline_file, source, trust
from cronflow.problem import show
from cronflow.spec import Config

AS_ROOT = os.geteuid() == 0
GOOD = b"run: x\n"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A good file that only its owner writes."""
    path = tmp_path / "etl.yaml"
    path.write_bytes(GOOD)
    path.chmod(0o644)
    return path


def told(path: Path) -> list[str]:
    """The problems of a file, without its directory."""
    loaded = pipeline_file.load(str(path), pipelines_dir=str(path.parent), config=Config())
    assert bool(loaded.problems) != bool(loaded.pipelines)
    return [show(path.name, problem) for problem in loaded.problems]


CONTENTS = [
    ("empty", b"", "1:1: the file is empty: a pipeline has at least a 'run'"),
    ("latin-1", b"run: x\n# Gr\xfc\xdfe\n", "2:5: not UTF-8: found the byte 0xfc; save it as UTF-8"),
    ("utf-16", "run: x\n".encode("utf-16"), "1:1: not UTF-8: found the byte 0xff; save it as UTF-8"),
    ("cut in a character", "# ü".encode()[:-1], "1:3: not UTF-8: found the byte 0xc3; save it as UTF-8"),
    (
        "NUL",
        b"run: x\nenv: {A: 'b\x00'}\n",
        "2:12: found the control character U+0000: remove it, or write it as an escape in quotes",
    ),
    (
        "escape",
        b"run: \x1b[31m\n",
        "1:6: found the control character U+001B: remove it, or write it as an escape in quotes",
    ),
    (
        "too large",
        b"run: x\n#" + b"x" * (1024 * 1024 - 7),
        "1:1: larger than 1 MiB: split it, or move what is large into files of its own",
    ),
]


@pytest.mark.parametrize(("content", "message"), [row[1:] for row in CONTENTS], ids=[row[0] for row in CONTENTS])
def test_contents_that_can_not_be_read(path: Path, content: bytes, message: str) -> None:
    path.write_bytes(content)
    assert told(path) == [f"etl.yaml:{message}"]


def test_a_mebibyte_is_not_too_large(path: Path) -> None:
    path.write_bytes(b"run: x\n#" + b"x" * (1024 * 1024 - 8))
    assert told(path) == []


def test_what_is_not_there(tmp_path: Path) -> None:
    assert told(tmp_path / "etl.yaml") == ["etl.yaml:1:1: can't be read: No such file or directory"]


def test_what_is_no_file_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo.yaml")
    (tmp_path / "directory.yaml").mkdir()
    assert told(tmp_path / "fifo.yaml") == ["fifo.yaml:1:1: not a regular file"]
    assert told(tmp_path / "directory.yaml") == ["directory.yaml:1:1: not a regular file"]


@pytest.mark.skipif(AS_ROOT, reason="root may read everything")
def test_what_may_not_be_read(path: Path) -> None:
    path.chmod(0)
    assert told(path) == ["etl.yaml:1:1: can't be read: Permission denied"]


def test_a_path_that_no_record_can_hold(tmp_path: Path) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.yaml"))
    path.write_bytes(GOOD)
    assert told(path) == [r"caf\udce9.yaml:1:1: the path is not UTF-8: rename the file, or the directory"]


def test_who_may_write(path: Path) -> None:
    path.chmod(0o646)
    assert told(path) == [f"etl.yaml:1:1: others may write {path}: chmod o-w {path}"]


def test_the_command_that_is_named_mends_it(tmp_path: Path) -> None:
    path = tmp_path / "it's a file.yaml"
    path.write_bytes(b"name: etl\nrun: x\n")
    path.chmod(0o666)
    for line in told(path):
        subprocess.run(["/bin/sh", "-ec", line.rsplit(": ", 1)[1]], check=True)
    assert told(path) == []
    assert stat.S_IMODE(path.stat().st_mode) & stat.S_IWOTH == 0


def status(uid: int, gid: int, mode: int) -> os.stat_result:
    """What `stat` says of a file of this owner, group and mode."""
    return os.stat_result((mode, 0, 0, 1, uid, gid, 0, 0, 0, 0))


def foreign_group() -> grp.struct_group:
    """A group that is not our own primary one, nor root's."""
    mine = {0, pwd.getpwuid(os.geteuid()).pw_gid}
    return next(group for group in grp.getgrall() if group.gr_gid not in mine)


def test_a_group_that_is_not_the_owners_own() -> None:
    group = foreign_group()
    assert trust.refusals("/srv/etl.yaml", status(os.geteuid(), group.gr_gid, 0o100664)) == [
        f"the group {group.gr_name} may write /srv/etl.yaml: chmod g-w /srv/etl.yaml"
    ]
    assert trust.refusals("/srv/etl.yaml", status(os.geteuid(), 987654, 0o100664)) == [
        "the group 987654 may write /srv/etl.yaml: chmod g-w /srv/etl.yaml"
    ]
    assert trust.refusals("/srv/etl.yaml", status(os.geteuid(), group.gr_gid, 0o100644)) == []


def test_the_owners_own_group_may_write() -> None:
    me = pwd.getpwuid(os.geteuid())
    if set(grp.getgrgid(me.pw_gid).gr_mem) - {me.pw_name}:
        pytest.skip("this user's primary group has other members")
    assert trust.refusals("/srv/etl.yaml", status(me.pw_uid, me.pw_gid, 0o100664)) == []


def test_another_owner() -> None:
    me = getpass.getuser() if AS_ROOT else pwd.getpwuid(os.geteuid()).pw_name
    assert trust.refusals("/srv/etl.yaml", status(987654, 0, 0o100644)) == [
        f"/srv/etl.yaml belongs to 987654: chown {me} /srv/etl.yaml"
    ]
    assert trust.refusals("/srv/etl.yaml", status(0, 0, 0o100644)) == []
    assert trust.refusals("/srv/etl.yaml", status(987654, 0, 0o100644), any_owner=True) == []


def test_a_directory_where_everybody_has_their_own() -> None:
    assert trust.refusals("/tmp", status(0, 0, 0o041777)) == []
    assert trust.refusals("/srv", status(0, 0, 0o040777)) == ["others may write /srv: chmod o-w /srv"]
    assert trust.refusals("/srv/f", status(0, 0, 0o101666)) == ["others may write /srv/f: chmod o-w /srv/f"]


DIRECTORIES = [
    ("/srv/pipelines/etl.yaml", ["/srv/pipelines"]),
    ("/srv/pipelines/a/b/etl.yaml", ["/srv/pipelines/a/b", "/srv/pipelines/a", "/srv/pipelines"]),
    ("/srv/pipelines2/etl.yaml", ["/srv/pipelines2"]),
    ("/elsewhere/a/etl.yaml", ["/elsewhere/a"]),
]


@pytest.mark.parametrize(("path", "directories"), DIRECTORIES)
def test_which_directories_count(path: str, directories: list[str]) -> None:
    assert trust.directories_of(path, "/srv/pipelines") == directories


def test_of_a_link_both_places_count(tmp_path: Path) -> None:
    for name in ("pipelines", "elsewhere"):
        (tmp_path / name).mkdir()
    link = tmp_path / "pipelines" / "etl.yaml"
    link.symlink_to("../elsewhere/etl.yaml")
    here = os.path.realpath(tmp_path)
    assert trust.directories_of(f"{here}/pipelines/etl.yaml", f"{here}/pipelines") == [
        f"{here}/pipelines",
        f"{here}/elsewhere",
    ]


def test_places_count_from_one() -> None:
    assert [source.spot(text) for text in ("", "a", "a\n", "a\n\nbc")] == [(1, 1), (1, 2), (2, 1), (3, 3)]
