"""Offers that count as free and are billed: taken out, so that nobody is charged again.

What this file does not know: prices; a bill is what a provider says it charged.
"""

from llm_gateway.app.state import AppState
from llm_gateway.dialects import ProviderError
from llm_gateway.domain import NANO, Offer
from llm_gateway.pipeline.exchange import Attempt


def billed_answer(runtime: AppState, offer: Offer, bill: int) -> None:
    """It counts as free and was charged for: nobody is sent there any more."""
    dollars = f"${bill / NANO:.6f}"
    message = f"billed though free ({dollars}), not asked again for 24 h"
    runtime.take_out_as_billed(offer, message, cost_nano=bill)


def refused_as_billed(
    runtime: AppState, attempt: Attempt, error: ProviderError
) -> None:
    """A refusal that names quotas of a paid tier: the key of a free offer is billed."""
    offer, free_quota = (
        attempt.candidate.offer,
        attempt.upstream.type_info.free_quota,
    )
    quotas = [violation.quota for violation in error.violations]
    if not (free_quota and offer.free and quotas):
        return
    if any(free_quota in quota for quota in quotas):
        return
    message = "this key is billed though free (the quota is none of a free tier)"
    runtime.take_out_as_billed(offer, message, account=True)
