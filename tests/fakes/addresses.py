"""A resolver for a gateway under test, loaded beside it: TEST_ADDRESSES, a JSON object, says
which addresses a name has. `[]`: it has none; `null`: no name server ever answers. Names
asked for are appended to TEST_ASKED. While the file TEST_OFFLINE is there, the machine has no
way to the world."""

import json
import os
import socket
import threading
from typing import Any

from llm_gateway.network import own_addresses

_getaddrinfo: Any = socket.getaddrinfo


def getaddrinfo(host: Any, port: Any, *args: Any, **more: Any) -> list[Any]:
    if asked := os.environ.get("TEST_ASKED"):
        with open(asked, "a") as file:
            print(host, file=file)
    known = json.loads(os.environ["TEST_ADDRESSES"])
    if host not in known:
        found: list[Any] = _getaddrinfo(host, port, *args, **more)
        return found
    if known[host] is None:
        threading.Event().wait()
    if not known[host]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
    return [
        (socket.AF_INET6, socket.SOCK_STREAM, 6, "", (address, port, 0, 0))
        if ":" in address
        else (socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))
        for address in known[host]
    ]


def load(loader: object) -> None:
    socket.getaddrinfo = getaddrinfo
    if offline := os.environ.get("TEST_OFFLINE"):
        own_addresses.has_network = lambda: not os.path.exists(offline)
