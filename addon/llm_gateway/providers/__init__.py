"""Providers: facts in a table, addresses and keys from the config.

    provider_type.py  the shape of a row: ProviderType
    registry.py   the rows: TYPES, UNSUPPORTED (types_vendors, types_platforms, types_self_hosted)
    catalog.json  free tiers, facts of models, accounts: dated data; catalog_file.py reads it,
                  published.py has its values, free_tiers.py finds the tier of a model
    hosts.py      which hosts are LLM APIs
    upstream.py   one account of one configured provider: origin, key, headers
    catalog.py    the whole config as offers, with limits (provider_limits.py), names (model_index.py)
    copilot_protocol.py    GitHub's login and session tokens: messages, no sockets
    token_store.py     logins on disk
    docs.py       the table for people
    credentials.py, copilot_session.py, github_client.py   keys that change while we run

All but the last two lines are pure. Nothing here knows mitmproxy.
"""

from llm_gateway.providers.provider_type import ProviderType
from llm_gateway.providers.registry import TYPES, UNSUPPORTED

from .hosts import KNOWN_HOSTS, is_known_host

__all__ = ["KNOWN_HOSTS", "TYPES", "UNSUPPORTED", "ProviderType", "is_known_host"]
