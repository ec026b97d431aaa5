"""Address of the server that a cluster shares: from a URL to its parts, or a reason.

What lives here: the only parser of `cluster.url`. A `ValueError` is a clause that follows
the key in a sentence; it never repeats the address, which may hold a password. What this
file does not know: the client library, sockets.
"""

from dataclasses import field
from typing import Literal, cast
from urllib.parse import parse_qsl, unquote, urlsplit

from llm_gateway.frozen import frozen

PORT = 6379
SCHEMES = ("redis", "rediss", "valkey", "valkeys", "unix")
EXAMPLE = "write it like redis://user:password@host:6379/0 or unix:///run/valkey.sock"


@frozen
class ClusterServer:
    """Where the server is, and who we are there."""

    scheme: Literal["redis", "rediss", "unix"]
    host: str = ""
    port: int = PORT
    path: str = ""
    """Of a unix socket."""
    database: int = 0
    user: str = field(default="", repr=False)
    password: str = field(default="", repr=False)

    @property
    def shown(self) -> str:
        """For a log or a message, without who we are there."""
        if self.scheme == "unix":
            return f"unix://{self.path}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"


def parse_cluster_url(text: str) -> ClusterServer:
    """The server that a URL names. Raises `ValueError` with a reason."""
    if not text or any(not "!" <= ch <= "~" for ch in text):
        raise ValueError(f"is empty or has spaces or odd characters; {EXAMPLE}")
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise ValueError(f"has no valid host or port; {EXAMPLE}") from None
    scheme = parts.scheme.replace("valkey", "redis")
    if parts.scheme not in SCHEMES or scheme not in ("redis", "rediss", "unix"):
        if parts.scheme == "valkeys":
            scheme = "rediss"
        else:
            raise ValueError(f"is no address of a Valkey or Redis server; {EXAMPLE}")
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    if odd := query.keys() - {"db"}:
        raise ValueError(
            f"has ?{min(odd)}=, which is not read; a password stands before the host"
        )
    database = query.get("db", "0")
    path = unquote(parts.path)
    if scheme != "unix" and path.strip("/"):
        database, path = path.strip("/"), ""
    if not database.isdecimal():
        raise ValueError(f"names a database that is no number; {EXAMPLE}")
    if scheme == "unix" and not path:
        raise ValueError(f"names no socket; {EXAMPLE}")
    if scheme != "unix" and not parts.hostname:
        raise ValueError(f"names no host; {EXAMPLE}")
    return ClusterServer(
        cast(Literal["redis", "rediss", "unix"], scheme),
        host=parts.hostname or "",
        port=PORT if port is None else port,
        path=path if scheme == "unix" else "",
        database=int(database),
        user=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
    )
