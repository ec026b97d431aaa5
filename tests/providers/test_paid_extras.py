"""Free stays free: whatever a documented body asks for, at whatever provider.

The property sends every documented member through the real decision and the real
rewriting: what would leave for an offer that costs nothing holds no member that lets
another model answer, and nothing that any vendor's documentation prices.
"""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tables import each_row

from llm_gateway.config.models import Config
from llm_gateway.dialects import (
    CHAT,
    COMPLETIONS,
    MESSAGES,
    RESPONSES,
    DialectSpec,
    RequestBody,
    read,
)
from llm_gateway.domain import (
    Candidate,
    GatewayRequest,
    Offer,
    Policy,
    Price,
    RequestInfo,
)
from llm_gateway.providers.catalog import Catalog
from llm_gateway.providers.paid_extras import REDIRECTS, weighed
from llm_gateway.providers.registry import TYPES
from llm_gateway.routing.selection import decide
from llm_gateway.routing.state import RoutingContext, RoutingView
from llm_gateway.routing.worst_case import extras_of, price_of

NOW = 1_800_000_000.0
REMOTE = sorted(name for name, row in TYPES.items() if not row.local)


def ask(dialect: DialectSpec, **values: Any) -> RequestBody:
    body = read(dialect, json.dumps({"model": "m", **values}).encode())
    assert isinstance(body, RequestBody), body
    return body


def offer(type_: str, **more: Any) -> Offer:
    return Offer("p", "", "m", type_, "m", **{"free": True, **more})


def decided(offer: Offer, ask: RequestInfo) -> Candidate:
    """The real decision about one offer, under `free-only`."""
    call = GatewayRequest("1", NOW, ask, client="c", app="a", policy=Policy.FREE_ONLY)
    catalog = Catalog("r", Config())
    view = RoutingView(RoutingContext(catalog), catalog, NOW)
    (found,) = decide(call, [[offer]], view, tie_break=lambda: 0.0).candidates
    return found


PDF = {"type": "file", "file": {"file_data": "data:application/pdf;base64,AAAA"}}

# what a request says -> what it has to pay for, at OpenRouter, by its documentation
OPENROUTER: list[tuple[str, dict[str, Any], str]] = [
    ("plain", {}, ""),
    ("client's tools", {"tools": [{"type": "function", "function": {}}]}, ""),
    ("no tools", {"tools": []}, ""),
    ("tools null", {"tools": None}, ""),
    ("web plugin", {"plugins": [{"id": "web"}]}, "web search"),
    ("web plugin, bounded", {"plugins": [{"id": "web", "max_results": 1}]}, "web search"),
    ("switched off", {"plugins": [{"id": "web", "enabled": False}]}, ""),
    ("healing", {"plugins": [{"id": "response-healing"}]}, ""),
    ("pdf plugin", {"plugins": [{"id": "file-parser"}]}, "reading files"),
    ("another model", {"plugins": [{"id": "fusion"}]}, "plugin fusion"),
    ("nameless", {"plugins": [{}]}, "plugin plugins"),
    ("two", {"plugins": [{"id": "response-healing"}, {"id": "web"}]}, "web search"),
    ("its own tool", {"tools": [{"type": "openrouter:web_search"}]}, "openrouter:web_search"),
    ("its advisor", {"tools": [{"type": "openrouter:advisor"}]}, "openrouter:advisor"),
    ("options", {"web_search_options": {"search_context_size": "low"}}, "web search"),
    ("no options", {"web_search_options": {}}, "web search"),
    ("tier", {"service_tier": "priority"}, "service tier priority"),
    ("usual tier", {"service_tier": "auto"}, ""),
    ("a file", {"messages": [{"role": "user", "content": [PDF]}]}, "reading files"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("values", "why"), [c[1:] for c in OPENROUTER], ids=[c[0] for c in OPENROUTER]
)
def test_openrouter(values: dict[str, Any], why: str) -> None:
    found = extras_of(offer("openrouter"), ask(CHAT, **values).ask)
    assert found.why == why


@each_row(
    ("type_", "dialect", "values", "why"),
    [
        # OpenAI
        ("openai", RESPONSES, {"tools": [{"type": "web_search"}]}, "web search"),
        ("openai", RESPONSES, {"tools": [{"type": "web_search_preview"}]}, "web search"),
        ("openai", RESPONSES, {"tools": [{"type": "file_search"}]}, "file search"),
        ("openai", RESPONSES, {"tools": [{"type": "code_interpreter"}]}, "server tool code_interpreter"),
        ("openai", RESPONSES, {"tools": [{"type": "image_generation"}]}, "server tool image_generation"),
        ("openai", RESPONSES, {"tools": [{"type": "local_shell"}, {"type": "custom"}]}, ""),
        ("openai", RESPONSES, {"prompt": {"id": "pmpt_1"}}, "a stored prompt"),
        ("openai", COMPLETIONS, {"prompt": "Once upon a time"}, ""),
        ("openai", CHAT, {"web_search_options": {"user_location": None}}, "web search"),
        ("openai", CHAT, {"service_tier": "fast"}, "service tier fast"),
        # Anthropic
        ("anthropic", MESSAGES, {"tools": [{"name": "f", "input_schema": {}}]}, ""),
        ("anthropic", MESSAGES, {"tools": [{"type": "bash_20250124", "name": "bash"}]}, ""),
        ("anthropic", MESSAGES, {"tools": [{"type": "web_search_20250305", "name": "s"}]}, "web search"),
        ("anthropic", MESSAGES, {"tools": [{"type": "code_execution_20250825"}]}, "server tool code_execution_20250825"),
        ("anthropic", MESSAGES, {"tools": [{"type": "web_fetch_20250910"}]}, ""),
        ("anthropic", MESSAGES, {"speed": "fast"}, "speed fast"),
        ("anthropic", MESSAGES, {"inference_geo": "us"}, "region us"),
        ("anthropic", MESSAGES, {"service_tier": "standard_only"}, ""),
        # others
        ("xai", CHAT, {"search_parameters": {"mode": "auto"}}, "live search"),
        ("xai", RESPONSES, {"tools": [{"type": "x_search"}]}, "web search"),
        ("xai", CHAT, {"messages": [{"role": "user", "content": [PDF]}]}, "reading files"),
        ("groq", CHAT, {"tools": [{"type": "browser_search"}]}, "web search"),
        ("groq", CHAT, {"compound_custom": {"tools": {}}}, "built-in tools"),
        ("groq", CHAT, {"service_tier": "performance"}, "service tier performance"),
        ("groq", CHAT, {"service_tier": "flex"}, ""),
        ("mistral", CHAT, {"tools": [{"type": "document_library"}]}, "server tool document_library"),
        ("qwen", CHAT, {"enable_search": True}, "web search"),
        ("qwen", CHAT, {"enable_search": False}, ""),
        ("qwen", CHAT, {"enable_code_interpreter": True}, "code interpreter"),
        ("qwen", CHAT, {"enable_code_interpreter": False}, ""),
        ("zai", CHAT, {"tools": [{"type": "web_search", "web_search": {}}]}, "web search"),
        ("moonshot", CHAT, {"tools": [{"type": "builtin_function"}]}, "server tool builtin_function"),
        # on the user's own machine nobody sends a bill
        ("ollama", CHAT, {"web_search_options": {"x": 1}, "models": ["a"]}, ""),
        ("simulator", CHAT, {"plugins": [{"id": "web"}]}, ""),
    ],
)  # fmt: skip
def test_other_rows(
    type_: str, dialect: DialectSpec, values: dict[str, Any], why: str
) -> None:
    assert extras_of(offer(type_), ask(dialect, **values).ask).why == why


SWITCHES = (
    "web_search_options",
    "search_parameters",
    "search_settings",
    "web_search",
)
ON: list[tuple[DialectSpec, dict[str, Any]]] = [
    # an empty value switches on as well as any other
    *((CHAT, {member: value}) for member in SWITCHES for value in ({}, [], True, "", 0, {"x": 1})),
    (CHAT, {"enable_search": {}}),
    (RESPONSES, {"prompt": {}}),
    # an object where a list is usual is a list of one
    (CHAT, {"tools": {}}),
    (CHAT, {"tools": {"type": "openrouter:web_search"}}),
    (CHAT, {"tools": {"googleSearch": {}}}),
    (CHAT, {"plugins": {"id": "web"}}),
    (CHAT, {"plugins": {}}),
    (CHAT, {"plugins": "web"}),
    (CHAT, {"tools": "web_search"}),
    (CHAT, {"tools": ["web_search"]}),
    (CHAT, {"tools": [[{"type": "web_search"}]]}),
    (CHAT, {"tools": [7]}),
    (RESPONSES, {"tools": [{"type": "namespace", "tools": {"type": "web_search"}}]}),
    (RESPONSES, {"input": [{"type": "additional_tools", "tools": {"type": "web_search"}}]}),
    # a name, or a type, does not end the look
    (CHAT, {"tools": [{"name": "x", "googleSearch": {}}]}),
    (CHAT, {"tools": [{"name": "x", "google_search": None}]}),
    (CHAT, {"tools": [{"name": "x", "searchOfTomorrow": {}}]}),
    (CHAT, {"tools": [{"type": "function", "function": {}, "googleMaps": {}}]}),
    (CHAT, {"tools": [{"type": None, "name": "x", "google_search": {}}]}),
    (MESSAGES, {"tools": [{"type": "bash_20250124", "name": "bash", "googleSearch": {}}]}),
    (CHAT, {"tools": [{"type": ["web_search"]}]}),
    (CHAT, {"tools": [{"type": 7, "name": "x"}]}),
    (CHAT, {"tools": [{}]}),
    # a tariff that is no text is none that is usual
    *((CHAT, {name: value}) for name in ("service_tier", "serviceTier", "speed", "inference_geo") for value in (["priority"], {"x": 1}, [], {}, 1, True)),
    (CHAT, {"service_tier": "auto", "serviceTier": "priority"}),
    # so many that not all of them are told apart
    (CHAT, {"tools": [{"type": f"bash_{n}"} for n in range(70)] + [{"type": "openrouter:web_search"}]}),
    (CHAT, {"modalities": [f"text{n}" for n in range(70)], "service_tier": "priority"}),
    (CHAT, {"modalities": [f"text{n}" for n in range(70)]}),
]  # fmt: skip


@each_row("type_", ["openrouter", "openai", "google"])
@each_row(("dialect", "values"), ON, ids=[json.dumps(v)[:60] for _, v in ON])
def test_however_it_is_written_it_is_paid_for(
    type_: str, dialect: DialectSpec, values: dict[str, Any]
) -> None:
    body = ask(dialect, **values)
    assert decided(offer(type_), body.ask).reason.startswith("asks for a paid extra: ")


@each_row(
    "values",
    [
        *({member: None} for member in (*SWITCHES, "service_tier", "tools", "speed")),
        *({member: False} for member in (*SWITCHES, "enable_search", "tools")),
        *({member: []} for member in ("tools", "plugins", "connectors", "mcp_servers", "models")),
        {"tools": {"type": "function", "function": {"name": "f"}}},
        {"tools": [{"name": "f", "input_schema": {}, "cache_control": {}, "strict": True}]},
        {"tools": [{"name": "f", "note": "googleSearch", "level": 3}]},
        {"tools": [{"type": "function", "function": {"name": "web_search"}}] * 200},
        {"plugins": {"id": "web", "enabled": False}},
    ],
)  # fmt: skip
def test_what_asks_for_nothing_stays_free(values: dict[str, Any]) -> None:
    found = decided(offer("openrouter"), ask(CHAT, **values).ask)
    assert "paid extra" not in found.reason


def test_many_extras_do_not_crowd_out_who_answers() -> None:
    many = [{"type": f"bash_{n}"} for n in range(200)]
    found = extras_of(offer("openrouter"), ask(CHAT, tools=many, models=["x"]).ask)
    assert found.redirects == {"models"}
    assert found.why.endswith("more extras than are told apart")


@each_row("type_", REMOTE)
@each_row("member", sorted(REDIRECTS))
def test_members_that_change_who_answers_are_taken_out(type_: str, member: str) -> None:
    body = ask(CHAT, **{member: ["openai/gpt-5.4"], "seed": 1})
    found = extras_of(offer(type_), body.ask)
    assert found.redirects == {member}
    sent = json.loads(body.rewritten(drop=found.redirects))
    assert sent == {"model": "m", "seed": 1}


def test_a_free_offer_has_no_price_for_a_paid_extra() -> None:
    body = ask(CHAT, plugins=[{"id": "web"}])
    assert price_of(offer("openrouter", price=Price()), body.ask, NOW) is None
    paid = offer("openai", free=False, price=Price(1, 2))
    assert price_of(paid, ask(CHAT, service_tier="priority").ask, NOW) is None


# --- the property: all members of the documented bodies, in any company

tools = st.sampled_from(
    [
        {"type": "function", "function": {"name": "f"}},
        {"type": "custom", "name": "c"},
        {"name": "f", "input_schema": {}},
        {"type": "bash_20250124"},
        {"type": "text_editor_20250728"},
        {"type": "local_shell"},
        {"type": "mcp"},
    ]
)
paid_tools = st.sampled_from(
    [
        {"type": "openrouter:web_search"},
        {"type": "openrouter:fusion"},
        {"type": "openrouter:subagent"},
        {"type": "openrouter:image_generation"},
        {"type": "web_search"},
        {"type": "web_search_20260209"},
        {"type": "web_search_preview_2025_03_11"},
        {"type": "file_search"},
        {"type": "code_interpreter"},
        {"type": "code_execution_20250825"},
        {"type": "advisor_20260301"},
        {"type": "image_generation"},
        {"type": "shell"},
        {"type": "browser_search"},
        {"type": "x_search"},
        {"type": "a_tool_of_tomorrow"},
        {"google_search": {}},
    ]
)
FREE_MEMBERS: dict[str, st.SearchStrategy[Any]] = {
    "temperature": st.floats(0, 2),
    "max_tokens": st.integers(1, 9999),
    "seed": st.integers(0, 9),
    "user": st.just("u"),
    "provider": st.just({"sort": "price"}),
    "transforms": st.just(["middle-out"]),
    "reasoning": st.just({"effort": "low"}),
    "thinking": st.just({"type": "enabled", "budget_tokens": 1024}),
    "metadata": st.just({"k": "v"}),
    "response_format": st.just({"type": "json_object"}),
    "stop": st.just(["x"]),
    "logit_bias": st.just({"1": 1}),
    "parallel_tool_calls": st.booleans(),
    "tool_choice": st.just("auto"),
    "service_tier": st.sampled_from(["auto", "default", "standard_only"]),
    "tools": st.lists(tools, max_size=3),
    "modalities": st.just(["text"]),
    "usage": st.just({"include": True}),
    "store": st.booleans(),
    "include": st.just(["reasoning.encrypted_content"]),
}
PAID_MEMBERS: dict[str, st.SearchStrategy[Any]] = {
    "plugins": st.sampled_from(
        [[{"id": "web"}], [{"id": "file-parser"}], [{"id": "fusion"}], [{"id": "new"}]]
    ),
    "web_search_options": st.just({"search_context_size": "high"}),
    "search_parameters": st.just({"mode": "on"}),
    "tools": st.tuples(st.lists(tools, max_size=2), paid_tools).map(
        lambda both: [*both[0], both[1]]
    ),
    "service_tier": st.sampled_from(["priority", "fast", "performance", "scale"]),
    "speed": st.just("fast"),
    "inference_geo": st.just("us"),
    "prompt": st.just({"id": "pmpt_1"}),
}
redirects = st.fixed_dictionaries(
    {},
    optional={
        "models": st.just(["openai/gpt-5.4-mini"]),
        "fallbacks": st.just([{"model": "x"}]),
        "route": st.just("fallback"),
        "preset": st.just("mine"),
    },
)
free_bodies = st.fixed_dictionaries({}, optional=FREE_MEMBERS)
paid_bodies = st.sampled_from(sorted(PAID_MEMBERS)).flatmap(
    lambda name: PAID_MEMBERS[name].map(lambda value: {name: value})
)


@given(
    type_=st.sampled_from(REMOTE),
    dialect=st.sampled_from([CHAT, MESSAGES, RESPONSES]),
    plain=free_bodies,
    paid=st.none() | paid_bodies,
    others=redirects,
)
def test_free_stays_free(
    type_: str,
    dialect: DialectSpec,
    plain: dict[str, Any],
    paid: dict[str, Any] | None,
    others: dict[str, Any],
) -> None:
    body = ask(dialect, **(plain | (paid or {}) | others))
    candidate = decided(offer(type_), body.ask)
    if paid is not None:
        assert candidate.reason.startswith("asks for a paid extra: ")
        return
    sent = json.loads(body.rewritten(model="m", drop=candidate.drops))
    assert not REDIRECTS & sent.keys()
    assert sent == {"model": "m", **plain}
    for member in sorted(others):
        assert member in candidate.reason


def test_weighing_is_kept_for_the_same_extras() -> None:
    extras = ask(CHAT, plugins=[{"id": "web"}]).ask.extras
    assert weighed(extras, (), ()) is weighed(extras, (), ())
