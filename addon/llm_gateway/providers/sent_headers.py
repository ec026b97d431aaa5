"""Headers and query of a request to a provider: the gateway's own, and which of the client's pass.

Of the client's headers only those on an allow-list pass: its own key, cookies, proxy
headers and the gateway's own never leave.
"""

from collections.abc import Callable, Mapping
from urllib.parse import parse_qsl, urlencode

from pydantic import SecretStr

from llm_gateway import __version__
from llm_gateway.dialects import DialectSpec
from llm_gateway.dialects.spec import Headers
from llm_gateway.domain import RequestInfo
from llm_gateway.providers.upstream import Upstream

CREDENTIAL_WORDS = (b"key", b"token", b"auth", b"secret", b"cookie", b"browser")
"""Client headers of a dialect's family pass, whatever is invented next, unless the name
speaks of a credential, since only our own key leaves, or of the client's browser, whom
the provider never meets."""

OWN_HEADERS: Headers = (
    (b"accept", b"*/*"),
    # Bytes of an answer go to the client as they come, and usage is read from them.
    (b"accept-encoding", b"identity"),
    (b"content-type", b"application/json"),
    # The app's name is no business of a provider that the app did not name.
    (b"user-agent", b"llm-gateway/" + __version__.encode()),
)
"""Weakest: a type's and the config's headers may say otherwise (not the encoding)."""

PER_REQUEST: Mapping[str, Callable[[RequestInfo, str], str | None]] = {
    "x-request-id": lambda _, request_id: request_id or None,
    "x-initiator": lambda ask, _: ask.initiator,
    "copilot-vision-request": lambda ask, _: "true" if ask.has_images else None,
}
"""Headers whose value depends on the request; a row's `request_headers` names them."""


def from_client(
    upstream: Upstream,
    dialect: DialectSpec,
    client: Headers,
    *,
    intercepted: bool = False,
    more: frozenset[bytes] = frozenset(),
) -> dict[bytes, bytes]:
    """Our own, the dialect's, and those of the client's that may pass; repeated ones are
    joined.

    intercepted: the app addressed another host.
    more: what may pass beside what the dialect and the provider's row name.
    """
    headers = dict(OWN_HEADERS)
    headers.update(dialect.headers)
    row = upstream.type_info
    allowed = dialect.forwards | row.forwarded
    if more:
        allowed |= more
    if not intercepted:
        allowed |= row.forwarded_direct
    headers.update(_forwarded(client, allowed, dialect.forwarded_prefix))
    return headers


def with_key(
    headers: dict[bytes, bytes], upstream: Upstream, auth: str, key: SecretStr | None
) -> dict[bytes, bytes]:
    """The same with the account's key (`auth`: `bearer`, `none` or a header's name) and
    what the provider's configuration says; no answer comes compressed."""
    if key is not None:
        headers.update(_auth(auth, key.get_secret_value()))
    headers.update(upstream.headers)
    headers[b"accept-encoding"] = b"identity"
    return headers


def _forwarded(
    client: Headers, allowed: frozenset[bytes], prefix: bytes
) -> dict[bytes, bytes]:
    """The client's headers that may pass; repeated ones are joined."""
    passed: dict[bytes, bytes] = {}
    if not allowed and not prefix:
        return passed
    for raw_name, value in client:
        name = raw_name.lower()
        if name not in allowed and not (
            prefix
            and name.startswith(prefix)
            and not any(word in name for word in CREDENTIAL_WORDS)
        ):
            continue
        if _clean(value):
            passed[name] = passed[name] + b"," + value if name in passed else value
    return passed


def _clean(value: bytes) -> bool:
    """Visible ASCII: nothing that a server could take for the end of a line."""
    return bool(value) and all(0x20 <= byte < 0x7F for byte in value)


def _auth(form: str, key: str) -> Headers:
    if form == "none":
        return ()
    if form == "bearer":
        return ((b"authorization", b"Bearer " + key.encode()),)
    return ((form.encode(), key.encode()),)


def merged_query(own: str, client: str, allowed: frozenset[str]) -> str:
    """Our own query, and of the client's what may pass and is not in ours already."""
    ours = {name for name, _ in parse_qsl(own, keep_blank_values=True)}
    passed = [
        (name, value)
        for name, value in parse_qsl(client, keep_blank_values=True)
        if name in allowed and name not in ours
    ]
    return "&".join(filter(None, (own, urlencode(passed))))


def speaks_of_credential(name: str) -> bool:
    """Is this the name of what may hold a key?"""
    return any(word.decode() in name.lower() for word in CREDENTIAL_WORDS)
