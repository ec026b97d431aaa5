"""From a request that was read to the values that travel with it.

What lives here: the making of a `Call` and its `Exchange`, and of a passage's row: who
asks, under which policy, at what moment, with which id.

What this file does not know: what is done with them.
"""

import asyncio
import os
from collections.abc import Sequence

from mitmproxy import http

from llm_gateway.config.models import Routing
from llm_gateway.dialects import DialectSpec, RequestBody
from llm_gateway.edge.arrivals import Way
from llm_gateway.edge.exchanges import Exchange, Original
from llm_gateway.edge.runtime import Runtime, tightest
from llm_gateway.exchange import Call, Offer, Policy, RequestRecord
from llm_gateway.identity import Identity
from llm_gateway.ids import uuid7

_POLICIES = {policy.value: policy for policy in Policy}


_ENTROPY = 10
"""Bytes that an id takes."""
_entropy: list[bytes] = []


def new_id(now: float) -> str:
    """A call to the kernel is one during which another thread takes Python's lock: there
    is one for many ids."""
    if not _entropy:
        pool = os.urandom(400 * _ENTROPY)
        _entropy.extend(
            pool[at : at + _ENTROPY] for at in range(0, len(pool), _ENTROPY)
        )
    return uuid7(now, _entropy.pop())


def policy(runtime: Runtime, request: http.Request, identity: Identity) -> Policy:
    """The tightest of the gateway's, the client's and the request's own.

    `x-gateway-policy` may say one; anything else in that header has no effect.
    """
    ours = runtime.catalog.config.routing.policy
    asked = request.headers.get("x-gateway-policy")
    if asked is None and identity.known is None:
        return ours
    return tightest(
        ours,
        identity.known.policy if identity.known else None,
        _POLICIES.get(asked or ""),
    )


def passes_unserved(routing: Routing, policy: Policy) -> bool:
    """May an intercepted request that nobody here can serve go to its own host?"""
    passes = routing.unknown_model or (
        "reject" if policy is Policy.FREE_ONLY else "passthrough"
    )
    return passes == "passthrough"


def exchange(
    runtime: Runtime,
    flow: http.HTTPFlow,
    way: Way,
    body: RequestBody,
    identity: Identity,
    ranks: Sequence[Sequence[Offer]],
) -> Exchange:
    """A request that will be served here, with its row."""
    catalog = runtime.catalog
    known = identity.known
    now = runtime.clock()
    request = flow.request
    proxied = way is not Way.DIRECT
    call = Call(
        id=new_id(now),
        at=now,
        ask=body.ask,
        client=identity.client,
        app=identity.app,
        known_client=known.name if known else None,
        way="proxy" if proxied else "base_url",
        host=request.host if proxied else "",
        policy=policy(runtime, request, identity),
        limits=known.limits if known else (),
        revision=catalog.revision,
    )
    started = asyncio.get_running_loop().time()
    return Exchange(
        flow=flow,
        call=call,
        body=body,
        headers=request.headers.fields,
        catalog=catalog,
        ranks=ranks,
        record=_record(call),
        started=started,
        deadline=started + catalog.config.routing.deadline_seconds,
        original=_original(request) if proxied else None,
        query=request.path.partition("?")[2],
    )


def passage_record(
    runtime: Runtime,
    host: str,
    dialect: DialectSpec | None,
    body: RequestBody | None,
    identity: Identity,
) -> RequestRecord:
    """The row of a request that passes to `host` with the app's own key."""
    now = runtime.clock()
    return RequestRecord(
        new_id(now),
        now,
        identity.client,
        identity.app,
        dialect.name if dialect else "other",
        body.ask.model if body else "",
        streamed=body.ask.stream if body else False,
        host=host,
        config_revision=runtime.catalog.revision,
        known_client=identity.known.name if identity.known else None,
    )


def _record(call: Call) -> RequestRecord:
    return RequestRecord(
        call.id,
        call.at,
        call.client,
        call.app,
        call.ask.dialect,
        call.ask.model,
        streamed=call.ask.stream,
        host=call.host,
        config_revision=call.revision,
        known_client=call.known_client,
    )


def _original(request: http.Request) -> Original:
    return Original(
        request.scheme,
        request.host,
        request.port,
        request.path,
        request.authority,
        request.raw_content or b"",
    )
