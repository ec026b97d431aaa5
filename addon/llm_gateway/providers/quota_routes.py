"""Where each provider is asked what is left of an account, and why some cannot be asked.

What lives here: `quota_route`, for an upstream's row and address; the routes that come with
an address, whatever type it is configured as (`BY_ADDRESS`); and the types that have no such
route for a normal key (`NO_ROUTE`), with where that is known from.

What this file does not know: how answers are spelt, sockets.
"""

from collections.abc import Mapping

from llm_gateway.domain import Origin
from llm_gateway.providers.provider_type import ProviderType, QuotaRoute

_BALANCES = "a plugin of opencode's list of balance routes, 2026"

BY_ADDRESS = (
    QuotaRoute(
        "/v1/credits",
        "balance",
        ("ai-gateway.vercel.sh",),
        member=("balance",),
        what="dollars of the credits (Vercel AI Gateway)",
        source="vercel.com, AI Gateway, REST API (2026-09)",
    ),
    QuotaRoute(
        "/v1/user/info",
        "balance",
        ("api.siliconflow.com", "api.siliconflow.cn"),
        member=("data", "totalBalance"),
        elsewhere=("api.siliconflow.cn",),
        what="dollars of the balance (in China: whether there is one)",
        source=f"docs.siliconflow.com, user info; {_BALANCES}",
    ),
    QuotaRoute(
        "/openapi/v1/billing/balance/detail",
        "balance",
        ("api.novita.ai",),
        member=("availableBalance",),
        per_dollar=10_000,
        what="dollars of the balance",
        source="novita.ai, user balance info (2026-08-10)",
    ),
    QuotaRoute(
        "/api/v1/billing/balance",
        "venice",
        ("api.venice.ai",),
        what="dollars of the balance, where dollars are spent",
        source="docs.venice.ai, billing balance (2026)",
    ),
    QuotaRoute(
        "/api/monitor/usage/quota/limit",
        "zai",
        ("api.z.ai", "open.bigmodel.cn"),
        base="/api/coding",
        what="shares of a coding plan's hours, week and month",
        source="not documented; answers seen by openusage and others (2026)",
    ),
    QuotaRoute(
        "/coding/v1/usages",
        "kimi",
        ("api.kimi.com", "api.kimi.ai"),
        base="/coding",
        what="shares of a coding plan's hours and week (Kimi)",
        source="not documented; answers seen by openusage and others (2026)",
    ),
)

_CONSOLE = f"the console alone tells ({_BALANCES})"
_HEADERS = "each answer's headers tell"
_CLOUD = "the cloud's own monitoring tells, with other credentials"

NO_ROUTE: Mapping[str, str] = {
    "openai": "admin keys only (platform.openai.com, usage and costs)",
    "anthropic": "admin keys only (platform.claude.com, usage and cost API)",
    "google": "its refusals tell (ai.google.dev, rate limits)",
    "mistral": f"{_HEADERS}; {_CONSOLE}",
    "xai": "management keys only (docs.x.ai, management API)",
    "perplexity": _CONSOLE,
    "cohere": "none (docs.cohere.com, rate limits)",
    "qwen": _CONSOLE,
    "zai": "at a coding plan's address only, see below",
    "minimax": "a plan's `token_plan/remains`, of which some read the count as used and "
    "some as left: not asked (openusage, 2026)",
    "volcengine": _CONSOLE,
    "google-vertex": _CLOUD,
    "azure": _CLOUD,
    "bedrock": _CLOUD,
    "groq": f"{_HEADERS} (console.groq.com, rate limits)",
    "cerebras": f"{_HEADERS} (inference-docs.cerebras.ai, rate limits)",
    "togetherai": f"{_HEADERS}; {_CONSOLE}",
    "fireworks": f"{_HEADERS}; {_CONSOLE}",
    "huggingface": "none (huggingface.co, inference providers' billing)",
    "nvidia": "its refusals tell",
    "sambanova": f"{_HEADERS} (docs.sambanova.ai, rate limits)",
    "cloudflare": "with a right to analytics only (developers.cloudflare.com)",
    "lmstudio": "nothing is counted",
    "vllm": "nothing is counted",
}
"""Type -> why there is nobody to ask with the key that requests are sent with."""


def quota_route(row: ProviderType, origin: Origin) -> QuotaRoute | None:
    """That of the address, else the row's own; None: there is nobody to ask."""
    for route in BY_ADDRESS:
        if origin.host in route.hosts and origin.path.startswith(route.base):
            return route
    own = row.quota
    if own is None or row.builtin:
        return None
    return own if not own.hosts or origin.host in own.hosts else None
