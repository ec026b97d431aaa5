"""A further script for mitmdump: the start goes on only when clients are there.

How many: SLOW_START_CLIENTS, default 1.
"""

import asyncio
import os

from mitmproxy import ctx

LATER = 0.1
"""Seconds in which that client gets as far as it gets."""


class SlowStart:
    async def running(self) -> None:
        proxy = ctx.master.addons.get("proxyserver")
        while len(proxy.connections) < int(os.environ.get("SLOW_START_CLIENTS", 1)):
            await asyncio.sleep(0.001)
        await asyncio.sleep(LATER)


class First:
    """Before all other add-ons, the gateway included."""

    def load(self, loader: object) -> None:
        ctx.master.addons.chain.insert(0, SlowStart())


addons = [First()]
