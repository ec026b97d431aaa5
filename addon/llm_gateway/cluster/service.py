"""A member of a cluster: connects, folds its counters in, reserves, and serves on alone.

Away and folding, the engine keeps to this member's share (`limits.shared`), and the
configuration says what goes on at all (`whenAway`). Folding, what is granted is told to
the server all the same. Whatever may have been lost on the way is put right by the next
fold: it replaces this member's part of every window with what the engine has, which is a
fold over its own ledger and what is open.

What lives here: the parts put together, and what the rest of the house asks of them. What
it does not know: HTTP, flows, SQL.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

from llm_gateway.cluster import batches
from llm_gateway.cluster.away import Away
from llm_gateway.cluster.connecting import Connecting
from llm_gateway.cluster.context import BEAT, Gateway, MemberContext
from llm_gateway.cluster.differences import Differences
from llm_gateway.cluster.folding import Folding
from llm_gateway.cluster.granting import AWAY, GRANTED, NO_ROOM, Granting
from llm_gateway.cluster.heartbeat import Heartbeat
from llm_gateway.cluster.ledger_stream import Collector, Shipper
from llm_gateway.cluster.looks import Looks
from llm_gateway.cluster.standing import Standing
from llm_gateway.cluster.word_exchange import WordExchange
from llm_gateway.config.models import Cluster
from llm_gateway.domain import Charge, Limit
from llm_gateway.limits.outlet import Row
from llm_gateway.limits.shared import SharedLimiter
from llm_gateway.limits.store import OpenReservation
from llm_gateway.limits.values import LimitObservation, Reservation, Scope

logger = logging.getLogger("llm_gateway")

AGAIN = 1.0
"""Seconds after which a part that failed begins again."""


class ClusterService:
    """One membership, under one configuration of `cluster`. Owned by the event loop."""

    def __init__(
        self,
        gateway: Gateway,
        limiter: SharedLimiter,
        config: Cluster,
        member: str,
        *,
        login: Callable[[str], str],
        about: Callable[[], dict[str, Any]] = dict,
        beat: float = BEAT,
    ) -> None:
        """`member`: its name. `login`: the stored sign-in of a provider. `about`: what a
        heartbeat says of it besides. `beat`: seconds between two."""
        self.context = context = MemberContext(gateway, limiter, config, member, beat)
        self.members = context.members
        self.offset = context.offset
        self.looks = looks = Looks(context)
        self.words = WordExchange(context)
        self.differences = Differences(context, looks)
        self.granting = Granting(context, looks, self._refold)
        self.folding = Folding(context, looks, login, self.granting)
        self.heart = Heartbeat(context, looks, about, self._refold)
        self.connecting = Connecting(
            context, looks, self.granting, self.folding, self.heart
        )
        self.standing = Standing(context, self.heart, self.differences, self.connecting)
        self.link = context.link
        self._tasks: list[asyncio.Task[None]] = []

    # -- life ------------------------------------------------------------------------

    def start(self) -> None:
        """Connect, and stay so. On the event loop."""
        loop = asyncio.get_running_loop()
        context, gateway = self.context, self.context.gateway
        context.limiter.outlet = self
        gateway.health.on_rest = self.words.rested
        work: dict[str, Callable[[], Awaitable[None]]] = {
            "link": self.connecting.run,
            "beat": partial(self.heart.run, self._before_beat),
            "rows": Shipper(self, gateway.store).run,
        }
        if context.config.collect:
            store = gateway.store
            work["collector"] = Collector(self, store).run
        for name, running in work.items():
            task = lasting(name, running)
            self._tasks.append(loop.create_task(task, name=f"cluster {name}"))

    async def flush(self, seconds: float) -> None:
        """What was said so far is there, or the time is over."""
        with suppress(Away, TimeoutError):
            async with asyncio.timeout(seconds):
                await self.ask(["look", []])

    def stop(self) -> None:
        """Leave: what is held open stays so until its lease ends, or the next start."""
        context = self.context
        context.limiter.outlet = None
        context.gateway.health.on_rest = None
        for task in self._tasks:
            task.cancel()
        self._tasks.clear()
        self.folding.stop()

    async def catalog_changed(self) -> None:
        """Limits, accounts or clients are others now."""
        if self.link.up:
            await self.folding.rename()
            await self.folding.fold_again()

    # -- what others see of it ---------------------------------------------------------

    @property
    def member(self) -> str:
        return self.context.member

    @property
    def state(self) -> str:
        """`away`, `folding` or `up`."""
        return self.context.state

    @property
    def connected(self) -> bool:
        return self.link.up

    @property
    def connection_id(self) -> str:
        """Another one after each reconnect."""
        return self.connecting.connection_id

    @property
    def collector(self) -> str:
        """Member and ledger that take the finished requests of all; "": none."""
        return self.heart.collector

    @property
    def collected(self) -> str:
        """Ledger and number up to which it has this member's."""
        return self.heart.collected

    @property
    def is_collector(self) -> bool:
        return self.collector.partition(" ")[0] == self.member

    def warn(self, message: str) -> None:
        self.context.warn(message)

    # -- what is asked of it -------------------------------------------------------------

    async def ask(self, op: batches.Op) -> Any:
        """What the server says to one operation. Raises Away."""
        return await self.context.ask(op)

    async def confirm(
        self,
        reservation: Reservation,
        limits: Sequence[Limit],
        scopes: Sequence[Scope],
        *,
        zero_cost: bool,
    ) -> str:
        """The last word on what the engine reserved: GRANTED, NO_ROOM or AWAY.

        Where it is not GRANTED the caller releases the reservation.
        """
        granting = self.granting
        return await granting.confirm(reservation, limits, scopes, zero_cost=zero_cost)

    async def refresh(self) -> bool:
        """What the others have now, before somebody is refused for it. True: it may be
        another than was known."""
        return await self.looks.refresh()

    async def fold_now(self) -> int:
        """How many windows were folded. Raises Away."""
        await self.folding.fold_again()
        await self.ask(["look", []])
        return len(self.looks.shared)

    async def settle_for(self, name: str) -> int:
        """What another member held open counts as used; it is forgotten. Raises Away."""
        [count] = await self.ask(["forget", name])
        self.members.forget(name)
        return int(count)

    # -- what the engine tells -----------------------------------------------------------

    def settled(self, held: OpenReservation, real: Charge) -> None:
        self.granting.settled(held, real)

    def counted(self, rows: Sequence[Row], change: Charge, at: float) -> None:
        self.granting.counted(rows, change, at)

    def observed(
        self, words: Sequence[LimitObservation], scopes: Sequence[Scope]
    ) -> None:
        self.words.observed(words, scopes)

    # -- what the parts tell each other --------------------------------------------------

    async def _before_beat(self) -> None:
        self.looks.look()
        self.granting.renew()
        await self.words.hear()
        if self.heart.amounts:
            await self.differences.follow(f"{self.connection_id} {self.heart.amounts}")

    def _refold(self) -> None:
        self.folding.refold()


async def lasting(name: str, work: Callable[[], Awaitable[None]]) -> None:
    """Until it ends by itself: what was not thought of is said, and it begins again."""
    while True:
        try:
            return await work()
        except Exception:
            logger.exception("Cluster: %s failed, and begins again.", name)
            await asyncio.sleep(AGAIN)


__all__ = ["AWAY", "GRANTED", "NO_ROOM", "ClusterService"]
