"""Providers that can be added with nothing but a key: what the form proposes.

A row says how the keys of a provider begin, where one is got, and which models are a good
start. Whether a row makes a configuration that the gateway takes, and whether its models
are on the provider's free tier, is held by a test against the provider table.

What this file does not know: the configuration, the gateway.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Starter:
    type: str
    title: str
    keys: str
    """Address at which a key is got."""
    env: str
    """The variable that is usual for it."""
    models: tuple[str, ...]
    begins: tuple[str, ...] = ()
    """How its keys begin; the longest that fits wins."""
    free_tier: bool = False
    """Its models here are on a free tier that lasts."""
    note: str = ""


STARTERS = (
    Starter(
        "groq",
        "Groq",
        "https://console.groq.com/keys",
        "GROQ_API_KEY",
        ("openai/gpt-oss-120b", "openai/gpt-oss-20b"),
        ("gsk_",),
        free_tier=True,
    ),
    Starter(
        "google",
        "Google AI Studio",
        "https://aistudio.google.com/apikey",
        "GEMINI_API_KEY",
        ("gemini-2.5-flash", "gemini-2.5-flash-lite"),
        ("AIza",),
        free_tier=True,
        note="A key of a project with billing is charged whatever the tier here says: "
        "take one of a project without billing.",
    ),
    Starter(
        "openrouter",
        "OpenRouter",
        "https://openrouter.ai/settings/keys",
        "OPENROUTER_API_KEY",
        ("openai/gpt-oss-20b:free", "deepseek/deepseek-chat-v3.1:free"),
        ("sk-or-",),
        free_tier=True,
        note="Only models whose name ends in :free cost nothing.",
    ),
    Starter(
        "mistral",
        "Mistral",
        "https://console.mistral.ai/api-keys",
        "MISTRAL_API_KEY",
        ("mistral-small-latest", "codestral-latest"),
        free_tier=True,
        note="Free while the workspace is on the free mode.",
    ),
    Starter(
        "cohere",
        "Cohere",
        "https://dashboard.cohere.com/api-keys",
        "COHERE_API_KEY",
        ("command-a-03-2025",),
        free_tier=True,
        note="Trial keys are for evaluation, not for production.",
    ),
    Starter(
        "nvidia",
        "NVIDIA NIM",
        "https://build.nvidia.com/settings/api-keys",
        "NVIDIA_API_KEY",
        ("openai/gpt-oss-120b",),
        ("nvapi-",),
        free_tier=True,
    ),
    Starter(
        "openai",
        "OpenAI",
        "https://platform.openai.com/api-keys",
        "OPENAI_API_KEY",
        ("gpt-4o-mini",),
        ("sk-proj-", "sk-"),
    ),
    Starter(
        "anthropic",
        "Anthropic",
        "https://console.anthropic.com/settings/keys",
        "ANTHROPIC_API_KEY",
        ("claude-sonnet-4-5",),
        ("sk-ant-",),
    ),
    Starter(
        "deepseek",
        "DeepSeek",
        "https://platform.deepseek.com/api_keys",
        "DEEPSEEK_API_KEY",
        ("deepseek-chat",),
    ),
    Starter(
        "xai", "xAI", "https://console.x.ai", "XAI_API_KEY", ("grok-4",), ("xai-",)
    ),
    Starter(
        "cerebras",
        "Cerebras",
        "https://cloud.cerebras.ai",
        "CEREBRAS_API_KEY",
        ("gpt-oss-120b",),
        ("csk-",),
    ),
    Starter(
        "fireworks",
        "Fireworks",
        "https://app.fireworks.ai/settings/users/api-keys",
        "FIREWORKS_API_KEY",
        ("accounts/fireworks/models/gpt-oss-120b",),
        ("fw_",),
    ),
    Starter(
        "togetherai",
        "Together",
        "https://api.together.ai/settings/api-keys",
        "TOGETHER_API_KEY",
        ("openai/gpt-oss-20b",),
        ("tgp_",),
    ),
    Starter(
        "perplexity",
        "Perplexity",
        "https://www.perplexity.ai/settings/api",
        "PERPLEXITY_API_KEY",
        ("sonar",),
        ("pplx-",),
    ),
)


def as_json(gives: Mapping[str, Sequence[str]]) -> list[dict[str, Any]]:
    """`gives`: type -> what its free tier gives a day, line by line."""
    return [{**asdict(one), "gives": gives.get(one.type, [])} for one in STARTERS]


def configuration_of_list(one: Starter, key: str) -> dict[str, Any]:
    """The provider that the form adds for a free tier: every model that is free now."""
    return {**configuration(one, key), "models": "free"}


def configuration(one: Starter, key: str) -> dict[str, Any]:
    """The same with models written out."""
    tier = {"tier": "free"} if one.free_tier else {}
    return {
        "id": one.type,
        "type": one.type,
        "apiKey": key,
        **tier,
        "models": [{"name": name} for name in one.models],
    }
