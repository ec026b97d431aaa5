"""What providers say is left, row by row, and what they cannot mean."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tables import each_row

from llm_gateway.config.urls import parse_base_url
from llm_gateway.domain import NANO, Metric, Window
from llm_gateway.providers.quota_readers import PARTS, SHAPES, NotAQuota, read_quota
from llm_gateway.providers.quota_routes import BY_ADDRESS, NO_ROUTE, quota_route
from llm_gateway.providers.registry import TYPES
from llm_gateway.timestamps import iso

NOON = 1_796_126_400.0  # 2026-12-01T12:00:00Z
MIDNIGHT = NOON + 43_200

Told = tuple[str, str, int | None, int | None, float | None]


ROUTES = {
    **{row.type: row.quota for row in TYPES.values() if row.quota is not None},
    **{route.hosts[0]: route for route in BY_ADDRESS},
}


def read(who: str, value: Any, host: str = "") -> list[Told]:
    """(metric/window, scope, limit, remaining, resets_at)"""
    found = read_quota(ROUTES[who], json.dumps(value).encode(), NOON, host)
    assert all(word.source == "quota" and word.at == NOON for word in found)
    return [
        (f"{w.metric}/{w.window}", w.scope, w.limit, w.remaining, w.resets_at)
        for w in found
    ]


def test_every_route_names_a_shape_and_a_source() -> None:
    routes = ROUTES.values()
    assert {route.shape for route in routes} == SHAPES
    assert all(route.source and route.what for route in routes)


def test_who_has_no_route_is_said_with_a_source() -> None:
    asked = {row.type for row in TYPES.values() if row.quota is not None or row.builtin}
    anywhere = {"openai-compatible", "custom"}
    assert {*NO_ROUTE} == TYPES.keys() - asked - anywhere


def test_every_route_has_its_answer_here() -> None:
    assert {who for who, *_ in ROWS.values()} | {"copilot"} == ROUTES.keys()


@pytest.mark.parametrize(
    ("type_", "base", "target"),
    [
        ("openai-compatible", "https://ai-gateway.vercel.sh/v1", "/v1/credits"),
        ("custom", "https://api.siliconflow.cn/v1", "/v1/user/info"),
        ("zai", "https://api.z.ai/api/paas/v4", None),
        (
            "zai",
            "https://api.z.ai/api/coding/paas/v4",
            "/api/monitor/usage/quota/limit",
        ),
        ("moonshot", "https://api.kimi.com/coding/v1", "/coding/v1/usages"),
        ("openai-compatible", "https://api.kimi.com/coding/v1", "/coding/v1/usages"),
        ("openai-compatible", "https://example.com/v1", None),
        ("deepseek", "https://relay.example.com", "/user/balance"),
        ("ollama", "http://localhost:11434/v1", None),
        ("openai", "https://api.openai.com/v1", None),
    ],
)
def test_who_is_asked_where(type_: str, base: str, target: str | None) -> None:
    route = quota_route(TYPES[type_], parse_base_url(base))
    assert (route and route.path) == target


ROWS: dict[str, tuple[str, Any, list[Told]]] = {
    "openrouter, a day of :free": (
        "openrouter",
        {
            "data": {
                "label": "sk-or-v1-…",
                "limit": None,
                "limit_remaining": None,
                "is_free_tier": True,
                "rate_limit": {"requests": -1, "interval": "10s"},
                "free_model_daily_requests": {"used": 12, "limit": 50, "remaining": 38},
            }
        },
        [("requests/day", "tier", 50, 38, MIDNIGHT)],
    ),
    "openrouter, money of the key": (
        "openrouter",
        {"data": {"limit": 5, "limit_remaining": 1.25, "limit_reset": "monthly"}},
        [("cost/month", "provider", 1_250_000_000, 1_250_000_000, None)],
    ),
    "openrouter, money of a day": (
        "openrouter",
        {"data": {"limit": 5, "limit_remaining": 2, "limit_reset": "daily"}},
        [("cost/day", "provider", 2 * NANO, 2 * NANO, MIDNIGHT)],
    ),
    "openrouter, overdrawn": (
        "openrouter",
        {"data": {"limit_remaining": -0.5}},
        [("cost/month", "provider", 1, 0, None)],
    ),
    "deepseek": (
        "deepseek",
        {
            "is_available": True,
            "balance_infos": [
                {
                    "currency": "USD",
                    "total_balance": "110.00",
                    "granted_balance": "10.00",
                    "topped_up_balance": "100.00",
                }
            ],
        },
        [("cost/month", "provider", 110 * NANO, 110 * NANO, None)],
    ),
    "deepseek, in yuan": (
        "deepseek",
        {
            "is_available": True,
            "balance_infos": [{"currency": "CNY", "total_balance": "0.10"}],
        },
        [],
    ),
    "deepseek, nothing left": (
        "deepseek",
        {
            "is_available": False,
            "balance_infos": [{"currency": "CNY", "total_balance": "0.00"}],
        },
        [("cost/month", "provider", 1, 0, None)],
    ),
    "moonshot": (
        "moonshot",
        {
            "code": 0,
            "status": True,
            "data": {
                "available_balance": 49.58894,
                "voucher_balance": 46.58893,
                "cash_balance": 3.00001,
            },
        },
        [("cost/month", "provider", 49_588_940_000, 49_588_940_000, None)],
    ),
    "moonshot, in debt": (
        "moonshot",
        {"code": 0, "data": {"available_balance": -1.5}},
        [("cost/month", "provider", 1, 0, None)],
    ),
    "vercel": (
        "ai-gateway.vercel.sh",
        {"balance": "95.50", "total_used": "4.50"},
        [("cost/month", "provider", 95_500_000_000, 95_500_000_000, None)],
    ),
    "siliconflow": (
        "api.siliconflow.com",
        {"code": 20000, "status": True, "data": {"balance": "0", "totalBalance": "5"}},
        [("cost/month", "provider", 5 * NANO, 5 * NANO, None)],
    ),
    "novita, in parts of a dollar": (
        "api.novita.ai",
        {"availableBalance": "15000", "cashBalance": "15000", "pendingCharges": "0"},
        [("cost/month", "provider", 1_500_000_000, 1_500_000_000, None)],
    ),
    "venice": (
        "api.venice.ai",
        {"canConsume": True, "consumptionCurrency": "USD", "balances": {"usd": 25}},
        [("cost/month", "provider", 25 * NANO, 25 * NANO, None)],
    ),
    "venice, in its own coin": (
        "api.venice.ai",
        {"canConsume": True, "consumptionCurrency": "DIEM", "balances": {"usd": 0}},
        [],
    ),
    "venice, nothing left": (
        "api.venice.ai",
        {"canConsume": False, "consumptionCurrency": None, "balances": {}},
        [("cost/month", "provider", 1, 0, None)],
    ),
    "z.ai's coding plan": (
        "api.z.ai",
        {
            "code": 200,
            "success": True,
            "data": {
                "level": "pro",
                "limits": [
                    {"type": "TIME_LIMIT", "unit": 5, "number": 1, "percentage": 100},
                    {
                        "type": "TOKENS_LIMIT",
                        "unit": 3,
                        "number": 5,
                        "percentage": 12,
                        "nextResetTime": int((NOON + 3_600) * 1000),
                    },
                    {
                        "type": "TOKENS_LIMIT",
                        "unit": 6,
                        "number": 1,
                        "percentage": 140,
                        "nextResetTime": 1_000,
                    },
                ],
            },
        },
        [
            ("requests/hour", "provider", PARTS, 880_000, NOON + 3_600),
            ("requests/day", "provider", PARTS, 0, None),
        ],
    ),
    "kimi's coding plan": (
        "api.kimi.com",
        {
            "usage": {
                "limit": "100",
                "used": "26",
                "remaining": "74",
                "resetTime": "2026-12-04T12:00:00Z",
            },
            "limits": [
                {
                    "window": {"duration": 300, "timeUnit": "TIME_UNIT_MINUTE"},
                    "detail": {"limit": "200", "used": "200"},
                }
            ],
        },
        [
            ("requests/day", "provider", PARTS, 740_000, NOON + 3 * 86_400),
            ("requests/hour", "provider", PARTS, 0, None),
        ],
    ),
    "ollama, a month": (
        "ollama",
        {"limits": {"monthly": {"usage": 0.25}}},
        [("requests/month", "provider", PARTS, 750_000, None)],
    ),
    "ollama, as it was": (
        "ollama",
        {"limits": {"session": {"usage": 1.0}, "weekly": {"usage": 0.5}}},
        [
            ("requests/hour", "provider", PARTS, 0, None),
            ("requests/day", "provider", PARTS, 500_000, None),
        ],
    ),
}


@pytest.mark.parametrize("row", ROWS)
def test_each_row(row: str) -> None:
    shape, value, expected = ROWS[row]
    assert read(shape, value) == expected


def snapshot(**more: Any) -> dict[str, Any]:
    return {
        "entitlement": 300,
        "remaining": 265,
        "percent_remaining": 88.3,
        "unlimited": False,
        "overage_permitted": False,
        **more,
    }


UNLIMITED = {"entitlement": 0, "remaining": 0, "unlimited": True}


@pytest.mark.parametrize(
    ("premium", "chat", "left"),
    [
        (snapshot(), UNLIMITED, [265]),
        (snapshot(remaining=0), UNLIMITED, []),
        (snapshot(remaining=0), snapshot(entitlement=50, remaining=9), [0, 9]),
        (snapshot(overage_permitted=True), UNLIMITED, []),
        (snapshot(unlimited=True), UNLIMITED, []),
        (snapshot(remaining=12.5), UNLIMITED, [12]),
        (snapshot(remaining=500), UNLIMITED, [300]),
        (snapshot(remaining=-3), UNLIMITED, []),
    ],
)
def test_copilot(premium: Any, chat: Any, left: list[int]) -> None:
    value = {
        "copilot_plan": "individual",
        "quota_reset_date": "2027-01-01",
        "quota_reset_date_utc": "2027-01-01T00:00:00.000Z",
        "quota_snapshots": {"premium_interactions": premium, "chat": chat},
    }
    found = read("copilot", value)
    assert [remaining for _, _, _, remaining, _ in found] == left
    assert all(name == "requests/month" for name, *_ in found)
    assert all(iso(at or 0).startswith("2027-01-01T00:00") for *_, at in found)


@pytest.mark.parametrize("number", [-1, 10**15, "950", True, None, [], 1e400])
@pytest.mark.parametrize("member", ["limit", "remaining"])
def test_counts_that_cannot_be_meant(member: str, number: Any) -> None:
    daily = {"limit": 50, "remaining": 3, member: number}
    assert read("openrouter", {"data": {"free_model_daily_requests": daily}}) == []


def test_more_left_than_there_is_is_all_of_it() -> None:
    daily = {"limit": 50, "remaining": 950}
    [found] = read("openrouter", {"data": {"free_model_daily_requests": daily}})
    assert found[2:4] == (50, 50)


@pytest.mark.parametrize(
    "money",
    [
        *("much", "NaN", 10**12, [], True, "9" * 50, "-9e9999999", "9e9999999"),
        *("1e999999", "1_000", "٣"),
    ],
)
def test_money_that_cannot_be_meant(money: Any) -> None:
    assert read("openrouter", {"data": {"limit_remaining": money}}) == []
    assert read("moonshot", {"data": {"available_balance": money}}) == []


@pytest.mark.parametrize(
    ("who", "host"),
    [("moonshot", "api.moonshot.cn"), ("api.siliconflow.com", "api.siliconflow.cn")],
)
@pytest.mark.parametrize(
    ("money", "left"), [("49.5", []), ("0", [0]), ("-3", [0]), (None, [])]
)
def test_of_money_in_yuan_only_that_there_is_none(
    who: str, host: str, money: str | None, left: list[int]
) -> None:
    value = {"data": {"available_balance": money, "totalBalance": money}}
    assert [remaining for *_, remaining, _ in read(who, value, host)] == left


@each_row("who", sorted(ROUTES))
@each_row("body", [b"", b"[]", b"null", b"{}", b"<html>", b"[" * 99_999])
def test_what_says_nothing(who: str, body: bytes) -> None:
    with pytest.raises(NotAQuota):
        read_quota(ROUTES[who], body, NOON)


numbers = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)


@given(st.sampled_from(sorted(ROUTES)), numbers, numbers)
def test_no_number_harms(who: str, one: Any, other: Any) -> None:
    tokens = {
        "type": "TOKENS_LIMIT",
        "percentage": one,
        "unit": other,
        "nextResetTime": other,
    }
    detail = {"limit": other, "remaining": one, "used": one, "resetTime": other}
    value = {
        "balance": one,
        "availableBalance": one,
        "balances": {"usd": one},
        "canConsume": other,
        "consumptionCurrency": "USD",
        "usage": detail,
        "data": {
            "limit_remaining": one,
            "available_balance": one,
            "totalBalance": one,
            "limits": [tokens],
            "free_model_daily_requests": {"limit": one, "remaining": other},
        },
        "is_available": other,
        "balance_infos": [{"currency": "USD", "total_balance": one}],
        "quota_snapshots": {"chat": {"entitlement": one, "remaining": other}},
        "limits": {"monthly": {"usage": one}},
    }
    if who == "api.kimi.com":
        del value["data"]
        value["limits"] = [{"detail": detail}]
    for word in read_quota(ROUTES[who], json.dumps(value).encode(), NOON):
        assert word.remaining is not None
        assert word.limit is not None
        assert 0 <= word.remaining <= word.limit
        assert word.metric in (Metric.REQUESTS, Metric.COST)
        assert word.window in Window
