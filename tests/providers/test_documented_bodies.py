"""Free stays free with whatever the vendors' own SDKs can say.

What costs extra is written down once more here, from the vendors' documentation, member
by member: a member or a tool that an SDK brings anew has to be looked at, and said here.
"""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tables import each_row

from llm_gateway.dialects import (
    CHAT,
    MESSAGES,
    RESPONSES,
    DialectSpec,
    RequestBody,
    read,
)
from llm_gateway.providers.paid_extras import REDIRECTS

from .documented import SDKS, documented, members, tools_of
from .test_paid_extras import REMOTE, decided, offer

TOKENS_ONLY = {
    "chat": {"audio", "frequency_penalty", "function_call", "functions", "logit_bias", "logprobs", "max_completion_tokens", "max_tokens", "messages", "metadata", "modalities", "model", "moderation", "n", "parallel_tool_calls", "prediction", "presence_penalty", "prompt_cache_key", "prompt_cache_options", "prompt_cache_retention", "reasoning_effort", "response_format", "safety_identifier", "seed", "stop", "store", "stream", "stream_options", "temperature", "tool_choice", "top_logprobs", "top_p", "user", "verbosity"},
    "completions": {"best_of", "echo", "frequency_penalty", "logit_bias", "logprobs", "max_tokens", "model", "n", "presence_penalty", "prompt", "seed", "stop", "stream", "stream_options", "suffix", "temperature", "top_p", "user"},
    "embeddings": {"dimensions", "encoding_format", "input", "model", "user"},
    "responses": {"access_programs", "background", "background_options", "context_management", "conversation", "image", "include", "input", "instructions", "max_output_tokens", "max_tool_calls", "metadata", "model", "moderation", "parallel_tool_calls", "previous_response_id", "prompt_cache_key", "prompt_cache_options", "prompt_cache_retention", "reasoning", "safety_identifier", "store", "stream", "stream_options", "temperature", "text", "tool_choice", "top_logprobs", "top_p", "truncation", "user"},
    "messages": {"betas", "billing_policy", "cache_control", "compaction", "container", "context_management", "diagnostics", "fallback_credit_token", "max_tokens", "mcp_servers", "messages", "metadata", "model", "output_config", "output_format", "stop_sequences", "stream", "system", "temperature", "thinking", "thread", "tool_choice", "top_k", "top_p", "user_profile_id", "workspace_id"},
}  # fmt: skip
"""Members that add nothing to the price of the tokens, which are free."""
MAY_COST = {"tools", "plugins", "web_search_options", "service_tier", "speed", "inference_geo", "prompt"}  # fmt: skip
CLIENTS_TOOLS = {
    "function", "custom", "namespace", "tool_search", "local_shell", "apply_patch", "computer",
    "computer_use_preview", "mcp", "mcp_toolset", "bash_20241022", "bash_20250124",
    "text_editor_20241022", "text_editor_20250124", "text_editor_20250429", "text_editor_20250728",
    "memory_20250818", "computer_20241022", "computer_20250124", "computer_20251124",
    "tool_search_tool_bm25_20251119", "tool_search_tool_bm25", "tool_search_tool_regex_20251119",
    "tool_search_tool_regex", "web_fetch_20250910", "web_fetch_20260209", "web_fetch_20260309",
    "web_fetch_20260318",
}  # fmt: skip
"""Run by the client, or listed without a charge of their own."""
CHARGED_TOOLS = {
    "file_search", "web_search", "web_search_2025_08_26", "web_search_preview",
    "web_search_preview_2025_03_11", "code_interpreter", "image_generation", "shell",
    "programmatic_tool_calling", "web_search_20250305", "web_search_20260209",
    "web_search_20260318", "code_execution_20250522", "code_execution_20250825",
    "code_execution_20260120", "code_execution_20260521", "advisor_20260301",
    # nobody says that they are free
    "browser_toolset_20260801", "computer_toolset_20260801",
}  # fmt: skip
FREE_PLUGINS = {"openrouter": {"response-healing", "context-compression"}}
USUAL_TIERS = {"auto", "default", "standard", "standard_only", "flex"}


def costs(type_: str, values: dict[str, Any]) -> list[str]:
    """The members with which a body costs more than its tokens, at a provider."""
    found = []
    for tool in values.get("tools") or ():
        kind = tool.get("type")
        if kind is None:
            found += [] if "name" in tool else ["tools"]
        elif kind not in CLIENTS_TOOLS or (
            type_ == "openrouter" and kind.startswith("web_fetch")
        ):
            found.append("tools")
    free = FREE_PLUGINS.get(type_, set())
    for plugin in values.get("plugins") or ():
        if plugin.get("enabled") is not False and plugin["id"] not in free:
            found.append("plugins")
    if values.get("web_search_options") is not None:  # {} switches it on
        found.append("web_search_options")
    if (values.get("service_tier") or "auto") not in USUAL_TIERS:
        found.append("service_tier")
    if values.get("speed") == "fast":
        found.append("speed")
    if (values.get("inference_geo") or "").startswith(("us", "eu")):
        found.append("inference_geo")
    if isinstance(values.get("prompt"), dict):
        found.append("prompt")
    return found


@pytest.mark.parametrize("dialect", SDKS)
def test_every_documented_member_was_looked_at(dialect: Any) -> None:
    known = TOKENS_ONLY[dialect] | MAY_COST | REDIRECTS
    assert set(documented(dialect)) <= known
    assert not (TOKENS_ONLY[dialect] & REDIRECTS)


@pytest.mark.parametrize("dialect", ["chat", "responses", "messages"])
def test_every_documented_tool_was_looked_at(dialect: Any) -> None:
    found = tools_of(documented(dialect)["tools"])
    assert found
    assert found <= CLIENTS_TOOLS | CHARGED_TOOLS


@each_row("kind", sorted(CLIENTS_TOOLS | CHARGED_TOOLS))
def test_every_documented_tool(kind: str) -> None:
    """At the top, in a namespace, and brought by a turn; at every provider."""
    tool = {"type": kind}
    namespace = {"type": "namespace", "name": "n", "tools": [tool]}
    turn = {"type": "additional_tools", "tools": [tool]}
    for values in ({"tools": [tool]}, {"tools": [namespace]}, {"input": [turn]}):
        ask = asked(RESPONSES, values).ask
        for type_ in REMOTE:
            charged = bool(costs(type_, {"tools": [tool]}))
            reason = decided(offer(type_), ask).reason
            assert reason.startswith("asks for a paid extra") == charged, type_


def asked(dialect: DialectSpec, values: dict[str, Any]) -> RequestBody:
    body = read(dialect, json.dumps({"model": "m", **values}).encode())
    assert isinstance(body, RequestBody), body
    return body


bodies = st.sampled_from([CHAT, RESPONSES, MESSAGES]).flatmap(
    lambda dialect: members(dialect.name).map(lambda values: (dialect, values))
)


@given(type_=st.sampled_from(REMOTE), both=bodies)
def test_nothing_leaves_that_the_documentation_prices(
    type_: str, both: tuple[DialectSpec, dict[str, Any]]
) -> None:
    dialect, values = both
    body = asked(dialect, values)
    candidate = decided(offer(type_), body.ask)
    if costs(type_, values):
        assert candidate.reason.startswith("asks for a paid extra: ")
        return
    assert not candidate.reason.startswith("asks for a paid extra"), values
    sent = json.loads(body.rewritten(model="m", drop=candidate.drops))
    # An empty list of other models names none.
    assert sent == {k: v for k, v in values.items() if not (v and k in REDIRECTS)}
    assert not costs(type_, sent)
