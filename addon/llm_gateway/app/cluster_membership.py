"""Joins and leaves a cluster as the configuration says; loads nothing of it without one.

What lives here: `ClusterMembership`. The limiter that is alone hands its counters to one
that shares them, and back. What this file does not know: requests, the server.
"""

import asyncio
import re
import socket
from pathlib import Path
from typing import Any

from llm_gateway import __version__
from llm_gateway.app.state import AppState
from llm_gateway.config.models import Cluster
from llm_gateway.providers import token_store
from llm_gateway.providers.catalog import Catalog


class ClusterMembership:
    """Follows `cluster` of the configuration. On the event loop from `start` on."""

    def __init__(self, runtime: AppState, home: Path) -> None:
        self.runtime = runtime
        self.home = home
        self._active: Cluster | None = None
        self._running = False
        self._following: asyncio.Task[None] | None = None

    def start(self) -> None:
        """The port is known now: join, where the configuration says so."""
        self._running = True
        self.runtime.on_config_change.append(self._follow)
        self._follow(self.runtime.catalog)

    def stop(self) -> None:
        self._running = False
        if self.runtime.cluster is not None:
            self.runtime.cluster.stop()

    def _follow(self, catalog: Catalog) -> None:
        if not self._running:
            return
        runtime, wanted = self.runtime, catalog.config.cluster
        if wanted == self._active:
            if runtime.cluster is not None:
                loop = asyncio.get_running_loop()
                work = runtime.cluster.catalog_changed()
                self._following = loop.create_task(work, name="cluster limits")
            return
        self._active = wanted
        if runtime.cluster is not None:
            runtime.cluster.stop()
            runtime.cluster = None
        if wanted is not None:
            self._join(wanted)
        else:
            from llm_gateway.limits.shared import SharedLimiter

            if isinstance(runtime.limiter, SharedLimiter):
                runtime.limiter = runtime.limiter.hand_over()

    def _join(self, wanted: Cluster) -> None:
        from llm_gateway.cluster.service import ClusterService
        from llm_gateway.limits.shared import SharedLimiter

        runtime = self.runtime
        limiter = runtime.limiter
        if not isinstance(limiter, SharedLimiter):
            shared = SharedLimiter()
            shared.take_over(limiter)
            runtime.limiter = limiter = shared
        member = wanted.member or usual_name(socket.gethostname(), runtime.port)
        runtime.cluster = ClusterService(
            runtime, limiter, wanted, member, login=self._login, about=self._about
        )
        runtime.cluster.start()

    def _login(self, provider: str) -> str:
        found = token_store.read(self.home, provider)
        return found.get_secret_value() if found is not None else ""

    def _about(self) -> dict[str, Any]:
        runtime = self.runtime
        return {
            "version": __version__,
            "host": socket.gethostname(),
            "port": runtime.port,
            "in_flight": runtime.in_flight,
            "revision": runtime.catalog.revision,
            "degraded": len(runtime.store.degraded) + len(runtime.way_out.degraded),
        }


def usual_name(host: str, port: int) -> str:
    """Of a member that has none: its machine's and its port, in the letters of a name."""
    found = re.sub(r"[^A-Za-z0-9._-]", "-", host)[:50].lstrip("._-")
    return f"{found or 'gateway'}:{port}"
