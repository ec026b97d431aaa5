"""Clients that connect while the gateway starts: they wait, and are then served.

mitmproxy accepts connections before its add-ons run. `EarlyClients.wait` holds the
`client_connected` hook of such a client until the gateway is ready. By then the client
may have sent a request, or left. From Python 3.12 on mitmproxy's tasks are eager: the
one that reads from this client would read, answer and close before mitmproxy has noted
who reads, and fail for that. Here that task starts with the loop's next turn, for these
clients alone; the reader of any other client finds nothing to read at first.
"""

import asyncio
from typing import Any

from mitmproxy import connection, ctx


class EarlyClients:
    def __init__(self) -> None:
        self.ready = asyncio.Event()
        """Clients may come in."""

    async def wait(self, client: connection.Client) -> None:
        """Returns when the gateway is ready for this client."""
        await self.ready.wait()
        addons: Any = ctx.master.addons
        handler = addons.get("proxyserver").connections.get(client.id)
        if handler is not None:
            _read_later(handler)


def _read_later(handler: Any) -> None:
    """Let this handler's `handle_connection` begin when its caller knows its task."""
    handle_connection = handler.handle_connection

    async def later(of: connection.Connection) -> None:
        if of is handler.client:
            await asyncio.sleep(0)
        await handle_connection(of)

    handler.handle_connection = later
