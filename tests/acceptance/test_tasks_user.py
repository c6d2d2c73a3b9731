"""`user`: who a task is where cronflow runs as root, and what it says where it does not."""

import os
import pwd
import stat

import pytest

from tests.acceptance.witness import log, run_dir, states
from tests.conftest import Cronflow

ROOT = os.geteuid() == 0
as_root = pytest.mark.skipif(not ROOT, reason="only root runs tasks as others")
as_nobody_special = pytest.mark.skipif(ROOT, reason="root may run tasks as anybody")

OTHER = "nobody"


@as_root
def test_a_task_is_its_user_in_every_way(cronflow: Cronflow) -> None:
    cronflow.pipeline(
        "user",
        f"""
        defaults: {{user: {OTHER}}}
        tasks:
          ids: {{run: 'id -u; id -g; id -G; grep -E "^(Uid|Gid|CapEff)" /proc/self/status'}}
          names: {{run: 'echo $HOME $USER $LOGNAME $SHELL'}}
          bash: {{run: id -u, shell: bash -e}}
          text: {{run: cat, stdin: text}}
          root: {{run: id -u, user: root}}
        """,
    )
    assert cronflow("run", "user").returncode == 0
    other = pwd.getpwnam(OTHER)
    ids = log(cronflow, "user", "ids").decode().splitlines()
    groups = os.getgrouplist(OTHER, other.pw_gid)
    assert ids[:2] == [str(other.pw_uid), str(other.pw_gid)]
    assert sorted(map(int, ids[2].split())) == sorted(groups)
    assert [line.split()[1:] for line in ids[3:]] == [
        [str(other.pw_uid)] * 4,
        [str(other.pw_gid)] * 4,
        ["0" * 16],
    ]
    assert log(cronflow, "user", "names").decode() == f"{other.pw_dir} {OTHER} {OTHER} {other.pw_shell}\n"
    assert log(cronflow, "user", "bash").decode() == f"{other.pw_uid}\n"
    assert log(cronflow, "user", "text") == b"text"
    assert log(cronflow, "user", "root") == b"0\n"


@as_root
def test_the_log_is_the_users_and_the_record_is_not(cronflow: Cronflow) -> None:
    cronflow.pipeline(
        "user",
        f"tasks: {{a: {{run: 'echo one; echo two >> /dev/stdout; echo three >> /dev/stderr', user: {OTHER}}}}}\n",
    )
    assert cronflow("run", "user").returncode == 0
    assert log(cronflow, "user", "a") == b"one\ntwo\nthree\n"
    at = run_dir(cronflow, "user")
    written = (at / "a.1.log").stat()
    assert (written.st_uid, stat.S_IMODE(written.st_mode)) == (pwd.getpwnam(OTHER).pw_uid, 0o600)
    assert (at / "run.json").stat().st_uid == at.stat().st_uid == 0


@as_root
def test_the_users_home_is_only_a_default(cronflow: Cronflow) -> None:
    cronflow.pipeline("user", f"tasks: {{a: {{run: echo $HOME $USER, user: {OTHER}, env: {{HOME: /elsewhere}}}}}}\n")
    assert cronflow("run", "user").returncode == 0
    assert log(cronflow, "user", "a").decode() == f"/elsewhere {OTHER}\n"


@as_root
def test_a_task_cannot_end_its_own_record_keeper(cronflow: Cronflow) -> None:
    cronflow.pipeline("user", f"tasks: {{a: {{run: 'kill -9 $PPID; exit 5', shell: /bin/sh, user: {OTHER}}}}}\n")
    run = cronflow.json("run", "user", code=1)
    assert run["tasks"]["a"]["reason"] == "exit code 5"


@as_root
def test_a_task_of_another_user_is_stopped_like_any(cronflow: Cronflow) -> None:
    cronflow.pipeline(
        "user",
        f"""
        defaults: {{user: {OTHER}, grace: 0.1s, timeout: 0.1s}}
        tasks:
          near: {{run: sleep 60}}
          away: {{run: 'trap "" TERM; setsid sleep 60'}}
        """,
    )
    run = cronflow.json("run", "user", code=1)
    assert {task["reason"] for task in run["tasks"].values()} == {"timeout: still running after 0.1s"}


def test_a_user_that_is_not_there_is_the_reason(cronflow: Cronflow) -> None:
    cronflow.pipeline("user", "tasks: {a: {run: 'true', user: no-such-user}, b: {run: 'true'}}\n")
    run = cronflow.json("run", "user", code=1)
    assert states(run) == {"a": "failed", "b": "succeeded"}
    assert run["tasks"]["a"]["reason"] == "no such user: 'no-such-user'"


@as_nobody_special
def test_without_root_a_task_can_only_be_oneself(cronflow: Cronflow) -> None:
    mine = [account.pw_name for account in pwd.getpwall() if account.pw_uid == os.geteuid()]
    if not mine:
        pytest.skip("this user has no name here")
    cronflow.pipeline("user", f"tasks: {{me: {{run: id -u, user: {mine[0]}}}, other: {{run: 'true', user: root}}}}\n")
    run = cronflow.json("run", "user", code=1)
    assert log(cronflow, "user", "me") == b"%d\n" % os.geteuid()
    assert run["tasks"]["other"]["reason"] == "user 'root': only root can run a task as another user"
