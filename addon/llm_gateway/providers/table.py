"""The provider types: a table of facts, one row each.

What lives here: how each type is reached, how it wants its key, which dialects it
speaks, how its usage and limits arrive, when its days begin. Adding a provider is
adding a row; nothing else in the gateway asks which provider it is talking to.

What this file does not know: the user's config, what a request holds, the clock.

Facts marked "unverified" in `source` are general knowledge; the gateway learns better
from what such a provider answers.
"""

from collections.abc import Mapping

from ..exchange import Dialect, Reset
from . import presets
from .row import PATHS, ProviderType, Variant


def _speaks(*dialects: Dialect) -> dict[Dialect, str]:
    return {dialect: PATHS[dialect] for dialect in dialects}


CHAT, COMPLETIONS, EMBEDDINGS, RESPONSES, MESSAGES = (
    Dialect.CHAT,
    Dialect.COMPLETIONS,
    Dialect.EMBEDDINGS,
    Dialect.RESPONSES,
    Dialect.MESSAGES,
)
_OPENAI = _speaks(CHAT, COMPLETIONS, EMBEDDINGS, RESPONSES)
_UTC = Reset(0, 0, "UTC")
_PACIFIC = Reset(0, 0, "America/Los_Angeles")

_ROWS = (
    ProviderType(
        "openai",
        "OpenAI",
        "https://api.openai.com/v1",
        _OPENAI,
        forwarded=frozenset({b"openai-beta"}),
        limit_headers="openai",
        genai="openai",
        hosts=("api.openai.com",),
        source="openai 3.54.0; error and rate-limit reference of 2026-10-17",
    ),
    ProviderType(
        "anthropic",
        "Anthropic",
        "https://api.anthropic.com/v1",
        _speaks(MESSAGES, CHAT),
        auth="x-api-key",
        # Chat goes to the compatibility layer, which takes the same key as a bearer.
        auth_for={CHAT: "bearer"},
        limit_headers="anthropic",
        genai="anthropic",
        hosts=("api.anthropic.com",),
        empty_path="/v1",
        notes="Messages natively. Chat works through Anthropic's OpenAI-compatible path, "
        "which ignores response_format, seed and logprobs and takes n = 1 only: for chat "
        "another provider is usually the better one.",
        source="anthropic 2.12.0; platform.claude.com, OpenAI SDK compatibility (2026)",
    ),
    ProviderType(
        "google",
        "Google AI Studio (Gemini)",
        "https://generativelanguage.googleapis.com/v1beta/openai",
        _speaks(CHAT, EMBEDDINGS),
        limit_headers="google",
        day=_PACIFIC,
        genai="google",
        hosts=("generativelanguage.googleapis.com",),
        free_presets=presets.GOOGLE,
        notes="Limits hold per project and model, not per key; days begin at midnight "
        "Pacific time; failed attempts (503) count.",
        source="ai.google.dev rate limits (2026); flexrouter 2.3.2",
    ),
    ProviderType(
        "google-vertex",
        "Google Vertex AI",
        "https://{location}-aiplatform.googleapis.com/v1/projects/{project}"
        "/locations/{location}/endpoints/openapi",
        _speaks(CHAT),
        credential="token",
        limit_headers="google",
        genai="google",
        models_path=None,
        variants=(
            Variant(
                "location",
                "global",
                "https://aiplatform.googleapis.com/v1/projects/{project}"
                "/locations/global/endpoints/openapi",
            ),
        ),
        notes="Needs an OAuth access token (about an hour): `accessToken`, or "
        "`accessTokenFile` that something renews. Models are named publisher/model, "
        "e.g. google/gemini-2.5-flash.",
        source="cloud.google.com, OpenAI library pages; @ai-sdk (2026-11)",
    ),
    ProviderType(
        "azure",
        "Azure OpenAI",
        "https://{resourceName}.openai.azure.com/openai/v1",
        _OPENAI,
        auth="api-key",
        forwarded=frozenset({b"openai-beta"}),
        limit_headers="azure",
        genai="azure",
        hosts=("*.openai.azure.com", "*.services.ai.azure.com"),
        # Its list names base models, requests name deployments.
        models_path=None,
        empty_path="/openai/v1",
        variants=(
            Variant(
                "apiVersion",
                None,
                "https://{resourceName}.openai.azure.com/openai",
                {
                    dialect: "/deployments/{model}" + PATHS[dialect]
                    for dialect in (CHAT, COMPLETIONS, EMBEDDINGS)
                },
                query="api-version={apiVersion}",
                empty_path="/openai",
            ),
        ),
        notes="The model is a deployment: `deploymentName`, or the model's name. With "
        "`apiVersion` the older, deployment-based address is used.",
        source="learn.microsoft.com (2025-11); litellm 1.109.1",
    ),
    ProviderType(
        "bedrock",
        "AWS Bedrock",
        "https://bedrock-runtime.{region}.amazonaws.com/openai/v1",
        _speaks(CHAT, RESPONSES),
        limit_headers="bedrock",
        genai="aws",
        hosts=("bedrock-runtime.*.amazonaws.com", "bedrock-mantle.*.api.aws"),
        models_path=None,
        notes="With a Bedrock API key, not with access key and secret. For Claude's "
        "messages or models that only the mantle endpoint has, use type "
        "openai-compatible with its baseURL and `dialects`.",
        source="docs.aws.amazon.com, Bedrock inference (2026); portkey docs 2026-09-15",
    ),
    ProviderType(
        "groq",
        "Groq",
        "https://api.groq.com/openai/v1",
        _speaks(CHAT, RESPONSES),
        limit_headers="groq",
        genai="groq",
        hosts=("api.groq.com",),
        free_presets=presets.GROQ,
        notes="Limits hold per organisation and model; its requests header speaks of "
        "the day, its tokens header of the minute.",
        source="console.groq.com/docs/rate-limits (2026); groq 1.7.0",
    ),
    ProviderType(
        "mistral",
        "Mistral",
        "https://api.mistral.ai/v1",
        _speaks(CHAT, EMBEDDINGS),
        stream_usage="reject",
        limit_headers="mistral",
        genai="mistral",
        hosts=("api.mistral.ai", "codestral.mistral.ai"),
        free_presets=presets.MISTRAL,
        notes="Usage comes in every stream; `stream_options` is an error there and is "
        "taken out.",
        source="mistralai 3.7.0; openai-agents-python issue on stream_options (2025)",
    ),
    ProviderType(
        "deepseek",
        "DeepSeek",
        "https://api.deepseek.com",
        _speaks(CHAT),
        limit_headers="none",
        genai="deepseek",
        hosts=("api.deepseek.com",),
        source="api-docs.deepseek.com (2026)",
    ),
    ProviderType(
        "xai",
        "xAI",
        "https://api.x.ai/v1",
        _OPENAI,
        # Names are not documented; those it was seen with are OpenAI's.
        limit_headers="openai",
        genai="x-ai",
        hosts=("api.x.ai",),
        reasoning_excluded=True,
        source="docs.x.ai rate limits (2026)",
    ),
    ProviderType(
        "perplexity",
        "Perplexity",
        "https://api.perplexity.ai",
        _speaks(CHAT),
        stream_usage="always",
        limit_headers="none",
        genai="perplexity",
        hosts=("api.perplexity.ai",),
        models_path=None,
        notes="No /v1 in its address. Searches cost a fee on top of the tokens: set "
        "`costPerRequest`.",
        source="@ai-sdk (2026-11)",
    ),
    ProviderType(
        "togetherai",
        "Together AI",
        "https://api.together.xyz/v1",
        _speaks(CHAT, COMPLETIONS, EMBEDDINGS),
        limit_headers="together",
        genai="together",
        hosts=("api.together.xyz", "api.together.ai"),
        source="docs.together.ai rate limits (2026); litellm 1.109.1",
    ),
    ProviderType(
        "openrouter",
        "OpenRouter",
        "https://openrouter.ai/api/v1",
        _speaks(CHAT, RESPONSES, MESSAGES, EMBEDDINGS),
        forwarded=frozenset({b"http-referer", b"x-title"}),
        stream_usage="always",
        limit_headers="openrouter",
        day=_UTC,
        genai="openrouter",
        hosts=("openrouter.ai",),
        free_presets=presets.OPENROUTER,
        notes="Models that end in :free share one daily allowance per account, which "
        "begins anew at midnight UTC; a negative balance blocks them too.",
        source="OpenRouter's docs, limits and streaming (2026)",
    ),
    ProviderType(
        "ollama",
        "Ollama",
        "http://localhost:11434/v1",
        _speaks(CHAT, COMPLETIONS, EMBEDDINGS),
        needs_key=False,
        hosts=("ollama.com",),
        empty_path="/v1",
        local=True,
        notes="For Ollama Cloud set `baseURL` to https://ollama.com/v1 and `apiKey`.",
        source="freellmpool 0.13.0 (2026-08-29); streams unverified",
    ),
    ProviderType(
        "qwen",
        "Qwen (DashScope)",
        "https://dashscope-intl.aliyuncs.com/compatible-mode/v1",
        _OPENAI,
        hosts=("dashscope-intl.aliyuncs.com", "dashscope.aliyuncs.com"),
        notes="In China: https://dashscope.aliyuncs.com/compatible-mode/v1.",
        source="@ai-sdk/alibaba 1.0.61; litellm 1.109.1",
    ),
    ProviderType(
        "openai-compatible",
        "OpenAI-compatible",
        "",
        _OPENAI,
        needs_key=False,
        limit_headers="openai",
        notes="Any server with OpenAI's paths: give its `baseURL`, and `dialects` if it "
        "speaks fewer or others.",
        source="OpenAI's API reference",
    ),
    ProviderType(
        "custom",
        "OpenAI-compatible",
        "",
        _OPENAI,
        needs_key=False,
        limit_headers="openai",
        notes="Another name for openai-compatible.",
        source="OpenAI's API reference",
    ),
    ProviderType(
        "copilot",
        "GitHub Copilot",
        "https://api.githubcopilot.com",
        {
            **_speaks(CHAT, RESPONSES, EMBEDDINGS),
            MESSAGES: "/v1/messages",
        },
        credential="copilot",
        headers=(
            ("editor-version", "vscode/1.104.0"),
            ("editor-plugin-version", "copilot-chat/0.31.0"),
            ("copilot-integration-id", "vscode-chat"),
            ("user-agent", "GitHubCopilotChat/0.31.0"),
            ("openai-intent", "conversation-panel"),
            ("x-github-api-version", "2025-05-01"),
        ),
        request_headers=("x-request-id", "x-initiator", "copilot-vision-request"),
        limit_headers="copilot",
        month=_UTC,
        genai="github-copilot",
        hosts=(
            "api.githubcopilot.com",
            "api.individual.githubcopilot.com",
            "api.business.githubcopilot.com",
            "api.enterprise.githubcopilot.com",
        ),
        notes="Sign in with `llm-gateway login copilot`, or set `oauthToken`. Since "
        "2026-06 usage is billed in AI credits of $0.01 from a monthly allowance. GitHub "
        "notices programs that take session tokens and may object: your decision.",
        source="vscode-copilot-chat; copilot-api; github/docs billing (2026)",
    ),
    ProviderType(
        "cerebras",
        "Cerebras",
        "https://api.cerebras.ai/v1",
        _speaks(CHAT, COMPLETIONS, RESPONSES),
        limit_headers="cerebras",
        genai="cerebras",
        hosts=("api.cerebras.ai",),
        notes="Counts the whole of max_completion_tokens up front. No lasting free tier "
        "since 2026-08 (a 30-day trial).",
        source="inference-docs.cerebras.ai; cerebras_cloud_sdk 1.91.0",
    ),
    ProviderType(
        "nvidia",
        "NVIDIA NIM",
        "https://integrate.api.nvidia.com/v1",
        _speaks(CHAT, EMBEDDINGS),
        limit_headers="nvidia",
        hosts=("integrate.api.nvidia.com",),
        free_presets=presets.NVIDIA,
        notes="Announces no limits; they are learned from its refusals.",
        source="flexrouter 2.3.2 (2026-09)",
    ),
    ProviderType(
        "cohere",
        "Cohere",
        "https://api.cohere.ai/compatibility/v1",
        _speaks(CHAT, EMBEDDINGS),
        month=_UTC,
        genai="cohere",
        hosts=("api.cohere.ai", "api.cohere.com"),
        models_path=None,
        free_presets=presets.COHERE,
        source="cohere 7.3.1; freellmpool 0.13.0 (2026-08-29)",
    ),
    ProviderType(
        "fireworks",
        "Fireworks AI",
        "https://api.fireworks.ai/inference/v1",
        _OPENAI,
        limit_headers="fireworks",
        genai="fireworks",
        hosts=("api.fireworks.ai",),
        source="docs.fireworks.ai rate limits (2026)",
    ),
    ProviderType(
        "huggingface",
        "Hugging Face router",
        "https://router.huggingface.co/v1",
        _speaks(CHAT, RESPONSES),
        month=_UTC,
        hosts=("router.huggingface.co",),
        notes="Monthly credits in dollars, not requests: give prices and "
        "`costPerMonth`. model:provider picks who answers.",
        source="freellmpool 0.13.0 (2026-08-29); @ai-sdk (2026-11)",
    ),
    ProviderType(
        "sambanova",
        "SambaNova",
        "https://api.sambanova.ai/v1",
        _speaks(CHAT),
        limit_headers="sambanova",
        hosts=("api.sambanova.ai",),
        free_presets=presets.SAMBANOVA,
        source="docs.sambanova.ai rate limits (2026); header names unverified",
    ),
    ProviderType(
        "cloudflare",
        "Cloudflare Workers AI",
        "https://api.cloudflare.com/client/v4/accounts/{accountId}/ai/v1",
        _speaks(CHAT, RESPONSES, EMBEDDINGS),
        day=_UTC,
        genai="cloudflare",
        models_path=None,
        free_presets=presets.CLOUDFLARE,
        notes="Allowance in neurons a day from midnight UTC; some models are paid only.",
        source="official pages, checked 2026-08-22; litellm 1.109.1",
    ),
    ProviderType(
        "zai",
        "Z.ai",
        "https://api.z.ai/api/paas/v4",
        _speaks(CHAT),
        genai="zai",
        hosts=("api.z.ai", "open.bigmodel.cn"),
        free_presets=presets.ZAI,
        notes="In China: https://open.bigmodel.cn/api/paas/v4.",
        source="litellm 1.109.1; freellmpool 0.13.0 (2026-08-29)",
    ),
    ProviderType(
        "moonshot",
        "Moonshot (Kimi)",
        "https://api.moonshot.ai/v1",
        _speaks(CHAT),
        genai="moonshotai",
        hosts=("api.moonshot.ai", "api.moonshot.cn"),
        notes="In China: https://api.moonshot.cn/v1.",
        source="@ai-sdk (2026-11)",
    ),
    ProviderType(
        "lmstudio",
        "LM Studio",
        "http://localhost:1234/v1",
        _OPENAI,
        needs_key=False,
        empty_path="/v1",
        local=True,
        source="unverified",
    ),
    ProviderType(
        "vllm",
        "vLLM",
        "http://localhost:8000/v1",
        _OPENAI,
        needs_key=False,
        empty_path="/v1",
        local=True,
        source="unverified",
    ),
    ProviderType(
        "simulator",
        "Simulator",
        "",
        _speaks(CHAT),
        auth="none",
        needs_key=False,
        models_path=None,
        local=True,
        builtin=True,
        notes="Built in: answers chat with made-up words, usage included.",
        source="edge/simulator.py",
    ),
)

TYPES: Mapping[str, ProviderType] = {row.type: row for row in _ROWS}

_PRIVATE = (
    "it rests on private credentials of another product, which are not ours to use"
)
UNSUPPORTED: Mapping[str, str] = {
    "claude-code": f'{_PRIVATE}; use "anthropic" with an API key of your own',
    "gemini-cli": f'{_PRIVATE}; use "google" with a key from AI Studio (there is a free tier)',
}
"""Types of the original that are refused, and what to write instead."""
