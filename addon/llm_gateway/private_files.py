"""Files and folders with secrets: whose they are, and who else may write them.

As ssh does with its keys: a file that somebody else owns, or that others may write, or
that is reached through a symbolic link, may hold what somebody else put there. Root is
trusted, since root could do anything anyway. Everything here raises `NotPrivate`, whose
text says which path, what is wrong with it and what to do; on systems without POSIX
permissions nothing is checked.

What this file does not know: what the secrets are for.
"""

import os
import stat
from pathlib import Path

POSIX = os.name == "posix"
OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH
OTHERS = stat.S_IRWXG | stat.S_IRWXO
MAX_FILE_BYTES = 1 << 20
"""Bytes of a file that are read."""

_OPEN = (
    os.O_RDONLY
    | getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_NONBLOCK", 0)  # a pipe in its place is no reason to wait
    | getattr(os, "O_CLOEXEC", 0)
)


class NotPrivate(PermissionError):
    """A file or folder that secrets may neither be read from nor written to."""


def check_folder(path: Path, *, use_another: str, tighten: bool = False) -> None:
    """A folder that is there: ours or root's, and nobody else may write in it.

    `use_another` ends the message: how to name another folder. `tighten` takes others'
    right to write away where the folder is ours, instead of refusing it. Raises
    NotPrivate, and OSError when it cannot be looked at.
    """
    if not POSIX:
        return
    _check_owner(path, path.lstat(), use_another)
    found = path.stat()
    if not stat.S_ISDIR(found.st_mode):
        raise NotPrivate(f"{path} is no folder; {use_another}.")
    _check_owner(path, found, use_another)
    if not found.st_mode & OTHERS_WRITE:
        return
    if tighten and found.st_uid == os.geteuid():
        path.chmod(stat.S_IMODE(found.st_mode) & ~OTHERS_WRITE)
        return
    raise NotPrivate(
        f"{path} can be written by others (mode {_mode(found)}), who could put files "
        f"of theirs there: look what is in it, then `chmod 700 {path}`; or {use_another}."
    )


def check_file(path: Path) -> None:
    """A file, if it is there. Raises NotPrivate."""
    if not POSIX:
        return
    try:
        found = path.lstat()
    except FileNotFoundError:
        return
    _check_file(path, found)


def read(path: Path) -> bytes:
    """What a file with a secret holds; nobody else may read it any more afterwards.

    Raises NotPrivate, else OSError as `open` does.
    """
    check_file(path)
    descriptor = os.open(path, _OPEN)
    with os.fdopen(descriptor, "rb") as file:
        if POSIX:
            found = os.fstat(file.fileno())
            _check_file(path, found)
            if found.st_mode & OTHERS and found.st_uid == os.geteuid():
                os.fchmod(file.fileno(), 0o600)
        return file.read(MAX_FILE_BYTES)


def _check_file(path: Path, found: os.stat_result) -> None:
    if stat.S_ISLNK(found.st_mode):
        raise NotPrivate(
            f"{path} is a symbolic link; put the file itself there, or remove it."
        )
    if not stat.S_ISREG(found.st_mode):
        raise NotPrivate(f"{path} is no regular file; remove it.")
    _check_owner(path, found, "remove it, if you do not know it")
    if found.st_mode & OTHERS_WRITE:
        raise NotPrivate(
            f"{path} can be written by others (mode {_mode(found)}): what it holds may "
            f"be somebody else's. Remove it; or, if you know what is in it, "
            f"`chmod 600 {path}`."
        )


def _check_owner(path: Path, found: os.stat_result, instead: str) -> None:
    if found.st_uid not in (0, os.geteuid()):
        raise NotPrivate(
            f"{path} belongs to {_user(found.st_uid)}, the gateway runs as "
            f"{_user(os.geteuid())}: whoever owns it could read and exchange secrets. "
            f"Change its owner (chown), or {instead}."
        )


def _mode(found: os.stat_result) -> str:
    return f"{stat.S_IMODE(found.st_mode):04o}"


def _user(uid: int) -> str:
    import pwd

    try:
        return f"{pwd.getpwuid(uid).pw_name} (uid {uid})"
    except KeyError:
        return f"uid {uid}"
