"""Rows of the provider table: clouds and platforms that serve models of many makers.

Facts only; their meaning is in `row.py`, the whole table in `table.py`.
"""

from llm_gateway.dialects.billed import Bill
from llm_gateway.domain import Reset
from llm_gateway.providers.paid_extras import Paid, Unpaid
from llm_gateway.providers.provider_type import (
    CHAT,
    COMPLETIONS,
    EMBEDDINGS,
    GENERATE_CONTENT,
    MESSAGES,
    OPENAI,
    RESPONSES,
    ProviderType,
    QuotaRoute,
    Variant,
    speaks,
)

_UTC = Reset(0, 0, "UTC")
_OPENROUTER_DOCS = "OpenRouter's docs: model fallbacks, plugins, server tools (2026-10)"

PLATFORMS = (
    ProviderType(
        "google-vertex",
        "Google Vertex AI",
        "https://{location}-aiplatform.googleapis.com/v1/projects/{project}"
        "/locations/{location}/endpoints/openapi",
        {
            **speaks(CHAT),
            GENERATE_CONTENT: "/publishers/{publisher}/models/{model}:{action}",
        },
        cut_base={GENERATE_CONTENT: "/endpoints/openapi"},
        credential="token",
        limit_headers="google",
        maker="google",
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
        OPENAI,
        auth="api-key",
        forwarded=frozenset({b"openai-beta", b"idempotency-key"}),
        limit_headers="azure",
        maker="account",
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
                    dialect: "/deployments/{model}" + path
                    for dialect, path in speaks(CHAT, COMPLETIONS, EMBEDDINGS).items()
                },
                query="api-version={apiVersion}",
                empty_path="/openai",
            ),
        ),
        support_ids=frozenset({b"apim-request-id", b"x-ms-request-id"}),
        notes="The model is a deployment: `deploymentName`, or the model's name. With "
        "`apiVersion` the older, deployment-based address is used.",
        keeps=frozenset({"files", "vector_stores", "containers"}),
        source="learn.microsoft.com (2025-11); litellm 1.109.1",
    ),
    ProviderType(
        "bedrock",
        "AWS Bedrock",
        "https://bedrock-runtime.{region}.amazonaws.com/openai/v1",
        speaks(CHAT, RESPONSES),
        limit_headers="bedrock",
        maker="account",
        genai="aws",
        hosts=("bedrock-runtime.*.amazonaws.com", "bedrock-mantle.*.api.aws"),
        models_path=None,
        support_ids=frozenset({b"x-amzn-requestid"}),
        notes="With a Bedrock API key, not with access key and secret. For Claude's "
        "messages or models that only the mantle endpoint has, use type "
        "openai-compatible with its baseURL and `dialects`.",
        source="docs.aws.amazon.com, Bedrock inference (2026); portkey docs 2026-09-15",
    ),
    ProviderType(
        "groq",
        "Groq",
        "https://api.groq.com/openai/v1",
        speaks(CHAT, RESPONSES),
        limit_headers="groq",
        genai="groq",
        hosts=("api.groq.com",),
        # Its built-in tools and its compound systems' settings are priced apart; the
        # systems themselves cost nothing on the free plan.
        paid=(
            Paid(
                "compound_custom",
                "built-in tools",
                source="console.groq.com, compound and pricing (2026-10)",
            ),
        ),
        support_ids=frozenset({b"cf-ray"}),
        notes="Limits hold per organisation and model; its requests header speaks of "
        "the day, its tokens header of the minute.",
        keeps=frozenset({"files"}),
        source="console.groq.com/docs/rate-limits (2026); groq 1.7.0",
        key_variables=("GROQ_API_KEY",),
    ),
    ProviderType(
        "cerebras",
        "Cerebras",
        "https://api.cerebras.ai/v1",
        speaks(CHAT, COMPLETIONS, RESPONSES),
        limit_headers="cerebras",
        genai="cerebras",
        hosts=("api.cerebras.ai",),
        support_ids=frozenset({b"cf-ray"}),
        notes="Counts the whole of max_completion_tokens up front. No lasting free tier "
        "since 2026-08 (a 30-day trial).",
        source="inference-docs.cerebras.ai; cerebras_cloud_sdk 1.91.0",
        key_variables=("CEREBRAS_API_KEY",),
    ),
    ProviderType(
        "togetherai",
        "Together AI",
        "https://api.together.xyz/v1",
        speaks(CHAT, COMPLETIONS, EMBEDDINGS),
        limit_headers="together",
        genai="together",
        hosts=("api.together.xyz", "api.together.ai"),
        support_ids=frozenset({b"cf-ray"}),
        source="docs.together.ai rate limits (2026); litellm 1.109.1",
        key_variables=(
            "TOGETHER_API_KEY",
            "TOGETHER_AI_API_KEY",
        ),
    ),
    ProviderType(
        "fireworks",
        "Fireworks AI",
        "https://api.fireworks.ai/inference/v1",
        OPENAI,
        limit_headers="fireworks",
        genai="fireworks",
        hosts=("api.fireworks.ai",),
        source="docs.fireworks.ai rate limits (2026)",
        key_variables=("FIREWORKS_API_KEY",),
    ),
    ProviderType(
        "openrouter",
        "OpenRouter",
        "https://openrouter.ai/api/v1",
        speaks(CHAT, RESPONSES, MESSAGES, EMBEDDINGS),
        forwarded=frozenset(
            {
                *(b"http-referer", b"x-title", b"x-openrouter-title"),
                *(b"x-openrouter-categories", b"idempotency-key"),
            }
        ),
        forwarded_query=frozenset({"beta"}),
        stream_usage="always",
        limit_headers="openrouter",
        day=_UTC,
        genai="openrouter",
        hosts=("openrouter.ai",),
        bills=(
            Bill(("cost",)),
            # With a key of one's own at the vendor, that one sends a bill as well.
            Bill(("cost_details", "upstream_inference_cost"), only_if="is_byok"),
        ),
        paid=(
            Paid("content", "reading files", ("file",), source=_OPENROUTER_DOCS),
            Paid("tools", "{word}", ("openrouter:*",), source=_OPENROUTER_DOCS),
            Paid("tools", "web fetch", ("web_fetch*",), source=_OPENROUTER_DOCS),
        ),
        unpaid=(
            Unpaid(
                "plugins",
                ("response-healing", "context-compression"),
                _OPENROUTER_DOCS,
            ),
        ),
        support_ids=frozenset({b"x-generation-id", b"cf-ray"}),
        notes="Models that end in :free share one daily allowance per account, which "
        "begins anew at midnight UTC; a negative balance blocks them too.",
        models_shape="openrouter",
        lists_prices=True,
        # free_model_daily_requests{used, limit, remaining}: one bucket for all :free
        # models, by UTC days, up to a minute old; limit_remaining: dollars of the key.
        quota=QuotaRoute(
            "/api/v1/key",
            "openrouter",
            what="requests to `:free` models of the day; dollars of the key",
            source="OpenRouter's docs, limits (2026); answers of 2026-09 and 2026-10",
        ),
        source="OpenRouter's docs, limits and streaming (2026)",
        key_variables=("OPENROUTER_API_KEY",),
    ),
    ProviderType(
        "huggingface",
        "Hugging Face router",
        "https://router.huggingface.co/v1",
        speaks(CHAT, RESPONSES),
        stream_usage="always",
        month=_UTC,
        hosts=("router.huggingface.co",),
        notes="Monthly credits in dollars, not requests: give prices and "
        "`costPerMonth`. model:provider picks who answers.",
        source="freellmpool 0.13.0 (2026-08-29); @ai-sdk (2026-11)",
        key_variables=(
            "HF_TOKEN",
            "HUGGINGFACE_API_KEY",
        ),
    ),
    ProviderType(
        "nvidia",
        "NVIDIA NIM",
        "https://integrate.api.nvidia.com/v1",
        speaks(CHAT, EMBEDDINGS),
        limit_headers="nvidia",
        hosts=("integrate.api.nvidia.com",),
        support_ids=frozenset({b"nvcf-reqid"}),
        notes="Announces no limits; they are learned from its refusals.",
        source="flexrouter 2.3.2 (2026-09)",
        key_variables=(
            "NVIDIA_API_KEY",
            "NVIDIA_NIM_API_KEY",
        ),
    ),
    ProviderType(
        "sambanova",
        "SambaNova",
        "https://api.sambanova.ai/v1",
        speaks(CHAT),
        limit_headers="sambanova",
        hosts=("api.sambanova.ai",),
        source="docs.sambanova.ai rate limits (2026); header names unverified",
        key_variables=("SAMBANOVA_API_KEY",),
    ),
    ProviderType(
        "cloudflare",
        "Cloudflare Workers AI",
        "https://api.cloudflare.com/client/v4/accounts/{accountId}/ai/v1",
        speaks(CHAT, RESPONSES, EMBEDDINGS),
        day=_UTC,
        genai="cloudflare",
        models_path="/models/search?per_page=1000",
        models_cut="/v1",
        models_shape="cloudflare",
        support_ids=frozenset({b"cf-ray"}),
        notes="Allowance in neurons a day from midnight UTC; some models are paid only.",
        source="official pages, checked 2026-08-22; litellm 1.109.1",
        key_variables=("CLOUDFLARE_API_TOKEN",),
        setting_variables={"accountId": "CLOUDFLARE_ACCOUNT_ID"},
    ),
    ProviderType(
        "copilot",
        "GitHub Copilot",
        "https://api.githubcopilot.com",
        {
            **speaks(CHAT, RESPONSES, EMBEDDINGS),
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
        maker="account",
        month=_UTC,
        genai="github-copilot",
        hosts=(
            "api.githubcopilot.com",
            "api.individual.githubcopilot.com",
            "api.business.githubcopilot.com",
            "api.enterprise.githubcopilot.com",
        ),
        support_ids=frozenset({b"x-github-request-id"}),
        notes="Sign in with `llm-gateway login copilot`, or set `oauthToken`. Since "
        "2026-06 usage is billed in AI credits of $0.01 from a monthly allowance. GitHub "
        "notices programs that take session tokens and may object: your decision.",
        models_shape="copilot",
        # quota_snapshots{premium_interactions, chat}{entitlement, remaining, unlimited,
        # overage_permitted} and quota_reset_date, for the OAuth token.
        quota=QuotaRoute(
            "github",
            "copilot",
            what="premium requests and chat of the month",
            source="vscode-copilot-chat; copilot-api; answers of 2026-10",
        ),
        source="vscode-copilot-chat; copilot-api; github/docs billing (2026)",
    ),
)
