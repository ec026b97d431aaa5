"""The request that leaves, made from the client's untouched one.

What lives here: `build`. Address, key and fixed headers come from one `Upstream`, the
body from the client's bytes, and of the client's headers only those on an allow-list
pass: its own key, cookies, proxy headers and the gateway's own never leave.

What this file does not know: sockets, mitmproxy, who was chosen and why.
"""

from collections.abc import Callable, Mapping
from dataclasses import field
from urllib.parse import parse_qsl, quote, urlencode

from llm_gateway import __version__
from llm_gateway.adaptation.adapted import UNCHANGED, Adapted
from llm_gateway.dialects import SPECS, DialectSpec, RequestBody
from llm_gateway.dialects.resources import Resource, ResourcePath
from llm_gateway.dialects.spec import Action, Headers, ModelPlace
from llm_gateway.domain import Offer, Origin, RequestInfo
from llm_gateway.frozen import frozen
from llm_gateway.providers.quota_routes import quota_route
from llm_gateway.providers.upstream import Credential, Upstream

_KEPT_WORDS = (b"key", b"token", b"auth", b"secret", b"cookie", b"browser")
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

_PAGING = frozenset({"pageToken", "page_token"})
"""Parameters that say `token` and mean a page."""

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


def build(
    upstream: Upstream,
    offer: Offer,
    dialect: DialectSpec,
    body: RequestBody,
    *,
    client_headers: Headers,
    streamed: bool,
    include_usage: bool = True,
    adapted: Adapted = UNCHANGED,
    credential: Credential | None = None,
    request_id: str = "",
    below: str = "",
    query: str = "",
    intercepted: bool = False,
    drop: frozenset[str] = frozenset(),
    max_tokens: int | None = None,
) -> Outbound:
    """The request for one attempt.

    `include_usage`: ask for usage in a stream where the provider takes that.
    `credential`: for upstreams that fetch one; NoCredential without it.
    `below`: path under the dialect's own, e.g. `/count_tokens`.
    `query`: the client's; of it only what the row names passes.
    `intercepted`: the app addressed another host, with a key of its own.
    `adapted`: what the quirks of this provider's model make of the body.
    `drop`, `max_tokens`: members to take out, and what the answer's length is lowered to.
    """
    origin = upstream.origin
    key = upstream.key
    if credential is not None:
        key = credential.token
        origin = credential.origin or origin
    elif upstream.needs_credential:
        raise NoCredential(f"{upstream.provider}: no credential was fetched")
    model = upstream.sent_model(offer.model)
    headers = dict(OWN_HEADERS)
    headers.update(dialect.headers)
    allowed = _allowed(upstream, dialect, intercepted)
    headers.update(_forwarded(client_headers, allowed, dialect.forwarded_prefix))
    for edit in adapted.headers:
        name_ = edit.name.encode()
        if (left := edit.of(headers.get(name_, b"").decode("latin-1"))) != "":
            headers[name_] = left.encode("latin-1")
        else:
            headers.pop(name_, None)
    for name in upstream.type_info.request_headers:
        if (value := PER_REQUEST[name](body.ask, request_id)) is not None:
            headers[name.encode()] = value.encode()
    if key is not None:
        headers.update(
            _auth(upstream.type_info.auth_of(dialect.name), key.get_secret_value())
        )
    headers.update(upstream.headers)
    headers[b"accept-encoding"] = b"identity"
    sent, strip_usage = _body(
        upstream,
        dialect,
        body,
        model,
        streamed,
        include_usage,
        adapted,
        drop,
        max_tokens,
    )
    return Outbound(
        origin.scheme,
        origin.host,
        origin.port,
        _path(upstream, origin, dialect, model, streamed, below, query),
        ((b"host", authority(origin).encode()), *headers.items()),
        sent,
        strip_usage,
    )


def model_list(
    upstream: Upstream, credential: Credential | None = None, *, etag: str = ""
) -> Outbound | None:
    """The GET that lists a provider's models; None where it has no such list.

    `etag`: of the list that is known: an unchanged one need not be sent again.
    """
    row = upstream.type_info
    if row.models_path is None:
        return None
    more = ((b"if-none-match", etag.encode("latin-1", "replace")),) if etag else ()
    cut = row.models_cut
    return _question(
        upstream,
        credential,
        lambda origin: origin.path.removesuffix(cut) + (row.models_path or ""),
        row.models_auth or row.auth_of(next(iter(row.paths))),
        more,
    )


def quota(upstream: Upstream, credential: Credential | None = None) -> Outbound | None:
    """The GET that asks what is left of an account; None where nobody can be asked."""
    route = quota_route(upstream.type_info, upstream.origin)
    if route is None or not route.path.startswith("/"):
        return None
    if upstream.key is None and not upstream.needs_credential:
        return None
    path = route.path
    return _question(upstream, credential, lambda _: path, upstream.type_info.auth)


def _question(
    upstream: Upstream,
    credential: Credential | None,
    path: Callable[[Origin], str],
    auth: str,
    more: Headers = (),
) -> Outbound:
    """A GET of the gateway's own, with the account's key and the provider's headers."""
    origin, key = upstream.origin, upstream.key
    if credential is not None:
        key, origin = credential.token, credential.origin or origin
    elif upstream.needs_credential:
        raise NoCredential(f"{upstream.provider}: no credential was fetched")
    headers = dict(OWN_HEADERS)
    headers.update(SPECS[next(iter(upstream.type_info.paths))].headers)
    if key is not None:
        headers.update(_auth(auth, key.get_secret_value()))
    headers.update(upstream.headers)
    headers.update(more)
    headers[b"accept-encoding"] = b"identity"
    headers.pop(b"content-type", None)
    return Outbound(
        origin.scheme,
        origin.host,
        origin.port,
        path(origin),
        ((b"host", authority(origin).encode()), *headers.items()),
        b"",
        strip_usage=False,
    )


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
    origin, key = upstream.origin, upstream.key
    if credential is not None:
        key, origin = credential.token, credential.origin or origin
    elif upstream.needs_credential:
        raise NoCredential(f"{upstream.provider}: no credential was fetched")
    row = upstream.type_info
    headers = dict(OWN_HEADERS)
    headers.update(dialect.headers)
    allowed = _allowed(upstream, dialect, False)
    headers.update(_forwarded(client_headers, allowed, dialect.forwarded_prefix))
    if key is not None:
        headers.update(_auth(row.auth_of(dialect.name), key.get_secret_value()))
    headers.update(upstream.headers)
    headers[b"accept-encoding"] = b"identity"
    passing = dialect.stored.query if dialect.stored is not None else frozenset()
    sent = _merged(upstream.query, query, passing) if query else upstream.query
    path = f"{upstream.path(dialect.name, origin)}/{quote(name, safe='')}{below}"
    return Outbound(
        origin.scheme,
        origin.host,
        origin.port,
        f"{path}{'?' if sent else ''}{sent}",
        ((b"host", authority(origin).encode()), *headers.items()),
        b"",
        strip_usage=False,
    )


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
    origin, key = upstream.origin, upstream.key
    if credential is not None:
        key, origin = credential.token, credential.origin or origin
    elif upstream.needs_credential:
        raise NoCredential(f"{upstream.provider}: no credential was fetched")
    row = upstream.type_info
    headers = dict(OWN_HEADERS)
    headers.update(dialect.headers)
    allowed = _allowed(upstream, dialect, False) | {b"content-type", b"accept"}
    headers.update(_forwarded(client_headers, allowed, dialect.forwarded_prefix))
    if key is not None:
        headers.update(_auth(row.auth_of(dialect.name), key.get_secret_value()))
    headers.update(upstream.headers)
    headers[b"accept-encoding"] = b"identity"
    passing = frozenset(
        name
        for name, _ in parse_qsl(query, keep_blank_values=True)
        if not any(word.decode() in name.lower() for word in _KEPT_WORDS)
        or name in _PAGING
    )
    sent = _merged(upstream.query, query, passing) if query else upstream.query
    path = upstream.path(dialect.name, origin).removesuffix(dialect.path)
    path += f"/{line.resource.path}"
    if line.id:
        path += f"/{quote(line.id, safe='')}{quote(line.below, safe='/:')}"
    return Outbound(
        origin.scheme,
        origin.host,
        origin.port,
        f"{path}{'?' if sent else ''}{sent}",
        ((b"host", authority(origin).encode()), *headers.items()),
        body,
        strip_usage=False,
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


def _allowed(
    upstream: Upstream, dialect: DialectSpec, intercepted: bool
) -> frozenset[bytes]:
    row = upstream.type_info
    allowed = dialect.forwards | row.forwarded
    return allowed if intercepted else allowed | row.forwarded_direct


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
            and not any(word in name for word in _KEPT_WORDS)
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


def _path(
    upstream: Upstream,
    origin: Origin,
    dialect: DialectSpec,
    model: str,
    streamed: bool,
    below: str,
    client_query: str,
) -> str:
    path = upstream.path(dialect.name, origin)
    query = upstream.query
    if dialect.actions is not None:
        action = dialect.actions[streamed]
        if below.startswith(":"):
            action, below = Action(below[1:]), ""
        path = path.replace("{action}", action.word)
        query = "&".join(filter(None, (action.query, query)))
    if client_query and upstream.type_info.forwarded_query:
        query = _merged(query, client_query, upstream.type_info.forwarded_query)
    if "{publisher}" in path:
        publisher, _, model = model.rpartition("/")
        path = path.replace("{publisher}", quote(publisher, safe=""))
    if "/models/{model}" in path:
        model = model.removeprefix("models/")  # as lists of models have it
        if model.startswith(dialect.other_collections):
            collection, _, model = model.partition("/")
            path = path.replace("/models/{model}", f"/{collection}/{{model}}")
    path = path.replace("{model}", quote(model, safe=""))
    return f"{path}{below}{'?' if query else ''}{query}"


def _merged(own: str, client: str, allowed: frozenset[str]) -> str:
    """Our own query, and of the client's what may pass and is not in ours already."""
    ours = {name for name, _ in parse_qsl(own, keep_blank_values=True)}
    passed = [
        (name, value)
        for name, value in parse_qsl(client, keep_blank_values=True)
        if name in allowed and name not in ours
    ]
    return "&".join(filter(None, (own, urlencode(passed))))


def _body(
    upstream: Upstream,
    dialect: DialectSpec,
    body: RequestBody,
    model: str,
    streamed: bool,
    include_usage: bool,
    adapted: Adapted,
    drop: frozenset[str],
    max_tokens: int | None,
) -> tuple[bytes, bool]:
    """The body that leaves, and whether its usage chunk is ours to take out."""
    row = upstream.type_info
    drop = drop | row.drops | adapted.dropped
    if dialect.model_place is ModelPlace.PATH:
        drop |= {"model"}  # the path has it, and it may be another one there
    if row.stream_usage == "reject":
        drop |= {"stream_options"}
    ask_usage = (
        include_usage
        and streamed
        and row.stream_usage == "ask"
        and dialect.usage_event is not None
        and "stream_options" not in drop
        and not body.ask.wants_usage
    )
    sent = body.rewritten(
        model=model,
        include_usage=ask_usage,
        drop=drop,
        rename={**row.renames, **adapted.renamed} if adapted.renamed else row.renames,
        replace=adapted.replaced,
        max_tokens=max_tokens,
    )
    return sent, ask_usage
