"""The request that leaves, made from the client's untouched one.

What lives here: `build`. Address, key and fixed headers come from one `Upstream`, the
body from the client's bytes, and of the client's headers only what may pass.

What this file does not know: sockets, mitmproxy, who was chosen and why.
"""

from urllib.parse import quote

from llm_gateway.adaptation.adapted import UNCHANGED, Adapted
from llm_gateway.dialects import DialectSpec, RequestBody
from llm_gateway.dialects.spec import Action, Headers, ModelPlace
from llm_gateway.domain import Offer, Origin
from llm_gateway.providers.outbound_request import (
    NoCredential,
    Outbound,
    authority,
    key_and_origin,
    outbound,
)
from llm_gateway.providers.sent_headers import (
    PER_REQUEST,
    from_client,
    merged_query,
    with_key,
)
from llm_gateway.providers.upstream import Credential, Upstream

__all__ = [
    "NoCredential",
    "Outbound",
    "authority",
    "build",
]


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
    key, origin = key_and_origin(upstream, credential)
    model = upstream.sent_model(offer.model)
    headers = from_client(upstream, dialect, client_headers, intercepted=intercepted)
    for edit in adapted.headers:
        name_ = edit.name.encode()
        if (left := edit.of(headers.get(name_, b"").decode("latin-1"))) != "":
            headers[name_] = left.encode("latin-1")
        else:
            headers.pop(name_, None)
    for name in upstream.type_info.request_headers:
        if (value := PER_REQUEST[name](body.ask, request_id)) is not None:
            headers[name.encode()] = value.encode()
    headers = with_key(headers, upstream, upstream.type_info.auth_of(dialect.name), key)
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
    path = _path(upstream, origin, dialect, model, streamed, below, query)
    return outbound(origin, path, headers.items(), sent, strip_usage=strip_usage)


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
        query = merged_query(query, client_query, upstream.type_info.forwarded_query)
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
