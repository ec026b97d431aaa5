"""The reference of what providers are asked for: their lists of models, what is left."""

from llm_gateway.providers.docs import markdown
from llm_gateway.providers.provider_type import ProviderType
from llm_gateway.providers.quota_routes import BY_ADDRESS, NO_ROUTE
from llm_gateway.providers.registry import TYPES


def asked_table() -> str:
    """What each type is asked for, and what "free" means there."""
    rows = [
        (
            f"`{row.type}`",
            "no list" if row.models_path is None else _free(row),
            row.quota.what
            if row.quota
            else f"no: {NO_ROUTE.get(row.type, '')}".rstrip(": "),
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


def asked_by_address_table() -> str:
    """Those that are asked by their address, whatever type they are configured as."""
    rows = [
        (
            ", ".join(f"`{host}{route.base}`" for host in route.hosts),
            route.what,
            route.source,
        )
        for route in BY_ADDRESS
    ]
    return markdown(("`baseURL` at", "asked for what is left", "source of that"), rows)
