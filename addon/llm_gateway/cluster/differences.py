"""Differences between the amounts that members are configured with: found, kept, said.

What lives here: a limit that members allow differently, and who of those that were heard
of in the last day allows how much. What it does not know: what anybody has used.
"""

from collections.abc import Collection, Sequence
from typing import Any

from llm_gateway.cluster.context import MemberContext
from llm_gateway.cluster.looks import Looks
from llm_gateway.domain import NANO, Limit, Metric
from llm_gateway.frozen import frozen
from llm_gateway.limits.refusal_text import amount_text, place

AT_ONCE = 32
"""Windows in one operation: the server does nothing else meanwhile."""
NAMED = 3
"""Limits that an event names."""


@frozen
class Difference:
    """A limit, and what each member allows of it; None: it sets no limit there."""

    limit: Limit
    amounts: dict[str, int | None]

    @property
    def head(self) -> str:
        """`requests/day on groq`."""
        limit = self.limit
        return f"{limit.metric.value}/{limit.window.value} {place(limit.scope)}"

    def among(self, names: Collection[str]) -> "Difference | None":
        """As far as these members differ."""
        found = {who: most for who, most in self.amounts.items() if who in names}
        return Difference(self.limit, found) if len({*found.values()}) > 1 else None

    def __str__(self) -> str:
        said = [
            f"{who} {'none' if most is None else amount_text(self.limit, most)}"
            for who, most in sorted(self.amounts.items())
        ]
        return f"{self.head}: {', '.join(said)}"

    def as_json(self) -> dict[str, Any]:
        """Money is in US$."""
        found: dict[str, float | None] = dict(sorted(self.amounts.items()))
        if self.limit.metric is Metric.COST:
            found = {who: most and most / NANO for who, most in found.items()}
        return {"limit": self.head, "amounts": found}


class Differences:
    """Asks for what differs whenever somebody's amounts changed."""

    def __init__(self, context: MemberContext, looks: Looks) -> None:
        self._context = context
        self._looks = looks
        self._revision = ""
        self._found: list[Difference] = []
        self._said: list[str] = []

    def now(self) -> list[Difference]:
        """Among the members that were heard of in the last day."""
        context = self._context
        names = {context.member, *context.members.lately(context.server_now())}
        return [one for all_ in self._found if (one := all_.among(names)) is not None]

    async def follow(self, revision: str) -> None:
        """`revision`: another one, whenever some member's amounts are others.
        Raises Away."""
        if revision == self._revision:
            return
        limits = {one.name: one.limit for one in self._looks.windows()}
        names = sorted(limits)
        found: list[Difference] = []
        for at in range(0, len(names), AT_ONCE):
            part = names[at : at + AT_ONCE]
            answer = await self._context.ask(["amounts", part])
            found += [
                Difference(limits[name], read_amounts(pairs))
                for name, pairs in zip(part, answer, strict=True)
                if pairs
            ]
        self._revision, self._found = revision, found
        self._say()

    def _say(self) -> None:
        said = [str(one) for one in self.now()]
        fresh = [text for text in said if text not in self._said]
        self._said = said
        if fresh:
            more = len(fresh) - NAMED
            tail = f"; and {more} more, see `llm-gateway cluster`" if more > 0 else ""
            self._context.gateway.event(
                "cluster",
                "cluster",
                f"members allow different amounts: {'; '.join(fresh[:NAMED])}{tail}",
            )


def read_amounts(pairs: Sequence[bytes]) -> dict[str, int | None]:
    """From member and amount in turn; -1: none."""
    return {
        pairs[at].decode(): None if int(pairs[at + 1]) < 0 else int(pairs[at + 1])
        for at in range(0, len(pairs), 2)
    }
