"""Each number of the pages against SQL over `requests` and `attempts`.

Under each policy, with limits of accounts, models, tiers, clients and budgets, in four
time zones, across changes of daylight saving. The sums on this side are made of single
rows in Python: nothing is shared with the pages but the rows.
"""

import csv
import html
import io
import math
import random
import re
import sqlite3
import urllib.parse
from bisect import bisect
from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from llm_gateway.dashboard.plugin_state import board_of

# The gateway's own writer needs its libraries; Datasette may stand alone.
pytest.importorskip("mitmproxy")

from .books import DAY, HOUR, Books, moments
from .conftest import Client, Serve

Row = dict[str, Any]
Which = Callable[[Row], bool]

ZONES = ("UTC", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe")
# Policy, and a moment: a few hours after a change of clocks but for the fifth and sixth.
CASES = [
    ("free-first", "2026-03-08T19:10:31+00:00"),  # New York springs forward
    ("free-only", "2026-04-05T05:00:07+00:00"),  # Lord Howe falls back by half an hour
    (
        "any",
        "2026-11-01T18:20:00+00:00",
    ),  # New York falls back, on the first of a month
    ("free-first", "2026-10-03T16:00:45+00:00"),  # Lord Howe springs forward
    ("free-only", "2026-06-30T23:59:58+00:00"),
    ("any", "2026-01-01T00:20:30+00:00"),
]
SPANS = {
    "6h": (36, 600), "24h": (24, HOUR), "7d": (168, HOUR),
    "30d": (30, DAY), "90d": (90, DAY), "1y": (365, DAY),
}  # fmt: skip
FAILED = ("error", "truncated", "lost")


class Page:
    """One ledger: its rows, and the plugin that shows it."""

    def __init__(self, client: Client, path: Path, now: float, policy: str) -> None:
        self.client, self.now, self.policy = client, now, policy
        self.db = sqlite3.connect(path)
        self.db.row_factory = sqlite3.Row
        board_of(client.ds).clock = lambda: now
        self.rows = [
            {**row, "at": at_of(row["ts"]), "tokens": sum(row[n] for n in CLASSES)}
            for row in map(
                dict, self.db.execute("SELECT rowid AS row, * FROM requests")
            )
        ]

    def real(self, since: float, sim: bool = False) -> list[Row]:
        """Finished requests since then."""
        return [
            r for r in self.rows
            if r["at"] >= since and r["outcome"] != "in_flight" and (sim or not r["simulated"])
        ]  # fmt: skip

    async def json(self, what: str, **args: Any) -> Any:
        query = "&".join(f"{k}={str(v).replace('/', '%2F')}" for k, v in args.items())
        answer = await self.client.get(f"/-/gateway/{what}?{query}")
        assert answer.status_code == 200, answer.text
        return answer.json() if what.endswith(".json") else answer.text


CLASSES = ("input_tokens", "cached_tokens", "cache_write_tokens", "output_tokens",
           "reasoning_tokens")  # fmt: skip


def at_of(ts: str) -> float:
    return datetime.fromisoformat(ts).timestamp()


def total(rows: list[Row], name: str) -> float | None:
    """Nano-dollars as US$; None where nothing is known."""
    known = [r[name] for r in rows if r[name] is not None]
    return sum(known) / 1e9 if known else None


def unpriced(r: Row) -> bool:
    return (
        r["cost_nano"] is None and r["provider"] is not None
        and r["outcome"] not in ("refused", "passthrough")
        and (r["outcome"] != "error" or r["tokens"] > 0)
    )  # fmt: skip


def about(value: float | None) -> Any:
    return None if value is None else pytest.approx(value, abs=2e-9)


@pytest.fixture(params=CASES, ids=[f"{p}-{at[:10]}" for p, at in CASES])
def page(request: Any, tmp_path: Path, serve: Serve) -> Iterator[Page]:
    policy, text = request.param
    now = datetime.fromisoformat(text).timestamp()
    chance = random.Random(text)
    books = Books(tmp_path, policy, now)
    edges = [
        edge
        for zone in ZONES
        for day in (0, 1, 7, 29)
        for edge in [midnight(now, zone, day)]
    ]
    # the hours in which clocks change
    edges += [at - at % 1800 for at in (now - 3 * HOUR, now - 4 * HOUR, now - 13 * HOUR)]  # fmt: skip
    books.fill(chance, moments(chance, now, edges, 24))
    books.write()
    found = Page(serve(books.path), books.path, now, policy)
    yield found
    found.db.close()


def midnight(now: float, zone: str, back: int = 0) -> float:
    where = ZoneInfo(zone)
    day = datetime.fromtimestamp(now, where).date() - timedelta(days=back)
    return datetime(day.year, day.month, day.day, tzinfo=where).timestamp()


async def test_all_of_it(page: Page) -> None:
    for zone in ZONES:
        await live_sums(page, zone)
        await history_sums(page, zone)
        await requests_of_today(page, zone)
    await windows(page)
    await limits(page)
    await request_pages(page)
    await receipts(page)
    await every_filter(page)


# -- Live ------------------------------------------------------------------------------


async def live_sums(page: Page, zone: str) -> None:
    found = await page.json("live.json", tz=zone)
    first = datetime.fromtimestamp(page.now, ZoneInfo(zone)).replace(day=1).timestamp()
    for name, start in (("today", midnight(page.now, zone)), ("month", midnight(first, zone))):  # fmt: skip
        rows = page.real(start)
        assert found[name]["cost"] == about(total(rows, "cost_nano")), (zone, name)
        assert found[name]["saved"] == about(total(rows, "saved_nano")), (zone, name)
        if name == "today":
            assert (found[name]["requests"], found[name]["tokens"]) == (len(rows), sum(r["tokens"] for r in rows))  # fmt: skip
            assert found[name]["unknown"] == sum(map(unpriced, rows))
            assert found[name]["errors"] == sum(r["outcome"] in FAILED for r in rows)
            assert found[name]["refused"] == sum(r["outcome"] == "refused" for r in rows)  # fmt: skip
            apps_of_today(found["apps"], rows)
            assert found[name]["passed"] == sum(r["outcome"] == "passthrough" for r in rows)  # fmt: skip
    billed = [r["ts"][:10] for r in page.real(0) if r["cost_nano"]]
    today = datetime.fromtimestamp(page.now, UTC).date()
    days = (today - datetime.fromisoformat(max(billed)).date()).days if billed else None
    assert found["unbilled_days"] == (days or None)


def apps_of_today(shown: list[Row], rows: list[Row]) -> None:
    """The five that took most tokens, the most first."""
    by_app: dict[str, list[Row]] = defaultdict(list)
    for r in rows:
        by_app[r["client"]].append(r)
    tokens = {name: sum(r["tokens"] for r in mine) for name, mine in by_app.items()}
    most = sorted(by_app, key=lambda n: (-tokens[n], -len(by_app[n]), n))[:5]
    assert [one["name"] for one in shown] == most
    for one in shown:
        mine = by_app[one["name"]]
        assert (one["tokens"], one["requests"]) == (tokens[one["name"]], len(mine))
        assert one["cost"] == about(total(mine, "cost_nano"))


async def windows(page: Page) -> None:
    for minutes in (1, 5, 10, 30, 60):
        for sim in (0, 1):
            found = await page.json("live.json", window=minutes, sim=sim, other=1)
            start = found["start"]
            assert start <= page.now - minutes * 60 + found["step"]
            rows = page.real(start, bool(sim))
            flying = [r for r in page.rows if r["outcome"] == "in_flight" and r["at"] >= start]  # fmt: skip
            sums = found["total"]["sum"]
            assert sums["in_flight"] == sum(r["outcome"] == "in_flight" for r in page.rows)  # fmt: skip
            assert sums["ended"] == len(page.real(start))
            assert sums["requests"] == len(rows) + len(flying), minutes
            assert sums["tokens"] == sum(r["tokens"] for r in rows)
            assert sums["cost"] == about(total(rows, "cost_nano") or 0)
            real = [r for r in rows if not r["simulated"]]
            assert sums["errors"] == sum(r["outcome"] in FAILED for r in real)
            assert sums["refused"] == sum(r["outcome"] == "refused" for r in real)
            for name, of in (("r", lambda r: 1), ("t", lambda r: r["tokens"]), ("c", lambda r: (r["cost_nano"] or 0) / 1e9)):  # fmt: skip
                slots = [0.0] * len(found["total"][name])
                for r in rows:
                    slots[int((r["at"] - start) // found["step"])] += of(r)
                assert found["total"][name] == pytest.approx(slots), (minutes, name)
            for provider in found["providers"]:
                for model in provider["models"]:
                    mine = [r for r in rows if (r["provider"], r["model"]) == (provider["id"], model["model"])]  # fmt: skip
                    assert sum(model.get("r", [])) == len(mine)
                    assert sum(model.get("t", [])) == sum(r["tokens"] for r in mine)
                    assert sum(model.get("c", [])) == pytest.approx(total(mine, "cost_nano") or 0)  # fmt: skip
    found = await page.json("live.json", sim=1, other=1)
    newest = sorted(page.rows, key=lambda r: r["id"], reverse=True)[: len(found["ticker"])]  # fmt: skip
    assert len(newest) == 12
    for shown, r in zip(found["ticker"], newest, strict=True):
        assert (shown["id"], shown["tokens"], shown["cost"], shown["saved"]) == (
            r["id"], r["tokens"], r["cost_usd"], r["saved_usd"],
        )  # fmt: skip


async def limits(page: Page) -> None:
    """What is used of each limit is what the attempts of its window took."""
    found = await page.json("live.json")
    spent = list(charges(page))
    rows = page.db.execute("SELECT * FROM limits").fetchall()
    expected: dict[tuple[str, ...], list[float]] = defaultdict(lambda: [0, 0, 0])
    for row in rows:
        model = row["model"]
        key = (row["scope"], row["provider"], row["client"], model, row["metric"], row["window"])  # fmt: skip
        starts = window_start(page.now, row["window"], row["reset"])
        sums = expected[key]
        sums[2] += row["amount"]
        for one in spent:
            if not holds(row, one):
                continue
            if one["open"]:
                amount = one[row["metric"]]
                sums[0 if row["metric"] == "requests" else 1] += amount
            elif starts <= one["at" if row["metric"] == "requests" else "end"]:
                sums[0] += one[row["metric"]]
    shown: dict[tuple[str, ...], list[float]] = {}
    for scope, provider, client, model, bar in bars_of(found):
        key = (scope, provider, client, model, bar["metric"], bar["window"])
        shown[key] = [bar["used"], bar["reserved"], bar["limit"]]
    assert shown == {key: pytest.approx(value) for key, value in expected.items()}
    assert any(value[1] for value in shown.values())
    usable = {"free-only": 5}.get(
        page.policy, 6
    )  # under a budget house-7b has no price
    assert found["ready"] == [usable, usable]


def bars_of(found: Any) -> Iterator[tuple[str, str, str, str, Any]]:
    yield from (("budget", "", "", "", bar) for bar in found["budget"])
    for one in found["clients"]:
        yield from (("client", "", one["name"], "", bar) for bar in one["bars"])
    for one in found["providers"]:
        for bar in one["bars"]:
            scope = "tier" if "tier" in bar else "provider"
            yield scope, one["id"], "", bar.get("tier", ""), bar
        for model in one["models"]:
            for bar in model["bars"]:
                yield "model", one["id"], "", model["model"], bar


def charges(page: Page) -> Iterator[Row]:
    """What stands against limits: attempts that counted, and requests without any."""
    for row in page.db.execute(
        "SELECT a.*, r.known_client FROM attempts a JOIN requests r ON r.id = a.request"
        " WHERE a.counted = 1"
    ):
        at = at_of(row["ts"])
        yield {
            **row, "at": at, "end": at + (row["duration_ms"] or 0) / 1000 * (row["outcome"] != "lost"),
            "requests": 1, "cost": row["cost_nano"] / 1e9, "open": row["outcome"] == "in_flight",
        }  # fmt: skip
    tried = {row[0] for row in page.db.execute("SELECT request FROM attempts")}
    for r in page.rows:
        if r["id"] not in tried and (r["simulated"] or r["outcome"] == "passthrough"):
            yield {**r, "requests": 1, "cost": (r["cost_nano"] or 0) / 1e9,
                   "end": r["at"] + r["duration_ms"] / 1000, "open": False}  # fmt: skip


def holds(limit: Any, one: Row) -> bool:
    account = not limit["account"] or limit["account"] == one["account"]
    match limit["scope"]:
        case "budget":
            return True
        case "client":
            return bool(one["known_client"] == limit["client"])
        case "provider":
            return bool(one["provider"] == limit["provider"]) and account
        case "tier":
            return bool(one["provider"] == limit["provider"]) and one["model"].endswith(limit["model"])  # fmt: skip
        case _:
            return (one["provider"], one["model"]) == (limit["provider"], limit["model"]) and account  # fmt: skip


def window_start(now: float, window: str, reset: str | None) -> float:
    """Rolling, but for months and for days with a reset."""
    if window != "month" and not (reset and window == "day"):
        return math.nextafter(now - {"minute": 60, "hour": HOUR, "day": DAY}[window], math.inf)  # fmt: skip
    clock, zone = (reset or "00:00 UTC").split()
    hour, minute = map(int, clock.split(":"))
    local = datetime.fromtimestamp(now, ZoneInfo(zone))
    start = local.replace(hour=hour, minute=minute, second=0, microsecond=0)
    if window == "month":
        start = start.replace(day=1)
    elif start > local:
        start -= timedelta(days=1)
    return start.timestamp()


# -- History ---------------------------------------------------------------------------


async def history_sums(page: Page, zone: str) -> None:
    today = datetime.fromtimestamp(page.now, ZoneInfo(zone)).date()
    days = [today - timedelta(days=n) for n in (40, 12, 1, 0)]
    asked = [{"range": span, **({"compare": 1} if step == DAY else {})} for span, (_, step) in SPANS.items()]  # fmt: skip
    asked += [{"from": days[0], "to": days[1], "compare": 1}, {"from": days[2], "to": days[3]}, {"from": days[2], "to": days[2], "compare": 1}]  # fmt: skip
    for n, given in enumerate(asked):
        by = ("provider", "model", "client")[(n + ZONES.index(zone)) % 3]
        sim = (n + len(page.policy)) % 2
        args = {**given, "by": by, "tz": zone, "sim": sim}
        found = await page.json("history.json", **args)
        times, step = found["times"], found["step"]
        end = page.now + 1
        if "range" in given:
            columns = SPANS[given["range"]][0]
            assert (len(times), step) == SPANS[given["range"]]
        else:
            end = min(midnight(page.now, zone, (today - given["to"]).days - 1), page.now + 1)  # fmt: skip
            assert times[0] == midnight(page.now, zone, (today - given["from"]).days)
            columns = len(times)
            if step == HOUR:
                assert all(b - a == HOUR for a, b in pairwise(times))
                assert columns * HOUR == round(midnight(page.now, zone, (today - given["to"]).days - 1) - times[0])  # fmt: skip
            else:
                assert columns == (given["to"] - given["from"]).days + 1
        if "from" in given:
            pass
        elif step == DAY:
            assert times == [midnight(page.now, zone, back) for back in range(columns - 1, -1, -1)]  # fmt: skip
        else:
            assert {b - a for a, b in pairwise(times)} == {step}
            assert times[-1] <= page.now < times[-1] + step
        rows = [r for r in page.real(times[0], bool(sim)) if r["at"] < end]
        column = {id(r): bisect(times, r["at"]) - 1 for r in rows}
        for metric, of in METRICS.items():
            expected = [0.0] * columns
            for r in rows:
                expected[column[id(r)]] += of(r)
            shown = [sum(one[metric][k] for one in found["series"]) for k in range(columns)]  # fmt: skip
            assert shown == pytest.approx(expected, abs=1e-8), (args, metric)
            for one in found["series"][:2]:
                mine = [r for r in rows if (r[by] or "") == one["key"]]
                assert sum(one[metric]) == pytest.approx(sum(map(of, mine)), abs=1e-8)
        for name, outcomes in (("errors", FAILED), ("refused", ("refused",))):
            expected = [0.0] * columns
            for r in rows:
                expected[column[id(r)]] += not r["simulated"] and r["outcome"] in outcomes  # fmt: skip
            assert found["failures"][name] == expected, (args, name)
        by_key: dict[str, list[Row]] = defaultdict(list)
        for r in rows:
            by_key[r[by] or ""].append(r)
        assert {one["key"] for one in found["totals"]} == set(by_key)
        for one in found["totals"]:
            mine = by_key[one["key"]]
            real = [r for r in mine if not r["simulated"]]
            assert one == {
                "key": one["key"],
                "requests": len(mine),
                "tokens": sum(r["tokens"] for r in mine),
                "cost": about(total(mine, "cost_nano") or 0),
                "saved": about(total(real, "saved_nano") or 0),
                "prompt": sum(r[n] for r in real for n in CLASSES[:3]),
                "completion": sum(r[n] for r in real for n in CLASSES[3:]),
                "errors": sum(r["outcome"] in FAILED for r in real),
                "refused": sum(r["outcome"] == "refused" for r in real),
                "passed": sum(r["outcome"] == "passthrough" for r in real),
                "unknown": sum(map(unpriced, real)),
            }, args
        took: dict[int, list[int]] = defaultdict(list)
        for r in rows:
            if r["outcome"] == "ok":
                took[column[id(r)]].append(r["duration_ms"])
        for name, share in (("p50", 0.5), ("p95", 0.95)):
            assert found["latency"][name] == [rank(took[k], share) for k in range(columns)]  # fmt: skip
        since = (page.now // HOUR) * HOUR - found["heat"]["days"] * DAY
        assert sum(n for _, n in found["heat"]["hours"]) == len(page.real(since, bool(sim)))  # fmt: skip
        if "compare" in given:
            before(page, found, zone, bool(sim))
        lines = list(csv.DictReader(io.StringIO(await page.json("history.csv", **args))))  # fmt: skip
        assert sum(int(line["requests"]) for line in lines) == len(rows)
        spent = sum(float(line["cost_usd"]) for line in lines)
        assert spent == pytest.approx(total(rows, "cost_nano") or 0)


def before(page: Page, found: Any, zone: str, sim: bool) -> None:
    """As many columns before, until as far into the last as it is now, at a full hour."""
    earlier, times = found["before"], found["times"]
    count = len(times)
    now = min(page.now, found["until"] or page.now)
    last = bisect(times, now) - 1
    if found["step"] == DAY:
        first = (datetime.fromtimestamp(page.now, UTC).date() - datetime.fromtimestamp(times[0], ZoneInfo(zone)).date()).days  # fmt: skip
        first += (datetime.fromtimestamp(page.now, ZoneInfo(zone)).date() - datetime.fromtimestamp(page.now, UTC).date()).days  # fmt: skip
        starts = [midnight(page.now, zone, first + n) for n in range(count, 0, -1)]
    else:
        starts = [at - count * HOUR for at in times]
    until = (starts[last] + now - times[last]) // HOUR * HOUR
    assert (earlier["since"], earlier["until"]) == (starts[0], until)
    rows = [r for r in page.real(starts[0], sim) if r["at"] < until]
    for metric, of in METRICS.items():
        expected = [0.0] * count
        for r in rows:
            expected[bisect(starts, r["at"]) - 1] += of(r)
        assert earlier[metric] == pytest.approx(expected, abs=1e-8), (zone, metric)
        assert earlier["sums"][metric] == pytest.approx(sum(expected), abs=1e-8)
    real = [r for r in rows if not r["simulated"]]
    assert earlier["sums"]["errors"] == sum(r["outcome"] in FAILED for r in real)
    assert earlier["sums"]["refused"] == sum(r["outcome"] == "refused" for r in real)


METRICS: dict[str, Callable[[Row], float]] = {
    "requests": lambda r: 1,
    "tokens": lambda r: r["tokens"],
    "cost": lambda r: (r["cost_nano"] or 0) / 1e9,
    "saved": lambda r: 0 if r["simulated"] else (r["saved_nano"] or 0) / 1e9,
}


def rank(values: list[int], share: float) -> int | None:
    return sorted(values)[math.ceil(len(values) * share) - 1] if values else None


# -- Requests, Request -----------------------------------------------------------------


async def listed(page: Page, **args: Any) -> list[Row]:
    """All pages of the list."""
    found: list[Row] = []
    before = ""
    while True:
        more = {"before": before} if before else {}
        answer = await page.json("requests.json", **args, **more)
        found += answer["requests"]
        before = answer["older"] or ""
        if not before:
            return found


async def requests_of_today(page: Page, zone: str) -> None:
    start = midnight(page.now, zone)
    shown = await listed(page, range="today", tz=zone, other=1)
    expected = [r for r in page.rows if r["at"] >= start]
    assert {r["id"] for r in shown} == {r["id"] for r in expected}
    assert len(shown) == len(expected)


WANTED: dict[str, Which] = {
    "outcome=unanswered": lambda r: r["outcome"] in (*FAILED, "refused"),
    "outcome=failed": lambda r: r["outcome"] in FAILED,
    "outcome=refused": lambda r: r["outcome"] == "refused",
    "outcome=passthrough": lambda r: r["outcome"] == "passthrough",
    "paid=1": lambda r: (r["cost_nano"] or 0) > 0,
    "paid=1&routed=1": lambda r: (r["cost_nano"] or 0) > 0 and bool(r["provider"]),
    "unpriced=1": lambda r: r["outcome"] != "in_flight" and unpriced(r),
    "provider=paid": lambda r: r["provider"] == "paid",
    "model=llama&client=kids": lambda r: (r["model"], r["client"]) == ("llama", "kids"),
    "sim=0": lambda r: not r["simulated"],
}


async def every_filter(page: Page) -> None:
    by_id = {r["id"]: r for r in page.rows}
    for query, fits in WANTED.items():
        args = dict(part.split("=") for part in query.split("&"))
        shown = await listed(page, other=1, **args)
        assert [r["id"] for r in shown] == [
            r["id"] for r in sorted(page.rows, key=lambda r: (r["ts"], r["row"]), reverse=True)
            if fits(r)
        ], query  # fmt: skip
        for one in shown:
            r = by_id[one["id"]]
            assert (one["total_tokens"], one["cost_usd"], one["saved_usd"], one["attempts"]) == (
                r["tokens"], r["cost_usd"], r["saved_usd"], r["attempts"],
            )  # fmt: skip


async def request_pages(page: Page) -> None:
    """One of each kind: its facts, attempts and tokens are its rows."""
    kinds = {
        (r["outcome"], r["attempts"] > 1, bool(r["translated"])): r for r in page.rows
    }
    for r in kinds.values():
        text = words(await page.json(f"requests/{r['id']}"))
        assert f"Tokens {r['tokens']:,}" in text
        for name in CLASSES:
            if r[name]:
                assert f" {r[name]:,} " in text, (name, text)
        assert f"Cost {cost_in_words(r)} " in text, text
        tries = page.db.execute("SELECT * FROM attempts WHERE request = ? ORDER BY n", (r["id"],)).fetchall()  # fmt: skip
        for one in tries:
            assert re.search(rf" {one['n']} {one['provider']} (?:account \d )?{re.escape(one['model'])} ", text)  # fmt: skip
        if len(tries) > 1:
            assert f"at the {len(tries)}{ {2: 'nd', 3: 'rd'}[len(tries)] } attempt" in text  # fmt: skip
        if r["saved_nano"]:
            assert f"Saved {usd(r['saved_nano'] / 1e9)}" in text


def words(page: str) -> str:
    """The text of a page, in one line."""
    body = re.sub(r"(?s)<(script|style).*?</\1>", " ", page)
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", body)).split())


def cost_in_words(r: Row) -> str:
    if r["cost_nano"] is not None:
        return usd(r["cost_nano"] / 1e9)
    if r["outcome"] == "in_flight":
        return "–"
    if r["outcome"] == "passthrough":
        return "on the app's own key"
    return "unknown" if unpriced(r) else "$0"


def usd(value: float) -> str:
    """Cents, and of less than a dollar six digits without the zeros at the end."""
    if value == 0:
        return "$0"
    if abs(value) >= 1:
        return f"${value:,.2f}"
    text = f"{value:.6f}".rstrip("0")
    whole, digits = text.split(".")
    return f"${whole}.{digits:0<2}" if digits else "<$0.000001"


# -- Receipt ---------------------------------------------------------------------------


async def receipts(page: Page) -> None:
    today = datetime.fromtimestamp(page.now, UTC)
    for first in (today.replace(day=1), (today.replace(day=1) - timedelta(days=3)).replace(day=1)):  # fmt: skip
        month = f"{first:%Y-%m}"
        rows = [r for r in page.real(0) if r["ts"].startswith(month)]
        ours = [r for r in rows if r["provider"]]
        answers = [r for r in ours if r["outcome"] == "ok"]
        saved, spent = total(ours, "saved_nano") or 0, total(ours, "cost_nano") or 0
        unlisted = sum(r["cost_nano"] == 0 and r["saved_nano"] is None for r in answers)
        text = words(await page.json("receipt", month=month))
        assert f"saved {usd(saved)} , {usd(saved - 10)} net" in text or f"saved {usd(saved)}, {usd(saved - 10)} net" in text  # fmt: skip
        assert f"Spent on paid answers {usd(spent)} Answers {len(answers):,} " in text
        assert f"{unlisted:,} free answer{'s' * (unlisted != 1)} without a list price" in text  # fmt: skip
        assert f"{sum(map(unpriced, ours)):,} answers whose own price is unknown" in text  # fmt: skip
        await behind_the_figures(page, month, {usd(spent): spent})
        passed = [r for r in rows if r["outcome"] == "passthrough"]
        assert f"{len(passed):,} requests that passed through" in text
        for key in {(r["provider"], r["model"]) for r in ours}:
            mine = [r for r in ours if (r["provider"], r["model"]) == key]
            good = sum(r["outcome"] == "ok" for r in mine)
            prompt = sum(r[n] for r in mine for n in CLASSES[:3])
            answer = sum(r[n] for r in mine for n in CLASSES[3:])
            assert f"{key[0]} {key[1]} {good:,} {prompt:,} {answer:,} " in text


async def behind_the_figures(page: Page, month: str, sums: dict[str, float]) -> None:
    """The list of requests that a sum of the receipt leads to costs just that much."""
    text = await page.json("receipt", month=month)
    for shown, amount in sums.items():
        query = re.search(rf'requests\?([^"]*paid=1[^"]*)">{re.escape(shown)}<', text)
        assert query, shown
        args = dict(urllib.parse.parse_qsl(html.unescape(query[1])))
        rows = await listed(page, **args)
        assert sum(r["cost_usd"] or 0 for r in rows) == about(amount)
