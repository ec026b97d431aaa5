"""What a flow is while it is served: routed, passing, or for one account.

The table of them is the addon's, and weak: an exchange ends with its flow.
"""

from collections.abc import MutableMapping

from mitmproxy import http

from llm_gateway.pipeline.account_requests import AccountRequest
from llm_gateway.pipeline.exchange import Exchange
from llm_gateway.pipeline.passthrough import PassthroughRequest

AnyExchange = Exchange | PassthroughRequest | AccountRequest
"""Routed, on its way with the app's own key, or for the one account that keeps what it is
about."""

Flows = MutableMapping[http.HTTPFlow, AnyExchange]
