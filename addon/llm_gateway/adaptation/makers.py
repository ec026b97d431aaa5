"""Maker of opaque state: whose signatures and encrypted reasoning a provider understands.

A maker is a text. Providers with the same one read each other's signed blocks; two entries
of one type at one address are one maker. `scope` of a provider's row says how far it goes.
"""

from typing import Literal

Scope = Literal["address", "account", "anthropic", "google"]
"""address: all accounts of this type at this address. account: one account alone (OpenAI's
encrypted reasoning belongs to an organization). anthropic: Claude wherever it is served.
google: per service and family of models."""


def maker_of(
    scope: Scope, type: str, host: str, account: str = "", model: str = ""
) -> str:
    """`anthropic`, `google aiplatform.googleapis.com:443 gemini-3`, `groq api.groq.com:443`.

    host: with port and path, as the requests go there.
    """
    match scope:
        case "anthropic":
            return "anthropic"
        case "google":
            return f"google {host} {_family(model)}"
        case "account":
            return f"{type} {host} {account}".rstrip()
        case "address":
            return f"{type} {host}"


def _family(model: str) -> str:
    """`models/gemini-3.1-pro-preview` -> `gemini-3.1`; without a number the whole name."""
    name = model.rsplit("/", 1)[-1].lower()
    parts = name.split("-")
    for i, part in enumerate(parts):
        if part[:1].isdigit():
            return "-".join([*parts[:i], part])
    return name
