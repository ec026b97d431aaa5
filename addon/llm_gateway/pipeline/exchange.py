"""Exchange: the state of one client request while it is being served.

What lives here: `Exchange`, the one mutable thing per flow, and `ResponseClassifier`, which
the HTTP layer asks about an answer that arrives.

What this file does not know: routing, limits, the ledger.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from mitmproxy import http

from llm_gateway.accounting.failed_attempts import FailedSpend
from llm_gateway.adaptation.adapted import UNCHANGED, Adapted
from llm_gateway.adaptation.vocabulary import NO_QUIRKS, Quirk, Quirks
from llm_gateway.app.state import AppState
from llm_gateway.client_identity import Identity
from llm_gateway.config.models import Routing
from llm_gateway.dialects import DialectSpec, RequestBody
from llm_gateway.dialects.conversation import session_hash
from llm_gateway.domain import (
    AttemptRecord,
    Candidate,
    Decision,
    Dialect,
    GatewayRequest,
    Offer,
    Policy,
    RequestInfo,
    RequestRecord,
)
from llm_gateway.frozen import frozen
from llm_gateway.ids import new_id
from llm_gateway.limits.limiter import Reservation
from llm_gateway.pipeline.classifier import ResponseClassifier
from llm_gateway.pipeline.ingress import Ingress
from llm_gateway.pipeline.request_form import RequestForm
from llm_gateway.providers.catalog import Catalog
from llm_gateway.providers.upstream import Upstream
from llm_gateway.routing.failure_policy import FailedAttempt
from llm_gateway.routing.state import tightest
from llm_gateway.streaming.answer_meter import AnswerMeter
from llm_gateway.streaming.json_array import JsonArray
from llm_gateway.streaming.stream_meter import StreamMeter
from llm_gateway.translation.translator import AnswerTranslator

Fields = tuple[tuple[bytes, bytes], ...]
Taught = tuple[Quirk, ...]


@dataclass(slots=True, eq=False)
class Attempt:
    """One try that is under way."""

    candidate: Candidate
    form: RequestForm
    """What it sends: the client's own, or a translation."""
    upstream: Upstream
    record: AttemptRecord
    reservation: Reservation
    started: float
    """Loop time."""
    others: bool = False
    """Another candidate could answer instead."""
    fetched_key: str = field(default="", repr=False)
    """What was fetched to be sent as its key, if that is how it gets one."""
    strip_usage: bool = False
    mended: set[str] = field(default_factory=set)
    """Parts of the answer that did not reach the client as they came: `index`, `id`."""
    first_byte: float | None = None
    judge: "ResponseClassifier | None" = None
    translator: AnswerTranslator | None = None
    """Of an answer on its way to a client that speaks another dialect."""
    quirks: Quirks = NO_QUIRKS
    """What was known of its provider's model when the request left."""
    adapted: Adapted = UNCHANGED


@frozen
class Original:
    """What a request said before it was rewritten, its headers aside."""

    scheme: str
    host: str
    port: int
    path: str
    authority: str
    body: bytes


@dataclass(slots=True, eq=False)
class Exchange:
    """A routed request, from its arrival to its row."""

    flow: http.HTTPFlow
    call: GatewayRequest
    form: RequestForm
    """As the client wrote it."""
    headers: Fields
    """The client's own, as they came."""
    catalog: Catalog
    """The revision that this request is served under, whole."""
    ranks: Sequence[Sequence[Offer]]
    """Who has the asked name: exactly, by alias, by wildcard."""
    record: RequestRecord
    started: float
    """Loop time."""
    deadline: float
    """Loop time after which no further provider is tried."""
    original: Original | None = None
    """Where an intercepted app's own request went."""
    subpath: str = ""
    """Path under the dialect's own: `/count_tokens`."""
    query: str = ""
    """The client's, without the question mark."""
    cors_origin: str = ""
    """The page that may read the answer."""
    passthrough: bool = False
    """Nobody can serve it: the app's own host and key come last."""
    unspoken: bool = False
    """Everybody who has the model turned out not to speak the dialect, or cannot take what
    the request holds."""
    decision: Decision | None = None
    attempt: Attempt | None = None
    tried: list[tuple[str, FailedAttempt]] = field(default_factory=list)
    spent: list[FailedSpend] = field(default_factory=list)
    """Of failed attempts, what their providers reported, and is not on the row yet."""
    exclude: set[tuple[str, ...]] = field(default_factory=set)
    """Keys of offers that failed; with a fourth part, in this dialect only."""
    forms: dict[
        tuple[tuple[str, str, str], Dialect], tuple[Quirks, RequestForm | str]
    ] = field(default_factory=dict)
    """(key of an offer, dialect) -> what it is sent there under these quirks, or why it
    cannot be."""
    larger_than: int | None = None
    repeat: Candidate | None = None
    """The same one again: with a fresh credential, or without what it rejects."""
    repeats: set[tuple[str, str]] = field(default_factory=set)
    resends: dict[tuple[str, str, str], list[tuple[Taught, Taught]]] = field(
        default_factory=dict
    )
    """Key of an offer -> what each of its refusals that was sent again has taught, and
    what of that was new."""
    cluster_full: set[tuple[str, str, str]] = field(default_factory=set)
    """Keys of offers that the counters of all gateways had no room for."""
    cluster_asked: bool = False
    """Nobody had room by what was known of the others, and they were asked again."""
    cluster_away: bool = False
    """Something was not asked because those counters were not there."""
    unfit: dict[tuple[str, str, str], str] = field(default_factory=dict)
    """Key of an offer -> why it cannot take this request."""
    refused_history: FailedAttempt | None = None
    """The first refusal that may be about the turns: one other maker is asked."""
    refused_unfit: FailedAttempt | None = None
    """The last refusal that showed its candidate to be unfit."""
    blamed: Offer | None = None
    """Whose error goes back."""
    fresh: bool = False
    """The next attempt takes a new connection: a kept one turned out closed."""
    meter: StreamMeter | AnswerMeter | None = None
    """Of an answer that streams by."""
    array: JsonArray | None = None
    """Of a stream whose client takes one JSON array of its events."""
    truncated_by: str = ""
    """How the upstream broke off after content went out."""
    finished: bool = False
    recorded: bool = False
    """Its row is in the ledger."""

    adapted: dict[tuple[RequestForm, tuple[str, str, str]], tuple[Quirks, Adapted]] = (
        field(default_factory=dict)
    )
    """Of a large body: (form, key of an offer) -> what was made of it on a thread, for
    these quirks."""

    @property
    def body(self) -> RequestBody:
        """The client's own."""
        return self.form.body

    @property
    def dialect(self) -> DialectSpec:
        """The client's."""
        return self.form.body.dialect

    @property
    def closes(self) -> bool:
        """The client wants its connection closed behind the answer."""
        for name, value in self.headers:
            if len(name) == 10 and name.lower() == b"connection":
                return b"close" in value.lower()
        return False


_POLICIES = {policy.value: policy for policy in Policy}


def policy(runtime: AppState, request: http.Request, identity: Identity) -> Policy:
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


def translates(runtime: AppState, request: http.Request) -> bool:
    """Those may be asked, too, that do not speak the request's dialect.

    `x-gateway-translate: never` forbids it.
    """
    if not runtime.catalog.config.routing.translate:
        return False
    said: str = request.headers.get("x-gateway-translate", "")
    return said.strip().lower() != "never"


def passes_unserved(routing: Routing, policy: Policy) -> bool:
    """May an intercepted request that nobody here can serve go to its own host?"""
    passes = routing.unknown_model or (
        "reject" if policy is Policy.FREE_ONLY else "passthrough"
    )
    return passes == "passthrough"


def new_exchange(
    runtime: AppState,
    flow: http.HTTPFlow,
    way: Ingress,
    body: RequestBody,
    identity: Identity,
    ranks: Sequence[Sequence[Offer]],
    *,
    translate: bool = False,
) -> Exchange:
    """A request that will be served here, with its row."""
    catalog = runtime.catalog
    known = identity.known
    now = runtime.clock()
    request = flow.request
    proxied = way is not Ingress.BASE_URL
    call = GatewayRequest(
        id=new_id(now),
        at=now,
        ask=_of_session(body, request),
        client=identity.client,
        app=identity.app,
        known_client=known.name if known else None,
        ingress="proxy" if proxied else "base_url",
        host=request.host if proxied else "",
        policy=policy(runtime, request, identity),
        limits=known.limits if known else (),
        revision=catalog.revision,
        translate=translate,
    )
    started = asyncio.get_running_loop().time()
    return Exchange(
        flow=flow,
        call=call,
        form=RequestForm(body),
        headers=request.headers.fields,
        catalog=catalog,
        ranks=ranks,
        record=_record(call),
        started=started,
        deadline=started + catalog.config.routing.deadline_seconds,
        original=_original(request) if proxied else None,
        query=request.path.partition("?")[2],
    )


def _of_session(body: RequestBody, request: http.Request) -> RequestInfo:
    """What it asks, as a part of the session that the app names."""
    names = body.dialect.session_headers
    found = session_hash(request.headers.get(name, "") for name in names)
    if not found:
        return body.ask
    return replace(body.ask, conversation=found, opening=found)


def passage_record(
    runtime: AppState,
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


def _record(call: GatewayRequest) -> RequestRecord:
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
