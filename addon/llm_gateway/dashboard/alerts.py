"""What a person should know without looking for it: at most one line per provider.

What lives here: which of the things on the live page are worth a line on top, in which
order, with which forecast. The page turns the parts into a sentence, because only the
browser knows the reader's clock.

What this file does not know: SQLite, clocks (`now` is an argument), HTML.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from llm_gateway.dashboard.availability import (
    METRICS,
    NEAR,
    OFF,
    LimitBar,
    empty_at,
    limit_name,
)
from llm_gateway.dashboard.limit_bars import LimitBars, counts_in

Json = dict[str, Any]
Rates = Mapping[tuple[str, ...], Mapping[str, float]]

SEVERITY = (
    "gateway",
    "key refused",
    "full",
    "failing",
    "hot",
    "cooling down",
    "near",
)
"""Kinds of alerts, the most urgent first."""

AT_MOST = 12
OTHERS = 8
"""Further alerts of one provider that are sent along."""


def alerts(
    gateway: Json | None,
    providers: Sequence[Json],
    bars: LimitBars,
    rates: Rates,
    now: float,
) -> list[Json]:
    """Most urgent first. Each: {kind, subject, ...} as the functions below make them."""
    found = [*_of_gateway(gateway), *_of_budget(bars.budget, rates, now)]
    for provider in providers:
        own = [
            *_of_states(provider),
            *_of_bars(provider, bars, rates, now),
        ]
        if own:
            own.sort(key=_urgency)
            found.append(own[0] | {"more": len(own) - 1, "others": own[1 : OTHERS + 1]})
    found.sort(key=_urgency)
    return found[:AT_MOST]


def _urgency(alert: Json) -> tuple[int, float]:
    return (SEVERITY.index(alert["kind"]), -alert.get("ratio", 0.0))


def _of_gateway(gateway: Json | None) -> Iterator[Json]:
    if gateway is None:
        return
    for reason in gateway["degraded"]:
        yield {"kind": "gateway", "subject": "The gateway is degraded", "text": reason}
    if gateway["config_error"]:
        yield {
            "kind": "gateway",
            "subject": "The changed configuration was refused, the old one goes on",
            "text": gateway["config_error"],
        }


def _of_states(provider: Json) -> Iterator[Json]:
    for model in provider["models"]:
        state = model["state"]
        word = state["word"]
        # What was switched off on purpose has a `disabled` without a way back.
        kind = "failing" if word == "disabled" and state["returns"] else word
        if kind not in ("failing", "cooling down", "key refused"):
            continue
        yield {
            "kind": kind,
            "subject": f"{provider['id']} / {model['model']}",
            "word": word,
            "text": state["reason"],
            "returns": state["returns"],
        }


def _of_bars(
    provider: Json, bars: LimitBars, rates: Rates, now: float
) -> Iterator[Json]:
    if provider["state"]["word"] in OFF:
        return
    id_ = provider["id"]
    shared = bars.shared.get(id_, ())
    for bar in shared:
        yield from _bar_alerts(id_, (bar,), _shared_rate(rates, id_, bar), now)
    for model in provider["models"]:
        if model["state"]["word"] in OFF:
            continue
        key = (id_, model["model"])
        yield from _bar_alerts(
            f"{id_} / {model['model']}",
            bars.models.get(key, ()),
            rates.get(key, {}),
            now,
        )


def _of_budget(budget: Sequence[LimitBar], rates: Rates, now: float) -> Iterator[Json]:
    yield from _bar_alerts("Budget", budget, rates.get((), {}), now)


TAPE_SECONDS = 86_400.0
"""How far the refill tape looks ahead."""
LANES = 12


def refills(
    providers: Sequence[Json], bars: LimitBars, rates: Rates, now: float
) -> list[Json]:
    """The refill tape: limits in use that are full again within a day, per provider.

    Each: {provider, of, limit, ratio, level, empty, resets}; `of` is the model, or "" for
    all of the provider's; `empty` is when it is used up at the pace of the last quarter of
    an hour, if that is before. Only the LANES soonest. Rolling minutes and hours are no dates, so they are left out.
    """
    found = []
    for provider in providers:
        if provider["state"]["word"] in OFF:
            continue
        id_ = provider["id"]
        lanes: list[tuple[str, Sequence[LimitBar], Mapping[str, float]]] = [
            ("", (bar,), _shared_rate(rates, id_, bar))
            for bar in bars.shared.get(id_, ())
        ]
        for model in provider["models"]:
            key = (id_, model["model"])
            if model["state"]["word"] not in OFF:
                lanes.append((key[1], bars.models.get(key, ()), rates.get(key, {})))
        for of, own, rate in lanes:
            for bar in own:
                if bar.resets_at is None or bar.window in ("minute", "hour"):
                    continue
                if bar.ratio <= 0 or not now < bar.resets_at <= now + TAPE_SECONDS:
                    continue
                found.append(
                    {
                        "provider": id_,
                        "of": of,
                        "limit": limit_name(bar),
                        "ratio": round(bar.ratio, 4),
                        "level": bar.level,
                        "empty": empty_at(bar, rate.get(bar.metric, 0.0), now),
                        "resets": bar.resets_at,
                    }
                )
    soonest = sorted(found, key=lambda lane: (lane["resets"], -lane["ratio"]))[:LANES]
    shown = {id(lane) for lane in soonest}
    return [lane for lane in found if id(lane) in shown]


def _shared_rate(rates: Rates, provider: str, bar: LimitBar) -> Mapping[str, float]:
    """The pace of all that a provider's limit holds for: a tier is not all its models."""
    if bar.scope != "tier":
        return rates.get((provider,), {})
    mine = [
        rate
        for key, rate in rates.items()
        if len(key) == 2 and key[0] == provider and counts_in(bar, key[1])
    ]
    return {metric: sum(rate.get(metric, 0.0) for rate in mine) for metric in METRICS}


def _bar_alerts(
    subject: str, bars: Sequence[LimitBar], rate: Mapping[str, float], now: float
) -> Iterator[Json]:
    for bar in bars:
        empty = empty_at(bar, rate.get(bar.metric, 0.0), now)
        if bar.ratio < NEAR:
            continue
        yield {
            "kind": bar.level,
            "subject": subject,
            "metric": bar.metric,
            "window": bar.window,
            "limit": limit_name(bar),
            "ratio": round(bar.ratio, 4),
            "resets": bar.resets_at,
            "empty": empty,
        }
