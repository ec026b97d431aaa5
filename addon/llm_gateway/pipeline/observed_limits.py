"""Rate-limit headers of an answer: what a provider says about its limits, observed.

What this file does not know: what was reserved, what an answer cost.
"""

from mitmproxy import http

from llm_gateway.app.state import AppState
from llm_gateway.limits.headers import may_say, read_headers
from llm_gateway.limits.limiter import scopes_of
from llm_gateway.pipeline.exchange import Attempt, Exchange
from llm_gateway.transport.header_lookup import table


def observe_limits(
    runtime: AppState,
    exchange: Exchange,
    attempt: Attempt,
    headers: http.Headers | None,
) -> None:
    """What the provider says about its limits, good answer or bad."""
    row = attempt.upstream.type_info
    if headers is None or not may_say(row.limit_headers, table(headers)):
        return
    now = runtime.clock()
    words = read_headers(row.limit_headers, lowercase_headers(headers), now)
    if words:
        offer = attempt.candidate.offer
        runtime.limiter.observe(
            offer.limits,
            words,
            scopes=scopes_of(*offer.key, exchange.call.known_client),
            now=now,
        )


def lowercase_headers(headers: http.Headers | None) -> dict[str, str]:
    """Lower-case names and text values, as the parsers take them."""
    if headers is None:
        return {}
    return {
        name.decode("ascii", "replace").lower(): value.decode("utf-8", "replace")
        for name, value in headers.fields
    }
