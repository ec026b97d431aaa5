"""`GET /usage/current`: counters of limits, and what the ledger knows where none counts."""

import asyncio

from llm_gateway.app.state import AppState
from llm_gateway.ledger.store import StoreError
from llm_gateway.routing import status


async def current_usage(state: AppState, now: float) -> dict[str, object]:
    """Where a limit counts, it says what was used; elsewhere the ledger does."""
    began = status.starts(state, now)
    moments = {at for windows in began.values() for at in windows.values()}
    try:
        sums = await asyncio.to_thread(state.store.used, moments)
    except StoreError:  # then limits alone say what was used
        of_ledger: status.OfLedger = {}
    else:
        of_ledger = {
            provider: {window: sums[at] for window, at in windows.items()}
            for provider, windows in began.items()
        }
    return status.usage(state, of_ledger, state.degraded, now)
