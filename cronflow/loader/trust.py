"""Who may write a file or directory: what cronflow runs must be what its owner meant, as cron sees it too."""

import os
import stat
from functools import lru_cache


def refusals(path: str, status: os.stat_result, *, any_owner: bool = False) -> list[str]:
    """Why a file or directory can't be trusted, each with the command that mends it. Empty where it can.

    `any_owner` is for a file that a person named from outside the pipelines directory: that is trust enough in its
    owner, as it is for `sh FILE`.
    """
    found = []
    mode = status.st_mode
    # In a sticky directory such as /tmp everybody has files of their own; each is looked at itself.
    is_shared = stat.S_ISDIR(mode) and mode & stat.S_ISVTX
    if not any_owner and status.st_uid not in {0, os.geteuid()}:
        found.append((f"{path} belongs to {user_name(status.st_uid)}", f"chown {user_name(os.geteuid())}"))
    if mode & stat.S_IWOTH and not is_shared:
        found.append((f"others may write {path}", "chmod o-w"))
    if mode & stat.S_IWGRP and not is_shared and not is_private_group(status.st_uid, status.st_gid):
        found.append((f"the group {group_name(status.st_gid)} may write {path}", "chmod g-w"))
    return [f"{reason}: {mending} {quoted(path)}" for reason, mending in found]


def quoted(path: str) -> str:
    """The path as a shell takes it."""
    from shlex import quote

    return quote(path)


def directories_of(path: str, top: str) -> list[str]:
    """The directories of a file, up to `top` where it is inside of that, else only its own.

    Of a link, the one of the file that it leads to as well.
    """
    directory = os.path.dirname(path)
    found = [directory]
    while directory != top and directory.startswith(top.rstrip("/") + "/"):
        directory = os.path.dirname(directory)
        found.append(directory)
    if os.path.islink(path):
        found.append(os.path.dirname(os.path.realpath(path)))
    return found


@lru_cache
def is_private_group(uid: int, gid: int) -> bool:
    """Whether the group is the user's own: the primary one, with nobody else in it."""
    import grp
    import pwd

    try:
        user, group = pwd.getpwuid(uid), grp.getgrgid(gid)
    except KeyError:
        return False
    return user.pw_gid == gid and set(group.gr_mem) <= {user.pw_name}


def user_name(uid: int) -> str:
    """The user's name, or the number of one without a name."""
    import pwd

    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def group_name(gid: int) -> str:
    """The group's name, or the number of one without a name."""
    import grp

    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)
