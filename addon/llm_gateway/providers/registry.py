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
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache, lru_cache
from pathlib import Path

from llm_gateway.providers import catalog_file
from llm_gateway.providers.provider_type import ProviderType
from llm_gateway.providers.published import Published
from llm_gateway.providers.types_platforms import PLATFORMS
from llm_gateway.providers.types_self_hosted import LOCAL
from llm_gateway.providers.types_vendors import LABS


@cache
def packaged() -> Published:
    """The catalogue that ships with this version."""
    path = Path(__file__).with_name("catalog.json")
    return catalog_file.parse(path.read_text("utf-8"), path.name)


def types_with(found: Published, today: str) -> Mapping[str, ProviderType]:
    """Every row with what a catalogue says of it. `today`: ISO date; what holds from a later
    day on is left out."""
    return {row.type: _with(row, found, today) for row in (*LABS, *PLATFORMS, *LOCAL)}


def _with(row: ProviderType, found: Published, today: str) -> ProviderType:
    tiers = [t for t in found.free_tiers if t.provider == row.type and t.since <= today]
    return replace(
        row,
        free_presets=tuple(t for t in tiers if t.status == "free"),
        ended_tiers=tuple(t for t in tiers if t.status == "ended"),
        model_facts=tuple(
            m for m in found.models if m.provider == row.type and m.since <= today
        ),
        counted_by=next((a for a in found.accounts if a.provider == row.type), None),
    )


def types_at(now: float) -> Mapping[str, ProviderType]:
    """Every row with what the packaged catalogue says of it at `now` (unix seconds)."""
    return _types_on(datetime.fromtimestamp(now, UTC).date().isoformat())


@lru_cache(maxsize=2)
def _types_on(today: str) -> Mapping[str, ProviderType]:
    return types_with(packaged(), today)


TYPES: Mapping[str, ProviderType] = types_with(packaged(), packaged().as_of)

_PRIVATE = (
    "it rests on private credentials of another product, which are not ours to use"
)
UNSUPPORTED: Mapping[str, str] = {
    "claude-code": f'{_PRIVATE}; use "anthropic" with an API key of your own',
    "gemini-cli": f'{_PRIVATE}; use "google" with a key from AI Studio (there is a free tier)',
}
"""Types of the original that are refused, and what to write instead."""
