"""Where a provider lives: from the text of `baseURL` to an `Origin`, or a reason.

What lives here: the only parser of upstream addresses. It accepts little on purpose:
a key travels to what it returns, so a text that two parsers could read differently is
refused. What this file does not know: provider types, names' addresses (no DNS), keys.

A `ValueError` of this module is a clause that follows the address in a sentence:
"… has no host; write it like https://api.example.com/v1". It never repeats the
address, which may hold a password.
"""

import ipaddress
import re
from urllib.parse import urlsplit

from llm_gateway.domain import Origin

from ..dialects import SPECS

EXAMPLE = "write it like https://api.example.com/v1"
DEFAULT_PORTS = {"https": 443, "http": 80}
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
_PATH = re.compile(r"(?:[A-Za-z0-9._~!$&'()*+,;=:@/-]|%[0-9A-Fa-f]{2})*")
_HOUSE_SUFFIXES = (".local", ".lan", ".internal", ".home.arpa")


def parse_host(text: str) -> str:
    """A host name or IP address (IPv6 without brackets), lower case and ASCII.

    Raises:
        ValueError: it is neither; the text is what a message says after the key's name.
    """
    if not text.isascii():
        try:
            spelled = text.encode("idna").decode("ascii")
        except UnicodeError:
            raise ValueError(
                "has a host that is no name; write a name or an address"
            ) from None
        raise ValueError(f"has a host with other letters than ASCII; write {spelled}")
    host = text.lower()
    if ":" in host:
        try:
            address = ipaddress.IPv6Address(host)
        except ValueError:
            raise ValueError(
                "has a host that is no IPv6 address; write e.g. [::1]"
            ) from None
        if address.scope_id is not None:
            raise ValueError("has a zone in its address; leave the % part out")
        return host
    if host.endswith("."):
        raise ValueError("has a host that ends in a dot; leave the dot out")
    if len(host) > 253 or not all(_LABEL.fullmatch(part) for part in host.split(".")):
        raise ValueError("has a host that is no name; write a name or an address")
    if _NUMBER.fullmatch(host.rpartition(".")[2]):
        try:
            ipaddress.IPv4Address(host)
        except ValueError:
            raise ValueError(
                "has a host that is no IPv4 address; write four numbers, e.g. 127.0.0.1"
            ) from None
    return host


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        return address.ipv4_mapped
    return address


def is_loopback(host: str) -> bool:
    """This machine: localhost, *.localhost, 127.0.0.0/8 or ::1."""
    address = _address(host)
    if address is not None:
        return address.is_loopback
    return host == "localhost" or host.endswith(".localhost")


def is_private_host(host: str) -> bool:
    """This machine or its own network: private addresses, names without a public suffix."""
    address = _address(host)
    if address is not None:
        return address.is_private and not address.is_link_local
    return "." not in host or host.endswith((*_HOUSE_SUFFIXES, ".localhost"))


def parse_base_url(text: str, *, allow_private_http: bool = False) -> Origin:
    """What stands before the dialect's path. Raises `ValueError` with a reason.

    https everywhere; http to this machine, and with `allow_private_http` to its own
    network. The host is exactly what `urlsplit` sees.
    """
    if not text or any(not "!" <= ch <= "~" for ch in text if ch.isascii()):
        raise ValueError(f"is empty or has spaces or control characters; {EXAMPLE}")
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise ValueError(f"has no host and port that can be read; {EXAMPLE}") from None
    if parts.scheme not in DEFAULT_PORTS or "://" not in text:
        raise ValueError(f"does not begin with https:// or http://; {EXAMPLE}")
    if "@" in parts.netloc:
        raise ValueError("has a user name in it; leave it out and use apiKey")
    if "\\" in text or "?" in text or "#" in text:
        raise ValueError("has a ?, # or \\ in it; write only what stands before them")
    if not parts.hostname:
        raise ValueError(f"has no host; {EXAMPLE}")
    if port is not None and not 1 <= port <= 65535:
        raise ValueError("has a port outside of 1 to 65535")
    host = parse_host(parts.hostname)
    address = _address(host)
    if address is not None and (
        address.is_link_local or address.is_multicast or address.is_unspecified
    ):
        raise ValueError("has an address that no provider can have")
    if parts.scheme == "http" and not (
        is_loopback(host) or (allow_private_http and is_private_host(host))
    ):
        raise ValueError("would send the key unencrypted; write https://")
    if not _PATH.fullmatch(parts.path):
        raise ValueError(
            "has a path with a placeholder or an odd character; fill it in"
        )
    path = parts.path.rstrip("/")
    for spec in SPECS.values():
        if path.endswith(spec.path):
            raise ValueError(f"ends in {spec.path}; write only what stands before it")
    return Origin(parts.scheme, host, port or DEFAULT_PORTS[parts.scheme], path)
