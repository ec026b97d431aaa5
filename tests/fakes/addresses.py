"""A resolver for a gateway under test, loaded beside it: TEST_ADDRESSES, a JSON object, says
which addresses a name has. `[]`: it has none. Names asked for are appended to TEST_ASKED.
While the file TEST_OFFLINE is there, the machine has no way to the world."""

import asyncio
import json
import os
import socket
from typing import Any

from llm_gateway.network import own_addresses

_getaddrinfo: Any = asyncio.BaseEventLoop.getaddrinfo


async def getaddrinfo(
    self: Any, host: Any, port: Any, *args: Any, **more: Any
) -> list[Any]:
    if asked := os.environ.get("TEST_ASKED"):
        with open(asked, "a") as file:
            print(host, file=file)
    known = json.loads(os.environ["TEST_ADDRESSES"])
    if host not in known:
        return await _getaddrinfo(self, host, port, *args, **more)
    if not known[host]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
    return [
        (socket.AF_INET6, socket.SOCK_STREAM, 6, "", (address, port, 0, 0))
        if ":" in address
        else (socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))
        for address in known[host]
    ]


def load(loader: object) -> None:
    asyncio.BaseEventLoop.getaddrinfo = getaddrinfo  # type: ignore[method-assign]
    if offline := os.environ.get("TEST_OFFLINE"):
        own_addresses.has_network = lambda: not os.path.exists(offline)
