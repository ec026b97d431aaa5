"""Bodies as vendors document them: every member of their SDKs' own request types.

`members(DIALECT)` is a strategy for bodies: the types of the installed SDKs are read as
data, so that what a vendor adds is sent, too. OpenRouter has no types: its reference is
written down here.
"""

import importlib
import types
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any, Literal, NotRequired, Required, Union, get_args, get_origin

from hypothesis import strategies as st
from typing_extensions import get_type_hints, is_typeddict

from llm_gateway.dialects import CHAT, COMPLETIONS, EMBEDDINGS, MESSAGES, RESPONSES
from llm_gateway.domain import Dialect

Values = st.SearchStrategy[Any]

SDKS: Mapping[Dialect, tuple[tuple[str, str], ...]] = {
    CHAT.name: (("openai.types.chat.completion_create_params", "CompletionCreateParamsNonStreaming"),),
    COMPLETIONS.name: (("openai.types.completion_create_params", "CompletionCreateParamsNonStreaming"),),
    EMBEDDINGS.name: (("openai.types.embedding_create_params", "EmbeddingCreateParams"),),
    RESPONSES.name: (("openai.types.responses.response_create_params", "ResponseCreateParamsNonStreaming"),),
    MESSAGES.name: (
        ("anthropic.types.message_create_params", "MessageCreateParamsNonStreaming"),
        ("anthropic.types.beta.message_create_params", "MessageCreateParamsNonStreaming"),
    ),
}  # fmt: skip

OPENROUTER: Mapping[str, Values] = {
    "models": st.just(["openai/gpt-5.4-mini", "x/y:free"]),
    "fallbacks": st.just([{"model": "openai/gpt-5.4-mini"}]),
    "route": st.just("fallback"),
    "preset": st.just("mine"),
    "provider": st.just({"sort": "price", "allow_fallbacks": True, "order": ["a"]}),
    "plugins": st.lists(
        st.fixed_dictionaries(
            {"id": st.sampled_from(["web", "file-parser", "fusion", "response-healing", "context-compression", "auto-router", "moderation", "of-tomorrow"])},
            optional={"enabled": st.booleans(), "max_results": st.integers(1, 9), "engine": st.sampled_from(["native", "exa"])},
        ),
        max_size=2,
    ),
    "transforms": st.just(["middle-out"]),
    "usage": st.just({"include": True}),
    "reasoning": st.just({"effort": "low", "exclude": True}),
    "include_reasoning": st.booleans(),
    "prediction": st.just({"type": "content", "content": "x"}),
    "top_k": st.integers(1, 40),
    "top_a": st.floats(0, 1),
    "min_p": st.floats(0, 1),
    "repetition_penalty": st.floats(0.1, 2),
    "structured_outputs": st.booleans(),
    "image_config": st.just({"aspect_ratio": "1:1"}),
    "debug": st.just({"echo_upstream_body": True}),
    "session_id": st.just("s"),
    "trace": st.just({"trace_id": "t"}),
    "user": st.just("u"),
    "tools": st.lists(
        st.sampled_from(["web_search", "web_fetch", "datetime", "fusion", "subagent", "advisor", "image_generation", "of-tomorrow"]).map(lambda name: {"type": f"openrouter:{name}"}),
        max_size=2,
    ),
}  # fmt: skip

TEXTS = st.sampled_from(["x", "us", "eu", "global", "auto"])
FIXED: Mapping[str, Values] = {
    "model": st.just("m"),
    "messages": st.just([{"role": "user", "content": "Hello!"}]),
    "input": st.just("Hello!"),
    "stream": st.booleans(),
}
"""Members that a request needs, or that say nothing of money."""

DEPTH = 3


def documented(dialect: Dialect) -> dict[str, Any]:
    """Member -> its type, of every type that an SDK has for a request's body."""
    found: dict[str, Any] = {}
    for module, name in SDKS[dialect]:
        found |= get_type_hints(getattr(importlib.import_module(module), name))
    return found


def tools_of(hint: Any) -> set[str]:
    """What `type` may say in the tools of a type."""
    if is_typeddict(hint):
        kind = get_type_hints(hint).get("type")
        return set(_literals(kind)) if kind is not None else set()
    return set().union(*(tools_of(one) for one in get_args(hint)))


@cache
def members(dialect: Dialect) -> Values:
    """Bodies with any of the documented members, and OpenRouter's."""
    own = {
        name: FIXED[name] if name in FIXED else of_type(hint)
        for name, hint in documented(dialect).items()
        if name != "model"
    }
    needed = {"model": FIXED["model"]}
    both = {
        name: own[name] | OPENROUTER[name] if name in own else OPENROUTER[name]
        for name in OPENROUTER
    }
    return st.fixed_dictionaries(needed, optional=own | both)


def of_type(hint: Any, depth: int = DEPTH) -> Values:
    """Values of a type as JSON has them; nothing deep, nothing large."""
    origin, args = get_origin(hint), get_args(hint)
    if origin in (Required, NotRequired):
        return of_type(args[0], depth)
    if is_typeddict(hint):
        return _object(hint, depth)
    if origin is Literal:
        return st.sampled_from(args)
    if origin in (Union, types.UnionType):
        return st.one_of([of_type(one, depth) for one in args])
    if hint is None or hint is type(None):
        return st.none()
    if hint is bool:
        return st.booleans()
    if hint is int:
        return st.integers(1, 64)
    if hint is float:
        return st.floats(0, 1)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return st.just({})
    if isinstance(origin, type) and issubclass(origin, Iterable):
        inner = of_type(args[0], depth - 1) if depth > 0 else st.nothing()
        return st.just([]) | st.lists(inner, max_size=2) if depth > 0 else st.just([])
    return TEXTS if hint is str or origin is not None else st.just({})


def _object(hint: Any, depth: int) -> Values:
    needed: dict[str, Values] = {}
    more: dict[str, Values] = {}
    for name, kind in get_type_hints(hint).items():
        if name in hint.__required_keys__:
            needed[name] = of_type(kind, depth - 1) if depth > 0 or _is_plain(kind) else st.just({})  # fmt: skip
        elif depth > 1:
            more[name] = of_type(kind, depth - 2)
    return st.fixed_dictionaries(needed, optional=more)


def _is_plain(hint: Any) -> bool:
    return get_origin(hint) is Literal or hint in (str, int, bool, float)


def _literals(hint: Any) -> list[str]:
    if get_origin(hint) is Literal:
        return list(get_args(hint))
    return [word for one in get_args(hint) for word in _literals(one)]
