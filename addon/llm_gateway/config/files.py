"""Files of the gateway: the config, its backups, the state folder, the admin token.

What lives here: the only writes of this package, each atomic, each readable by its
owner alone. What this file does not know: what a config means.
"""

import os
import secrets
import threading
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from pydantic import SecretStr

from .load import revision_of

BACKUPS = 5
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)
_one_at_a_time = threading.Lock()


class Conflict(Exception):
    """The file is no longer the one that was edited. HTTP status: 409."""

    status = 409


def _write_new(path: Path, content: bytes, mode: int = 0o600) -> None:
    """A file that was not there before, on the disk when this returns."""
    descriptor = os.open(path, _NEW, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            if os.name == "posix":
                os.fchmod(file.fileno(), mode)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def _sync_folder(folder: Path) -> None:
    with suppress(OSError):  # not every system can
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _replace(path: Path, content: bytes, mode: int = 0o600) -> None:
    draft = path.with_name(f".{path.name}.{secrets.token_hex(6)}")
    _write_new(draft, content, mode)
    try:
        os.replace(draft, path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def _back_up(path: Path, content: bytes, now: float) -> None:
    stamp = datetime.fromtimestamp(now, UTC).strftime("%Y%m%dT%H%M%S.%fZ")
    with suppress(FileExistsError):  # two writes in one microsecond
        _write_new(path.with_name(f"{path.name}.bak-{stamp}"), content)
    for old in sorted(path.parent.glob(f"{path.name}.bak-*"))[:-BACKUPS]:
        old.unlink(missing_ok=True)


def _sweep(path: Path) -> None:
    """Drafts that a crash left behind: they hold keys too."""
    for draft in path.parent.glob(f".{path.name}.{'[0-9a-f]' * 12}"):
        draft.unlink(missing_ok=True)


def write_config(
    path: Path, text: str, *, now: float, expected: str | None = None
) -> str:
    """Replaces the config in one step and returns the new revision.

    The text that was there is kept beside it as `config.jsonc.bak-<UTC time>`, five of
    them, and its mode is kept. A symbolic link stays one. `expected` is the revision
    that the editor started from; raises `Conflict` when the file has another, `OSError`
    when it cannot be written (the file is then as it was).
    """
    content = text.encode("utf-8")
    target = Path(os.path.realpath(path))
    with _one_at_a_time:
        try:
            with open(target, "rb") as file:
                mode = os.fstat(file.fileno()).st_mode & 0o777
                old = file.read()
        except FileNotFoundError:
            mode, old = 0o600, None
        _expect(path, old, expected)
        _sweep(target)
        if old is not None and old != content:
            _back_up(target, old, now)
        _replace(target, content, mode)
    return revision_of(text)


def _expect(path: Path, content: bytes | None, expected: str | None) -> None:
    if expected is None:
        return
    there = revision_of(content.decode("utf-8", "replace")) if content else "nothing"
    if there != expected:
        raise Conflict(
            f"{path} changed meanwhile: it is at revision {there}, the edit "
            f"began at {expected}; load it again"
        )


def check_unchanged(path: Path, expected: str | None) -> None:
    """What `write_config` would say of `expected`, without writing."""
    _expect(path, path.read_bytes() if path.exists() else None, expected)


def state_folder(env: Mapping[str, str]) -> Path:
    """`LLM_GATEWAY_HOME`, else `~/.llm-gateway`; made when missing, mode 0700."""
    given = env.get("LLM_GATEWAY_HOME")
    folder = Path(given) if given else Path.home() / ".llm-gateway"
    folder = folder.expanduser()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if os.name == "posix" and folder.stat().st_mode & 0o077:
        with suppress(PermissionError):  # somebody else's: their choice
            folder.chmod(0o700)
    return folder


TOKEN_FILE = "admin-token"


def admin_token(folder: Path) -> SecretStr:
    """The token for the management routes; made at the first call, mode 0600."""
    path = folder / TOKEN_FILE
    with suppress(FileExistsError):
        _write_new(path, secrets.token_urlsafe(32).encode() + b"\n")
        _sync_folder(folder)
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0))
    with os.fdopen(descriptor, "rb") as file:
        if os.name == "posix" and os.fstat(file.fileno()).st_mode & 0o077:
            os.fchmod(file.fileno(), 0o600)
        token = file.read(4096).decode("ascii", "replace").strip()
    if len(token) < 32:  # cut off by a crash, or emptied
        token = secrets.token_urlsafe(32)
        _replace(path, token.encode() + b"\n")
    return SecretStr(token)
