"""A read-only connection of our own, on a thread of its own.

Datasette runs all its queries on three threads, and a person's slow SQL would hold the
live page up; so the live page and the history each have a `Reader`. Rules: `mode=ro`,
one statement at a time, every row fetched at once (an open cursor would keep the writer
from checkpointing), and a time limit.

What this file does not know: what is asked (queries.py), who asks.
"""

import asyncio
import json
import os
import sqlite3
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote

from .sql_limits import limit_statements

Params = Mapping[str, str | int | float | None]
Ask = Callable[[str, Params], list[sqlite3.Row]]
"""`ask(sql, params)`: every row."""
T = TypeVar("T")

STEPS_BETWEEN_LOOKS = 20_000
"""Virtual machine steps of SQLite between two looks at the clock."""


class NotReadable(Exception):
    """The file is missing, is not a ledger, or cannot be opened. Says which,
    but not where it lies: anybody who may look is told."""


class TooSlow(Exception):
    """A question took longer than its time limit."""


class Reader:
    """Asks one SQLite file, which may appear, vanish or be replaced meanwhile."""

    def __init__(self, path: Path, name: str, *, seconds: float) -> None:
        self.path = path
        self._seconds = seconds
        """Time limit of one `run`."""
        self._pool = ThreadPoolExecutor(1, thread_name_prefix=f"gateway-{name}")
        self._connection: sqlite3.Connection | None = None
        self._identity: tuple[int, int] | None = None
        self._deadline = 0.0
        self._opened = 0

    async def run(self, work: Callable[[Ask], T]) -> T:
        """`work(ask)` on the reader's thread. Raises NotReadable or TooSlow."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._pool, self._run, work)

    def version(self) -> tuple[int, int]:
        """Another one once anything was written to the file, or it is another file.
        Only in `work`, on the reader's thread."""
        assert self._connection is not None, "asked for outside of `run`"
        [[version]] = self._connection.execute("PRAGMA data_version").fetchall()
        return (self._opened, version)

    def close(self) -> None:
        self._pool.submit(self._disconnect)
        self._pool.shutdown()

    def _run(self, work: Callable[[Ask], T]) -> T:
        connection = self._connected()
        self._deadline = time.monotonic() + self._seconds
        try:
            return work(lambda sql, params: connection.execute(sql, params).fetchall())
        except sqlite3.OperationalError as error:
            if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_INTERRUPT:
                raise TooSlow(f"took longer than {self._seconds:g} s") from error
            self._disconnect()
            raise NotReadable(f"{self.path.name}: {error}") from error
        except sqlite3.DatabaseError as error:
            self._disconnect()
            raise NotReadable(f"{self.path.name}: {error}") from error

    def _connected(self) -> sqlite3.Connection:
        """The connection, renewed when the path holds another file than it did."""
        try:
            found = os.stat(self.path)
        except OSError as error:
            self._disconnect()
            raise NotReadable(f"{self.path.name} does not exist") from error
        identity = (found.st_dev, found.st_ino)
        if self._connection is not None and identity == self._identity:
            return self._connection
        self._disconnect()
        try:
            connection = _open(self.path)
        except sqlite3.Error as error:
            raise NotReadable(f"{self.path.name}: {error}") from error
        connection.row_factory = sqlite3.Row
        connection.set_progress_handler(
            lambda: int(time.monotonic() > self._deadline), STEPS_BETWEEN_LOOKS
        )
        self._connection, self._identity = connection, identity
        self._opened += 1
        return connection

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


_TABLES = """
SELECT count(*) FROM sqlite_master
WHERE type = 'table' AND name IN (SELECT value FROM json_each(?))
"""


def has_tables(path: Path, names: Sequence[str]) -> bool:
    """Is this a SQLite file with all of these tables? False for whatever else it is."""
    if not path.is_file():
        return False
    try:
        with closing(_open(path)) as connection:
            rows = connection.execute(_TABLES, (json.dumps(list(names)),)).fetchall()
            found: int = rows[0][0]
    except sqlite3.Error:
        return False
    return found == len(names)


def _open(path: Path) -> sqlite3.Connection:
    """Reading only; also where SQLite cannot make the files that it shares with writers.

    On a read-only disk a ledger without a `-wal` file has no writer, so nothing changes.
    """
    connection = _connect(path, "mode=ro")
    try:
        connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchall()
    except sqlite3.Error as error:
        connection.close()
        has_writer = path.with_name(f"{path.name}-wal").exists()
        mended = isinstance(error, sqlite3.OperationalError) and not _busy(error)
        if has_writer or not mended:
            raise
        return _connect(path, "immutable=1")
    return connection


def is_locked(path: Path) -> bool:
    """Somebody keeps every reader out, as a program may that repairs or copies it."""
    try:
        with closing(_connect(path, "mode=ro", timeout=0.1)) as connection:
            connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchall()
    except sqlite3.Error as error:
        return _busy(error)
    return False


def _busy(error: sqlite3.Error) -> bool:
    # The lowest byte: above it stands more exactly why.
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    return code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def _connect(path: Path, how: str, timeout: float = 1.0) -> sqlite3.Connection:
    connection = sqlite3.connect(
        f"file:{quote(str(path))}?{how}",
        uri=True,
        isolation_level=None,
        timeout=timeout,
        check_same_thread=False,
    )
    limit_statements(connection)
    return connection
