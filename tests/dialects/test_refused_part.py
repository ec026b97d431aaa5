"""Is it the turns that are refused, or a parameter of the client's own?"""

import pytest

from llm_gateway.dialects.provider_errors import ProviderError
from llm_gateway.dialects.refused_part import (
    has_history,
    is_quoted,
    names_own_parameter,
    parameters_of,
)

ASKED = ("model", "messages", "temperature", "tools", "max_tokens", "stop", "user")


@pytest.mark.parametrize(
    ("message", "param", "own"),
    [
        ("Invalid type for 'temperature'", "temperature", True),
        ("temperature must be at most 2", "", True),
        ("Invalid value at 'generation_config.temperature' (TYPE_FLOAT)", "", True),
        ("maxTokens must be positive", "", True),
        ("body.max_tokens: Input should be greater than 0", "", True),
        ("Invalid schema for function 'add'", "tools[0].function.parameters", True),
        ("tools.0.function: field required", "", True),
        ("'stop' is too long", "", True),
        ("no such model", "model", True),
        ("{'loc': ('body', 'temperature'), 'msg': 'too hot', 'input': 9}", "", True),
        ('{"error": {"message": "temperature must be at most 2"}}', "", True),
        # about the turns
        ("no", "messages[1]", False),
        ("no", "messages.1.content", False),
        (
            "{'loc': ('body', 'messages', 2), 'msg': 'no', 'input': 'temperature'}",
            "",
            False,
        ),
        ("temperature in messages[3] is unknown", "", False),
        ("body.messages.2.tool_calls: Extra inputs are not permitted", "", False),
        # words of plain sentences
        ("Please stop: the user and the tools disagree", "", False),
        ("Conversation state 0x1F7 cannot be resumed", "", False),
        # not asked with it
        ("top_p must be at most 1", "top_p", False),
    ],
)
def test_whose_mistake(message: str, param: str, own: bool) -> None:
    error = ProviderError(message=message, param=param, text=message.lower())
    assert names_own_parameter(error, ASKED) is own


@pytest.mark.parametrize(
    ("message", "own"),
    [
        ("invalid value at 'generation_config.temperature' (type_float)", True),
        ("it has a temperature value of 9 but the supported range is", True),
        ("it has a maxoutputtokens value of 0", True),
        ("response_mime_type: allowed mimetypes are text/plain", True),
        ("invalid value at 'contents[1].parts[0]'", False),
        ("top_p is out of range", False),
    ],
)
@pytest.mark.parametrize("outer", ["generationConfig", "generation_config"])
def test_members_of_googles_configuration_are_the_clients_own(
    outer: str, message: str, own: bool
) -> None:
    config = {"temperature": 9, "maxOutputTokens": 0, "response_mime_type": "x"}
    asked = parameters_of({"contents": [], outer: config})
    error = ProviderError(message=message, text=message)
    assert names_own_parameter(error, asked) is own


REFUSAL = 'Invalid value for "user": got "Budget 0 is invalid". Use another.'


@pytest.mark.parametrize(
    ("values", "words", "quoted"),
    [
        ({"user": "Budget 0 is invalid"}, "budget 0 is invalid", True),
        ({"a": [{"b": ["budget 0 is invalid"]}]}, "budget 0 is invalid", True),
        ({"user": " Budget 0 is invalid\n"}, "budget 0", True),
        # the words stand in a text that the refusal does not quote
        ({"user": "He said: budget 0 is invalid"}, "budget 0 is invalid", False),
        ({"messages": [{"content": "What is a budget 0?"}]}, "budget 0", False),
        # a text that is quoted, and the words are the provider's
        ({"user": "user"}, "budget 0 is invalid", False),
        ({"user": ""}, "budget 0 is invalid", False),
        ({"model": "Budget 0 is invalid"}, "budget 0 is invalid", False),
        ({"n": 0, "x": None, "y": True}, "budget 0 is invalid", False),
    ],
)
def test_short_words_are_the_clients_where_its_text_is_quoted(
    values: dict[str, object], words: str, quoted: bool
) -> None:
    error = ProviderError(message=REFUSAL, text=REFUSAL.lower())
    assert is_quoted(values, words, error) is quoted


@pytest.mark.parametrize(
    ("values", "history"),
    [
        ({"messages": [{"role": "user"}]}, False),
        ({"messages": [{"role": "system"}, {"role": "user"}]}, False),
        ({"messages": [{"role": "user"}, {"role": "assistant"}]}, True),
        ({"messages": [{"role": "tool"}]}, True),
        ({"messages": "x"}, False),
        ({"messages": [None, 3, {"role": None}]}, False),
        ({"input": "hello"}, False),
        ({"input": [{"type": "message", "role": "user"}]}, False),
        ({"input": [{"type": "function_call_output"}]}, True),
        ({"input": [{"type": "web_search_call"}]}, True),
        ({"input": "go on", "previous_response_id": "r"}, True),
        ({"contents": [{"role": "model"}]}, True),
        ({}, False),
    ],
)
def test_history(values: dict[str, object], history: bool) -> None:
    assert has_history(values) is history
