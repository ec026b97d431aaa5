"""The reference of what providers are asked for: their lists of models, what is left."""

from llm_gateway.providers.docs import markdown
from llm_gateway.providers.provider_type import ProviderType
from llm_gateway.providers.registry import TYPES

LEFT = {
    "openrouter": "requests to `:free` models of the day; dollars of the key",
    "deepseek": "dollars of the balance",
    "moonshot": "dollars of the balance",
    "copilot": "premium requests and chat of the month",
    "ollama": "share of the month's credits (Ollama Cloud)",
}


def asked_table() -> str:
    """What each type is asked for, and what "free" means there."""
    rows = [
        (
            f"`{row.type}`",
            "no list" if row.models_path is None else _free(row),
            LEFT[row.quota.shape] if row.quota else "",
            row.quota.source if row.quota else "",
        )
        for row in TYPES.values()
        if not row.builtin
    ]
    head = ("type", '`"free"` is', "asked for what is left", "source of that")
    return markdown(head, rows)


def _free(row: ProviderType) -> str:
    if row.lists_prices:
        return "what the list has at price 0"
    if row.free_presets:
        return "what is known to be on its free tier"
    if row.local:
        return (
            "everything, at a loopback address"
            if not row.quota
            else "everything but cloud models"
        )
    if not row.hosts:
        return "what the list has at price 0, if it names prices"
    return '`"free": true` or `flatRate` only'
