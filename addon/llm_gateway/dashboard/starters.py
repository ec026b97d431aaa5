"""Providers that the form adds: with nothing but a key, and those that need none.

A row says how the keys of a provider begin, where one is got, and which models are a good
start; of a server of one's own, where it usually is. Whether a row makes a configuration that the gateway takes, and whether its models
are on the provider's free tier, is held by a test against the provider table.

What this file does not know: the configuration, the gateway.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class Starter:
    type: str
    title: str
    keys: str = ""
    """Address at which a key is got."""
    env: str = ""
    """The variable that is usual for it."""
    models: tuple[str, ...] = ()
    begins: tuple[str, ...] = ()
    """How its keys begin; the longest that fits wins."""
    free_tier: bool = False
    """Its models here are on a free tier that lasts."""
    note: str = ""
    key: Literal["needed", "optional", "none"] = "needed"
    address: str | None = None
    """Of a server of one's own, where it usually is, "" where nobody can know; None: it is
    known, and not asked for."""
    more: Mapping[str, Any] = field(default_factory=dict)
    """What else its entry says."""


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


ON_THIS_MACHINE = "Runs on this machine or in this network: nobody sends a bill for it."

OTHERS = (
    Starter(
        "ollama",
        "Ollama",
        key="none",
        address="http://localhost:11434/v1",
        note=ON_THIS_MACHINE,
    ),
    Starter(
        "lmstudio",
        "LM Studio",
        key="none",
        address="http://localhost:1234/v1",
        note=ON_THIS_MACHINE,
    ),
    Starter(
        "vllm",
        "vLLM",
        key="optional",
        address="http://localhost:8000/v1",
        note=ON_THIS_MACHINE,
    ),
    Starter(
        "copilot",
        "GitHub Copilot",
        models=("gpt-4o",),
        key="none",
        note="A subscription. Once it is saved, sign in to GitHub on its card; limit and "
        "price are those of the $10 plan, change them there.",
        more={"flatRate": {"costPerMonth": 10}, "limits": {"requestsPerMonth": 300}},
    ),
    Starter(
        "openai-compatible",
        "Another one, OpenAI-compatible",
        key="optional",
        address="",
        note="Any server or service with OpenAI's paths. Its address usually ends in /v1.",
    ),
)
"""Those that no key tells: a server of one's own, a login, any other service."""


def as_json(gives: Mapping[str, Sequence[str]]) -> list[dict[str, Any]]:
    """`gives`: type -> what its free tier gives a day, line by line."""
    known = (*STARTERS, *OTHERS)
    return [{**asdict(one), "gives": gives.get(one.type, [])} for one in known]


def configuration_of_list(one: Starter, key: str) -> dict[str, Any]:
    """The provider that the form adds for a free tier: every model that is free now; of a
    server of one's own, every one that it has."""
    models = "all" if one.address is not None else "free"
    return {**configuration(one, key), "models": models}


def configuration(one: Starter, key: str) -> dict[str, Any]:
    """The same with models written out."""
    tier = {"tier": "free"} if one.free_tier else {}
    keys = {} if one.key == "none" else {"apiKey": key}
    return {
        "id": one.type,
        "type": one.type,
        **keys,
        **tier,
        **one.more,
        "models": [{"name": name} for name in one.models],
    }
