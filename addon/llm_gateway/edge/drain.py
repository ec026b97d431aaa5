"""SIGTERM: running requests finish, new ones are told to come back, then the end.

What lives here: the two signals. The first drains, for a bounded time; the second ends
at once. What this file does not know: requests; it waits for their number to be zero.
"""

import asyncio
import logging
import signal
from typing import Any

from llm_gateway.edge.runtime import Runtime

logger = logging.getLogger("llm_gateway")

PATIENCE = 25.0
"""Seconds that running requests may still take."""
LOOK_EVERY = 0.05


class Drain:
    def __init__(self, runtime: Runtime, master: Any) -> None:
        self.runtime = runtime
        self.master = master
        self._waiting: asyncio.Task[None] | None = None

    def install(self) -> None:
        """Replace mitmdump's own handler, which cuts live streams."""
        loop = asyncio.get_running_loop()
        try:
            loop.add_signal_handler(signal.SIGTERM, self._signalled)
        except (NotImplementedError, RuntimeError, ValueError):
            logger.debug("No signal handlers here: SIGTERM ends at once.")

    def _signalled(self) -> None:
        if self.runtime.draining:
            logger.warning("Second signal: ending at once.")
            self.master.shutdown()
            return
        self.runtime.draining = True
        self.runtime.changed = True
        logger.info("Draining: %d requests are running.", self.runtime.in_flight)
        loop = asyncio.get_running_loop()
        self._waiting = loop.create_task(self._wait(), name="drain")

    async def _wait(self) -> None:
        loop = asyncio.get_running_loop()
        until = loop.time() + PATIENCE
        while self.runtime.in_flight and loop.time() < until:
            await asyncio.sleep(LOOK_EVERY)
        if self.runtime.in_flight:
            logger.warning("%d requests are cut off.", self.runtime.in_flight)
        else:
            # The last bytes are written after the last hook.
            await asyncio.sleep(LOOK_EVERY)
        self.master.shutdown()
