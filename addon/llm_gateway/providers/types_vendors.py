"""Rows of the provider table: companies that serve models of their own.

Facts only; their meaning is in `row.py`, the whole table in `table.py`.
"""

from llm_gateway.dialects.billed import Bill
from llm_gateway.domain import Reset
from llm_gateway.providers.paid_extras import Paid, Unpaid
from llm_gateway.providers.provider_type import (
    CHAT,
    EMBEDDINGS,
    GENERATE_CONTENT,
    MESSAGES,
    OPENAI,
    RESPONSES,
    ProviderType,
    QuotaRoute,
    speaks,
)

_UTC = Reset(0, 0, "UTC")
_PACIFIC = Reset(0, 0, "America/Los_Angeles")

LABS = (
    ProviderType(
        "openai",
        "OpenAI",
        "https://api.openai.com/v1",
        OPENAI,
        forwarded=frozenset({b"openai-beta", b"idempotency-key"}),
        forwarded_direct=frozenset({b"openai-organization", b"openai-project"}),
        limit_headers="openai",
        maker="account",
        genai="openai",
        hosts=("api.openai.com",),
        support_ids=frozenset({b"cf-ray"}),
        keeps=frozenset(
            {"files", "uploads", "conversations", "vector_stores", "containers"}
        ),
        source="openai 3.54.0; error and rate-limit reference of 2026-10-17",
        key_variables=("OPENAI_API_KEY",),
    ),
    ProviderType(
        "anthropic",
        "Anthropic",
        "https://api.anthropic.com/v1",
        speaks(MESSAGES, CHAT),
        auth="x-api-key",
        forwarded=frozenset({b"idempotency-key"}),
        forwarded_query=frozenset({"beta"}),
        # Chat goes to the compatibility layer, which takes the same key as a bearer.
        auth_for={CHAT: "bearer"},
        limit_headers="anthropic",
        maker="anthropic",
        genai="anthropic",
        hosts=("api.anthropic.com",),
        empty_path="/v1",
        support_ids=frozenset({b"cf-ray"}),
        notes="Messages natively. Chat works through Anthropic's OpenAI-compatible path, "
        "which ignores response_format, seed and logprobs and takes n = 1 only: for chat "
        "another provider is usually the better one.",
        keeps=frozenset({"files"}),
        models_path="/models?limit=1000",
        models_auth="x-api-key",
        source="anthropic 2.12.0; platform.claude.com, OpenAI SDK compatibility (2026)",
        key_variables=("ANTHROPIC_API_KEY",),
    ),
    ProviderType(
        "google",
        "Google AI Studio (Gemini)",
        "https://generativelanguage.googleapis.com/v1beta/openai",
        speaks(CHAT, EMBEDDINGS, GENERATE_CONTENT),
        cut_base={GENERATE_CONTENT: "/openai"},
        native=GENERATE_CONTENT,
        auth_for={GENERATE_CONTENT: "x-goog-api-key"},
        unpaid=(
            Unpaid(
                "tools",
                ("code_execution", "url_context"),
                "billed as tokens only: ai.google.dev, code execution, URL context (2026)",
            ),
        ),
        limit_headers="google",
        maker="google",
        day=_PACIFIC,
        genai="google",
        hosts=("generativelanguage.googleapis.com",),
        free_quota="FreeTier",
        free_key="a key of a project with billing is billed for every request, and a good "
        "answer does not tell. How to tell: the list of API keys in AI Studio says Free "
        "tier beside a key of a project without billing, and its 429s name quotas with "
        "FreeTier in their id",
        notes="Limits hold per project and model, not per key; days begin at midnight "
        "Pacific time; failed attempts (503) count. A key of a project with billing is "
        "billed for every request, whatever the tier here says, and its answers do not "
        "tell: use a key of a project without billing.",
        keeps=frozenset({"cachedContents"}),
        models_path="/models?pageSize=1000",
        models_cut="/openai",
        models_shape="google",
        models_auth="x-goog-api-key",
        source="ai.google.dev rate limits (2026); flexrouter 2.3.2",
        key_variables=(
            "GEMINI_API_KEY",
            "GOOGLE_API_KEY",
            "GOOGLE_GENERATIVE_AI_API_KEY",
        ),
    ),
    ProviderType(
        "mistral",
        "Mistral",
        "https://api.mistral.ai/v1",
        speaks(CHAT, EMBEDDINGS),
        stream_usage="reject",
        limit_headers="mistral",
        genai="mistral",
        hosts=("api.mistral.ai", "codestral.mistral.ai"),
        support_ids=frozenset({b"mistral-correlation-id"}),
        notes="Usage comes in every stream; `stream_options` is an error there and is "
        "taken out.",
        keeps=frozenset({"files"}),
        source="mistralai 3.7.0; openai-agents-python issue on stream_options (2025)",
        key_variables=("MISTRAL_API_KEY",),
    ),
    ProviderType(
        "deepseek",
        "DeepSeek",
        "https://api.deepseek.com",
        speaks(CHAT, MESSAGES),
        bases={MESSAGES: "/anthropic/v1"},
        limit_headers="none",
        genai="deepseek",
        hosts=("api.deepseek.com",),
        support_ids=frozenset({b"x-ds-trace-id"}),
        # is_available, balance_infos[{currency, total_balance}], amounts as texts.
        quota=QuotaRoute(
            "/user/balance",
            "deepseek",
            what="dollars of the balance",
            source="api-docs.deepseek.com, get user balance (2026)",
        ),
        source="api-docs.deepseek.com (2026)",
        key_variables=("DEEPSEEK_API_KEY",),
    ),
    ProviderType(
        "xai",
        "xAI",
        "https://api.x.ai/v1",
        OPENAI,
        # Names are not documented; those it was seen with are OpenAI's.
        limit_headers="openai",
        genai="x-ai",
        hosts=("api.x.ai",),
        bills=(Bill(("cost_in_usd_ticks",), per_dollar=10**10),),
        paid=(
            Paid(
                "content",
                "reading files",
                ("file",),
                source="docs.x.ai, tools pricing (2026-10)",
            ),
        ),
        reasoning_excluded=True,
        keeps=frozenset({"files"}),
        source="docs.x.ai rate limits and cost tracking (2026-10)",
        key_variables=("XAI_API_KEY",),
    ),
    ProviderType(
        "perplexity",
        "Perplexity",
        "https://api.perplexity.ai",
        speaks(CHAT),
        stream_usage="always",
        limit_headers="none",
        genai="perplexity",
        hosts=("api.perplexity.ai",),
        bills=(Bill(("cost", "total_cost")),),
        models_path=None,
        notes="No /v1 in its address. Searches cost a fee on top of the tokens, which "
        "its answers include in `usage.cost`.",
        source="@ai-sdk (2026-11); docs.perplexity.ai, chat completions (2026-10)",
        key_variables=("PERPLEXITY_API_KEY",),
    ),
    ProviderType(
        "cohere",
        "Cohere",
        "https://api.cohere.ai/compatibility/v1",
        speaks(CHAT, EMBEDDINGS),
        limit_headers="cohere",
        month=_UTC,
        genai="cohere",
        hosts=("api.cohere.ai", "api.cohere.com"),
        models_path="/v1/models?page_size=1000&endpoint=chat",
        models_cut="/compatibility/v1",
        models_shape="cohere",
        support_ids=frozenset({b"x-debug-trace-id"}),
        source="cohere 7.3.1; freellmpool 0.13.0 (2026-08-29)",
        key_variables=(
            "COHERE_API_KEY",
            "CO_API_KEY",
        ),
    ),
    ProviderType(
        "qwen",
        "Qwen (DashScope)",
        "https://dashscope-intl.aliyuncs.com/compatible-mode/v1",
        OPENAI,
        hosts=("dashscope-intl.aliyuncs.com", "dashscope.aliyuncs.com"),
        notes="In China: https://dashscope.aliyuncs.com/compatible-mode/v1.",
        source="@ai-sdk/alibaba 1.0.61; litellm 1.109.1",
        key_variables=("DASHSCOPE_API_KEY",),
    ),
    ProviderType(
        "zai",
        "Z.ai",
        "https://api.z.ai/api/paas/v4",
        speaks(CHAT, MESSAGES),
        bases={MESSAGES: "/api/anthropic/v1"},
        genai="zai",
        hosts=("api.z.ai", "open.bigmodel.cn"),
        support_ids=frozenset({b"x-log-id"}),
        notes="In China: https://open.bigmodel.cn/api/paas/v4.",
        source="litellm 1.109.1; freellmpool 0.13.0 (2026-08-29)",
        key_variables=(
            "ZAI_API_KEY",
            "ZHIPU_API_KEY",
        ),
    ),
    ProviderType(
        "moonshot",
        "Moonshot (Kimi)",
        "https://api.moonshot.ai/v1",
        speaks(CHAT, MESSAGES),
        bases={MESSAGES: "/anthropic/v1"},
        genai="moonshotai",
        hosts=("api.moonshot.ai", "api.moonshot.cn"),
        support_ids=frozenset({b"msh-request-id"}),
        notes="In China: https://api.moonshot.cn/v1.",
        keeps=frozenset({"files"}),
        # data{available_balance, voucher_balance, cash_balance}; cash may be below 0.
        quota=QuotaRoute(
            "/v1/users/me/balance",
            "balance",
            member=("data", "available_balance"),
            elsewhere=("api.moonshot.cn",),
            what="dollars of the balance (in China: whether there is one)",
            source="platform.moonshot.ai, check balance (2026); token_dash",
        ),
        source="@ai-sdk (2026-11)",
        key_variables=("MOONSHOT_API_KEY",),
    ),
    ProviderType(
        "minimax",
        "MiniMax",
        "https://api.minimax.io/v1",
        speaks(CHAT, MESSAGES),
        bases={MESSAGES: "/anthropic/v1"},
        genai="minimax",
        hosts=("api.minimax.io", "api.minimaxi.com"),
        models_path=None,
        notes="In China: https://api.minimaxi.com/v1, with keys of its own. In chat its M2 "
        "models think in the text; by way of Messages their thoughts come apart.",
        source="platform.minimax.io, OpenAI and Anthropic SDKs (2026-10); @ai-sdk/minimax",
        key_variables=("MINIMAX_API_KEY",),
    ),
    ProviderType(
        "volcengine",
        "Volcengine Ark (Doubao)",
        "https://ark.cn-beijing.volces.com/api/v3",
        speaks(CHAT, RESPONSES),
        hosts=("ark.*.volces.com", "ark.*.bytepluses.com"),
        models_path=None,
        notes="A model is its name with its date, or an endpoint's id (ep-…). Keys of a coding "
        "plan: https://ark.cn-beijing.volces.com/api/coding/v3. Outside of China (BytePlus): "
        "https://ark.ap-southeast.bytepluses.com/api/v3.",
        source="volcengine.com, Ark; mastra, openclaw, eino (2026)",
        key_variables=("ARK_API_KEY",),
    ),
)
