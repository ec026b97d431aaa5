"""Details of one request: why it went where it went, from its rows.

What lives here: from `requests`, `attempts` and `decisions` to what the Request page
shows: a headline, the attempts on a time line, the candidates with their reasons, tokens
and money. And the short story of one model of one provider, for the live page.

What this file does not know: HTML, who asks.
"""

import json
import sqlite3
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from llm_gateway.dashboard import queries
from llm_gateway.dashboard.availability import clause, moment, stamp, word_of
from llm_gateway.dashboard.reader import Ask

Json = dict[str, Any]

HEADLINES = {
    "ok": "Answered",
    "error": "Failed",
    "refused": "Refused: nobody could take it",
    "cancelled": "Cancelled: the client went away",
    "truncated": "Cut off after the answer had begun",
    "passthrough": "Passed through to the host that the app named",
    "in_flight": "On its way",
    "lost": "Lost: the gateway stopped before the answer was complete",
}
"""Outcome -> what happened, in words."""

CLASSES = (
    ("input", "input_tokens", "prompt"),
    ("cached", "cached_tokens", "prompt, read from a cache"),
    ("cache write", "cache_write_tokens", "prompt, written to a cache"),
    ("output", "output_tokens", "answer"),
    ("reasoning", "reasoning_tokens", "answer, unseen"),
)
"""(class, column, what it is): disjoint, they add up to the total."""

PRICED = {
    "free": "free of charge",
    "config": "price from the configuration",
    "genai-prices": "list price of genai-prices",
    "provider": "as the provider billed it",
    "simulated": "made up: simulated",
    "": "",
}
"""Where a price comes from, in words."""

FAILURES_WITHIN = 7 * 86_400


def request_detail(ask: Ask, id_: str) -> Json | None:
    """All that the ledger knows of a request; None when it knows nothing."""
    rows = ask(queries.REQUEST, {"id": id_})
    if not rows:
        return None
    row = dict(rows[0])
    began = moment(row["ts"]) or 0.0
    attempts = [dict(found) for found in ask(queries.ATTEMPTS, {"id": id_})]
    _say_repairs(ask, attempts)
    decisions = ask(queries.DECISION, {"id": id_})
    candidates = _candidates(decisions[0]["candidates"], attempts) if decisions else []
    length = _length(row, attempts, began)
    return {
        **row,
        "at": began,
        "headline": HEADLINES.get(row["outcome"], row["outcome"]),
        "way": _way(row),
        "pair": shown_pair(row.get("translated")),
        "policy": decisions[0]["policy"] if decisions else None,
        "chosen": decisions[0]["chosen"] if decisions else None,
        "candidates": candidates,
        "first_back": _first_back(candidates) if row["outcome"] == "refused" else None,
        "priced": PRICED.get(row["price_source"] or "", row["price_source"]),
        "tries": [_try(found, began, length) for found in attempts],
        "tokens": [
            (name, what, row[column]) for name, column, what in CLASSES if row[column]
        ],
        "money": {
            "cost": cost_of(row),
            "saved": dollars(row["saved_usd"]),
            "reserved": dollars(row["reserved_cost_usd"]),
        },
        "duration": milliseconds(row["duration_ms"]),
        "first": milliseconds(row["ttft_ms"]),
    }


def _say_repairs(ask: Ask, attempts: list[Json]) -> None:
    """Of refusals that taught, what came of it, as far as the lessons are still known:
    `sent again without messages[].channel`."""
    repaired = [one for one in attempts if one["outcome"] == "repaired"]
    if not repaired:
        return
    says = {(q["provider"], q["model"], q["quirk"]): q["says"] for q in _quirks(ask)}
    for one in repaired:
        key = one["provider"], one["model"]
        taught = str(one["reason"] or "").split(", ")
        said = [says.get((*key, quirk), "") for quirk in taught]
        if all(said):
            one["reason"] = f"refused, and sent again {', '.join(said)}"


def _first_back(candidates: list[Json]) -> Json | None:
    """Who of them can be asked again first; None where nobody has a moment."""
    waiting = [one for one in candidates if one.get("returns")]
    return min(waiting, key=lambda one: one["returns"], default=None)


def offer(ask: Ask, provider: str, model: str, now: float) -> Json:
    """The last requests and failures of one model of one provider."""
    key = {"provider": provider, "model": model}
    requests = ask(queries.OF_OFFER, key | {"within": 5000, "count": 8})
    failures = ask(
        queries.ERRORS_OF_OFFER,
        key | {"since": stamp(now - FAILURES_WITHIN), "count": 4},
    )
    return {
        "requests": [_timed(row) for row in requests],
        "failures": [_timed(row) for row in failures],
    }


def running(ask: Ask) -> list[Json]:
    """The configuration in force, as the gateway wrote it down: no secrets."""
    limits: dict[tuple[str, str], list[str]] = defaultdict(list)
    for row in ask(queries.LIMITS, {}):
        if row["scope"] in ("provider", "model") and row["account"] in ("", "1"):
            limits[row["provider"], row["model"]].append(_limit(row))
    learned: dict[str, list[Json]] = defaultdict(list)
    for lesson in _lessons(_quirks(ask)):
        learned[lesson["provider"]].append(lesson)
    models: dict[str, dict[str, Json]] = defaultdict(dict)
    for row in ask(queries.MODELS, {}):
        found = models[row["provider"]].setdefault(
            row["model"],
            {
                "model": row["model"],
                "names": [],
                "aliases": json.loads(row["aliases"]),
                "limits": limits[row["provider"], row["model"]],
                "input": dollars(row["input_usd_per_million"]),
                "output": dollars(row["output_usd_per_million"]),
            },
        )
        found["names"].append(row["name"])
    return [
        {
            **dict(row),
            "flat": dollars(row["flat_rate_usd_per_month"])
            if row["flat_rate_usd_per_month"]
            else "",
            "limits": limits[row["id"], ""],
            "models": list(models[row["id"]].values()),
            "learned": learned[row["id"]],
        }
        for row in ask(queries.PROVIDERS, {})
    ]


def _lessons(quirks: list[sqlite3.Row]) -> list[Json]:
    """What one refusal taught as one; the sentence that was of use most often first."""
    found: dict[tuple[Any, ...], Json] = {}
    names = ("provider", "model", "dialect", "learned_at", "words")
    for row in sorted(quirks, key=lambda row: -row["uses"]):
        lesson = found.setdefault(tuple(row[name] for name in names), {**dict(row)})
        if lesson["quirk"] != row["quirk"]:
            lesson["quirk"] += f", {row['quirk']}"
            lesson["says"] += f", {row['says']}"
    newest = sorted(
        found.values(), key=lambda lesson: lesson["learned_at"], reverse=True
    )
    return [_timed(lesson, "learned_at") for lesson in newest]


def _quirks(ask: Ask) -> list[sqlite3.Row]:
    """What refusals taught; nothing in a ledger of a gateway that did not learn yet."""
    try:
        return ask(queries.QUIRKS, {})
    except sqlite3.OperationalError:
        return []


def _limit(row: sqlite3.Row) -> str:
    amount = row["amount"]
    shown = (
        dollars(amount) if row["metric"] == "cost" else f"{amount:,} {row['metric']}"
    )
    return f"{shown} per {row['window']}"


def dollars(value: float | None) -> str:
    """US$ for people: cents, and more digits for less; unknown is unknown, never 0."""
    if value is None:
        return "unknown"
    if value == 0:
        return "$0"
    if abs(value) >= 1:
        return f"${value:,.2f}"
    whole, _, digits = f"{value:.6f}".rstrip("0").partition(".")
    return f"${whole}.{digits:0<2}" if digits else "<$0.000001"


def cost_of(row: Mapping[str, Any]) -> str:
    """What a request cost, for people: nobody bills what nobody answered."""
    if row["cost_usd"] is not None:
        return dollars(row["cost_usd"])
    if row["outcome"] == "in_flight":
        return "–"
    if row["outcome"] == "passthrough":
        return "on the app's own key"
    if row["outcome"] == "refused" or (
        row["outcome"] == "error" and not row["total_tokens"]
    ):
        return "$0"
    return "unknown"


def milliseconds(value: int | None) -> str:
    if value is None:
        return "–"
    return f"{value} ms" if value < 1000 else f"{value / 1000:.2f} s"


def _way(row: Mapping[str, Any]) -> str:
    """`gpt-4o → groq / llama-3.3-70b`."""
    if row["outcome"] == "passthrough":
        return f"{row['requested_model']} → {row['host']}"
    if row["provider"] is None:
        return str(row["requested_model"])
    return f"{row['requested_model']} → {row['provider']} / {row['model']}"


def _candidates(text: str, attempts: list[Json]) -> list[Json]:
    found: list[Json] = json.loads(text)
    tried: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    for one in attempts:
        key = (one["provider"], one["account"], one["model"])
        tried[key].append("answered" if one["outcome"] == "ok" else str(one["outcome"]))
    for candidate in found:
        key = (candidate["provider"], candidate.get("account", ""), candidate["model"])
        candidate["became"] = ", ".join(tried.get(key, ()))
        candidate["word"] = word_of(
            candidate.get("state", "ready"), candidate["reason"]
        )
        candidate["reason"] = clause(candidate["reason"])
        candidate["cost"] = (
            ""
            if candidate.get("expected_cost") is None
            else dollars(candidate["expected_cost"])
        )
        # Of one that was skipped nobody looked how much was left.
        weighed = candidate["verdict"] != "skipped" and "headroom" in candidate
        candidate["left"] = f"{candidate['headroom']:.0%}" if weighed else "–"
        adaptation = candidate.get("adaptation") or {}
        candidate["changed"] = _changed(adaptation)
        candidate["pair"] = shown_pair(adaptation.get("pair"))
        candidate["returns"] = moment(candidate.get("returns_at"))
    return found


def shown_pair(pair: str | None) -> str:
    """`messages → chat`."""
    return " → ".join(pair.split(">")) if pair else ""


def _changed(adaptation: Json) -> str:
    """What was written otherwise for it: `without channel, user; ids: hashed; index, role:
    mended in the answer`."""
    left_out = [one["part"] for one in adaptation.get("dropped", ())]
    became: dict[str, list[str]] = defaultdict(list)
    for one in adaptation.get("approximated", ()):
        became[one["how"]].append(one["part"])
    said = [f"without {', '.join(left_out)}"] if left_out else []
    said += [f"{', '.join(parts)}: {how}" for how, parts in became.items()]
    return "; ".join(said)


def _length(row: Mapping[str, Any], attempts: list[Json], began: float) -> float:
    """Milliseconds from the request's beginning to the end of whatever ended last."""
    ends = [float(row["duration_ms"] or 0)]
    for found in attempts:
        start = ((moment(found["ts"]) or began) - began) * 1000
        ends.append(start + (found["duration_ms"] or 0))
    return max(*ends, 1.0)


def _try(found: Json, began: float, length: float) -> Json:
    """An attempt with its place on the time line, in percent of the whole."""
    start = max(((moment(found["ts"]) or began) - began) * 1000, 0.0)
    duration = found["duration_ms"] or 0
    first = found["ttft_ms"]
    return {
        **found,
        "x": round(100 * start / length, 2),
        "wide": round(max(100 * duration / length, 0.6), 2),
        "until_first": None if first is None else round(100 * first / length, 2),
        "duration": milliseconds(found["duration_ms"]),
        "first": milliseconds(first),
        "cost": dollars(found["cost_usd"]),
    }


def _timed(row: sqlite3.Row | Json, when: str = "ts") -> Json:
    return {**dict(row), "at": moment(row[when])}
