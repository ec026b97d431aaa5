"""What people ask the ledger, besides the pages that Datasette makes of it.

What lives here: the queries as named SQL, and their answers as plain rows:
`usage_historical` for `GET /usage/historical`, `spending` for `llm-gateway report`.

What this file does not know: HTTP, terminals, who writes the file.
"""

import math
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Protocol

from llm_gateway.ledger import database_file
from llm_gateway.timestamps import iso

DEFAULT_HOURS = 24.0
LONGEST_HOURS = 24 * 366 * 10
LARGEST_ANSWER = 100_000
"""Rows of `usage_historical`; of more, the newest."""

HISTORICAL = """
SELECT ts AS timestamp, provider AS "providerId", model,
  input_tokens + cached_tokens + cache_write_tokens AS "promptTokens",
  output_tokens + reasoning_tokens AS "completionTokens",
  total_tokens AS "totalTokens", cost_usd AS cost
FROM requests
WHERE ts >= :since AND total_tokens > 0 AND outcome <> 'in_flight'
  AND (:provider IS NULL OR provider = :provider)
  AND (:model IS NULL OR model = :model OR requested_model = :model)
ORDER BY ts DESC, id DESC
LIMIT :most
"""

_SPENDING = """
SELECT {what},
  sum(requests) AS requests,
  sum(errors) AS errors,
  sum(refused) AS refused,
  sum(passthrough) AS passthrough,
  sum(total_tokens) AS tokens,
  sum(cost_nano) / 1e9 AS cost_usd,
  sum(saved_nano) / 1e9 AS saved_usd,
  sum(unknown_cost) AS unknown_cost
FROM usage_day
WHERE day >= :since
GROUP BY {group}
HAVING sum(requests) > 0
ORDER BY {order}
"""
_NAMED = "coalesce(nullif({0}, ''), '(none)') AS {0}"

SPENDING = {
    "provider": _SPENDING.format(
        what=_NAMED.format("provider"), group="1", order="requests DESC, 1"
    ),
    "model": _SPENDING.format(
        what=f"{_NAMED.format('provider')}, {_NAMED.format('model')}",
        group="1, 2",
        order="requests DESC, 1, 2",
    ),
    "client": _SPENDING.format(
        what=_NAMED.format("client"), group="1", order="requests DESC, 1"
    ),
    "day": _SPENDING.format(what="day", group="1", order="day DESC"),
}
"""What a report can be made by -> its query."""

TOTAL = _SPENDING.format(what="'total' AS total", group="1", order="1")


class BadParameter(ValueError):
    """A query parameter that makes no sense. Its text says what to write instead."""


class Asked(Protocol):
    """What answers SQL with rows: `Store`, or a file."""

    def rows(
        self, sql: str, params: Sequence[Any] | Mapping[str, Any] = ()
    ) -> list[dict[str, Any]]: ...


class LedgerFile:
    """A ledger that somebody else writes, or that nobody writes at the moment."""

    def __init__(self, path: Path) -> None:
        """Raises FileNotFoundError when there is no such file."""
        if not path.is_file():
            raise FileNotFoundError(f"{path} does not exist")
        self.path = path

    def rows(
        self, sql: str, params: Sequence[Any] | Mapping[str, Any] = ()
    ) -> list[dict[str, Any]]:
        """Raises sqlite3.Error, also when the file is not a ledger."""
        with closing(database_file.read_only(self.path)) as connection:
            return [dict(row) for row in connection.execute(sql, params).fetchall()]


def usage_historical(
    ledger: Asked, query: Mapping[str, str], now: float
) -> list[dict[str, Any]]:
    """The finished requests that have usage, newest last.

    `query`: `hours` and `minutes` (added; 24 hours when neither is given), `model` (as
    asked for or as answered by), `providerId`. Raises BadParameter. Each row has
    timestamp (ISO, UTC), providerId (None: passed through), model (the provider's name
    for it), promptTokens, completionTokens, totalTokens, and cost (US$; None: unknown).
    """
    hours = _number(query, "hours")
    minutes = _number(query, "minutes")
    given = [n for n in (hours, minutes and minutes / 60) if n is not None]
    span = sum(given) if given else DEFAULT_HOURS
    parameters = {
        "since": iso(max(0.0, now - span * 3600)),
        "provider": query.get("providerId") or None,
        "model": query.get("model") or None,
        "most": LARGEST_ANSWER,
    }
    return ledger.rows(HISTORICAL, parameters)[::-1]


def _number(query: Mapping[str, str], name: str) -> float | None:
    text = query.get(name)
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value <= LONGEST_HOURS:
        raise BadParameter(
            f"{name} is {text[:40]!r}: write a number above 0, for example {name}=6."
        )
    return value


def spending(ledger: Asked, by: str, days: int, now: float) -> list[dict[str, Any]]:
    """Sums of the last `days` days (UTC, today included), per `by` of `SPENDING`.

    Money in US$; None where no price was known. Simulated requests are not in it.

    Raises:
        sqlite3.Error: the file cannot be read, or is no ledger.
    """
    return ledger.rows(SPENDING[by], {"since": _day(now, days)})


def total(ledger: Asked, days: int, now: float) -> dict[str, Any] | None:
    """The same over everything; None when there was nothing. Raises sqlite3.Error."""
    return next(iter(ledger.rows(TOTAL, {"since": _day(now, days)})), None)


def _day(now: float, days: int) -> str:
    return iso(max(0.0, now - (days - 1) * 86_400))[:10]
