"""Refusals of Responses in their vendors' words: each teaches what it should, no more."""

import json

import pytest
from tables import each_row

from llm_gateway.adaptation.kept_state import nothing_kept
from llm_gateway.adaptation.vocabulary import NO_QUIRKS, Quirks
from llm_gateway.adaptation.wordings import WORDINGS, learn
from llm_gateway.dialects.provider_errors import read_error
from llm_gateway.dialects.responses.adapter import adapt
from llm_gateway.domain import Dialect

RESPONSES = Dialect("responses")
USER = {"type": "message", "role": "user", "content": "Hello!"}
SAID = {"type": "message", "role": "assistant", "id": "msg_1", "content": []}
THOUGHT = {"type": "reasoning", "id": "rs_1", "encrypted_content": "E" * 40}
COMPACTION = {"type": "compaction", "id": "cmp_1", "encrypted_content": "C" * 40}
CALL = {"type": "function_call", "id": "fc_1", "call_id": "c" * 65, "name": "add"}
OUT = {"type": "function_call_output", "call_id": "c" * 65, "output": "2"}
LOOP = {"input": [USER, THOUGHT, CALL, OUT]}
ORPHAN = {"input": [USER, CALL, SAID, USER]}
ADD = {"type": "function", "name": "add", "parameters": {"type": "object"}}
SPACE = {"type": "namespace", "name": "files", "tools": [{**ADD, "name": "read"}]}
CODEX = {"tools": [ADD, {"type": "custom", "name": "exec"}, SPACE]}
MORE = {"input": [{"type": "additional_tools", "tools": CODEX["tools"]}, USER]}

FORMS = [
    "tool_type:custom=function",
    "tool_type:namespace=flat",
    "tool_type:additional_tools=lifted",
]
ITEMS = "item:*=message,function_call,function_call_output"
WITH_REASONING = f"{ITEMS},reasoning"


def effort(level):
    return {"reasoning": {"effort": level}}


def tools(*types):
    return {"tools": [ADD, *({"type": t, "name": t} for t in types)]}


def items(*types):
    return {"input": [USER, *({"type": t} for t in types)]}


TAUGHT = [
    # OpenAI
    (
        "Unsupported value: 'none' is not supported with the 'gpt-5.1-codex' model. Supported values are: 'low', 'medium', and 'high'.",
        effort("none"),
        ["effort:allowed=low,medium,high"],
    ),
    (
        "Unsupported value: 'low' is not supported with the 'gpt-7-pro' model. Supported values are: 'high'.",
        effort("low"),
        ["effort:allowed=high"],
    ),
    (
        "Unsupported parameter: 'reasoning.effort' is not supported with this model.",
        effort("low"),
        ["member:reasoning"],
    ),
    (
        "Unsupported parameter: 'temperature' is not supported with this model.",
        {"temperature": 0},
        ["sampling:temperature"],
    ),
    (
        "Unsupported parameter: 'top_p' is not supported with this model.",
        {"top_p": 1, **effort("low")},
        ["sampling:top_p=no_effort"],
    ),
    (
        "Unsupported value: 'temperature' does not support 0.1 with this model. Only the default (1) value is supported.",
        {"temperature": 0.1},
        ["sampling:temperature=1"],
    ),
    (
        "Item 'rs_0a1b' of type 'reasoning' was provided without its required following item.",
        {"input": [USER, THOUGHT, USER]},
        ["state:followed=whole"],
    ),
    (
        "Item 'fc_7' of type 'function_call' was provided without its required 'reasoning' item: 'rs_7'.",
        LOOP,
        ["state:ids=out"],
    ),
    (
        "parallel_tool_calls is not supported",
        {"parallel_tool_calls": True},
        ["member:parallel_tool_calls"],
    ),
    (
        "text.verbosity is not supported",
        {"text": {"verbosity": "low"}},
        ["member:text.verbosity"],
    ),
    (
        "input[0].role: Input should be 'user', 'assistant' or 'system'",
        {"input": [{"role": "developer", "content": "x"}, USER]},
        ["role:developer=system"],
    ),
    (
        "No tool output found for function call call_Zz9.",
        ORPHAN,
        ["state:calls=whole"],
    ),
    (
        "No tool call found for function call output with call_id call_Zz9.",
        {"input": [USER, OUT]},
        ["state:calls=whole"],
    ),
    (
        "Invalid 'input[49].id': 'fc_0a1b'. Expected an ID that begins with 'ctc'.",
        {"input": [{**CALL, "id": "x_1"}]},
        ["id:item=prefix"],
    ),
    (
        "Invalid 'input[149].call_id': string too long. Expected a string with maximum length 48, but got a string with length 69 instead.",
        LOOP,
        ["id:call=.{1,48}"],
    ),
    (
        "Invalid 'prompt_cache_key': string too long. Expected a string with maximum length 64, but got a string with length 90 instead.",
        {"prompt_cache_key": "k" * 90},
        ["id:prompt_cache_key=.{1,64}"],
    ),
    (
        "Item with id 'rs_0a1b' not found. Items are not persisted when `store` is set to false. Try again with `store` set to true, or remove this item from your input.",
        {"input": [{"type": "reasoning", "id": "rs_0a1b"}, SAID]},
        ["state:ids=out", "state:reasoning=out"],
    ),
    (
        "The encrypted content gAAA… could not be verified. Reason: Encrypted content organization_id did not match the target organization.",
        LOOP,
        ["state:reasoning=out"],
    ),
    (
        "The encrypted content ... could not be verified. Reason: it is empty.",
        {"input": [{"type": "reasoning", "content": [{"text": "hm"}]}, CALL, USER]},
        ["reasoning:unsigned=out"],
    ),
    (
        "invalid_encrypted_content: it could not be verified",
        {"store": False, "input": [{"type": "reasoning", "summary": []}, CALL, USER]},
        ["reasoning:unsigned=out"],
    ),
    (
        "Unsupported parameter: 'text.verbosity' is not supported with this model.",
        {"text": {"verbosity": "low", "format": {"type": "text"}}},
        ["member:text.verbosity"],
    ),
    (
        "Unsupported parameter: 'text.format' is not supported with this model.",
        {"text": {"verbosity": "low", "format": {"type": "text"}}},
        [],
    ),
    (
        "tools.0.parameters.$schema: Extra inputs are not permitted",
        {"tools": [{**ADD, "parameters": {"$schema": "x", "type": "object"}}]},
        ["schema:$schema"],
    ),
    (
        "Param Incorrect: The reasoning_content in the thinking mode must be passed back to the API.",
        LOOP,
        ["reasoning:wanted=reasoning"],
    ),
    (
        "The encrypted content gAAA… could not be verified.",
        {"input": [COMPACTION, USER]},
        ["state:compaction=unfit"],
    ),
    (
        "Invalid 'max_output_tokens': integer below minimum value. Expected a value >= 24, but got 1 instead.",
        {"max_output_tokens": 1},
        ["limit:max_output_tokens>=24"],
    ),
    (
        "Invalid value: 'input_text'. Supported values are: 'output_text' and 'refusal'.",
        {"input": [{"role": "assistant", "content": [{"type": "input_text"}]}]},
        ["content:assistant=output_text"],
    ),
    (
        "Invalid schema for function 'add': In context=(), 'additionalProperties' is required to be supplied and to be false.",
        {"tools": [ADD]},
        ["tools:strict=false"],
    ),
    (
        "Missing namespace for function_call 'read'. Use one of them.",
        {"tools": [SPACE], "input": [{**CALL, "name": "read"}]},
        ["call:namespace=wanted"],
    ),
    (
        "max_tokens is too large: this model supports at most 4096 completion tokens",
        {"max_output_tokens": 9_999},
        ["limit:max_output_tokens<=4096"],
    ),
    # xAI
    (
        "Failed to deserialize the JSON body into the target type: tools[2]: unknown variant `namespace`, expected one of `function`, `web_search`, `x_search`, `mcp` at line 1 column 99",
        CODEX,
        ["tool_type:*=function,web_search,x_search,mcp"],
    ),
    (
        "Failed to deserialize the JSON body into the target type: data did not match any variant of untagged enum ModelInput",
        items("agent_message"),
        [*FORMS, WITH_REASONING, "content:null", "message:*"],
    ),
    (
        "Argument not supported: safety_identifier",
        {"safety_identifier": "s"},
        ["member:safety_identifier"],
    ),
    (
        "Unknown field `prompt_cache_retention`",
        {"prompt_cache_retention": "24h"},
        ["member:prompt_cache_retention"],
    ),
    (
        "tools.0.external_web_access: Extra inputs are not permitted",
        {"tools": [{"type": "web_search", "external_web_access": True}]},
        ["tool:external_web_access"],
    ),
    # Kimi, Ollama, SGLang
    (
        'input.12: item type "compaction" is not supported',
        {"input": [COMPACTION, USER]},
        [*FORMS, WITH_REASONING],
    ),
    (
        'unknown input item type: "additional_tools"',
        MORE,
        [*FORMS, WITH_REASONING],
    ),
    (
        "Unsupported Responses API input item type: 'agent_message'",
        items("agent_message"),
        [*FORMS, WITH_REASONING],
    ),
    (
        'unknown input item type: "reasoning"',
        LOOP,
        [*FORMS, ITEMS],
    ),
    # It is the item that is refused, and not how hard the model is asked to think.
    (
        "input item type 'reasoning' is not supported",
        {**LOOP, "reasoning": {"effort": "high"}},
        [*FORMS, ITEMS],
    ),
    (
        "Unsupported item type: reasoning is not supported",
        {**LOOP, "reasoning": {"effort": "high"}},
        [*FORMS, ITEMS],
    ),
    (
        "file inputs are not currently supported",
        {"input": [{"role": "user", "content": [{"type": "input_file"}]}]},
        ["block:input_file=unfit"],
    ),
    # Xiaomi MiMo, vLLM, Azure, llama.cpp, Groq
    (
        "tool type 'custom' is not supported by this gateway phase.",
        CODEX,
        FORMS,
    ),
    ("tool type namespace not supported", CODEX, FORMS),
    (
        "Hosted tool 'web_search_preview' is not supported with gpt-6.",
        tools("web_search_preview"),
        ["tool_type:web_search_preview=out"],
    ),
    ("Unsupported tool type", CODEX, ["tool_type:*=function"]),
    ("'type' of tool must be 'function'", CODEX, ["tool_type:*=function"]),
    (
        "Encrypted content is not supported with this model.",
        {"include": ["reasoning.encrypted_content"]},
        ["member:include"],
    ),
    (
        "Cannot determine type of 'item'",
        items("custom_tool_call"),
        [*FORMS, WITH_REASONING, "content:null", "message:*"],
    ),
    ("item['content'] is not an array", LOOP, ["item:reasoning"]),
    (
        "Output of tool call should be 'Input text'",
        {"input": [CALL, {**OUT, "output": [{"type": "input_text", "text": "2"}]}]},
        ["content:output=text"],
    ),
    (
        "llama.cpp does not support 'previous_response_id'.",
        {"previous_response_id": "resp_1"},
        ["member:previous_response_id=unfit"],
    ),
    # Mistral, Groq, OpenRouter
    (
        "`background` is not supported",
        {"background": True},
        ["member:background=unfit"],
    ),
    ("`store` must be false", {"store": True}, ["member:store=false"]),
    ("Parameter store is not supported", {"store": False}, ["member:store"]),
    (
        "Invalid Responses API request",
        CODEX,
        [*FORMS, "tool_type:*=function", "content:null"],
    ),
    ("a maximum of 64 tools is allowed", {"tools": [ADD] * 65}, ["limit:tools<=64"]),
    # Copilot
    (
        "input item ID does not belong to this connection",
        LOOP,
        ["id:item=out"],
    ),
    # DeepSeek
    (
        "An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'. (insufficient tool messages following tool_calls message)",
        {"input": [CALL, SAID, OUT]},
        ["tools:batched"],
    ),
    # Fireworks
    (
        "Extra inputs are not permitted, field: 'client_metadata', value: {}",
        {"client_metadata": {}},
        ["member:client_metadata"],
    ),
    (
        "Unknown parameter: 'input[2].phase'.",
        {"input": [{**SAID, "phase": "final"}]},
        ["message:phase", "message:*"],
    ),
]


def body_of(body):
    return {"model": "m", "input": [USER], **body}


def openai(message):
    error = {"message": message, "type": "invalid_request_error", "code": None}
    return json.dumps({"error": error}).encode()


SHAPES = {
    "OpenAI's": openai,
    "one text": lambda m: json.dumps({"error": m}).encode(),
    "FastAPI's": lambda m: json.dumps({"detail": m}).encode(),
}


def lesson(message, body, known=NO_QUIRKS, status=400, shape=openai):
    found = learn(RESPONSES, status, read_error(shape(message)), body_of(body), known)
    return [str(quirk) for quirk in found.quirks] if found else []


@each_row(("message", "body", "quirks"), TAUGHT)
def test_what_a_refusal_teaches(message, body, quirks):
    for shape in SHAPES.values():
        assert lesson(message, body, shape=shape) == quirks


@each_row(("message", "body", "quirks"), TAUGHT)
def test_a_lesson_is_taught_once(message, body, quirks):
    again = lesson(message, body, Quirks.parse(*quirks))
    assert not set(again) & set(quirks)


@each_row(("message", "body", "quirks"), TAUGHT)
def test_a_resend_differs(message, body, quirks):
    made = adapt(body_of(body), Quirks.parse(*quirks), nothing_kept)
    assert made.replaced or made.dropped or made.unfit or not quirks


@pytest.mark.parametrize(
    ("message", "body"),
    [
        ("Invalid 'temperature': decimal above maximum value.", {"temperature": 9}),
        ("Missing required parameter: 'input'.", {}),
        ("Unknown parameter: 'model'.", {}),
        ("Unknown parameter: 'input'.", {}),
        ("Unknown parameter: 'colour'.", {"colour": "red"}),
        ("Invalid type for 'tools': expected an array.", {"tools": "add"}),
        (
            "Invalid 'max_output_tokens': expected a value >= 16",
            {"max_output_tokens": 0},
        ),
        (
            "Previous response with id 'resp_1' not found.",
            {"previous_response_id": "r"},
        ),
        (
            "Item with id 'rs_1' not found.",
            {"input": [{"type": "item_reference", "id": "rs_1"}]},
        ),
        ("Your input exceeds the context window of this model.", {}),
    ],
)
def test_the_clients_own_mistakes_teach_nothing(message, body):
    assert lesson(message, body) == []


TRAILING = {"input": [USER, THOUGHT, USER]}
STEPS = [
    (
        "Item 'rs_1' of type 'reasoning' was provided without its required following item.",
        (TRAILING, ["state:followed=whole"]),
        (LOOP, ["state:reasoning=out"]),
    ),
    (
        "Invalid 'input[1].id': 'fc_1'. Expected an ID that begins with 'ctc'.",
        ({"input": [{**CALL, "id": "x"}]}, ["id:item=prefix"]),
        (LOOP, ["id:item=out"]),
    ),
    (
        "Unsupported parameter: 'temperature' is not supported with this model.",
        ({"temperature": 0, **effort("low")}, ["sampling:temperature=no_effort"]),
        ({"temperature": 0}, ["sampling:temperature"]),
    ),
    (
        "Cannot determine type of 'item'",
        (
            items("custom_tool_call"),
            [*FORMS, WITH_REASONING, "content:null", "message:*"],
        ),
        (LOOP, [ITEMS]),
    ),
    (
        "Invalid Responses API request",
        (CODEX, [*FORMS, "tool_type:*=function", "content:null"]),
        (items("agent_message"), [WITH_REASONING, "message:*"]),
    ),
]


@pytest.mark.parametrize(("message", "first", "second"), STEPS)
def test_one_step_after_the_other(message, first, second):
    body, quirks = first
    assert lesson(message, body) == quirks
    body, others = second
    assert lesson(message, body, Quirks.parse(*quirks)) == others


def test_a_place_is_named_in_a_member_of_its_own():
    """LM Studio."""
    error = {"message": "Invalid", "param": "tools.8.type", "code": "invalid_string"}
    found = learn(
        RESPONSES,
        400,
        read_error(json.dumps({"error": error}).encode()),
        body_of(CODEX),
        NO_QUIRKS,
    )
    assert found is not None
    assert [str(q) for q in found.quirks] == ["tool_type:*=function"]


@pytest.mark.parametrize(
    ("message", "status", "body", "quirks"),
    [
        (
            "input item ID does not belong to this connection",
            401,
            LOOP,
            ["id:item=out"],
        ),
        ("Incorrect API key provided", 401, LOOP, []),
        (
            "Item with id 'msg_9' not found.",
            404,
            {"input": [SAID, USER]},
            ["state:ids=out"],
        ),
        ("The model `m` does not exist", 404, LOOP, []),
        (
            "The model 'm' does not support the '/v1/responses' API",
            404,
            {},
            ["endpoint:any=chat"],
        ),
    ],
)
def test_refusals_with_other_statuses(message, status, body, quirks):
    assert lesson(message, body, status=status) == quirks


def test_numbers_are_of_their_own():
    numbers = [row.number for row in WORDINGS]
    assert len(set(numbers)) == len(numbers)
    mine = [row for row in WORDINGS if RESPONSES in row.dialects]
    assert all(400 <= row.number < 600 and row.source for row in mine)
