"""Answers that ended without a word, because the model's call could not be read or for no
reason that is told: another candidate answers, and nobody is to blame. What a filter or a
bound ended is the client's; so is what nobody else can better.
"""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from fakes import Answer, FakeProvider, Received, answers

from gateway import GatewayProcess, provider

from .conftest import Start

USAGE = {"promptTokenCount": 7, "totalTokenCount": 7}
FILTERED = {
    "SAFETY": {},
    "RECITATION": {},
    "MAX_TOKENS": {},
    "blocked": {"promptFeedback": {"blockReason": "SAFETY"}},
}
GOOGLE = {
    **{
        reason: {}
        for reason in (
            *("MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL", "TOO_MANY_TOOL_CALLS"),
            *("MALFORMED_RESPONSE", "MISSING_THOUGHT_SIGNATURE", "OTHER", "STOP"),
        )
    },
    "no-candidates": {"candidates": []},
}
CHAT = "function_call_filter: MALFORMED_FUNCTION_CALL"


def _google(request: Received) -> Answer:
    """The end that the model's name says; `said-…`: behind a text."""
    name = request.target.partition("/models/")[2].partition(":")[0]
    text, reason = name.startswith("said-"), name.removeprefix("said-")
    reason = reason.removeprefix("only-")
    content = {"parts": [{"text": "Let me see."}] if text else [], "role": "model"}
    event: dict[str, Any] = {
        "candidates": [{"content": content, "finishReason": reason, "index": 0}],
        **(GOOGLE | FILTERED).get(reason, {}),
        "usageMetadata": USAGE,
    }
    if "promptFeedback" in event:
        del event["candidates"]
    if ":streamGenerateContent" not in request.target:
        return answers.status(200, event)
    steps = [answers.event(event)]
    if text:
        first = {"candidates": [{"content": content, "index": 0}]}
        event["candidates"][0]["content"] = {"parts": [], "role": "model"}
        steps = [answers.event(first), answers.event(event)]
    return Answer(200, (answers.SSE,), tuple(steps), framing="chunked")


def _chat(request: Received) -> Answer:
    """As Google's chat completions end then."""
    google = {"extra_content": {"google": {"thought_signature": "sig"}}}
    said = {"role": "assistant", **google}
    if request.json().get("stream"):
        chunks = [answers.chat_chunk(said, CHAT), answers.DONE]
        return Answer(200, (answers.SSE,), tuple(chunks), framing="chunked")
    whole = json.loads(answers.chat_body(""))
    whole["choices"] = [{"index": 0, "message": said, "finish_reason": CHAT}]
    return answers.status(200, whole)


def _good(request: Received) -> Answer:
    if request.json().get("stream"):
        return answers.stream(["Hel", "lo"])(request)
    return answers.ok("Hello")(request)


ENDS = [*GOOGLE, *FILTERED]
MODELS = [*ENDS, "said-MALFORMED_FUNCTION_CALL", *(f"only-{end}" for end in ENDS)]


@pytest.fixture(scope="module")
def gateway(start_shared: Start) -> Iterator[GatewayProcess]:
    """The one that breaks off is free, and asked first; `only-…`: nobody else is there."""
    with (
        FakeProvider(_google) as google,
        FakeProvider(_chat) as chat,
        FakeProvider(_good) as good,
    ):
        both = [name for name in MODELS if not name.startswith("only-")]
        entries = [
            {
                "id": "google",
                "type": "google",
                "baseURL": f"{google.base_url}/v1beta/openai",
                "apiKey": "CANARY-google",
                "dialects": ["generateContent"],
                "free": True,
                "models": [{"name": name} for name in MODELS],
            },
            provider(
                chat, "of-chat", "of-chat", "only-chat", dialects=["chat"], free=True
            ),
            provider(good, "good", *both, "of-chat", dialects=["chat"]),
        ]
        yield start_shared({"providers": entries})


def native(model: str, stream: bool) -> tuple[str, dict[str, Any]]:
    word = "streamGenerateContent?alt=sse" if stream else "generateContent"
    contents = [{"role": "user", "parts": [{"text": "Hello!"}]}]
    return f"/v1beta/models/{model}:{word}", {"contents": contents}


def messages(model: str, stream: bool) -> tuple[str, dict[str, Any]]:
    said = [{"role": "user", "content": "Hello!"}]
    body = {"model": model, "max_tokens": 50, "messages": said, "stream": stream}
    return "/v1/messages", body


def completions(model: str, stream: bool) -> tuple[str, dict[str, Any]]:
    said = [{"role": "user", "content": "Hello!"}]
    return "/v1/chat/completions", {"model": model, "messages": said, "stream": stream}


CLIENTS = {"generateContent": native, "messages": messages, "chat": completions}
CASES = [(c, s) for c in CLIENTS for s in (False, True)]


def attempts_of(gateway: GatewayProcess, headers: dict[str, str]) -> list[Any]:
    [row] = gateway.ended_one(headers["x-gateway-request-id"])
    return [
        row["outcome"],
        *gateway.rows(
            "select provider, outcome, reason from attempts where request = ? order by n",
            row["id"],
        ),
    ]


@pytest.mark.parametrize(("client", "stream"), CASES)
def test_the_next_candidate_answers(
    gateway: GatewayProcess, client: str, stream: bool
) -> None:
    for model in (*GOOGLE, "of-chat"):
        if model == "no-candidates" and client == "chat":
            continue  # no answer at all is a strike, and five are enough
        status, headers, body = gateway.post(*CLIENTS[client](model, stream))
        assert status == 200, (model, body)
        assert headers["x-gateway-provider"] == "good", model
        said = body.decode() if isinstance(body, bytes) else json.dumps(body)
        assert "lo" in said, model
        outcome, first, last = attempts_of(gateway, headers)
        assert (outcome, last["outcome"]) == ("ok", "ok")
        assert first["outcome"] == "failed", model
        if model != "no-candidates":
            assert first["reason"] == "answer broke off", model


def test_nobody_is_to_blame(gateway: GatewayProcess) -> None:
    """It is asked first, however often it broke off before."""
    for _ in range(7):
        _, headers, _ = gateway.post(*native("MALFORMED_FUNCTION_CALL", False))
        _, first, _ = attempts_of(gateway, headers)
        assert first["provider"] == "google"


@pytest.mark.parametrize(("client", "stream"), CASES)
def test_what_a_filter_or_a_bound_ended_is_the_clients(
    gateway: GatewayProcess, client: str, stream: bool
) -> None:
    for model in FILTERED:
        status, headers, body = gateway.post(*CLIENTS[client](model, stream))
        assert status == 200, (model, body)
        assert headers["x-gateway-attempts"] == "1", model
        assert attempts_of(gateway, headers)[0] == "ok"


@pytest.mark.parametrize("stream", [False, True])
def test_what_nobody_can_better_goes_to_a_native_client_as_it_is(
    gateway: GatewayProcess, stream: bool
) -> None:
    for model in GOOGLE:
        if model == "no-candidates":
            continue
        status, headers, body = gateway.post(*native(f"only-{model}", stream))
        assert status == 200, (model, body)
        said = body.decode() if isinstance(body, bytes) else json.dumps(body)
        assert model in said
        assert attempts_of(gateway, headers)[0] == "ok"


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("model", ["only-MALFORMED_FUNCTION_CALL", "only-chat"])
def test_what_nobody_can_better_is_an_error_in_another_dialect(
    gateway: GatewayProcess, model: str, stream: bool
) -> None:
    """Never a clean end: an agent would take its work for done."""
    status, _, body = gateway.post(*messages(model, stream))
    if stream:
        assert status == 200
        assert b"event: error" in body
        assert b"message_stop" not in body
        assert b"MALFORMED_FUNCTION_CALL" in body
    else:
        assert status == 502
        assert "MALFORMED_FUNCTION_CALL" in body["error"]["message"]


def test_behind_a_text_it_is_an_error_too(gateway: GatewayProcess) -> None:
    model = "said-MALFORMED_FUNCTION_CALL"
    status, headers, body = gateway.post(*messages(model, True))
    assert (status, headers["x-gateway-attempts"]) == (200, "1")
    assert b"Let me see." in body
    assert b"event: error" in body
    assert b"message_stop" not in body
    status, headers, body = gateway.post(*native(model, True))
    assert b"MALFORMED_FUNCTION_CALL" in body
    assert b'"error"' not in body
