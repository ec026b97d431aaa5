"""Settles a request: usage, cost, reservation, ledger row. Runs once, however it ended.

What lives here: `Settlement`. When an answer is over, the reservation becomes real use,
whoever ended it: the upstream, the client or a cut. `close` runs exactly once per exchange.

What this file does not know: who is asked, what comes after a failure, how an answer is
streamed (answer_streaming.py).
"""

import asyncio
from dataclasses import dataclass, field

from llm_gateway.accounting.failed_attempts import add_to_record
from llm_gateway.app.state import AppState
from llm_gateway.domain import AttemptRecord, Charge, Usage
from llm_gateway.pipeline import issued, lessons, plain_answers
from llm_gateway.pipeline.access_log import log_line
from llm_gateway.pipeline.adapting import decision_with
from llm_gateway.pipeline.exchange import Attempt, Exchange
from llm_gateway.pipeline.failure_settlement import FailureSettlement
from llm_gateway.pipeline.request_pricing import RequestPricing
from llm_gateway.pipeline.stream_blame import StreamBlame
from llm_gateway.routing.state import name_key
from llm_gateway.streaming.answer_meter import AnswerMeter
from llm_gateway.transport.attempt_policy import plan_of


@dataclass(slots=True)
class Settlement:
    runtime: AppState
    pricing: RequestPricing
    blaming: StreamBlame
    failed: FailureSettlement = field(init=False)
    """Of attempts that failed before the client saw a byte."""

    def __post_init__(self) -> None:
        self.failed = FailureSettlement(self.runtime, self.pricing)

    def finish(
        self,
        exchange: Exchange,
        *,
        error: str | None = None,
        died: str = "",
        stopped: bool = False,
    ) -> None:
        """The answer is over, good or bad. Runs once, from whichever hook is first.

        `died` says how the upstream broke off, `stopped` that the gateway ends; without
        them an error is the client's. To a stream whose last word has come none of it
        matters: the client has its whole answer.
        """
        if exchange.finished or exchange.attempt is None:
            self.close(exchange)
            return
        attempt = exchange.attempt
        runtime = self.runtime
        now = runtime.clock()
        outcome = "ok"
        died = died or exchange.truncated_by
        if exchange.meter is not None and exchange.meter.ended:
            died, stopped, error = "", False, None
            exchange.truncated_by = ""
        if died:
            outcome, exchange.truncated_by = "truncated", died
        elif stopped or error is not None:
            outcome = "truncated" if stopped else "cancelled"
            record, reason = exchange.record, "client went away"
            record.error = "client_disconnected"
            if stopped:
                record.error, reason = "gateway_stopped", "gateway stopped"
            attempt.record.reason = reason
            plan = plan_of(exchange.flow)
            if plan is None or not plan.sent:
                self.cancel_unsent(exchange, attempt, now)
                return
        found = self.pricing.usage_of(exchange, attempt, outcome)
        offer = attempt.candidate.offer
        record = exchange.record
        record.provider, record.account, record.model = offer.key
        self.pricing.price(record, offer, attempt.candidate.zero_cost, found)
        real = Charge(1, found.total, record.cost or 0)
        if found.source == "unknown":
            real = attempt.reservation.need
        runtime.limiter.settle(attempt.reservation, real, now)
        attempt.record.tokens, attempt.record.cost = real.tokens, real.cost
        self._add_failed(exchange, answered=True)
        attempt.record.status = record.status
        if outcome == "ok":
            self._good(exchange, attempt, found, now)
        elif died:
            attempt.record.reason = f"cut: {died}"
            record.error = "upstream_truncated"
            self.blaming.blame(exchange, offer)
        else:
            runtime.health.release_probe(offer.key)
        record.outcome = outcome
        response = exchange.flow.response
        if response and not response.stream and outcome == "ok":
            plain_answers.complete(runtime, exchange, attempt)
        elif isinstance(exchange.meter, AnswerMeter) and outcome == "ok":
            issued.read_whole(runtime, exchange, attempt, exchange.meter.whole())
            attempt.mended = set()  # it has reached the client as it came
        translator = attempt.translator
        if translator is not None and translator.failed_with and outcome == "ok":
            # The provider's answer is whole; what became of it for the client is not.
            record.outcome, record.error = "error", "translation_failed"
        lost = translator is not None and (
            translator.dropped or translator.approximated
        )
        if (attempt.mended or lost) and exchange.decision is not None:
            exchange.decision = decision_with(exchange.decision, attempt)
            runtime.store.decision(record, exchange.decision)
        self._attempt_over(exchange, outcome)
        self.close(exchange, attempt.record)
        peek = attempt.judge.peek if attempt.judge is not None else None
        name = peek.stored_id if peek is not None else None
        if name is not None and attempt.form.translation is None:
            zero_cost = attempt.candidate.zero_cost
            runtime.store.bind(record, name, zero_cost=zero_cost)

    def cancel_unsent(self, exchange: Exchange, attempt: Attempt, now: float) -> None:
        """It was over before the request was on the way: nobody counts it."""
        runtime = self.runtime
        runtime.limiter.release(attempt.reservation, now)
        attempt.record.tokens = attempt.record.cost = 0
        attempt.record.counted = False
        attempt.record.reason += " before it was sent"
        runtime.health.release_probe(attempt.candidate.offer.key)
        exchange.record.outcome = "cancelled"
        self._attempt_over(exchange, "cancelled")
        self.close(exchange, attempt.record)

    def _good(
        self, exchange: Exchange, attempt: Attempt, found: Usage, now: float
    ) -> None:
        runtime = self.runtime
        offer = attempt.candidate.offer
        ask, dialect = exchange.call.ask, attempt.form.dialect.name
        lessons.answered(runtime, exchange, attempt, now)
        if runtime.health.record_success(
            offer.key, now, asker=exchange.call.client, dialect=dialect
        ):
            runtime.event("circuit", offer.label, "works again")
        if found.source == "reported":
            for key in (offer.key, name_key(ask)):
                runtime.estimator.learn(key, ask.input_estimate, found.prompt)
                runtime.estimator.learn_output(key, found.completion)
        share = found.cached_tokens / found.prompt if found.prompt else 0.0
        runtime.affinity.remember(ask.conversation, offer.key, now, share)

    @staticmethod
    def _add_failed(exchange: Exchange, *, answered: bool) -> None:
        """What failed attempts cost is the request's, whoever answered it."""
        add_to_record(exchange.record, exchange.spent, answered=answered)
        exchange.spent.clear()

    def end_attempt(self, exchange: Exchange, outcome: str) -> None:
        """An attempt is over, the request is not."""
        record = self._attempt_over(exchange, outcome)
        if exchange.recorded:
            self.runtime.store.end_attempt(record)

    def _attempt_over(self, exchange: Exchange, outcome: str) -> AttemptRecord:
        attempt = exchange.attempt
        assert attempt is not None
        ended = asyncio.get_running_loop().time()
        record = attempt.record
        record.outcome = outcome
        record.duration_ms = round((ended - attempt.started) * 1000)
        if attempt.first_byte is not None:
            record.ttft_ms = round((attempt.first_byte - attempt.started) * 1000)
        return record

    def abort(self, exchange: Exchange) -> None:
        """A bug of ours ended it. What was reserved stays counted: it may have left."""
        record = exchange.record
        record.outcome, record.error, record.status = "error", "internal_error", 500
        attempt = exchange.attempt
        if attempt is not None and attempt.record.outcome == "in_flight":
            attempt.record.reason = "internal error"
            need = attempt.reservation.need
            self.runtime.limiter.settle(attempt.reservation, need, self.runtime.clock())
            self.end_attempt(exchange, "failed")
        self.close(exchange)

    def convert_to_passthrough(self, exchange: Exchange) -> None:
        """The request goes on as a passage, which completes its row."""
        exchange.finished = True
        exchange.attempt = None
        self.runtime.in_flight -= 1
        record = exchange.record
        record.error, record.adapted, record.translated = None, "", ""

    def close(self, exchange: Exchange, last: AttemptRecord | None = None) -> None:
        """Complete the row, and that of the last attempt if it ended with it.

        The end of every routed request, whatever became of it.
        """
        if exchange.finished:
            return
        exchange.finished = True
        runtime = self.runtime
        runtime.in_flight -= 1
        runtime.state_dirty = True
        record = exchange.record
        ended = asyncio.get_running_loop().time()
        record.duration_ms = round((ended - exchange.started) * 1000)
        attempt = exchange.attempt
        if attempt is not None and attempt.first_byte is not None:
            record.ttft_ms = round((attempt.first_byte - exchange.started) * 1000)
        if record.outcome == "in_flight":
            record.outcome = "cancelled"
        self._add_failed(exchange, answered=False)
        if exchange.recorded:
            runtime.store.end(record, last)
        else:
            exchange.recorded = True
            runtime.store.begin(record, None, exchange.decision)
        log_line(exchange)
