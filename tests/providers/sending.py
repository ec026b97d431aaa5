"""From a provider's config to the request that leaves, for tests."""

import json
from typing import Any
from urllib.parse import quote

from llm_gateway.config.models import Config
from llm_gateway.dialects import (
    CHAT,
    COMPLETIONS,
    EMBEDDINGS,
    GENERATE_CONTENT,
    MESSAGES,
    RESPONSES,
    DialectSpec,
    RequestBody,
    read,
)
from llm_gateway.domain import Offer
from llm_gateway.providers import catalog
from llm_gateway.providers.catalog import Catalog
from llm_gateway.providers.outbound_request import Outbound
from llm_gateway.providers.upstream_request import build

NOW = 1_763_000_000.0

BODIES: dict[DialectSpec, dict[str, Any]] = {
    CHAT: {"messages": [{"role": "user", "content": "Hi"}]},
    COMPLETIONS: {"prompt": "Hi"},
    EMBEDDINGS: {"input": "Hi"},
    RESPONSES: {"input": "Hi"},
    MESSAGES: {
        "max_tokens": 9,
        "messages": [{"role": "user", "content": "Hi"}],
    },
    GENERATE_CONTENT: {"contents": [{"role": "user", "parts": [{"text": "Hi"}]}]},
}


def catalog_of(*providers: dict[str, Any], **config: Any) -> Catalog:
    """A catalog with nothing known of prices or windows."""
    given = config.pop("known", {})
    return catalog.build(
        Config.model_validate({"providers": providers, **config}),
        "r1",
        price=lambda *_: None,
        window=lambda *_: None,
        now=NOW,
        **given,
    )


def body_of(
    dialect: DialectSpec = CHAT, model: str = "m", **members: Any
) -> RequestBody:
    text = json.dumps({"model": model, **BODIES[dialect], **members})
    path = f"/v1beta/models/{quote(model, safe='')}:generateContent"
    found = read(dialect, text.encode(), path=path)
    assert isinstance(found, RequestBody), found
    return found


def only_offer(found: Catalog) -> Offer:
    (offer,) = found.offers
    return offer


def sent(
    provider: dict[str, Any],
    dialect: DialectSpec = CHAT,
    *,
    model: str = "m",
    client_headers: tuple[tuple[bytes, bytes], ...] = (),
    credential: Any = None,
    request_id: str = "",
    adapted: Any = None,
    below: str = "",
    query: str = "",
    intercepted: bool = False,
    **members: Any,
) -> Outbound:
    """What leaves when a client asks this provider's only model."""
    name = provider.get("model", model)
    config = {"id": "p", "models": [{"name": name}], **provider}
    config.pop("model", None)
    found = catalog_of(config, known={"signed_in": {"p"}})
    offer = only_offer(found)
    upstream = found.upstreams.get((offer.provider, offer.account))
    assert upstream is not None, offer.disabled_reason
    body = body_of(dialect, name, **members)
    extra = {} if adapted is None else {"adapted": adapted}
    return build(
        upstream,
        offer,
        dialect,
        body,
        client_headers=client_headers,
        streamed=body.ask.stream,
        credential=credential,
        request_id=request_id,
        below=below,
        query=query,
        intercepted=intercepted,
        **extra,
    )


def url(out: Outbound) -> str:
    host = dict(out.headers)[b"host"].decode()
    return f"{out.scheme}://{host}{out.path}"


def headers(out: Outbound) -> dict[str, str]:
    names = [name for name, _ in out.headers]
    assert len(names) == len(set(names)), "a header is there twice"
    return {name.decode(): value.decode() for name, value in out.headers}
