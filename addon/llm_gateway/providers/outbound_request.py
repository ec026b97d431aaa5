"""Outbound request: what is sent to a provider, as a value; addresses as headers have them.

What this file does not know: what is asked, and which of a client's headers pass.
"""

from collections.abc import Iterable
from dataclasses import field

from pydantic import SecretStr

from llm_gateway.dialects.spec import Headers
from llm_gateway.domain import Origin
from llm_gateway.frozen import frozen
from llm_gateway.providers.upstream import Credential, Upstream

_DEFAULT_PORTS = {"http": 80, "https": 443}


class NoCredential(ValueError):
    """The upstream's key has to be fetched first, and was not."""


@frozen
class Outbound:
    """One request as it leaves."""

    scheme: str
    host: str
    port: int
    path: str
    """With the query."""
    headers: Headers = field(repr=False)
    """`host` first; names in lower case; no content-length: the transport counts."""
    body: bytes = field(repr=False)
    strip_usage: bool
    """The gateway asked for the usage chunk of this stream, the client did not."""


def key_and_origin(
    upstream: Upstream, credential: Credential | None
) -> tuple[SecretStr | None, Origin]:
    """The key to send and where to: of what was fetched for now, or the upstream's own.

    Raises:
        NoCredential: one has to be fetched, and was not.
    """
    if credential is not None:
        return credential.token, credential.origin or upstream.origin
    if upstream.needs_credential:
        raise NoCredential(f"{upstream.provider}: no credential was fetched")
    return upstream.key, upstream.origin


def outbound(
    origin: Origin,
    path: str,
    headers: Iterable[tuple[bytes, bytes]],
    body: bytes = b"",
    *,
    strip_usage: bool = False,
) -> Outbound:
    """The request to this origin. `path`: with the query."""
    host = (b"host", authority(origin).encode())
    return Outbound(
        origin.scheme,
        origin.host,
        origin.port,
        path,
        (host, *headers),
        body,
        strip_usage,
    )


def address_of(origin: Origin) -> str:
    """`https://api.groq.com/openai`: where a provider is, without its dialects' paths."""
    return f"{origin.scheme}://{authority(origin)}{origin.path}"


def authority(origin: Origin) -> str:
    """`host` or `host:port`, as the Host header has it."""
    host = f"[{origin.host}]" if ":" in origin.host else origin.host
    if _DEFAULT_PORTS.get(origin.scheme) == origin.port:
        return host
    return f"{host}:{origin.port}"
