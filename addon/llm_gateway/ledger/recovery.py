"""What is put right after a crash of the gateway, or of its disk.

What lives here: `settle_lost`, for requests that were on their way when the gateway died,
and `salvage`, which carries over what limits need out of a damaged file: the attempts of
the last month, and the requests that count by themselves. They are read from the newest
back and from the oldest on, until the damaged place is met from both sides; so a budget
stays as spent as it was.

What this file does not know: how damage is found, what becomes of the old file.
"""

import sqlite3
from contextlib import closing
from pathlib import Path

from sqlite_utils import Database

from llm_gateway.ledger.maintenance import COUNTED_DAYS, DAY
from llm_gateway.timestamps import iso

# Table -> which of its rows, and the key in whose order it is stored. The order of time,
# nearly, as ids are UUIDv7.
_WANTED = {
    "attempts": ("counted = 1", "request {way}, n {way}"),
    "requests": (
        "(outcome IN ('passthrough', 'in_flight', 'lost') OR simulated = 1)",
        "rowid {way}",
    ),
}


def salvage(damaged: Path, db: Database, now: float) -> int:
    """The number of rows that were carried over into `db`; 0 when nothing is readable."""
    since = iso(now - COUNTED_DAYS * DAY)
    found = 0
    for table, (which, order) in _WANTED.items():
        columns = ", ".join(f'"{column.name}"' for column in db.table(table).columns)
        marks = ", ".join("?" * len(db.table(table).columns))
        insert = f"INSERT OR IGNORE INTO {table} ({columns}) VALUES ({marks})"
        for way in ("DESC", "ASC"):
            # NOT INDEXED: an index may be what is damaged.
            select = (
                f"SELECT {columns} FROM {table} NOT INDEXED"
                f" WHERE ts >= ? AND {which} ORDER BY {order.format(way=way)}"
            )
            with db.atomic():
                carried, whole = _carry(damaged, select, since, db, insert)
            found += carried
            if whole:
                break
    return found


def _carry(
    damaged: Path, select: str, since: str, db: Database, insert: str
) -> tuple[int, bool]:
    """(rows carried over, whether the end was reached)."""
    name = damaged.absolute().as_uri()
    carried = 0
    try:
        with closing(sqlite3.connect(f"{name}?mode=ro", uri=True)) as source:
            source.text_factory = lambda raw: raw.decode(errors="replace")
            for row in source.execute(select, [since]):
                try:
                    carried += db.conn.execute(insert, row).rowcount
                except sqlite3.IntegrityError:
                    continue  # the damage is inside this row
    except (sqlite3.DatabaseError, UnicodeDecodeError):  # or its words are damaged, too
        return carried, False
    return carried, True


# `outcome <> 'ok'` beside the other condition lets SQLite use the partial index.
_LOST_ATTEMPTS = """
UPDATE attempts SET outcome = 'lost', reason = 'gateway stopped'
WHERE outcome <> 'ok' AND outcome = 'in_flight'
"""
# Nothing reserved and not free: the price is unknown, and so is the cost.
_LOST_REQUESTS = """
UPDATE requests SET
  outcome = 'lost',
  error = 'gateway stopped',
  (attempts, provider, account, model, input_tokens, usage_source, cost_nano) = (
    SELECT count(*), last.provider, last.account, coalesce(last.model, requests.model),
      requests.reserved_tokens, 'estimated',
      CASE WHEN requests.reserved_cost_nano > 0 THEN requests.reserved_cost_nano ELSE (
        SELECT 0 FROM models
        WHERE provider = last.provider AND model = last.model AND free) END
    FROM (SELECT max(n), provider, account, model FROM attempts
          WHERE request = requests.id) AS last
    LEFT JOIN attempts ON attempts.request = requests.id)
WHERE outcome <> 'ok' AND outcome = 'in_flight'
"""


def settle_lost(db: Database) -> int:
    """Requests that were on their way when the gateway died cost what they reserved.

    To be called inside a transaction, before anything of this run is written: whatever is
    in flight then is of an earlier one. Returns the number of requests.
    """
    db.execute(_LOST_ATTEMPTS)
    return db.execute(_LOST_REQUESTS).rowcount
