"""Handles a failed attempt: update limits and health, choose the next candidate or answer.

What lives here: `FailureHandler`. The core judges a failure; here its verdict is carried out:
reservation settled or released, quirks learned, another candidate named, or the client
answered.

What this file does not know: how the next attempt is made, what a penalty is made of
(failure_penalties.py).
"""

from dataclasses import dataclass, replace

from llm_gateway.app.state import AppState
from llm_gateway.domain import Charge, FailureKind
from llm_gateway.pipeline.exchange import Attempt, Exchange
from llm_gateway.pipeline.failure_penalties import FailurePenalties
from llm_gateway.pipeline.failure_reading import read_failure, read_rejected
from llm_gateway.pipeline.final_errors import FinalErrors
from llm_gateway.pipeline.observed_limits import observe_limits
from llm_gateway.pipeline.refusals import Refusals, same_maker
from llm_gateway.pipeline.settlement import Settlement
from llm_gateway.pipeline.translating import other_ways
from llm_gateway.routing import failure_policy
from llm_gateway.routing.failure_policy import FailedAttempt, NextStep, Penalty
from llm_gateway.transport.attempt_policy import Failure

_OF_DIALECT = (Penalty.DISABLE_DIALECT, Penalty.DISABLE_ENDPOINT)
_OF_PATHS = (Penalty.DISABLE_DIALECT, Penalty.DISABLE_MODEL, Penalty.DISABLE_ENDPOINT)


@dataclass(slots=True)
class FailureHandler:
    runtime: AppState
    settling: Settlement
    refusals: Refusals
    penalties: FailurePenalties
    final: FinalErrors

    def failed(self, exchange: Exchange, failure: Failure) -> bool:
        """Judge it. True when another candidate may be tried."""
        attempt = exchange.attempt
        assert attempt is not None
        if attempt.judge is not None:
            attempt.first_byte = attempt.judge.first_byte
        observe_limits(self.runtime, exchange, attempt, failure.headers)
        runtime = self.runtime
        if failure.kind is FailureKind.JUDGED:
            failed = read_rejected(runtime, exchange, attempt, failure)
        elif failure.kind is FailureKind.STATUS and failure.status is not None:
            failed = read_failure(runtime, exchange, attempt, failure, failure.status)
        else:
            failed = FailedAttempt(
                failure.kind.value,
                failure.message,
                failure.status,
                sent=failure.request_sent,
            )
        return self.judge(exchange, failed)

    def stale(self, exchange: Exchange) -> None:
        """A kept connection had been closed: the same candidate is asked again.

        Nobody's fault, so nothing is remembered; but the provider may have seen the
        request, so it counts, and the next one needs room of its own.
        """
        attempt = exchange.attempt
        assert attempt is not None
        runtime = self.runtime
        runtime.health.release_probe(attempt.candidate.offer.key)
        runtime.limiter.settle(attempt.reservation, Charge(requests=1), runtime.clock())
        record = attempt.record
        record.tokens = record.cost = 0
        record.reason = "repaired: stale connection"
        self.settling.end_attempt(exchange, "repaired")
        exchange.repeat, exchange.fresh = attempt.candidate, True
        runtime.state_dirty = True

    def judge(self, exchange: Exchange, failed: FailedAttempt) -> bool:
        """Remember what a failure means. False when the client's own error goes back."""
        runtime = self.runtime
        now = runtime.clock()
        attempt = exchange.attempt
        assert attempt is not None
        offer = attempt.candidate.offer
        can_refresh = (
            attempt.upstream.needs_credential
            and ("refresh", offer.provider) not in exchange.repeats
        )
        judged = failure_policy.classify(failed, now, can_refresh=can_refresh)
        failed = replace(
            failed,
            offer=offer,
            adapted=exchange.record.adapted,
            translated=exchange.record.translated,
        )
        judged = self.refusals.judge(exchange, attempt, failed, judged)
        if judged.next is NextStep.RETRY_WITH_QUIRK:
            self.refusals.resend(exchange, attempt, failed)
            return True
        if exchange.subpath and judged.penalty in _OF_PATHS:
            # It may not count tokens and still answer messages.
            judged = replace(judged, penalty=Penalty.NOTHING)
        self.penalties.carry_out(exchange, attempt, failed, judged, now)
        attempt.record.counted = judged.counted
        fallback = attempt.reservation.need
        if failed.kind == "status":
            fallback = Charge(requests=1)
        self.settling.failed.settle(
            exchange, attempt, failed, fallback if judged.counted else None
        )
        attempt.record.reason = judged.reason
        attempt.record.status = failed.inside or failed.status
        self.settling.end_attempt(exchange, "failed")
        exchange.tried.append((offer.label, failed))
        runtime.state_dirty = True
        match judged.next:
            case NextStep.RETURN_ERROR:
                self.final.provider_error(exchange, exchange.refused_history or failed)
                return False
            case NextStep.ANOTHER_MAKER:
                exchange.refused_history = failed
                exchange.exclude |= same_maker(exchange, attempt)
            case NextStep.REFRESH_CREDENTIAL:
                exchange.tried.pop()
                exchange.repeat = attempt.candidate
            case NextStep.LARGER_CONTEXT:
                exchange.exclude.add(offer.key)
                known = offer.context_window or exchange.call.ask.input_estimate
                exchange.larger_than = max(known, exchange.larger_than or 0)
            case NextStep.NEXT_CANDIDATE:
                exchange.exclude.add(self._failed_way(exchange, attempt, judged))
        return True

    def _failed_way(
        self,
        exchange: Exchange,
        attempt: Attempt,
        judged: failure_policy.FailureVerdict,
    ) -> tuple[str, ...]:
        """What is not asked again: the offer, or, where it was about the dialect and it
        may be asked in another, the offer in this one."""
        offer, dialect = attempt.candidate.offer, attempt.form.dialect.name
        of_dialect = judged.penalty in _OF_DIALECT or offer.key in exchange.unfit
        if not of_dialect or not other_ways(exchange, offer, dialect):
            return offer.key
        exchange.unfit.pop(offer.key, None)
        return (*offer.key, dialect)
