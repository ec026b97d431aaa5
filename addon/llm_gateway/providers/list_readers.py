"""Reads a provider's list of models: OpenAI's form and the many that add to it.

What lives here: `read_list`, from an answer's body to `ListedModel`s, by the shape that
the provider's row names. A member that has another type than it should is taken as not
said; an entry without a name is left out.

    openai       {"data": [{"id"}]}, or the bare list; context windows, prices and kinds by
                 the members that servers of this form use (vLLM, Groq, Mistral, Together …)
    openrouter   prices in dollars per token, as texts; -1: it depends on who answers
    google       {"models": [{"name": "models/…", "inputTokenLimit", …}]}
    copilot      {"data": [{"id", "capabilities": {"type", "limits"}, "policy"}]}
    cohere       {"models": [{"name", "endpoints", "context_length"}]}
    cloudflare   {"result": [{"name", "task", "properties": [{"property_id", "value"}]}]}

What this file does not know: sockets, which models the user wants.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from fnmatch import fnmatchcase
from typing import Any

from llm_gateway.providers.list_prices import listed_price
from llm_gateway.providers.listed_models import ListedModel
from llm_gateway.providers.said_numbers import number

MOST = 5_000
"""Models of one list; more are none that a person could mean."""
LONGEST_NAME = 200
COUNTS = (256, 1_000_000_000)
"""Tokens; no window is smaller or larger than this, whatever a list says."""

NOT_CHAT = (
    *("*embed*", "*whisper*", "*tts*", "*dall-e*", "*moderation*", "*rerank*"),
    *("*image*", "*imagen*", "*flux*", "*stable-diffusion*", "*sdxl*", "sora*", "veo*"),
    *("*transcri*", "*speech*", "*realtime*", "*-live*", "*-ocr*", "*guard*"),
    *("*safeguard*", "*reward*", "*nv-clip*", "bge-*", "*/bge-*", "*parakeet*"),
    *("aqa", "*davinci*", "*babbage*", "*-audio*", "*veo-*", "*lyria*", "*voxtral*"),
)
"""Names of models that are no chat models, for lists that do not say what a model does."""

Entry = Mapping[str, Any]


class NotAList(ValueError):
    """An answer that is no list of models; the clause follows the provider's name."""


def read_list(shape: str, body: bytes) -> tuple[ListedModel, ...]:
    """The models, in the list's order, each once. Raises NotAList, also for an empty one:
    a provider that has no model any more has a bad day."""
    try:
        value = json.loads(body, parse_float=Decimal)
    except (ValueError, RecursionError):
        raise NotAList("answers no JSON when asked for its models") from None
    entries = _entries(value)
    if entries is None:
        raise NotAList("answers no list of models")
    found: dict[str, ListedModel] = {}
    for model in _SHAPES[shape](entries[:MOST]):
        if 0 < len(model.name) <= LONGEST_NAME and model.name.isprintable():
            found.setdefault(model.name, model)
    if not found:
        raise NotAList("answers an empty list of models")
    return tuple(found.values())


def _entries(value: Any) -> list[Any] | None:
    if isinstance(value, Mapping):
        places = (value.get(key) for key in ("data", "models", "result"))
        value = next((place for place in places if isinstance(place, list)), None)
    return value if isinstance(value, list) else None


def _objects(entries: list[Any]) -> Iterator[Entry]:
    return (entry for entry in entries if isinstance(entry, Mapping))


# -- the shapes -------------------------------------------------------------------


def _openai(entries: list[Any]) -> Iterator[ListedModel]:
    for entry in entries:
        if isinstance(entry, str):
            yield ListedModel(entry, converses=_chat_by_name(entry))
            continue
        if not isinstance(entry, Mapping):
            continue
        name = _text(entry, "id") or _text(entry, "name") or _text(entry, "model")
        if name is None or entry.get("active") is False:
            continue
        name = name.removeprefix("models/")
        limits = _object(entry, "limits")
        said = listed_price(entry, per_token=False)
        yield ListedModel(
            name,
            said.price,
            _first_count(entry, _WINDOWS) or _count(limits, "max_context_tokens"),
            _first_count(entry, _OUTPUTS),
            _chat_by_entry(entry, name),
            said.billed,
        )


_WINDOWS = (
    "context_window",  # Groq
    "max_context_length",  # Mistral
    "context_length",  # Together, Fireworks, SambaNova
    "max_model_len",  # vLLM
    "max_input_tokens",  # Anthropic
    "loaded_context_length",  # LM Studio
)
_OUTPUTS = (
    "max_completion_tokens",  # Groq, SambaNova
    "max_output_tokens",
    "max_output_length",
    "max_tokens",  # Anthropic
)


def _chat_by_entry(entry: Entry, name: str) -> bool:
    """By what the entry says that the model does; else by its name."""
    kind = entry.get("type")
    capabilities = _object(entry, "capabilities")
    if isinstance(said := capabilities.get("completion_chat"), bool):
        return said  # Mistral
    if isinstance(said := entry.get("supports_chat"), bool):
        return said  # Fireworks
    if isinstance(kind, str) and kind not in ("", "model", "base", "fine-tuned"):
        return kind in ("chat", "language", "llm", "vlm", "code", "text")  # Together
    outputs = _object(entry, "architecture").get("output_modalities")
    if isinstance(outputs, list):
        return "text" in outputs
    return _chat_by_name(name)


def _openrouter(entries: list[Any]) -> Iterator[ListedModel]:
    for entry in _objects(entries):
        if (name := _text(entry, "id")) is None:
            continue
        architecture = _object(entry, "architecture")
        outputs = architecture.get("output_modalities")
        top = _object(entry, "top_provider")
        said = listed_price(entry, per_token=True)
        yield ListedModel(
            name,
            said.price,
            _count(top, "context_length") or _count(entry, "context_length"),
            _count(top, "max_completion_tokens"),
            "text" in outputs if isinstance(outputs, list) else _chat_by_name(name),
            said.billed,
        )


def _google(entries: list[Any]) -> Iterator[ListedModel]:
    for entry in _objects(entries):
        name = _text(entry, "name") or _text(entry, "id")
        if name is None:
            continue
        name = name.removeprefix("models/")
        methods = entry.get("supportedGenerationMethods")
        answers = not isinstance(methods, list) or "generateContent" in methods
        yield ListedModel(
            name,
            None,
            _count(entry, "inputTokenLimit"),
            _count(entry, "outputTokenLimit"),
            answers and _chat_by_name(name),
        )


def _copilot(entries: list[Any]) -> Iterator[ListedModel]:
    for entry in _objects(entries):
        if (name := _text(entry, "id")) is None:
            continue
        if _object(entry, "policy").get("state") in ("disabled", "unconfigured"):
            continue
        capabilities = _object(entry, "capabilities")
        limits = _object(capabilities, "limits")
        kind = capabilities.get("type")
        yield ListedModel(
            name,
            None,
            _count(limits, "max_context_window_tokens"),
            _count(limits, "max_output_tokens"),
            kind == "chat" if isinstance(kind, str) else _chat_by_name(name),
        )


def _cohere(entries: list[Any]) -> Iterator[ListedModel]:
    for entry in _objects(entries):
        name = _text(entry, "name") or _text(entry, "id")
        if name is None or entry.get("is_deprecated") is True:
            continue
        does = entry.get("endpoints")
        chat = "chat" in does if isinstance(does, list) else _chat_by_name(name)
        yield ListedModel(name, None, _count(entry, "context_length"), None, chat)


def _cloudflare(entries: list[Any]) -> Iterator[ListedModel]:
    for entry in _objects(entries):
        if (name := _text(entry, "name")) is None:
            continue
        properties = entry.get("properties")
        said = {
            p.get("property_id"): p.get("value")
            for p in _objects(properties if isinstance(properties, list) else [])
        }
        kind = _object(entry, "task").get("name")
        window = said.get("context_window")
        yield ListedModel(
            name,
            None,  # in neurons: dollars only beyond the free ones
            _whole(window),
            None,
            kind == "Text Generation" if isinstance(kind, str) else _chat_by_name(name),
        )


_SHAPES: Mapping[str, Callable[[list[Any]], Iterator[ListedModel]]] = {
    "openai": _openai,
    "openrouter": _openrouter,
    "google": _google,
    "copilot": _copilot,
    "cohere": _cohere,
    "cloudflare": _cloudflare,
}
SHAPES = frozenset(_SHAPES)


# -- members ----------------------------------------------------------------------


def _chat_by_name(name: str) -> bool:
    low = name.lower()
    return not any(fnmatchcase(low, pattern) for pattern in NOT_CHAT)


def _text(entry: Entry, key: str) -> str | None:
    value = entry.get(key)
    return value if isinstance(value, str) and value else None


def _object(entry: Entry, key: str) -> Entry:
    value = entry.get(key)
    return value if isinstance(value, Mapping) else {}


def _count(entry: Entry, key: str) -> int | None:
    return _whole(entry.get(key))


def _first_count(entry: Entry, keys: tuple[str, ...]) -> int | None:
    return next((n for key in keys if (n := _count(entry, key)) is not None), None)


def _whole(value: Any) -> int | None:
    found, (least, most) = number(value), COUNTS
    return int(found) if found is not None and least <= found <= most else None
