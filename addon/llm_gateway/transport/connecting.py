"""How mitmproxy's upstream connections are opened: our opener in place of asyncio's.

mitmproxy opens every upstream connection, tunnels included, by `asyncio.open_connection`
in one module. There, and only there, that name leads here: a name with several addresses
is tried at all of them (network/happy_eyeballs.py).
"""

import asyncio
import types
from typing import Any, cast

from mitmproxy.proxy import server as mitmproxy_server

from llm_gateway.network.happy_eyeballs import HappyEyeballs, Streams

eyeballs = HappyEyeballs(lambda: asyncio.get_running_loop().time())
"""One memory of living addresses for all that the gateway opens."""


async def open_connection(
    host: str, port: int, *, local_addr: tuple[str, int] | None = None
) -> Streams:
    """Raises OSError."""
    return await eyeballs.open(host, port, local_addr=local_addr)


def install() -> None:
    """From now on, once per process."""
    ours = types.ModuleType("asyncio", asyncio.__doc__)
    ours.__dict__.update(asyncio.__dict__, open_connection=open_connection)
    cast(Any, mitmproxy_server).asyncio = ours
