"""Rows of quirks of Messages and Responses: who gets which, and what comes out of it."""

from datetime import date

import pytest
from tables import each_row

from llm_gateway.adaptation.adapted import UNCHANGED
from llm_gateway.adaptation.kept_state import nothing_kept
from llm_gateway.adaptation.vocabulary import NO_QUIRKS
from llm_gateway.dialects import SPECS
from llm_gateway.providers import quirk_rows_messages, quirk_rows_responses
from llm_gateway.providers.registry import TYPES

MESSAGES = quirk_rows_messages.TABLE
RESPONSES = quirk_rows_responses.TABLE
USER = {"role": "user", "content": "Hello!"}
TOOL = {"name": "add", "input_schema": {"type": "object"}}
FORCED = {"tools": [TOOL], "tool_choice": {"type": "any"}}


def asked(table, type, model, body, host="", recall=nothing_kept):
    """The body as it leaves, or why it cannot."""
    quirks = table.of(type, host, model)
    found = SPECS[table.dialect].adapt(body, quirks, recall)
    if found.unfit:
        return found.unfit
    kept = {k: v for k, v in body.items() if k not in found.dropped}
    return {**kept, **found.replaced}


def claude(model, body, type="anthropic", host=""):
    return asked(MESSAGES, type, model, {"messages": [USER], **body}, host)


MANUAL = {"thinking": {"type": "enabled", "budget_tokens": 2_000}, "max_tokens": 9_000}
ADAPTIVE = {"thinking": {"type": "adaptive"}, "max_tokens": 64_000}
OFF = {"thinking": {"type": "disabled"}}
SHOWN = {"type": "adaptive", "display": "summarized"}
OLD = ("claude-haiku-4-5", "claude-sonnet-4-5-20250929", "claude-opus-4-5-20251101")
MIDDLE = ("claude-opus-4-6", "claude-sonnet-4-6")
BUDGETLESS = (
    *("claude-opus-4-7", "claude-opus-4-8", "claude-sonnet-5", "claude-opus-5"),
    *("claude-opus-5-5", "claude-sonnet-5-5", "claude-haiku-5-5-20260901"),
    *("claude-fable-5", "claude-mythos-5", "claude-fable-5-1", "claude-mythos-5-2"),
)
ALWAYS = (
    *("claude-opus-5-5", "claude-fable-5", "claude-mythos-5", "claude-fable-5-1"),
    *("claude-mythos-5-1", "claude-fable-5-2"),
)
NO_FORCE = (
    *("claude-opus-5-5", "claude-sonnet-5-5", "claude-fable-5-1"),
    *("claude-mythos-5-1", "claude-fable-5-2", "claude-mythos-5-2"),
)
EVERY = (*OLD, *MIDDLE, *BUDGETLESS)


@pytest.mark.parametrize("model", EVERY)
def test_thinking_of_claudes(model):
    manual = claude(model, MANUAL)["thinking"]
    assert manual == (SHOWN if model in BUDGETLESS else MANUAL["thinking"])
    adaptive = claude(model, ADAPTIVE)["thinking"]
    assert adaptive["type"] == ("enabled" if model in OLD else "adaptive")
    off = claude(model, OFF)["thinking"]["type"]
    if model in ALWAYS or model == "claude-mythos-5-2":
        assert off == "adaptive"
    elif model == "claude-sonnet-5-5":
        assert off == "between_tools"
    else:
        assert off == "disabled"


EFFORTS = {
    "claude-haiku-4-5": None,
    "claude-sonnet-4-5": None,
    "claude-opus-4-5": "high",
    "claude-opus-4-6": "max",
    "claude-sonnet-4-6": "max",
    **dict.fromkeys(BUDGETLESS, "max"),
}


@pytest.mark.parametrize("model", EFFORTS)
def test_efforts_of_claudes(model):
    body = {"output_config": {"effort": "max"}, **ADAPTIVE}
    made = claude(model, body).get("output_config", {}).get("effort")
    assert made == EFFORTS[model]


@pytest.mark.parametrize(
    ("model", "effort"),
    [
        ("claude-opus-5", "high"),
        ("claude-sonnet-5-5", "high"),
        ("claude-haiku-5-5", "high"),
        ("claude-opus-4-8", "xhigh"),
        ("claude-opus-5-5", "low"),
        ("claude-fable-5", "low"),
    ],
)
def test_efforts_of_claudes_that_do_not_think(model, effort):
    body = {"output_config": {"effort": "xhigh"}, **OFF}
    assert claude(model, body)["output_config"]["effort"] == effort


@pytest.mark.parametrize("model", EVERY)
def test_forced_tools_of_claudes(model):
    made = claude(model, FORCED)
    assert made["tool_choice"]["type"] == ("auto" if model in NO_FORCE else "any")
    assert (made["messages"] != [USER]) == (model in NO_FORCE)
    made = claude(model, {**FORCED, **MANUAL})
    rests = made["thinking"]["type"] == "disabled"
    assert rests == (model in (*OLD, *MIDDLE))
    assert claude(model, {**FORCED, "thinking": {"type": "adaptive"}})["thinking"] == (
        {"type": "adaptive"} if model not in OLD else made_off(model)
    )


def made_off(model):
    """A forced tool wins over thinking that only goes by hand."""
    return claude(model, {**FORCED, **ADAPTIVE})["thinking"]


@pytest.mark.parametrize("model", EVERY)
def test_sampling_of_claudes(model):
    body = {"temperature": 0.2, "top_p": 0.9, "top_k": 4}
    made = claude(model, body)
    left = {name: made.get(name) for name in body}
    if model.startswith("claude-haiku-5-5"):
        assert left == {"temperature": 1, "top_p": 0.99, "top_k": None}
    elif model in BUDGETLESS:
        assert left == dict.fromkeys(body)
    elif model in MIDDLE:
        assert left == body
    else:
        assert left == {**body, "top_p": None}
    if model not in BUDGETLESS:
        assert "top_k" not in claude(model, {**body, **MANUAL})


@pytest.mark.parametrize("model", EVERY)
def test_prefill_of_claudes(model):
    body = {"messages": [USER, {"role": "assistant", "content": "{"}]}
    why = "does not go on from a text of the assistant"
    assert (claude(model, body) == why) == (model not in OLD)
    assert claude(model, {**body, **MANUAL}) == why


@pytest.mark.parametrize("model", EVERY)
def test_system_inside_of_claudes(model):
    body = {"messages": [USER, {"role": "system", "content": "Brief."}]}
    up = claude(model, body).get("system") == "Brief."
    assert up == (model in (*OLD, "claude-sonnet-5"))


@pytest.mark.parametrize(
    ("type", "host", "model", "same"),
    [
        ("openrouter", "openrouter.ai", "anthropic/claude-opus-4.8", True),
        ("copilot", "api.githubcopilot.com", "claude-opus-4.8", True),
        ("custom", "bedrock.example", "us.anthropic.claude-opus-4-8-v1:0", True),
        ("custom", "relay.example", "Claude-Opus-4-8", True),
        ("deepseek", "", "claude-opus-4-8", False),
        ("custom", "api.deepseek.com", "claude-opus-4-8", False),
        ("custom", "relay.example", "claude-opus-9", False),
        ("custom", "relay.example", "smart", False),
    ],
)
def test_a_model_is_known_by_its_name(type, host, model, same):
    made = asked(MESSAGES, type, model, {"messages": [USER], "temperature": 0}, host)
    assert ("temperature" not in made) == same


THOUGHT = {"type": "thinking", "thinking": "T", "signature": "S" * 20}
CALL = {"type": "tool_use", "id": "toolu_1", "name": "add", "input": [1]}
CLAUDE_CODE = {
    "messages": [
        USER,
        {"role": "system", "content": "Brief."},
        {"role": "assistant", "content": [CALL]},
        {
            "role": "user",
            "content": [
                {
                    "type": "tool_result",
                    "tool_use_id": "toolu_1",
                    "content": [{"type": "tool_reference", "tool_name": "add"}],
                }
            ],
        },
    ],
    "system": [
        {
            "type": "text",
            "text": "S",
            "cache_control": {"type": "ephemeral", "scope": "global"},
        }
    ],
    "tools": [
        {**TOOL, "strict": True, "eager_input_streaming": True, "defer_loading": True},
        {"type": "tool_search_tool_regex_20251119", "name": "tool_search"},
    ],
    "thinking": {"type": "disabled"},
    "output_config": {"effort": "low"},
    "context_management": {"edits": []},
    "metadata": {"user_id": "u"},
}


@pytest.mark.parametrize(
    ("type", "host"),
    [
        ("deepseek", ""),
        ("custom", "api.deepseek.com"),
        ("moonshot", ""),
        ("custom", "api.kimi.com"),
        ("custom", "api.minimax.io"),
        ("zai", ""),
        ("qwen", ""),
        ("ollama", ""),
        ("vllm", ""),
    ],
)
def test_other_vendors_get_what_they_read(type, host):
    made = asked(MESSAGES, type, "any", CLAUDE_CODE, host)
    assert made["tools"] == [TOOL]
    assert made["system"][0]["cache_control"] == {"type": "ephemeral"}
    assert "context_management" not in made
    assert "output_config" not in made
    assert made["metadata"] == {"user_id": "u"}
    first, second, third = made["messages"]
    assert [b["text"] for b in first["content"]] == [
        "Hello!",
        "<system>\nBrief.\n</system>",
    ]
    assert second["content"][-1]["id"] == "toolu_1"
    assert third["content"][0]["content"] == [{"type": "text", "text": "Tool: add"}]
    [header] = (
        SPECS[MESSAGES.dialect]
        .adapt(CLAUDE_CODE, MESSAGES.of(type, host, "any"), nothing_kept)
        .headers
    )
    assert header.of("claude-code-20250219,context-management-2025-06-27") == ""


@pytest.mark.parametrize(
    ("type", "wanted"),
    [("deepseek", True), ("moonshot", True), ("zai", False), ("qwen", False)],
)
def test_thoughts_beside_calls(type, wanted):
    body = {**CLAUDE_CODE, "thinking": {"type": "enabled", "budget_tokens": 1_024}}
    made = asked(MESSAGES, type, "any", body)
    kinds = [block["type"] for block in made["messages"][1]["content"]]
    assert kinds == (["thinking", "tool_use"] if wanted else ["tool_use"])


def test_inputs_are_objects_at_zai():
    made = asked(MESSAGES, "zai", "glm-5", CLAUDE_CODE)
    assert made["messages"][1]["content"][0]["input"] == {"input": [1]}


def test_an_unknown_provider_gets_the_clients_bytes():
    quirks = MESSAGES.of("custom", "relay.example", "smart")
    assert quirks == NO_QUIRKS
    assert SPECS[MESSAGES.dialect].adapt(CLAUDE_CODE, quirks, nothing_kept) is UNCHANGED


# -- Responses

ITEM = {"type": "message", "role": "user", "content": "Hello!"}
ADD = {"type": "function", "name": "add", "parameters": {"type": "object"}}
CODEX_TOOLS = [
    {"type": "custom", "name": "exec"},
    {"type": "namespace", "name": "files", "tools": [{**ADD, "name": "read"}]},
]
CODEX = {
    "input": [{"type": "additional_tools", "tools": CODEX_TOOLS}, ITEM],
    "tools": [ADD],
    "store": False,
}
COMPACTED = {"input": [{"type": "compaction", "encrypted_content": "C" * 20}, ITEM]}


def openai(model, body, type="openai", host=""):
    return asked(RESPONSES, type, model, {"input": [ITEM], **body}, host)


@each_row(
    ("model", "asked", "sent"),
    [
        ("gpt-4.1-mini", "low", None),
        ("gpt-4o", "low", None),
        ("o3", "minimal", "low"),
        ("o4-mini", "xhigh", "high"),
        ("gpt-5", "minimal", "minimal"),
        ("gpt-5-2025-08-07", "xhigh", "high"),
        ("gpt-5-mini", "none", "minimal"),
        ("gpt-5-chat-latest", "high", "medium"),
        ("gpt-5.2-chat-latest", "low", "medium"),
        ("gpt-5-pro", "low", "high"),
        ("gpt-5.1", "minimal", "low"),
        ("gpt-5.1-codex-max", "none", "low"),
        ("gpt-5.2", "none", "none"),
        ("gpt-5.3-codex", "max", "xhigh"),
        ("gpt-5.5", "max", "xhigh"),
        ("gpt-5.6-terra", "max", "max"),
        ("gpt-6-sol", "minimal", "low"),
        ("gpt-6-astra", "none", "low"),
        ("gpt-6.1-sol", "minimal", "low"),
        ("openai/gpt-5.5", "max", "xhigh"),
        ("gpt-9", "ultra", "ultra"),
    ],
)
def test_efforts_of_openai(model, asked, sent):
    made = openai(model, {"reasoning": {"effort": asked}})
    assert made.get("reasoning", {}).get("effort") == sent


@pytest.mark.parametrize(
    ("model", "effort", "stays"),
    [
        ("gpt-4.1", None, True),
        ("o3", None, False),
        ("gpt-5", None, False),
        ("gpt-5.1", None, True),
        ("gpt-5.1", "none", True),
        ("gpt-5.2", "low", False),
        ("gpt-5.5", None, False),
        ("gpt-5.5", "none", True),
        ("gpt-6-sol", None, False),
        ("gpt-6-astra", None, False),
    ],
)
def test_sampling_of_openai(model, effort, stays):
    body = {"temperature": 0.5, **({"reasoning": {"effort": effort}} if effort else {})}
    assert ("temperature" in openai(model, body)) == stays


def test_ids_caps_and_keys_of_openai():
    call = {"type": "function_call", "id": "f81d", "call_id": "c" * 69, "name": "add"}
    out = {"type": "function_call_output", "call_id": "c" * 69, "output": "2"}
    made = openai(
        "gpt-5.5",
        {
            "input": [ITEM, call, out],
            "max_output_tokens": 1,
            "prompt_cache_key": "k" * 90,
        },
    )
    assert made["max_output_tokens"] == 16
    assert len(made["prompt_cache_key"]) <= 64
    assert "id" not in made["input"][1]
    assert made["input"][1]["call_id"] == made["input"][2]["call_id"]
    assert len(made["input"][1]["call_id"]) <= 64


def test_instructions_stand_in_front_for_those_that_put_them_behind():
    made = openai("gpt-6.2-sol", {"instructions": "Brief."})
    assert made["input"][0] == {"role": "developer", "content": "Brief."}
    assert "instructions" not in made
    assert openai("gpt-6-sol", {"instructions": "Brief."})["instructions"] == "Brief."


@pytest.mark.parametrize(
    ("type", "host", "model", "names"),
    [
        ("xai", "", "grok-5", ["add", "exec", "files__read"]),
        ("deepseek", "", "deepseek-v4", ["add", "exec", "files__read"]),
        ("custom", "api.kimi.com", "kimi-k3", ["add", "exec", "files__read"]),
        ("custom", "api.xiaomimimo.com", "mimo", ["add", "exec", "files__read"]),
        ("groq", "", "openai/gpt-oss-120b", ["add", "exec", "files__read"]),
        ("ollama", "", "gpt-oss:20b", ["add", "exec", "files__read"]),
        ("openrouter", "", "meta/llama", ["add", "exec", "files__read"]),
        ("custom", "relay.example", "llama", ["add", "exec", "files__read"]),
        ("custom", "relay.example", "gpt-oss-20b", ["add", "exec", "files__read"]),
        ("mistral", "", "mistral-large", ["add", "exec", "files"]),
    ],
)
def test_codex_tools_where_functions_are_read(type, host, model, names):
    made = asked(RESPONSES, type, model, CODEX, host)
    assert [tool["name"] for tool in made["tools"]] == names
    assert made["input"] == [ITEM]
    assert "takes no compaction" in asked(RESPONSES, type, model, COMPACTED, host)


@pytest.mark.parametrize(
    ("type", "model"),
    [("openai", "gpt-5.5"), ("azure", "mine"), ("custom", "gpt-5.1-codex")],
)
def test_codex_at_home(type, model):
    quirks = RESPONSES.of(type, "", model)
    adapt = SPECS[RESPONSES.dialect].adapt
    assert adapt(CODEX, quirks, nothing_kept) == UNCHANGED
    assert adapt(COMPACTED, quirks, nothing_kept) == UNCHANGED


@pytest.mark.parametrize(
    ("type", "member", "value"),
    [
        ("groq", "previous_response_id", "resp_1"),
        ("openrouter", "previous_response_id", "resp_1"),
        ("mistral", "conversation", "conv_1"),
        ("mistral", "background", True),
    ],
)
def test_state_that_is_not_kept_there(type, member, value):
    assert openai("any", {member: value}, type) == f"takes no {member}"
    assert openai("any", {member: None}, type) != f"takes no {member}"


def test_nothing_is_stored_where_it_is_refused():
    assert openai("any", {"store": True}, "groq")["store"] is False


def test_ids_stay_at_copilots_connection():
    said = {"type": "message", "role": "assistant", "id": "msg_1", "content": []}
    made = openai("gpt-5.5", {"input": [ITEM, said]}, "copilot")
    assert "id" not in made["input"][1]


@pytest.mark.parametrize("table", [MESSAGES, RESPONSES], ids=["messages", "responses"])
def test_rows_are_sound(table):
    known = SPECS[table.dialect]
    assert known.adapt is not None
    for row in (*table.providers, *table.models):
        assert row.source
        assert date.fromisoformat(row.as_of)
        assert set(row.types) <= TYPES.keys()
        assert all(pattern == pattern.lower() for pattern in row.models)
        assert not any(quirk.is_of_conversation for quirk in row.quirks)
        assert row.types or row.hosts or row.models != ("*",)
