"""Settles background responses: the row of a stored answer is completed when it is fetched.

What lives here: `StoredSettlement`. An answer that a provider makes in the background has
left its row with a reservation and no usage; whoever fetches it first completes it.

What this file does not know: how a stored answer is asked for (account_requests.py).
"""

from collections import deque
from dataclasses import dataclass, field

from llm_gateway.app.state import AppState
from llm_gateway.domain import Charge, Usage
from llm_gateway.ledger.bound_answers import BoundAnswer
from llm_gateway.limits.limiter import scopes_of
from llm_gateway.pipeline.request_pricing import RequestPricing


@dataclass(slots=True)
class StoredSettlement:
    runtime: AppState
    pricing: RequestPricing
    _settled: deque[str] = field(default_factory=lambda: deque(maxlen=1024))
    """Rows that were completed by a stored answer: two who fetch it settle it once."""

    def settle(self, bound: BoundAnswer, found: Usage) -> None:
        """An answer that was made in the background is there: its row is completed, and
        what was reserved for it becomes what it came to."""
        record, runtime = bound.unsettled, self.runtime
        if record is None or found.source != "reported" or record.id in self._settled:
            return
        self._settled.append(record.id)
        catalog = runtime.catalog
        offer = next((o for o in catalog.offers if o.key == bound.key), None)
        if offer is None:
            record.usage = found
            record.cost = found.bill
        else:
            self.pricing.price(record, offer, bound.zero_cost, found)
        runtime.store.end(record)
        if offer is not None:
            reserved = Charge(0, record.reserved_tokens, record.reserved_cost)
            cost = record.reserved_cost if record.cost is None else record.cost
            client = record.known_client
            runtime.limiter.correct(
                catalog.limits_for(offer, client),
                reserved,
                Charge(0, found.total, cost),
                record.at + (record.duration_ms or 0) / 1000,
                runtime.clock(),
                scopes=scopes_of(*offer.key, client),
            )
        runtime.state_dirty = True
