"""Free tiers: what each is known to allow, as of when, and who said so.

What lives here: dated numbers, and the look-up by type and model. They are seeds: the
config overrides them key by key, a provider's own word overrides both.

A tier stands here only if its source calls it free and lasting. Trial credits
(Cerebras, Hugging Face, DashScope) and plans without a free tier (OpenAI, Anthropic,
DeepSeek, xAI, Perplexity, Together, Fireworks, Moonshot, Copilot) have none.

What this file does not know: the config, the clock.
"""

import re
from collections.abc import Mapping
from functools import lru_cache

from ..exchange import Metric, Window
from .row import FreePreset

RPM = (Metric.REQUESTS, Window.MINUTE)
RPD = (Metric.REQUESTS, Window.DAY)
RPMONTH = (Metric.REQUESTS, Window.MONTH)
TPM = (Metric.TOKENS, Window.MINUTE)
TPD = (Metric.TOKENS, Window.DAY)
TPMONTH = (Metric.TOKENS, Window.MONTH)

_RESOURCES = "cheahjs/free-llm-api-resources"
_CHECKED = "official pages, checked by xyzs996/free-llm-api"

GOOGLE = (
    FreePreset(
        ("gemini-2.5-flash-lite*",),
        {RPM: 10, RPD: 20},
        "2026-07-18",
        _RESOURCES,
    ),
    FreePreset(
        ("gemini-3.1-flash-lite*",),
        {RPM: 15, RPD: 500},
        "2026-07-18",
        _RESOURCES,
    ),
    FreePreset(
        ("gemini-3.5-flash*", "gemini-3-flash*", "gemini-2.5-flash*"),
        {RPM: 5, RPD: 20, TPM: 250_000},
        "2026-07-18",
        f"{_RESOURCES}; error bodies of 2026-07 and 2026-08",
    ),
    FreePreset(
        ("gemma-*",),
        {RPM: 30, RPD: 14_400, TPM: 15_000},
        "2026-07-18",
        _RESOURCES,
    ),
)

GROQ = (
    FreePreset(
        (
            "openai/gpt-oss-120b",
            "openai/gpt-oss-20b",
            "openai/gpt-oss-safeguard-20b",
            "qwen/qwen3.6-27b",
        ),
        {RPM: 30, RPD: 1_000, TPM: 8_000, TPD: 200_000},
        "2026-08-22",
        _CHECKED,
    ),
    FreePreset(
        ("groq/compound", "groq/compound-mini"),
        {RPM: 30, RPD: 250, TPM: 70_000},
        "2026-08-22",
        _CHECKED,
    ),
)

OPENROUTER = (
    FreePreset(
        ("*:free",),
        {RPM: 20, RPD: 50},
        "2026-10-17",
        "OpenRouter's limits page",
        per="tier",
        note="1000 a day once 10 credits were ever bought: set requestsPerDay",
    ),
)

MISTRAL = (
    FreePreset(
        ("codestral*",),
        {RPM: 30, RPD: 2_000},
        "2026-07-18",
        _RESOURCES,
        note="at https://codestral.mistral.ai/v1",
    ),
    FreePreset(
        ("*",),
        {RPM: 60, TPM: 500_000, TPMONTH: 1_000_000_000},
        "2026-07-18",
        _RESOURCES,
        note="Experiment plan: one request a second; prompts may be used for training",
    ),
)

NVIDIA = (
    FreePreset(
        ("*",),
        {RPM: 40},
        "2026-07-18",
        _RESOURCES,
        note="no cap per day is published, some models allow less",
    ),
)

SAMBANOVA = (
    FreePreset(
        ("*",),
        {RPM: 20, RPD: 20, TPD: 200_000},
        "2026-08-22",
        _CHECKED,
        per="account",
        note="while no card is linked",
    ),
)

COHERE = (
    FreePreset(
        ("*",),
        {RPM: 20, RPMONTH: 1_000},
        "2026-08-22",
        _CHECKED,
        per="account",
        note="trial keys, not for production",
    ),
)

CLOUDFLARE = (
    FreePreset(
        ("*",),
        {},
        "2026-08-22",
        _CHECKED,
        note="10,000 neurons a day, a unit that cannot be counted here; on the free plan there is no overage",
    ),
)

ZAI = (
    FreePreset(
        ("glm-4.7-flash", "glm-4.5-flash", "glm-4.6v-flash"),
        {},
        "2026-08-22",
        _CHECKED,
        note="limits are not published",
    ),
)


def preset_for(presets: tuple[FreePreset, ...], model: str) -> FreePreset | None:
    """The first preset that knows the model, or None: no free tier is known for it."""
    for preset in presets:
        if any(_pattern(name).fullmatch(model.lower()) for name in preset.models):
            return preset
    return None


def describe(limits: Mapping[tuple[Metric, Window], int]) -> str:
    """`5 requests/minute, 20 requests/day`, or `no numbers`."""
    return (
        ", ".join(f"{n} {metric}/{window}" for (metric, window), n in limits.items())
        or "no numbers"
    )


@lru_cache(maxsize=256)
def _pattern(name: str) -> re.Pattern[str]:
    return re.compile(".*".join(map(re.escape, name.lower().split("*"))), re.DOTALL)
