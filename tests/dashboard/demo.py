"""A plausible gateway's ledger: ten providers, twelve models, two months of requests.

    python -m dashboard.demo usage.db           fill it
    python -m dashboard.demo usage.db --live    and go on, a second at a time

For pictures and for trying the pages; the same seed gives the same ledger.
"""

import argparse
import math
import random
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from .ledgers import Ledger, candidate

DAY = 86_400.0


@dataclass(frozen=True)
class Model:
    provider: str
    model: str
    share: float
    """Of all requests."""
    speed: float
    """Tokens per second."""
    free: bool = True
    price: tuple[float, float] = (0.15, 0.60)
    """US$ per million tokens in and out, as a paying customer."""
    name: str = ""
    aliases: tuple[str, ...] = ()


MODELS = (
    Model("gemini-free", "gemini-2.5-flash", 0.24, 190, price=(0.30, 2.50), aliases=("gpt-4o-mini",)),
    Model("gemini-free", "gemini-2.5-pro", 0.05, 90, price=(1.25, 10.0), aliases=("gpt-4o",)),
    Model("groq", "llama-3.3-70b-versatile", 0.21, 280, price=(0.59, 0.79), name="llama-70b", aliases=("gpt-4o-mini",)),
    Model("groq", "openai/gpt-oss-120b", 0.09, 480, price=(0.15, 0.60), name="gpt-oss-120b"),
    Model("copilot", "gpt-4o", 0.14, 85, price=(2.50, 10.0)),
    Model("copilot", "claude-sonnet-4", 0.06, 70, price=(3.0, 15.0)),
    Model("openrouter", "deepseek/deepseek-chat-v3:free", 0.08, 45, price=(0.27, 1.10), name="deepseek-chat"),
    Model("mistral-free", "mistral-small-latest", 0.05, 120, price=(0.10, 0.30)),
    Model("cerebras", "llama-3.3-70b", 0.04, 1800, price=(0.85, 1.20), name="llama-70b"),
    Model("deepseek", "deepseek-chat", 0.05, 40, free=False, price=(0.27, 1.10)),
    Model("openai", "gpt-4o-mini", 0.01, 100, free=False, price=(0.15, 0.60)),
    Model("ollama", "qwen3:8b", 0.0, 30, price=(0.0, 0.0)),
)  # fmt: skip
PROVIDERS = (
    ("gemini-free", "google", {"free": 1}),
    ("groq", "groq", {"free": 1, "accounts": 2}),
    ("copilot", "copilot", {"flat_rate_usd_per_month": 10.0}),
    ("openrouter", "openrouter", {"free": 1}),
    ("mistral-free", "mistral", {"free": 1}),
    ("cerebras", "cerebras", {"free": 1}),
    ("deepseek", "deepseek", {}),
    ("openai", "openai", {}),
    ("ollama", "ollama", {"free": 1}),
    (
        "anthropic",
        "anthropic",
        {"enabled": 0, "reason": "not configured: ANTHROPIC_API_KEY is not set"},
    ),
)
CLIENTS = (("cursor", 0.46), ("open-webui", 0.24), ("aider", 0.18), ("nightly-digest", 0.12))  # fmt: skip


def next_midnight(now: float) -> float:
    return (math.floor(now / DAY) + 1) * DAY


def configure(ledger: Ledger, now: float) -> None:
    """Providers, models, limits and states; a budget of a dollar a day."""
    for id_, type_, more in PROVIDERS:
        ledger.provider(id_, type_, base_url=f"https://{type_}.example/v1", **more)
    for model in MODELS:
        listed = model.price if model.free else (None, None)
        price = (0.0, 0.0) if model.free else model.price
        ledger.model(
            model.provider,
            model.model,
            model.name or model.model,
            aliases=list(model.aliases),
            free=int(model.free),
            input_usd_per_million=price[0],
            output_usd_per_million=price[1],
            list_input_usd_per_million=listed[0],
            list_output_usd_per_million=listed[1],
            price_source="genai-prices",
        )
        ledger.offer(model.provider, model.model, name=model.name or model.model)
    ledger.model("anthropic", "claude-sonnet-4", enabled=0, free=0,
                 reason="not configured: ANTHROPIC_API_KEY is not set")  # fmt: skip
    ledger.event(now - 9 * DAY, "config", "loaded", "revision a41b09c2d7 is active")
    ledger.event(now - 2 * DAY, "config", "refused",
                 "the old configuration serves on: config.jsonc, line 41: providers[2].limits.requestsPerDay: found -5; write a whole number above 0")  # fmt: skip
    ledger.event(now - 2 * DAY + 95, "config", "loaded", "revision 3f9c1a7be2 is active")  # fmt: skip
    limits(ledger, now)


def limits(ledger: Ledger, now: float) -> None:
    """How much of each limit is gone at this moment."""
    day, minute = next_midnight(now), now + 37
    spent = ledger.spent_today(now)
    month = day + 17 * DAY
    for row in (
        ("gemini-free", "gemini-2.5-flash", "requests", "minute", 4, 10, minute),
        ("gemini-free", "gemini-2.5-flash", "requests", "day", 188, 250, day),
        ("gemini-free", "gemini-2.5-flash", "tokens", "minute", 61_400, 250_000, minute),
        ("gemini-free", "gemini-2.5-pro", "requests", "minute", 0, 5, None),
        ("gemini-free", "gemini-2.5-pro", "requests", "day", 100, 100, day),
        ("groq", "llama-3.3-70b-versatile", "requests", "day", 1862, 2000, day),
        ("groq", "llama-3.3-70b-versatile", "tokens", "minute", 5_310, 24_000, minute - 12),
        ("groq", "openai/gpt-oss-120b", "requests", "day", 402, 2000, day),
        ("groq", "openai/gpt-oss-120b", "tokens", "minute", 0, 16_000, None),
        ("copilot", "", "requests", "month", 118, 300, month),
        ("openrouter", "", "requests", "minute", 3, 20, minute - 20),
        ("openrouter", "", "requests", "day", 37, 50, day),
        ("mistral-free", "mistral-small-latest", "requests", "minute", 1, 60, minute - 30),
        ("mistral-free", "mistral-small-latest", "tokens", "month", 218_400_000, 1_000_000_000, month),
        ("cerebras", "llama-3.3-70b", "requests", "minute", 2, 30, minute - 9),
        ("cerebras", "llama-3.3-70b", "tokens", "day", 212_700, 1_000_000, day),
        ("deepseek", "deepseek-chat", "cost", "day", round(spent * 0.93, 6), 0.50, day),
        ("openai", "gpt-4o-mini", "cost", "day", round(spent * 0.07, 6), 0.50, day),
    ):  # fmt: skip
        ledger.put("limits", scope="model" if row[1] else "provider", provider=row[0], model=row[1],
                   metric=row[2], window=row[3], amount=row[5], source="config")  # fmt: skip
        ledger.limit(*row, reserved=1 if row[:4] == ("gemini-free", "gemini-2.5-flash", "requests", "minute") else 0)  # fmt: skip
    ledger.limit("", "", "cost", "day", spent, 1.0, day, scope="budget")
    ledger.limit("", "", "cost", "month", 0.4 + spent, 10.0, month, scope="budget")
    ledger.limit("", "", "requests", "day", 61, 200, day, scope="client", client="nightly-digest")  # fmt: skip
    ledger.offer("gemini-free", "gemini-2.5-pro", "at limit", returns_at=_iso(day),
                 reason="requests per day 100 of 100")  # fmt: skip
    ledger.offer("cerebras", "llama-3.3-70b", "cooling down", returns_at=_iso(now + 24), name="llama-70b",
                 reason="429 too_many_requests")  # fmt: skip
    ledger.beat(now, budget_set=1)


def one_request(
    ledger: Ledger, at: float, chance: random.Random, *, route: bool = True
) -> None:
    """A request with its attempts and its decision."""
    model = chance.choices(MODELS, [m.share for m in MODELS])[0]
    client = chance.choices([c for c, _ in CLIENTS], [s for _, s in CLIENTS])[0]
    prompt = int(chance.lognormvariate(7.2, 0.9))
    cached = int(prompt * chance.choice((0, 0, 0.6, 0.8)))
    answer = int(chance.lognormvariate(5.6, 0.7))
    first = int(chance.lognormvariate(5.9, 0.4))
    took = first + int(answer / model.speed * 1000)
    nano = int(
        ((prompt - cached * 0.75) * model.price[0] + answer * model.price[1]) * 1000
    )
    failed = chance.random() < 0.07
    outcome = chance.choices(("ok", "error", "refused", "cancelled", "passthrough"), (95, 1.2, 0.8, 1.5, 1.5))[0]  # fmt: skip
    asked = chance.choice((model.name or model.model, *model.aliases))
    served = outcome not in ("refused", "passthrough")
    id_ = ledger.request(
        at,
        client=client,
        app=client,
        requested_model=asked,
        provider=model.provider if served else None,
        model=model.model if served else "gpt-image-1" if outcome == "passthrough" else None,
        host="api.openai.com" if outcome == "passthrough" else None,
        outcome=outcome,
        status={"ok": 200, "passthrough": 200, "error": 400, "refused": 429}.get(outcome),
        error={"error": "400 context_length_exceeded", "refused": "limits"}.get(outcome),
        attempts=1 + failed if served else 0,
        input_tokens=(prompt - cached) if outcome != "refused" else 0,
        cached_tokens=cached if served else 0,
        output_tokens=answer if outcome == "ok" else 0,
        cost_nano=None if outcome == "passthrough" else 0 if model.free or not served else nano,
        saved_nano=nano if model.free and outcome == "ok" else None,
        ttft_ms=first if served else None,
        duration_ms=took + 900 * failed if served else 3,
        streamed=int(chance.random() < 0.8),
    )  # fmt: skip
    if not (route and served):
        return
    other = chance.choice([m for m in MODELS if m.provider != model.provider])
    start = at + 0.002
    if failed:
        reason = chance.choice(("429 rate_limit_exceeded", "503 overloaded", "first byte timeout"))  # fmt: skip
        ledger.attempt(id_, 1, start, provider=other.provider, model=other.model, outcome="failed",
                       status=429 if reason.startswith("429") else 503, reason=reason, ttft_ms=None, duration_ms=900)  # fmt: skip
        start += 0.9
    ledger.attempt(id_, 1 + failed, start, provider=model.provider, model=model.model,
                   ttft_ms=first, duration_ms=took, tokens=prompt + answer)  # fmt: skip
    candidates = [candidate(model.provider, model.model, "taken", headroom=0.62,
                            reason="most headroom, 62% left", free=model.free)]  # fmt: skip
    if failed:
        candidates.insert(0, candidate(other.provider, other.model, "taken", reason="most headroom, 71% left"))  # fmt: skip
        candidates[1]["verdict"] = "ready"
    if chance.random() < 0.4:
        candidates.append(candidate("gemini-free", "gemini-2.5-pro", "skipped", state="at limit",
                                    reason="requests/day 100 of 100", headroom=0.0,
                                    returns_at=_iso(next_midnight(at))))  # fmt: skip
    candidates.append(candidate("openai", "gpt-4o-mini", "ready", free=False, reason="paid",
                                expected_cost=nano / 1e9))  # fmt: skip
    candidates.append(candidate("anthropic", "claude-sonnet-4", "skipped", free=False, state="not configured",
                                reason="not configured: ANTHROPIC_API_KEY is not set"))  # fmt: skip
    ledger.decision(id_, at, candidates, model=asked)


def fill(
    ledger: Ledger, now: float, *, days: int = 60, a_day: int = 640, recent: int = 90
) -> None:
    """Two months of history, busier by day and on weekdays; `recent` in the last hour."""
    chance = random.Random(7)
    ledger.db.execute("BEGIN")
    configure(ledger, now)
    times = []
    for _ in range(days * a_day):
        at = now - 3700 - chance.random() * days * DAY
        moment = datetime.fromtimestamp(at, UTC)
        busy = math.exp(-(((moment.hour - 14) / 5) ** 2)) + 0.08
        weekday = 1.0 if moment.weekday() < 5 else 0.35
        growth = 0.45 + 0.55 * (1 - (now - at) / (days * DAY))
        if chance.random() < busy * weekday * growth * 1.6:
            times.append(at)
    times += [now - 3600 * chance.random() ** 1.3 for _ in range(recent)]
    for at in sorted(times):
        one_request(ledger, at, chance, route=at > now - 2 * DAY)
    ledger.db.execute("COMMIT")
    ledger.db.execute("PRAGMA optimize")


def _iso(at: float) -> str:
    from llm_gateway.dashboard.availability import stamp

    return stamp(at)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("path", type=Path)
    parser.add_argument("--live", action="store_true")
    arguments = parser.parse_args()
    ledger = Ledger(arguments.path)
    fill(ledger, time.time())
    chance = random.Random(8)
    while arguments.live:
        now = time.time()
        if chance.random() < 0.5:
            one_request(ledger, now, chance)
        limits(ledger, now)
        time.sleep(1)


if __name__ == "__main__":
    main()
