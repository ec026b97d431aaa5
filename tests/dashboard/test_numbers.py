"""Numbers of the Live page against SQL over the rows, under every policy and scope."""

import random
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from llm_gateway.dashboard.availability import COSTS_MONEY, NO_PRICE
from llm_gateway.dashboard.limit_bars import UnknownScope
from llm_gateway.dashboard.live import snapshot
from llm_gateway.dashboard.reader import Reader
from llm_gateway.dashboard.recent_requests import RecentRequests

from .conftest import NOW
from .ledgers import Ledger

POLICIES = ("free-first", "free-only", "any")
OUTCOMES = ("ok", "error", "refused", "cancelled", "truncated", "passthrough", "lost")
LATER = NOW + 7200


async def look(ledger: Ledger, now: float = NOW, zone: str = "UTC") -> dict[str, Any]:
    reader = Reader(ledger.path, "test", seconds=30)
    try:
        return await reader.run(
            lambda ask: snapshot(
                ask,
                RecentRequests(),
                minutes=60,
                simulated=True,
                now=now,
                where=ZoneInfo(zone),
            )
        )
    finally:
        reader.close()


def fleet(ledger: Ledger, policy: str, *, budget: tuple[str, ...] = ()) -> None:
    """Free, free tier, paid, paid without a price; two accounts; a client."""
    ledger.beat(NOW, policy=policy, budget_set=int(bool(budget)))
    ledger.provider("groq", "groq", free=1, accounts=2)
    ledger.model("groq", "llama", "coder", aliases=["gpt-4o"], price_source="config")
    for account in ("1", "2"):
        ledger.offer("groq", "llama", account=account)
    ledger.limit("groq", "llama", "requests", "day", 3, 10, LATER, account="1")
    ledger.limit("groq", "llama", "requests", "day", 4, 20, LATER, account="2")
    ledger.provider("openrouter", "openrouter")
    for model in ("a:free", "b:free"):
        ledger.model("openrouter", model, free=1)
        ledger.offer("openrouter", model)
    for window, amount in (("minute", 20), ("day", 50)):
        tier = {"scope": "tier", "source": "preset", "as_of": "2026-02-01"}
        ledger.limit("openrouter", ":free", "requests", window, 14, amount, LATER, **tier)  # fmt: skip
    ledger.provider("deepseek", "deepseek")
    price = {"input_usd_per_million": 0.27, "output_usd_per_million": 1.1, "price_source": "config"}  # fmt: skip
    ledger.model("deepseek", "chat", free=0, aliases=["coder"], **price)
    ledger.offer("deepseek", "chat", free=0)
    ledger.provider("house")
    ledger.model("house", "house-7b", free=0)
    ledger.offer("house", "house-7b", free=0)
    ledger.limit("", "", "requests", "day", 5, 10, scope="client", client="cursor")
    ledger.limit("", "", "cost", "day", 0.5, 2.0, scope="client", client="cursor")
    for window in budget:
        ledger.limit("", "", "cost", window, 0.25, 1.0, LATER, scope="budget")


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("budget", [(), ("day",), ("month",), ("minute", "day")])
async def test_bars_are_where_their_scope_belongs(
    ledger: Ledger, policy: str, budget: tuple[str, ...]
) -> None:
    fleet(ledger, policy, budget=budget)
    found = await look(ledger)
    assert [(b["metric"], b["window"]) for b in found["budget"]] == [
        ("cost", window) for window in budget
    ]
    by_id = {provider["id"]: provider for provider in found["providers"]}
    tier = [(b["tier"], b["window"], b["used"]) for b in by_id["openrouter"]["bars"]]
    assert tier == [(":free", "minute", 14), (":free", "day", 14)]
    assert by_id["openrouter"]["bars"][0]["as_of"] == "2026-02-01"
    [both] = by_id["groq"]["models"][0]["bars"]
    assert (both["used"], both["limit"], both["accounts"]) == (7, 30, 2)
    [client] = found["clients"]
    assert [b["metric"] for b in client["bars"]] == ["requests", "cost"]
    # every row of limit_state is shown once, in one place
    shown = sum(
        bar["accounts"]
        for bars in (
            found["budget"],
            *(one["bars"] for one in found["clients"]),
            *(one["bars"] for one in found["providers"]),
            *(m["bars"] for one in found["providers"] for m in one["models"]),
        )
        for bar in bars
    )
    [(rows,)] = ledger.db.execute("SELECT count(*) FROM limit_state").fetchall()
    assert shown == rows


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("budget", [(), ("day",)])
async def test_what_cannot_be_used_is_excluded_and_not_counted(
    ledger: Ledger, policy: str, budget: tuple[str, ...]
) -> None:
    fleet(ledger, policy, budget=budget)
    found = await look(ledger)
    states = {
        m["model"]: (m["state"]["word"], m["state"]["reason"])
        for provider in found["providers"]
        for m in provider["models"]
    }
    usable = 5
    if policy == "free-only":
        usable = 3
        assert states["chat"] == states["house-7b"] == ("excluded", COSTS_MONEY)
    elif budget:
        usable = 4
        assert states["house-7b"] == ("excluded", NO_PRICE)
    assert found["ready"] == [usable, usable]
    names = {one["name"]: one for one in found["names"]}
    # deepseek has `coder` as an alias, groq as its name; the cheap and free stands first
    assert [(o["provider"], o["word"]) for o in names["coder"]["offers"]] == [
        ("groq", "ready"),
        ("deepseek", "excluded" if policy == "free-only" else "ready"),
    ]


@pytest.mark.parametrize("used", [0, 15, 19, 20])
async def test_a_tier_that_is_full_is_full_for_its_models_alone(
    ledger: Ledger, used: int
) -> None:
    fleet(ledger, "free-first")
    ledger.model("openrouter", "paid-one", free=0, price_source="config")
    ledger.offer("openrouter", "paid-one", free=0)
    ledger.limit("openrouter", ":free", "requests", "minute", used, 20, LATER, scope="tier")  # fmt: skip
    [provider] = [p for p in (await look(ledger))["providers"] if p["id"] == "openrouter"]  # fmt: skip
    words = {m["model"]: m["state"]["word"] for m in provider["models"]}
    word = "at limit" if used >= 20 else "near limit" if used >= 15 else "ready"
    assert words == {"a:free": word, "b:free": word, "paid-one": "ready"}


@pytest.mark.parametrize(("used", "word"), [(0.1, "ready"), (0.8, "near limit"), (1.0, "at limit")])  # fmt: skip
async def test_a_budget_holds_for_what_is_paid(
    ledger: Ledger, used: float, word: str
) -> None:
    fleet(ledger, "free-first", budget=("day",))
    ledger.limit("", "", "cost", "day", used, 1.0, LATER, scope="budget")
    found = await look(ledger)
    states = {m["model"]: m["state"] for p in found["providers"] for m in p["models"]}
    assert states["chat"]["word"] == word
    assert states["llama"]["word"] == "ready"
    if word != "ready":
        assert states["chat"]["reason"] == "budget per day"


async def test_a_scope_that_is_not_known_is_no_budget(ledger: Ledger) -> None:
    fleet(ledger, "free-first")
    ledger.limit("", "", "cost", "day", 1, 2, scope="galaxy")
    with pytest.raises(UnknownScope, match="galaxy"):
        await look(ledger)


# -- sums ------------------------------------------------------------------------------


def some_requests(ledger: Ledger, chance: random.Random, around: float) -> None:
    """Of every outcome, priced and not, simulated and not, over fifty days."""
    ledger.db.execute("BEGIN")
    for _ in range(300):
        at = around - chance.choice((40_000, 90_000, 50 * 86_400)) * chance.random()
        outcome = chance.choice(OUTCOMES)
        ours = outcome not in ("refused", "passthrough")
        tokens = chance.choice((0, 700))
        ledger.request(
            at,
            outcome=outcome,
            provider=chance.choice(("groq", "deepseek")) if ours else None,
            model="m" if ours else None,
            client=chance.choice(("cursor", "aider")),
            input_tokens=tokens,
            output_tokens=0,
            cost_nano=chance.choice((None, 0, 1_234_567)),
            saved_nano=chance.choice((None, 7_654_321)),
            simulated=int(chance.random() < 0.1),
        )
    ledger.db.execute("COMMIT")


@pytest.mark.parametrize(
    ("paid", "days"),
    [((), 11), ((0,), None), ((3, 7), 3), ((10,), 10)],
)
async def test_days_without_a_bill(
    ledger: Ledger, paid: tuple[int, ...], days: int | None
) -> None:
    for ago in range(11):
        ledger.request(NOW - ago * 86_400, cost_nano=int(ago in paid))
    assert (await look(ledger))["unbilled_days"] == days


async def test_the_tape_holds_what_refills_within_a_day(ledger: Ledger) -> None:
    fleet(ledger, "free-first")
    ledger.limit("deepseek", "chat", "cost", "month", 1, 2, NOW + 9 * 86_400)
    ledger.limit("house", "house-7b", "requests", "day", 0, 9, LATER)
    for n in range(10):
        ledger.request(NOW - 60 * n - 5, provider="groq", model="llama")
    tape = (await look(ledger))["refills"]
    shown = [(one["provider"], one["of"], one["limit"], one["ratio"]) for one in tape]
    assert shown == [
        ("groq", "llama", "requests per day", pytest.approx(7 / 30, abs=1e-4)),
        ("openrouter", "", "requests per day of all :free models", 0.28),
    ]
    # ten in a quarter of an hour: what is left lasts for 23 of them
    assert tape[0]["empty"] == pytest.approx(NOW + 23 * 90)
    assert tape[0]["resets"] == LATER


async def test_a_tier_is_used_up_by_its_own_models_alone(ledger: Ledger) -> None:
    fleet(ledger, "free-first")
    ledger.model("openrouter", "paid-one", free=0, price_source="config")
    ledger.offer("openrouter", "paid-one", free=0)
    for n in range(30):
        model = "paid-one" if n % 3 else ("a:free", "b:free")[n % 2]
        ledger.request(NOW - 20 * n - 5, provider="openrouter", model=model)
    tape = (await look(ledger))["refills"]
    [lane] = [one for one in tape if one["provider"] == "openrouter"]
    # ten of the thirty in a quarter of an hour: 36 are left for 36 times 90 seconds
    assert lane["empty"] == pytest.approx(NOW + 36 * 90)
