"""What the parts of a membership have in common: the gateway, the connection, how it stands.

What lives here: `MemberContext` and what a member needs of its gateway (`Gateway`).
What it does not know: what any operation means.
"""

import asyncio
from collections.abc import Callable
from typing import Any, Protocol

from llm_gateway.cluster.batches import Op
from llm_gateway.cluster.clock import Offset
from llm_gateway.cluster.link import Link
from llm_gateway.cluster.membership import Members
from llm_gateway.cluster.names import Names
from llm_gateway.config.models import Cluster
from llm_gateway.ledger.store import Store
from llm_gateway.limits.shared import SharedLimiter
from llm_gateway.providers.catalog import Catalog
from llm_gateway.routing.health import HealthTracker

BEAT = 1.0
"""Seconds between two signs of life, and between two looks at the others' use."""


class Gateway(Protocol):
    """What a member needs of its gateway."""

    catalog: Catalog
    health: HealthTracker
    store: Store
    state_dirty: bool

    @property
    def clock(self) -> Callable[[], float]: ...

    def event(
        self, kind: str, subject: str, message: str, **detail: object
    ) -> None: ...


class MemberContext:
    """One member, under one configuration of `cluster`. Owned by the event loop."""

    link: Link

    def __init__(
        self,
        gateway: Gateway,
        limiter: SharedLimiter,
        config: Cluster,
        member: str,
        beat: float,
    ) -> None:
        """`member`: its name. `beat`: seconds between two signs of life."""
        self.gateway = gateway
        self.limiter = limiter
        self.config = config
        self.member = member
        self.ledger = ""
        """What its ledger is known by: tells a member that began anew from another one."""
        self.beat = beat
        self.members = Members(member)
        self.offset = Offset()
        self.names = Names({})
        self.state = "away"
        """`away`, `folding` or `up`."""
        self.tried = asyncio.Event()
        """The first connection is there, or did not come to be."""
        self.asks = False
        """This connection's fold is done: the server can be asked."""

    def rename(self, member: str) -> None:
        """Its name is another one from now on."""
        self.member = member
        self.members.rename(member)

    def now(self) -> float:
        return self.gateway.clock()

    def server_now(self) -> float:
        return self.gateway.clock() + self.offset.seconds

    def our_time(self, microseconds: int) -> float:
        """Of a moment of the server's; 0 stays 0: there is none."""
        return microseconds / 1e6 - self.offset.seconds if microseconds else 0.0

    def warn(self, message: str) -> None:
        self.gateway.event("degraded", "cluster", message)

    async def ask(self, op: Op) -> Any:
        """What the server says to one operation. Raises Away."""
        future = asyncio.get_running_loop().create_future()
        self.link.put(op, future)
        return await future
