"""Reads what a provider says is left of an account: allowances, credits, balances.

What lives here: `read_quota`, from the answer of a quota route to `LimitObservation`s with
source `quota`, by the shape that the route names. A number that cannot be one (of
another type or currency, below 0 where nothing can be, larger than anything sold) is taken
as not said: the limits that are known hold on.

Money is what is left, whatever was spent: `remaining_only`. What is overdrawn is 0.

What this file does not know: sockets, which offers a word is about.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import Any

from llm_gateway.domain import NANO, Metric, Reset, Window
from llm_gateway.limits.durations import moment
from llm_gateway.limits.values import LimitObservation
from llm_gateway.providers.provider_type import QuotaRoute
from llm_gateway.providers.said_numbers import number

SOURCE = "quota"
MOST_REQUESTS = 10_000_000
MOST_DOLLARS = 1_000_000
DAY = 86_400
UTC = Reset(0, 0, "UTC")
FURTHEST = 32 * DAY
"""Seconds; no plan begins anew later than that."""
BALANCE = "balance"
"""The shape of money at a place that the route names."""
PARTS = 1_000_000
"""What a share is told in: one request more or less is nothing of it."""

Entry = Mapping[str, Any]
Words = Iterator[LimitObservation]


class NotAQuota(ValueError):
    """An answer that says nothing of what is left; the clause follows the provider's name."""


def read_quota(
    route: QuotaRoute, body: bytes, now: float, host: str = ""
) -> tuple[LimitObservation, ...]:
    """What is left as of `now`; empty: nothing that limits. Raises NotAQuota.

    `host`: who answered; some tell money in another currency than the others.
    """
    try:
        value = json.loads(body, parse_float=Decimal)
    except (ValueError, RecursionError):
        raise NotAQuota("answers no JSON when asked what is left") from None
    if not isinstance(value, Mapping):
        raise NotAQuota("does not say what is left")
    if route.shape == BALANCE:
        return tuple(
            _balance(value, now, route, in_dollars=host not in route.elsewhere)
        )
    return tuple(_SHAPES[route.shape](value, now))


def _openrouter(value: Entry, now: float) -> Words:
    data = _object(value, "data")
    if not data:
        raise NotAQuota("does not say what is left")
    free = _object(data, "free_model_daily_requests")
    limit, remaining = _count(free.get("limit")), _count(free.get("remaining"))
    if limit and remaining is not None:
        yield LimitObservation(
            Metric.REQUESTS,
            Window.DAY,
            now,
            limit=limit,
            remaining=min(limit, remaining),
            resets_at=_midnight(now),
            source=SOURCE,
            scope="tier",
            reset=UTC,
        )
    left = _dollars(data.get("limit_remaining"))
    if left is not None:
        daily = data.get("limit_reset") == "daily"
        yield _money(left, now, Window.DAY if daily else Window.MONTH)


def _deepseek(value: Entry, now: float) -> Words:
    infos = value.get("balance_infos")
    found = (
        [i for i in infos if isinstance(i, Mapping)] if isinstance(infos, list) else []
    )
    if not found and not isinstance(value.get("is_available"), bool):
        raise NotAQuota("does not say what is left")
    if value.get("is_available") is False:
        yield _money(0, now)
        return
    balances = [
        left
        for info in found
        if info.get("currency") == "USD"
        and (left := _dollars(info.get("total_balance"))) is not None
    ]
    # Other currencies may pay as well: dollars alone do not say that nothing is left.
    if balances and len(balances) == len(found):
        yield _money(sum(balances), now)


def _balance(value: Entry, now: float, route: QuotaRoute, *, in_dollars: bool) -> Words:
    for name in route.member[:-1]:
        value = _object(value, name)
    if route.member[-1] not in value:
        raise NotAQuota("does not say what is left")
    left = _dollars(value[route.member[-1]], route.per_dollar)
    # Nothing is nothing, in whatever currency.
    if left is not None and (in_dollars or not left):
        yield _money(left, now)


def _venice(value: Entry, now: float) -> Words:
    balances = _object(value, "balances")
    if not balances and not isinstance(value.get("canConsume"), bool):
        raise NotAQuota("does not say what is left")
    left = _dollars(balances.get("usd"))
    if value.get("canConsume") is False:
        yield _money(0, now)
    elif value.get("consumptionCurrency") == "USD" and left is not None:
        yield _money(left, now)


def _copilot(value: Entry, now: float) -> Words:
    snapshots = _object(value, "quota_snapshots")
    if not snapshots:
        raise NotAQuota("does not say what is left")
    date = value.get("quota_reset_date_utc") or value.get("quota_reset_date")
    resets_at = moment(date, now) if isinstance(date, str) else None
    chat = _object(snapshots, "chat")
    for kind in ("premium_interactions", "chat"):
        said = _object(snapshots, kind)
        limit, left = _count(said.get("entitlement")), _count(said.get("remaining"))
        if not limit or left is None or said.get("unlimited") is True:
            continue
        if said.get("overage_permitted") is True:
            continue
        # Where chat is unlimited, the models that cost nothing go on without premium.
        if kind != "chat" and not left and chat.get("unlimited") is True:
            continue
        yield LimitObservation(
            Metric.REQUESTS,
            Window.MONTH,
            now,
            limit=limit,
            remaining=min(limit, left),
            resets_at=resets_at,
            source=SOURCE,
            scope="provider",
            remaining_only=True,
        )


def _ollama(value: Entry, now: float) -> Words:
    limits = _object(value, "limits")
    if not limits:
        raise NotAQuota("does not say what is left")
    for kind, window in _OLLAMA.items():
        share = number(_object(limits, kind).get("usage"))
        if share is None or not 0 <= share <= 2:
            continue
        yield _share(1 - share, window, now)


_OLLAMA = {"session": Window.HOUR, "weekly": Window.DAY, "monthly": Window.MONTH}

_SPANS = {3: Window.HOUR, 5: Window.MONTH, 6: Window.DAY}
"""Z.ai's units of time: hours, months, weeks."""


def _zai(value: Entry, now: float) -> Words:
    limits = _object(value, "data").get("limits")
    if not isinstance(limits, list):
        raise NotAQuota("does not say what is left")
    for limit in limits:
        if not isinstance(limit, Mapping) or limit.get("type") != "TOKENS_LIMIT":
            continue  # TIME_LIMIT: searches and other tools
        used, at = number(limit.get("percentage")), number(limit.get("nextResetTime"))
        unit = number(limit.get("unit", 3))
        window = None if unit is None else _SPANS.get(int(unit))
        if used is None or window is None or not 0 <= used <= 200:
            continue
        resets_at = None if at is None else float(at / 1000)
        yield _share(1 - used / 100, window, now, resets_at)


def _kimi(value: Entry, now: float) -> Words:
    value = _object(value, "data") or value
    limits = value.get("limits")
    hours = limits[0] if isinstance(limits, list) and limits else None
    said = {
        Window.DAY: _object(value, "usage"),
        Window.HOUR: _object(hours, "detail") if isinstance(hours, Mapping) else {},
    }
    if not any(said.values()):
        raise NotAQuota("does not say what is left")
    for window, detail in said.items():
        most, used = number(detail.get("limit")), number(detail.get("used"))
        left = number(detail.get("remaining"))
        if left is None and most is not None and used is not None:
            left = most - used
        if left is None or not most or not 0 < most <= MOST_REQUESTS:
            continue
        if not -most <= left <= most:
            continue
        date = detail.get("resetTime")
        resets_at = moment(date, now) if isinstance(date, str) else None
        yield _share(left / most, window, now, resets_at)


_SHAPES: Mapping[str, Callable[[Entry, float], Words]] = {
    "openrouter": _openrouter,
    "deepseek": _deepseek,
    "venice": _venice,
    "zai": _zai,
    "kimi": _kimi,
    "copilot": _copilot,
    "ollama": _ollama,
}
SHAPES = frozenset({BALANCE, *_SHAPES})


def _share(
    left: Decimal, window: Window, now: float, resets_at: float | None = None
) -> LimitObservation:
    """A part of a plan, 0 to 1. A reset in the past is none."""
    known = resets_at is not None and now < resets_at <= now + FURTHEST
    return LimitObservation(
        Metric.REQUESTS,
        window,
        now,
        limit=PARTS,
        remaining=max(0, int(PARTS * left)),
        resets_at=resets_at if known else None,
        source=SOURCE,
        scope="provider",
        remaining_only=True,
    )


def _money(left: int, now: float, window: Window = Window.MONTH) -> LimitObservation:
    return LimitObservation(
        Metric.COST,
        window,
        now,
        limit=max(1, left),
        remaining=left,
        resets_at=_midnight(now) if window is Window.DAY else None,
        source=SOURCE,
        scope="provider",
        remaining_only=True,
        reset=UTC if window is Window.DAY else None,
    )


def _midnight(now: float) -> float:
    return (now // DAY + 1) * DAY


def _object(entry: Entry, key: str) -> Entry:
    value = entry.get(key)
    return value if isinstance(value, Mapping) else {}


def _count(value: Any) -> int | None:
    """Whole requests; a part of one is none."""
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        return None
    if not Decimal(value).is_finite() or not 0 <= value <= MOST_REQUESTS:
        return None
    return int(value)


def _dollars(value: Any, per_dollar: int = 1) -> int | None:
    """Nano-dollars; 0 for what is overdrawn."""
    found = number(value)
    if found is None or abs(found) > MOST_DOLLARS * per_dollar:
        return None
    return max(0, int(found * NANO / per_dollar))
