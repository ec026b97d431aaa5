"""Google's apps answered by providers that speak chat or Messages only, and chat and Messages
apps by one that speaks generateContent only."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from fakes import Answer, FakeProvider, Received, answers

from gateway import GatewayProcess, provider

from .conftest import Start
from .signed_calls import (
    DONE,
    PLACEHOLDER,
    TURNS,
    BareChatTalk,
    ChatTalk,
    GoogleTalk,
    MessagesTalk,
    refuse_or_sign,
    signature,
    signatures_in,
)

KEY = "AIza-CANARY-of-the-app"
SIGNATURE = "c2lnbmF0dXJlIG9mIHRoZSBjYWxs"
CITIES = ("Rome", "Oslo")
DECLARED = [
    {
        "functionDeclarations": [
            {
                "name": "weather",
                "parameters": {
                    "type": "OBJECT",
                    "properties": {"city": {"type": "STRING"}},
                },
            }
        ]
    }
]
FUNCTIONS = [
    {
        "type": "function",
        "function": {
            "name": "weather",
            "parameters": {
                "type": "object",
                "properties": {"city": {"type": "string"}},
            },
        },
    }
]


def chatty(request: Received) -> Answer:
    """Plain, streamed, or two parallel calls where tools are declared and not yet called."""
    asked = request.json()
    calls = [
        {
            "index": i,
            "id": f"call_{city}",
            "type": "function",
            "function": {"name": "weather", "arguments": json.dumps({"city": city})},
        }
        for i, city in enumerate(CITIES)
    ]
    if asked.get("tools") and not any(m["role"] == "tool" for m in asked["messages"]):
        if asked.get("stream"):
            chunks = [answers.chat_chunk({"tool_calls": [call]}) for call in calls]
            end = (answers.chat_chunk({}, "tool_calls"), answers.USAGE, answers.DONE)
            return Answer(
                headers=(answers.SSE,), body=(*chunks, *end), framing="chunked"
            )
        message = {"role": "assistant", "content": None, "tool_calls": calls}
        whole = json.loads(answers.chat_body(""))
        whole["choices"] = [
            {"index": 0, "message": message, "finish_reason": "tool_calls"}
        ]
        return answers.status(200, whole)
    if asked.get("stream"):
        return answers.stream(["Hel", "lo"])(request)
    return answers.ok("Hello")(request)


def claude(request: Received) -> Answer:
    if request.json().get("stream"):
        return answers.message_stream(["Hel", "lo"])(request)
    return answers.ok("Hello")(request)


def gemini(request: Received) -> Answer:
    """A thought and a signed call, or a text where a call was answered."""
    asked = request.json()
    said: list[dict[str, Any]] = [{"text": "Hello"}]
    if "tools" in asked and b"functionResponse" not in request.body:
        call = {"name": "weather", "args": {"city": "Rome"}}
        said = [
            {"text": "Hm.", "thought": True},
            {"functionCall": call, "thoughtSignature": SIGNATURE},
        ]
    usage = {"promptTokenCount": 7, "candidatesTokenCount": 3, "thoughtsTokenCount": 2}
    events = [
        {
            "candidates": [{"content": {"role": "model", "parts": [part]}, "index": 0}],
            "usageMetadata": usage,
        }
        for part in said
    ]
    events[-1]["candidates"][0]["finishReason"] = "STOP"
    if ":streamGenerateContent" in request.target:
        body = tuple(answers.event(event) for event in events)
        return Answer(headers=(answers.SSE,), body=body, framing="chunked")
    events[-1]["candidates"][0]["content"]["parts"] = said
    return answers.status(200, events[-1])


@pytest.fixture(scope="module")
def fakes() -> Iterator[dict[str, FakeProvider]]:
    with (
        FakeProvider(chatty) as chat,
        FakeProvider(claude) as messages,
        FakeProvider(gemini) as google,
    ):
        yield {"chat": chat, "messages": messages, "google": google}


def config(fakes: dict[str, FakeProvider]) -> dict[str, Any]:
    google = {
        "id": "google",
        "type": "google",
        "baseURL": f"{fakes['google'].base_url}/v1beta/openai",
        "apiKey": "CANARY-google",
        "dialects": ["generateContent"],
        "models": [{"name": "gemini-3-pro"}],
    }
    return {
        "providers": [
            provider(fakes["chat"], "chatty", "c", dialects=["chat"]),
            provider(fakes["messages"], "claude", "m", dialects=["messages"]),
            google,
        ]
    }


@pytest.fixture(scope="module")
def running(fakes: Any, start_shared: Start) -> GatewayProcess:
    return start_shared(config(fakes))


@pytest.fixture
def gateway(running: GatewayProcess, fakes: Any) -> GatewayProcess:
    for fake in fakes.values():
        fake.requests.clear()
    return running


def ask(
    gateway: GatewayProcess, target: str, **more: Any
) -> tuple[int, dict[str, str], bytes]:
    body = {"contents": [{"role": "user", "parts": [{"text": "Hi"}]}], **more}
    given = {"content-type": "application/json", "x-goog-api-key": KEY}
    return gateway.ask(
        "POST", f"/v1beta/models/{target}", json.dumps(body).encode(), given
    )


def parts_of(answer: Any) -> list[dict[str, Any]]:
    events = answer if isinstance(answer, list) else [answer]
    return [
        part
        for event in events
        for candidate in event["candidates"]
        for part in candidate["content"]["parts"]
        if part != {"text": ""}
    ]


def events_of(body: bytes) -> list[dict[str, Any]]:
    return [
        json.loads(one.removeprefix(b"data: ")) for one in body.split(b"\n\n") if one
    ]


@pytest.mark.parametrize(("model", "pair"), [("c", "chat"), ("m", "messages")])
def test_a_question(gateway: GatewayProcess, fakes: Any, model: str, pair: str) -> None:
    status, headers, body = ask(gateway, f"{model}:generateContent")
    found = json.loads(body)
    assert (status, parts_of(found)) == (200, [{"text": "Hello"}])
    assert found["candidates"][0]["finishReason"] == "STOP"
    assert found["usageMetadata"]["totalTokenCount"] == 10
    assert found["modelVersion"] == model
    assert headers["x-gateway-translated"] == f"generateContent>{pair}"
    (sent,) = fakes[pair].requests
    assert KEY not in repr((sent.target, sent.headers, sent.body))
    (row,) = gateway.ended_one(headers["x-gateway-request-id"])
    assert (row["dialect"], row["translated"]) == (
        "generateContent",
        f"generateContent>{pair}",
    )
    assert (row["input_tokens"], row["output_tokens"]) == (7, 3)


@pytest.mark.parametrize("model", ["c", "m"])
@pytest.mark.parametrize("query", ["?alt=sse", ""])
def test_a_stream(gateway: GatewayProcess, model: str, query: str) -> None:
    status, headers, body = ask(gateway, f"{model}:streamGenerateContent{query}")
    assert status == 200
    found = events_of(body) if query else json.loads(body)
    assert headers["content-type"].startswith(
        "text/event-stream" if query else "application/json"
    )
    assert parts_of(found) == [{"text": "Hel"}, {"text": "lo"}]
    assert found[-1]["candidates"][0]["finishReason"] == "STOP"
    assert found[-1]["usageMetadata"]["promptTokenCount"] == 7


@pytest.mark.parametrize("query", ["?alt=sse", ""])
def test_a_plain_answer_for_a_stream(
    gateway: GatewayProcess, fakes: Any, query: str
) -> None:
    fakes["chat"].then(answers.ok("Hello"))
    status, _, body = ask(gateway, f"c:streamGenerateContent{query}")
    assert status == 200
    assert parts_of(events_of(body) if query else json.loads(body)) == [
        {"text": "Hello"}
    ]


@pytest.mark.parametrize(
    "target", ["c:generateContent", "c:streamGenerateContent?alt=sse"]
)
def test_parallel_calls_and_their_results(
    gateway: GatewayProcess, fakes: Any, target: str
) -> None:
    _, _, body = ask(gateway, target, tools=DECLARED)
    found = events_of(body) if "alt" in target else json.loads(body)
    parts = parts_of(found)
    assert [p["functionCall"]["args"]["city"] for p in parts] == list(CITIES)
    back = [
        {
            "functionResponse": {
                "name": "weather",
                "response": {"result": f"{city}: sun"},
            }
        }
        for city in CITIES
    ]
    contents = [
        {"role": "user", "parts": [{"text": "Hi"}]},
        {"role": "model", "parts": parts},
        {"role": "user", "parts": back},
    ]
    status, _, body = ask(
        gateway, "c:generateContent", tools=DECLARED, contents=contents
    )
    assert (status, parts_of(json.loads(body))) == (200, [{"text": "Hello"}])
    messages = fakes["chat"].requests[-1].json()["messages"]
    assert [m["role"] for m in messages] == ["user", "assistant", "tool", "tool"]
    ids = [call["id"] for call in messages[1]["tool_calls"]]
    assert [m["tool_call_id"] for m in messages[2:]] == ids
    assert [m["content"] for m in messages[2:]] == ["Rome: sun", "Oslo: sun"]


def test_structured_output_and_settings(gateway: GatewayProcess, fakes: Any) -> None:
    schema = {
        "type": "OBJECT",
        "properties": {"a": {"type": "STRING", "nullable": True}},
    }
    settings = {
        "responseMimeType": "application/json",
        "responseSchema": schema,
        "maxOutputTokens": 50,
        "stopSequences": ["x"],
    }
    safety = [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_NONE"}]
    _, headers, _ = ask(
        gateway, "c:generateContent", generationConfig=settings, safetySettings=safety
    )
    sent = fakes["chat"].requests[-1].json()
    assert (sent["max_tokens"], sent["stop"]) == (50, ["x"])
    inner = sent["response_format"]["json_schema"]["schema"]
    assert inner == {
        "type": "object",
        "properties": {"a": {"type": ["string", "null"]}},
    }
    id = headers["x-gateway-request-id"]
    gateway.ended_one(id)
    [row] = gateway.rows("select candidates from decisions where request = ?", id)
    assert "safetySettings" in row["candidates"]


def test_what_cannot_be_carried_is_refused_in_googles_shape(
    gateway: GatewayProcess,
) -> None:
    status, _, body = ask(
        gateway, "c:generateContent", cachedContent="cachedContents/x"
    )
    error = json.loads(body)["error"]
    assert (status, error["status"]) == (400, "INVALID_ARGUMENT")
    assert "cachedContent" in error["message"]


def test_tokens_are_estimated_where_nobody_counts(
    gateway: GatewayProcess, fakes: Any
) -> None:
    status, headers, body = ask(gateway, "c:countTokens")
    assert status == 200
    assert json.loads(body)["totalTokens"] > 0
    assert headers["x-gateway-estimated"] == "true"
    assert fakes["chat"].requests == []


def test_an_error_has_googles_shape(gateway: GatewayProcess, fakes: Any) -> None:
    wrong = {
        "error": {"message": "temperature is too hot", "type": "invalid_request_error"}
    }
    fakes["chat"].then(answers.status(400, wrong))
    status, _, body = ask(gateway, "c:generateContent")
    error = json.loads(body)["error"]
    assert (status, error["code"], error["status"]) == (400, 400, "INVALID_ARGUMENT")
    assert error["message"] == "temperature is too hot"


def chat_turns(gateway: GatewayProcess, **more: Any) -> tuple[dict[str, str], Any]:
    status, headers, found = gateway.chat("gemini-3-pro", tools=FUNCTIONS, **more)
    assert status == 200, found
    return headers, found


def test_chat_by_generate_content(gateway: GatewayProcess, fakes: Any) -> None:
    status, headers, found = gateway.chat("gemini-3-pro", max_tokens=50)
    assert status == 200
    assert headers["x-gateway-translated"] == "chat>generateContent"
    assert found["choices"][0]["message"]["content"] == "Hello"
    assert found["usage"]["total_tokens"] == 12
    (sent,) = fakes["google"].requests
    assert sent.target == "/v1beta/models/gemini-3-pro:generateContent"
    assert sent.header("x-goog-api-key") == "CANARY-google"
    assert set(sent.json()) == {"contents", "generationConfig"}
    status, _, body = gateway.ask(
        "POST",
        "/v1/chat/completions",
        json.dumps(
            {
                "model": "gemini-3-pro",
                "stream": True,
                "messages": [{"role": "user", "content": "Hi"}],
            }
        ).encode(),
        {"content-type": "application/json"},
    )
    assert status == 200
    assert body.rstrip().endswith(b"data: [DONE]")
    assert (
        fakes["google"].requests[-1].target.endswith(":streamGenerateContent?alt=sse")
    )


TALKS = {
    "chat": ChatTalk,
    "chat, bare": BareChatTalk,
    "messages": MessagesTalk,
    "generateContent": GoogleTalk,
}
FORGETFUL = ("chat, bare",)
"""Apps that carry no signature of a call, on itself or in the thought before it: what the
gateway had in memory alone is lost with it."""


def test_a_tool_loop_goes_on_across_a_restart(start: Start, fakes: Any) -> None:
    """Whoever carries signatures brings them back; for others they are kept by the call, and
    what was forgotten is Google's placeholder."""
    before, fakes["google"].default = fakes["google"].default, refuse_or_sign
    try:
        gateway = start(config(fakes))
        talks = {name: talk("gemini-3-pro") for name, talk in TALKS.items()}
        for _ in range(2):
            assert [talk.step(gateway) for talk in talks.values()] == [""] * 4
        gateway.stop()
        gateway.start()
        fakes["google"].requests.clear()
        for _ in range(2):
            assert [talk.step(gateway) for talk in talks.values()] == [""] * 4
        assert [talk.step(gateway) for talk in talks.values()] == [DONE] * 4
    finally:
        fakes["google"].default = before
    true = [signature(turn) for turn in range(TURNS)]
    for name, last in zip(talks, fakes["google"].requests[-4:], strict=True):
        forgotten = [PLACEHOLDER] * 2 if name in FORGETFUL else true[:2]
        assert signatures_in(last) == [*forgotten, *true[2:]], name
    assert len(fakes["google"].requests) == 12
    gateway.ended(20)
    found = gateway.rows("select outcome, count(*) n from attempts group by outcome")
    assert found == [{"outcome": "ok", "n": 20}]


def test_the_signature_that_a_client_carries_is_the_true_one(
    gateway: GatewayProcess, fakes: Any
) -> None:
    """A Messages client carries thoughts, a generateContent client all of it."""
    tool = {"name": "weather", "input_schema": {"type": "object", "properties": {}}}
    asked = {"model": "gemini-3-pro", "max_tokens": 50, "tools": [tool]}
    question = {"role": "user", "content": "Hi"}
    _, _, found = gateway.post("/v1/messages", {**asked, "messages": [question]})
    use = next(b for b in found["content"] if b["type"] == "tool_use")
    result = {"type": "tool_result", "tool_use_id": use["id"], "content": "sun"}
    turns = [
        question,
        {"role": "assistant", "content": found["content"]},
        {"role": "user", "content": [result]},
    ]
    status, _, found = gateway.post("/v1/messages", {**asked, "messages": turns})
    assert (status, found["content"][0]["text"]) == (200, "Hello")
    sent = fakes["google"].requests[-1].json()["contents"][1]["parts"]
    assert sent[-1]["thoughtSignature"] == SIGNATURE
    _, _, body = ask(gateway, "gemini-3-pro:generateContent", tools=DECLARED)
    assert parts_of(json.loads(body))[-1]["thoughtSignature"] == SIGNATURE


def test_googles_own_sdk_on_a_chat_provider(gateway: GatewayProcess) -> None:
    genai = pytest.importorskip("google.genai")
    options = genai.types.HttpOptions(base_url=f"http://127.0.0.1:{gateway.port}")
    client = genai.Client(api_key=KEY, vertexai=False, http_options=options)
    asked: list[str] = []

    def weather(city: str) -> str:
        """The weather in a city."""
        asked.append(city)
        return f"{city}: sun"

    for model in ("c", "m"):
        whole = client.models.generate_content(model=model, contents="Hi")
        assert (whole.text, whole.usage_metadata.total_token_count) == ("Hello", 10)
        stream = client.models.generate_content_stream(model=model, contents="Hi")
        assert "".join(piece.text or "" for piece in stream) == "Hello"
    chat = client.chats.create(model="c", config={"tools": [weather]})
    assert chat.send_message("Hi").text == "Hello"
    assert asked == list(CITIES)
    with pytest.raises(genai.errors.ClientError, match="does not exist here"):
        client.models.generate_content(model="nobody", contents="Hi")
