"""Which request lines are ours to route."""

import pytest
from tables import each_row

from llm_gateway.dialects import (
    CHAT,
    COMPLETIONS,
    EMBEDDINGS,
    MESSAGES,
    RESPONSES,
    is_request_path,
    match,
    match_stored,
    plain_path,
)
from llm_gateway.dialects.paths import deployment_in


@each_row(
    ("path", "dialect"),
    [
        # base URL
        ("/v1/chat/completions", CHAT),
        ("/v1/completions", COMPLETIONS),
        ("/v1/embeddings", EMBEDDINGS),
        ("/v1/responses", RESPONSES),
        ("/v1/messages", MESSAGES),
        # any prefix
        ("/chat/completions", CHAT),
        ("/openai/v1/chat/completions", CHAT),
        ("/openai/deployments/my-gpt/chat/completions?api-version=2024-10-21", CHAT),
        ("/v1beta/openai/chat/completions", CHAT),
        ("/v1/projects/p/locations/l/endpoints/openapi/chat/completions", CHAT),
        ("/api/paas/v4/chat/completions", CHAT),
        ("/anthropic/v1/messages?beta=true", MESSAGES),
        ("//v1/chat/completions/", CHAT),
        ("http://127.0.0.1:8080/v1/embeddings", EMBEDDINGS),
        # slashes: doubled, trailing, none before
        ("/v1//messages", MESSAGES),
        ("/v1//messages?beta=true", MESSAGES),
        ("/v1///responses//", RESPONSES),
        ("//v1//embeddings/", EMBEDDINGS),
        ("/v1/completions/?x=1", COMPLETIONS),
        ("v1/chat/completions", CHAT),
        # Anthropic's SDKs put `/messages` behind whatever base URL they got
        ("/messages", MESSAGES),
        ("/anthropic/messages", MESSAGES),
        ("/v1/v1/messages", MESSAGES),
        # another thing with the same end
        ("/v1/threads//thread_1/messages/", None),
        ("/openai/threads/thread_1/messages", None),
        ("/v1/agents/completions", None),
        ("/v1/threads/thread_1/messages", None),
        ("/v1/fim/completions", None),
        # below or beside
        ("/v1/responses/resp_1/cancel", None),
        ("/v1/messages/count_tokens", None),
        ("/v1/messages//count_tokens", None),
        ("/v1/messages/batches", None),
        ("/v1/chat/completions/chatcmpl-1", None),
        ("/v1/models", None),
        ("/v1/models?x=/chat/completions", None),
        ("/V1/Chat/Completions", None),
        ("/", None),
        ("", None),
    ],
)
def test_match(path, dialect):
    assert match("POST", path) is dialect
    assert match("GET", path) is None


@pytest.mark.parametrize(
    ("path", "model"),
    [
        ("/openai/deployments/my-gpt/chat/completions?api-version=1", "my-gpt"),
        ("/openai/deployments/my%20gpt/embeddings", "my gpt"),
        ("//openai//deployments/my-gpt//chat/completions/", "my-gpt"),
        ("/v1/chat/completions?x=/openai/deployments/no/", None),
        ("/openai/v1/chat/completions", None),
    ],
)
def test_model_in_path(path, model):
    assert deployment_in(path).model == model


@pytest.mark.parametrize(
    ("path", "plain"),
    [
        ("/health", "/health"),
        ("/health/", "/health"),
        ("//health", "/health"),
        ("/usage//current//?x=//", "/usage/current"),
        ("/", "/"),
        ("//", "/"),
        ("", "/"),
        ("/v1/models/a%2F%2Fb", "/v1/models/a%2F%2Fb"),
    ],
)
def test_plain_path(path, plain):
    assert plain_path(path) == plain


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("GET /v1/responses/resp_1", ("resp_1", "")),
        ("GET /v1/responses/resp_1?stream=true", ("resp_1", "")),
        ("GET //v1//responses/resp_1/", ("resp_1", "")),
        ("GET /responses/resp_1", ("resp_1", "")),
        ("DELETE /openai/v1/responses/resp_1", ("resp_1", "")),
        ("POST /v1/responses/resp_1/cancel", ("resp_1", "/cancel")),
        ("GET /v1/responses/resp_1/input_items?limit=9", ("resp_1", "/input_items")),
        ("GET /v1/responses/a%20b%2Fc", ("a b/c", "")),
        # another method, another place, or no id
        ("POST /v1/responses/resp_1", None),
        ("POST /v1/responses/compact", None),
        ("DELETE /v1/responses/resp_1/cancel", None),
        ("GET /v1/responses/resp_1/cancel", None),
        ("GET /v1/responses/resp_1/input_items/item_1", None),
        ("GET /v1/responses", None),
        ("GET /v1/responses/", None),
        ("POST /v1/responses//cancel", None),
        ("GET /v1/responses//input_items", ("input_items", "")),
        ("GET /v1/chat/completions/chatcmpl-1", None),
        ("GET /v1/conversations/conv_1", None),
    ],
)
def test_lines_about_stored_answers(line: str, found: tuple[str, str] | None) -> None:
    method, _, path = line.partition(" ")
    stored = match_stored(method, path)
    assert (stored and (stored.id, stored.below)) == found
    assert stored is None or stored.dialect is RESPONSES
    if found is not None:
        assert is_request_path(plain_path(path))
