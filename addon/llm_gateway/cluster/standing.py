"""How a member of a cluster stands: what /health, the pages and the commands say of it.

What it does not know: reservations, how the state came about.
"""

from typing import Any, Protocol

from llm_gateway.cluster import roster
from llm_gateway.cluster.context import MemberContext
from llm_gateway.cluster.differences import Differences
from llm_gateway.cluster.membership import ALIVE

GOES_ON = {
    "free": "free requests go on within this member's share, paid ones are refused",
    "refuse": "requests are refused until it is back",
    "local": "requests go on within this member's share",
}
"""By `whenAway`."""


class Absent(Protocol):
    absent: list[str]
    """Members that have not folded since the counters began anew."""


class Reason(Protocol):
    why: str
    """Why it is, or was, away."""


class Standing:
    """Of one member, as it is when asked."""

    def __init__(
        self,
        context: MemberContext,
        heart: Absent,
        differences: Differences,
        connecting: Reason,
    ) -> None:
        self._context = context
        self._heart = heart
        self._differences = differences
        self._connecting = connecting

    @property
    def degraded(self) -> list[str]:
        context, absent = self._context, self._heart.absent
        if context.state == "up":
            return []
        if context.state == "folding":
            who = f": {', '.join(absent)}" if absent else ""
            return [f"cluster: not every member has folded its counters yet{who}"]
        goes_on = GOES_ON[context.config.when_away]
        return [f"cluster: {self._connecting.why}; {goes_on}"]

    def status(self) -> dict[str, Any]:
        """For /health and the heartbeat."""
        context = self._context
        return {
            "member": context.member,
            "name": context.config.name,
            "members": context.members.alive(context.server_now()),
            "state": context.state,
            "clock_offset_ms": round(context.offset.seconds * 1000),
        }

    def details(self) -> dict[str, Any]:
        """The same, with who is missing and where members differ."""
        return {
            **self.status(),
            "absent": self._heart.absent,
            "differences": [one.as_json() for one in self._differences.now()],
        }

    def member_list(self) -> list[dict[str, Any]]:
        """For people and programs: who was heard of, and how long ago."""
        context = self._context
        return roster.member_list(context.members, context.server_now())

    def member_rows(self) -> list[tuple[str | int | float | None, ...]]:
        """For the ledger's table of members."""
        context = self._context
        return roster.member_rows(context.members, context.offset.seconds)

    def is_alive(self, name: str) -> bool:
        context = self._context
        found = context.members.all.get(name)
        return found is not None and context.server_now() - found.at < ALIVE
