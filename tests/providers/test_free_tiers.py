"""Free tiers: the numbers that sources gave, and nothing that no source calls free."""

import re

import pytest
from tables import each_row

from llm_gateway.domain import Metric, Window
from llm_gateway.providers import TYPES
from llm_gateway.providers.free_tiers import describe, preset_for


@each_row(
    ("type_", "model", "numbers", "per"),
    [
        # 2026-07-18
        ("google", "gemini-2.5-flash", "5 requests/minute, 20 requests/day, 250000 tokens/minute", "model"),
        ("google", "gemini-3-flash-preview", "5 requests/minute, 20 requests/day, 250000 tokens/minute", "model"),
        ("google", "gemini-2.5-flash-lite", "10 requests/minute, 20 requests/day", "model"),
        ("google", "gemini-3.1-flash-lite-preview", "15 requests/minute, 500 requests/day", "model"),
        ("google", "gemma-3-27b-it", "30 requests/minute, 14400 requests/day, 15000 tokens/minute", "model"),
        ("mistral", "mistral-small-latest", "60 requests/minute, 500000 tokens/minute, 1000000000 tokens/month", "model"),
        ("mistral", "codestral-latest", "30 requests/minute, 2000 requests/day", "model"),
        ("nvidia", "meta/llama-3.3-70b-instruct", "40 requests/minute", "account"),
        # 2026-09, the newer name before the glob that would catch it
        ("google", "gemini-3.5-flash-lite", "15 requests/minute, 500 requests/day", "model"),
        ("google", "gemini-3.5-flash-lite-preview-09", "15 requests/minute, 500 requests/day", "model"),
        ("google", "gemini-3.5-flash", "5 requests/minute, 20 requests/day, 250000 tokens/minute", "model"),
        ("google", "gemini-3.8-flash", "5 requests/minute, 20 requests/day", "model"),
        ("groq", "qwen/qwen3.8-27b", "30 requests/minute, 1000 requests/day, 8000 tokens/minute, 200000 tokens/day", "model"),
        # 2026-08-22
        ("groq", "openai/gpt-oss-120b", "30 requests/minute, 1000 requests/day, 8000 tokens/minute, 200000 tokens/day", "model"),
        ("groq", "groq/compound-mini", "30 requests/minute, 250 requests/day, 70000 tokens/minute", "model"),
        ("sambanova", "DeepSeek-V3.1", "20 requests/minute, 20 requests/day, 200000 tokens/day", "account"),
        ("cohere", "command-a-03-2025", "20 requests/minute, 1000 requests/month", "account"),
        ("cloudflare", "@cf/meta/llama-3.1-8b-instruct", "no numbers", "model"),
        ("zai", "GLM-4.7-Flash", "no numbers", "model"),
        # 2026-10-17
        ("openrouter", "deepseek/deepseek-r1:free", "20 requests/minute, 50 requests/day", "tier"),
    ],
)  # fmt: skip
def test_known_tiers(type_: str, model: str, numbers: str, per: str) -> None:
    preset = preset_for(TYPES[type_].free_presets, model)
    assert preset is not None
    assert (describe(preset.limits), preset.per) == (numbers, per)


@pytest.mark.parametrize(
    ("type_", "model"),
    [
        ("google", "gemini-2.5-pro"),
        ("google", "xgemini-2.5-flash"),
        ("groq", "llama-3.3-70b-versatile"),  # ended for free on 2026-08-16
        ("openrouter", "deepseek/deepseek-r1"),
        ("zai", "glm-4.7"),
        ("cerebras", "gpt-oss-120b"),
    ],
)
def test_models_outside_of_them(type_: str, model: str) -> None:
    assert preset_for(TYPES[type_].free_presets, model) is None


def test_who_has_one() -> None:
    assert {row.type for row in TYPES.values() if row.free_presets} == {
        "cloudflare",
        "cohere",
        "google",
        "groq",
        "mistral",
        "nvidia",
        "openrouter",
        "sambanova",
        "zai",
    }


def test_every_tier_is_dated_and_sourced() -> None:
    presets = [preset for row in TYPES.values() for preset in row.free_presets]
    for preset in presets:
        assert re.fullmatch(r"2026-\d\d-\d\d", preset.as_of)
        assert preset.source
        assert preset.limits or preset.note
        assert all(
            isinstance(metric, Metric) and isinstance(window, Window) and amount > 0
            for (metric, window), amount in preset.limits.items()
        )
