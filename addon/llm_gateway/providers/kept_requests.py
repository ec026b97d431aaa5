"""Requests about what a provider keeps for an account: stored answers, files, batches, caches.

What this file does not know: which account made it (pipeline/bound_requests.py).
"""

from urllib.parse import parse_qsl, quote

from llm_gateway.dialects import SPECS, DialectSpec
from llm_gateway.dialects.resources import Resource, ResourcePath
from llm_gateway.dialects.spec import Headers
from llm_gateway.providers.outbound_request import Outbound, key_and_origin, outbound
from llm_gateway.providers.sent_headers import (
    from_client,
    merged_query,
    speaks_of_credential,
    with_key,
)
from llm_gateway.providers.upstream import Credential, Upstream

_PAGING = frozenset({"pageToken", "page_token"})
"""Parameters that say `token` and mean a page."""


def stored_answer(
    upstream: Upstream,
    dialect: DialectSpec,
    name: str,
    below: str,
    *,
    client_headers: Headers = (),
    query: str = "",
    credential: Credential | None = None,
) -> Outbound:
    """A request about an answer that the provider keeps: `PATH/name` and what follows.

    `query`: the client's; of it only what the dialect names passes.
    """
    key, origin = key_and_origin(upstream, credential)
    headers = from_client(upstream, dialect, client_headers)
    auth = upstream.type_info.auth_of(dialect.name)
    passing = dialect.stored.query if dialect.stored is not None else frozenset()
    sent = merged_query(upstream.query, query, passing) if query else upstream.query
    path = f"{upstream.path(dialect.name, origin)}/{quote(name, safe='')}{below}"
    path = f"{path}{'?' if sent else ''}{sent}"
    return outbound(origin, path, with_key(headers, upstream, auth, key).items())


def keeper_dialect(upstream: Upstream, resource: Resource) -> DialectSpec | None:
    """The dialect in whose API the provider of an account keeps such things. None: it
    does not, or where is not known."""
    keeps = upstream.type_info.keeps
    if keeps is not None and resource.path not in keeps:
        return None
    for dialect, path in upstream.paths.items():
        spec = SPECS[dialect]
        if resource in spec.resources and path.endswith(spec.path):
            return spec
    return None


def kept_resource(
    upstream: Upstream,
    line: ResourcePath,
    body: bytes,
    *,
    client_headers: Headers = (),
    query: str = "",
    credential: Credential | None = None,
) -> Outbound:
    """A request about something that the provider keeps for the account, or that makes it.

    `query`: the client's; all of it passes but what looks like a key. LookupError: the
    provider does not keep such things (see `keeper_dialect`).
    """
    dialect = keeper_dialect(upstream, line.resource)
    if dialect is None:
        raise LookupError(f"{upstream.provider} keeps no {line.resource.path}")
    key, origin = key_and_origin(upstream, credential)
    more = frozenset({b"content-type", b"accept"})
    headers = from_client(upstream, dialect, client_headers, more=more)
    auth = upstream.type_info.auth_of(dialect.name)
    passing = frozenset(
        name
        for name, _ in parse_qsl(query, keep_blank_values=True)
        if not speaks_of_credential(name) or name in _PAGING
    )
    sent = merged_query(upstream.query, query, passing) if query else upstream.query
    path = upstream.path(dialect.name, origin).removesuffix(dialect.path)
    path += f"/{line.resource.path}"
    if line.id:
        path += f"/{quote(line.id, safe='')}{quote(line.below, safe='/:')}"
    path = f"{path}{'?' if sent else ''}{sent}"
    return outbound(origin, path, with_key(headers, upstream, auth, key).items(), body)
