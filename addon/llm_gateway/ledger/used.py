"""What was used in a window, out of the ledger, also where no limit counts it.

What lives here: `used`, sums of the attempts since some moments, per provider and model.
A running attempt counts what it has reserved; one that its provider does not count is
not there. What this file does not know: limits, what a window is.
"""

import sqlite3
from collections.abc import Collection, Mapping

from llm_gateway.domain import Charge
from llm_gateway.timestamps import iso

_SUMS = """
SELECT provider, model, count(*) AS requests, sum(tokens) AS tokens, sum(cost) AS cost
FROM (
  SELECT provider, model, tokens, cost_nano AS cost FROM attempts
  WHERE ts >= :since AND counted = 1
  UNION ALL
  SELECT provider, model, total_tokens, coalesce(cost_nano, 0) FROM requests
  WHERE ts >= :since AND simulated = 1 AND provider IS NOT NULL AND member IS NULL
    AND NOT EXISTS (SELECT 1 FROM attempts WHERE request = requests.id)
)
GROUP BY provider, model
"""

Sums = Mapping[tuple[str, str], Charge]
"""By provider and model."""


def used(connection: sqlite3.Connection, since: Collection[float]) -> dict[float, Sums]:
    """The sums since each of these moments (unix seconds).

    `connection` has `sqlite3.Row` as its row factory.
    """
    return {
        at: {
            (row["provider"], row["model"]): Charge(
                row["requests"], row["tokens"] or 0, row["cost"] or 0
            )
            for row in connection.execute(_SUMS, {"since": iso(at)})
        }
        for at in since
    }
