"""The receipt of a month: what was saved, against which prices, what is not in it, net.

What an answer saved is its list price less its cost, as each row has it. Here the sums per
model stand beside the list prices that hold now and their source; answers without a list
price are counted and claim nothing; subscriptions are deducted. Months are UTC's, as those
of budgets are.

What this file does not know: HTML, clocks (`now` is an argument).
"""

import re
from datetime import UTC, date, datetime
from typing import Any

from llm_gateway.dashboard import usage_sums
from llm_gateway.dashboard.availability import stamp
from llm_gateway.dashboard.reader import Ask
from llm_gateway.dashboard.request_detail import dollars

Json = dict[str, Any]

_MONTH = re.compile(r"(20\d\d)-(0[1-9]|1[0-2])")

PER_MODEL = """
SELECT provider, model, sum(requests) AS requests,
  sum(requests - errors - refused - cancelled - passthrough) AS answers,
  sum(input_tokens + cached_tokens + cache_write_tokens) AS prompt,
  sum(output_tokens + reasoning_tokens) AS completion,
  sum(cost_nano) AS cost, sum(saved_nano) AS saved, sum(unknown_cost) AS unknown
FROM usage_day
WHERE day >= :first AND day < :next AND provider <> ''
GROUP BY provider, model HAVING sum(requests) > 0
ORDER BY coalesce(sum(saved_nano), 0) DESC, provider, model
"""
PASSED = """
SELECT coalesce(sum(passthrough), 0) AS requests, sum(cost_nano) AS cost
FROM usage_day WHERE day >= :first AND day < :next AND provider = ''
"""
WITHOUT_LIST_PRICE = """
SELECT provider, model, count(*) AS answers FROM requests
WHERE ts >= :first AND ts < :next AND simulated = 0 AND outcome = 'ok'
  AND saved_nano IS NULL AND cost_nano = 0
GROUP BY provider, model
"""
PRICES = """
SELECT provider, model, max(list_input_usd_per_million) AS input,
  max(list_output_usd_per_million) AS output, max(price_source) AS source,
  max(free) AS free
FROM models GROUP BY provider, model
"""
FLAT = """
SELECT id, flat_rate_usd_per_month AS usd FROM providers
WHERE flat_rate_usd_per_month > 0 AND enabled = 1 ORDER BY id
"""


class BadMonth(ValueError):
    """The month asked for is none; the text says what to write."""


def month_of(text: str | None, now: float) -> date:
    """The first of a month, of `2026-03` or of now. Raises BadMonth."""
    if not text:
        return datetime.fromtimestamp(now, UTC).date().replace(day=1)
    found = _MONTH.fullmatch(text)
    if not found:
        raise BadMonth(f"month is {text[:20]!r}; write e.g. 2026-03")
    return date(int(found[1]), int(found[2]), 1)


def following(month: date) -> date:
    return date(month.year + month.month // 12, month.month % 12 + 1, 1)


def preceding(month: date) -> date:
    return date(month.year - (month.month == 1), (month.month - 2) % 12 + 1, 1)


def receipt(ask: Ask, month: date, now: float) -> Json:
    """{models, subscriptions, passed, sums}; money in US$, None where it is unknown."""
    span: dict[str, str | int | float | None] = {
        "first": month.isoformat(),
        "next": following(month).isoformat(),
    }
    prices = {(row["provider"], row["model"]): row for row in ask(PRICES, {})}
    unlisted = {
        (row["provider"], row["model"]): row["answers"]
        for row in ask(WITHOUT_LIST_PRICE, span)
    }
    models = []
    for row in ask(PER_MODEL, span):
        key = (row["provider"], row["model"])
        price = prices.get(key)
        models.append(
            {
                **{n: row[n] for n in ("provider", "model", "answers", "prompt")},
                "completion": row["completion"],
                "cost": _usd(row["cost"]),
                "saved": _usd(row["saved"]),
                "unknown": row["unknown"],
                "unlisted": unlisted.get(key, 0),
                "list_input": price["input"] if price else None,
                "list_output": price["output"] if price else None,
                "source": _source(price),
            }
        )
    passed = ask(PASSED, span)[0]
    used = {one["provider"]: one for one in _per_provider(models)}
    subscriptions = [
        {
            "provider": row["id"],
            "usd": row["usd"],
            "answers": used.get(row["id"], {}).get("answers", 0),
        }
        for row in ask(FLAT, {})
    ]
    saved = sum(one["saved"] or 0 for one in models)
    flat = sum(one["usd"] for one in subscriptions)
    return {
        "month": month.isoformat()[:7],
        "running": datetime.fromtimestamp(now, UTC).date() < following(month),
        "models": models,
        "subscriptions": subscriptions,
        "passed": {"requests": passed["requests"], "cost": _usd(passed["cost"])},
        "unbilled_days": usage_sums.unbilled_days(ask, now),
        "sums": {
            "answers": sum(one["answers"] for one in models),
            "saved": round(saved, 9),
            "spent": round(sum(one["cost"] or 0 for one in models), 9),
            "flat": flat,
            "net": round(saved - flat, 9),
            "unlisted": sum(one["unlisted"] for one in models),
            "unknown": sum(one["unknown"] for one in models),
        },
    }


def _source(price: Any) -> str:
    """Where the list price comes from: of a free provider, its own `pricing`."""
    if price is None or price["input"] is None:
        return ""
    return "config.jsonc" if price["source"] == "config" else str(price["source"] or "")


def _per_provider(models: list[Json]) -> list[Json]:
    sums: dict[str, int] = {}
    for one in models:
        sums[one["provider"]] = sums.get(one["provider"], 0) + one["answers"]
    return [{"provider": name, "answers": n} for name, n in sums.items()]


def _usd(nano: int | None) -> float | None:
    return None if nano is None else round(nano / 1e9, 9)


def each(subscription: Json) -> str:
    """A subscription spread over what was used: US$ an answer."""
    if not subscription["answers"]:
        return "not used"
    return f"{dollars(subscription['usd'] / subscription['answers'])} an answer"


def address_month(month: date) -> str:
    return month.isoformat()[:7]


def bounds(month: date) -> tuple[str, str]:
    """ISO times at which the month begins and ends, for the Requests page."""
    first = datetime(month.year, month.month, 1, tzinfo=UTC).timestamp()
    after = following(month)
    last = datetime(after.year, after.month, 1, tzinfo=UTC).timestamp()
    return stamp(first), stamp(last)
