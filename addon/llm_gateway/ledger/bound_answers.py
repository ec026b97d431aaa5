"""Bound ids: which provider account keeps the answer (or file, conversation …) of an id, and
the row that an answer settles.

What lives here: `find`, which gives a `BoundAnswer` out of `bound_ids`, with the request's
own row as a record where its usage is not known yet.

What this file does not know: who asks, how an answer is fetched.
"""

import sqlite3

from llm_gateway.domain import RequestRecord, Usage
from llm_gateway.frozen import frozen
from llm_gateway.ledger.rows import REQUEST_COLUMNS
from llm_gateway.timestamps import unix


@frozen
class BoundAnswer:
    """An answer that a provider keeps."""

    id: str
    dialect: str
    provider: str
    account: str
    model: str
    client: str | None
    """The known client that it was made for; nobody else is told of it."""
    zero_cost: bool
    """It was asked for where it costs nothing."""
    unsettled: RequestRecord | None
    """Its row, while its usage is unknown."""
    host: str = ""
    """Whom the app asked with its own key; "": it is not known any more."""

    @property
    def is_own_key(self) -> bool:
        """An app asked for it with its own key: no account of ours keeps it."""
        return not self.provider

    @property
    def key(self) -> tuple[str, str, str]:
        return (self.provider, self.account, self.model)


_BOUND = """
SELECT b.*, coalesce(r.host, '') AS host
FROM bound_ids AS b LEFT JOIN requests AS r ON r.id = b.request WHERE b.id = ?
"""
_UNSETTLED = """
SELECT * FROM requests
WHERE id = ? AND usage_source = 'unknown' AND outcome <> 'in_flight'
"""


def find(connection: sqlite3.Connection, name: str) -> BoundAnswer | None:
    """`connection` has `sqlite3.Row` as its row factory."""
    bound = connection.execute(_BOUND, [name]).fetchone()
    if bound is None:
        return None
    row = connection.execute(_UNSETTLED, [bound["request"]]).fetchone()
    return BoundAnswer(
        name,
        bound["dialect"],
        bound["provider"],
        bound["account"],
        bound["model"],
        bound["client"],
        bool(bound["zero_cost"]),
        None if row is None else _record(row),
        bound["host"],
    )


def _record(row: sqlite3.Row) -> RequestRecord:
    values = {
        member: row[column]
        for column, member in REQUEST_COLUMNS.items()
        if not member.startswith("usage.")
    }
    values |= {
        "id": row["id"],
        "at": unix(row["ts"]),
        "host": row["host"] or "",
        "account": row["account"] or "",
        "streamed": bool(row["streamed"]),
        "simulated": bool(row["simulated"]),
    }
    return RequestRecord(**values, usage=Usage())
