"""Outbound proxy address: from a URL to a `ProxyServer`, or a reason.

What lives here: the only parser of `network.proxy`, a provider's `proxy`, `HTTPS_PROXY` and
its like. A `ValueError` is a clause that follows the key or variable in a sentence; it
never repeats the address, which may hold a password. What this file does not know: which
connection goes by way of it (network/proxy_rules.py), sockets.
"""

import re
from dataclasses import field
from typing import Literal, cast
from urllib.parse import quote, unquote, urlsplit

from llm_gateway.config.urls import parse_host
from llm_gateway.frozen import frozen

Scheme = Literal["http", "https", "socks5", "socks5h"]
PORTS = {"http": 80, "https": 443, "socks5": 1080, "socks5h": 1080}
EXAMPLE = "write it like http://user:password@proxy.example.com:3128"
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*://", re.I)
_PAC = re.compile(r"^pac\+|\.pac$|wpad\.dat$|^file:", re.I)
_LONGEST = 255
"""Bytes of a name or a password in SOCKS (RFC 1929)."""


@frozen
class ProxyServer:
    """A proxy by way of which connections are opened. Equal ones are the same way."""

    scheme: Scheme
    """http, https: CONNECT. socks5: we look the host's name up; socks5h: it does."""
    host: str
    port: int
    user: str = field(default="", repr=False)
    password: str = field(default="", repr=False)

    @property
    def name(self) -> str:
        """For a log or a message: `10.0.0.1:3128`."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    @property
    def shown(self) -> str:
        """As a URL, without who we are there: `http://10.0.0.1:3128`."""
        return f"{self.scheme}://{self.name}"

    @property
    def resolves(self) -> bool:
        """It looks names up: the gateway asks no DNS for what goes by way of it."""
        return self.scheme != "socks5"


def parse_proxy_url(text: str, *, from_environment: bool = False) -> ProxyServer:
    """Raises `ValueError` with a reason.

    from_environment: as everybody reads these variables. Without a scheme it is an HTTP
    proxy, and user and password end at the last @, whatever odd characters are in them.
    """
    if from_environment:
        text = _spelled_out(text)
    if not text or any(not "!" <= ch <= "~" for ch in text):
        raise ValueError(f"is empty or has spaces or odd characters; {EXAMPLE}")
    if _PAC.search(text):
        raise ValueError(
            "names a PAC file, which is a program; write the proxy that it says "
            "(PROXY host:port in it is http://host:port)"
        )
    scheme, found, rest = text.partition("://")
    scheme = scheme.lower()
    if from_environment and scheme == "socks":  # desktops export it for SOCKS5
        scheme, text = "socks5h", f"socks5h://{rest}"
    if not found or scheme not in PORTS:
        raise ValueError(
            "does not begin with http://, https://, socks5:// or socks5h://; " + EXAMPLE
        )
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise ValueError(f"has no host and port that can be read; {EXAMPLE}") from None
    if parts.path not in ("", "/") or "?" in text or "#" in text or "\\" in text:
        raise ValueError(f"has something after host and port; {EXAMPLE}")
    if not parts.hostname:
        raise ValueError(f"has no host; {EXAMPLE}")
    if port is not None and not 1 <= port <= 65535:
        raise ValueError("has a port outside of 1 to 65535")
    if parts.netloc.count("@") > 1 or re.search(r"%(?![0-9A-Fa-f]{2})", parts.netloc):
        raise ValueError(
            "has an odd character in its user or password; write e.g. %40 for @"
        )
    try:
        user = unquote(parts.username or "", errors="strict")
        password = unquote(parts.password or "", errors="strict")
    except UnicodeDecodeError:
        raise ValueError("has a user or password that is not in UTF-8") from None
    if not (user + password).isprintable():
        raise ValueError("has a user or password that is not of visible characters")
    if scheme.startswith("socks") and not (user + password).isascii():
        raise ValueError("has a user or password of other characters than ASCII")
    if scheme.startswith("socks") and max(len(user), len(password)) > _LONGEST:
        raise ValueError(f"has a user or password of more than {_LONGEST} characters")
    if scheme.startswith("http") and ":" in user:
        raise ValueError("has a colon in its user, which HTTP knows no way to say")
    host = parse_host(parts.hostname)
    return ProxyServer(
        cast(Scheme, scheme), host, port or PORTS[scheme], user, password
    )


def _spelled_out(text: str) -> str:
    """The same with a scheme, and with user and password as a URL has to spell them."""
    text = text if _SCHEME.match(text) else f"http://{text}"
    scheme, _, rest = text.partition("://")
    authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
    who, given, _ = authority.rpartition("@")
    if not given:
        return text
    user, colon, password = who.partition(":")
    spelled = f"{_quoted(user)}{colon}{_quoted(password)}"
    return f"{scheme}://{spelled}{rest.removeprefix(who)}"


def _quoted(text: str) -> str:
    """What is escaped stays so; whatever else a URL has no room for is escaped."""
    return re.sub(
        r"%[0-9A-Fa-f]{2}|[^A-Za-z0-9._~-]",
        lambda m: m[0] if len(m[0]) == 3 else quote(m[0], safe=""),
        text,
    )
