"""Settles failed attempts: by what the failed answer reports, else by what was reserved.

What lives here: `FailureSettlement`. An answer that is judged a failure may be billed all the
same, and says so: an answer without choices, an error event behind a usage, an error body
with one. What it reports is what counts for limits, budget and ledger, with any status, and
an offer that counts as free and was billed is taken out.

What this file does not know: whether a failure counts for the provider (failure_policy.py),
who is asked next (failures.py).
"""

from dataclasses import dataclass

from llm_gateway.accounting.failed_attempts import FailedSpend
from llm_gateway.accounting.usage import UsageCollector, read_answer
from llm_gateway.app.state import AppState
from llm_gateway.domain import Charge, Usage
from llm_gateway.pipeline.exchange import Attempt, Exchange
from llm_gateway.pipeline.request_pricing import RequestPricing
from llm_gateway.routing.failure_policy import FailedAttempt


@dataclass(slots=True)
class FailureSettlement:
    runtime: AppState
    pricing: RequestPricing

    def settle(
        self,
        exchange: Exchange,
        attempt: Attempt,
        failed: FailedAttempt,
        fallback: Charge | None,
    ) -> None:
        """The reservation becomes what the failed answer reports; where it reports
        nothing `fallback`, and None releases it."""
        found = None if exchange.subpath else reported_usage(attempt, failed)
        charge = fallback
        if found is not None and (
            fallback is not None or found.total or found.bill is not None
        ):
            offer = attempt.candidate.offer
            cost, source = self.pricing.charged(
                offer, attempt.candidate.zero_cost, found
            )
            need = attempt.reservation.need
            tokens = found.total if found.source == "reported" else need.tokens
            charge = Charge(1, tokens, need.cost if cost is None else cost)
            exchange.spent.append(FailedSpend(found, cost, source))
        record, now = attempt.record, self.runtime.clock()
        if charge is None:
            self.runtime.limiter.release(attempt.reservation, now)
            charge = Charge()
        else:
            self.runtime.limiter.settle(attempt.reservation, charge, now)
            record.counted = True
        record.tokens, record.cost = charge.tokens, charge.cost


def reported_usage(attempt: Attempt, failed: FailedAttempt) -> Usage | None:
    """Usage or bill of a failed answer, as its provider reports it; None: it says nothing."""
    row, dialect = attempt.upstream.type_info, attempt.form.dialect
    excluded, bills = row.reasoning_excluded, row.bills
    peek = attempt.judge.peek if attempt.judge is not None else None
    if peek is not None and peek.reports:
        tally = UsageCollector(dialect, reasoning_excluded=excluded, bills=bills)
        for report in peek.reports:
            tally.add(report)
        tally.final |= not peek.is_stream
        found = tally.usage(prompt_estimate=0, text_bytes=0)
    elif failed.body:
        found = read_answer(
            dialect,
            failed.body,
            reasoning_excluded=excluded,
            bills=bills,
            prompt_estimate=0,
        )
    else:
        return None
    return found if found.source == "reported" or found.bill else None
