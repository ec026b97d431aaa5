"""Refusals of Messages in their vendors' words: each teaches what it should, no more."""

import json

import pytest
from tables import each_row

from llm_gateway.adaptation.kept_state import nothing_kept
from llm_gateway.adaptation.vocabulary import NO_QUIRKS, Quirks
from llm_gateway.adaptation.wordings import WORDINGS, learn
from llm_gateway.dialects.messages.adapter import adapt
from llm_gateway.dialects.provider_errors import read_error
from llm_gateway.domain import Dialect

MESSAGES = Dialect("messages")
USER = {"role": "user", "content": "Hello!"}
TOOL = {"name": "add", "input_schema": {"type": "object"}}
CALL = {"type": "tool_use", "id": "toolu_1", "name": "add", "input": {}}
LOOP = [
    USER,
    {
        "role": "assistant",
        "content": [{"type": "thinking", "thinking": "T", "signature": "S" * 20}, CALL],
    },
    {
        "role": "user",
        "content": [{"type": "tool_result", "tool_use_id": "toolu_1", "content": "2"}],
    },
]
LOST = [USER, {"role": "assistant", "content": [CALL]}, LOOP[2]]
REDACTED = {
    "messages": [
        {"role": "assistant", "content": [{"type": "redacted_thinking", "data": "D"}]}
    ]
}
MANUAL = {"thinking": {"type": "enabled", "budget_tokens": 2_000}}
ADAPTIVE = {"thinking": {"type": "adaptive"}}
OFF = {"thinking": {"type": "disabled"}}
FORCED = {"tools": [TOOL], "tool_choice": {"type": "tool", "name": "add"}}
SYSTEM = {"messages": [USER, {"role": "system", "content": "Brief."}]}


def effort(level):
    return {"output_config": {"effort": level}}


def blocks(*types):
    return {"messages": [{"role": "user", "content": [{"type": t} for t in types]}]}


def result(*types):
    inner = {"type": "tool_result", "content": [{"type": t} for t in types]}
    return {"messages": [{"role": "user", "content": [inner]}]}


def tools(*types):
    return {"tools": [TOOL, *({"type": t, "name": t} for t in types)]}


OTHERS = "block:*=text,image,document,tool_use,tool_result,thinking,redacted_thinking"

TAUGHT = [
    # Claude
    (
        '"thinking.type.enabled" is not supported for this model. Use "thinking.type.adaptive" and "output_config.effort" to control thinking behavior.',
        MANUAL,
        ["thinking:enabled=adaptive", "thinking:display=summarized"],
    ),
    (
        '"thinking.type.disabled" is not supported for this model. Use "thinking.type.adaptive" and "output_config.effort" to control thinking behavior.',
        OFF,
        ["thinking:disabled=adaptive"],
    ),
    (
        '"thinking.type.disabled" is not supported for this model. Use "thinking.type.between_tools".',
        OFF,
        ["thinking:disabled=between_tools"],
    ),
    (
        "adaptive thinking is not supported on this model",
        ADAPTIVE,
        ["thinking:adaptive=enabled"],
    ),
    (
        "output_config.effort 'xhigh' is not supported when thinking is disabled on this model. Use high.",
        {**OFF, **effort("xhigh")},
        ["effort:thinking_off=minimal,low,medium,high"],
    ),
    (
        "output_config.effort 'max' is not supported when thinking is disabled on this model.",
        {**OFF, **effort("max")},
        ["effort:thinking_off=minimal,low,medium,high,xhigh"],
    ),
    (
        "This model does not support effort level 'max'.",
        effort("max"),
        ["effort:allowed=minimal,low,medium,high,xhigh"],
    ),
    (
        "This model does not support effort level 'xhigh'. Supported values are: low, medium, high, max",
        effort("xhigh"),
        ["effort:allowed=low,medium,high,max"],
    ),
    (
        "This model does not support the effort parameter.",
        effort("low"),
        ["effort:out"],
    ),
    (
        'tool_choice: type "tool" and "any" are not supported for this model.',
        FORCED,
        ["tool_choice:forced=auto"],
    ),
    (
        "Thinking may not be enabled when tool_choice forces tool use.",
        {**FORCED, **MANUAL},
        ["thinking:enabled_off=forced_tool"],
    ),
    (
        "Thinking may not be enabled when tool_choice forces tool use.",
        {**FORCED, **ADAPTIVE},
        ["thinking:off=forced_tool"],
    ),
    (
        "`temperature` is deprecated for this model.",
        {"temperature": 0},
        ["sampling:temperature"],
    ),
    (
        "`top_k` is deprecated for this model.",
        {"temperature": 0, "top_k": 1},
        ["sampling:temperature", "sampling:top_k"],
    ),
    (
        "`temperature` and `top_p` cannot both be specified for this model. Please use only one.",
        {"temperature": 0, "top_p": 1},
        ["sampling:top_p=alone"],
    ),
    (
        "`temperature` may only be set to 1 when thinking is enabled.",
        {"temperature": 0, **MANUAL},
        ["sampling:thinking=limited"],
    ),
    (
        "This model does not support assistant message prefill. The conversation must end with a user message.",
        {"messages": [USER, {"role": "assistant", "content": "{"}]},
        ["role:last=user"],
    ),
    (
        'messages.1.content.0: Invalid `signature` in `thinking` block. The block is bound to a different conversation. Remove the block, or set `thinking.block_binding.prefix_mismatch_behavior` to "drop_block". See the page.',
        {"messages": LOOP},
        ["state:block_binding=drop_block"],
    ),
    (
        "messages.9.content.3: Invalid `signature` in `thinking` block",
        {"messages": LOOP},
        ["state:thinking=out"],
    ),
    (
        "messages.1.content.0: Invalid `signature` in `thinking` block",
        {
            "messages": [
                USER,
                {
                    "role": "assistant",
                    "content": [
                        {"type": "thinking", "thinking": "hm", "signature": ""}
                    ],
                },
            ]
        },
        ["reasoning:unsigned=out"],
    ),
    (
        "messages.1.content.0: `thinking` or `redacted_thinking` blocks in the latest assistant message cannot be modified. These blocks must remain as they were.",
        {"messages": LOOP},
        ["state:thinking=out"],
    ),
    (
        "thinking.adaptive.block_binding: Extra inputs are not permitted",
        {"thinking": {"type": "adaptive", "block_binding": {}}},
        ["beta:thinking-binding-controls-*"],
    ),
    (
        'messages: Unexpected role "system". The Messages API accepts a top-level `system` parameter, not "system" as an input message role.',
        SYSTEM,
        ["role:system=first"],
    ),
    ("invalid params, invalid chat setting (2013)", SYSTEM, ["role:system=user"]),
    (
        "thinking.type: Input should be 'enabled' or 'disabled'",
        ADAPTIVE,
        ["thinking:adaptive=enabled"],
    ),
    (
        "thinking: Input tag 'adaptive' found using 'type' does not match any of the expected tags: 'disabled', 'enabled'",
        ADAPTIVE,
        ["thinking:adaptive=enabled"],
    ),
    (
        "thinking.adaptive: unknown variant `adaptive`, expected `enabled` or `disabled`",
        ADAPTIVE,
        ["thinking:adaptive=enabled"],
    ),
    (
        "thinking: Input tag 'enabled' found using 'type' does not match any of the expected tags: 'adaptive', 'disabled'",
        MANUAL,
        ["thinking:enabled=adaptive", "thinking:display=summarized"],
    ),
    ("Unsupported content block type: thinking", {"messages": LOOP}, ["reasoning:out"]),
    (
        "content block type 'thinking' is not supported",
        {"messages": LOOP},
        ["reasoning:out"],
    ),
    (
        "invalid content type: tool_reference",
        result("tool_reference"),
        ["block:tool_reference=text", OTHERS],
    ),
    (
        "cache_control is not supported",
        {
            "messages": [
                {
                    "role": "user",
                    "content": [
                        {
                            "type": "text",
                            "text": "a",
                            "cache_control": {"type": "ephemeral"},
                        }
                    ],
                }
            ]
        },
        ["cache_control:*"],
    ),
    (
        "Extra inputs are not permitted: messages.0.content.0.text.cache_control.ephemeral.scope",
        {
            "messages": [
                {
                    "role": "user",
                    "content": [
                        {
                            "type": "text",
                            "text": "a",
                            "cache_control": {"type": "ephemeral", "scope": "global"},
                        }
                    ],
                }
            ]
        },
        ["cache_control:scope"],
    ),
    (
        "messages.1.content.1.caller\n  Extra inputs are not permitted [type=extra_forbidden]",
        {
            "messages": [
                USER,
                {"role": "assistant", "content": [{**CALL, "caller": {}}]},
                LOOP[2],
            ]
        },
        ["part:caller"],
    ),
    (
        "messages.2: role 'system' must precede an 'assistant' message or end the array; found 'user'",
        SYSTEM,
        ["role:system=user"],
    ),
    (
        "messages.3: `tool_use` ids were found without `tool_result` blocks immediately after: toolu_7. Each needs one.",
        {"messages": [*LOST[:2], USER]},
        ["tools:paired"],
    ),
    (
        "messages.3.content.0: `tool_use` ids must be unique",
        {"messages": [*LOST, *LOST[1:]]},
        ["tools:paired"],
    ),
    (
        "'claude-opus-5-5' does not support tool types: computer_20251124. Did you mean one of text_editor_20250728?",
        tools("computer_20251124", "bash_20250124"),
        ["tool_type:computer_20251124=out"],
    ),
    (
        "messages.1.content.0.type: Expected `thinking` or `redacted_thinking`, but found `tool_use`. When `thinking` is enabled, …",
        {**MANUAL, "messages": LOST},
        ["thinking:pending_lost=off"],
    ),
    (
        "messages.1.content.1.tool_use.id: String should match pattern '^[a-zA-Z0-9_-]+$'",
        {"messages": [{"role": "assistant", "content": [{**CALL, "id": "add:0"}]}]},
        ["id:call=[a-zA-Z0-9_-]+"],
    ),
    (
        "max_tokens: 99999 > 64000, which is the maximum allowed number of output tokens for m",
        {"max_tokens": 99_999},
        ["limit:max_tokens<=64000"],
    ),
    (
        "Advisor tool result content could not be processed.",
        blocks("advisor_tool_result"),
        [OTHERS],
    ),
    # DeepSeek
    (
        "The `content[].thinking` in the thinking mode must be passed back to the API.",
        {"messages": LOST},
        ["reasoning:wanted=thinking", "reasoning:as=plain"],
    ),
    (
        "thinking options type cannot be disabled when reasoning_effort is set",
        {**OFF, **effort("low")},
        ["effort:thinking_off=out"],
    ),
    (
        "deepseek-reasoner does not support this tool_choice",
        FORCED,
        ["tool_choice:forced=auto"],
    ),
    (
        "Thinking mode does not support this tool_choice",
        FORCED,
        ["thinking:off=forced_tool", "thinking:default=on"],
    ),
    (
        "Failed to deserialize the JSON body into the target type: messages[1].role: unknown variant `system`, expected `user` or `assistant` at line 1 column 9",
        SYSTEM,
        ["role:system=user"],
    ),
    (
        "Failed to deserialize the JSON body into the target type: messages[0].content[0]: unknown variant `image`, expected `text` at line 1",
        blocks("image"),
        ["block:image=unfit"],
    ),
    (
        "Failed to deserialize the JSON body: messages[0]: unknown variant `redacted_thinking`, expected one of `text`",
        REDACTED,
        ["reasoning:as=plain"],
    ),
    # Kimi
    (
        "thinking is enabled but reasoning_content is missing in assistant tool call message at index 17",
        {"messages": LOST},
        ["reasoning:wanted=thinking", "reasoning:as=plain"],
    ),
    (
        "failed to convert tool result content: unsupported content type in ContentBlockParamUnion: tool_reference",
        result("tool_reference"),
        ["block:tool_reference=text", OTHERS],
    ),
    (
        "a max of 16 tools can be supported",
        {"tools": [TOOL] * 17},
        ["limit:tools<=16"],
    ),
    (
        "tool_choice 'specified' is incompatible with thinking enabled",
        {**FORCED, **ADAPTIVE},
        ["thinking:off=forced_tool"],
    ),
    (
        "invalid temperature: only 1 is allowed for this model",
        {"temperature": 0},
        ["sampling:temperature=1"],
    ),
    # Qwen
    (
        "The tool_choice parameter does not support being set to required or object in thinking mode",
        {**FORCED, **MANUAL},
        ["thinking:enabled_off=forced_tool"],
    ),
    # MiniMax
    (
        "invalid params, tool result's tool id(toolu_7) not found (2013)",
        {"messages": [*LOST[:2], USER]},
        ["tools:paired"],
    ),
    # Copilot
    (
        "context_management: Extra inputs are not permitted",
        {"context_management": {}},
        ["member:context_management"],
    ),
    (
        "output_config: Extra inputs are not permitted",
        effort("low"),
        ["member:output_config"],
    ),
    (
        "tools.0.input_schema.$schema: Extra inputs are not permitted",
        {"tools": [{**TOOL, "input_schema": {"$schema": "x", "type": "object"}}]},
        ["schema:$schema"],
    ),
    (
        "messages.1 must NOT have additional properties",
        {"messages": [USER, {"role": "assistant", "content": "a", "id": "x"}, USER]},
        ["message:*"],
    ),
    (
        "tools.0.custom.eager_input_streaming: Extra inputs are not permitted",
        {"tools": [{**TOOL, "eager_input_streaming": True}]},
        ["tool:eager_input_streaming"],
    ),
    (
        "system.1.cache_control.ephemeral.scope: Extra inputs are not permitted",
        {},
        ["cache_control:scope"],
    ),
    (
        "messages.0.content.0.cache_control.ephemeral.ttl: Extra inputs are not permitted",
        {},
        ["cache_control:ttl"],
    ),
    (
        "tools.3.cache_control: Extra inputs are not permitted",
        {"tools": [{**TOOL, "cache_control": {"type": "ephemeral"}}]},
        ["cache_control:*"],
    ),
    ("Invalid signature in thinking block", {"messages": LOOP}, ["state:thinking=out"]),
    # OpenRouter
    (
        "Unknown server-tool shorthand",
        tools("tool_search_tool_regex_20251119"),
        ["tool_type:tool_search_tool_*=out", "tool:defer_loading"],
    ),
    # Bedrock, Google Cloud
    ("invalid beta flag", {}, ["beta:*"]),
    ("invalid beta flag: fast-mode-2026-02-01", {}, ["beta:fast-mode-2026-02-01"]),
    (
        "Unexpected value(s) `context-management-2025-06-27`, `x-2026-01-01` for the `anthropic-beta` header. Please consult our documentation.",
        {},
        ["beta:context-management-2025-06-27", "beta:x-2026-01-01"],
    ),
    (
        "tools.0: Input tag 'memory_20250818' found using 'type' does not match any of the expected tags: 'bash_20250124'",
        tools("memory_20250818", "bash_20250124"),
        ["tool_type:memory_20250818=out"],
    ),
    (
        "messages.2.content.0.tool_result.content.0: Input tag 'tool_reference' found using 'type' does not match any of the expected tags: 'text'",
        result("tool_reference"),
        ["block:tool_reference=text", OTHERS],
    ),
    # vLLM, SGLang, llama.cpp, Ollama
    (
        "1 validation error: {'type': 'literal_error', 'loc': ('body', 'messages', 1, 'role'), 'msg': \"Input should be 'user' or 'assistant'\"}",
        SYSTEM,
        ["role:system=user"],
    ),
    (
        "1 validation error: {'type': 'missing', 'loc': ('body', 'tools', 1, 'input_schema'), 'msg': 'Field required'}",
        tools("web_search_20250305"),
        ["tool_type:server=out"],
    ),
    (
        "tools.0.custom.input_schema: Field required",
        {"tools": [{"name": "now"}]},
        ["tools:parameters"],
    ),
    (
        "Anthropic redacted_thinking history is not supported",
        REDACTED,
        ["reasoning:as=plain"],
    ),
    (
        "Jinja Exception: System message must be at the beginning.",
        SYSTEM,
        ["role:system=first"],
    ),
    (
        "invalid image source type: url. Only base64 images are supported.",
        {
            "messages": [
                {
                    "role": "user",
                    "content": [{"type": "image", "source": {"type": "url"}}],
                }
            ]
        },
        ["source:url=unfit"],
    ),
    # Z.ai
    (
        "'ClaudeContentBlockToolResult' object has no attribute 'id'",
        {
            "messages": [
                {"role": "assistant", "content": [{**CALL, "input": [1]}]},
            ]
        },
        ["call:input=object"],
    ),
    # members, in anybody's words
    (
        "Unrecognized request argument supplied: container",
        {"container": "c"},
        ["member:container"],
    ),
    ("Unknown parameter: 'mcp_servers'.", {"mcp_servers": []}, ["member:mcp_servers"]),
]


def body_of(body):
    return {"model": "m", "max_tokens": 100, "messages": [USER], **body}


def anthropic(message):
    error = {"type": "invalid_request_error", "message": message}
    return json.dumps({"type": "error", "error": error}).encode()


SHAPES = {
    "Anthropic's": anthropic,
    "OpenAI's": lambda m: json.dumps(
        {"error": {"message": m, "type": "Bad Request", "code": 400}}
    ).encode(),
    "Bedrock's": lambda m: json.dumps(
        {"message": f"ValidationException: {m}"}
    ).encode(),
}


def lesson(message, body, known=NO_QUIRKS, status=400, shape=anthropic):
    found = learn(MESSAGES, status, read_error(shape(message)), body_of(body), known)
    return [str(quirk) for quirk in found.quirks] if found else []


@each_row(("message", "body", "quirks"), TAUGHT)
def test_what_a_refusal_teaches(message, body, quirks):
    for shape in SHAPES.values():
        assert lesson(message, body, shape=shape) == quirks


@each_row(("message", "body", "quirks"), TAUGHT)
def test_a_lesson_is_taught_once(message, body, quirks):
    """The same words again teach something else, or nothing: never the same."""
    again = lesson(message, body, Quirks.parse(*quirks))
    assert not set(again) & set(quirks)


@each_row(("message", "body", "quirks"), TAUGHT)
def test_a_resend_differs(message, body, quirks):
    made = adapt(body_of(body), Quirks.parse(*quirks), nothing_kept)
    assert made.replaced or made.dropped or made.unfit or made.headers


@pytest.mark.parametrize(
    ("message", "body"),
    [
        ("temperature: Input should be less than or equal to 1", {"temperature": 9}),
        ("messages: at least one message is required", {"messages": []}),
        ("model: Extra inputs are not permitted", {}),
        ("messages: Extra inputs are not permitted", {}),
        ("tools: Extra inputs are not permitted", {"tools": []}),
        ("colour: Extra inputs are not permitted", {"colour": "red"}),
        ("max_tokens: Field required", {}),
        ("prompt is too long: 210000 tokens > 200000 maximum", {}),
        ("`temperature` is deprecated for this model.", {}),
        ("Your credit balance is too low to access the Anthropic API.", {}),
        ("adaptive thinking is not supported on this model", MANUAL),
        ("Invalid `signature` in `thinking` block", {}),
        ("tools.0.input_schema: JSON schema is invalid", {"tools": [TOOL]}),
        ("thinking.enabled.budget_tokens: Input should be greater than 1023", MANUAL),
    ],
)
def test_the_clients_own_mistakes_teach_nothing(message, body):
    assert lesson(message, body) == []


def test_a_bound_block_is_dropped_there_or_here():
    message = TAUGHT[[t[2] for t in TAUGHT].index(["state:block_binding=drop_block"])][
        0
    ]
    known = Quirks.parse("state:block_binding=drop_block")
    assert lesson(message, {"messages": LOOP}, known) == ["state:thinking=out"]


def test_a_choice_that_thinking_off_did_not_help():
    message = "Thinking may not be enabled when tool_choice forces tool use."
    known = Quirks.parse("thinking:enabled_off=forced_tool")
    assert lesson(message, {**FORCED, **OFF}, known) == ["tool_choice:forced=auto"]


def test_efforts_are_narrowed():
    known = Quirks.parse("effort:allowed=low,medium,high,max")
    found = lesson("does not support effort level 'max'", effort("max"), known)
    assert found == ["effort:allowed=low,medium,high"]


def test_servers_own_errors_are_read_as_refusals_where_they_are():
    message = "'ClaudeContentBlockToolResult' object has no attribute 'id'"
    body = {"messages": [{"role": "assistant", "content": [{**CALL, "input": []}]}]}
    assert lesson(message, body, status=500) == ["call:input=object"]
    assert lesson("Internal server error", body, status=500) == []


def test_numbers_are_of_their_own():
    numbers = [row.number for row in WORDINGS]
    assert len(set(numbers)) == len(numbers)
    mine = [row for row in WORDINGS if MESSAGES in row.dialects]
    assert all(200 <= row.number < 400 and row.source for row in mine)
