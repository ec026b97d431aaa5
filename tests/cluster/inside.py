"""Members without a gateway around them: the real service, limiter and ledger, in one loop.

async with Inside(folder, config, url, "a", "b") as (a, b):
    reservation = await a.take(model)     # None: refused
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Any

from providers.sending import catalog_of

from llm_gateway.cluster.service import ClusterService
from llm_gateway.config.models import Cluster
from llm_gateway.domain import Charge
from llm_gateway.ledger.store import Store
from llm_gateway.ledger.write_queue import LARGEST_BACKLOG
from llm_gateway.limits.limiter import LimitRefusal
from llm_gateway.limits.shared import SharedLimiter
from llm_gateway.limits.values import Reservation, scopes_of
from llm_gateway.providers.catalog import Catalog
from llm_gateway.routing.health import HealthTracker

BEAT = 0.1
"""Seconds between two signs of life: nobody here waits for a whole one."""


@cache
def empty_ledger() -> bytes:
    """Made once: each of its tables is a wait for the disk."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "usage.db"
        store = Store(path, clock=time.time)
        store.start()
        store.close()
        return path.read_bytes()


def provider(**more: Any) -> dict[str, Any]:
    return {
        "id": "p",
        "type": "openai-compatible",
        "baseURL": "https://p.example/v1",
        "apiKey": "sk-p",
        "models": [{"name": "m"}],
        **more,
    }


class Member:
    """What a service needs of its gateway, and what a gateway does with it."""

    def __init__(
        self,
        folder: Path,
        catalog: Catalog,
        url: str,
        name: str,
        clock: Callable[[], float],
        server_clock: Callable[[], float] | None,
        more: dict[str, Any],
        beat: float = BEAT,
        backlog: int = LARGEST_BACKLOG,
        fresh: bool = False,
    ) -> None:
        """`fresh`: its ledger is its own, and no copy of the others'."""
        self.catalog = catalog
        self.health = HealthTracker()
        file = folder / f"{name}.db"
        if not fresh:
            file.write_bytes(empty_ledger())
        self.store = Store(file, clock=clock, largest_backlog=backlog)
        self.store.start()
        self.state_dirty = False
        self.clock = clock
        self.events: list[str] = []
        self.limiter = SharedLimiter()
        self.limiter.replay([], tuple(catalog.limits()), clock())
        config = Cluster.model_validate({"url": url, "member": name, **more})
        self.service = ClusterService(
            *(self, self.limiter, config, name),
            login=lambda provider: "",
            beat=beat,
        )
        if server_clock is not None:
            header = self.service.link.header
            self.service.link.header = lambda: (
                header() | {"now": round(server_clock() * 1e6)}
            )
        self.serial = 0
        self.name = name

    def event(self, kind: str, subject: str, message: str, **detail: object) -> None:
        self.events.append(f"{kind} {subject}: {message}")

    async def take(
        self, need: Charge, client: str | None = None, *, zero_cost: bool = True
    ) -> Reservation | None:
        """As a request does it: the engine, then the last word of the cluster."""
        [offer] = self.catalog.offers
        limits = self.catalog.limits_for(offer, client)
        scopes = scopes_of(*offer.key, client)
        asked = False
        for _ in range(3):
            self.serial += 1
            found = self.limiter.reserve(
                limits,
                need,
                self.clock(),
                scopes=scopes,
                id=f"{self.name}-{self.serial}",
            )
            if isinstance(found, LimitRefusal):
                if asked or not await self.service.refresh():
                    return None
                asked = True
                continue
            said = await self.service.confirm(
                found, limits, scopes, zero_cost=zero_cost
            )
            if said == "granted":
                return found
            self.limiter.release(found, self.clock())
        return None

    def clock_set(self, seconds: float, now: float) -> None:
        """As a gateway is told of it."""
        self.limiter.clock_set(seconds, now)
        self.service.offset.clock_set(seconds)

    async def change(self, catalog: Catalog) -> None:
        """Another configuration, as a reload brings it."""
        limits = tuple(catalog.limits())
        self.limiter.replay([], self.limiter.missing(limits), self.clock())
        self.limiter.forget_unused(limit.key for limit in limits)
        self.catalog = catalog
        await self.service.catalog_changed()

    def settle(self, held: Reservation, real: Charge) -> None:
        self.limiter.settle(held, real, self.clock())


class Inside:
    """Members with one configuration, up when the block begins."""

    def __init__(
        self,
        folder: Path,
        provider: dict[str, Any],
        url: str | Sequence[str],
        *names: str,
        clock: Callable[[], float] | Sequence[Callable[[], float]] = time.time,
        server_clock: Callable[[], float] | None = None,
        cluster: dict[str, Any] | None = None,
        backlog: int = LARGEST_BACKLOG,
        **config: Any,
    ) -> None:
        """`url`: of the server; or each member's own way to it. `clock`: likewise."""
        catalog = catalog_of(provider, **config)
        urls = [url] * len(names) if isinstance(url, str) else url
        clocks = [clock] * len(names) if callable(clock) else clock
        self.members = [
            Member(
                *(folder, catalog, way, name, own, server_clock, cluster or {}),
                backlog=backlog,
            )
            for name, way, own in zip(names, urls, clocks, strict=True)
        ]

    async def __aenter__(self) -> list[Member]:
        for one in self.members:
            one.service.start()
        await until(lambda: all(one.service.state == "up" for one in self.members))
        want = len(self.members)
        await until(
            lambda: all(len(one.service.members.all) >= want for one in self.members)
        )
        return self.members

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for one in self.members:
            one.service.stop()
        await asyncio.sleep(0)
        for one in self.members:
            one.store.close()


async def beaten(member: Member, times: int) -> None:
    """The server has heard of it so often from now on."""
    heard = {member.service.members.all[member.name].at}

    def often() -> bool:
        heard.add(member.service.members.all[member.name].at)
        return len(heard) > times

    await until(often)


async def until(condition: Callable[[], bool], seconds: float = 30.0) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.01)


async def all_look(members: Sequence[Member]) -> None:
    """What each has said is there, and each knows what the others said."""
    await asyncio.gather(*(one.service.ask(["look", []]) for one in members))
    for one in members:
        one.service.looks.look_anew()
    await asyncio.gather(*(one.service.looks.look() for one in members))
