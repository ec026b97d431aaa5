"""Series, totals, percentiles and their CSV."""

import random
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from llm_gateway.dashboard.availability import stamp
from llm_gateway.dashboard.history import (
    Wanted,
    as_csv,
    history,
    percentile,
    spreadsheet_safe,
    wanted,
)
from llm_gateway.dashboard.history_columns import RANGES
from llm_gateway.dashboard.reader import Reader

from .conftest import NOW, Serve
from .ledgers import Ledger
from .test_numbers import some_requests

DAY = 86_400


async def look(ledger: Ledger, span: str = "7d", by: str = "provider", sim: bool = True) -> dict[str, Any]:  # fmt: skip
    reader = Reader(ledger.path, "test", seconds=5)
    try:
        return await reader.run(lambda ask: history(ask, Wanted(span, by, sim), NOW))
    finally:
        reader.close()


@pytest.mark.parametrize("span", RANGES)
async def test_every_range_ends_now_and_sums_up(ledger: Ledger, span: str) -> None:
    ledger.request(NOW - 1)
    ledger.request(NOW - RANGES[span].seconds + RANGES[span].step)
    ledger.request(NOW - RANGES[span].seconds - RANGES[span].step)
    found = await look(ledger, span)
    assert len(found["times"]) == RANGES[span].seconds // RANGES[span].step
    assert found["times"][-1] <= NOW < found["times"][-1] + found["step"]
    assert sum(found["series"][0]["requests"]) == 2
    assert found["series"][0]["requests"][-1] == 1
    assert found["totals"] == [
        {
            "key": "groq",
            "requests": 2,
            "tokens": 2400,
            "cost": 0,
            "saved": 0.004,
            "prompt": 1800,
            "completion": 600,
            "errors": 0,
            "refused": 0,
            "passed": 0,
            "unknown": 0,
        }
    ]


async def test_simulated_ones_can_be_left_out(ledger: Ledger) -> None:
    ledger.request(NOW - 1)
    ledger.request(NOW - 2, simulated=1, cost_nano=10**9)
    assert (await look(ledger))["totals"][0]["requests"] == 2
    assert (await look(ledger))["totals"][0]["cost"] == 1
    [only] = (await look(ledger, sim=False))["totals"]
    assert (only["requests"], only["cost"]) == (1, 0)


async def test_the_small_ones_are_summed(ledger: Ledger) -> None:
    for n in range(10):
        for _ in range(10 - n):
            ledger.request(NOW - 5, client=f"client {n}")
    found = await look(ledger, by="client")
    assert [one["key"] for one in found["series"]] == [*(f"client {n}" for n in range(7)), None]  # fmt: skip
    assert found["series"][-1]["count"] == 3
    assert sum(found["series"][-1]["requests"]) == 3 + 2 + 1
    assert len(found["totals"]) == 10


async def test_the_heat_looks_back_a_week_at_least(ledger: Ledger) -> None:
    ledger.request(NOW - 6 * DAY)
    ledger.request(NOW - 8 * DAY)
    for span, days, hours in (("24h", 7, 1), ("30d", 30, 2), ("1y", 90, 2)):
        heat = (await look(ledger, span))["heat"]
        assert (heat["days"], len(heat["hours"])) == (days, hours)


@pytest.mark.parametrize(
    ("values", "share", "expected"),
    [
        ([], 0.5, None),
        ([7], 0.95, 7),
        ([4, 1, 3, 2], 0.5, 2),
        ([*range(1, 101)], 0.95, 95),
        ([*range(1, 101)], 1.0, 100),
    ],
)
def test_percentile(values: list[int], share: float, expected: int | None) -> None:
    assert percentile(values, share) == expected


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        ({}, Wanted("7d", "provider", True)),
        ({"range": "1y", "by": "client", "sim": "0"}, Wanted("1y", "client", False)),
        ({"tz": "Asia/Kolkata"}, Wanted("7d", "provider", True, "Asia/Kolkata")),
        (
            {"tz": "Mars/Base"},
            "tz is 'Mars/Base'; write the name of a time zone, e.g. Europe/Berlin",
        ),
        ({"range": "9d"}, "range is '9d'; write one of 6h, 24h, 7d, 30d, 90d, 1y"),
        ({"by": "id; drop"}, "by is 'id; drop'; write one of provider, model, client"),
    ],
)
def test_what_can_be_asked(args: dict[str, str], expected: Wanted | str) -> None:
    assert wanted(args) == expected


@pytest.mark.parametrize(
    ("text", "safe"),
    [("groq", "groq"), ("=1+1", "'=1+1"), ("@x", "'@x"), ("-2", "'-2"), ("", "")],
)
def test_no_name_becomes_a_formula(text: str, safe: str) -> None:
    assert spreadsheet_safe(text) == safe


async def test_csv(ledger: Ledger) -> None:
    ledger.request(NOW - 1, client="=cmd")
    text = as_csv(await look(ledger, "24h", "client"), Wanted("24h", "client", True))
    assert text.splitlines() == [
        "time,client,requests,tokens,cost_usd,saved_usd",
        "2026-03-01T12:00:00.000Z,'=cmd,1,1200,0.0,0.002",
    ]


async def test_over_http(serve: Serve, ledger: Ledger) -> None:
    import time

    now = time.time()
    for n, took in enumerate((100, 200, 300, 4000)):
        ledger.request(now - n, duration_ms=took, ttft_ms=took // 10)
    client = serve(ledger.path)
    answer = await client.get("/-/gateway/history.json?range=6h")
    assert answer.status_code == 200
    found = answer.json()
    assert sum(one["requests"] for one in found["totals"]) == 4
    assert found["latency"]["every"] == 1
    assert max(filter(None, found["latency"]["p95"])) == 4000
    for link in found["sql"].values():
        page = await client.get(link)
        assert page.status_code == 200
        assert "sql" in page.text
    csv = await client.get("/-/gateway/history.csv?range=6h")
    assert csv.headers["content-type"].startswith("text/csv")
    assert csv.text.count("groq") >= 1
    bad = await client.get("/-/gateway/history.json?range=forever")
    assert bad.status_code == 400
    assert "forever" in bad.json()["error"]["message"]


OVER_ROWS = """
SELECT coalesce({by}, ''), count(*), sum(total_tokens), coalesce(sum(cost_nano), 0),
  coalesce(sum(saved_nano), 0), sum(outcome IN ('error', 'truncated', 'lost')),
  sum(outcome = 'refused'), sum(outcome = 'passthrough')
FROM requests WHERE simulated = 0 AND ts >= ? AND ts < ? GROUP BY 1
"""


@pytest.mark.parametrize(
    "zone", ["UTC", "America/Los_Angeles", "Asia/Kolkata", "Pacific/Auckland"]
)
@pytest.mark.parametrize("by", ["provider", "client"])
@pytest.mark.parametrize(
    "moment", ["2026-03-12T20:10:00+00:00", "2026-04-05T20:00:00+00:00"]
)
async def test_days_are_the_readers_and_sum_up_to_the_rows(
    ledger: Ledger, zone: str, by: str, moment: str
) -> None:
    """Across a change of daylight saving in Los Angeles (March 8) and Auckland (April 5)."""
    now = datetime.fromisoformat(moment).timestamp()
    some_requests(ledger, random.Random(zone + moment), now)
    reader = Reader(ledger.path, "test", seconds=5)
    try:
        found = await reader.run(lambda ask: history(ask, Wanted("30d", by, False, zone), now))  # fmt: skip
    finally:
        reader.close()
    assert len(found["times"]) == 30
    starts = [datetime.fromtimestamp(at, ZoneInfo(zone)) for at in found["times"]]
    assert {(at.hour, at.minute) for at in starts} == {(0, 0)}
    assert starts[-1].date() == datetime.fromtimestamp(now, ZoneInfo(zone)).date()
    ends = [*found["times"][1:], now + 1]
    series = {one["key"]: one for one in found["series"]}
    seen = dict.fromkeys(("failed", "refused"), 0)
    for n, (start, end) in enumerate(zip(found["times"], ends, strict=True)):
        sql = ledger.db.execute(OVER_ROWS.format(by=by), (stamp(start), stamp(end)))
        for key, requests, tokens, cost, saved, failed, refused, _ in sql:
            one = series[key]
            assert (one["requests"][n], one["tokens"][n]) == (requests, tokens)
            assert one["cost"][n] == pytest.approx(cost / 1e9)
            assert one["saved"][n] == pytest.approx(saved / 1e9)
            seen["failed"] += failed
            seen["refused"] += refused
    [(rows,)] = ledger.db.execute(
        "SELECT count(*) FROM requests WHERE simulated = 0 AND ts >= ?",
        (stamp(found["times"][0]),),
    ).fetchall()
    assert sum(sum(one["requests"]) for one in found["series"]) == rows
    assert sum(found["failures"]["errors"]) == seen["failed"]
    assert sum(found["failures"]["refused"]) == seen["refused"]
    assert sum(one["errors"] for one in found["totals"]) == seen["failed"]
