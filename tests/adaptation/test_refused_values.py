"""A value that is refused is the client's own: in nobody's words does it take the member away."""

import json
from typing import Any

import pytest
from tables import each_row

from llm_gateway.adaptation.vocabulary import NO_QUIRKS
from llm_gateway.adaptation.wordings import learn
from llm_gateway.dialects.provider_errors import read_error
from llm_gateway.domain import Dialect

TOOL = {"type": "function", "function": {"name": "f", "parameters": {}}}
IMAGE = {"type": "image_url", "image_url": {"url": "data:image/heic;base64,AAAA"}}
SCHEMA = {"name": "a b", "schema": {"type": "frob"}}
JSON_SCHEMA = {"type": "json_schema", "json_schema": SCHEMA}
WRONG: dict[str, object] = {
    "temperature": 1.5,
    "top_k": 500,
    "top_logprobs": 20,
    "seed": 2**40,
    "frequency_penalty": 1.9,
    "reasoning_effort": "xhigh",
    "stop": 7,
    "response_format": {"type": "grammar"},
    "logit_bias": {"x": 1},
    "logprobs": 77,
    "tool_choice": {"type": "function", "function": {"name": "nope"}},
    "max_tokens": 10**7,
    "stream_options": {"include_usage": "x"},
    "n": 200,
}
OF_VALUES = [
    "Invalid parameter: {}",
    "Invalid parameter '{}': value out of range",
    "Invalid argument: {} is not valid: out of range",
    "Invalid value for '{}'.",
    "Invalid {0} value, the valid range of {0} is [0, 1]",
    "The value of '{}' is not supported: 9.",
    "Parameter {} is invalid",
    "Parameter '{}' is not supported with this value",
    "'{}' is not supported when set to this",
    "'{}' is not allowed to be greater than 1",
    "Unsupported parameter value: '{}'",
    "Unsupported value: '{}' does not support 'loud' with this model.",
    "{} must be in [0, 1], got 9.",
    "invalid request: {} must be between 0 and 1 inclusive.",
]
OF_MEMBERS = [
    "Unknown parameter: '{}'.",
    "Unsupported parameter: '{}' is not supported with this model.",
    "unknown field `{}`, expected one of `model`, `messages`",
    "Unrecognized request argument supplied: {}",
    "{}: Extra inputs are not permitted",
    "Extra inputs are not permitted, field: '{}', value: 9",
    "property '{}' is unsupported",
    "invalid request: unknown field '{}'",
]


def lesson(
    text: str, more: dict[str, Any], dialect: str = "chat", raw: bool = False
) -> list[str]:
    error: dict[str, Any] = {"message": text, "type": "invalid_request_error"}
    if raw:  # as an aggregator passes it on
        inner = json.dumps({"error": error})
        error = {"message": "Provider returned error", "metadata": {"raw": inner}}
    body = {"model": "m", "messages": [{"role": "user", "content": "a"}], "input": "a"}
    found = learn(
        Dialect(dialect),
        400,
        read_error(json.dumps({"error": error}).encode()),
        {**body, "tools": [TOOL], **more},
        NO_QUIRKS,
    )
    return [str(quirk) for quirk in found.quirks] if found else []


@each_row("raw", [False, True])
@each_row("said", OF_VALUES)
def test_a_refused_value_takes_no_member_away(said: str, raw: bool) -> None:
    for name, value in WRONG.items():
        for dialect in ("chat", "responses", "messages"):
            found = lesson(said.format(name), {name: value}, dialect, raw)
            assert found == [], (name, dialect)


@pytest.mark.parametrize("said", OF_MEMBERS)
def test_a_refused_member_is_left_out_whatever_its_value(said: str) -> None:
    for name in ("seed", "logit_bias", "stop", "stream_options"):
        found = lesson(said.format(name), {name: WRONG[name]})
        assert found == [f"member:{name}"]


@pytest.mark.parametrize(
    ("said", "more", "dialect"),
    [
        ("Invalid schema for response_format 'x': schema type 'frob' is not supported.", {"response_format": JSON_SCHEMA}, "chat"),
        ("response_format json_schema name 'a b' not supported", {"response_format": JSON_SCHEMA}, "chat"),
        ("Invalid parameter: response_format.json_schema.name", {"response_format": JSON_SCHEMA}, "chat"),
        ("Invalid parameter: tools[0].function.strict", {"tools": [{**TOOL, "function": {"name": "f", "strict": 7}}]}, "chat"),
        ("This model does not support image input of type heic", {"messages": [{"role": "user", "content": [IMAGE]}]}, "chat"),
        ("Invalid value: 'loud'. Supported values are: 'low', 'medium', and 'high'.\ntext.verbosity", {"text": {"verbosity": "loud"}}, "responses"),
        ("Invalid schema for function 'f': In context=(), 'additionalProperties' is required to be supplied and to be false.", {"tools": [{"type": "function", "name": "f", "strict": True, "parameters": {}}]}, "responses"),
    ],
)  # fmt: skip
def test_a_mistake_inside_a_member_is_told(
    said: str, more: dict[str, Any], dialect: str
) -> None:
    assert lesson(said, more, dialect) == []


@pytest.mark.parametrize(
    ("said", "more", "taught"),
    [
        ("This response_format type is unavailable now", {"response_format": JSON_SCHEMA}, "format:json_schema=json_object"),
        ("response_format 'json_schema' is not supported", {"response_format": JSON_SCHEMA}, "format:json_schema=json_object"),
        ("This model does not support image input", {"messages": [{"role": "user", "content": [IMAGE]}]}, "content:images"),
        ("'temperature' does not support 0.2 with this model. Only the default (1) value is supported.", {"temperature": 0.2}, "sampling:temperature=1"),
    ],
)  # fmt: skip
def test_what_a_model_takes_is_still_learned(
    said: str, more: dict[str, Any], taught: str
) -> None:
    assert lesson(said, more) == [taught]
