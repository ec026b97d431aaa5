"""The provider types: a table of facts, one row each.

What lives here: the whole table, and the types that are refused. Adding a provider is
adding a row; nothing else in the gateway asks which provider it is talking to.

    types_vendors.py        companies with models of their own
    types_platforms.py   clouds and platforms
    local.py       one's own machine, or anything with OpenAI's paths

What these files do not know: the user's config, what a request holds, the clock. Facts
marked "unverified" in `source` are general knowledge; the gateway learns better from
what such a provider answers.
"""

from collections.abc import Mapping

from llm_gateway.providers.provider_type import ProviderType
from llm_gateway.providers.types_platforms import PLATFORMS
from llm_gateway.providers.types_self_hosted import LOCAL
from llm_gateway.providers.types_vendors import LABS

TYPES: Mapping[str, ProviderType] = {
    row.type: row for row in (*LABS, *PLATFORMS, *LOCAL)
}

_PRIVATE = (
    "it rests on private credentials of another product, which are not ours to use"
)
UNSUPPORTED: Mapping[str, str] = {
    "claude-code": f'{_PRIVATE}; use "anthropic" with an API key of your own',
    "gemini-cli": f'{_PRIVATE}; use "google" with a key from AI Studio (there is a free tier)',
}
"""Types of the original that are refused, and what to write instead."""
