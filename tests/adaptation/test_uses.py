"""Uses of quirks: what an adapter changed for one counts for it, and for no other kind."""

from typing import Any

import pytest
from tables import each_row

from llm_gateway.adaptation.adapted import Adapted, Change
from llm_gateway.adaptation.kept_state import nothing_kept
from llm_gateway.adaptation.top_level import adapt_top_level
from llm_gateway.adaptation.uses import has_changed, is_about
from llm_gateway.adaptation.vocabulary import Quirk, Quirks
from llm_gateway.dialects import SPECS
from llm_gateway.domain import Dialect

CHAT: dict[str, Any] = {
    "model": "m",
    "messages": [
        {"role": "developer", "content": "s"},
        {"role": "user", "content": [{"type": "text", "text": "a", "cache_control": {}}]},
        {"role": "assistant", "content": None, "reasoning_content": "hm", "channel": "x",
         "tool_calls": [{"id": id, "type": "function", "index": 0, "function": {"name": "add", "arguments": "[]"}} for id in ("call_1", "call_2")]},
        {"role": "tool", "tool_call_id": "call_1", "content": "1"},
        {"role": "tool", "tool_call_id": "call_2", "content": "2"},
        {"role": "assistant", "content": "Hm"},
    ],
    "tools": [{"type": "function", "function": {"name": "add", "strict": True}}, {"type": "function", "function": {"name": "sub", "parameters": {"$schema": "x", "type": "object"}}}],
    "tool_choice": {"type": "function", "function": {"name": "add"}},
    "temperature": 0.2, "top_p": 0.9, "reasoning_effort": "high", "max_tokens": 900, "store": True,
    "thinking": {"type": "enabled"},
}  # fmt: skip
MESSAGES: dict[str, Any] = {
    "model": "m",
    "system": [{"type": "text", "text": "s", "cache_control": {"type": "ephemeral", "scope": "x"}}],
    "messages": [
        {"role": "user", "content": [{"type": "text", "text": "a", "citations": []}], "id": "x"},
        {"role": "assistant", "content": [{"type": "thinking", "thinking": "hm", "signature": ""}, {"type": "tool_use", "id": "call:1", "name": "add", "input": [1]}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "call:1", "content": [{"type": "tool_reference", "tool_name": "x"}]}]},
    ],
    "tools": [{"name": "add", "input_schema": {"type": "object"}, "eager_input_streaming": True}, {"type": "memory_20250818", "name": "memory"}],
    "tool_choice": {"type": "any"},
    "thinking": {"type": "enabled", "budget_tokens": 1024}, "output_config": {"effort": "max"},
    "temperature": 0.5, "max_tokens": 9000, "metadata": {"user_id": "u"}, "speed": "fast",
}  # fmt: skip
RESPONSES: dict[str, Any] = {
    "model": "m",
    "input": [
        {"role": "developer", "content": "s"},
        {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "x"},
        {"type": "function_call", "id": "odd", "call_id": "call:1", "name": "add", "arguments": "{}", "internal": 1},
        {"type": "function_call_output", "call_id": "call:1", "output": "3"},
        {"type": "web_search_call", "id": "ws_1", "status": "completed"},
        {"role": "user", "content": [{"type": "input_text", "text": "a", "annotations": []}]},
    ],
    "tools": [{"type": "function", "name": "add", "strict": True, "extra": 1}, {"type": "custom", "name": "patch"}, {"type": "web_search"}],
    "tool_choice": {"type": "function", "name": "add"},
    "reasoning": {"effort": "xhigh"}, "temperature": 0.5, "store": True, "max_output_tokens": 4,
}  # fmt: skip
BODIES = {"chat": CHAT, "messages": MESSAGES, "responses": RESPONSES}
TAUGHT = {
    "chat": (
        *("member:store", "message:channel", "message:*", "call:index", "call:*"),
        *("part:cache_control", "part:*", "tool:strict", "sampling:temperature"),
        *("rename:max_tokens=max_completion_tokens", "role:developer=system"),
        *("role:last=prefix", "content:text", "content:null"),
        *("id:call=[a-zA-Z0-9]{9}", "reasoning:out", "reasoning:as=reasoning"),
        *("reasoning:wanted=thoughts", "signature:google", "tool_choice:forced=auto"),
        *("tools:parameters", "tools:one_strict", "tools:single", "tools:arguments"),
        *("tools:properties", "schema:$schema", "effort:allowed=low,medium"),
        *("thinking:off=forced_tool", "sampling:*", "sampling:temperature=1"),
        *("limit:max_tokens<=80", "limit:max_completion_tokens<=80"),
    ),
    "messages": (
        *("member:metadata", "member:*", "member:*=metadata,output_config"),
        *("message:id", "message:*", "part:citations", "part:*", "cache_control:scope"),
        *("cache_control:*", "block:tool_reference=text", "block:*=text,tool_use,tool_result,thinking"),
        *("tool_type:server=out", "tool_type:memory_*=out", "tool:eager_input_streaming", "tool:*"),
        *("tool_choice:forced=auto", "effort:allowed=low,high", "effort:out"),
        *("reasoning:out", "reasoning:unsigned=out", "thinking:enabled=adaptive"),
        *("id:call=[a-zA-Z0-9_-]+", "call:input=object", "limit:max_tokens<=80"),
        *("sampling:temperature", "sampling:thinking=limited", "thinking:off=forced_tool"),
    ),
    "responses": (
        *("member:store", "member:*", "item:reasoning", "item:web_*", "message:internal"),
        *("item:*=message,function_call,function_call_output", "message:*", "part:annotations"),
        *("tool_type:server=out", "tool_type:custom=function", "tool_type:web_search=out"),
        *("tool:extra", "tool:*", "tools:strict=false", "tools:parameters"),
        *("role:developer=system", "id:call=[a-z0-9_]+", "id:item=prefix", "id:item=out"),
        *("reasoning:out", "effort:allowed=low,high", "sampling:temperature"),
        *("limit:max_output_tokens>=16", "tool_choice:forced=auto"),
    ),
}  # fmt: skip


def adapted_for(dialect: str, *quirks: str) -> Adapted:
    adapter = SPECS[Dialect(dialect)].adapt or adapt_top_level
    return adapter(BODIES[dialect], Quirks.parse(*quirks), nothing_kept)


@each_row(("dialect", "quirk"), [(d, q) for d in TAUGHT for q in TAUGHT[d]])
def test_what_an_adapter_does_for_a_quirk_counts_for_it(
    dialect: str, quirk: str
) -> None:
    adapted = adapted_for(dialect, quirk)
    assert adapted.changes
    assert has_changed(Quirk.parse(quirk), adapted)


@each_row("dialect", TAUGHT)
@each_row(
    "other",
    [
        "message:*",
        "member:*",
        "call:*",
        "tool:*",
        "item:*",
        "block:*",
        "tools:arguments",
        "content:text",
    ],
)
def test_a_change_of_another_kind_does_not(dialect: str, other: str) -> None:
    made = {
        "chat": "id:call=[a-zA-Z0-9]{9}",
        "messages": "id:call=[a-zA-Z0-9_-]+",
        "responses": "id:item=out",
    }  # fmt: skip
    adapted = adapted_for(dialect, made[dialect])
    assert adapted.parts
    assert not has_changed(Quirk.parse(other), adapted)


def test_members_on_top_and_inside_are_told_apart() -> None:
    on_top = Adapted(dropped=frozenset({"store"}), changes=(Change("store"),))
    inside = Adapted({"messages": []}, changes=(Change("channel"),))
    tools = Adapted({"tools": []}, changes=(Change("defer"),))
    found = [
        [has_changed(Quirk.parse(quirk), one) for one in (on_top, inside, tools)]
        for quirk in ("member:*", "message:*", "tool:*")
    ]
    assert found == [[True, False, False], [False, True, False], [False, False, True]]


@pytest.mark.parametrize(
    ("quirk", "members", "is_one"),
    [
        ("sampling:temperature=1", {"temperature"}, True),
        ("sampling:temperature=1", {"top_p"}, False),
        ("rename:max_tokens=max_completion_tokens", {"max_tokens"}, True),
        ("rename:max_tokens=max_completion_tokens", {"max_completion_tokens"}, True),
        ("effort:allowed=low,high", {"reasoning_effort"}, True),
        ("tool_choice:forced=auto", {"tool_choice", "x"}, True),
        ("schema:$schema", {"tools"}, True),
        ("tools:single", {"tool_choice"}, False),
        ("message:*", {"messages", "temperature"}, False),
    ],
)
def test_what_a_quirk_is_about(quirk: str, members: set[str], is_one: bool) -> None:
    assert is_about(Quirk.parse(quirk), frozenset(members)) is is_one
