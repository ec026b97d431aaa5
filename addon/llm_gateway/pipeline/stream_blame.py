"""Truncated streams: is the provider to blame, or the outbound proxy that died with it?

What lives here: `StreamBlame`. A stream that broke off after content went out is a strike
against its provider, unless the proxy by way of which it came does not answer any more.

What this file does not know: what the client is told (stream_endings.py).
"""

import asyncio
from dataclasses import dataclass, field

from llm_gateway.app.state import AppState
from llm_gateway.domain import Offer
from llm_gateway.network.proxy_failure import went_away
from llm_gateway.pipeline.exchange import Exchange
from llm_gateway.transport.attempt_policy import plan_of
from llm_gateway.transport.connecting import answers_at_all


@dataclass(slots=True)
class StreamBlame:
    runtime: AppState
    _asking: set[asyncio.Task[None]] = field(default_factory=set)
    """They find out whether an outbound proxy is still there."""

    def blame(self, exchange: Exchange, offer: Offer) -> None:
        """A stream that broke off is a strike, unless the outbound proxy died with it."""
        plan = plan_of(exchange.flow)
        proxy = plan.proxy if plan is not None else None
        client = exchange.call.client
        if proxy is None:
            self._stream_cut(offer, client)
            return

        async def ask() -> None:
            if await answers_at_all(proxy):
                self._stream_cut(offer, client)
            else:
                self.runtime.health.release_probe(offer.key)
                self.runtime.way_out.record(proxy, went_away(proxy))

        task = asyncio.get_running_loop().create_task(ask(), name="whose cut")
        self._asking.add(task)
        task.add_done_callback(self._asking.discard)

    def _stream_cut(self, offer: Offer, client: str) -> None:
        runtime = self.runtime
        now = runtime.clock()
        until = runtime.health.record_failure(
            offer.key, now, "stream cut", asker=client
        )
        if until is not None:
            message = f"failing (stream cut), tried again in {until - now:.0f} s"
            runtime.event("circuit", offer.label, message, until=until)
