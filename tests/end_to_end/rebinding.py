"""A resolver for a gateway under test: names whose addresses are not what they seem."""

import socket
from collections import Counter
from typing import Any

ADDRESSES = {
    "tunnel.test": (("127.0.0.2",), ("127.0.0.1",)),
    "plain.test": (("127.0.0.2",), ("127.0.0.1",)),
    "inside.test": (("10.1.2.3",),),
    "mixed.test": (("203.0.113.1", "127.0.0.1"),),
    "gone.test": ((), ("127.0.0.1",)),
}
"""By name: what is answered the first time, and each time after."""

_asked: Counter[str] = Counter()
_getaddrinfo: Any = socket.getaddrinfo


def getaddrinfo(host: Any, port: Any, *args: Any, **more: Any) -> list[Any]:
    if host not in ADDRESSES:
        found: list[Any] = _getaddrinfo(host, port, *args, **more)
        return found
    answers = ADDRESSES[host]
    addresses = answers[min(_asked[host], len(answers) - 1)]
    _asked[host] += 1
    if not addresses:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
    return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (a, port)) for a in addresses]


def load(loader: object) -> None:
    socket.getaddrinfo = getaddrinfo
