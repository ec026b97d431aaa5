"""Recent requests, each with the route that it took.

What lives here: from the rows of `requests`, `attempts` and `decisions` to a list of
hops: who was passed over and why, who was tried, who answered. Decisions never change,
so what was read of them is remembered.

What this file does not know: clocks, HTML.
"""

import json
import sqlite3
from collections import OrderedDict, defaultdict
from typing import Any

from llm_gateway.dashboard import queries
from llm_gateway.dashboard.availability import moment
from llm_gateway.dashboard.reader import Ask

Json = dict[str, Any]

COUNT = 12
"""Requests on the live page."""
PASSED_OVER = 2
"""Passed-over candidates that one line names."""
WITHIN = 5000
"""Newest requests among which those to be shown are looked for, once a second."""
REMEMBERED = 500
WORTH_A_WORD = ("at limit", "cooling down", "failing")
"""A candidate that was passed over for another reason was never meant to answer."""


class RecentRequests:
    """Remembers decisions between two looks. Lives on the reader's thread."""

    def __init__(self) -> None:
        self._decided: OrderedDict[str, tuple[list[Json], int]] = OrderedDict()

    def newest(
        self, ask: Ask, *, simulated: bool, other: bool = False, count: int = COUNT
    ) -> list[Json]:
        """The newest requests first, as JSON. `other`: telemetry, lists and the like that
        apps ask their own host for, too; there is more of it than of questions."""
        wanted = {"simulated": int(simulated), "other": int(other)}
        rows = _newest(ask, {**wanted, "count": count, "within": WITHIN})
        ids = [row["id"] for row in rows]
        attempts: dict[str, list[sqlite3.Row]] = defaultdict(list)
        for attempt in ask(queries.ATTEMPTS_OF, {"ids": json.dumps(ids)}):
            attempts[attempt["request"]].append(attempt)
        self._learn(ask, ids)
        return [
            _entry(row, attempts[row["id"]], *self._decided.get(row["id"], ([], 0)))
            for row in rows
        ]

    def _learn(self, ask: Ask, ids: list[str]) -> None:
        unknown = [id_ for id_ in ids if id_ not in self._decided]
        if not unknown:
            return
        for row in ask(queries.DECISIONS_OF, {"ids": json.dumps(unknown)}):
            self._decided[row["request"]] = passed_over(row["candidates"])
        while len(self._decided) > REMEMBERED:
            self._decided.popitem(last=False)


def _newest(ask: Ask, wanted: Json) -> list[sqlite3.Row]:
    try:
        return ask(queries.NEWEST, wanted)
    except sqlite3.OperationalError:
        return ask(queries.NEWEST_OF_OLD, wanted)


def passed_over(candidates: str) -> tuple[list[Json], int]:
    """The first few candidates that could not be asked, and how many more there were."""
    found = [
        {"provider": c["provider"], "word": c["state"]}
        for c in json.loads(candidates)
        if c.get("state") in WORTH_A_WORD
    ]
    unique = list({(hop["provider"], hop["word"]): hop for hop in found}.values())
    return unique[:PASSED_OVER], max(len(unique) - PASSED_OVER, 0)


def _entry(
    row: sqlite3.Row, attempts: list[sqlite3.Row], skipped: list[Json], more: int
) -> Json:
    failed = [
        {"provider": a["provider"], "word": a["reason"] or a["outcome"]}
        for a in attempts
        if a["outcome"] == "failed"
    ]
    last = attempts[-1] if attempts else None
    return {
        "id": row["id"],
        "at": moment(row["ts"]),
        "client": row["client"],
        "asked": row["requested_model"],
        "provider": row["provider"] or (last["provider"] if last else None),
        "model": row["model"] or (last["model"] if last else None),
        "host": row["host"],
        "translated": row["translated"],
        "skipped": skipped,
        "skipped_more": more,
        "failed": failed,
        "outcome": row["outcome"],
        "status": row["status"],
        "error": row["error"],
        "tokens": row["total_tokens"],
        "cost": row["cost_usd"],
        "saved": row["saved_usd"],
        "ms": row["duration_ms"],
        "simulated": bool(row["simulated"]),
    }
