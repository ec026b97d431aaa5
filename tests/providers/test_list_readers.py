"""Lists of models as providers spell them, and what is no list."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tables import each_row

from llm_gateway.domain import Price
from llm_gateway.providers.list_readers import SHAPES, NotAList, read_list
from llm_gateway.providers.listed_models import ListedModel, as_json, from_json
from llm_gateway.providers.registry import TYPES

ZERO = Price(source="list")


def read(shape: str, value: Any) -> list[ListedModel]:
    return list(read_list(shape, json.dumps(value).encode()))


def price(input: int, output: int, **more: int) -> Price:
    return Price(input=input, output=output, source="list", **more)


def test_every_row_names_a_shape_that_is_known() -> None:
    assert {row.models_shape for row in TYPES.values()} <= SHAPES


ROWS = {
    "openai": (
        "openai",
        {"object": "list", "data": [{"id": "gpt-4o", "object": "model", "created": 1}]},
        ListedModel("gpt-4o"),
    ),
    "a bare list of names": ("openai", ["m"], ListedModel("m")),
    "gemini's in OpenAI's form": (
        "openai",
        {"data": [{"id": "models/gemini-3.5-flash"}]},
        ListedModel("gemini-3.5-flash"),
    ),
    "an embedding model by its name": (
        "openai",
        {"data": [{"id": "text-embedding-3-small"}]},
        ListedModel("text-embedding-3-small", converses=False),
    ),
    "anthropic": (
        "openai",
        {
            "data": [
                {
                    "type": "model",
                    "id": "claude-x",
                    "max_input_tokens": 200_000,
                    "max_tokens": 64_000,
                    "capabilities": {"thinking": {"supported": True}},
                }
            ],
            "has_more": False,
        },
        ListedModel("claude-x", None, 200_000, 64_000),
    ),
    "groq": (
        "openai",
        {
            "data": [
                {
                    "id": "openai/gpt-oss-20b",
                    "active": True,
                    "context_window": 131_072,
                    "max_completion_tokens": 65_536,
                }
            ]
        },
        ListedModel("openai/gpt-oss-20b", None, 131_072, 65_536),
    ),
    "mistral": (
        "openai",
        {
            "data": [
                {
                    "id": "mistral-embed-chatty",
                    "type": "base",
                    "max_context_length": 32_768,
                    "capabilities": {"completion_chat": True, "vision": False},
                }
            ]
        },
        ListedModel("mistral-embed-chatty", None, 32_768),
    ),
    "mistral, no chat": (
        "openai",
        {"data": [{"id": "m", "capabilities": {"completion_chat": False}}]},
        ListedModel("m", converses=False),
    ),
    "together": (
        "openai",
        [
            {
                "id": "a/b",
                "type": "chat",
                "context_length": 8_192,
                "pricing": {"input": 0.2, "output": 0.6, "hourly": 0},
            }
        ],
        ListedModel("a/b", price(200_000_000, 600_000_000), 8_192),
    ),
    "together, by the hour": (
        "openai",
        [{"id": "a/b", "type": "image", "pricing": {"input": 0, "output": 0}}],
        ListedModel("a/b", converses=False),
    ),
    "vllm": (
        "openai",
        {"data": [{"id": "m", "max_model_len": 4_096}]},
        ListedModel("m", None, 4_096),
    ),
    "openrouter, free": (
        "openrouter",
        {
            "data": [
                {
                    "id": "a/b:free",
                    "context_length": 262_144,
                    "architecture": {"output_modalities": ["text"]},
                    "top_provider": {
                        "context_length": 131_072,
                        "max_completion_tokens": 16_384,
                    },
                    "pricing": {"prompt": "0", "completion": "0", "image": "0"},
                }
            ]
        },
        ListedModel("a/b:free", ZERO, 131_072, 16_384),
    ),
    "openrouter, paid": (
        "openrouter",
        {
            "data": [
                {
                    "id": "a/b",
                    "pricing": {
                        "prompt": "0.0000025",
                        "completion": "0.00001",
                        "input_cache_read": "0.00000025",
                        "request": "0.005",
                    },
                }
            ]
        },
        ListedModel(
            "a/b",
            price(
                2_500_000_000,
                10_000_000_000,
                cached_input=250_000_000,
                request=5_000_000,
            ),
        ),
    ),
    "openrouter, it depends": (
        "openrouter",
        {
            "data": [
                {
                    "id": "openrouter/auto",
                    "pricing": {"prompt": "-1", "completion": "-1"},
                }
            ]
        },
        ListedModel("openrouter/auto", billed=True),
    ),
    "openrouter, pictures cost": (
        "openrouter",
        {
            "data": [
                {
                    "id": "m",
                    "pricing": {"prompt": "0", "completion": "0", "image": "0.1"},
                }
            ]
        },
        ListedModel("m", billed=True),
    ),
    "google": (
        "google",
        {
            "models": [
                {
                    "name": "models/gemini-3.5-flash",
                    "inputTokenLimit": 1_048_576,
                    "outputTokenLimit": 65_536,
                    "supportedGenerationMethods": ["generateContent", "countTokens"],
                }
            ]
        },
        ListedModel("gemini-3.5-flash", None, 1_048_576, 65_536),
    ),
    "google, embeddings": (
        "google",
        {
            "models": [
                {"name": "models/e", "supportedGenerationMethods": ["embedContent"]}
            ]
        },
        ListedModel("e", converses=False),
    ),
    "copilot": (
        "copilot",
        {
            "data": [
                {
                    "id": "gpt-4o",
                    "policy": {"state": "enabled"},
                    "capabilities": {
                        "type": "chat",
                        "limits": {
                            "max_context_window_tokens": 128_000,
                            "max_output_tokens": 16_384,
                        },
                    },
                }
            ]
        },
        ListedModel("gpt-4o", None, 128_000, 16_384),
    ),
    "cohere": (
        "cohere",
        {
            "models": [
                {"name": "command-a", "endpoints": ["chat"], "context_length": 256_000}
            ]
        },
        ListedModel("command-a", None, 256_000),
    ),
    "cloudflare": (
        "cloudflare",
        {
            "result": [
                {
                    "name": "@cf/a/b",
                    "task": {"name": "Text Generation"},
                    "properties": [{"property_id": "context_window", "value": "8192"}],
                }
            ]
        },
        ListedModel("@cf/a/b", None, 8_192),
    ),
}


@each_row("row", ROWS)
def test_each_shape(row: str) -> None:
    shape, value, expected = ROWS[row]
    assert read(shape, value) == [expected]


@pytest.mark.parametrize(
    "entry",
    [
        {"id": "off", "active": False},
        {"id": 7},
        {"id": ""},
        {"id": "n" * 300},
        {"id": "two\nlines"},
        5,
        None,
    ],
)
def test_entries_that_are_left_out(entry: Any) -> None:
    assert read("openai", {"data": [entry, {"id": "kept"}]}) == [ListedModel("kept")]


@pytest.mark.parametrize(
    "number", [0, 1, -5, "many", 10**12, True, [], {}, 1e400, "9" * 99]
)
def test_a_window_that_cannot_be_one_is_not_said(number: Any) -> None:
    value = {"data": [{"id": "m", "context_window": number, "max_tokens": number}]}
    assert read("openai", value) == [ListedModel("m")]


PRICES = {
    # pricing, by the million of tokens, billed
    "by the token, as texts": (
        {"prompt": "0.0000025", "completion": "0.00001"},
        price(2_500_000_000, 10_000_000_000),
        False,
    ),
    "input and output by the token (Vercel)": (
        {"input": "0.0000025", "output": "0.00001", "input_cache_read": "0.00000025"},
        price(2_500_000_000, 10_000_000_000, cached_input=250_000_000),
        False,
    ),
    "input and output by the million (Together)": (
        {"input": 0.2, "output": 0.6, "hourly": 0},
        price(200_000_000, 600_000_000),
        False,
    ),
    "prompt and completion by the million (Chutes)": (
        {"prompt": 0.005, "completion": 0.02},
        price(5_000_000, 20_000_000),
        False,
    ),
    "one side of it costs nothing": (
        {"prompt": "0", "completion": "0.000001"},
        price(0, 1_000_000_000),
        False,
    ),
    "less than a nano-dollar is something": (
        {"prompt": "1e-20", "completion": "0"},
        price(1, 0),
        False,
    ),
    "nothing": ({"prompt": "0", "completion": 0, "request": "0"}, ZERO, False),
    "nothing, with a rebate and searches": (
        {"prompt": "0", "completion": "0", "discount": 0.5, "web_search": "0.01"},
        ZERO,
        False,
    ),
    "a fee for each request": (
        {"prompt": "0", "completion": "0", "request": "0.005"},
        price(0, 0, request=5_000_000),
        False,
    ),
    "a fee for pictures": (
        {"prompt": "0", "completion": "0", "image": "0.01"},
        None,
        True,
    ),
    "a fee for sound": ({"prompt": "0", "completion": "0", "audio": 0.01}, None, True),
    "a fee of a name that nobody knows": (
        {"prompt": "0", "completion": "0", "video_output": "0.2"},
        None,
        True,
    ),
    "by who answers": ({"prompt": "-1", "completion": "-1"}, None, True),
    "no word of the answer's side": ({"prompt": "0", "completion": None}, None, False),
    "no word of the prompt's side": ({"prompt": None, "completion": "0"}, None, False),
    "one side alone": ({"prompt": "0"}, None, False),
    "one side alone, and it costs": (
        {"prompt": "0.1", "completion": None},
        None,
        True,
    ),
    "dedicated machines": ({"input": 0, "output": 0}, None, False),
    "dearer than anything": ({"prompt": 1e9, "completion": 1}, None, True),
    "a cached price that is none": (
        {"prompt": "0", "completion": "0", "input_cache_read": "x"},
        None,
        False,
    ),
    "no object": ([0, 0], None, False),
}


@pytest.mark.parametrize("row", PRICES)
def test_what_a_list_says_of_prices(row: str) -> None:
    """In whatever unit; what is not wholly said, or costs anything at all, is not free."""
    pricing, expected, billed = PRICES[row]
    [found] = read("openai", [{"id": "m", "pricing": pricing}])
    assert (found.price, found.billed) == (expected, billed)


def test_openrouters_unit_is_the_token_whatever_the_number() -> None:
    pricing = {"prompt": "0.002", "completion": "0.004"}
    [found] = read("openrouter", [{"id": "m", "pricing": pricing}])
    assert found.price == price(2_000 * 10**9, 4_000 * 10**9)


ODD = [
    *("NaN", "sNaN", "Infinity", "-Infinity", "", "free", "0x10", "1_000", "٣"),
    *("1e999999", "9e9999999", "-9e9999999", "1e-9999999", "9" * 99),
    *(None, [], {}, True, False),
]


@pytest.mark.parametrize(
    "part", ["prompt", "completion", "input_cache_read", "request"]
)
@pytest.mark.parametrize("number", ODD)
def test_a_number_that_cannot_be_one_is_that_models_alone(
    number: Any, part: str
) -> None:
    """And it never makes a model free."""
    if part == "input_cache_read" and number is None:
        return
    pricing = {"prompt": "0", "completion": "0", part: number}
    found = read("openrouter", [{"id": "m", "pricing": pricing}, {"id": "n"}])
    assert [(model.name, model.price) for model in found] == [("m", None), ("n", None)]


@pytest.mark.parametrize("digits", ["1e999999", "-9e9999999", "1" * 5_000, "NaN"])
def test_numbers_of_json_that_no_reckoning_could_hold(digits: str) -> None:
    text = '[{"id": "m", "pricing": {"prompt": 0, "completion": %s}}, {"id": "n"}]'
    try:
        found = read_list("openai", (text % digits).encode())
    except NotAList:
        return  # Python reads no number of so many digits
    assert [(model.name, model.price) for model in found] == [("m", None), ("n", None)]


@each_row(
    "body",
    [
        *(b"", b"<html>", b"[]", b"{}", b'{"data": []}', b'{"data": {}}', b'"x"'),
        *(b"null", b'{"error": {"message": "no"}}', b"[" * 100_000, b"\xff\xfe"),
    ],
)
@each_row("shape", sorted(SHAPES))
def test_what_is_no_list(shape: str, body: bytes) -> None:
    with pytest.raises(NotAList):
        read_list(shape, body)


def test_twice_the_same_is_one() -> None:
    assert len(read("openai", {"data": [{"id": "m"}, {"id": "m"}]})) == 1


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                [
                    *("data", "models", "result", "id", "name", "pricing", "prompt"),
                    *("completion", "capabilities", "limits", "policy", "properties"),
                    *("context_length", "top_provider", "architecture", "task"),
                ]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=20,
)


@given(st.sampled_from(sorted(SHAPES)), values)
def test_nothing_else_than_a_list_or_no_list_comes_of_it(
    shape: str, value: Any
) -> None:
    try:
        models = read_list(shape, json.dumps(value).encode())
    except NotAList:
        return
    assert from_json(json.loads(json.dumps(as_json(models)))) == models
