"""How much one SQL statement may take: SQLite limits for the connections of readers.

Whoever may look at the dashboard may run SQL of their own, and Datasette limits only its
time and the number of its rows. `limit_statements` bounds what is behind one statement:
the length of a value and of the statement, the depth of expressions, the terms of a
compound, the memory that SQLite takes in this process. `limit_results` bounds what one
statement brings back, and `hide_paths` keeps it from telling where the file lies.

What this file does not know: Datasette, time (Datasette's sql_time_limit_ms; reader.py).
"""

import sqlite3
from collections.abc import Sequence
from typing import Any
from weakref import ref

LIMITS = {
    sqlite3.SQLITE_LIMIT_LENGTH: 10_000_000,
    sqlite3.SQLITE_LIMIT_SQL_LENGTH: 100_000,
    sqlite3.SQLITE_LIMIT_EXPR_DEPTH: 200,
    sqlite3.SQLITE_LIMIT_COMPOUND_SELECT: 100,
    sqlite3.SQLITE_LIMIT_LIKE_PATTERN_LENGTH: 1_000,
    sqlite3.SQLITE_LIMIT_TRIGGER_DEPTH: 10,
    sqlite3.SQLITE_LIMIT_WORKER_THREADS: 0,
}
"""Bytes of a value, bytes of a statement, levels, terms, bytes of a LIKE, levels, threads."""

HEAP_BYTES = 128 << 20
"""What all of SQLite in this process may take; a statement that needs more fails."""

RESULT_BYTES = 32 << 20
"""Text and blobs of all rows that one statement brings back."""


class ResultTooLarge(sqlite3.OperationalError):
    """One statement brought back more than RESULT_BYTES."""


def limit_statements(connection: Any) -> None:
    """Bound what a statement on this connection may take."""
    set_limit = getattr(connection, "setlimit", None)  # another sqlite3 may have none
    if set_limit is not None:
        for category, value in LIMITS.items():
            set_limit(category, value)
    connection.execute(f"PRAGMA hard_heap_limit = {HEAP_BYTES}").fetchall()


def limit_results(connection: Any) -> None:
    """Bound what a statement on this connection may bring back; its rows stay `Row`s."""
    connection.row_factory = _CountedRows(sqlite3.Row)


def hide_paths(connection: Any) -> None:
    """`pragma_database_list` is empty: it would tell where on the disk the file lies."""
    connection.set_authorizer(_authorize)


def _authorize(action: int, name: str | None, *_: str | None) -> int:
    if action == sqlite3.SQLITE_PRAGMA and name == "database_list":
        return sqlite3.SQLITE_IGNORE
    return sqlite3.SQLITE_OK


class _CountedRows:
    """A row factory that adds up what each cursor has brought back."""

    def __init__(self, row: Any) -> None:
        self._row = row
        # A cursor that is kept alive would keep the writer from checkpointing.
        self._cursor: Any = lambda: None
        self._bytes = 0

    def __call__(self, cursor: sqlite3.Cursor, values: Sequence[Any]) -> Any:
        if self._cursor() is not cursor:
            self._cursor, self._bytes = ref(cursor), 0
        for value in values:
            if type(value) is str or type(value) is bytes:
                self._bytes += len(value)
        if self._bytes > RESULT_BYTES:
            raise ResultTooLarge(
                f"the result is larger than {RESULT_BYTES >> 20} MB; ask for fewer rows "
                "or shorter values"
            )
        return self._row(cursor, values)
