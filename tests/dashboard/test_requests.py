"""The Requests page: filters against SQL, pages by key, neighbours, and what it looks at."""

import random
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from llm_gateway.dashboard import request_list
from llm_gateway.dashboard.availability import stamp
from llm_gateway.dashboard.reader import Reader
from llm_gateway.dashboard.request_filters import BadFilter, filters
from llm_gateway.dashboard.request_list import find, neighbours, place_of

from .conftest import NOW, Serve
from .ledgers import Ledger

OUTCOMES = ("ok", "ok", "ok", "error", "refused", "cancelled", "truncated", "passthrough", "lost", "in_flight")  # fmt: skip


@pytest.fixture
def many(tmp_path: Path) -> Iterator[Ledger]:
    """Four hundred of every kind, over forty days; some share a moment."""
    made = Ledger(tmp_path / "usage.db", many_rows())
    yield made
    made.close()


@cache
def many_rows() -> bytes:
    with tempfile.TemporaryDirectory(prefix="ledger-") as folder:
        ledger = Ledger(Path(folder) / "usage.db")
        fill(ledger)
        ledger.close()
        return ledger.path.read_bytes()


def fill(ledger: Ledger) -> None:
    chance = random.Random(7)
    ledger.provider("groq")
    ledger.db.execute("BEGIN")
    for n in range(400):
        ago = chance.choice((0, 30, 600, 4000, 90_000, 40 * 86_400)) * chance.random()
        outcome = chance.choice(OUTCOMES)
        ours = outcome not in ("refused", "passthrough", "in_flight")
        ledger.request(
            NOW - ago,
            outcome=outcome,
            provider=chance.choice(("groq", "deepseek")) if ours else None,
            model=chance.choice(("m", "n")) if ours else None,
            client="rare" if n % 97 == 0 else chance.choice(("cursor", "aider")),
            requested_model=chance.choice(("gpt-4o", "coder")),
            cost_nano=chance.choice((None, 0, 5_000)),
            error=None
            if outcome == "ok"
            else chance.choice(("provider: 503 busy%", "limit")),
            simulated=int(chance.random() < 0.1),
            dialect="other" if chance.random() < 0.1 else "chat",
        )
    ledger.db.execute("COMMIT")


async def asked(ledger: Ledger, work: Any) -> Any:
    reader = Reader(ledger.path, "test", seconds=30)
    try:
        return await reader.run(work)
    finally:
        reader.close()


NOT_OTHER = "dialect <> 'other'"


@pytest.mark.parametrize(
    ("args", "where"),
    [
        ({}, NOT_OTHER),
        ({"other": "1"}, "1"),
        ({"sim": "0"}, f"{NOT_OTHER} AND simulated = 0"),
        ({"outcome": "refused"}, f"{NOT_OTHER} AND outcome = 'refused'"),
        ({"outcome": "ok"}, f"{NOT_OTHER} AND outcome = 'ok'"),
        ({"outcome": "in_flight"}, f"{NOT_OTHER} AND outcome = 'in_flight'"),
        (
            {"outcome": "unanswered"},
            f"{NOT_OTHER} AND outcome IN ('error', 'refused', 'truncated', 'lost')",
        ),
        ({"provider": "groq"}, f"{NOT_OTHER} AND provider = 'groq'"),
        ({"client": "rare"}, f"{NOT_OTHER} AND client = 'rare'"),
        (
            {"provider": "deepseek", "model": "n", "client": "aider"},
            f"{NOT_OTHER} AND provider = 'deepseek' AND model = 'n' AND client = 'aider'",
        ),
        (
            {"client": "rare", "outcome": "unanswered"},
            f"{NOT_OTHER} AND client = 'rare' AND outcome IN ('error', 'refused', 'truncated', 'lost')",
        ),
        ({"asked": "coder"}, f"{NOT_OTHER} AND requested_model = 'coder'"),
        ({"paid": "1"}, f"{NOT_OTHER} AND cost_nano > 0"),
        ({"q": "503 BUSY%"}, f"{NOT_OTHER} AND error = 'provider: 503 busy%'"),
        ({"q": "%"}, f"{NOT_OTHER} AND error LIKE '%\\%' ESCAPE '\\'"),
        ({"range": "24h"}, f"{NOT_OTHER} AND ts >= '{stamp(NOW - 86_400)}'"),
        (
            {"range": "today", "tz": "Asia/Kolkata"},
            f"{NOT_OTHER} AND ts >= '2026-02-28T18:30:00.000Z'",
        ),
        (
            {"from": "2026-02-01T00:00Z", "to": "2026-03-01T10:00Z", "provider": "groq"},
            f"{NOT_OTHER} AND provider = 'groq' AND ts >= '2026-02-01T00:00:00.000Z'"
            " AND ts < '2026-03-01T10:00:00.000Z'",
        ),
        ({"provider": "nobody"}, "0"),
        ({"client": "' OR 1 --"}, "0"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("count", [7, 1000])
async def test_pages_together_are_what_sql_says(
    many: Ledger, args: dict[str, str], where: str, count: int
) -> None:
    sql = f"SELECT id FROM requests WHERE {where} ORDER BY ts DESC, rowid DESC"
    expected = [id_ for (id_,) in many.db.execute(sql)]

    def walk(ask: Any) -> tuple[list[str], list[str]]:
        wanted = filters(args, NOW)
        back: list[str] = []
        place = None
        while True:
            page = find(ask, wanted.at(place), NOW, count=count)
            back += [row["id"] for row in page.rows]
            place = page.older
            if place is None:
                break
        forth: list[str] = []
        if back:
            forth = [back[-1]]
            here = place_of(ask, back[-1])
            while here:
                page = find(ask, wanted.at(here, newer=True), NOW, count=count, newer=True)  # fmt: skip
                forth += [row["id"] for row in page.rows]
                here = page.older
        return back, forth

    back, forth = await asked(many, walk)
    assert back == expected
    assert forth[::-1] == expected


async def test_no_page_looks_at_more_than_it_may(
    many: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(request_list, "LOOKED_AT", 50)

    def walk(ask: Any) -> tuple[int, list[str]]:
        wanted, place, pages, seen = filters({"q": "coder"}, NOW), None, 0, []
        while True:
            page = find(ask, wanted.at(place), NOW)
            seen += [row["id"] for row in page.rows]
            pages += 1
            place = page.older
            if place is None:
                return pages, seen
            assert page.looked_until or len(page.rows) == request_list.COUNT

    pages, seen = await asked(many, walk)
    sql = (
        f"SELECT count(*) FROM requests WHERE {NOT_OTHER} AND requested_model = 'coder'"
    )
    assert pages > 4
    assert len(set(seen)) == len(seen) == many.db.execute(sql).fetchone()[0]


async def test_neighbours_stay_within_the_filters(many: Ledger) -> None:
    sql = f"SELECT id FROM requests WHERE client = 'rare' AND {NOT_OTHER} ORDER BY ts DESC, rowid DESC"
    ids = [id_ for (id_,) in many.db.execute(sql)]

    def look(ask: Any) -> list[tuple[str | None, str | None]]:
        wanted = filters({"client": "rare"}, NOW)
        return [neighbours(ask, wanted, place_of(ask, id_), NOW) for id_ in ids]  # type: ignore[arg-type]

    assert await asked(many, look) == [
        (ids[n - 1] if n else None, ids[n + 1] if n + 1 < len(ids) else None)
        for n in range(len(ids))
    ]


@pytest.mark.parametrize(
    ("args", "says"),
    [
        ({"outcome": "bad"}, "write one of unanswered"),
        ({"range": "1y"}, "write one of today, 1h"),
        ({"range": "today", "tz": "../etc/passwd"}, "Europe/Berlin"),
        ({"range": "today", "tz": "Mars/Base"}, "Europe/Berlin"),
        ({"from": "yesterday"}, "2026-03-01T12:00Z"),
        ({"before": "1 OR 1"}, "the page's own links"),
        ({"paid": "yes"}, "write paid=1"),
        ({"client": "x" * 301}, "longer than 300"),
    ],
)
def test_a_filter_that_makes_no_sense_says_what_to_write(
    args: dict[str, str], says: str
) -> None:
    with pytest.raises(BadFilter, match=says):
        filters(args, NOW)


async def test_the_page_and_its_json(many: Ledger, serve: Serve) -> None:
    client = serve(many.path)
    page = await client.get("/-/gateway/requests?client=rare&other=1")
    assert page.status_code == 200
    assert page.text.count("<tr data-outcome=") == 5
    found = (await client.get("/-/gateway/requests.json?client=rare&other=1")).json()
    assert [row["client"] for row in found["requests"]] == ["rare"] * 5
    assert found["older"] is None
    for row in found["requests"]:
        assert f"/requests/{row['id']}?client=rare&amp;other=1" in page.text
    detail = await client.get(f"/-/gateway/requests/{found['requests'][2]['id']}?client=rare&other=1")  # fmt: skip
    assert f"/requests/{found['requests'][1]['id']}?client=rare&amp;other=1" in detail.text  # fmt: skip
    assert f"/requests/{found['requests'][3]['id']}?client=rare&amp;other=1" in detail.text  # fmt: skip
    first = await client.get("/-/gateway/requests")
    assert 'rel="next"' in first.text
    assert 'rel="prev"' not in first.text
    bad = await client.get("/-/gateway/requests?range=never")
    assert bad.status_code == 400
    assert "write one of today" in bad.text
    assert (await client.get("/-/gateway/requests.json?range=never")).status_code == 400
    gone = await client.get("/-/gateway/requests/no-such-request")
    assert gone.status_code == 404
    assert "All requests" in gone.text


async def test_names_of_clients_are_text(ledger: Ledger, serve: Serve) -> None:
    evil = '"><img src=x onerror=alert(1)>'
    ledger.request(NOW, client=evil, requested_model=evil, error=evil, outcome="error", provider=evil, model=evil)  # fmt: skip
    text = (await serve(ledger.path).get("/-/gateway/requests")).text
    assert "<img" not in text
    assert "&lt;img" in text
