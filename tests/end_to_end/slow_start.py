"""A further script for mitmdump: the start goes on only when a client is there."""

import asyncio

from mitmproxy import ctx

LATER = 0.1
"""Seconds in which that client gets as far as it gets."""


class SlowStart:
    async def running(self) -> None:
        proxy = ctx.master.addons.get("proxyserver")
        while not len(proxy.connections):
            await asyncio.sleep(0.001)
        await asyncio.sleep(LATER)


class First:
    """Before all other add-ons, the gateway included."""

    def load(self, loader: object) -> None:
        ctx.master.addons.chain.insert(0, SlowStart())


addons = [First()]
