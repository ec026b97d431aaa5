"""Happy eyeballs (RFC 8305): TCP to a name with several addresses, dead ones among them.

What lives here: `HappyEyeballs.open`, in place of `asyncio.open_connection`. Addresses are tried
in the resolver's order, families in turn, the next one 250 ms after the one before it or as
soon as that has failed; the first to answer wins and is remembered for ten minutes, so
that a dead IPv6 costs a quarter of a second once. asyncio has this in its own loop only
(`happy_eyeballs_delay`; uvloop knows no such thing) and remembers nothing.

What this file does not know: TLS, proxies, who is connected to and why.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from itertools import zip_longest

from llm_gateway.network.resolver import resolve

DELAY = 0.25
"""Seconds that an address has for itself."""
REMEMBERED_SECONDS = 600.0
REMEMBERED = 256
"""Names whose living address is remembered."""

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Connect = Callable[[str], Awaitable[Streams]]
"""Opens a connection to one address."""


def in_turn(addresses: Sequence[str], first: str | None = None) -> list[str]:
    """Each address once: families in turn, that of the resolver's first word first; and
    before all of them the one that answered last time."""
    ordered = list(dict.fromkeys(addresses))
    if not ordered:
        return []
    six = ":" in ordered[0]
    preferred = [a for a in ordered if (":" in a) is six]
    others = [a for a in ordered if (":" in a) is not six]
    woven = [a for pair in zip_longest(preferred, others) for a in pair if a]
    if first in woven:
        woven.remove(first)
        woven.insert(0, first)
    return woven


async def race(
    addresses: Sequence[str],
    connect: Connect,
    delay: float = DELAY,
    final: type[OSError] | tuple[()] = (),
) -> tuple[str, Streams]:
    """The first address that answers, and the connection. Raises OSError: what the first
    one failed of, or one that is `final` for all of them. All others are closed."""
    if len(addresses) == 1:
        return addresses[0], await connect(addresses[0])
    running: dict[asyncio.Future[Streams], str] = {}
    failed: dict[str, OSError] = {}
    todo = list(addresses)
    try:
        while todo or running:
            if todo:
                address = todo.pop(0)
                running[asyncio.ensure_future(connect(address))] = address
            done, _ = await asyncio.wait(
                running,
                timeout=delay if todo else None,
                return_when=asyncio.FIRST_COMPLETED,
            )
            for task in done:
                address = running[task]
                error = task.exception()
                if error is None:
                    del running[task]
                    return address, task.result()
                del running[task]
                if not isinstance(error, OSError) or isinstance(error, final):
                    raise error
                failed[address] = error
        raise failed[addresses[0]]
    finally:
        for task in running:
            task.cancel()
            task.add_done_callback(_close_late)


def _close_late(task: "asyncio.Future[Streams]") -> None:
    """One that lost the race and connected all the same."""
    with suppress(asyncio.CancelledError, OSError):
        task.result()[1].close()


class HappyEyeballs:
    """Opens connections, and remembers which of a name's addresses answered."""

    def __init__(self, now: Callable[[], float]) -> None:
        self.now = now
        self._answered: OrderedDict[tuple[str, int, str], tuple[str, float]] = (
            OrderedDict()
        )

    async def open(
        self,
        host: str,
        port: int,
        *,
        addresses: Sequence[str] = (),
        local_addr: tuple[str, int] | None = None,
    ) -> Streams:
        """A connection to `host`, of which `addresses` are known already. Raises OSError."""

        async def connect(address: str) -> Streams:
            return await asyncio.open_connection(address, port, local_addr=local_addr)

        found = addresses or await resolve(host, port)
        return await self.first_to_answer(host, port, found, connect)

    async def first_to_answer(
        self,
        host: str,
        port: int,
        addresses: Sequence[str],
        connect: Connect,
        *,
        via: str = "",
        delay: float = DELAY,
        final: type[OSError] | tuple[()] = (),
    ) -> Streams:
        """A connection to one of the host's addresses, by a way of its own (`via`), by
        which another address may be the one that answers. Raises OSError."""
        if len(addresses) == 1:
            return await connect(addresses[0])
        last = self.remembered(host, port, via)
        answered, streams = await race(in_turn(addresses, last), connect, delay, final)
        self.remember(host, port, answered, via)
        return streams

    async def living_address(self, host: str, port: int) -> str:
        """For who opens connections by themselves. Where a name has several, they are
        tried, and the one that answered is remembered. Raises OSError."""
        found = await self.resolve(host, port)
        if len(found) == 1:
            return found[0]
        last = self.remembered(host, port)
        if last is not None and last in found:
            return last
        _, writer = await self.open(host, port, addresses=found)
        writer.close()
        return self.remembered(host, port) or found[0]

    async def resolve(self, host: str, port: int) -> tuple[str, ...]:
        """Addresses; an address is its own. Raises OSError."""
        return await resolve(host, port)

    def remembered(self, host: str, port: int, via: str = "") -> str | None:
        address, until = self._answered.get((host, port, via), (None, 0.0))
        return address if self.now() < until else None

    def remember(self, host: str, port: int, address: str, via: str = "") -> None:
        key = host, port, via
        self._answered[key] = address, self.now() + REMEMBERED_SECONDS
        self._answered.move_to_end(key)
        if len(self._answered) > REMEMBERED:
            self._answered.popitem(last=False)

    def forget(self) -> None:
        """The network is another one."""
        self._answered.clear()
