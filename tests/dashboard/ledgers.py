"""Ledgers for tests and pictures, written row by row in plain SQL.

The shape comes from `llm_gateway.ledger.schema`, so a ledger that the gateway makes is
what is tested; the rows are the test's own.
"""

import itertools
import json
import sqlite3
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

from sqlite_utils import Database

from llm_gateway.dashboard.availability import stamp
from llm_gateway.ledger import schema

_numbers = itertools.count(1)


def uuid7(at: float) -> str:
    """An id that sorts by time, different for each call."""
    ms, n = int(at * 1000), next(_numbers)
    return f"{ms >> 16:08x}-{ms & 0xFFFF:04x}-7{n >> 48 & 0xFFF:03x}-8000-{n & (1 << 48) - 1:012x}"


@cache
def empty() -> bytes:
    """A ledger without rows: all migrations run once, and each test gets a copy."""
    with tempfile.TemporaryDirectory(prefix="ledger-") as folder:
        path = Path(folder) / "usage.db"
        db = Database(path)
        schema.prepare_file(db)
        schema.migrate(db)
        db.close()
        return path.read_bytes()


class Ledger:
    """A usage database with a writer's connection; `contents` is another one's file."""

    def __init__(self, path: Path, contents: bytes | None = None) -> None:
        self.path = path
        if not path.exists():
            draft = path.with_suffix(".new")
            draft.write_bytes(contents or empty())
            draft.replace(path)  # somebody may wait for it
        self.db = sqlite3.connect(path, isolation_level=None)
        self.db.execute("PRAGMA synchronous = OFF")

    def close(self) -> None:
        self.db.close()

    def clear(self) -> None:
        """Take every row out of every table."""
        tables = self.db.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table'"
            " AND name NOT LIKE 'sqlite%' AND name NOT LIKE '\\_%' ESCAPE '\\'"
        ).fetchall()
        for (name,) in tables:
            self.db.execute(f'DELETE FROM "{name}"')

    def put(self, table: str, **row: Any) -> None:
        names = ", ".join(f'"{name}"' for name in row)
        marks = ", ".join("?" * len(row))
        self.db.execute(
            f"INSERT OR REPLACE INTO {table} ({names}) VALUES ({marks})",
            tuple(row.values()),
        )

    # -- the running state -------------------------------------------------------------

    def beat(self, now: float, **state: Any) -> None:
        """The gateway's heartbeat."""
        row = {
            "version": "0.1.0",
            "port": 8080,
            "pid": 1,
            "started_at": stamp(now - 3600),
            "policy": "free-first",
            "budget_set": 0,
            "config_revision": "3f9c1a7be2",
            "config_loaded_at": stamp(now - 3600),
        }
        self.put("gateway_state", id=1, heartbeat=stamp(now), **row | state)

    def provider(self, id_: str, type_: str = "openai-compatible", **more: Any) -> None:
        self.put("providers", id=id_, type=type_, **{"enabled": 1} | more)

    def model(
        self, provider: str, model: str, name: str | None = None, **more: Any
    ) -> None:
        row = {"enabled": 1, "free": 1} | more
        row["aliases"] = json.dumps(row.get("aliases", []))
        self.put("models", provider=provider, model=model, name=name or model, **row)

    def offer(
        self, provider: str, model: str, state: str = "ready", **more: Any
    ) -> None:
        row = {"name": model, "free": 1, "account": "", "updated_at": stamp(0)} | more
        self.put("offer_state", provider=provider, model=model, state=state, **row)

    def limit(
        self,
        provider: str,
        model: str,
        metric: str,
        window: str,
        used: float,
        amount: float,
        resets_at: float | None = None,
        **more: Any,
    ) -> None:
        """A row of limit_state; without a model it is the provider's."""
        row = {
            "scope": "model" if model else "provider",
            "account": "",
            "client": "",
            "reserved": 0,
            "source": "config",
            "updated_at": stamp(0),
        }
        self.put(
            "limit_state",
            provider=provider,
            model=model,
            metric=metric,
            window=window,
            used=used,
            amount=amount,
            resets_at=None if resets_at is None else stamp(resets_at),
            **row | more,
        )

    # -- history -----------------------------------------------------------------------

    def request(self, at: float, **given: Any) -> str:
        """One request; what is not given is an answered one of nobody in particular."""
        row = {
            "client": "cursor",
            "app": "cursor",
            "dialect": "chat",
            "requested_model": "gpt-4o-mini",
            "provider": "groq",
            "account": "",
            "model": "llama-3.3-70b-versatile",
            "status": 200,
            "outcome": "ok",
            "streamed": 1,
            "attempts": 1,
            "input_tokens": 900,
            "output_tokens": 300,
            "usage_source": "reported",
            "price_source": "config",
            "cost_nano": 0,
            "saved_nano": 2_000_000,
            "ttft_ms": 240,
            "duration_ms": 1200,
            "config_revision": "3f9c1a7be2",
        } | given
        row.setdefault("id", uuid7(at))
        self.put("requests", ts=stamp(at), **row)
        return str(row["id"])

    def attempt(self, request: str, n: int, at: float, **given: Any) -> None:
        row = {
            "provider": "groq",
            "account": "",
            "model": "llama-3.3-70b-versatile",
            "status": 200,
            "outcome": "ok",
            "ttft_ms": 240,
            "duration_ms": 1200,
        } | given
        self.put("attempts", request=request, n=n, ts=stamp(at), **row)

    def decision(
        self, request: str, at: float, candidates: list[dict[str, Any]], **given: Any
    ) -> None:
        taken = next((c for c in candidates if c["verdict"] == "taken"), None)
        row = {
            "model": "gpt-4o-mini",
            "policy": "free-first",
            "chosen": f"{taken['provider']}/{taken['model']}" if taken else None,
            "candidates": json.dumps(candidates),
        } | given
        self.put("decisions", request=request, ts=stamp(at), **row)

    def spent_today(self, now: float) -> float:
        """US$ since midnight UTC, as the rollup has it."""
        rows = self.db.execute(
            "SELECT coalesce(sum(cost_usd), 0) FROM usage_day WHERE day = ?",
            (stamp(now)[:10],),
        ).fetchall()
        return float(rows[0][0])

    def event(self, at: float, kind: str, subject: str, message: str) -> None:
        self.put("events", ts=stamp(at), kind=kind, subject=subject, message=message)


def candidate(
    provider: str, model: str, verdict: str = "ready", **more: Any
) -> dict[str, Any]:
    """As `ledger.rows.candidate_json` writes it."""
    return {
        "provider": provider,
        "account": "",
        "model": model,
        "free": True,
        "verdict": verdict,
        "state": "ready",
        "reason": "free",
        "expected_cost": 0.0,
        "headroom": 0.8,
        "returns_at": None,
    } | more
