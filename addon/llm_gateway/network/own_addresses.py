"""Is a host this very machine, whatever name or address it is given? Has it a way out at all?"""

import socket
from typing import Any

from llm_gateway.config.addresses import is_here

_OUTSIDE = (
    (socket.AF_INET, ("1.1.1.1", 9)),
    (socket.AF_INET6, ("2606:4700:4700::1111", 9)),
)
"""Any addresses that are nobody's at home."""


def has_network() -> bool:
    """Does the kernel know a way to the world? Asks its table only: nothing is sent."""
    for family, address in _OUTSIDE:
        try:
            with socket.socket(family, socket.SOCK_DGRAM) as probe:
                probe.connect(address)
        except OSError:
            continue
        return True
    return False


def is_this_machine(host: str) -> bool:
    """`localhost`, `::1`, an address of an interface, this machine's own name, and a name
    that leads to one of them. Blocks: it resolves."""
    if is_here(host) or host.lower() == socket.gethostname().lower():
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
