"""What stands against the limits, folded out of the ledger.

What lives here: `spent`, which gives the attempts that count as `SpentAttempt` values, for the
limiter to rebuild its windows at start and for limits that a reload brings in.

The last two hours come one by one. Older attempts only matter to windows of a day or a
month, so they come summed per minute, and beyond two days per hour, at the latest moment
of each sum: a window may then close on them a little late, never early.

`spoken` tells which dialects a provider has answered in, for its health, and `billed`
what was charged for though it counts as free.

What this file does not know: windows.
"""

import sqlite3
from collections.abc import Iterator

from llm_gateway.domain import Charge
from llm_gateway.limits.values import SpentAttempt
from llm_gateway.timestamps import iso, unix

LONGEST_WINDOW = 31 * 86400.0 + 3600.0
"""How far back the ledger is read for counters, in seconds."""
LONGEST_REQUEST = 3600
"""Seconds. What began this long before a window may still have ended inside it."""
SINGLE = 2 * 3600
PER_MINUTE = 2 * 86_400

_ATTEMPTS = """
SELECT request || '/' || n AS id, ts, provider, account, model, client, 1 AS requests,
  tokens, cost_nano AS cost, outcome IN ('in_flight', 'lost') AS reserved, duration_ms
FROM attempts
WHERE ts >= :since AND ts < :until AND counted = 1
"""
_ATTEMPTS_SUMMED = """
SELECT '' AS id, max(ts) AS ts, provider, account, model, client, count(*) AS requests,
  sum(tokens) AS tokens, sum(cost_nano) AS cost, 0 AS reserved, max(duration_ms) AS duration_ms
FROM attempts
WHERE ts >= :since AND ts < :until AND counted = 1
GROUP BY substr(ts, 1, :length), provider, account, model, client
"""
# Requests that no attempt speaks for: passed through to the host that the app named,
# simulated, or stopped on their way before an attempt was written.
_REQUESTS = """
SELECT id, ts, coalesce(provider, '') AS provider, coalesce(account, '') AS account,
  coalesce(model, '') AS model, known_client AS client, 1 AS requests,
  CASE WHEN outcome = 'in_flight' THEN reserved_tokens ELSE total_tokens END AS tokens,
  CASE WHEN outcome IN ('in_flight', 'lost') THEN reserved_cost_nano
    ELSE coalesce(cost_nano, 0) END AS cost,
  outcome IN ('in_flight', 'lost') AS reserved, duration_ms
FROM requests
WHERE ts >= :since AND {which}
  AND NOT EXISTS (SELECT 1 FROM attempts WHERE request = requests.id)
"""
_SPOKEN = """
SELECT DISTINCT provider,
  CASE WHEN translated IS NULL THEN dialect
    ELSE substr(translated, instr(translated, '>') + 1) END
FROM (
  SELECT provider, dialect, translated, outcome FROM requests ORDER BY ts DESC LIMIT 10000
)
WHERE outcome = 'ok' AND provider IS NOT NULL
"""
"""Among the last requests: enough to know who speaks what, and quick in any ledger. Of a
translated one it is the dialect that the provider was asked in."""
# Two queries, so that each finds its partial index.
_OF_THEMSELVES = _REQUESTS.format(
    which="outcome <> 'ok' AND outcome IN ('passthrough', 'in_flight', 'lost') AND simulated = 0"
)
_SIMULATED = _REQUESTS.format(which="simulated = 1")


def spent(
    connection: sqlite3.Connection, since: float, now: float
) -> list[SpentAttempt]:
    """Everything that counts from `since` on, in the order of time.

    `connection` has `sqlite3.Row` as its row factory.
    """
    begin = iso(since - LONGEST_REQUEST)
    per_minute = max(begin, iso(now - PER_MINUTE))
    single = max(begin, iso(now - SINGLE))
    found = [
        *_asked(connection, _ATTEMPTS_SUMMED, since=begin, until=per_minute, length=13),
        *_asked(
            connection, _ATTEMPTS_SUMMED, since=per_minute, until=single, length=16
        ),
        *_asked(connection, _ATTEMPTS, since=single, until="9999"),
        *_asked(connection, _OF_THEMSELVES, since=begin),
        *_asked(connection, _SIMULATED, since=begin),
    ]
    kept = [s for s in found if max(s.at, s.ended or s.at) >= since]
    return sorted(kept, key=lambda s: s.at)


def spoken(connection: sqlite3.Connection) -> list[tuple[str, str]]:
    """(provider, dialect) of good answers: what has answered in a dialect speaks it."""
    return [(row[0], row[1]) for row in connection.execute(_SPOKEN).fetchall()]


def billed(
    connection: sqlite3.Connection, revision: str, now: float
) -> dict[tuple[str, ...], float]:
    """(provider, account) or (provider, account, model) that was billed though it counts
    as free -> when it is asked again, under the configuration of this revision."""
    sql = (
        "SELECT provider, account, model, returns_at FROM billed_offers"
        " WHERE config_revision = ? AND returns_at > ?"
    )
    found = connection.execute(sql, (revision, iso(now))).fetchall()
    return {
        (provider, account, model) if model else (provider, account): unix(at)
        for provider, account, model, at in found
    }


def _asked(
    connection: sqlite3.Connection, sql: str, **parameters: str | int
) -> Iterator[SpentAttempt]:
    for row in connection.execute(sql, parameters).fetchall():
        at = unix(row["ts"])
        took = row["duration_ms"]
        yield SpentAttempt(
            at,
            row["provider"],
            row["account"],
            row["model"],
            row["client"],
            Charge(row["requests"], row["tokens"], row["cost"]),
            bool(row["reserved"]),
            None if took is None or row["reserved"] else at + took / 1000,
            row["id"],
        )
