"""Providers: facts in a table, addresses and keys from the config.

row.py        the shape of a row: ProviderType
table.py      the rows: TYPES, UNSUPPORTED
presets.py    what free tiers allow, dated
hosts.py      which hosts are LLM APIs
upstream.py   one account of one configured provider: origin, key, headers
catalog.py    the whole config as offers, limits, prices, look-ups
quirks.py     what a refusal teaches about a provider's body
copilot.py    GitHub's login and session tokens: messages, no sockets
credentials.py, copilot_auth.py   [edge] tokens that change while we run
"""

from .hosts import KNOWN_HOSTS, is_known_host
from .row import ProviderType
from .table import TYPES, UNSUPPORTED

__all__ = ["KNOWN_HOSTS", "TYPES", "UNSUPPORTED", "ProviderType", "is_known_host"]
