"""Graceful shutdown on SIGTERM: running requests finish, new ones get 503, then the end.

What lives here: the signals. The first SIGTERM drains, for a bounded time; a second one,
or SIGINT, ends at once. Either way what is still open is settled and the clients'
connections are closed before mitmproxy ends. What this file does not know: requests; it
waits for their number to be zero.
"""

import asyncio
import logging
import signal
from typing import Any

from llm_gateway.app.state import AppState

logger = logging.getLogger("llm_gateway")

DRAIN_SECONDS = 25.0
"""Seconds that running requests may still take."""
DRAIN_POLL_SECONDS = 0.05
CLOSED_WITHIN = 1.0
"""Seconds in which the last bytes are sent to clients that take them."""


class GracefulShutdown:
    def __init__(self, runtime: AppState, master: Any) -> None:
        self.runtime = runtime
        self.master = master
        self._waiting: asyncio.Task[None] | None = None

    def install(self) -> None:
        """Replace mitmdump's own handlers, which cut live streams."""
        loop = asyncio.get_running_loop()
        try:
            loop.add_signal_handler(signal.SIGTERM, self._terminated)
            loop.add_signal_handler(signal.SIGINT, self._at_once)
        except (NotImplementedError, RuntimeError, ValueError):
            logger.debug("No signal handlers here: every signal ends at once.")

    def _terminated(self) -> None:
        if self.runtime.draining:
            logger.warning("Second signal: ending at once.")
            self._at_once()
            return
        self.runtime.draining = True
        self.runtime.state_dirty = True
        logger.info("Draining: %d requests are running.", self.runtime.in_flight)
        self._begin(self._wait(), "drain")

    def _at_once(self) -> None:
        self.runtime.draining = True
        if self._waiting is not None:
            self._waiting.cancel()
        self._begin(self._end(), "end")

    def _begin(self, work: Any, name: str) -> None:
        loop = asyncio.get_running_loop()
        self._waiting = loop.create_task(work, name=name)

    async def _wait(self) -> None:
        loop = asyncio.get_running_loop()
        until = loop.time() + DRAIN_SECONDS
        while self.runtime.in_flight and loop.time() < until:
            await asyncio.sleep(DRAIN_POLL_SECONDS)
        if self.runtime.in_flight:
            logger.warning("%d requests are cut off.", self.runtime.in_flight)
        await self._last_hooks()
        await self._end()

    async def _end(self) -> None:
        """Settle what is open, say goodbye to the clients, end."""
        for settle in self.runtime.on_shutdown:
            settle()
        if self.runtime.cluster is not None:
            await self.runtime.cluster.flush(CLOSED_WITHIN)
        proxy = self.master.addons.get("proxyserver")
        for handler in tuple(proxy.connections.values()):
            io = handler.transports.get(handler.client)
            if io is not None and io.writer is not None:
                # What was written before is sent before it closes.
                io.writer.close()
        loop = asyncio.get_running_loop()
        until = loop.time() + CLOSED_WITHIN
        while proxy.connections and loop.time() < until:
            await asyncio.sleep(DRAIN_POLL_SECONDS)
        self.master.shutdown()

    async def _last_hooks(self) -> None:
        """A request is settled in its last hook; the end of its answer is written after it.

        With 50 streams that end together, 50 settlements come before the first of the
        ends. Each is written by the task that carries its hook.
        """
        hooks = {task for task in asyncio.all_tasks() if "_hook(" in task.get_name()}
        if hooks:
            await asyncio.wait(hooks, timeout=CLOSED_WITHIN)
