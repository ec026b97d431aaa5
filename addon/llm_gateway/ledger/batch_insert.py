"""How rows get into the file: one statement for whatever requests left behind.

What lives here: `lines`, which gathers rows, and `write`. A line is what one request says
at one moment: that it begins (its row, its attempt, why it goes there), or that it ends.
A view that only our own connection has takes the lines, and its trigger takes them apart
into `requests`, `attempts`, `decisions` and `events`. So SQLite is called once for a
batch, and a batch of one statement is a transaction of its own.

Why: each call into SQLite lets go of Python's lock, and must get it back from the event
loop's thread. With a call for each row, that was most of what the ledger cost.

Rule: a line may be written twice and says the same, so that a batch whose fate is unknown
is simply written again. Only events would be there twice.

What this file does not know: threads, transactions, errors.
"""

import sqlite3
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any

from llm_gateway.ledger.rows import COLUMNS, KINDS, Kind, Part, Row

Line = tuple[Any, ...]

SIZES = (16, 8, 4, 2, 1)
"""Lines in one statement. Few sizes, so that each is compiled once; what is missing to
the next size are lines that say nothing."""

_PLACE = {kind: tuple(Part).index(kind.part) for kind in KINDS}
_NOTHING: tuple[Row, ...] = tuple((None,) * len(COLUMNS[part]) for part in Part)
NAMES = {
    part: tuple(f"{part.value}_{name}" for name in columns)
    for part, columns in COLUMNS.items()
}
_ALL = ("request", *chain.from_iterable(NAMES.values()))
_NO_LINE: Line = (None,) * len(_ALL)


def _completed(table: str, key: str, part: Part) -> str:
    """Only a row that is on its way can be completed: an end that comes twice is one.

    But for a request whose usage was unknown then, and is reported now.
    """
    pairs = ", ".join(f"{c} = excluded.{c}" for c in COLUMNS[part] if c != key)
    later = ""
    if part is Part.REQUEST:
        later = (
            f" OR ({table}.usage_source = 'unknown'"
            " AND excluded.usage_source = 'reported'"
            f" AND {table}.outcome = excluded.outcome)"
        )
    return f"DO UPDATE SET {pairs} WHERE {table}.outcome = 'in_flight'{later}"


def _insert(
    part: Part, table: str, more: dict[str, str], conflict: str = "DO NOTHING"
) -> str:
    """`more`: columns that are not in the line, with their expressions."""
    columns = ", ".join((*COLUMNS[part], *more))
    values = ", ".join((*(f"new.{name}" for name in NAMES[part]), *more.values()))
    # SQLite takes ON CONFLICT after SELECT only where that has a WHERE.
    return (
        f"INSERT INTO {table} ({columns}) SELECT {values}"
        f" WHERE new.{part.value}_ts IS NOT NULL ON CONFLICT {conflict};"
    )


# The known client is copied over, so that limits can be rebuilt from the attempts alone,
# even after the request itself has grown too old to keep.
_KNOWN_CLIENT = (
    "CASE WHEN new.request_ts IS NOT NULL THEN new.request_known_client"
    " ELSE (SELECT known_client FROM requests WHERE id = new.request) END"
)
_BY_REQUEST = {"request": "new.request"}
# A request that went on to another candidate may have been adapted to it, too.
_LATER_DECISION = (
    "(request) DO UPDATE SET candidates = excluded.candidates"
    " WHERE candidates <> excluded.candidates"
)

_OF_REQUEST = _BY_REQUEST | {
    column: f"(SELECT {source} FROM requests WHERE id = new.request)"
    for column, source in {
        "dialect": "dialect",
        "provider": "coalesce(provider, '')",
        "account": "account",
        "model": "coalesce(model, '')",
        "client": "known_client",
    }.items()
}

VIEW = "CREATE TEMP VIEW intake AS SELECT " + ", ".join(f"NULL AS {n}" for n in _ALL)
TRIGGER = "\n  ".join(
    (
        "CREATE TEMP TRIGGER taken_in INSTEAD OF INSERT ON intake BEGIN",
        _insert(
            Part.REQUEST,
            "requests",
            {"id": "new.request"},
            f"(id) {_completed('requests', 'id', Part.REQUEST)}",
        ),
        _insert(
            Part.ATTEMPT,
            "attempts",
            _BY_REQUEST | {"client": _KNOWN_CLIENT},
            f"(request, n) {_completed('attempts', 'n', Part.ATTEMPT)}",
        ),
        _insert(Part.DECISION, "decisions", _BY_REQUEST, _LATER_DECISION),
        _insert(Part.EVENT, "events", {}),
        # Before the answer's own row is complete, nobody knows whose it is.
        _insert(Part.BOUND, "bound_ids", _OF_REQUEST),
        "END",
    )
)

_LINE = f"({', '.join('?' * len(_ALL))})"
_INSERT = {n: f"INSERT INTO intake VALUES {', '.join([_LINE] * n)}" for n in SIZES}


def install(connection: sqlite3.Connection) -> None:
    """Once for each connection. Nothing of it is in the file."""
    connection.execute("PRAGMA temp_store = MEMORY")
    connection.execute(VIEW)
    connection.execute(TRIGGER)


def lines(taken: Iterable[tuple[Kind, Any]]) -> list[Line]:
    """What was taken of each row, as lines. All begins come before all ends."""
    begins: list[tuple[str | None, list[Row]]] = []
    ends: list[tuple[str | None, list[Row]]] = []
    latest: dict[tuple[str, bool], list[Row]] = {}
    for kind, snapshot in taken:
        request, row = kind.finish(snapshot)
        place = _PLACE[kind]
        parts = latest.get((request, kind.ends)) if request else None
        if parts is None or parts[place] is not _NOTHING[place]:
            parts = [*_NOTHING]
            (ends if kind.ends else begins).append((request, parts))
            if request:
                latest[request, kind.ends] = parts
        parts[place] = row
    return [
        (request, *chain.from_iterable(parts)) for request, parts in chain(begins, ends)
    ]


def one_by_one(taken: Iterable[tuple[Kind, Any]]) -> Iterable[tuple[Kind, Any]]:
    """The same order, for who writes each row by itself."""
    return sorted(taken, key=lambda each: each[0].ends)


def statements(count: int) -> Sequence[int]:
    """The sizes of the statements for so many lines, as few as possible."""
    whole, rest = divmod(count, SIZES[0])
    return (SIZES[0],) * whole + ((min(n for n in SIZES if n >= rest),) if rest else ())


def write(connection: sqlite3.Connection, wanted: Sequence[Line]) -> None:
    """As many statements as `statements` says; raises sqlite3.Error."""
    at = 0
    for size in statements(len(wanted)):
        some = wanted[at : at + size]
        filled = chain(some, (_NO_LINE,) * (size - len(some)))
        connection.execute(_INSERT[size], tuple(chain.from_iterable(filled)))
        at += size
