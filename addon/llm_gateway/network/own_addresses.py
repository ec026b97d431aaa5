"""Is a host this very machine, whatever name or address it is given? Blocks: it resolves."""

import socket
from typing import Any

from llm_gateway.config.addresses import is_here


def is_this_machine(host: str) -> bool:
    """`localhost`, `::1`, an address of an interface, a name that leads to one of them."""
    if is_here(host):
        return True
    try:
        found = socket.getaddrinfo(host, 0, type=socket.SOCK_DGRAM)
    except (OSError, UnicodeError):
        return False
    return any(is_here(str(a[0])) or _is_bindable(f, a) for f, _, _, _, a in found)


def _is_bindable(family: socket.AddressFamily, sockaddr: tuple[Any, ...]) -> bool:
    """Only an address of this machine can be bound; nothing is sent."""
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.bind(sockaddr)
    except OSError:
        return False
    return True
