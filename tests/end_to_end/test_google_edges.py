"""Google's API as strangers ask it: odd names and paths, keys in odd places, cut arrays.

Behind the gateway one fake in Google's place and one that speaks chat alone.
"""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from fakes import Answer, End, FakeProvider, Received, Way, answers, reach

from gateway import GatewayProcess, provider

from .conftest import Start

KEY = "CANARY-key-of-the-app"
CLIENT = "key-of-the-client"
SLASHED = "meta/llama-3:free"
CONTENTS = [{"role": "user", "parts": [{"text": "Hail"}]}]
USAGE = {"promptTokenCount": 7, "candidatesTokenCount": 3, "totalTokenCount": 10}


def said(text: str, **more: Any) -> dict[str, Any]:
    content = {"role": "model", "parts": [{"text": text}]}
    return {"candidates": [{"content": content, "index": 0, **more}]}


WHOLE = said("Hello", finishReason="STOP") | {"usageMetadata": USAGE}


def google(request: Received) -> Answer:
    path = request.target.partition("?")[0]
    if path.endswith(":countTokens"):
        return answers.status(200, {"totalTokens": 10})
    if path.endswith(":generateContent"):
        return answers.status(200, WHOLE)
    body = (answers.event(said("Hel")), answers.event(WHOLE))
    return Answer(headers=(answers.SSE,), body=body, framing="chunked")


def chatty(request: Received) -> Answer:
    if request.json().get("stream"):
        return answers.stream(["Hel", "lo"])(request)
    return answers.ok("Hello")(request)


@pytest.fixture(scope="module")
def fakes() -> Iterator[dict[str, FakeProvider]]:
    with FakeProvider(google) as native, FakeProvider(chatty) as chat:
        yield {"native": native, "chat": chat}


@pytest.fixture(scope="module")
def running(fakes: Any, start_shared: Start) -> GatewayProcess:
    native = {
        "id": "google",
        "type": "google",
        "baseURL": f"{fakes['native'].base_url}/v1beta/openai",
        "apiKey": "CANARY-of-google",
        "models": [
            {"name": "gemini-3-flash", "mappedName": "flash"},
            {"name": "tunedModels/mine"},
            {"name": "both/ways"},
        ],
    }
    models = [{"name": SLASHED}, {"name": "c"}]
    return start_shared(
        {
            "providers": [
                native,
                provider(fakes["chat"], "chatty", models=models, dialects=["chat"]),
            ],
            "clients": [{"name": "cli", "key": CLIENT}],
        }
    )


@pytest.fixture
def gateway(running: GatewayProcess, fakes: Any) -> GatewayProcess:
    for fake in fakes.values():
        fake.requests.clear()
    return running


def ask(
    gateway: GatewayProcess, path: str, **members: Any
) -> tuple[int, dict[str, str], Any]:
    body = members or {"contents": CONTENTS}
    return gateway.post(path, body, {"x-goog-api-key": KEY})


@pytest.mark.parametrize(
    ("name", "who", "sent"),
    [
        ("models/flash", "native", "/v1beta/models/gemini-3-flash:generateContent"),
        ("models/fl%61sh", "native", "/v1beta/models/gemini-3-flash:generateContent"),
        ("tunedModels/mine", "native", "/v1beta/tunedModels/mine:generateContent"),
        ("both/ways", "native", "/v1beta/models/both%2Fways:generateContent"),
        ("models/both%2Fways", "native", "/v1beta/models/both%2Fways:generateContent"),
        ("publishers/google/models/flash", "native", "/v1beta/models/gemini-3-flash:generateContent"),
        (SLASHED, "chat", "/v1/chat/completions"),
        (f"models/{SLASHED}", "chat", "/v1/chat/completions"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("version", ["v1beta", "v1", "v1alpha"])
def test_names(
    gateway: GatewayProcess, fakes: Any, version: str, name: str, who: str, sent: str
) -> None:
    status, headers, answer = ask(gateway, f"/{version}/{name}:generateContent")
    assert status == 200, answer
    assert answer["candidates"][0]["content"]["parts"] == [{"text": "Hello"}]
    [request] = fakes[who].requests
    assert request.target == sent
    [row] = gateway.ended_one(headers["x-gateway-request-id"])
    assert (row["dialect"], row["outcome"]) == ("generateContent", "ok")


def test_a_colon_that_is_encoded_is_no_verb(
    gateway: GatewayProcess, fakes: Any
) -> None:
    status, headers, _ = ask(gateway, "/v1beta/models/flash%3AgenerateContent")
    assert (status, headers["allow"]) == (405, "GET")
    assert fakes["native"].requests == []


@pytest.mark.parametrize("verb", ["generateContent", "countTokens", "loadCodeAssist"])
def test_what_is_private_to_an_app_is_refused_in_words(
    gateway: GatewayProcess, fakes: Any, verb: str
) -> None:
    """Its body names a model, so that it would be served with nothing of what was asked."""
    inner = {"contents": CONTENTS}
    status, _, answer = ask(gateway, f"/v1internal:{verb}", model="c", request=inner)
    assert (status, answer["error"]["status"]) == (501, "UNIMPLEMENTED")
    assert "Give the app an API key" in answer["error"]["message"]
    assert fakes["chat"].requests == []


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_other_methods_are_told_which_it_takes(
    gateway: GatewayProcess, method: str
) -> None:
    status, headers, _ = gateway.ask(method, "/v1beta/models/flash:generateContent")
    assert (status, headers["allow"]) == (405, "POST")


@pytest.mark.parametrize(
    ("path", "given"),
    [
        ("/v1beta/models", {}),
        ("/v1/models?key=x", {}),
        ("/v1/models", {"x-goog-api-key": "x"}),
    ],
)
def test_models_are_listed_in_googles_form(
    gateway: GatewayProcess, path: str, given: dict[str, str]
) -> None:
    _, _, found = gateway.get(path, given)
    names = [model["name"] for model in found["models"]]
    assert {"models/flash", f"models/{SLASHED}"} <= {*names}
    assert "data" in gateway.get("/v1/models")[2]


@pytest.mark.parametrize("contents", [CONTENTS[0], "Hail", {"parts": {"text": "Hail"}}])
def test_a_question_that_stands_alone(
    gateway: GatewayProcess, fakes: Any, contents: Any
) -> None:
    assert ask(gateway, "/v1beta/models/c:generateContent", contents=contents)[0] == 200
    [sent] = fakes["chat"].requests
    assert sent.json()["messages"] == [{"role": "user", "content": "Hail"}]


def test_a_request_to_count_names_the_model_that_is_asked(
    gateway: GatewayProcess, fakes: Any
) -> None:
    inner = {"model": "models/flash", "contents": CONTENTS}
    for path in ("flash", "c"):
        status, _, answer = ask(
            gateway,
            f"/v1beta/models/{path}:countTokens",
            generateContentRequest=inner,
        )
        assert status == 200
        assert answer["totalTokens"] > 0
    [sent] = fakes["native"].requests
    assert sent.target == "/v1beta/models/gemini-3-flash:countTokens"
    named = {**inner, "model": "models/gemini-3-flash"}
    assert sent.json() == {"generateContentRequest": named}
    assert fakes["chat"].requests == []


def test_an_array_that_is_cut_is_whole_for_its_reader(
    gateway: GatewayProcess, fakes: Any
) -> None:
    """Native and translated: what was said, then an error, and the end of the array."""
    events = (answers.event(said("Hel")), End.CLOSE)
    fakes["native"].then(Answer(headers=(answers.SSE,), body=events, framing="chunked"))
    chunk = answers.chat_chunk({"content": "Hel"})
    fakes["chat"].then(
        Answer(headers=(answers.SSE,), body=(chunk, End.RESET), framing="chunked")
    )
    for model in ("flash", "c"):
        path = f"/v1beta/models/{model}:streamGenerateContent"
        status, headers, found = ask(gateway, f"{path}?%24alt=json%3Benum-encoding=int")
        assert (status, headers["content-type"]) == (200, "application/json")
        *before, last = found
        texts = [e["candidates"][0]["content"]["parts"][0]["text"] for e in before]
        assert "".join(texts) == "Hel"
        assert last["error"]["code"] == 500
        [row] = gateway.ended_one(headers["x-gateway-request-id"])
        assert row["outcome"] == "truncated"


async def test_a_key_that_is_sent_twice_is_one(
    gateway: GatewayProcess, fakes: Any
) -> None:
    given = [("content-type", "application/json")]
    given += [("x-goog-api-key", CLIENT)] * 2
    async with reach(Way.BASE, gateway.port) as session:
        answered = await session.ask(
            "/v1beta/models/flash:generateContent",
            json.dumps({"contents": CONTENTS}).encode(),
            given,
            "POST",
        )
        await answered.body()
    [row] = gateway.ended_one(dict(answered.headers)["x-gateway-request-id"])
    assert row["client"] == "cli"
    [sent] = fakes["native"].requests
    keys = [value for name, value in sent.headers if name.lower() == "x-goog-api-key"]
    assert keys == ["CANARY-of-google"]


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/v1beta/models/flash:generateContent", {"contents": CONTENTS}, 200),
        ("/v1beta/models/c:streamGenerateContent", {"contents": CONTENTS}, 200),
        ("/v1beta/models/nobody:streamGenerateContent", {"contents": CONTENTS}, 404),
        ("/v1beta/models/flash:generateContent", [], 400),
        ("/v1beta/models/flash:batchGenerateContent", {}, 501),
        ("/v1beta/files", {}, 501),
        ("/v1beta/cachedContents", {"model": "models/nobody"}, 501),
        ("/v1internal:generateContent", {}, 501),
        ("/v1/nothing/here", {}, 404),
    ],
)
@pytest.mark.parametrize(
    "query", ["?key=", "?alt=sse&key=", "?x=1&%6Bey=", "?access_token="]
)
def test_a_key_in_the_query_is_nowhere_again(
    gateway: GatewayProcess, fakes: Any, path: str, body: Any, status: int, query: str
) -> None:
    found, headers, said = gateway.ask(
        "POST",
        f"{path}{query}{KEY}",
        json.dumps(body).encode(),
        {"content-type": "application/json"},
    )
    assert found == status, said
    if status == 200:
        gateway.ended_one(headers["x-gateway-request-id"])
    canary = KEY.encode()
    assert canary not in said
    assert canary not in repr(headers).encode()
    assert KEY not in gateway.log()
    assert all(canary not in fake.bytes_in() for fake in fakes.values())
    files = [p for p in gateway.folder.rglob("*") if p.is_file()]
    assert any(p.suffix.startswith(".db") for p in files)
    assert [p.name for p in files if canary in p.read_bytes()] == []
