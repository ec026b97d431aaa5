"""Providers: facts in a table, addresses and keys from the config.

    row.py        the shape of a row: ProviderType
    table.py      the rows: TYPES, UNSUPPORTED (labs.py, platforms.py, local.py)
    presets.py    what free tiers allow, dated
    hosts.py      which hosts are LLM APIs
    upstream.py   one account of one configured provider: origin, key, headers
    catalog.py    the whole config as offers, with limits (allowances.py), names (names.py)
    quirks.py     what a refusal teaches about a provider's body
    copilot.py    GitHub's login and session tokens: messages, no sockets
    tokens.py     logins on disk
    reference.py  the table for people
    credentials.py, copilot_auth.py, github.py   [edge] keys that change while we run

All but the last two lines are pure. Nothing here knows mitmproxy.
"""

from llm_gateway.providers.provider_type import ProviderType
from llm_gateway.providers.registry import TYPES, UNSUPPORTED

from .hosts import KNOWN_HOSTS, is_known_host

__all__ = ["KNOWN_HOSTS", "TYPES", "UNSUPPORTED", "ProviderType", "is_known_host"]
