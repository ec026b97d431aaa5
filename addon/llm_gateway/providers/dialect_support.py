"""Which API formats (dialects) somebody here answers, and which well-known apps that leaves out.

    by_dialect      dialect -> the providers that speak it
    summary         the same as lines for people: start log, `doctor`
    nobody_takes    the error for a model that is here, but not in the dialect that was asked

An app speaks what its maker chose: Codex only Responses, Claude Code only Messages. With
providers that answer something else it cannot be served, which nobody guesses from a
"model not found".

What this file does not know: who is well, what is used up, HTTP.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence

from llm_gateway.domain import Dialect, Offer
from llm_gateway.providers.registry import TYPES

from ..dialects import DEFAULT, SPECS


def by_dialect(offers: Iterable[Offer]) -> dict[Dialect, tuple[str, ...]]:
    """Every dialect, with the providers whose usable offers speak it, in config order."""
    found: dict[Dialect, dict[str, None]] = {dialect: {} for dialect in SPECS}
    for offer in offers:
        if offer.enabled:
            for dialect in offer.dialects:
                found[dialect][offer.provider] = None
    return {dialect: tuple(providers) for dialect, providers in found.items()}


def summary(offers: Iterable[Offer]) -> Iterator[tuple[bool, str]]:
    """(somebody answers, `responses: nobody, so no Codex, AI SDK, Agents SDK, n8n`).

    Dialects that nobody speaks and no well-known app needs are left out.
    """
    for dialect, providers in by_dialect(offers).items():
        apps = SPECS[dialect].apps
        if providers:
            yield True, f"{dialect}: {', '.join(providers)}"
        elif apps:
            yield False, f"{dialect}: nobody, so no {', '.join(apps)}"


def nobody_takes(
    dialect: Dialect, model: str, having: Sequence[Offer], offers: Iterable[Offer]
) -> str:
    """The sentences for a model that nobody answers in this dialect.

    `having`: who has the model; `offers`: all that is configured.
    """
    said = f"No provider here takes {SPECS[dialect].endpoint} for {model!r}"
    if where := _where(having, dialect):
        said += f" ({where})"
    return f"{said}. {_advice(dialect, having, offers)}"


def _where(having: Iterable[Offer], but: Dialect) -> str:
    """`gemini, mistral have it for /v1/chat/completions only`."""
    spoken: dict[str, set[Dialect]] = {}
    for offer in having:
        if offer.enabled:
            spoken.setdefault(offer.provider, set()).update(offer.dialects)
    alike: dict[tuple[Dialect, ...], list[str]] = {}
    for provider, dialects in spoken.items():
        rest = tuple(d for d in SPECS if d in dialects and d != but)
        if rest:
            alike.setdefault(rest, []).append(provider)
    parts = [
        f"{', '.join(providers)} {'has' if len(providers) == 1 else 'have'} it for "
        f"{_and([SPECS[d].endpoint.rpartition(' ')[2] for d in dialects])} only"
        for dialects, providers in alike.items()
    ]
    return "; ".join(parts)


def _advice(dialect: Dialect, having: Sequence[Offer], offers: Iterable[Offer]) -> str:
    """What to add, or to which dialect the app may be set instead."""
    there = {offer.provider for offer in having if offer.enabled}
    able = [p for p in by_dialect(offers)[dialect] if p not in there]
    examples = example_types(dialect)
    if able:
        advice = f"Give {_or(able[:2])} this model, or an alias for it"
    elif examples:
        advice = f"Add a provider that does, e.g. {_or(examples)}"
    else:
        advice = "Add a provider that does"
    spoken = {d for offer in having if offer.enabled for d in offer.dialects}
    if SPECS[dialect].apps and dialect != DEFAULT.name and DEFAULT.name in spoken:
        advice += ", or set the app to an OpenAI-compatible provider (chat completions)"
    return f"{advice}."


def example_types(dialect: Dialect) -> tuple[str, ...]:
    """Two types that speak it, those with a free tier first."""
    able = [r for r in TYPES.values() if dialect in r.paths and r.hosts and not r.local]
    able.sort(key=lambda row: not row.free_presets)
    return tuple(row.type for row in able[:2])


def _and(words: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(words[:-1]), words[-1])))


def _or(words: Collection[str]) -> str:
    return " or ".join(words)
