"""Providers and models with their limits, states and names, as they stand.

What lives here: the rows of the running configuration, `limit_state` and `offer_state` put
together per provider and model, and `KnownStandings`, which makes that anew only when one of
those rows, or the minute, is another one: of hundreds of models it is dear, and most
seconds nothing of it changes.

What this file does not know: traffic, clocks (`now` is an argument), HTML.
"""

import json
import math
import sqlite3
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from llm_gateway.dashboard import queries
from llm_gateway.dashboard.availability import (
    OFF,
    SLACK,
    Availability,
    LimitBar,
    OfferState,
    best_of,
    excluded,
    moment,
    standing,
)
from llm_gateway.dashboard.limit_bars import LimitBars, bars_json, limit_bars
from llm_gateway.dashboard.reader import Ask
from llm_gateway.dashboard.served_names import USABLE, NamedOffer, names

Json = dict[str, Any]
Pair = tuple[str, str]
"""(provider, model)."""
Rows = list[tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class Standings:
    """Nothing in it is changed once it is made."""

    bars: LimitBars
    providers: list[Json]
    """Each with its models, without traffic."""
    ready: list[int]
    """[ready, in use] models."""
    names: list[Json]
    good_until: float
    """Unix seconds at which a limit refills or a pause ends, whatever the rows say."""


class KnownStandings:
    """Remembers the last ones. Lives on the reader's thread."""

    def __init__(self) -> None:
        self._made: Standings | None = None
        self._of: tuple[str | None, float, Rows] = (None, 0.0, [])
        """Policy, moment and rows that it was made of."""

    def at(self, ask: Ask, rows: Rows, policy: str | None, now: float) -> Standings:
        """`rows`: what `standing_rows` found; the same rows are the same standings."""
        made = self._made
        of_policy, since, of_rows = self._of
        if (
            made is None
            or of_policy != policy
            or since // 60 != now // 60
            or not since <= now < made.good_until
            or of_rows != rows
        ):
            made = self._made = standings(ask, policy, now)
            self._of = (policy, now, rows)
        return made


def standing_rows(ask: Ask) -> Rows:
    """All that standings are made of, a text a row: cheaper to read and to compare."""
    return [tuple(row) for sql in queries.STANDING_ROWS for row in ask(sql, {})]


def standings(ask: Ask, policy: str | None, now: float) -> Standings:
    bars = limit_bars(ask, now)
    offers: dict[Pair, list[sqlite3.Row]] = defaultdict(list)
    for row in ask(queries.OFFERS, {}):
        offers[row["provider"], row["model"]].append(row)
    models: dict[str, dict[str, list[sqlite3.Row]]] = defaultdict(dict)
    for row in ask(queries.MODELS, {}):
        models[row["provider"]].setdefault(row["model"], []).append(row)
    asked = _asked(ask)
    result: list[Json] = []
    named: list[NamedOffer] = []
    ready = in_use = 0
    for provider in ask(queries.PROVIDERS, {}):
        id_ = provider["id"]
        off = "" if provider["enabled"] else provider["reason"] or "disabled"
        rows, words = [], []
        for model, known_as in models[id_].items():
            accounts = offers.get((id_, model), ())
            found = _standing(id_, model, known_as[0], off, accounts, bars, policy, now)
            words.append(found)
            in_use += found.state not in OFF
            ready += found.state in USABLE
            rows.append(
                _model(model, known_as, found, bars.models.get((id_, model), ()))
            )
            named += [
                _named(row, found, _headroom(bars, accounts, id_, model), len(named))
                for row in known_as
            ]
        result.append(
            {
                "id": id_,
                "type": provider["type"],
                "free": bool(provider["free"]),
                "flat": provider["flat_rate_usd_per_month"],
                "accounts": provider["accounts"],
                # A ledger of an earlier version has no such column.
                "way_out": provider["way_out"] if "way_out" in provider.keys() else "",  # noqa: SIM118
                "asked": asked.get(id_),
                "state": standing_json(best_of(words, off=off)),
                "bars": bars_json(bars.shared.get(id_, ())),
                "models": rows,
            }
        )
    returns = (moment(row["returns_at"]) for rows in offers.values() for row in rows)
    ends = [at + SLACK for at in (*_resets(bars), *returns) if at is not None]
    good_until = min((at for at in ends if at >= now), default=math.inf)
    return Standings(
        bars,
        result,
        [ready, in_use],
        names(named, policy),
        math.nextafter(good_until, 0),
    )


def _resets(bars: LimitBars) -> Iterator[float | None]:
    for group in (bars.shared, bars.models, bars.clients):
        for found in group.values():
            yield from (bar.resets_at for bar in found)
    for single in bars.accounts.values():
        yield from (bar.resets_at for bar in single)
    yield from (bar.resets_at for bar in bars.budget)


def standing_json(found: Availability) -> Json:
    return {
        "word": found.state,
        "hot": found.hot,
        "reason": found.reason,
        "returns": found.returns_at,
    }


def _asked(ask: Ask) -> dict[str, Json]:
    """Providers that say themselves what they have and what is left -> when they did:
    the oldest of their accounts."""
    rows = ask(queries.DETAIL, {})
    detail = json.loads(rows[0]["detail"] or "{}") if rows else {}
    found: dict[str, Json] = {}
    for poll in detail.get("polls", ()):
        said = found.setdefault(poll["provider"], {"list": None, "quota": None})
        for what in ("list", "quota"):
            at = moment(poll.get(what, {}).get("checked_at"))
            if at is not None:
                said[what] = at if said[what] is None else min(said[what], at)
    return found


def _standing(
    provider: str,
    model: str,
    row: sqlite3.Row,
    off: str,
    accounts: Sequence[sqlite3.Row],
    bars: LimitBars,
    policy: str | None,
    now: float,
) -> Availability:
    free = bool(row["free"])
    off = off or ("" if row["enabled"] else row["reason"] or "disabled")
    off = off or excluded(
        policy=policy,
        free=free,
        priced=row["price_source"] is not None,
        bounded=not free and bars.bounded(provider, model),
    )
    said = [
        OfferState(one["state"], one["reason"], moment(one["returns_at"]))
        for one in accounts
    ]
    return standing(said, bars.of(provider, model, free=free), now, off=off)


def _model(
    model: str,
    known_as: Sequence[sqlite3.Row],
    found: Availability,
    bars: Sequence[LimitBar],
) -> Json:
    first = known_as[0]
    return {
        "model": model,
        "names": [row["name"] for row in known_as],
        "free": bool(first["free"]),
        "price": None
        if first["price_source"] is None
        else [first["input_usd_per_million"], first["output_usd_per_million"]],
        "state": standing_json(found),
        "bars": bars_json(bars),
    }


def _headroom(
    bars: LimitBars, accounts: Sequence[sqlite3.Row], provider: str, model: str
) -> float:
    """Of the best account."""
    names = {row["account"] for row in accounts} or {""}
    return max(bars.headroom(provider, account, model) for account in names)


def _named(
    row: sqlite3.Row, found: Availability, headroom: float, order: int
) -> NamedOffer:
    return NamedOffer(
        provider=row["provider"],
        model=row["model"],
        name=row["name"],
        aliases=tuple(json.loads(row["aliases"])),
        free=bool(row["free"]),
        input_price=row["input_usd_per_million"],
        output_price=row["output_usd_per_million"],
        standing=found,
        headroom=headroom,
        order=order,
    )
