"""The provider table for people: Markdown, made from the rows.

What lives here: the tables of docs/providers.md. They are read off the rows, so
that they cannot say anything else than the code.
"""

from collections.abc import Iterable

from llm_gateway.dialects import SPECS
from llm_gateway.domain import Reset
from llm_gateway.providers.free_tiers import describe
from llm_gateway.providers.provider_type import ProviderType
from llm_gateway.providers.published import FreePreset
from llm_gateway.providers.registry import TYPES, packaged


def providers_table() -> str:
    """Type, address, key, dialects and usage of every row."""
    rows = [
        (
            f"`{row.type}`",
            row.title,
            _address(row),
            _auth(row),
            ", ".join(name for name in SPECS if name in row.paths),
            {"ask": "asked for", "always": "always", "reject": "always, never asked"}[
                row.stream_usage
            ],
            _reset(row),
        )
        for row in TYPES.values()
    ]
    head = (
        "type",
        "provider",
        "address",
        "key",
        "dialects",
        "usage in streams",
        "resets",
    )
    return markdown(head, rows)


def free_tiers_table() -> str:
    """What `"tier": "free"` fills in."""
    rows = [
        (
            f"`{row.type}`",
            ", ".join(f"`{name}`" for name in preset.models),
            describe(preset.limits),
            {
                "model": "each model",
                "account": "all models together",
                "tier": "all `:free` models together",
            }[preset.per],
            _asks(preset),
            "; ".join(filter(None, (preset.note, _doubt(preset)))),
            f"{preset.as_of}, {preset.source}",
        )
        for row in TYPES.values()
        for preset in row.free_presets
    ]
    head = (
        "type",
        "models",
        "limits",
        "hold for",
        "at its end; trains on prompts; terms",
        "note",
        "as of, source",
    )
    return markdown(head, rows)


def other_tiers_table() -> str:
    """What `"tier": "free"` does not fill in: tiers that ended, that begin later, that
    nobody here has checked."""
    found = packaged()
    rows = [
        (
            f"`{tier.provider}`",
            ", ".join(f"`{name}`" for name in tier.models),
            {"free": f"from {tier.since} on", "ended": "ended"}.get(
                tier.status, "candidate"
            ),
            describe(tier.limits) if tier.limits else "",
            "; ".join(filter(None, (tier.note, tier.uncertain, tier.terms))),
            f"{tier.as_of}, {tier.source}",
        )
        for tier in sorted(found.free_tiers, key=lambda tier: _STATUS[tier.status])
        if tier.status != "free" or tier.since > found.as_of
    ]
    head = ("who", "models", "what", "limits", "why, and what is not certain", "as of, source")  # fmt: skip
    return markdown(head, rows)


_STATUS = {"free": 0, "ended": 1, "candidate": 2}


def _asks(preset: FreePreset) -> str:
    end = {True: "stops", False: "bills", None: "end unknown"}[preset.hard_stop]
    return "; ".join(
        filter(None, (end, f"trains: {preset.trains_on_prompts}", preset.terms))
    )


def _doubt(preset: FreePreset) -> str:
    since = f"from {preset.since} on" if preset.since else ""
    doubt = f"uncertain: {preset.uncertain}" if preset.uncertain else ""
    return "; ".join(filter(None, (since, doubt)))


def notes_list() -> str:
    """What is special about a type, one line each."""
    return "".join(
        f"- **{row.title}** (`{row.type}`): {row.notes}\n"
        for row in TYPES.values()
        if row.notes
    )


def _address(row: ProviderType) -> str:
    if row.builtin:
        return "built in"
    return f"`{row.base_url}`" if row.base_url else "`baseURL`"


def _auth(row: ProviderType) -> str:
    match row.credential:
        case "copilot":
            return "login, or `oauthToken`"
        case "token":
            return "`accessToken`, `accessTokenFile`"
        case "key":
            if row.auth == "none":
                return "none"
            return "`apiKey`" if row.needs_key else "`apiKey`, if it wants one"


def _reset(row: ProviderType) -> str:
    found = [("day", row.day), ("month", row.month)]
    return ", ".join(f"{what} {_clock(reset)}" for what, reset in found if reset)


def _clock(reset: Reset) -> str:
    return f"{reset.hour:02}:{reset.minute:02} {reset.zone}"


def markdown(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
