"""Free tiers: which of them covers a model, and how one is said to people.

The tiers themselves are data (`catalog.json`), with a date and a source each. They are
seeds: the config overrides them key by key, a provider's own word overrides both.

A tier is there as free only if its source calls it free and lasting. Trial credits
(Cerebras, Hugging Face, DashScope) and plans without a free tier (OpenAI, Anthropic,
DeepSeek, xAI, Perplexity, Together, Fireworks, Moonshot, Copilot) are not.

What this file does not know: the config, the clock.
"""

from collections.abc import Iterable, Mapping

from llm_gateway.domain import Metric, Window
from llm_gateway.providers.provider_type import ProviderType
from llm_gateway.providers.published import FreePreset, most_telling
from llm_gateway.providers.registry import TYPES, packaged


def preset_for(presets: Iterable[FreePreset], model: str) -> FreePreset | None:
    """The preset that says most of the model's name, or None: no free tier is known for it."""
    found = most_telling(presets, model)
    return None if found is None or found.status != "free" else found


def free_tier_of(row: ProviderType, model: str) -> FreePreset | None:
    """The free tier that covers a model of this type, unless it is known to have ended."""
    return preset_for((*row.free_presets, *row.ended_tiers), model)


def ended_tier_of(row: ProviderType, model: str) -> FreePreset | None:
    """The tier that covered a model once, where that is known; None also while it does."""
    found = most_telling((*row.free_presets, *row.ended_tiers), model)
    return found if found is not None and found.status == "ended" else None


def lost(row: ProviderType, model: str) -> str:
    """Why a model is not on a free tier that it was on when this version was made, or later:
    a clause; "" when it still is, or never was.

    Such a configuration was right, and is no mistake: the model is left out, not refused.
    """
    if free_tier_of(row, model) is not None:
        return ""
    ended = ended_tier_of(row, model)
    if ended is not None and _is_late(ended):
        note = f": {ended.note}" if ended.note else ""
        return f"its free tier ended{note} (as of {ended.as_of})"
    if free_tier_of(TYPES[row.type], model) is not None:
        return "it is on the free tier no longer"
    return ""


def had_free_tier(row: ProviderType) -> bool:
    """It has one, or had one when this version was made, or later."""
    return bool(
        row.free_presets
        or TYPES[row.type].free_presets
        or any(map(_is_late, row.ended_tiers))
    )


def _is_late(tier: FreePreset) -> bool:
    return max(tier.as_of, tier.since) > packaged().as_of


def describe(limits: Mapping[tuple[Metric, Window], int]) -> str:
    """`5 requests/minute, 20 requests/day`, or `no numbers`."""
    return (
        ", ".join(f"{n} {metric}/{window}" for (metric, window), n in limits.items())
        or "no numbers"
    )
