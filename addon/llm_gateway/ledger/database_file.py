"""Opening `usage.db`, and what is done about a file that cannot be used as it is.

    not there              made, mode 0600
    damaged                moved aside with its -wal and -shm, never deleted; a new one is
                           made, with what limits need out of the old one
    locked for a while     waited for; then opened without what needs writing
    anything else          StoreError: one line, what and why

What lives here: that, and the lock that keeps a second gateway off the same file. A file
that is too large to be checked while people wait is opened first, and checked by the
`Checkup`, which reads it beside the writer.

What this file does not know: queues, threads, what is written later.
"""

import os
import sqlite3
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import IO

from sqlite_utils import Database

from llm_gateway.ledger import batch_insert, recovery, schema

fcntl: ModuleType | None
try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

STARTING_PATIENCE = 5.0
"""Seconds that opening waits for somebody else's write lock."""
OLDEST_SQLITE = (3, 37)
"""STRICT tables; the newest feature that the schema and the canned queries use."""
WRITING_PATIENCE = 0.1
"""Seconds that a write waits for it, before the next look at the queue."""
CHECKED_AT_ONCE = 256 * 1024 * 1024
"""Bytes of a file that is checked before it is used: less than a second."""
LARGEST_LOG = 64 * 1024 * 1024
"""Bytes that the write-ahead log is cut back to after a checkpoint."""

SYNCHRONOUS = {"normal": "NORMAL", "full": "FULL"}
"""normal: safe against a crash of the process; full: against a power cut as well."""

DAMAGED = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})


class StoreError(Exception):
    """The ledger cannot be opened. Its text is one line, ready for a person."""


class InUse(StoreError):
    """Another gateway writes to it."""


@dataclass(slots=True)
class Opened:
    db: Database
    inode: int
    checked: bool = True
    """False: it was too large for that; a `Checkup` should look at it."""
    note: str = ""
    """What people should hear about, "" when all was well."""


def error_code(error: sqlite3.Error) -> int:
    """SQLite's primary result code, 0 when it is not SQLite that complains."""
    code: int = getattr(error, "sqlite_errorcode", None) or 0
    return code & 0xFF


def read_only(path: Path) -> sqlite3.Connection:
    """A connection that cannot write, not even by accident. The caller closes it."""
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=STARTING_PATIENCE
    )
    connection.row_factory = sqlite3.Row
    return connection


def lock(path: Path) -> IO[str]:
    """Hold the file for this process, until the handle is closed (or we are killed).

    Raises InUse when another gateway has it, StoreError when nothing can be written there.
    """
    name = path.with_name(path.name + ".lock")
    try:
        handle = os.fdopen(os.open(name, os.O_RDWR | os.O_CREAT, 0o600), "r+")
    except FileNotFoundError as error:
        raise StoreError(
            f"{path}: there is no folder {path.parent}; make it first"
        ) from error
    except OSError as error:
        raise StoreError(f"{path}: cannot be written here: {error.strerror}") from error
    if fcntl is None:
        return handle
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        holder = handle.read(20).strip()
        handle.close()
        who = f" (process {holder})" if holder else ""
        raise InUse(
            f"{path}: another gateway{who} writes to it; stop that one, or give this one"
            " its own file with --set gateway_db=FILE"
        ) from error
    with suppress(OSError):  # a full disk: the lock holds all the same
        os.ftruncate(handle.fileno(), 0)
        os.pwrite(handle.fileno(), b"%d\n" % os.getpid(), 0)
    return handle


def open_ledger(path: Path, *, durability: str, now: float) -> Opened:
    """The file, ready to be written: right mode, right shape, checked.

    Raises StoreError. A damaged file is replaced by a new one, and `Opened.note` says so.
    """
    if sqlite3.sqlite_version_info < OLDEST_SQLITE:
        raise StoreError(
            f"{path}: needs SQLite 3.37 or newer, this Python has {sqlite3.sqlite_version}"
        )
    try:
        return _open(path, durability)
    except sqlite3.DatabaseError as error:
        if error_code(error) not in DAMAGED:
            raise StoreError(f"{path}: cannot be opened: {error}") from error
        return replace_damaged(path, str(error), durability=durability, now=now)


def replace_damaged(path: Path, why: str, *, durability: str, now: float) -> Opened:
    """Move the file aside, make a new one, carry over what limits need.

    Nobody may have the file open for writing. Raises StoreError.
    """
    kept = move_aside(path, now)
    try:
        opened = _open(path, durability)
        found = recovery.salvage(kept, opened.db, now)
    except sqlite3.Error as error:
        raise StoreError(f"{path}: cannot be made anew: {error}") from error
    opened.note = (
        f"{path.name} was damaged ({why}); it is kept as {kept.name}, and"
        f" {found or 'no'} rows that limits need were carried over into a new file"
    )
    return opened


def _open(path: Path, durability: str) -> Opened:
    try:
        # SQLite would make it readable for everybody.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        inode = path.stat().st_ino
    except OSError as error:
        raise StoreError(f"{path}: cannot be written: {error.strerror}") from error
    connection = sqlite3.connect(path, timeout=STARTING_PATIENCE)
    try:
        db = Database(connection, execute_plugins=False)
        checked = os.path.getsize(path) <= CHECKED_AT_ONCE
        if checked:
            check(connection)
        schema.prepare_file(db)
        db.execute(f"PRAGMA synchronous = {SYNCHRONOUS[durability]}")
        db.execute(f"PRAGMA journal_size_limit = {LARGEST_LOG}")
        db.execute("PRAGMA analysis_limit = 1000")
        _bring_up_to_date(db, path)
        db.execute(f"PRAGMA busy_timeout = {int(WRITING_PATIENCE * 1000)}")
        batch_insert.install(connection)
        # Transactions are ours to begin and to end.
        connection.isolation_level = None
    except BaseException:
        connection.close()
        raise
    return Opened(db, inode, checked)


def check(connection: sqlite3.Connection) -> None:
    """Raises what SQLite raises for a damaged file, whichever way it says so."""
    try:
        found: str = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    except UnicodeDecodeError:
        # SQLite quotes the file in what it says of it, and no text is left there.
        found = "its texts are damaged"
    if found != "ok":
        error = sqlite3.DatabaseError(found.splitlines()[-1])
        error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
        raise error


def _bring_up_to_date(db: Database, path: Path) -> None:
    known = {name for name in schema.names()}
    newer = [m.name for m in schema.MIGRATIONS.applied(db) if m.name not in known]
    if newer:
        raise StoreError(
            f"{path}: was written by a newer LLM Gateway ({newer[0]}); update this one,"
            " or give it another file with --set gateway_db=FILE"
        )
    try:
        schema.migrate(db)
    except sqlite3.OperationalError as error:
        if error_code(error) != sqlite3.SQLITE_ERROR:
            raise
        raise StoreError(f"{path}: is another program's database: {error}") from error


def move_aside(path: Path, now: float) -> Path:
    """Rename the file and its -wal and -shm; where the file is now. Raises StoreError."""
    stamp = datetime.fromtimestamp(now, UTC).strftime("%Y%m%dT%H%M%S")
    kept = path.with_name(f"{path.name}.corrupt-{stamp}")
    n = 1
    while kept.exists():
        n += 1
        kept = path.with_name(f"{path.name}.corrupt-{stamp}-{n}")
    try:
        path.rename(kept)
        for suffix in ("-wal", "-shm"):
            with suppress(FileNotFoundError):
                Path(f"{path}{suffix}").rename(f"{kept}{suffix}")
    except OSError as error:
        raise StoreError(
            f"{path}: is damaged and cannot be moved aside: {error.strerror}"
        ) from error
    return kept
