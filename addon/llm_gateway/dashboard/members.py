"""Members of a cluster for the live page: who shares the limits, and where they differ.

What lives here: the ledger's table of members and what the gateway says of its cluster,
put together. What this file does not know: the server that they share, HTML.
"""

import json
from typing import Any

from llm_gateway.dashboard import queries
from llm_gateway.dashboard.availability import moment
from llm_gateway.dashboard.reader import Ask

SILENT_AFTER = 15.0
"""Seconds without a sign of life; the ledger is told of one every few seconds."""

Json = dict[str, Any]


def cluster(ask: Ask, now: float) -> Json | None:
    """None: this gateway is alone."""
    rows = ask(queries.DETAIL, {})
    detail = json.loads(rows[0]["detail"] or "{}") if rows else {}
    found = detail.get("cluster")
    if not found:
        return None
    return {
        "name": found["name"],
        "state": found["state"],
        "absent": found.get("absent", []),
        "differences": found.get("differences", []),
        "members": [
            _member(row, found["member"], now) for row in ask(queries.MEMBERS, {})
        ],
    }


def _member(row: Any, own: str, now: float) -> Json:
    heard = moment(row["heartbeat"]) or 0.0
    return {
        "member": row["member"],
        "own": row["member"] == own,
        "heard": heard,
        "state": "silent" if now - heard > SILENT_AFTER else row["state"],
        "where": f"{row['host']}:{row['port']}" if row["port"] else row["host"],
        "version": row["version"],
        "in_flight": row["in_flight"],
        "clock_ms": row["clock_offset_ms"],
    }
