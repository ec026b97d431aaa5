"""Members of a cluster as tables: for people and programs, and for the ledger.

What it does not know: clocks, connections; moments are arguments.
"""

from typing import Any

from llm_gateway.cluster.membership import Members
from llm_gateway.timestamps import iso

ABOUT = ("state", "host", "port", "version", "in_flight", "clock_offset_ms")


def member_list(members: Members, now: float) -> list[dict[str, Any]]:
    """Who was heard of, and how many seconds ago. `now`: the server's time."""
    return [
        {
            "member": one.name,
            "seconds": round(max(0.0, now - one.at), 1),
            **{name: one.about.get(name, 0 if "_" in name else "") for name in ABOUT},
        }
        for one in sorted(members.all.values(), key=lambda one: one.name)
    ]


def member_rows(
    members: Members, offset: float
) -> list[tuple[str | int | float | None, ...]]:
    """For the ledger's table of members. `offset`: what the server's clock is ahead."""
    return [
        (
            one.name,
            iso(one.at - offset),
            str(one.about.get("state", "")),
            str(one.about.get("host", "")),
            whole(one.about.get("port")),
            str(one.about.get("version", "")),
            whole(one.about.get("in_flight")) or 0,
            whole(one.about.get("clock_offset_ms")) or 0,
            str(one.about.get("revision", "")),
        )
        for one in members.all.values()
    ]


def whole(value: Any) -> int | None:
    return value if isinstance(value, int) else None
