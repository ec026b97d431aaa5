"""NO_PROXY: which hosts are reached without an outbound proxy.

The grammar that curl and requests share: entries between commas or spaces; a name stands for
itself and all names below it, with or without a dot before it; an address for itself,
`10.0.0.0/8` for a network; `name:port` for that port only; `*` for everything. Where the
two differ, it is curl's way: names end at a dot (`ample.com` is not `example.com`), and
`.example.com` holds `example.com`, too.
"""

import ipaddress
import re
from collections.abc import Iterable

from llm_gateway.frozen import frozen

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address


@frozen
class NoProxy:
    everything: bool = False
    names: frozenset[tuple[str, int]] = frozenset()
    """With the port, or 0 for all of them."""
    networks: tuple[tuple[Network, int], ...] = ()

    def holds(self, host: str, port: int) -> bool:
        """Is this host, as a request names it, reached directly?"""
        if self.everything:
            return True
        host = _ascii(host.lower()).rstrip(".")
        address = as_address(host)
        if address is not None:
            return any(
                address in network and own in (0, port)
                for network, own in self.networks
            )
        labels = host.split(".")
        for start in range(len(labels)):
            name = ".".join(labels[start:])
            if (name, 0) in self.names or (name, port) in self.names:
                return True
        return False


NOTHING = NoProxy()


def as_address(host: str) -> Address | None:
    try:
        found = ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return None
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped:
        return found.ipv4_mapped
    return found


def parse_no_proxy(text: str) -> NoProxy:
    """What cannot be read is left out, as everybody does who reads this variable."""
    return no_proxy(re.split(r"[\s,]+", text.strip()))


def no_proxy(entries: Iterable[str]) -> NoProxy:
    names: set[tuple[str, int]] = set()
    networks: list[tuple[Network, int]] = []
    everything = False
    for entry in entries:
        host, port = _split(entry.lower())
        if host == "*":
            everything = True
        elif (network := _as_network(host)) is not None:
            networks.append((network, port))
        elif name := host.removeprefix("*").strip("."):
            names.add((_ascii(name), port))
    return NoProxy(everything, frozenset(names), tuple(networks))


def _ascii(name: str) -> str:
    """`bücher.test` as it goes over the wire; what cannot be spelled so stays."""
    if name.isascii():
        return name
    try:
        return name.encode("idna").decode("ascii")
    except UnicodeError:
        return name


def _split(entry: str) -> tuple[str, int]:
    """`host:port`; an IPv6 address has a port only after its brackets."""
    found = re.fullmatch(r"(\[[^\]]*\](?:/\d+)?|[^:\[\]]*):(\d{1,5})", entry)
    host, port = (found[1], int(found[2])) if found else (entry, 0)
    return host.replace("[", "").replace("]", ""), port


def _as_network(text: str) -> Network | None:
    try:
        found = ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None
    if isinstance(found, ipaddress.IPv6Network) and (
        mapped := found.network_address.ipv4_mapped
    ):
        return ipaddress.ip_network(
            f"{mapped}/{max(found.prefixlen - 96, 0)}", strict=False
        )
    return found
