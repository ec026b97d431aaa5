"""Inside addresses: this machine, its network, cloud metadata (SSRF protection).

What lives here: how far an address reaches (`reach_of`), whatever its spelling, and what
a host name resolves to. What this file does not know: who may go where (pipeline/destinations.py).
"""

import ipaddress
import re
import socket
from enum import IntEnum
from functools import lru_cache

from llm_gateway.config.urls import is_loopback

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Reach(IntEnum):
    """Where a connection to an address ends. The larger, the closer to home."""

    OUTSIDE = 0
    NETWORK = 1
    """Private: RFC 1918, shared address space (CGNAT), unique local, multicast."""
    MACHINE = 2
    """This machine, its links, and what a cloud tells a machine about itself."""


METADATA = frozenset(
    map(
        ipaddress.ip_address,
        (
            "169.254.169.254",  # most clouds; it is link-local anyway
            "100.100.100.200",  # Alibaba
            "192.0.0.192",  # Oracle
            "168.63.129.16",  # Azure
            "fd00:ec2::254",  # AWS
            "fd20:ce::254",  # Google
        ),
    )
)
_NETWORK = tuple(
    map(
        ipaddress.ip_network,
        (
            "10.0.0.0/8",
            "172.16.0.0/12",
            "192.168.0.0/16",
            "100.64.0.0/10",
            "192.0.0.0/24",
            "224.0.0.0/4",
            "255.255.255.255/32",
            "fc00::/7",
            "fec0::/10",
            "ff00::/8",
        ),
    )
)
_MACHINE = tuple(map(ipaddress.ip_network, ("0.0.0.0/8", "127.0.0.0/8")))
_CARRIES_IPV4 = (
    (ipaddress.IPv6Network("::/96"), 0),
    (ipaddress.IPv6Network("::ffff:0:0/96"), 0),
    (ipaddress.IPv6Network("::ffff:0:0:0/96"), 0),
    (ipaddress.IPv6Network("64:ff9b::/96"), 0),
    (ipaddress.IPv6Network("64:ff9b:1::/48"), 0),
    (ipaddress.IPv6Network("2002::/16"), 80),
)
"""Networks whose addresses hold an IPv4 address, so many bits from the right."""


def parsed(text: str) -> Address | None:
    """An address as `ipaddress` reads it, without zone; None: it is a name, or a spelling
    that only a resolver understands (`127.1`, `0x7f000001`)."""
    try:
        return ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None


_NUMBERS = re.compile(r"(?:0x[0-9a-f]*|[0-9]+)(?:\.(?:0x[0-9a-f]*|[0-9]+)){0,3}", re.I)


def as_resolvers_read(host: str) -> str:
    """`127.1`, `0x7f000001`, `0177.0.0.1`, `127.0.0.1.` as the address that every resolver
    takes them for; anything else as it is. Asks nobody."""
    numbers = host.rstrip(".")
    if _NUMBERS.fullmatch(numbers) is None:
        return host
    try:
        return socket.inet_ntoa(socket.inet_aton(numbers))
    except OSError:
        return host


@lru_cache(maxsize=512)
def reach_of(text: str) -> Reach:
    """How far an address reaches; a name is OUTSIDE until it is resolved."""
    address = parsed(text)
    return Reach.OUTSIDE if address is None else _reach(address)


def _reach(address: Address) -> Reach:
    if (
        address.is_loopback
        or address.is_link_local
        or address.is_unspecified
        or address in METADATA
        or any(address in network for network in _MACHINE)
    ):
        return Reach.MACHINE
    if isinstance(address, ipaddress.IPv6Address):
        for network, shift in _CARRIES_IPV4:
            if address in network:
                inner = ipaddress.IPv4Address((int(address) >> shift) & 0xFFFFFFFF)
                return max(_reach(inner), Reach.OUTSIDE)
    if any(address in network for network in _NETWORK):
        return Reach.NETWORK
    return Reach.OUTSIDE


@lru_cache(maxsize=256)
def is_here(host: str) -> bool:
    """This machine, by name or address."""
    return is_loopback(host) or reach_of(host) is Reach.MACHINE


def best(addresses: tuple[str, ...]) -> str:
    """The one to connect to, since one has to do: IPv4 where there is a way to it.

    addresses: at least one.
    """
    older = next((a for a in addresses if ":" not in a), None)
    return older if older is not None and _has_route(older) else addresses[0]


def _has_route(address: str) -> bool:
    """Asks the kernel's table only: nothing is sent."""
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.connect((address, 9))
    except OSError:
        return False
    return True
