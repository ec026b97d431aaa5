"""Which API formats (dialects) somebody here answers, and which well-known apps that leaves out.

    by_dialect      dialect -> the providers that speak it
    summary         the same as lines for people: start log, `doctor`
    nobody_takes    the error for a model that is here, but not in the dialect that was asked

An app speaks what its maker chose: Codex only Responses, Claude Code only Messages. With
providers that answer something else it cannot be served, which nobody guesses from a
"model not found".

What this file does not know: who is well, what is used up, HTTP.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from llm_gateway.domain import Dialect, Offer
from llm_gateway.providers.registry import TYPES

from ..dialects import DEFAULT, SPECS, translations


def by_dialect(offers: Iterable[Offer]) -> dict[Dialect, tuple[str, ...]]:
    """Every dialect, with the providers whose usable offers speak it, in config order."""
    found: dict[Dialect, dict[str, None]] = {dialect: {} for dialect in SPECS}
    for offer in offers:
        if offer.enabled:
            for dialect in offer.dialects:
                found[dialect][offer.provider] = None
    return {dialect: tuple(providers) for dialect, providers in found.items()}


def summary(
    offers: Iterable[Offer], *, translate: bool = False
) -> Iterator[tuple[bool, str]]:
    """(somebody answers, `responses: nobody, so no Codex, AI SDK, Agents SDK, n8n`).

    Dialects that nobody speaks and no well-known app needs are left out. `translate`:
    who speaks another one answers, too: `messages: router; translated: gemini`.
    """
    spoken = by_dialect(offers)
    for dialect, providers in spoken.items():
        apps = SPECS[dialect].apps
        others = _translated(dialect, spoken) if translate else ()
        if providers or others:
            said = [", ".join(providers)] if providers else []
            said += [f"translated: {', '.join(others)}"] if others else []
            yield True, f"{dialect}: {'; '.join(said)}"
        elif apps:
            yield False, f"{dialect}: nobody, so no {', '.join(apps)}"


def _translated(
    dialect: Dialect, spoken: Mapping[Dialect, Sequence[str]]
) -> tuple[str, ...]:
    """Who is asked in another dialect for what is asked in this one."""
    found = dict.fromkeys(p for d in translations(dialect) for p in spoken[d])
    return tuple(p for p in found if p not in spoken[dialect])


def nobody_takes(
    dialect: Dialect,
    model: str,
    having: Sequence[Offer],
    offers: Iterable[Offer],
    *,
    translate: bool = True,
) -> str:
    """The sentences for a model that nobody answers in this dialect.

    `having`: who has the model; `offers`: all that is configured; `translate`: false
    where it might have been translated, and was not allowed.
    """
    said = f"No provider here takes {SPECS[dialect].endpoint} for {model!r}"
    if where := _where(having, dialect):
        said += f" ({where})"
    able = {d for offer in having if offer.enabled for d in offer.dialects}
    if not translate and not able.isdisjoint(translations(dialect)):
        return (
            f"{said}. They are asked by translation where `routing.translate` is true "
            "and the request does not forbid it (x-gateway-translate: never)."
        )
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
