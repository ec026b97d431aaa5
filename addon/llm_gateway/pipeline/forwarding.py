"""Forwards a routed request: decide, reserve, write the row, send.

What lives here: `Forwarder`, which takes an `Exchange` from one candidate to the next. The
thinking is the core's; this is the order in which it is asked and what is done with its
answers. Nothing leaves before its reservation is in the ledger.

What this file does not know: how a client addressed the gateway, what a failure means
(failures.py), how an answer ends (settlement.py).
"""

import asyncio
import random
from collections.abc import Callable

from mitmproxy import http

from llm_gateway.adaptation.adapted import UNCHANGED
from llm_gateway.adaptation.vocabulary import NO_QUIRKS
from llm_gateway.app.state import AppState, committed
from llm_gateway.domain import (
    AttemptRecord,
    Candidate,
    Decision,
    FailureKind,
    RequestInfo,
)
from llm_gateway.ledger.write_queue import CommitFuture
from llm_gateway.limits.limiter import LimitRefusal, scopes_of
from llm_gateway.network.outbound_proxy import went_away
from llm_gateway.pipeline.adapting import (
    adapt,
    adapt_aside,
    decision_with,
    is_late,
    known_quirks,
)
from llm_gateway.pipeline.classifier import ResponseClassifier
from llm_gateway.pipeline.exchange import Attempt, Exchange
from llm_gateway.pipeline.failures import FailureHandler
from llm_gateway.pipeline.ingress import INLINE_BYTES
from llm_gateway.pipeline.settlement import Settlement
from llm_gateway.providers.credentials import CredentialError
from llm_gateway.providers.upstream_request import Outbound, build
from llm_gateway.routing.failure_policy import FailedAttempt
from llm_gateway.routing.selection import decide
from llm_gateway.routing.state import RoutingView
from llm_gateway.transport.attempt_policy import (
    Action,
    AttemptPolicy,
    Failure,
    plan_of,
    set_plan,
)
from llm_gateway.transport.connecting import answers_at_all


class Forwarder:
    def __init__(
        self,
        runtime: AppState,
        settling: Settlement,
        setbacks: FailureHandler,
        tie_break: Callable[[], float] = random.random,
    ) -> None:
        self.runtime = runtime
        self.settling = settling
        self.setbacks = setbacks
        self.tie_break = tie_break

    async def begin(self, exchange: Exchange) -> None:
        """Send the request to the first candidate, or answer it right here."""
        self.runtime.in_flight += 1
        await self._next(exchange)

    async def failed(self, exchange: Exchange, failure: Failure) -> None:
        """An attempt failed before the client saw a byte: another one, or the last word."""
        await note_proxy(self.runtime, failure)
        if failure.status is not None and len(exchange.body.raw) > INLINE_BYTES:
            await asyncio.to_thread(exchange.values)  # for what the refusal may teach
        if failure.stale:
            self.setbacks.stale(exchange)
            await self._next(exchange)
        elif self.setbacks.failed(exchange, failure):
            await self._next(exchange)
        failure.action = Action.RESPOND if exchange.flow.response else Action.RETRY

    async def _next(self, exchange: Exchange) -> None:
        """Prepare the flow for the next candidate; without one, set its response."""
        runtime = self.runtime
        loop = asyncio.get_running_loop()
        routing = exchange.catalog.config.routing
        while True:
            now = runtime.clock()
            view = self._view(exchange, now)
            decision = self._decide(exchange, view)
            if exchange.decision is None:
                exchange.decision = decision
            out_of_tries = len(exchange.tried) >= routing.max_attempts
            if out_of_tries or loop.time() >= exchange.deadline:
                break
            if await self._adapted_aside(exchange, decision):
                continue  # it took a while: how do things stand now?
            unfit = len(exchange.unfit)
            taken = self._reserve(exchange, decision, view)
            if len(exchange.unfit) > unfit and not exchange.recorded:
                exchange.decision = self._decide(exchange, view)
            if taken is None:
                if len(exchange.unfit) > unfit:
                    continue
                break
            if await self._prepare(exchange, taken):
                return
        self.setbacks.respond_exhausted(exchange, decision, now)

    async def _adapted_aside(self, exchange: Exchange, decision: Decision) -> bool:
        """A large body was adapted to whoever comes next, on a thread."""
        candidate = exchange.repeat or next(iter(decision.ready), None)
        if candidate is None:
            return False
        offer = candidate.offer
        upstream = exchange.catalog.upstreams[offer.provider, offer.account]
        quirks = known_quirks(self.runtime, exchange, upstream, offer)
        if not is_late(exchange, offer, quirks):
            return False
        await adapt_aside(self.runtime, exchange, upstream, offer, quirks)
        return True

    def _view(self, exchange: Exchange, now: float) -> RoutingView:
        """How things stand for this call at this moment."""
        call = exchange.call
        view = RoutingView(self.runtime, exchange.catalog, now, call.known_client)
        if exchange.catalog.config.routing.sticky:
            warm = self.runtime.affinity.lookup(call.ask.conversation, now)
            if warm is not None:
                view.warm, view.warm_share = warm.offer, warm.cache_hit_ratio
        return view

    def _decide(self, exchange: Exchange, view: RoutingView) -> Decision:
        return decide(
            exchange.call,
            exchange.ranks,
            view,
            affinity=view.warm,
            tie_break=self.tie_break,
            exclude=frozenset(exchange.exclude),
            unfit=exchange.unfit,
            min_context_window=exchange.larger_than,
        )

    def _reserve(
        self, exchange: Exchange, decision: Decision, view: RoutingView
    ) -> Attempt | None:
        """Room for the first candidate that has it."""
        runtime = self.runtime
        now = view.now
        ready = decision.ready
        if exchange.repeat is not None:
            ready = (exchange.repeat, *ready)
            exchange.repeat = None
        for candidate in ready:
            offer = candidate.offer
            upstream = exchange.catalog.upstreams[offer.provider, offer.account]
            quirks = known_quirks(runtime, exchange, upstream, offer)
            adapted = adapt(runtime, exchange, upstream, offer, quirks)
            if adapted.unfit:
                exchange.unfit[offer.key] = adapted.unfit
                continue
            n = exchange.record.attempts + 1
            need = view.need(offer, exchange.call.ask)
            reserved = runtime.limiter.reserve(
                exchange.catalog.limits_for(offer, exchange.call.known_client),
                need,
                now,
                id=f"{exchange.call.id}/{n}",
                scopes=scopes_of(*offer.key, exchange.call.known_client),
            )
            if isinstance(reserved, LimitRefusal):
                continue
            record = AttemptRecord(
                exchange.call.id,
                n,
                now,
                offer.provider,
                offer.account,
                offer.model,
                tokens=need.tokens,
                cost=need.cost,
            )
            exchange.record.attempts = n
            runtime.health.record_dispatch(offer.key, now)
            started = asyncio.get_running_loop().time()
            routing = exchange.catalog.config.routing
            others = len(exchange.tried) + 1 < routing.max_attempts and any(
                other.offer.key != offer.key for other in ready
            )
            return Attempt(
                candidate,
                upstream,
                record,
                reserved,
                started,
                others=others,
                quirks=quirks,
                adapted=adapted,
            )
        return None

    async def _prepare(self, exchange: Exchange, attempt: Attempt) -> bool:
        """Fetch a credential, write the reservation down, rewrite the flow."""
        runtime = self.runtime
        exchange.attempt = attempt
        record = exchange.record
        record.reserved_tokens = attempt.record.tokens
        record.reserved_cost = attempt.record.cost
        record.adapted = ""
        if attempt.adapted is not UNCHANGED:
            record.adapted = ", ".join(attempt.adapted.parts)
            if record.adapted and exchange.decision is not None:
                exchange.decision = decision_with(exchange.decision, attempt)
        credential = None
        if attempt.upstream.needs_credential:
            try:
                credential = await runtime.credentials.get(attempt.upstream)
            except CredentialError as e:
                self._write(exchange, attempt)
                failed = FailedAttempt(
                    "status" if e.status else "connect", str(e), e.status
                )
                return not self.setbacks.judge(exchange, failed)
            attempt.fetched_key = credential.token.get_secret_value()
        offer = attempt.candidate.offer
        ask = exchange.call.ask
        out = build(
            attempt.upstream,
            offer,
            exchange.dialect,
            exchange.body,
            client_headers=exchange.headers,
            streamed=ask.stream,
            include_usage=attempt.quirks is NO_QUIRKS
            or attempt.quirks.value("member", "stream_options") is None,
            adapted=attempt.adapted,
            credential=credential,
            request_id=exchange.call.id,
            below=exchange.subpath,
            query=exchange.query,
            intercepted=exchange.original is not None,
            drop=attempt.candidate.drops,
            max_tokens=self._most_output(attempt.candidate, ask),
        )
        attempt.strip_usage = out.strip_usage
        await committed(self._write(exchange, attempt))
        self._send(exchange, attempt, out)
        return True

    def _most_output(self, candidate: Candidate, ask: RequestInfo) -> int | None:
        """What `max_tokens` is lowered to: by the decision, or by what was learned since."""
        learned = self.runtime.most_output(candidate.offer, ask)
        found = [n for n in (candidate.max_tokens, learned) if n is not None]
        return min(found, default=None)

    def _write(self, exchange: Exchange, attempt: Attempt) -> CommitFuture:
        """Its rows, with what is reserved."""
        store = self.runtime.store
        if exchange.recorded:
            if exchange.record.adapted and exchange.decision is not None:
                store.decision(exchange.record, exchange.decision)
            return store.attempt(attempt.record)
        exchange.recorded = True
        return store.begin(exchange.record, attempt.record, exchange.decision)

    def _send(self, exchange: Exchange, attempt: Attempt, out: Outbound) -> None:
        loop = asyncio.get_running_loop()
        attempt.started = loop.time()
        routing = exchange.catalog.config.routing
        judge = ResponseClassifier(
            exchange.dialect,
            exchange.call.ask.stream,
            loop.time,
            below=bool(exchange.subpath),
        )
        attempt.judge = judge
        rewrite_request(exchange.flow.request, out)
        self.runtime.origins.add((out.host, out.port))
        set_plan(
            exchange.flow,
            AttemptPolicy(
                classifier=judge,
                connect_timeout=routing.connect_timeout_seconds,
                first_byte_timeout=routing.first_byte_timeout_seconds,
                idle_timeout=routing.idle_timeout_seconds,
                deadline=self._until(exchange, attempt),
                pooled=True,
                truncation_tail=lambda message: self.settling.truncation_event(
                    exchange, message
                ),
                proxy=attempt.upstream.proxy_for(out.scheme, out.host, out.port),
                fresh=exchange.fresh,
            ),
        )
        exchange.fresh = False

    @staticmethod
    def _until(exchange: Exchange, attempt: Attempt) -> float:
        """When an answer must have begun. While another one could answer, nobody gets more
        than half of the time that is left, however lively its pings are."""
        if not attempt.others:
            return exchange.deadline
        return attempt.started + (exchange.deadline - attempt.started) / 2


async def note_proxy(runtime: AppState, failure: Failure) -> None:
    """Was it the outbound proxy? Then it is said so, of it and of nobody else."""
    plan = plan_of(failure.flow)
    if plan is None or plan.proxy is None:
        return
    if failure.kind is FailureKind.CLOSED and failure.status is None:
        # All its tunnels break when a proxy dies, and the first to see it are these.
        if await answers_at_all(plan.proxy):
            return
        failure.kind = FailureKind.PROXY
        failure.message = went_away(plan.proxy)
    if failure.kind is FailureKind.PROXY:
        runtime.proxies.record(plan.proxy, failure.message)


def rewrite_request(request: http.Request, out: Outbound) -> None:
    """Turn the client's request into the one that leaves. Nothing of it remains."""
    data = request.data
    data.scheme = out.scheme.encode()
    data.host = out.host
    data.port = out.port
    data.path = out.path.encode()
    data.authority = b""
    data.headers = http.Headers(
        (*out.headers, (b"content-length", str(len(out.body)).encode()))
    )
    data.content = out.body
    data.trailers = None


def restore_request(exchange: Exchange) -> None:
    """The client's own request again, as it came."""
    original = exchange.original
    assert original is not None
    data = exchange.flow.request.data
    data.scheme = original.scheme.encode()
    data.host, data.port = original.host, original.port
    data.path = original.path.encode()
    data.authority = original.authority.encode()
    data.headers = http.Headers(exchange.headers)
    data.content = original.body
