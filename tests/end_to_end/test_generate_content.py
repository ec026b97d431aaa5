"""Google's generateContent natively: routed, metered, judged and refused as every dialect.

A fake in Google's place behind the gateway, clients on its base URL: raw requests, and
Google's own SDK where it is installed.
"""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from fakes import Answer, End, FakeProvider, Received, answers

from gateway import GatewayProcess

from .conftest import Start

KEY = "AIza-CANARY-of-the-app"
MODELS = ("m", "status", "error", "event", "none", "cut", "mute", "quota", "blocked")
"""One for each way to fail: what is remembered of it is nobody else's."""
USAGE = {
    "promptTokenCount": 10,
    "cachedContentTokenCount": 4,
    "candidatesTokenCount": 3,
    "thoughtsTokenCount": 2,
    "totalTokenCount": 15,
}
CALL = {
    "functionCall": {"name": "weather", "args": {"city": "Rome"}},
    "thoughtSignature": "c2ln",
}


def part(*parts: dict[str, Any], reason: str = "", **more: Any) -> dict[str, Any]:
    candidate: dict[str, Any] = {
        "content": {"role": "model", "parts": [*parts]},
        "index": 0,
    }
    if reason:
        candidate["finishReason"] = reason
    return {"candidates": [candidate], "modelVersion": "fake-model", **more}


WELL = part(
    {"text": "Well"}, usageMetadata={"promptTokenCount": 10, "totalTokenCount": 11}
)
MET = part({"text": " met"}, reason="STOP", usageMetadata=USAGE)
WHOLE = part({"text": "Well met"}, reason="STOP", usageMetadata=USAGE)


def google(request: Received) -> Answer:
    path, _, query = request.target.partition("?")
    if path.endswith(":countTokens"):
        return answers.status(200, {"totalTokens": 10})
    if path.endswith("/chat/completions"):
        return answers.ok("chat")(request)
    if b"functionDeclarations" in request.body:
        return answers.status(200, part(CALL, reason="STOP", usageMetadata=USAGE))
    if not path.endswith(":streamGenerateContent"):
        return answers.status(200, WHOLE)
    assert query == "alt=sse"
    return stream(WELL, MET)


def stream(*events: Any) -> Answer:
    body = [e if isinstance(e, End) else answers.event(e) for e in events]
    return Answer(headers=(answers.SSE,), body=tuple(body), framing="chunked")


def error(code: int, status: str, *details: Any) -> dict[str, Any]:
    return {
        "error": {
            "code": code,
            "message": "No more.",
            "status": status,
            "details": [*details],
        }
    }


@pytest.fixture(scope="module")
def fakes() -> Iterator[tuple[FakeProvider, FakeProvider]]:
    with FakeProvider(google) as first, FakeProvider(google) as second:
        yield first, second


@pytest.fixture(scope="module")
def running(fakes: Any, start_shared: Start) -> GatewayProcess:
    def named(id: str, fake: FakeProvider, price: int, **more: Any) -> dict[str, Any]:
        pricing = {
            "inputCostPerMillionTokens": price,
            "outputCostPerMillionTokens": price,
        }
        return {
            "id": id,
            "type": "google",
            "baseURL": f"{fake.base_url}/v1beta/openai",
            "apiKey": f"CANARY-{id}",
            "models": [{"name": name, "pricing": pricing} for name in MODELS],
            **more,
        }

    first, second = fakes
    mapped = [{"name": "pro", "mappedName": "gemini-pro-latest"}]
    return start_shared(
        {
            "providers": [
                named("A", first, 1),
                named("B", second, 2),
                named("C", second, 1, models=mapped),
                named("D", second, 1, models=[{"name": "talker"}], dialects=["chat"]),
            ],
            "clients": [{"name": "cli", "key": "client-key"}],
        }
    )


@pytest.fixture
def gateway(running: GatewayProcess, fakes: Any) -> GatewayProcess:
    for fake in fakes:
        fake.requests.clear()
    return running


def ask(
    gateway: GatewayProcess,
    target: str,
    headers: dict[str, str] | None = None,
    **more: Any,
) -> tuple[int, dict[str, str], bytes]:
    body = {
        "contents": [{"role": "user", "parts": [{"text": "Hail, how are you?"}]}],
        "generationConfig": {"maxOutputTokens": 50, "temperature": 0.50},
        **more,
    }
    given = {
        "content-type": "application/json",
        "x-goog-api-key": KEY,
        **(headers or {}),
    }
    return gateway.ask(
        "POST", f"/v1beta/models/{target}", json.dumps(body).encode(), given
    )


def refusal(body: bytes) -> tuple[int, str, str, str]:
    """Code, status, reason and sentence of an error in Google's shape."""
    said = json.loads(body)["error"]
    return said["code"], said["status"], said["details"][0]["reason"], said["message"]


def row_of(gateway: GatewayProcess, headers: dict[str, str]) -> dict[str, Any]:
    (row,) = gateway.ended_one(headers["x-gateway-request-id"])
    return row


def test_a_plain_answer(gateway: GatewayProcess, fakes: Any) -> None:
    status, headers, body = ask(gateway, "m:generateContent")
    assert (status, json.loads(body)) == (200, WHOLE)
    assert headers["x-gateway-provider"] == "A"
    (sent,) = fakes[0].requests
    assert sent.target == "/v1beta/models/m:generateContent"
    assert b'{"maxOutputTokens": 50, "temperature": 0.5}' in sent.body
    row = row_of(gateway, headers)
    assert (row["dialect"], row["requested_model"], row["streamed"]) == (
        "generateContent",
        "m",
        0,
    )
    counted = ("input_tokens", "cached_tokens", "output_tokens", "reasoning_tokens")
    assert [row[name] for name in counted] == [6, 4, 3, 2]
    assert (row["usage_source"], row["cost_nano"]) == ("reported", 15_000)


def test_a_stream_as_events(gateway: GatewayProcess) -> None:
    status, headers, body = ask(gateway, "m:streamGenerateContent?alt=sse")
    assert status == 200
    assert "event-stream" in headers["content-type"]
    assert body == answers.event(WELL) + answers.event(MET)
    row = row_of(gateway, headers)
    assert (row["streamed"], row["outcome"], row["usage_source"]) == (
        1,
        "ok",
        "reported",
    )
    assert (row["input_tokens"], row["reasoning_tokens"]) == (6, 2)


@pytest.mark.parametrize("query", ["", "?alt=json", f"?key={KEY}"])
def test_a_stream_as_an_array(gateway: GatewayProcess, fakes: Any, query: str) -> None:
    status, headers, body = ask(gateway, f"m:streamGenerateContent{query}")
    assert status == 200
    assert headers["content-type"] == "application/json"
    assert json.loads(body) == [WELL, MET]
    (sent,) = fakes[0].requests
    assert sent.target == "/v1beta/models/m:streamGenerateContent?alt=sse"
    row = row_of(gateway, headers)
    assert (row["streamed"], row["outcome"], row["output_tokens"]) == (1, "ok", 3)


@pytest.mark.parametrize(
    ("headers", "query"),
    [
        ({"x-goog-api-key": KEY}, ""),
        ({"x-goog-api-key": ""}, f"?key={KEY}"),
        ({"authorization": f"Bearer {KEY}"}, ""),
    ],
)
def test_no_key_but_ours_leaves(
    gateway: GatewayProcess, fakes: Any, headers: dict[str, str], query: str
) -> None:
    sent_headers = {**headers, "x-goog-api-client": "x", "x-goog-user-project": KEY}
    assert ask(gateway, f"m:generateContent{query}", sent_headers)[0] == 200
    (sent,) = fakes[0].requests
    assert sent.header("x-goog-api-key") == "CANARY-A"
    everything = repr((sent.target, sent.headers, sent.body))
    assert KEY not in everything
    assert sent.header("authorization") is None


@pytest.mark.parametrize("place", ["header", "query", "bearer"])
def test_a_key_names_its_client(gateway: GatewayProcess, place: str) -> None:
    headers = (
        {"x-goog-api-key": "client-key"}
        if place == "header"
        else {"x-goog-api-key": ""}
    )
    if place == "bearer":
        headers["authorization"] = "Bearer client-key"
    query = "?key=client-key" if place == "query" else ""
    _, found, _ = ask(gateway, f"m:generateContent{query}", headers)
    assert row_of(gateway, found)["client"] == "cli"


def test_an_alias_goes_out_under_its_own_name(
    gateway: GatewayProcess, fakes: Any
) -> None:
    more = {"model": "models/pro"}
    assert ask(gateway, "gemini-pro-latest:generateContent", **more)[0] == 200
    (sent,) = fakes[1].requests
    assert sent.target == "/v1beta/models/pro:generateContent"
    assert b"models/pro" not in sent.body


@pytest.mark.parametrize(
    ("target", "bad"),
    [
        ("status:generateContent", answers.status(503, error(503, "UNAVAILABLE"))),
        ("error:generateContent", answers.status(200, error(500, "INTERNAL"))),
        ("none:generateContent", answers.status(200, {"usageMetadata": USAGE})),
        ("none:generateContent", answers.status(200, {"candidates": []})),
        ("event:streamGenerateContent?alt=sse", stream(error(503, "UNAVAILABLE"))),
        ("event:streamGenerateContent", stream({"usageMetadata": USAGE})),
    ],
)  # fmt: skip
def test_another_provider_takes_over(
    gateway: GatewayProcess, fakes: Any, target: str, bad: Any
) -> None:
    fakes[0].then(bad)
    status, headers, body = ask(gateway, target)
    assert status == 200
    assert headers["x-gateway-provider"] == "B"
    assert b"Well" in body


def test_a_quota_of_the_day_moves_on_and_keeps_off(
    gateway: GatewayProcess, fakes: Any
) -> None:
    quota = {
        "@type": "type.googleapis.com/google.rpc.QuotaFailure",
        "violations": [
            {
                "quotaId": "GenerateRequestsPerDayPerProjectPerModel-FreeTier",
                "quotaValue": "20",
            }
        ],
    }
    retry = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "34s"}
    fakes[0].then(answers.status(429, error(429, "RESOURCE_EXHAUSTED", quota, retry)))
    assert ask(gateway, "quota:generateContent")[1]["x-gateway-provider"] == "B"
    assert ask(gateway, "quota:generateContent")[1]["x-gateway-attempts"] == "1"
    assert len(fakes[0].requests) == 1


def test_a_blocked_prompt_is_an_answer(gateway: GatewayProcess, fakes: Any) -> None:
    blocked = {
        "promptFeedback": {"blockReason": "SAFETY"},
        "usageMetadata": {"promptTokenCount": 9},
    }
    for target, answer in (
        ("blocked:generateContent", answers.status(200, blocked)),
        ("blocked:streamGenerateContent?alt=sse", stream(blocked)),
    ):
        fakes[0].then(answer)
        status, headers, body = ask(gateway, target)
        assert (status, headers["x-gateway-provider"]) == (200, "A")
        assert b"SAFETY" in body
        assert row_of(gateway, headers)["outcome"] == "ok"


@pytest.mark.parametrize("query", ["?alt=sse", ""])
@pytest.mark.parametrize(
    ("model", "events"), [("cut", (WELL, End.CLOSE)), ("mute", (WELL,))]
)
def test_a_stream_that_is_cut_ends_in_an_error(
    gateway: GatewayProcess, fakes: Any, model: str, events: Any, query: str
) -> None:
    fakes[0].then(stream(*events))
    _, headers, body = ask(gateway, f"{model}:streamGenerateContent{query}")
    if query:
        *_, last = body.rstrip().split(b"data: ")
    else:
        first, final = json.loads(body)
        assert first == WELL
        last = json.dumps(final).encode()
    code, status, reason, _ = refusal(last)
    assert (code, status, reason) == (500, "INTERNAL", "UPSTREAM_TRUNCATED")
    assert row_of(gateway, headers)["outcome"] == "truncated"


def test_a_refusal_of_the_provider_goes_back_word_for_word(
    gateway: GatewayProcess, fakes: Any
) -> None:
    wrong = error(400, "INVALID_ARGUMENT")
    fakes[0].then(answers.status(400, wrong))
    status, headers, body = ask(gateway, "m:generateContent")
    assert (status, json.loads(body)) == (400, wrong)
    assert headers["x-gateway-provider"] == "A"
    # One of a history moves on: another maker may take it.
    turns = [
        {"role": "user", "parts": [{"text": "Hi"}]},
        {"role": "model", "parts": [{"text": "Well"}]},
        {"role": "user", "parts": [{"text": "Go on"}]},
    ]
    fakes[0].then(answers.status(400, wrong))
    status, headers, _ = ask(gateway, "m:generateContent", contents=turns)
    assert (status, headers["x-gateway-provider"]) == (200, "B")


def test_refusals_in_googles_shape(gateway: GatewayProcess) -> None:
    status, _, body = ask(gateway, "nobody:generateContent")
    assert status == 404
    assert refusal(body)[:3] == (404, "NOT_FOUND", "MODEL_NOT_FOUND")
    status, _, body = gateway.ask("POST", "/v1beta/models/m:generateContent", b"[]")
    assert (status, refusal(body)[1]) == (400, "INVALID_ARGUMENT")
    status, _, body = gateway.ask("POST", "/v1beta/models:generateContent", b"{}")
    assert status == 400
    assert "The path names no model" in refusal(body)[3]


def test_an_error_is_in_an_array_where_a_stream_would_be_one(
    gateway: GatewayProcess, fakes: Any
) -> None:
    """As Google has it: apps that read an array take nothing else for a word."""
    wrong = answers.status(400, error(400, "INVALID_ARGUMENT"))
    nobody, ours = "nobody:streamGenerateContent", "m:streamGenerateContent"
    for target, body, wanted in (
        (nobody, {}, "NOT_FOUND"),
        (ours, {}, "INVALID_ARGUMENT"),
        (ours, {"generationConfig": {"maxOutputTokens": "many"}}, "INVALID_ARGUMENT"),
    ):
        fakes[0].default = wrong
        try:
            status, headers, said = ask(gateway, target, **body)
            _, _, as_event = ask(gateway, f"{target}?alt=sse", **body)
        finally:
            fakes[0].default = google
        [only] = json.loads(said)
        assert (status, only["error"]["status"]) == (only["error"]["code"], wanted)
        assert headers["content-type"].startswith("application/json")
        assert json.loads(as_event) == only


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/v1beta/models/m:embedContent"),
        ("POST", "/v1beta/models/m:batchEmbedContents"),
        ("POST", "/v1beta/models/m:predictLongRunning"),
        ("POST", "/v1beta/tunedModels?key=x"),
        ("POST", "/upload/v1beta/files"),
        (
            "GET",
            "/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent",
        ),
    ],
)
def test_the_rest_of_the_api_is_refused_clearly(
    gateway: GatewayProcess, method: str, path: str
) -> None:
    given = {"content-type": "application/json"}
    status, _, body = gateway.ask(
        method, path, b"{}" if method == "POST" else None, given
    )
    code, word, reason, said = refusal(body)
    assert (status, code, word, reason) == (501, 501, "UNIMPLEMENTED", "NOT_ROUTED")
    assert "is not routed here" in said
    assert "key=x" not in said


def test_a_file_that_nobody_made_here_is_not_found(gateway: GatewayProcess) -> None:
    status, _, body = gateway.ask("GET", "/v1beta/files/abc?key=x")
    code, word, _, said = refusal(body)
    assert (status, code, word) == (404, 404, "NOT_FOUND")
    assert "No file with the id 'abc' was made through this gateway" in said


def test_counting_tokens_is_free(gateway: GatewayProcess, fakes: Any) -> None:
    status, headers, body = ask(gateway, "m:countTokens")
    assert (status, json.loads(body)) == (200, {"totalTokens": 10})
    assert fakes[0].requests[-1].target == "/v1beta/models/m:countTokens"
    assert row_of(gateway, headers)["cost_nano"] == 0


def test_the_models_are_listed_in_googles_form(gateway: GatewayProcess) -> None:
    status, _, found = gateway.get("/v1beta/models?pageSize=4")
    assert status == 200
    assert [m["name"] for m in found["models"]][:1] == ["models/m"]
    token = found["nextPageToken"]
    _, _, more = gateway.get(f"/v1beta/models?pageSize=1000&pageToken={token}")
    assert "nextPageToken" not in more
    names = {m["name"] for m in found["models"] + more["models"]}
    assert {"models/m", "models/gemini-pro-latest"} <= names
    _, _, one = gateway.get("/v1beta/models/m")
    assert one["supportedGenerationMethods"] == ["generateContent", "countTokens"]
    status, _, none = gateway.get("/v1beta/models/nobody")
    assert (status, none["error"]["status"]) == (404, "NOT_FOUND")
    assert gateway.get("/v1beta/models?pageSize=x")[0] == 400
    # With Google's key header the older path has this form, too.
    _, _, listed = gateway.get("/v1/models", {"x-goog-api-key": KEY})
    assert "models" in listed
    assert "data" in gateway.get("/v1/models")[2]


def test_the_same_provider_answers_chat_at_its_other_path(
    gateway: GatewayProcess, fakes: Any
) -> None:
    assert gateway.chat("m")[0] == 200
    (sent,) = fakes[0].requests
    assert sent.target == "/v1beta/openai/chat/completions"
    assert sent.header("authorization") == "Bearer CANARY-A"


def test_googles_own_sdk(gateway: GatewayProcess, fakes: Any) -> None:
    genai = pytest.importorskip("google.genai")
    options = genai.types.HttpOptions(base_url=f"http://127.0.0.1:{gateway.port}")
    client = genai.Client(api_key=KEY, vertexai=False, http_options=options)
    whole = client.models.generate_content(model="m", contents="Hi")
    assert (whole.text, whole.usage_metadata.total_token_count) == ("Well met", 15)
    pieces = client.models.generate_content_stream(model="m", contents="Hi")
    assert [piece.text for piece in pieces] == ["Well", " met"]
    tool = {"function_declarations": [{"name": "weather"}]}
    called = client.models.generate_content(
        model="m", contents="Hi", config={"tools": [tool]}
    )
    assert called.function_calls[0].args == {"city": "Rome"}
    assert client.models.count_tokens(model="m", contents="Hi").total_tokens == 10
    assert "models/m" in {model.name for model in client.models.list()}
    with pytest.raises(genai.errors.ClientError) as caught:
        client.models.generate_content(model="nobody", contents="Hi")
    assert (caught.value.code, caught.value.status) == (404, "NOT_FOUND")
    fakes[0].then(stream(WELL))
    with pytest.raises(genai.errors.ServerError, match="ended before its end"):
        list(client.models.generate_content_stream(model="mute", contents="Hi"))
