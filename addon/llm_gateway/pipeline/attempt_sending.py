"""Sends an attempt: fetch a credential, write the reservation down, rewrite the flow.

What lives here: `AttemptSender`. Nothing leaves before its reservation is in the ledger.

What this file does not know: who is asked (candidate_reservation.py).
"""

import asyncio

from llm_gateway.adaptation.adapted import UNCHANGED
from llm_gateway.adaptation.vocabulary import NO_QUIRKS
from llm_gateway.app.state import AppState, committed
from llm_gateway.domain import Candidate
from llm_gateway.ledger.write_queue import CommitFuture
from llm_gateway.pipeline.adapting import decision_with, tried_quirks
from llm_gateway.pipeline.call_markup import markup_of
from llm_gateway.pipeline.classifier import ResponseClassifier
from llm_gateway.pipeline.exchange import Attempt, Exchange
from llm_gateway.pipeline.failures import FailureHandler
from llm_gateway.pipeline.flow_rewriting import rewrite_request
from llm_gateway.pipeline.stream_endings import truncation_event
from llm_gateway.providers.credentials import CredentialError
from llm_gateway.providers.outbound_request import Outbound
from llm_gateway.providers.upstream_request import build
from llm_gateway.routing.failure_policy import FailedAttempt
from llm_gateway.transport.attempt_policy import AttemptPolicy, set_plan


class AttemptSender:
    def __init__(self, runtime: AppState, setbacks: FailureHandler) -> None:
        self.runtime = runtime
        self.setbacks = setbacks

    async def prepare(self, exchange: Exchange, attempt: Attempt) -> bool:
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
            max_tokens=self._most_output(exchange, attempt.candidate),
        )
        attempt.strip_usage = out.strip_usage
        await committed(self._write(exchange, attempt))
        self._send(exchange, attempt, out)
        return True

    def _most_output(self, exchange: Exchange, candidate: Candidate) -> int | None:
        """What `max_tokens` is lowered to: by the decision, or by what was learned since."""
        ask, offer = exchange.call.ask, candidate.offer
        if ask.max_tokens is None:
            return candidate.max_tokens
        tried = tried_quirks(self.runtime, exchange, ask.dialect, offer)
        learned = self.runtime.most_output(offer, ask, tried)
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
            others=attempt.others,
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
                truncation_tail=lambda message: truncation_event(exchange, message),
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
