"""Who answers which API format, in words that a person can use."""

import pytest

from llm_gateway.dialects import SPECS
from llm_gateway.domain import Dialect, Offer
from llm_gateway.providers.dialect_support import (
    by_dialect,
    example_types,
    nobody_takes,
    summary,
)

CHAT, EMBEDDINGS, RESPONSES, MESSAGES = map(
    Dialect, ("chat", "embeddings", "responses", "messages")
)


def offer(provider: str, *dialects: Dialect, enabled: bool = True) -> Offer:
    return Offer(
        provider, "", "m", "x", "m", dialects=frozenset(dialects), enabled=enabled
    )


GEMINI, MISTRAL = offer("gemini", CHAT, EMBEDDINGS), offer("mistral", CHAT)
ROUTER = offer("router", CHAT, MESSAGES)


def test_by_dialect() -> None:
    found = by_dialect([MISTRAL, GEMINI, GEMINI, offer("off", MESSAGES, enabled=False)])
    assert found[CHAT] == ("mistral", "gemini")
    assert found[EMBEDDINGS] == ("gemini",)
    assert found[MESSAGES] == found[RESPONSES] == ()
    assert found.keys() == set(SPECS)


def test_summary_names_the_apps_that_are_left_out() -> None:
    lines = dict((line, answered) for answered, line in summary([GEMINI, MISTRAL]))
    assert lines == {
        "chat: gemini, mistral": True,
        "embeddings: gemini": True,
        "responses: nobody, so no Codex, AI SDK, Agents SDK, n8n": False,
        "messages: nobody, so no Claude Code": False,
    }
    lines = dict((line, answered) for answered, line in summary([ROUTER]))
    assert lines["messages: router"] is True


def test_summary_counts_those_who_are_asked_by_translation() -> None:
    found = list(summary([GEMINI, ROUTER, MISTRAL], translate=True))
    assert (True, "messages: router; translated: gemini, mistral") in found
    assert (True, "chat: gemini, router, mistral") in found
    assert (True, "messages: translated: mistral") in list(
        summary([MISTRAL], translate=True)
    )
    lines = [
        line for _, line in summary([offer("vectors", EMBEDDINGS)], translate=True)
    ]
    assert "messages: nobody, so no Claude Code" in lines


def test_the_sentence_where_translation_is_not_allowed() -> None:
    said = nobody_takes(MESSAGES, "x", [MISTRAL], [MISTRAL], translate=False)
    assert said.startswith("No provider here takes Anthropic's /v1/messages for 'x'")
    assert "routing.translate" in said
    said = nobody_takes(MESSAGES, "x", [offer("v", EMBEDDINGS)], [], translate=False)
    assert "routing.translate" not in said


@pytest.mark.parametrize(
    ("dialect", "having", "others", "said"),
    [
        (
            MESSAGES,
            [GEMINI, MISTRAL],
            [],
            "No provider here takes Anthropic's /v1/messages for 'x' (gemini has it for /v1/chat/completions and"
            " /v1/embeddings only; mistral has it for /v1/chat/completions only). Add a provider that does, e.g."
            " zai or openrouter, or set the app to an OpenAI-compatible provider (chat completions).",
        ),
        (
            RESPONSES,
            [MISTRAL, offer("other", CHAT)],
            [],
            "No provider here takes OpenAI's /v1/responses for 'x' (mistral, other have it for /v1/chat/completions"
            " only). Add a provider that does, e.g.",
        ),
        # somebody here could, if the model were there
        (
            MESSAGES,
            [MISTRAL],
            [ROUTER],
            "only). Give router this model, or an alias for it, or set the app to an OpenAI-compatible provider",
        ),
        # an app for conversations is no help with embeddings
        (
            EMBEDDINGS,
            [MISTRAL],
            [],
            "No provider here takes OpenAI's /v1/embeddings for 'x' (mistral has it for /v1/chat/completions only)."
            " Add a provider that does, e.g.",
        ),
        (
            CHAT,
            [offer("vectors", EMBEDDINGS)],
            [],
            "No provider here takes OpenAI's /v1/chat/completions for 'x' (vectors has it for /v1/embeddings only).",
        ),
        # it said that it does, and turned out not to
        (
            RESPONSES,
            [offer("local", RESPONSES)],
            [],
            "No provider here takes OpenAI's /v1/responses for 'x'. Add a provider that does",
        ),
    ],
)  # fmt: skip
def test_the_sentence(
    dialect: Dialect, having: list[Offer], others: list[Offer], said: str
) -> None:
    text = nobody_takes(dialect, "x", having, [*having, *others])
    assert said in text
    assert text.endswith(".")
    assert ("OpenAI-compatible" in text) is (
        dialect in (RESPONSES, MESSAGES) and CHAT in having[0].dialects
    )


@pytest.mark.parametrize("dialect", list(SPECS))
def test_examples_are_types_that_can_be_written_down(dialect: Dialect) -> None:
    found = example_types(dialect)
    assert 1 <= len(found) <= 2
    assert "simulator" not in found
