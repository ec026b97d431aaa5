"""`python -m benchmarks.ledger`: a million requests, and how long each question takes.

What lives here: a generator of a plausible ledger (sixty days, nine offers, five
clients, days and nights, failovers, refusals), written through the ledger's own
statements, and a clock around every view and every canned query of
`datasette-metadata.json`, asked as Datasette asks: read-only, every row fetched.
"""

import argparse
import json
import random
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from llm_gateway.domain import (
    AttemptRecord,
    Candidate,
    Decision,
    Offer,
    Policy,
    RequestRecord,
    Usage,
    Verdict,
)
from llm_gateway.ledger import batch_insert, database_file, maintenance
from llm_gateway.ledger.rows import (
    BEGIN_ATTEMPT,
    DECISION,
    END_REQUEST,
    Kind,
)

DAYS = 60
TARGET_MS = 100.0
BATCH = 20_000
METADATA = Path(__file__).parents[1] / "datasette-metadata.json"

OFFERS = tuple(
    Offer(provider, "", model, provider, name, free=free)
    for provider, model, name, free in (
        ("groq-free", "llama-3.3-70b-versatile", "llama", True),
        ("gemini-free", "gemini-2.5-flash", "flash", True),
        ("mistral-free", "mistral-small-latest", "small", True),
        ("cerebras-free", "llama-3.3-70b", "llama", True),
        ("openrouter", "deepseek/deepseek-chat-v3:free", "deepseek", True),
        ("copilot", "gpt-4o", "gpt-4o", True),
        ("openai", "gpt-4o-mini", "flash", False),
        ("anthropic", "claude-sonnet-4-5", "sonnet", False),
        ("openrouter", "qwen/qwen3-coder", "coder", False),
    )
)
CLIENTS = ("cursor", "openai-python", "claude-code", "curl", "nightly-batch")
REASONS = (
    ("429 rate_limit_exceeded", 429),
    ("503", 503),
    ("first byte timeout", None),
    ("connect refused", None),
)


def moments(count: int, now: float, chance: random.Random) -> Iterator[float]:
    """`count` times in the last `DAYS` days, rising; by day six times what it is by night."""
    span = DAYS * 86_400
    made = 0
    while made < count:
        left = count - made
        step = min(left, max(1, count // 500))
        begin = now - span + span * made / count
        width = span * step / count
        drawn = sorted(begin + chance.random() * width for _ in range(step))
        for at in drawn:
            hour = at % 86_400 / 3600
            if 7 <= hour < 23 or chance.random() < 0.17:
                yield at
            else:
                yield min(now, at + 8 * 3600)
        made += step


def history(
    count: int, now: float, chance: random.Random
) -> Iterator[tuple[Kind, object]]:
    """Snapshots of everything that `count` requests leave behind."""
    for n, at in enumerate(moments(count, now, chance)):
        id = f"{int(at * 1000):012x}-7000-8000-{n:012x}"
        order = chance.sample(OFFERS, 4)
        client = chance.choice(CLIENTS)
        fate = chance.random()
        record = RequestRecord(
            id,
            at,
            client,
            client,
            "chat",
            order[0].name,
            streamed=chance.random() < 0.6,
            known_client=client,
            config_revision="b3nchm4rk",
        )
        decision = Decision(
            order[0].name,
            Policy.FREE_FIRST,
            tuple(
                Candidate(offer, Verdict.READY, "free", headroom=0.5)
                if k < 2
                else Candidate(
                    offer,
                    Verdict.SKIPPED,
                    "requests/day 1500 of 1500",
                    "at limit",
                    returns_at=at + 3600,
                )
                for k, offer in enumerate(order)
            ),
        )
        yield DECISION, (id, at, decision)
        if fate < 0.01:
            record.outcome, record.status, record.error = "refused", 429, "exhausted"
            yield END_REQUEST, END_REQUEST.snapshot(record)
            continue
        tries = 1 if fate < 0.95 else chance.choice((2, 2, 2, 3))
        for k in range(tries):
            last = k == tries - 1
            reason, status = ("", 200) if last else chance.choice(REASONS)
            attempt = AttemptRecord(
                id,
                k + 1,
                at + k,
                *order[k].key,
                status=status,
                outcome="ok" if last else "failed",
                reason=reason,
                duration_ms=chance.randrange(300, 20_000),
                tokens=1500,
            )
            yield BEGIN_ATTEMPT, BEGIN_ATTEMPT.snapshot(attempt)
        offer = order[tries - 1]
        record.provider, record.account, record.model = offer.key
        record.outcome = "ok" if chance.random() < 0.98 else "truncated"
        record.status, record.attempts = 200, tries
        record.usage = Usage(
            chance.randrange(50, 4000),
            chance.choice((0, 0, 1024)),
            0,
            chance.randrange(10, 1200),
            0,
            "reported",
        )
        tokens = record.usage.total
        record.cost = 0 if offer.free else tokens * 600
        record.saved = tokens * 400 if offer.free else 0
        record.ttft_ms = chance.randrange(80, 1500)
        record.duration_ms = record.ttft_ms + chance.randrange(200, 15_000)
        yield END_REQUEST, END_REQUEST.snapshot(record)


def generate(path: Path, count: int, now: float) -> None:
    db = database_file.open_ledger(path, durability="normal", now=now).db
    connection = db.conn
    held: list[tuple[Kind, object]] = []

    def flush() -> None:
        with db.atomic():
            batch_insert.write(connection, batch_insert.lines(held))
        held.clear()

    for n, row in enumerate(history(count, now, random.Random(1))):
        held.append(row)
        if n % BATCH == 0:
            flush()
    flush()
    for _ in maintenance.round_of_upkeep(db, 90, now):
        pass
    db.close()


def questions() -> dict[str, tuple[str, dict[str, str]]]:
    """Name -> SQL and parameters, of every canned query and every view."""
    usage = json.loads(METADATA.read_text("utf-8"))["databases"]["usage"]
    found = {
        f"query {name}": (query["sql"], {"days": ""})
        for name, query in usage["queries"].items()
    }
    for view in ("daily_cost", "provider_usage", "model_usage", "client_usage"):
        found[f"view {view}"] = (f"SELECT * FROM {view} LIMIT 101", {})
    found["view savings"] = ("SELECT * FROM savings LIMIT 101", {})
    found["view failures"] = ("SELECT * FROM failures ORDER BY ts DESC LIMIT 51", {})
    found["table requests"] = ("SELECT * FROM requests ORDER BY ts DESC LIMIT 51", {})
    return found


def timed(path: Path, sql: str, parameters: dict[str, str]) -> tuple[float, float, int]:
    """Milliseconds of the first time and of the median of the next five, and the rows."""
    with closing(database_file.read_only(path)) as connection:
        times, rows = [], []
        for _ in range(6):
            begin = time.perf_counter()
            rows = connection.execute(sql, parameters).fetchall()
            times.append((time.perf_counter() - begin) * 1000)
    return times[0], statistics.median(times[1:]), len(rows)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--requests", type=int, default=1_000_000)
    parser.add_argument("--db", type=Path, help="keep the file here, or ask this one")
    options = parser.parse_args()
    slow = 0
    with tempfile.TemporaryDirectory() as folder:
        path = options.db or Path(folder) / "usage.db"
        if not path.exists():
            begin = time.perf_counter()
            generate(path, options.requests, time.time())
            took = time.perf_counter() - begin
            print(f"{options.requests:,} requests written in {took:.0f} s")
        print(f"{path.stat().st_size / 1e6:,.0f} MB, SQLite {sqlite3.sqlite_version}\n")
        begin = time.perf_counter()
        database_file.open_ledger(path, durability="normal", now=time.time()).db.close()
        print(f"opened and checked in {(time.perf_counter() - begin) * 1000:,.0f} ms\n")
        print(f"{'':<28}{'first ms':>10}{'then ms':>10}{'rows':>8}")
        for name, (sql, parameters) in questions().items():
            first, then, rows = timed(path, sql, parameters)
            slow += then > TARGET_MS
            mark = "  slow" if then > TARGET_MS else ""
            print(f"{name:<28}{first:>10.1f}{then:>10.1f}{rows:>8}{mark}")
    print(f"\n{slow or 'none'} above {TARGET_MS:.0f} ms")
    return 1 if slow else 0


if __name__ == "__main__":
    sys.exit(main())
