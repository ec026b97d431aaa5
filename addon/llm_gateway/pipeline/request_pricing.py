"""Prices a request: usage of its answer, cost, and what it would have cost elsewhere.

What lives here: `RequestPricing`. Cost in nano-dollars, None where nobody knows the price.

What this file does not know: reservations, the ledger.
"""

from dataclasses import dataclass, replace

from llm_gateway.accounting import prices, usage
from llm_gateway.app.state import AppState
from llm_gateway.domain import Offer, RequestRecord, Usage
from llm_gateway.pipeline.billed_though_free import billed_answer
from llm_gateway.pipeline.exchange import Attempt, Exchange
from llm_gateway.streaming.content_coding import BadCoding, decoded


@dataclass(slots=True)
class RequestPricing:
    runtime: AppState

    def usage_of(self, exchange: Exchange, attempt: Attempt, outcome: str) -> Usage:
        """What an answer used: as its meter or its body says, else estimated."""
        runtime = self.runtime
        offer = attempt.candidate.offer
        if exchange.subpath:
            return Usage(source="reported")
        estimate = runtime.estimator.tokens_in(
            exchange.call.ask.input_estimate, offer.key
        )
        if exchange.meter is not None:
            return exchange.meter.usage(prompt_estimate=estimate)
        response = exchange.flow.response
        if response is None or response.raw_content is None:
            source = "estimated" if outcome == "cancelled" else "unknown"
            return Usage(input_tokens=estimate, source=source)
        row = attempt.upstream.type_info
        peek = attempt.judge.peek if attempt.judge is not None else None
        if peek is not None and peek.answer is not None:
            return usage.usage_of(
                attempt.form.dialect,
                peek.answer,
                reasoning_excluded=row.reasoning_excluded,
                bills=row.bills,
                prompt_estimate=estimate,
            )
        try:
            body = decoded(
                response.raw_content, response.headers.get("content-encoding", "")
            )
        except BadCoding:
            return Usage()
        return usage.read_answer(
            attempt.form.dialect,
            body,
            reasoning_excluded=row.reasoning_excluded,
            bills=row.bills,
            prompt_estimate=estimate,
        )

    def price(
        self, record: RequestRecord, offer: Offer, zero_cost: bool, found: Usage
    ) -> None:
        """Cost and saving, onto the record. `zero_cost`: as it was asked for, without any paid extra."""
        record.usage = found
        if found.source == "unknown":
            return
        record.cost, record.price_source = self.charged(offer, zero_cost, found)
        if record.cost is not None and offer.list_price is not None:
            listed = prices.charge(
                replace(found, bill=None) if found.bill is not None else found,
                offer.list_price,
                vendor=offer.genai,
                model=offer.model,
                now=self.runtime.clock(),
            )
            if listed.amount is not None:
                record.saved = max(0, listed.amount - record.cost)

    def charged(
        self, offer: Offer, zero_cost: bool, found: Usage
    ) -> tuple[int | None, str | None]:
        """Nano-dollars and whose price it is. One that counts as free and was billed is
        taken out."""
        if zero_cost:
            if found.bill:
                billed_answer(self.runtime, offer, found.bill)
                return found.bill, "provider"
            return 0, (
                "free" if offer.free else "flat-rate" if offer.flat_rate else "config"
            )
        # A free offer that was asked for a paid extra has no price of its own.
        price = None if offer.zero_cost else offer.price
        vendor = None if offer.zero_cost else offer.genai
        charged = prices.charge(
            found, price, vendor=vendor, model=offer.model, now=self.runtime.clock()
        )
        return charged.amount, charged.source
