"""The client's own mistakes teach nothing, whoever says so in whatever dialect, and no words of a
provider's take away what every request needs."""

import json
from typing import Any

from examples import examples
from hypothesis import given
from hypothesis import strategies as st
from tables import each_row

from llm_gateway.adaptation.kept_state import nothing_kept
from llm_gateway.adaptation.vocabulary import MOST, NO_QUIRKS, Quirks
from llm_gateway.adaptation.wordings import learn
from llm_gateway.dialects import SPECS
from llm_gateway.dialects.provider_errors import ProviderError, read_error
from llm_gateway.domain import Dialect

Body = dict[str, Any]

CHAT_TOOL = {
    "type": "function",
    "function": {"name": "add", "parameters": {"type": "object"}},
}
CHAT_CALL = {
    "id": "call_1",
    "type": "function",
    "function": {"name": "add", "arguments": "{}"},
}
TOOL = {"name": "add", "input_schema": {"type": "object"}}
FUNCTION = {"type": "function", "name": "add", "parameters": {"type": "object"}}
DECLARED = {"name": "add", "parameters": {"type": "OBJECT", "properties": {}}}

BODIES: dict[str, Body] = {
    "chat": {
        "model": "m",
        "messages": [
            {"role": "system", "content": "s"},
            {"role": "user", "content": "a"},
            {"role": "assistant", "content": "", "tool_calls": [CHAT_CALL], "reasoning_content": "T"},
            {"role": "tool", "tool_call_id": "call_1", "content": "3"},
        ],
        "tools": [CHAT_TOOL],
        "temperature": 0.5,
        "max_tokens": 99,
        "reasoning_effort": "low",
    },
    "messages": {
        "model": "m",
        "max_tokens": 99,
        "system": "s",
        "messages": [
            {"role": "user", "content": "a"},
            {
                "role": "assistant",
                "content": [
                    {"type": "thinking", "thinking": "T", "signature": "S"},
                    {"type": "tool_use", "id": "t_1", "name": "add", "input": {}},
                ],
            },
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t_1", "content": "3"}]},
        ],
        "tools": [TOOL],
        "tool_choice": {"type": "auto"},
        "temperature": 0.5,
        "metadata": {"user_id": "u"},
        "thinking": {"type": "adaptive"},
    },
    "responses": {
        "model": "m",
        "instructions": "s",
        "input": [
            {"type": "message", "role": "user", "content": "a"},
            {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "E"},
            {"type": "function_call", "id": "fc_1", "call_id": "c1", "name": "add", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "c1", "output": "3"},
        ],
        "tools": [FUNCTION],
        "temperature": 0.5,
        "max_output_tokens": 99,
        "reasoning": {"effort": "low"},
        "store": False,
    },
    "generateContent": {
        "systemInstruction": {"parts": [{"text": "s"}]},
        "contents": [
            {"role": "user", "parts": [{"text": "a"}]},
            {"role": "model", "parts": [{"functionCall": {"id": "c1", "name": "add", "args": {}}, "thoughtSignature": "c2ln"}]},
            {"role": "user", "parts": [{"functionResponse": {"id": "c1", "name": "add", "response": {"x": "3"}}}]},
        ],
        "tools": [{"functionDeclarations": [DECLARED]}],
        "generationConfig": {"temperature": 0.5, "maxOutputTokens": 99, "thinkingConfig": {"thinkingLevel": "LOW", "includeThoughts": True}},
        "safetySettings": [],
    },
}  # fmt: skip
HISTORY = {
    "chat": "messages",
    "messages": "messages",
    "responses": "input",
    "generateContent": "contents",
}


def openai(message: str, param: str | None = None, code: str | None = None) -> Body:
    kind = "invalid_request_error"
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


def anthropic(message: str) -> Body:
    error = {"type": "invalid_request_error", "message": message}
    return {"type": "error", "error": error}


def vllm(kind: str, message: str, *loc: str | int) -> Body:
    found = {"type": kind, "loc": loc, "msg": message, "input": 1}
    text = f"1 validation error:\n  {found!r}"
    return {"error": {"message": text, "type": "Bad Request", "param": None, "code": 400}}  # fmt: skip


def fastapi(message: str, *loc: str | int) -> Body:
    return {"detail": [{"type": "value_error", "loc": loc, "msg": message}]}


def deserialize(message: str) -> Body:
    return openai(f"Failed to deserialize the JSON body into the target type: {message} at line 1 column 9")  # fmt: skip


CODEX = {"tools": [{"name": "add", "parameters": {"type": "object"}}, {"type": "custom", "name": "exec"}]}  # fmt: skip
BOT = {"role": "bot", "content": "x"}
HUGE = "Supported values are: 'none', 'low', 'medium', and 'high'."
GONE = object()
"""A member that is not there."""

MISTAKES: list[tuple[str, Body, Body]] = [
    # -- sampling and limits
    ("chat", openai("Invalid 'temperature': decimal above maximum value. Expected a value <= 2, but got 9 instead.", "temperature"), {"temperature": 9}),
    ("chat", openai("Invalid type for 'temperature': expected a decimal, but got a string instead.", "temperature"), {"temperature": "hot"}),
    ("chat", openai("Unsupported value: 'temperature' does not support 9 with this model. Only the default (1) value is supported.", "temperature"), {"temperature": 9}),
    ("chat", openai("invalid temperature: only 1 is allowed for this model"), {"temperature": -1}),
    ("chat", fastapi("Input should be less than or equal to 1.5", "body", "temperature"), {"temperature": 9}),
    ("chat", openai(f"Unsupported value: 'huge' is not supported. {HUGE}", "reasoning_effort"), {"reasoning_effort": "huge"}),
    ("chat", openai("reasoning_effort must be one of low, medium, high"), {"reasoning_effort": 3}),
    ("messages", anthropic("temperature: Input should be less than or equal to 1"), {"temperature": 9}),
    ("messages", anthropic("temperature: Input should be a valid number"), {"temperature": "hot"}),
    ("messages", anthropic("`temperature` may only be set to 1 when thinking is enabled or in adaptive mode."), {"temperature": 9}),
    ("messages", anthropic("`top_p` must be greater than or equal to 0.95 when thinking is enabled."), {"temperature": 1, "top_p": -1}),
    ("messages", anthropic("max_tokens: Field required"), {"max_tokens": GONE}),
    ("messages", anthropic("max_tokens: must be greater than or equal to 1"), {"max_tokens": 0}),
    ("messages", anthropic("max_tokens: Input should be a valid integer"), {"max_tokens": "x"}),
    ("messages", anthropic("thinking.type: Field required"), {"thinking": {"budget_tokens": "x"}}),
    ("messages", anthropic("thinking: Input tag 'deep' found using 'type' does not match any of the expected tags: 'enabled', 'disabled'"), {"thinking": {"type": "deep"}}),
    ("messages", anthropic("thinking.enabled.budget_tokens: Input should be greater than or equal to 1024"), {"thinking": {"type": "enabled", "budget_tokens": 1}}),
    ("messages", anthropic("output_config.effort: Input should be 'low', 'medium', 'high' or 'max'"), {"output_config": {"effort": "huge"}}),
    ("messages", anthropic("output_config.effort: Input should be 'low', 'medium', 'high' or 'max'"), {"output_config": {"effort": 3}}),
    ("messages", vllm("less_than_equal", "Input should be <= 2", "body", "temperature"), {"temperature": 9}),
    ("responses", openai("Invalid 'temperature': decimal above maximum value. Expected a value <= 2, but got 9 instead.", "temperature"), {"temperature": 9}),
    ("responses", openai("Unsupported value: 'temperature' does not support 9 with this model. Only the default (1) value is supported.", "temperature"), {"temperature": 9}),
    ("responses", openai("Invalid 'max_output_tokens': integer below minimum value. Expected a value >= 16, but got -3 instead.", "max_output_tokens"), {"max_output_tokens": -3}),
    ("responses", openai(f"Invalid value: 'huge'. {HUGE}", "reasoning.effort"), {"reasoning": {"effort": "huge"}}),
    ("responses", openai("Invalid value: 'maybe'. Supported values are: 'none', 'auto', and 'required'.", "tool_choice"), {"tool_choice": "maybe"}),
    ("responses", vllm("less_than_equal", "Input should be <= 2", "body", "temperature"), {"temperature": 9}),
    # -- unknown members
    ("chat", openai("Unknown parameter: 'colour'.", "colour"), {"colour": 1}),
    ("chat", openai("Unknown parameter: 'messages[0].colour'.", "messages[0].colour"), {"messages": [{"role": "user", "content": "a", "colour": 1}]}),
    ("messages", anthropic("colour: Extra inputs are not permitted"), {"colour": 1}),
    ("messages", anthropic("messages.0.colour: Extra inputs are not permitted"), {"messages": [{"role": "user", "content": "a", "colour": 1}]}),
    ("messages", anthropic("tools.0.custom.colour: Extra inputs are not permitted"), {"tools": [{**TOOL, "colour": 1}]}),
    ("responses", openai("Unknown parameter: 'colour'.", "colour"), {"colour": 1}),
    ("responses", openai("Unknown parameter: 'input[0].colour'.", "input[0].colour"), {"input": [{"role": "user", "content": "a", "colour": 1}]}),
    ("responses", openai("Unknown parameter: 'tools[0].colour'.", "tools[0].colour"), {"tools": [{**FUNCTION, "colour": 1}]}),
    ("responses", openai("Unknown parameter: 'reasoning.colour'.", "reasoning.colour"), {"reasoning": {"colour": 1}}),
    # -- no turns, or none that are turns
    ("chat", openai("Missing required parameter: 'messages'.", "messages"), {"messages": GONE}),
    ("chat", openai("[] is too short - 'messages'"), {"messages": []}),
    ("chat", openai("Invalid value: 'bot'. Supported values are: 'system', 'assistant', 'user', 'function', 'tool', and 'developer'.", "messages[0].role"), {"messages": [BOT]}),
    ("chat", deserialize("messages[0].role: unknown variant `bot`, expected one of `system`, `user`, `assistant`, `tool`"), {"messages": [BOT]}),
    ("chat", deserialize("missing field `messages`"), {"messages": GONE}),
    ("chat", fastapi("Field required", "body", "messages"), {"messages": GONE}),
    ("messages", anthropic("messages: Field required"), {"messages": GONE}),
    ("messages", anthropic("messages: at least one message is required"), {"messages": []}),
    ("messages", anthropic("messages: Input should be a valid list"), {"messages": "x"}),
    ("messages", anthropic("messages.0.role: Input should be 'user' or 'assistant'"), {"messages": [BOT]}),
    ("messages", anthropic('messages: Unexpected role "bot". Allowed roles are "user" or "assistant".'), {"messages": [BOT]}),
    ("messages", anthropic("messages.0.content.0.type: Field required"), {"messages": [{"role": "user", "content": [{"text": "x"}]}]}),
    ("messages", anthropic("messages.0.content.0: Input tag 'txt' found using 'type' does not match any of the expected tags: 'text', 'image'"), {"messages": [{"role": "user", "content": [{"type": "txt"}]}]}),
    ("messages", deserialize("messages[0].content[0]: unknown variant `txt`, expected one of `text`, `image`"), {"messages": [{"role": "user", "content": [{"type": "txt"}]}]}),
    ("messages", vllm("literal_error", "Input should be 'user' or 'assistant'", "body", "messages", 0, "role"), {"messages": [BOT]}),
    ("messages", anthropic("messages.1.content.1.tool_use.id: String should match pattern '^[a-zA-Z0-9_-]+$'"), {}),
    ("responses", openai("Missing required parameter: 'input'.", "input"), {"input": GONE}),
    ("responses", openai("Invalid 'input': empty array. Expected an array with minimum length 1, but got an empty array instead.", "input"), {"input": []}),
    ("responses", openai("Invalid value: 'bot'. Supported values are: 'assistant', 'system', 'developer', and 'user'.", "input[0].role"), {"input": [BOT]}),
    ("responses", openai("Invalid value: 'txt'. Supported values are: 'input_text', 'input_image', 'output_text'.", "input[0].content[0].type"), {"input": [{"role": "user", "content": [{"type": "txt"}]}]}),
    ("responses", vllm("missing", "Field required", "body", "input"), {"input": GONE}),
    ("responses", vllm("string_type", "Input should be a valid string", "body", "input"), {"input": 3}),
    ("responses", deserialize("data did not match any variant of untagged enum ModelInput"), {"input": 3}),
    ("responses", deserialize("data did not match any variant of untagged enum ModelInput"), {"input": [{"type": "massage", "role": "user", "content": "x"}]}),
    ("responses", openai("Cannot determine type of 'item'"), {"input": [{"x": 1}]}),
    ("responses", openai("Cannot determine type of 'item'"), {"input": ["x"]}),
    # -- tools
    ("chat", openai("Invalid type for 'tools': expected an array of objects, but got a string instead.", "tools"), {"tools": "add"}),
    ("chat", openai("Missing required parameter: 'tools[0].function'.", "tools[0].function"), {"tools": [{"type": "function"}]}),
    ("chat", openai("Invalid value: 'funktion'. Supported values are: 'function' and 'custom'.", "tools[0].type"), {"tools": [{**CHAT_TOOL, "type": "funktion"}]}),
    ("chat", openai("Invalid schema for function 'add': schema must be a JSON Schema of 'type: \"object\"', got 'type: \"array\"'.", "tools[0].function.parameters"), {"tools": [{"type": "function", "function": {"name": "add", "parameters": {"type": "array"}}}]}),
    ("messages", anthropic("tools: Input should be a valid list"), {"tools": "add"}),
    ("messages", anthropic("tools.0: Input should be a valid dictionary or object to extract fields from"), {"tools": ["add"]}),
    ("messages", anthropic("tools.0.custom.name: Field required"), {"tools": [{"input_schema": {}}]}),
    ("messages", anthropic("tools.0.custom.input_schema.type: Field required"), {"tools": [{"name": "add", "input_schema": {"x": 1}}]}),
    ("messages", anthropic("tools.0: Input tag 'funktion' found using 'type' does not match any of the expected tags: 'custom', 'bash_20250124'"), {"tools": [{**TOOL, "type": "funktion"}]}),
    ("messages", anthropic("claude-x does not support tool types: funktion."), {"tools": [{**TOOL, "type": "funktion"}]}),
    ("messages", anthropic("tool_choice.type: Input should be 'auto', 'any', 'tool' or 'none'"), {"tool_choice": {"type": "maybe"}}),
    ("messages", deserialize('tools: invalid type: string "x", expected a sequence'), {"tools": "x"}),
    ("responses", openai("Invalid type for 'tools': expected an array of objects, but got a string instead.", "tools"), {"tools": "x"}),
    ("responses", openai("Invalid type for 'tools[0]': expected an object, but got a string instead.", "tools[0]"), {"tools": ["x"]}),
    ("responses", openai("Missing required parameter: 'tools[0].name'.", "tools[0].name"), {"tools": [{"type": "function", "parameters": {}}]}),
    ("responses", openai("Missing required parameter: 'tools[0].type'.", "tools[0].type"), CODEX),
    ("responses", openai("Invalid value: 'funktion'. Supported values are: 'function', 'file_search'.", "tools[0].type"), {"tools": [{**FUNCTION, "type": "funktion"}]}),
    ("responses", openai("Invalid schema for function 'add': schema must be a JSON Schema of 'type: \"object\"', got 'type: \"array\"'.", "tools[0].parameters"), {"tools": [{**FUNCTION, "parameters": {"type": "array"}}]}),
    ("responses", openai("Tool choice 'sub' not found in 'tools' parameter.", "tool_choice"), {"tool_choice": {"type": "function", "name": "sub"}}),
]  # fmt: skip


def read(said: Body) -> ProviderError:
    found = read_error(json.dumps(said).encode())
    assert found is not None
    return found


@each_row("status", [400, 422])
@each_row(("dialect", "said", "wrong"), MISTAKES)
def test_the_clients_own_mistakes_teach_nothing(
    dialect: str, said: Body, wrong: Body, status: int
) -> None:
    body = {k: v for k, v in {**BODIES[dialect], **wrong}.items() if v is not GONE}
    assert learn(Dialect(dialect), status, read(said), body, NO_QUIRKS) is None


@each_row("dialect", HISTORY)
@each_row(
    "said",
    [
        *("Unknown parameter: '{}'.", "Unrecognized request argument supplied: {}"),
        *("{}: Extra inputs are not permitted", "property '{}' is unsupported"),
        *("'{}' is not supported with this model.", "`{}` must be omitted"),
        *("Unsupported parameter(s): `{}`", "{}: value not allowed", "only {} is allowed"),
        *('Unknown name "{}": Cannot find field.', "{} is deprecated for this model"),
        *("The {} field is forbidden", "{} must be less than or equal to 0"),
        "body.{} is not a valid param",
    ],
)  # fmt: skip
def test_what_every_request_needs_is_never_taken_away(dialect: str, said: str) -> None:
    for name in ("model", HISTORY[dialect], "tools", "contents", "input", "messages"):
        for error in (openai(said.format(name), name), {"detail": said.format(name)}):
            for status in (400, 404, 422, 500):
                harmless(dialect, status, read(error))


def harmless(
    dialect: str, status: int, error: ProviderError, known: Quirks = NO_QUIRKS
) -> Quirks:
    """Whatever it teaches, the turns, their texts, calls and the tools are there as before."""
    body = BODIES[dialect]
    lesson = learn(Dialect(dialect), status, error, body, known)
    if lesson is None:
        return known
    adapt = SPECS[Dialect(dialect)].adapt
    assert adapt is not None
    known |= Quirks(lesson.quirks)
    adapted = adapt(body, known, nothing_kept)
    if adapted.unfit:
        return known
    made = {k: v for k, v in body.items() if k not in adapted.dropped}
    made |= adapted.replaced
    needed = {HISTORY[dialect], "tools"} | ({"model"} & body.keys())
    assert needed <= made.keys()
    assert not needed & adapted.renamed.keys()
    text = json.dumps(made)
    for word in ('"a"', '"s"', '"3"', '"add"'):
        assert text.count(word) >= json.dumps(body).count(word), lesson
    assert len(made["tools"]) == 1
    assert len(made[HISTORY[dialect]]) >= len(body[HISTORY[dialect]]) - 1
    return known


WORDS = st.sampled_from(
    [
        *("property '", "' is unsupported", "Unknown parameter: '", "messages", "input"),
        *("[", "2", "].", ".", "model", "tools", "contents", "role", "content", "type"),
        *("tool_calls[0].", "made_up", "'. ", ": Extra inputs are not permitted", "body."),
        *("\n", "Unsupported parameter(s): `", "`, `", "must be passed back", "thinking"),
        *("reasoning_content", "temperature", "system", "tool_use", "tool_result", "text"),
        *("unknown variant `", "`, expected one of ", "function", "function_call", "item"),
        *("input item type: ", " is not supported", "does not support ", "reasoning"),
        *("Supported values are: 'a'", "max_tokens", ">= 16", "999999", " must be ", "add"),
        *("tool types: ", "invalid beta flag: ", "input tag '", "' does not match any of the expected tags", "cannot determine type of 'item'", "unsupported tool type", "invalid responses api request"),
        *("at most 1 tools", "signature in thinking block", "non-empty", "instructions"),
        *("Unknown name \"", "\" at '", "contents[1].parts[0].function_call", "generation_config", "parts", "thinking level low", "thought_signature", "missing a ", "function calling"),
        *("messages[2].", "input[1].", "tools[0].", "message", "id", "call_id", "name"),
    ]
)  # fmt: skip


@examples(200)
@given(
    st.sampled_from(sorted(HISTORY)),
    st.lists(
        st.tuples(
            st.lists(WORDS, max_size=9).map("".join),
            st.sampled_from([400, 401, 404, 422, 500]),
        ),
        min_size=1,
        max_size=4,
    ),
)
def test_ever_new_words_hurt_nobody(dialect: str, said: list[tuple[str, int]]) -> None:
    known = NO_QUIRKS
    for text, status in said:
        error = ProviderError(message=text, text=text.lower())
        known = harmless(dialect, status, error, known)
    assert len(known) <= MOST
