"""How a batch becomes rows: one transaction, all of it or nothing.

What lives here: `commit`, and `blame`, which says what an error is about: a row, the
file, or the moment.

What this file does not know: threads, when to try again.
"""

import logging
import sqlite3
from collections.abc import Callable, Iterable
from enum import Enum
from functools import partial
from itertools import chain
from typing import Any

from sqlite_utils import Database

from llm_gateway.ledger import batch_insert, database_file, recovery
from llm_gateway.ledger.rows import Kind
from llm_gateway.ledger.table_snapshots import TableSnapshot
from llm_gateway.ledger.write_queue import Batch

logger = logging.getLogger(__name__)

UNWRITABLE = (sqlite3.Error, OverflowError, TypeError, ValueError, AttributeError)
"""What writing can raise, when a value is nothing that SQLite takes as well."""


class ErrorCause(Enum):
    ROW = "a row"
    LOCK = "somebody else's transaction"
    DAMAGE = "the file is damaged"
    REACH = "the file cannot be reached through this connection"
    DISK = "the disk, or anything else that may pass"


_BLAME = {
    sqlite3.SQLITE_CONSTRAINT: ErrorCause.ROW,
    sqlite3.SQLITE_MISMATCH: ErrorCause.ROW,
    sqlite3.SQLITE_TOOBIG: ErrorCause.ROW,
    sqlite3.SQLITE_RANGE: ErrorCause.ROW,
    sqlite3.SQLITE_BUSY: ErrorCause.LOCK,
    sqlite3.SQLITE_LOCKED: ErrorCause.LOCK,
    sqlite3.SQLITE_CORRUPT: ErrorCause.DAMAGE,
    sqlite3.SQLITE_NOTADB: ErrorCause.DAMAGE,
    sqlite3.SQLITE_IOERR: ErrorCause.REACH,
    sqlite3.SQLITE_CANTOPEN: ErrorCause.REACH,
}
_WORDS = {
    sqlite3.SQLITE_BUSY: "the database is locked by another program",
    sqlite3.SQLITE_LOCKED: "the database is locked by another program",
    sqlite3.SQLITE_FULL: "the disk is full",
    sqlite3.SQLITE_READONLY: "the database is read-only",
    sqlite3.SQLITE_IOERR: "the disk reports an error",
    sqlite3.SQLITE_CANTOPEN: "the database cannot be opened",
}


def blame(error: Exception) -> ErrorCause:
    if isinstance(error, database_file.StoreError):
        return ErrorCause.DISK
    if not isinstance(error, sqlite3.Error):
        return ErrorCause.ROW
    code = database_file.error_code(error)
    return _BLAME.get(code, ErrorCause.DISK) if code else ErrorCause.ROW


def describe(error: Exception) -> str:
    """What a person should read about an error that no row is to blame for."""
    known = (
        _WORDS.get(database_file.error_code(error))
        if isinstance(error, sqlite3.Error)
        else None
    )
    return known or str(error)


def commit(
    db: Database, batch: Batch, *, settle: bool, one_by_one: bool = False
) -> int:
    """Write the batch; raises one of `UNWRITABLE`, and then nothing is written.

    `settle`: close what an earlier run left in flight, first; returns how many requests
    that were. `one_by_one`: rows that cannot be written are logged and left out.
    """
    connection = db.conn
    taken = tuple(chain.from_iterable(entry.rows for entry in batch.entries))
    lines = [] if one_by_one else batch_insert.lines(taken)
    if len(batch_insert.statements(len(lines))) == 1 and not (settle or batch.wholes):
        # A transaction by itself, and one wait for Python's lock instead of three.
        batch_insert.write(connection, lines)
        return 0
    connection.execute("BEGIN IMMEDIATE")
    try:
        lost = recovery.settle_lost(db) if settle else 0
        if one_by_one:
            _write_apart(connection, taken, batch.wholes)
        else:
            batch_insert.write(connection, lines)
            for whole in batch.wholes:
                _replace(connection, whole)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.rollback()
        raise
    return lost


def _write_apart(
    connection: sqlite3.Connection,
    taken: Iterable[tuple[Kind, Any]],
    wholes: Iterable[TableSnapshot],
) -> None:
    for kind, snapshot in batch_insert.one_by_one(taken):
        _apart(connection, kind.name, partial(_row, connection, kind, snapshot))
    for whole in wholes:
        _apart(connection, whole.table, partial(_replace, connection, whole))


def _row(connection: sqlite3.Connection, kind: Kind, snapshot: Any) -> None:
    batch_insert.write(connection, batch_insert.lines([(kind, snapshot)]))


def _replace(connection: sqlite3.Connection, whole: TableSnapshot) -> None:
    connection.execute(whole.clearing)
    connection.executemany(whole.sql, whole.rows)


def _apart(
    connection: sqlite3.Connection, name: str, write: Callable[[], None]
) -> None:
    connection.execute("SAVEPOINT apart")
    try:
        write()
    except UNWRITABLE as error:
        if blame(error) is not ErrorCause.ROW:
            raise
        connection.execute("ROLLBACK TO apart")
        # Not the error's text: it may hold what the row held.
        logger.error("ledger: cannot write this %s: %s", name, type(error).__name__)
    connection.execute("RELEASE apart")
