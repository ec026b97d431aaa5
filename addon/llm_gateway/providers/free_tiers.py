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

from llm_gateway.domain import Metric, Window
from llm_gateway.providers.provider_type import FreePreset

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
        ("gemini-3.5-flash-lite*",),
        {RPM: 15, RPD: 500},
        "2026-09-08",
        "manifest#90 (2026-08-03); A11Y.md#36 (2026-08-16); gemini-srt-translator#137",
        note="the official table is gone since 2025-12: its own refusals say more",
    ),
    FreePreset(
        ("gemini-3.5-flash*", "gemini-3-flash*", "gemini-2.5-flash*"),
        {RPM: 5, RPD: 20, TPM: 250_000},
        "2026-07-18",
        f"{_RESOURCES}; error bodies of 2026-07 and 2026-08",
        note="from 2026-12-01 on 2.5-flash is served by 3.5-flash-lite",
    ),
    FreePreset(
        ("gemini-3.6-flash*", "gemini-3.7-flash*", "gemini-3.8-flash*"),
        {RPM: 5, RPD: 20},
        "2026-10-07",
        "AIStudioToAPI#257 (2026-09-02); Google's price page (2026-10-07)",
        note="uncertain: free by the price page, numbers taken from 3.5-flash",
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
        note="input and output tokens have limits of their own since 2026-05",
    ),
    FreePreset(
        ("qwen/qwen3.8-27b",),
        {RPM: 30, RPD: 1_000, TPM: 8_000, TPD: 200_000},
        "2026-09-02",
        "Groq's limits page, by OmniRoute's catalogue (2026-09-02)",
        note="uncertain: numbers taken from its sister models",
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
        "2026-09-02",
        "console, by manifest#100 (2026-08-19), against OmniRoute#12649 (2026-09-02)",
        note="Free mode: one request a second; prompts may be used for training. "
        "Uncertain: the price page has $10 of credits a month instead",
    ),
)

NVIDIA = (
    FreePreset(
        ("*",),
        {RPM: 40},
        "2026-08-20",
        "manifest#102 (2026-08-20); freellmapi#274 (2026-06-10)",
        per="account",
        note="for evaluation only; some models allow less, many are gone (410)",
    ),
)

SAMBANOVA = (
    FreePreset(
        ("*",),
        {RPM: 20, RPD: 20, TPD: 200_000},
        "2026-08-22",
        _CHECKED,
        per="account",
        note="old accounts without a card only: new ones are refused with 402 "
        "PAYMENT_METHOD_REQUIRED (manifest#102, 2026-08-20); uncertain",
    ),
)

COHERE = (
    FreePreset(
        ("*",),
        {RPM: 20, RPMONTH: 1_000},
        "2026-08-22",
        _CHECKED,
        per="account",
        note="trial keys, not for production nor personal use",
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
        note="limits are not published; glm-4.5-flash is uncertain: $0 on the price "
        "table, discontinued by manifest#59 (2026-06-15)",
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
