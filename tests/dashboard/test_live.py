"""The live page's value, from literal rows."""

import gzip
import json
from typing import Any

import pytest

from llm_gateway.dashboard.availability import stamp
from llm_gateway.dashboard.live import snapshot
from llm_gateway.dashboard.reader import Reader
from llm_gateway.dashboard.recent_requests import RecentRequests

from .conftest import NOW
from .ledgers import Ledger, candidate

MIDNIGHT = NOW + 12 * 3600 - 30


async def look(
    ledger: Ledger,
    *,
    minutes: int = 5,
    simulated: bool = True,
    now: float = NOW,
    other: bool = False,
) -> dict[str, Any]:
    reader = Reader(ledger.path, "test", seconds=5)
    try:
        return await reader.run(
            lambda ask: snapshot(
                ask,
                RecentRequests(),
                minutes=minutes,
                simulated=simulated,
                now=now,
                other=other,
            )
        )
    finally:
        reader.close()


def groq(ledger: Ledger) -> None:
    ledger.provider("groq", "groq", free=1)
    ledger.model(
        "groq", "llama-3.3-70b-versatile", "llama-70b", aliases=["gpt-4o-mini"]
    )
    ledger.offer("groq", "llama-3.3-70b-versatile")
    ledger.beat(NOW - 1)


async def test_thirty_providers_with_twenty_models_under_load(ledger: Ledger) -> None:
    """100 requests a second: what a tab is sent each second stays below 40 KB."""
    ledger.db.execute("BEGIN")
    for p in range(30):
        ledger.provider(f"provider-{p}")
        for m in range(20):
            key = (f"provider-{p}", f"vendor/model-{m}-instruct")
            ledger.model(*key, f"model-{m}")
            ledger.offer(*key)
            for n, window in enumerate(("minute", "day")):
                used = (p * 37 + m * 11 + n) % 1000
                ledger.limit(*key, "requests", window, used, 1000, NOW + 60 + m)
    for n in range(3000):
        ledger.request(
            NOW - n * 0.1,
            provider=f"provider-{n * 7 % 30}",
            model=f"vendor/model-{n * 13 % 20}-instruct",
            input_tokens=n % 977,
            output_tokens=n % 311,
        )
    ledger.db.execute("COMMIT")
    ledger.beat(NOW - 1)
    found = await look(ledger)
    assert sum(len(one["models"]) for one in found["providers"]) == 600
    text = json.dumps(found, separators=(",", ":")).encode()
    assert len(gzip.compress(text, 1, mtime=0)) < 40_000


async def test_an_empty_ledger(ledger: Ledger) -> None:
    found = await look(ledger)
    assert found["gateway"] is None
    assert found["providers"] == found["alerts"] == found["ticker"] == []
    assert found["any"] is False
    assert found["today"] == {
        "requests": 0,
        "tokens": 0,
        "cost": None,
        "saved": None,
        "unknown": 0,
        "passed": 0,
        "errors": 0,
        "refused": 0,
    }
    assert found["apps"] == []


async def test_members_of_a_cluster(ledger: Ledger) -> None:
    groq(ledger)
    assert (await look(ledger))["cluster"] is None
    differs = {"limit": "requests/day on groq", "amounts": {"desk": 9, "lap": None}}
    said = {
        "member": "desk",
        "name": "home",
        "state": "up",
        "absent": ["server"],
        "differences": [differs],
    }
    ledger.beat(NOW - 1, detail=json.dumps({"cluster": said}))
    for name, heard, port in (("lap", NOW - 20, None), ("desk", NOW - 2, 8080)):
        row = {"state": "up", "host": "h", "port": port, "in_flight": 3}
        ledger.put("members", member=name, heartbeat=stamp(heard), **row)
    found = (await look(ledger))["cluster"]
    members = found.pop("members")
    assert found == {
        "name": "home",
        "state": "up",
        "absent": ["server"],
        "differences": [differs],
    }
    assert [(m["member"], m["own"], m["state"], m["where"]) for m in members] == [
        ("desk", True, "up", "h:8080"),
        ("lap", False, "silent", "h"),
    ]


@pytest.mark.parametrize("minutes", [1, 5, 10, 30, 60])
async def test_requests_fall_into_the_window(ledger: Ledger, minutes: int) -> None:
    groq(ledger)
    ledger.request(NOW - 20)
    ledger.request(NOW - minutes * 60 + 90 if minutes > 1 else NOW - 50)
    ledger.request(NOW - minutes * 60 - 130)
    found = await look(ledger, minutes=minutes)
    [model] = found["providers"][0]["models"]
    assert sum(model["r"]) == 2
    assert sum(model["t"]) == 2400
    assert len(model["r"]) == len(found["total"]["r"]) == 30
    assert found["step"] == minutes * 2
    assert (
        found["start"] + 30 * found["step"] > NOW >= found["start"] + 29 * found["step"]
    )
    assert found["total"]["sum"]["requests"] == 2


@pytest.mark.parametrize("minutes", [5, 60])
async def test_what_kind_of_requests(ledger: Ledger, minutes: int) -> None:
    groq(ledger)
    ledger.request(NOW - 9)
    ledger.request(NOW - 8, outcome="error", status=400, output_tokens=0)
    ledger.request(NOW - 7, outcome="refused", provider=None, model=None)
    ledger.request(NOW - 6, outcome="in_flight", provider=None, model=None, status=None)
    ledger.request(NOW - 5, simulated=1, cost_nano=5_000_000)
    found = await look(ledger, minutes=minutes)
    sums = found["total"]["sum"]
    assert sums["requests"] == 5
    assert sums["in_flight"] == 1
    assert sums["errors"] == 1
    assert sums["refused"] == 1
    assert sums["cost"] == 0.005
    without = await look(ledger, minutes=minutes, simulated=False)
    assert without["total"]["sum"]["requests"] == 4
    assert without["total"]["sum"]["cost"] == 0
    assert [entry["simulated"] for entry in found["ticker"]].count(True) == 1
    assert not any(entry["simulated"] for entry in without["ticker"])


async def test_other_traffic_is_shown_when_it_is_asked_for(ledger: Ledger) -> None:
    asked = ledger.request(NOW - 30)
    for n in range(20):  # more of it than the page has lines
        ledger.request(NOW - n, dialect="other", outcome="passthrough", provider=None)
    shown = (await look(ledger))["ticker"]
    all_of_them = (await look(ledger, other=True))["ticker"]
    assert [entry["id"] for entry in shown] == [asked]
    assert len(all_of_them) == 12
    assert asked not in [entry["id"] for entry in all_of_them]


async def test_today_and_this_month(ledger: Ledger) -> None:
    ledger.request(NOW - 60, cost_nano=250_000_000, saved_nano=None)
    ledger.request(NOW - 70, cost_nano=0, saved_nano=1_500_000_000)
    ledger.request(NOW - 80, cost_nano=None, saved_nano=None)
    # yesterday was February
    ledger.request(NOW - 86_400, cost_nano=9_000_000_000, saved_nano=9_000_000_000)
    found = await look(ledger)
    assert found["today"]["cost"] == 0.25
    assert found["today"]["saved"] == 1.5
    assert found["today"]["unknown"] == 1
    assert found["month"] == {"cost": 0.25, "saved": 1.5}
    later = await look(ledger, now=NOW + 86_400)
    assert later["today"]["cost"] is None
    assert later["month"] == {"cost": 0.25, "saved": 1.5}


async def test_bars_are_what_limit_state_says(ledger: Ledger) -> None:
    groq(ledger)
    model = "llama-3.3-70b-versatile"
    ledger.limit("groq", model, "requests", "day", 763, 1000, MIDNIGHT, reserved=2)
    ledger.limit("groq", model, "tokens", "minute", 9_000, 6_000, NOW + 12)
    ledger.limit("groq", "", "cost", "day", 0.25, 2.5, MIDNIGHT, source="header")
    ledger.limit("", "", "cost", "day", 0.5, 1.0, MIDNIGHT, scope="budget")
    ledger.limit("", "", "requests", "day", 5, 10, scope="client", client="cursor")
    found = await look(ledger)
    [provider] = found["providers"]
    assert provider["models"][0]["bars"] == [
        {
            "metric": "requests",
            "window": "day",
            "used": 763,
            "reserved": 2,
            "limit": 1000,
            "resets": MIDNIGHT,
            "level": "near",
            "source": "config",
            "accounts": 1,
        },
        {
            "metric": "tokens",
            "window": "minute",
            "used": 9000,
            "reserved": 0,
            "limit": 6000,
            "resets": NOW + 12,
            "level": "full",
            "source": "config",
            "accounts": 1,
        },
    ]
    [shared] = provider["bars"]
    assert (shared["used"], shared["limit"], shared["source"]) == (0.25, 2.5, "header")
    assert [bar["used"] for bar in found["budget"]] == [0.5]
    assert [client["name"] for client in found["clients"]] == ["cursor"]
    assert provider["models"][0]["state"]["word"] == "at limit"
    assert found["ready"] == [0, 1]


async def test_by_which_proxy_a_provider_is_reached(ledger: Ledger) -> None:
    ledger.provider("near")
    ledger.provider("far", way_out="http://10.0.0.1:3128")
    found = await look(ledger)
    ways = {provider["id"]: provider["way_out"] for provider in found["providers"]}
    assert ways == {"near": "", "far": "http://10.0.0.1:3128"}
    ledger.db.execute("ALTER TABLE providers DROP COLUMN way_out")
    try:
        found = await look(ledger)
    finally:
        ledger.db.execute(
            "ALTER TABLE providers ADD COLUMN way_out TEXT NOT NULL DEFAULT ''"
        )
    assert {provider["way_out"] for provider in found["providers"]} == {""}


async def test_two_accounts_count_together(ledger: Ledger) -> None:
    groq(ledger)
    model = "llama-3.3-70b-versatile"
    for account, used in (("1", 100), ("2", 20)):
        ledger.offer("groq", model, account=account, name="llama-70b")
        ledger.limit(
            "groq", model, "requests", "day", used, 100, MIDNIGHT, account=account
        )
    [provider] = (await look(ledger))["providers"]
    [bar] = provider["models"][0]["bars"]
    assert (bar["used"], bar["limit"], bar["accounts"]) == (120, 200, 2)
    assert provider["models"][0]["state"]["word"] == "ready"


async def test_what_is_not_configured_is_not_counted_as_missing(ledger: Ledger) -> None:
    groq(ledger)
    reason = "not configured: MISTRAL_API_KEY is not set"
    ledger.provider("mistral", "mistral", enabled=0, reason=reason)
    ledger.model("mistral", "small", enabled=0, reason=reason)
    found = await look(ledger)
    mistral = found["providers"][1]
    assert mistral["state"]["word"] == "not configured"
    assert mistral["models"][0]["state"]["reason"] == reason
    assert found["ready"] == [1, 1]


async def test_names_list_the_free_and_cheap_first(ledger: Ledger) -> None:
    for provider, free, price in (
        ("a", 0, 2.0),
        ("b", 0, None),
        ("c", 1, 0.0),
        ("d", 0, 1.0),
    ):
        ledger.provider(provider)
        ledger.model(provider, "m", "gpt-4o", free=free, input_usd_per_million=price)
    [name] = (await look(ledger))["names"]
    assert name["name"] == "gpt-4o"
    assert [offer["provider"] for offer in name["offers"]] == ["c", "d", "a", "b"]


@pytest.mark.parametrize(
    ("heartbeat", "silent"), [(NOW - 2, False), (NOW - 7, False), (NOW - 9, True)]
)
async def test_a_gateway_that_is_silent(
    ledger: Ledger, heartbeat: float, silent: bool
) -> None:
    ledger.beat(heartbeat)
    found = (await look(ledger))["gateway"]
    assert found["silent"] is silent
    assert found["heartbeat"] == heartbeat
    assert found["budget_set"] is False


async def test_alerts_most_urgent_first_one_line_a_provider(ledger: Ledger) -> None:
    for provider in ("calm", "cold", "empty", "hot", "off"):
        ledger.provider(provider, enabled=int(provider != "off"), reason="disabled")
        ledger.model(provider, "m")
        ledger.offer(provider, "m")
    ledger.limit("calm", "m", "requests", "day", 10, 100, MIDNIGHT)
    ledger.limit("hot", "m", "requests", "day", 92, 100, MIDNIGHT)
    ledger.limit("hot", "m", "tokens", "day", 80, 100, MIDNIGHT)
    ledger.limit("empty", "m", "requests", "day", 100, 100, MIDNIGHT)
    ledger.limit("off", "m", "requests", "day", 100, 100, MIDNIGHT)
    ledger.offer(
        "cold", "m", "cooling down", reason="429 rate_limit", returns_at=stamp(NOW + 14)
    )
    ledger.beat(NOW, degraded='["ledger: disk full"]', config_error="line 3: no")
    for n in range(9):
        ledger.request(NOW - 60 * n - 5, provider="hot", model="m")
    found = (await look(ledger))["alerts"]
    assert [(one["kind"], one["subject"]) for one in found] == [
        ("gateway", "The gateway is degraded"),
        ("gateway", "The changed configuration was refused, the old one goes on"),
        ("full", "empty / m"),
        ("hot", "hot / m"),
        ("cooling down", "cold / m"),
    ]
    hot = found[3]
    assert hot["more"] == len(hot["others"]) == 1
    assert hot["ratio"] == 0.92
    # 9 requests in 900 s: eight more take 800 s
    assert hot["empty"] == pytest.approx(NOW + 800)
    assert found[4]["returns"] == NOW + 14


async def test_the_ticker_tells_the_route(ledger: Ledger) -> None:
    asked = ledger.request(NOW - 3, attempts=2, error=None)
    ledger.attempt(
        asked,
        1,
        NOW - 3,
        provider="gemini",
        outcome="failed",
        status=429,
        reason="429 quota",
    )
    ledger.attempt(asked, 2, NOW - 2)
    ledger.decision(
        asked,
        NOW - 3,
        [
            candidate("gemini", "flash", "taken"),
            candidate("groq", "llama-3.3-70b-versatile"),
            candidate("copilot", "gpt-4o", "skipped", state="at limit"),
            candidate("copilot", "gpt-5", "skipped", state="at limit"),
            candidate("mistral", "small", "skipped", state="cooling down"),
            candidate("cerebras", "llama", "skipped", state="failing"),
            candidate("openai", "gpt-4o", "skipped", state="not configured"),
        ],
    )
    elsewhere = ledger.request(
        NOW - 2, outcome="passthrough", provider=None, model=None, host="api.openai.com"
    )
    first, second = (await look(ledger))["ticker"]
    assert first["id"] == elsewhere
    assert (first["provider"], first["host"]) == (None, "api.openai.com")
    assert second["skipped"] == [
        {"provider": "copilot", "word": "at limit"},
        {"provider": "mistral", "word": "cooling down"},
    ]
    assert second["skipped_more"] == 1
    assert second["failed"] == [{"provider": "gemini", "word": "429 quota"}]
    assert (second["provider"], second["tokens"], second["saved"]) == (
        "groq",
        1200,
        0.002,
    )


async def test_a_request_on_its_way_shows_where_it_is(ledger: Ledger) -> None:
    asked = ledger.request(
        NOW, outcome="in_flight", provider=None, model=None, status=None
    )
    ledger.attempt(asked, 1, NOW, outcome="in_flight", status=None)
    [entry] = (await look(ledger))["ticker"]
    assert (entry["outcome"], entry["provider"]) == ("in_flight", "groq")


async def test_models_that_changed_are_told_for_a_day(ledger: Ledger) -> None:
    groq(ledger)
    ledger.event(NOW - 90_000, "model.new", "or/old", "is listed and offered")
    ledger.event(NOW - 3_600, "model.new", "or/a:free", "is listed and offered")
    ledger.event(NOW - 60, "circuit", "groq", "opened")
    ledger.event(NOW - 30, "model.gone", "or/b:free", "is not listed any more")
    found = (await look(ledger))["changes"]
    assert [(one["kind"], one["subject"]) for one in found] == [
        ("gone", "or/b:free"),
        ("new", "or/a:free"),
    ]
    assert found[0]["at"] == NOW - 30
    for n in range(20):
        ledger.event(NOW - 20 + n, "model.price", f"or/{n}", "costs more")
    assert [one["subject"] for one in (await look(ledger))["changes"]] == [
        f"or/{n}" for n in range(19, 11, -1)
    ]
