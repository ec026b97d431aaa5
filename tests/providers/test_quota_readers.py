"""What providers say is left, row by row, and what they cannot mean."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tables import each_row

from llm_gateway.domain import NANO, Metric, Window
from llm_gateway.providers.quota_readers import PARTS, SHAPES, NotAQuota, read_quota
from llm_gateway.providers.registry import TYPES
from llm_gateway.timestamps import iso

NOON = 1_796_126_400.0  # 2026-12-01T12:00:00Z
MIDNIGHT = NOON + 43_200

Told = tuple[str, str, int | None, int | None, float | None]


def read(shape: str, value: Any) -> list[Told]:
    """(metric/window, scope, limit, remaining, resets_at)"""
    found = read_quota(shape, json.dumps(value).encode(), NOON)
    assert all(word.source == "quota" and word.at == NOON for word in found)
    return [
        (f"{w.metric}/{w.window}", w.scope, w.limit, w.remaining, w.resets_at)
        for w in found
    ]


def test_every_row_names_a_shape_and_a_source() -> None:
    routes = [row.quota for row in TYPES.values() if row.quota is not None]
    assert {route.shape for route in routes} == SHAPES
    assert all(route.source for route in routes)


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


@pytest.mark.parametrize("money", ["much", "NaN", 10**12, [], True, "9" * 50])
def test_money_that_cannot_be_meant(money: Any) -> None:
    assert read("openrouter", {"data": {"limit_remaining": money}}) == []
    assert read("moonshot", {"data": {"available_balance": money}}) == []


@each_row("shape", sorted(SHAPES))
@each_row("body", [b"", b"[]", b"null", b"{}", b"<html>", b"[" * 99_999])
def test_what_says_nothing(shape: str, body: bytes) -> None:
    with pytest.raises(NotAQuota):
        read_quota(shape, body, NOON)


numbers = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)


@given(st.sampled_from(sorted(SHAPES)), numbers, numbers)
def test_no_number_harms(shape: str, one: Any, other: Any) -> None:
    value = {
        "data": {
            "limit_remaining": one,
            "available_balance": one,
            "free_model_daily_requests": {"limit": one, "remaining": other},
        },
        "is_available": other,
        "balance_infos": [{"currency": "USD", "total_balance": one}],
        "quota_snapshots": {"chat": {"entitlement": one, "remaining": other}},
        "limits": {"monthly": {"usage": one}},
    }
    for word in read_quota(shape, json.dumps(value).encode(), NOON):
        assert word.remaining is not None
        assert word.limit is not None
        assert 0 <= word.remaining <= word.limit
        assert word.metric in (Metric.REQUESTS, Metric.COST)
        assert word.window in Window
