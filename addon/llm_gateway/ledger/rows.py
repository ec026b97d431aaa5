"""From the values that travel to rows, and the statements that write them.

What lives here: for each kind of row of the history its columns, what a value gives for
them, and one SQL statement. Each statement may be run twice with the same row and says
the same, so that a batch whose fate is unknown is simply written again.

Records change while a request lives, so the writer's `put` takes a `snapshot` at once;
turning that into texts and JSON is left to `finish`, on the writer's own thread.

What this file does not know: files, threads, when something is written.
"""

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from operator import attrgetter
from typing import Any

from llm_gateway.exchange import NANO, Candidate, Decision, Event

Value = str | int | float | None
Row = tuple[Value, ...]

LONGEST_TEXT = 500
"""Characters of a text that came from outside; what is longer is cut."""
LARGEST = 2**53
"""A count beyond this is somebody's mistake, and is cut to it."""


def iso(at: float) -> str:
    """Unix seconds as `2026-03-01T12:00:00.123Z`: sorts as it reads."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")[:-6] + "Z"


def unix(stamp: str) -> float:
    """The way back from `iso`."""
    return datetime.fromisoformat(stamp).timestamp()


def iso_or_none(at: float | None) -> str | None:
    return None if at is None else iso(at)


def dollars(nano: int | None) -> float | None:
    return None if nano is None else nano / NANO


def storable(value: Value) -> Value:
    """As SQLite can hold it: no lone surrogates, no endless texts, no 2**63, no NaN."""
    if isinstance(value, str):
        if len(value) > LONGEST_TEXT:
            value = value[: LONGEST_TEXT - 1] + "…"
        return value if value.isascii() else value.encode(errors="replace").decode()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, int):
        return max(-LARGEST, min(LARGEST, value))
    return value


@dataclass(frozen=True, slots=True, eq=False)
class Kind:
    """One kind of row: what is taken from a value, and how it is written."""

    name: str
    sql: str
    snapshot: Callable[[Any], Any]
    """Quick; called where the value lives. What it gives is never changed again."""
    finish: Callable[[Any], Row]
    """The parameters of `sql`; called on the writer's thread."""


# -- requests ------------------------------------------------------------------------

# Column -> where it is in a RequestRecord. The first two are the id and the time.
REQUEST_COLUMNS = {
    "id": "id",
    "ts": "at",
    "client": "client",
    "known_client": "known_client",
    "app": "app",
    "dialect": "dialect",
    "requested_model": "requested_model",
    "host": "host",
    "provider": "provider",
    "account": "account",
    "model": "model",
    "status": "status",
    "outcome": "outcome",
    "streamed": "streamed",
    "attempts": "attempts",
    "input_tokens": "usage.input_tokens",
    "cached_tokens": "usage.cached_tokens",
    "cache_write_tokens": "usage.cache_write_tokens",
    "output_tokens": "usage.output_tokens",
    "reasoning_tokens": "usage.reasoning_tokens",
    "usage_source": "usage.source",
    "price_source": "price_source",
    "ttft_ms": "ttft_ms",
    "duration_ms": "duration_ms",
    "error": "error",
    "simulated": "simulated",
    "config_revision": "config_revision",
    "reserved_tokens": "reserved_tokens",
    "cost_nano": "cost",
    "saved_nano": "saved",
    "reserved_cost_nano": "reserved_cost",
}

ATTEMPT_COLUMNS = {
    "request": "request",
    "n": "n",
    "ts": "at",
    "provider": "provider",
    "account": "account",
    "model": "model",
    "status": "status",
    "outcome": "outcome",
    "reason": "reason",
    "retry_after": "retry_after",
    "ttft_ms": "ttft_ms",
    "duration_ms": "duration_ms",
    "counted": "counted",
    "tokens": "tokens",
    "cost_nano": "cost",
}


def _insert(table: str, columns: Sequence[str], more: str = "") -> str:
    marks = ", ".join("?" * len(columns))
    names = ", ".join(columns)
    if more:
        names, _, expression = f"{names}, {more}".partition(" = ")
        marks = f"{marks}, {expression}"
    return f"INSERT INTO {table} ({names}) VALUES ({marks})"


def _completed(table: str, key: str, columns: Sequence[str]) -> str:
    """Only a row that is on its way can be completed: an end that comes twice is one."""
    pairs = ", ".join(
        f"{c} = excluded.{c}" for c in columns if c not in key.split(", ")
    )
    return (
        f" ON CONFLICT ({key}) DO UPDATE SET {pairs}"
        f" WHERE {table}.outcome = 'in_flight'"
    )


_HOST = tuple(REQUEST_COLUMNS).index("host")


def _request(taken: tuple[Any, ...]) -> Row:
    row = [taken[0], iso(taken[1]), *map(storable, taken[2:])]
    row[_HOST] = row[_HOST] or None
    return tuple(row)


_request_snapshot = attrgetter(*REQUEST_COLUMNS.values())
_insert_request = _insert("requests", tuple(REQUEST_COLUMNS))

BEGIN_REQUEST = Kind(
    "request",
    _insert_request + " ON CONFLICT (id) DO NOTHING",
    _request_snapshot,
    _request,
)
END_REQUEST = Kind(
    "request's end",
    _insert_request + _completed("requests", "id", tuple(REQUEST_COLUMNS)),
    _request_snapshot,
    _request,
)

# -- attempts ------------------------------------------------------------------------


_RETRY_AFTER = tuple(ATTEMPT_COLUMNS).index("retry_after")


def _attempt(taken: tuple[Any, ...]) -> Row:
    row = [taken[0], taken[1], iso(taken[2]), *map(storable, taken[3:])]
    row[_RETRY_AFTER] = iso_or_none(taken[_RETRY_AFTER])
    return (*row, taken[0])


_attempt_snapshot = attrgetter(*ATTEMPT_COLUMNS.values())
# The known client is copied over, so that limits can be rebuilt from this table alone,
# even after the request itself has grown too old to keep.
_insert_attempt = _insert(
    "attempts",
    tuple(ATTEMPT_COLUMNS),
    "client = (SELECT known_client FROM requests WHERE id = ?)",
)

BEGIN_ATTEMPT = Kind(
    "attempt",
    _insert_attempt + " ON CONFLICT (request, n) DO NOTHING",
    _attempt_snapshot,
    _attempt,
)
END_ATTEMPT = Kind(
    "attempt's end",
    _insert_attempt + _completed("attempts", "request, n", tuple(ATTEMPT_COLUMNS)),
    _attempt_snapshot,
    _attempt,
)

# -- decisions -----------------------------------------------------------------------


def _candidate(candidate: Candidate) -> dict[str, Any]:
    """As `/route` shows it, without what is empty: this is most of the ledger's bytes.

    `expected_cost` in US$, `returns_at` as an ISO time, `headroom` 0..1.
    """
    offer = candidate.offer
    shown = {
        "provider": offer.provider,
        "model": offer.model,
        "free": offer.zero_cost,
        "verdict": candidate.verdict.value,
        "state": candidate.state,
        "reason": candidate.reason,
        "headroom": round(candidate.headroom, 4),
    }
    if offer.account:
        shown["account"] = offer.account
    if candidate.expected_cost is not None:
        shown["expected_cost"] = dollars(candidate.expected_cost)
    if candidate.returns_at is not None:
        shown["returns_at"] = iso(candidate.returns_at)
    return shown


def _decision(taken: tuple[str, float, Decision]) -> Row:
    request, at, decision = taken
    first = next(iter(decision.ready), None)
    return (
        request,
        iso(at),
        storable(decision.model),
        decision.policy.value,
        storable(f"{first.offer.provider}/{first.offer.model}") if first else None,
        json.dumps([_candidate(c) for c in decision.candidates], separators=(",", ":")),
    )


DECISION = Kind(
    "decision",
    _insert("decisions", ("request", "ts", "model", "policy", "chosen", "candidates"))
    + " ON CONFLICT (request) DO NOTHING",
    tuple,
    _decision,
)

# -- events --------------------------------------------------------------------------


def _event(event: Event) -> Row:
    return (
        iso(event.at),
        event.kind,
        storable(event.subject),
        storable(event.message),
        json.dumps({k: storable(v) for k, v in event.detail.items()}),
    )


EVENT = Kind(
    "event",
    _insert("events", ("ts", "kind", "subject", "message", "detail")),
    lambda event: event,
    _event,
)
