"""Files of the gateway: the config, its backups, the state folder, the admin token.

What lives here: the only writes of this package, each atomic, each readable by its
owner alone. What this file does not know: what a config means.
"""

import os
import secrets
import stat
import threading
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from pydantic import SecretStr

from llm_gateway import private_files
from llm_gateway.gateway_client import TOKEN_FILE

from .edit import mask
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
    """What `write_config` would say of `expected`, without writing.

    Raises:
        Conflict: the file is at another revision.
        OSError: it cannot be read.
    """
    _expect(path, path.read_bytes() if path.exists() else None, expected)


def state_path(env: Mapping[str, str]) -> Path:
    """`LLM_GATEWAY_HOME`, else `~/.llm-gateway`, whether it is there or not."""
    given = env.get("LLM_GATEWAY_HOME")
    folder = Path(given) if given else Path.home() / ".llm-gateway"
    return folder.expanduser()


def state_folder(env: Mapping[str, str]) -> Path:
    """`state_path`, made when missing, mode 0700.

    Raises `NotPrivate` for one that belongs to somebody else, or that others may write.
    """
    folder = state_path(env)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    private_files.check_folder(
        folder, use_another="set LLM_GATEWAY_HOME to a folder of your own"
    )
    if os.name == "posix" and folder.stat().st_mode & 0o077:
        with suppress(PermissionError):  # root's: it cannot be written by others
            folder.chmod(0o700)
    return folder


DASHBOARD_SECRET = "dashboard-secret"
LOGINS = "copilot"
CA_FILES = ("mitmproxy-ca.pem", "mitmproxy-dhparam.pem")


def check_state(folder: Path) -> None:
    """All files with secrets in the state folder. Raises `NotPrivate`."""
    for name in (TOKEN_FILE, DASHBOARD_SECRET):
        private_files.check_file(folder / name)
    logins = folder / LOGINS
    if os.path.lexists(logins):
        private_files.check_folder(logins, use_another="remove it and sign in again")
        for file in logins.iterdir():
            private_files.check_file(file)


def check_ca(folder: Path) -> None:
    """mitmproxy's CA and its folder: whoever exchanges it can read what it protects.

    The folder may have been made a moment ago under an open umask, so it is closed;
    files that others put there are still theirs. Raises `NotPrivate`.
    """
    if folder.is_dir():
        private_files.check_folder(
            folder,
            use_another="name another one with --set confdir=FOLDER",
            tighten=True,
        )
        for name in CA_FILES:
            private_files.check_file(folder / name)


def exposure(path: Path, text: str) -> str:
    """What should be said about who else may use the config file; "" for nothing."""
    if os.name != "posix":
        return ""
    found = path.stat()
    mode = stat.S_IMODE(found.st_mode)
    if found.st_uid not in (0, os.geteuid()) or mode & private_files.OTHERS_WRITE:
        return (
            f"{path} can be changed by others (owner uid {found.st_uid}, mode "
            f"{mode:04o}), who could send your keys to an address of theirs; "
            f"`chmod 600 {path}`, and own it."
        )
    if mode & private_files.OTHERS and mask(text).text != text:
        return (
            f"{path} holds keys and can be read by others (mode {mode:04o}); "
            f"`chmod 600 {path}`."
        )
    return ""


def admin_token(folder: Path) -> SecretStr:
    """The token for the management routes; made at the first call, mode 0600.

    Raises `NotPrivate` for a file that somebody else may have written.
    """
    path = folder / TOKEN_FILE
    with suppress(FileExistsError):
        _write_new(path, secrets.token_urlsafe(32).encode() + b"\n")
        _sync_folder(folder)
    token = private_files.read(path).decode("ascii", "replace").strip()
    if len(token) < 32:  # cut off by a crash, or emptied
        token = secrets.token_urlsafe(32)
        _replace(path, token.encode() + b"\n")
    return SecretStr(token)
