"""How long an answer may be, at most: learned from the sentences that refuse more."""

import pytest

from llm_gateway.adaptation.vocabulary import NO_QUIRKS, Quirks
from llm_gateway.adaptation.wordings import learn
from llm_gateway.dialects import CHAT, ProviderError
from llm_gateway.domain import Offer, RequestInfo
from llm_gateway.providers.catalog import _max_output
from llm_gateway.providers.registry import TYPES
from llm_gateway.routing.state import largest_output
from llm_gateway.routing.worst_case import most_output

SENTENCES = [
    ("max_tokens is too large: 100000. This model supports at most 16384 completion tokens, whereas you provided 100000.", 16_384),
    ("max_tokens: 100000 > 64000, which is the maximum allowed number of output tokens for claude-x", 64_000),
    ("`max_tokens` must be less than or equal to `32768`, the maximum value for this model", 32_768),
    ("Invalid max_tokens value, the valid range of max_tokens is [1, 8192]", 8192),
    ("Range of max_tokens should be [1, 8192]", 8192),
    ("max_completion_tokens must be at most 4096", 4096),
    ("Unable to submit request because it has a maxOutputTokens value of 100000 but the supported range is from 1 (inclusive) to 65537 (exclusive).", 65_536),
    # nothing that is learned
    ("max_tokens must be at least 1", None),
    ("This model's maximum context length is 8192 tokens.", None),
    ("max_tokens must be less than or equal to 200000", None),
    ("tool_choice is not one of [1, 8192]", None),
]  # fmt: skip


@pytest.mark.parametrize(("sentence", "most"), SENTENCES)
def test_learned_from_a_refusal(sentence: str, most: int | None) -> None:
    error = ProviderError(message=sentence, type="invalid_request_error")
    sent = {"model": "m", "messages": [], "max_tokens": 100_000}
    found = learn(CHAT.name, 400, error, sent, NO_QUIRKS)
    known = Quirks(found.quirks if found else ())
    assert largest_output(known, CHAT.name) == most


def test_the_newer_word_wins() -> None:
    both = Quirks.parse("limit:max_tokens<=9000") | Quirks.parse(
        "limit:max_tokens<=8000"
    )
    assert largest_output(both, CHAT.name) == 8000
    assert largest_output(NO_QUIRKS, CHAT.name) is None


@pytest.mark.parametrize(
    ("asked", "known", "thinking", "sent"),
    [
        (None, 10, 0, None),
        (10, None, 0, None),
        (10, 10, 0, None),
        (11, 10, 0, 10),
        (11, 10, 9, 10),
        (11, 10, 10, None),  # all of it would be for thinking
    ],
)
def test_lowered_to_what_a_model_takes(
    asked: int | None, known: int | None, thinking: int, sent: int | None
) -> None:
    ask = RequestInfo(CHAT.name, "m", max_tokens=asked, thinking_budget=thinking)
    assert most_output(ask, known) == sent


@pytest.mark.parametrize(
    ("type_", "model", "most"),
    [
        ("openai", "gpt-4o-mini-2024-07-18", 16_384),
        ("openai", "openai/gpt-4.1", 32_768),
        ("anthropic", "claude-sonnet-4-5", 64_000),
        ("anthropic", "claude-sonnet-4-6", 128_000),
        ("anthropic", "claude-opus-4-20250514", 32_000),
        ("groq", "anything", None),
    ],
)
def test_known_by_the_row(type_: str, model: str, most: int | None) -> None:
    assert _max_output(TYPES[type_], model) == most
    assert Offer("p", "", model, type_, model).max_output is None
