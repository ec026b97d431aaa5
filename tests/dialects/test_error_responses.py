"""Our errors, as the real SDKs understand them."""

import json
from types import ModuleType

import pytest
from sdks import Library, anthropic, openai

from llm_gateway.dialects import (
    CHAT,
    COMPLETIONS,
    EMBEDDINGS,
    MESSAGES,
    RESPONSES,
    DialectSpec,
)

OPENAI = [CHAT, COMPLETIONS, EMBEDDINGS, RESPONSES]


def transport(library: Library) -> ModuleType:
    """httpx, or the fork of it that this SDK was built on."""
    return __import__(library.DefaultHttpxClient.__mro__[1].__module__.split(".")[0])


def client(library: Library, status: int, body: bytes, content_type: str):
    """An SDK client that always gets this answer."""
    http = transport(library)

    def answer(request):
        return http.Response(
            status, content=body, headers={"content-type": content_type}
        )

    sdk = library.OpenAI if library is openai else library.Anthropic
    return sdk(
        api_key="k",
        base_url="http://gateway.test/v1",
        max_retries=0,
        http_client=http.Client(transport=http.MockTransport(answer)),
    )


def ask(sdk, dialect: DialectSpec, stream: bool):
    messages = [{"role": "user", "content": "Hi"}]
    match dialect.name:
        case "chat":
            return sdk.chat.completions.create(
                model="m", messages=messages, stream=stream
            )
        case "completions":
            return sdk.completions.create(model="m", prompt="Hi", stream=stream)
        case "embeddings":
            return sdk.embeddings.create(model="m", input="Hi")
        case "responses":
            return sdk.responses.create(model="m", input="Hi", stream=stream)
        case "messages":
            return sdk.messages.create(
                model="m", max_tokens=9, messages=messages, stream=stream
            )


# status, code, type, exception
FOR_OPENAI = [
    (400, "invalid_request", "invalid_request_error", "BadRequestError"),
    (401, "invalid_api_key", "authentication_error", "AuthenticationError"),
    (403, "forbidden", "permission_error", "PermissionDeniedError"),
    (404, "model_not_found", "invalid_request_error", "NotFoundError"),
    (413, "request_too_large", "invalid_request_error", "APIStatusError"),
    (422, "invalid_config", "invalid_request_error", "UnprocessableEntityError"),
    (429, "rate_limit_exceeded", "rate_limit_error", "RateLimitError"),
    (500, "internal_error", "server_error", "InternalServerError"),
    (502, "upstream_unreachable", "server_error", "InternalServerError"),
    (503, "draining", "server_error", "InternalServerError"),
    (504, "upstream_timeout", "server_error", "InternalServerError"),
]


@pytest.mark.parametrize(
    ("dialect", "status", "code", "kind", "exception"),
    [(CHAT, *row) for row in FOR_OPENAI]
    # and one for each of the others
    + [(dialect, *FOR_OPENAI[3]) for dialect in OPENAI[1:]],
)
def test_openai(dialect, status, code, kind, exception):
    body = dialect.error_body(status, code, "Why “so”?", param="model")
    with pytest.raises(getattr(openai, exception)) as caught:
        ask(client(openai, status, body, "application/json"), dialect, False)
    assert caught.value.status_code == status
    assert caught.value.body == {
        "message": "Why “so”?",
        "type": kind,
        "param": "model",
        "code": code,
    }
    assert (caught.value.code, caught.value.param) == (code, "model")


# status, type, exception
FOR_ANTHROPIC = [
    (400, "invalid_request_error", "BadRequestError"),
    (401, "authentication_error", "AuthenticationError"),
    (402, "billing_error", "APIStatusError"),
    (403, "permission_error", "PermissionDeniedError"),
    (404, "not_found_error", "NotFoundError"),
    (409, "conflict_error", "ConflictError"),
    (413, "request_too_large", "APIStatusError"),
    (422, "invalid_request_error", "UnprocessableEntityError"),
    (429, "rate_limit_error", "RateLimitError"),
    (500, "api_error", "InternalServerError"),
    (502, "api_error", "InternalServerError"),
    (503, "overloaded_error", "InternalServerError"),
    (504, "timeout_error", "InternalServerError"),
    # a class of its own, in some versions below the one for server errors
    (529, "overloaded_error", "APIStatusError"),
]


@pytest.mark.parametrize(("status", "kind", "exception"), FOR_ANTHROPIC)
def test_anthropic(status, kind, exception):
    body = MESSAGES.error_body(status, "any", "Why “so”?")
    with pytest.raises(anthropic.APIStatusError) as caught:
        ask(client(anthropic, status, body, "application/json"), MESSAGES, False)
    assert isinstance(caught.value, getattr(anthropic, exception))
    assert caught.value.status_code == status
    assert caught.value.body == {
        "type": "error",
        "error": {"type": kind, "message": "Why “so”?"},
    }


# --- in streams

BEGUN = {
    CHAT: b'data: {"id":"1","object":"chat.completion.chunk","created":1,'
    b'"model":"m","choices":[{"index":0,"delta":{"content":"Hi"}}]}\n\n',
    COMPLETIONS: b'data: {"id":"1","object":"text_completion","created":1,'
    b'"model":"m","choices":[{"index":0,"text":"Hi"}]}\n\n',
    RESPONSES: b"event: response.output_text.delta\n"
    b'data: {"type":"response.output_text.delta","sequence_number":1,"delta":"Hi"}\n\n',
    MESSAGES: b"event: content_block_delta\n"
    b'data: {"type":"content_block_delta","index":0,'
    b'"delta":{"type":"text_delta","text":"Hi"}}\n\n',
}


@pytest.mark.parametrize("dialect", list(BEGUN))
def test_an_sdk_raises_in_the_middle_of_a_stream(dialect):
    library = anthropic if dialect is MESSAGES else openai
    stream = BEGUN[dialect] + dialect.stream_error("upstream_cut", "It broke off.")
    events = iter(ask(client(library, 200, stream, "text/event-stream"), dialect, True))
    next(events)
    with pytest.raises(library.APIError) as caught:
        next(events)
    assert "It broke off." in str(caught.value)
    if library is openai:
        assert caught.value.code == "upstream_cut"


@pytest.mark.parametrize(
    ("dialect", "event", "data"),
    [
        (
            CHAT,
            "",
            {
                "error": {
                    "message": "m",
                    "type": "server_error",
                    "param": None,
                    "code": "c",
                }
            },
        ),
        (
            RESPONSES,
            "event: error\n",
            {
                "type": "error",
                "code": "c",
                "message": "m",
                "param": None,
                "error": {
                    "message": "m",
                    "type": "server_error",
                    "param": None,
                    "code": "c",
                },
            },
        ),
        (
            MESSAGES,
            "event: error\n",
            {"type": "error", "error": {"type": "api_error", "message": "m"}},
        ),
    ],
)
def test_stream_errors(dialect, event, data):
    head, _, body = dialect.stream_error("c", "m").decode().partition("data: ")
    assert head == event
    assert body.endswith("}\n\n")
    assert json.loads(body) == data


def test_anthropics_own_words_stay():
    event = MESSAGES.stream_error("overloaded_error", "m")
    assert b'"type":"overloaded_error"' in event
