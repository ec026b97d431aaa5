"""The others' use of each window, as the server has it: asked for all, or told on the way.

What it does not know: reservations, folds.
"""

import asyncio
from collections.abc import Sequence
from typing import Any

from llm_gateway.cluster import batches
from llm_gateway.cluster.away import Away
from llm_gateway.cluster.context import MemberContext
from llm_gateway.domain import Limit
from llm_gateway.limits.outlet import Row

STALE = 0.05
"""Seconds; what is known of the others is not asked for again before."""


class Looks:
    """Keeps what the limiter knows of the others up to date."""

    def __init__(self, context: MemberContext) -> None:
        self._context = context
        self._looked = 0.0
        self._looking: asyncio.Future[Any] | None = None
        self.shared: dict[int, batches.Shared] = {}
        """Windows that have a name among members, by identity."""

    def windows(self) -> list[batches.Shared]:
        context = self._context
        found = list(batches.shared_windows(context.limiter, context.names))
        self.shared = {id(one.window): one for one in found}
        return found

    async def refresh(self) -> bool:
        """What the others have now, before somebody is refused for it. True: it may be
        another than was known."""
        context = self._context
        if context.state != "up" or context.now() - self._looked < STALE:
            return False
        try:
            await asyncio.shield(self.look())
        except Away:
            return False
        return True

    def look(self) -> asyncio.Future[Any]:
        """At all windows; one look at a time."""
        if self._looking is None:
            self._looking = self._look()
        return self._looking

    def look_anew(self) -> None:
        """A look under way may have been answered before something that matters."""
        self._looked = 0.0
        self._looking = self._look()

    def _look(self) -> asyncio.Future[Any]:
        windows = self.windows()
        future = asyncio.get_running_loop().create_future()

        def seen(done: asyncio.Future[Any]) -> None:
            self._looking = None
            if done.cancelled() or done.exception() is not None:
                return
            self._looked = self._context.now()
            self.learn([(one.limit, one.place) for one in windows], done.result())

        future.add_done_callback(seen)
        self._context.link.put(["look", [one.name for one in windows]], future)
        return future

    def learn_rows(self, rows: Sequence[Row], found: Sequence[int]) -> None:
        """As `learn`, of the windows of one reservation."""
        self.learn([(row.limit, row.place) for row in rows], found)

    def learn(self, windows: Sequence[tuple[Limit, int]], found: Sequence[int]) -> None:
        """`found`: used, reserved and the moment that something comes back, of each."""
        context = self._context
        for (limit, place), at in zip(windows, range(0, len(found), 3), strict=True):
            used, reserved, back = found[at : at + 3]
            context.limiter.others_are(
                limit.key, used, reserved, context.our_time(back), place
            )
