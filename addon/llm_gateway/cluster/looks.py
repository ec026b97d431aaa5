"""The others' use of each window, as the server has it: asked for all, or told on the way.

What it does not know: reservations, folds.
"""

import asyncio
from collections.abc import Sequence
from typing import Any

from llm_gateway.cluster import batches
from llm_gateway.cluster.away import Away
from llm_gateway.cluster.context import MemberContext
from llm_gateway.cluster.names import Names
from llm_gateway.limits.outlet import Row
from llm_gateway.limits.shared_windows import OthersUse

STALE = 0.05
"""Seconds; what is known of the others is not asked for again before."""

AT_ONCE = 250
"""Windows in one operation: the server does nothing else meanwhile."""


class Looks:
    """Keeps what the limiter knows of the others up to date."""

    def __init__(self, context: MemberContext) -> None:
        self._context = context
        self._looked = 0.0
        self._looking: asyncio.Future[Any] | None = None
        self._names: Names | None = None
        """Under which `shared` was found."""
        self.shared: dict[int, batches.Shared] = {}
        """Windows that have a name among members, by identity."""

    def known(self) -> dict[int, batches.Shared]:
        """Those of `shared` whose names are the names of now."""
        return self.shared if self._context.names is self._names else {}

    def windows(self) -> list[batches.Shared]:
        context = self._context
        known = self.known()
        found = list(batches.shared_windows(context.limiter, context.names, known))
        self._names = context.names
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
        parts = range(0, len(windows) or 1, AT_ONCE)
        whole = asyncio.gather(
            *(self._look_at(windows[at : at + AT_ONCE]) for at in parts)
        )

        def seen(done: asyncio.Future[Any]) -> None:
            self._looking = None
            if not done.cancelled() and done.exception() is None:
                self._looked = self._context.now()

        whole.add_done_callback(seen)
        return whole

    def _look_at(self, windows: Sequence[batches.Shared]) -> asyncio.Future[Any]:
        future = asyncio.get_running_loop().create_future()

        def seen(done: asyncio.Future[Any]) -> None:
            if not done.cancelled() and done.exception() is None:
                self.learn(windows, done.result())

        future.add_done_callback(seen)
        self._context.link.put(["look", [one.name for one in windows]], future)
        return future

    def learn_rows(self, rows: Sequence[Row], found: Sequence[int]) -> None:
        """As `learn`, of the windows of one reservation."""
        self._take([(row.others, row.place) for row in rows], found)

    def learn(self, windows: Sequence[batches.Shared], found: Sequence[int]) -> None:
        """`found`: used, reserved and the moment that something comes back, of each."""
        of = self._context.limiter.book.of
        self._take([(of(one.limit.key), one.place) for one in windows], found)

    def _take(
        self, windows: Sequence[tuple[OthersUse, int]], found: Sequence[int]
    ) -> None:
        context = self._context
        for (others, place), at in zip(windows, range(0, len(found), 3), strict=True):
            used, reserved, back = found[at : at + 3]
            context.limiter.others_are(
                others, used, reserved, context.our_time(back), place
            )
