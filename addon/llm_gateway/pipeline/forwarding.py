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
from dataclasses import replace
from typing import TYPE_CHECKING

from mitmproxy import http

from llm_gateway.adaptation.adapted import UNCHANGED, Adapted
from llm_gateway.adaptation.vocabulary import NO_QUIRKS, Quirks
from llm_gateway.app.state import AppState, committed
from llm_gateway.domain import (
    AttemptRecord,
    Candidate,
    Decision,
    Dialect,
    FailureKind,
    RequestInfo,
)
from llm_gateway.ledger.write_queue import CommitFuture
from llm_gateway.limits.limiter import LimitRefusal, scopes_of
from llm_gateway.network.outbound_proxy import went_away
from llm_gateway.pipeline import translating
from llm_gateway.pipeline.adapting import (
    adapt,
    adapt_aside,
    adaptation_of,
    decision_with,
    is_late,
    known_quirks,
)
from llm_gateway.pipeline.call_markup import markup_of
from llm_gateway.pipeline.classifier import ResponseClassifier
from llm_gateway.pipeline.exchange import Attempt, Exchange
from llm_gateway.pipeline.failures import FailureHandler
from llm_gateway.pipeline.ingress import INLINE_BYTES
from llm_gateway.pipeline.request_form import RequestForm
from llm_gateway.pipeline.settlement import Settlement
from llm_gateway.providers.credentials import CredentialError
from llm_gateway.providers.upstream import Upstream
from llm_gateway.providers.upstream_request import Outbound, build
from llm_gateway.routing.failure_policy import FailedAttempt
from llm_gateway.routing.selection import CANNOT_TAKE, decide
from llm_gateway.routing.state import RoutingView
from llm_gateway.transport.attempt_policy import (
    Action,
    AttemptPolicy,
    Failure,
    plan_of,
    set_plan,
)
from llm_gateway.transport.connecting import answers_at_all

if TYPE_CHECKING:
    from llm_gateway.cluster.service import ClusterService


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

    def judge(self, exchange: Exchange) -> Decision:
        """The decision about a request that is not sent: of each candidate what would
        be written otherwise, or why it cannot be asked. The order of the config breaks
        ties, so that asking twice gives one answer."""
        view = self._view(exchange, self.runtime.clock())
        shown: dict[tuple[str, str, str], Candidate] = {}
        for candidate in self._decide(exchange, view, lambda: 0.0).ready:
            offer = candidate.offer
            upstream = exchange.catalog.upstreams[offer.provider, offer.account]
            fitting = self._fitting(exchange, upstream, candidate, view)
            if isinstance(fitting, str):
                exchange.unfit[offer.key] = fitting
                continue
            candidate, form, _, adapted = fitting
            if form.translation is not None or adapted.changes:
                notes = adaptation_of(form, adapted)
                candidate = replace(candidate, adaptation=notes)
            shown[offer.key] = candidate
        found = self._decide(exchange, view, lambda: 0.0)
        return replace(
            found,
            candidates=tuple(
                replace(c, dialect=made.dialect, adaptation=made.adaptation)
                if (made := shown.get(c.offer.key))
                else c
                for c in found.candidates
            ),
        )

    async def failed(self, exchange: Exchange, failure: Failure) -> None:
        """An attempt failed before the client saw a byte: another one, or the last word."""
        await note_proxy(self.runtime, failure)
        form = exchange.attempt.form if exchange.attempt is not None else exchange.form
        if failure.status is not None and len(form.body.raw) > INLINE_BYTES:
            await asyncio.to_thread(form.values)  # for what the refusal may teach
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
            large = len(exchange.body.raw) > INLINE_BYTES
            if large and await self._written_aside(exchange, decision):
                continue  # it took a while: how do things stand now?
            unfit = len(exchange.unfit)
            taken = self._reserve(exchange, decision, view)
            if len(exchange.unfit) > unfit and not exchange.recorded:
                exchange.decision = self._decide(exchange, view)
            if taken is None:
                if len(exchange.unfit) > unfit:
                    continue
                if runtime.cluster is not None and not exchange.cluster_asked:
                    exchange.cluster_asked = True
                    if await runtime.cluster.refresh():
                        continue
                break
            if runtime.cluster is not None and not await confirmed(
                runtime.cluster, runtime, exchange, taken
            ):
                if exchange.finished:
                    return
                continue
            if await self._prepare(exchange, taken):
                return
        self.setbacks.respond_exhausted(exchange, decision, now)

    async def _written_aside(self, exchange: Exchange, decision: Decision) -> bool:
        """A large body was translated for, or adapted to, whoever comes next, on a thread."""
        candidate = exchange.repeat or next(iter(decision.ready), None)
        if candidate is None:
            return False
        offer = candidate.offer
        upstream = exchange.catalog.upstreams[offer.provider, offer.account]
        runtime = self.runtime
        if translating.is_late(runtime, exchange, upstream, candidate):
            await asyncio.to_thread(
                translating.form_of, runtime, exchange, upstream, candidate
            )
            return True
        form = translating.form_of(runtime, exchange, upstream, candidate)
        if isinstance(form, str):
            return False
        quirks = known_quirks(runtime, exchange, form.dialect.name, upstream, offer)
        if not is_late(exchange, form, offer, quirks):
            return False
        await adapt_aside(runtime, exchange, form, upstream, offer, quirks)
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

    def _decide(
        self,
        exchange: Exchange,
        view: RoutingView,
        tie_break: Callable[[], float] | None = None,
    ) -> Decision:
        return decide(
            exchange.call,
            exchange.ranks,
            view,
            affinity=view.warm,
            tie_break=tie_break or self.tie_break,
            exclude=exchange.exclude,
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
            fitting = self._fitting(exchange, upstream, candidate, view)
            if isinstance(fitting, str):
                exchange.unfit[offer.key] = fitting
                continue
            candidate, form, quirks, adapted = fitting
            n = exchange.record.attempts + 1
            ask = exchange.call.ask if form is exchange.form else form.body.ask
            need = view.need(offer, ask)
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
            others = (
                len(ready) > 1
                and len(exchange.tried) + 1 < routing.max_attempts
                and any(other.offer.key != offer.key for other in ready)
            )
            return Attempt(
                candidate,
                form,
                upstream,
                record,
                reserved,
                started,
                others=others,
                quirks=quirks,
                adapted=adapted,
            )
        return None

    def _fitting(
        self,
        exchange: Exchange,
        upstream: Upstream,
        candidate: Candidate,
        view: RoutingView,
    ) -> tuple[Candidate, RequestForm, Quirks, Adapted] | str:
        """What a candidate is sent: in the dialect of the decision, or in another one that
        it speaks where that cannot hold the request; else why none can."""
        runtime, offer = self.runtime, candidate.offer
        dialect, why = candidate.dialect or exchange.dialect.name, ""
        others: list[Dialect] | None = None
        while True:
            form = translating.form_of(runtime, exchange, upstream, candidate)
            if isinstance(form, str):
                why = why or form
            else:
                quirks = known_quirks(runtime, exchange, dialect, upstream, offer)
                adapted = adapt(runtime, exchange, form, upstream, offer, quirks)
                if not adapted.unfit:
                    return candidate, form, quirks, adapted
                why = why or CANNOT_TAKE + adapted.unfit
            if others is None:
                others = [
                    other
                    for other in translating.other_ways(exchange, offer, dialect)
                    if view.unavailable(offer, other) is None
                ]
            if not others:
                return why
            dialect = others.pop(0)
            native = dialect == exchange.dialect.name
            candidate = replace(candidate, dialect=None if native else dialect)

    async def _prepare(self, exchange: Exchange, attempt: Attempt) -> bool:
        """Fetch a credential, write the reservation down, rewrite the flow."""
        runtime = self.runtime
        exchange.attempt = attempt
        record = exchange.record
        record.reserved_tokens = attempt.record.tokens
        record.reserved_cost = attempt.record.cost
        record.adapted, record.translated = "", ""
        if attempt.adapted is not UNCHANGED:
            record.adapted = ", ".join(attempt.adapted.parts)
        if (translation := attempt.form.translation) is not None:
            record.translated = translation.pair
        if (record.adapted or record.translated) and exchange.decision is not None:
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
        ask = exchange.call.ask if translation is None else attempt.form.body.ask
        out = build(
            attempt.upstream,
            offer,
            attempt.form.dialect,
            attempt.form.body,
            client_headers=exchange.headers,
            streamed=ask.stream,
            include_usage=attempt.quirks is NO_QUIRKS
            or attempt.quirks.value("member", "stream_options") is None,
            adapted=attempt.adapted,
            credential=credential,
            request_id=exchange.call.id,
            below=exchange.subpath,
            query=exchange.query if translation is None else "",
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
            record = exchange.record
            if (record.adapted or record.translated) and exchange.decision is not None:
                store.decision(exchange.record, exchange.decision)
            return store.attempt(attempt.record)
        exchange.recorded = True
        return store.begin(exchange.record, attempt.record, exchange.decision)

    def _send(self, exchange: Exchange, attempt: Attempt, out: Outbound) -> None:
        loop = asyncio.get_running_loop()
        attempt.started = loop.time()
        routing = exchange.catalog.config.routing
        judge = ResponseClassifier(
            attempt.form.dialect,
            exchange.call.ask.stream,
            loop.time,
            below=bool(exchange.subpath),
            markup=None if exchange.subpath else markup_of(attempt),
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


async def confirmed(
    cluster: "ClusterService", runtime: AppState, exchange: Exchange, taken: Attempt
) -> bool:
    """The other gateways' counters have room, too. Where not, nothing stays of the try."""
    offer = taken.candidate.offer
    client = exchange.call.known_client
    said = await cluster.confirm(
        taken.reservation,
        exchange.catalog.limits_for(offer, client),
        scopes_of(*offer.key, client),
        zero_cost=taken.candidate.zero_cost,
    )
    if said == "granted" and not exchange.finished:
        return True
    runtime.limiter.release(taken.reservation, runtime.clock())
    runtime.health.release_probe(offer.key)
    exchange.record.attempts -= 1
    if said == "away":
        exchange.cluster_away = True
        exchange.exclude.add(offer.key)
    elif offer.key in exchange.cluster_full:
        exchange.exclude.add(offer.key)  # it was taught, and is not asked a third time
    exchange.cluster_full.add(offer.key)
    return False


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
