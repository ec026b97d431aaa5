"""What the faults of a server cost its members: five of them serve on under a steady load while
it is killed, emptied, stopped, cut off, slow, full, or another one takes its place. Nobody waits
longer than the timeout, no event loop stands still, and in the end the limit was used up exactly.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from fakes.counter_server import CounterServer
from fakes.cut_wire import CutWire

from llm_gateway.domain import Charge

from .inside import Inside, Member, provider, until
from .stalls import Stalls
from .test_members import in_step, storm

pytestmark = [pytest.mark.process, pytest.mark.chaos, pytest.mark.timeout(600)]
FIVE = ("m0", "m1", "m2", "m3", "m4")
STALL = 0.05
TIMEOUT = 1.0
NEED = Charge(1, 30, 0)
CLIENTS = 4
"""Of each member, all the time."""
PAUSE = 0.1
"""Seconds between two requests of a client."""
MOST = 6000
"""Requests of the limit: more than are asked for while a fault lasts."""


class Stage:
    """A server behind a wire, a second one, and members with their clients."""

    def __init__(
        self, first: CounterServer, second: CounterServer, wire: CutWire
    ) -> None:
        self.first, self.second, self.wire = first, second, wire
        self.members: list[Member] = []
        self.over = False
        self.longest_wait = 0.0
        self.granted = self.refused = 0
        self.stalls = Stalls()

    async def client(self, member: Member) -> None:
        """One request after the other, until it is over."""
        while not self.over:
            began = time.perf_counter()
            held = await member.take(NEED)
            self.longest_wait = max(self.longest_wait, time.perf_counter() - began)
            if held is None:
                self.refused += 1
            else:
                self.granted += 1
                member.settle(held, NEED)
            await asyncio.sleep(PAUSE)

    @asynccontextmanager
    async def clients(self) -> AsyncIterator[None]:
        loop = asyncio.get_running_loop()
        tasks = [
            loop.create_task(self.client(member))
            for member in self.members
            for _ in range(CLIENTS)
        ]
        try:
            yield
        finally:
            self.over = True
            await asyncio.gather(*tasks)

    async def all_are(self, state: str) -> None:
        await until(lambda: all(m.service.state == state for m in self.members), 60)


async def killed(stage: Stage) -> None:
    """And is back after a while with all that it knew."""
    stage.first.kill()
    await stage.all_are("away")
    await asyncio.sleep(2)
    await asyncio.to_thread(stage.first.start)


async def emptied(stage: Stage) -> None:
    """Killed, and is back at once, and knows nothing."""
    await asyncio.to_thread(stage.first.client.config_set, "appendonly", "no")
    stage.first.kill()
    for file in stage.first.folder.rglob("*.*"):
        file.unlink()
    await asyncio.to_thread(stage.first.start)


async def flushed(stage: Stage) -> None:
    for _ in range(3):
        await asyncio.to_thread(stage.first.client.flushall)
        await asyncio.sleep(0.5)


async def stopped(stage: Stage) -> None:
    """SIGSTOP: connections are there, and nobody answers."""
    stage.first.pause()
    try:
        await stage.all_are("away")
        await asyncio.sleep(20)
    finally:
        stage.first.resume()


async def cut(stage: Stage) -> None:
    """What is sent vanishes."""
    stage.wire.drops = True
    await stage.all_are("away")
    await asyncio.sleep(2)
    stage.wire.drops = False
    stage.wire.hang_up()


async def slow(stage: Stage) -> None:
    stage.wire.delay = 0.05
    await asyncio.sleep(3)
    stage.wire.delay = 0.0


async def very_slow(stage: Stage) -> None:
    """Nine tenths of the timeout for each answer."""
    stage.wire.delay = 0.9 * TIMEOUT
    await asyncio.sleep(6)
    stage.wire.delay = 0.0


async def full(stage: Stage) -> None:
    client = stage.first.client
    await asyncio.to_thread(client.config_set, "maxmemory", "1mb")
    await stage.all_are("away")
    await asyncio.sleep(2)
    await asyncio.to_thread(client.config_set, "maxmemory", "0")


async def failed_over(stage: Stage) -> None:
    """The first is killed, its replica takes its place with what it has."""
    replica = stage.second.client
    await asyncio.to_thread(replica.replicaof, "127.0.0.1", stage.first.port)
    while not await asyncio.to_thread(in_step, stage.first, stage.second):
        await asyncio.sleep(0.01)
    stage.wire.target = stage.second.port
    stage.first.kill()
    stage.wire.hang_up()
    await asyncio.sleep(0.5)
    await asyncio.to_thread(replica.replicaof, "NO", "ONE")


Fault = Callable[[Stage], Awaitable[None]]
FAULTS: list[Fault] = [
    killed,
    emptied,
    flushed,
    stopped,
    cut,
    slow,
    very_slow,
    full,
    failed_over,
]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
async def test_what_a_fault_costs(fault: Fault, tmp_path: Path) -> None:
    with (
        CounterServer(
            tmp_path / "first", "--repl-diskless-sync-delay", "0", keep=True
        ) as first,
        CounterServer(tmp_path / "second") as second,
        CutWire(first.port) as wire,
    ):
        stage = Stage(first, second, wire)
        async with Inside(
            tmp_path,
            provider(limits={"requestsPerDay": MOST}),
            f"redis://127.0.0.1:{wire.port}",
            *FIVE,
            cluster={"timeoutSeconds": TIMEOUT},
        ) as members:
            stage.members = members
            async with stage.stalls as stalls, stage.clients():
                await asyncio.sleep(0.5)
                await fault(stage)
                await stage.all_are("up")
                await asyncio.sleep(0.5)
            assert stage.granted < MOST  # or nothing was shown
            left = MOST - stage.granted
            while got := await storm(members, 100):
                left -= len(got)
            print(
                f"\n{fault.__name__}: longest wait {stage.longest_wait * 1e3:.0f} ms,"
                f" {stage.granted} granted, {stage.refused} refused meanwhile;"
                f" longest turn: {stalls.worst}; slowest: {stalls.slowest}"
            )
            assert left == 0
            assert stage.longest_wait < TIMEOUT + 0.5  # and a busy machine
            assert stalls.longest < STALL, stalls.worst
