"""The receipt against SQL over the rows: nothing claimed that no row has."""

import random
from datetime import UTC, date, datetime
from typing import Any

import pytest

from llm_gateway.dashboard.reader import Reader
from llm_gateway.dashboard.receipt import (
    BadMonth,
    following,
    month_of,
    preceding,
    receipt,
)

from .conftest import NOW, Serve
from .ledgers import Ledger
from .test_numbers import some_requests


async def look(ledger: Ledger, month: date) -> dict[str, Any]:
    reader = Reader(ledger.path, "test", seconds=10)
    try:
        return await reader.run(lambda ask: receipt(ask, month, NOW))
    finally:
        reader.close()


OVER_ROWS = """
SELECT provider, model, sum(outcome IN ('ok', 'error', 'truncated', 'lost'))
    - sum(outcome IN ('error', 'truncated', 'lost')),
  sum(cost_nano), sum(saved_nano),
  sum(outcome = 'ok' AND saved_nano IS NULL AND cost_nano = 0)
FROM requests
WHERE simulated = 0 AND provider IS NOT NULL AND ts >= ? AND ts < ?
GROUP BY 1, 2
"""


@pytest.mark.parametrize(
    "month", [date(2026, 2, 1), date(2026, 3, 1), date(2025, 1, 1)]
)
async def test_every_number_is_in_the_rows(ledger: Ledger, month: date) -> None:
    some_requests(ledger, random.Random(3), NOW)
    ledger.provider("copilot", flat_rate_usd_per_month=10.0, free=0)
    found = await look(ledger, month)
    bounds = (f"{month}T", f"{following(month)}T")
    rows = ledger.db.execute(OVER_ROWS, bounds).fetchall()
    by_key = {(m["provider"], m["model"]): m for m in found["models"]}
    assert set(by_key) == {(row[0], row[1]) for row in rows}
    for provider, model, answers, cost, saved, unlisted in rows:
        one = by_key[provider, model]
        assert (one["answers"], one["unlisted"]) == (answers, unlisted)
        assert one["cost"] == (None if cost is None else pytest.approx(cost / 1e9))
        assert one["saved"] == (None if saved is None else pytest.approx(saved / 1e9))
    saved = sum(row[4] or 0 for row in rows) / 1e9
    assert found["sums"]["saved"] == pytest.approx(saved)
    assert found["sums"]["net"] == pytest.approx(saved - 10)
    [[passed, cost]] = ledger.db.execute(
        "SELECT sum(outcome = 'passthrough'), sum(cost_nano) / 1e9 FROM requests"
        " WHERE simulated = 0 AND provider IS NULL AND ts >= ? AND ts < ?",
        bounds,
    ).fetchall()
    assert found["passed"]["requests"] == (passed or 0)
    assert found["passed"]["cost"] == (None if cost is None else pytest.approx(cost))


@pytest.mark.parametrize(
    ("text", "month"),
    [(None, date(2026, 3, 1)), ("2025-12", date(2025, 12, 1)), ("2026-01", date(2026, 1, 1))],
)  # fmt: skip
def test_months_follow_each_other(text: str | None, month: date) -> None:
    found = month_of(text, NOW)
    assert found == month
    assert preceding(following(found)) == found == following(preceding(found))


@pytest.mark.parametrize(
    "text", ["2026-13", "march", "2026-3", "1999-01", "2026-03-01"]
)
def test_a_month_that_is_none(text: str) -> None:
    with pytest.raises(BadMonth, match=r"write e\.g\. 2026-03"):
        month_of(text, NOW)


async def test_the_page(ledger: Ledger, serve: Serve) -> None:
    now = datetime.now(UTC).timestamp()
    ledger.provider("groq", free=1)
    ledger.model("groq", "llama-3.3-70b-versatile", list_input_usd_per_million=0.59, list_output_usd_per_million=0.79, price_source="config")  # fmt: skip
    ledger.provider("copilot", flat_rate_usd_per_month=10.0)
    ledger.request(now, saved_nano=12_400_000_000)
    ledger.request(now, saved_nano=None)
    client = serve(ledger.path)
    page = await client.get("/-/gateway/receipt")
    assert page.status_code == 200
    assert "$12.40" in page.text
    assert "$2.40 net" in page.text
    assert "1 free answer without a list price" in page.text
    assert "$0.59 / $0.79" in page.text
    assert (await client.get("/-/gateway/receipt?month=2020-01")).status_code == 200
    assert (await client.get("/-/gateway/receipt?month=x")).status_code == 400
