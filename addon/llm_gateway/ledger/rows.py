"""From the values that travel to rows.

What lives here: for each kind of row of the history its columns, and what a value gives
for them.

Records change while a request lives, so the writer's `put` takes a `snapshot` at once;
turning that into texts and JSON is left to `finish`, on the writer's own thread.

What this file does not know: SQL (`batch_insert`), files, threads, when something is written.
"""

import json
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from operator import attrgetter, itemgetter
from types import NoneType
from typing import Any

from llm_gateway.domain import NANO, Adaptation, Candidate, Decision, Event
from llm_gateway.timestamps import iso

Value = str | int | float | None
Row = tuple[Value, ...]

LONGEST_TEXT = 500
"""Characters of a text that came from outside; what is longer is cut."""
LARGEST = 2**53
"""A count beyond this is somebody's mistake, and is cut to it."""


_compact = json.JSONEncoder(separators=(",", ":")).encode


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


class Part(Enum):
    """What a row is about, and so in which table it lies."""

    REQUEST = "request"
    ATTEMPT = "attempt"
    DECISION = "decision"
    EVENT = "event"
    BOUND = "bound"


def all_storable(values: Sequence[Value], numbers: Iterable[Any]) -> Iterable[Value]:
    """`storable` for each. Most rows are short and plain, which is seen at one look.

    numbers: those of the values that may be large.
    """
    if set(map(type, values)) <= _PLAIN:
        text = "".join(map(str, values))
        if text.isascii() and len(text) <= LONGEST_TEXT:
            some = tuple(filter(None, numbers))
            if not some or (min(some) >= -LARGEST and max(some) <= LARGEST):
                return values
    return map(storable, values)


_PLAIN = {str, int, bool, NoneType}


@dataclass(frozen=True, slots=True, eq=False)
class Kind:
    """One kind of row: what is taken from a value, and what becomes of that."""

    name: str
    part: Part
    ends: bool
    """It comes after what began: written after all that did not end."""
    snapshot: Callable[[Any], Any]
    """Quick; called where the value lives. What it gives is never changed again."""
    finish: Callable[[Any], tuple[str | None, Row]]
    """The request's id, if there is one, and the values of `COLUMNS[part]`; called on
    the writer's thread."""


def _places_of(columns: Iterable[str], *names: str) -> Callable[[Any], tuple[Any, ...]]:
    """From what was taken of a value, whose first is the request: these columns."""
    places = ("request", *columns)
    return itemgetter(*map(places.index, names))


# -- requests ------------------------------------------------------------------------

# Column -> where it is in a RequestRecord. The time comes first.
REQUEST_COLUMNS = {
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
    "adapted": "adapted",
    "translated": "translated",
    "member": "member",
    "reserved_tokens": "reserved_tokens",
    "cost_nano": "cost",
    "saved_nano": "saved",
    "reserved_cost_nano": "reserved_cost",
}

ATTEMPT_COLUMNS = {
    "ts": "at",
    "n": "n",
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


_REQUEST_NUMBERS = _places_of(
    REQUEST_COLUMNS,
    *("status", "attempts", "input_tokens", "cached_tokens", "cache_write_tokens"),
    *("output_tokens", "reasoning_tokens", "ttft_ms", "duration_ms"),
    *("reserved_tokens", "cost_nano", "saved_nano", "reserved_cost_nano"),
)
_HOST = tuple(REQUEST_COLUMNS).index("host")
_ADAPTED = tuple(REQUEST_COLUMNS).index("adapted")
_TRANSLATED = tuple(REQUEST_COLUMNS).index("translated")
_MEMBER = tuple(REQUEST_COLUMNS).index("member")


def _request(taken: tuple[Any, ...]) -> tuple[str, Row]:
    row = [iso(taken[1]), *all_storable(taken[2:], _REQUEST_NUMBERS(taken))]
    row[_HOST] = row[_HOST] or None
    row[_ADAPTED] = row[_ADAPTED] or None
    row[_TRANSLATED] = row[_TRANSLATED] or None
    row[_MEMBER] = row[_MEMBER] or None
    return taken[0], tuple(row)


_request_snapshot = attrgetter("id", *REQUEST_COLUMNS.values())

BEGIN_REQUEST = Kind("request", Part.REQUEST, False, _request_snapshot, _request)
END_REQUEST = Kind("request's end", Part.REQUEST, True, _request_snapshot, _request)


def _collected(taken: tuple[Value, ...]) -> tuple[str, Row]:
    """Of another gateway, as its own ledger has it: id, then `REQUEST_COLUMNS`."""
    return str(taken[0]), tuple(map(storable, taken[1:]))


COLLECTED = Kind("member's request", Part.REQUEST, True, tuple, _collected)

# -- attempts ------------------------------------------------------------------------


_ATTEMPT_NUMBERS = _places_of(
    ATTEMPT_COLUMNS, "n", "status", "ttft_ms", "duration_ms", "tokens", "cost_nano"
)
_RETRY_AFTER = tuple(ATTEMPT_COLUMNS).index("retry_after")


def _attempt(taken: tuple[Any, ...]) -> tuple[str, Row]:
    row = [iso(taken[1]), *all_storable(taken[2:], _ATTEMPT_NUMBERS(taken))]
    row[_RETRY_AFTER] = iso_or_none(taken[1 + _RETRY_AFTER])
    return taken[0], tuple(row)


_attempt_snapshot = attrgetter("request", *ATTEMPT_COLUMNS.values())

BEGIN_ATTEMPT = Kind("attempt", Part.ATTEMPT, False, _attempt_snapshot, _attempt)
END_ATTEMPT = Kind("attempt's end", Part.ATTEMPT, True, _attempt_snapshot, _attempt)

# -- decisions -----------------------------------------------------------------------


def _candidate(candidate: Candidate) -> dict[str, Any]:
    """As `/route` shows it, without what is empty: this is most of the ledger's bytes.

    `expected_cost` in US$, `returns_at` as an ISO time, `headroom` 0..1
    of what was not skipped.
    """
    offer = candidate.offer
    shown = {
        "provider": offer.provider,
        "model": offer.model,
        "free": offer.zero_cost,
        "verdict": candidate.verdict.value,
        "state": candidate.state,
        "reason": candidate.reason,
        "adaptation": _adaptation(candidate.adaptation),
    }
    if offer.account:
        shown["account"] = offer.account
    if candidate.headroom is not None:
        shown["headroom"] = round(candidate.headroom, 4)
    if candidate.expected_cost is not None:
        shown["expected_cost"] = dollars(candidate.expected_cost)
    if candidate.returns_at is not None:
        shown["returns_at"] = iso(candidate.returns_at)
    return shown


def _adaptation(found: Adaptation | None) -> dict[str, Any] | None:
    if found is None:
        return None
    return {
        "pair": found.pair,
        "dropped": [{"part": part, "why": why} for part, why in found.dropped],
        "approximated": [{"part": p, "how": how} for p, how in found.approximated],
    }


DECISION_COLUMNS = ("ts", "model", "policy", "chosen", "candidates")


def _decision(taken: tuple[str, float, Decision]) -> tuple[str, Row]:
    request, at, decision = taken
    first = next(iter(decision.ready), None)
    candidates = [_candidate(c) for c in decision.candidates]
    return request, (
        iso(at),
        storable(decision.model),
        decision.policy.value,
        storable(f"{first.offer.provider}/{first.offer.model}") if first else None,
        _compact(candidates),
    )


DECISION = Kind("decision", Part.DECISION, False, tuple, _decision)

# -- events --------------------------------------------------------------------------


EVENT_COLUMNS = ("ts", "kind", "subject", "message", "detail")


def _event(event: Event) -> tuple[None, Row]:
    return None, (
        iso(event.at),
        event.kind,
        storable(event.subject),
        storable(event.message),
        json.dumps({k: storable(v) for k, v in event.detail.items()}),
    )


EVENT = Kind("event", Part.EVENT, True, lambda event: event, _event)

# -- ids of answers that providers keep ------------------------------------------------

# The rest is the request's own.
BOUND_COLUMNS = ("ts", "id", "zero_cost")


def _bound(taken: tuple[str, float, str, bool]) -> tuple[str, Row]:
    request, at, name, zero_cost = taken
    return request, (iso(at), name, int(zero_cost))


BOUND = Kind("bound id", Part.BOUND, True, tuple, _bound)

KINDS = (
    *(BEGIN_REQUEST, BEGIN_ATTEMPT, DECISION, END_ATTEMPT, END_REQUEST, EVENT, BOUND),
    COLLECTED,
)

COLUMNS: dict[Part, tuple[str, ...]] = {
    Part.REQUEST: tuple(REQUEST_COLUMNS),
    Part.ATTEMPT: tuple(ATTEMPT_COLUMNS),
    Part.DECISION: DECISION_COLUMNS,
    Part.EVENT: EVENT_COLUMNS,
    Part.BOUND: BOUND_COLUMNS,
}
"""Part -> its columns, but for the request's id."""
