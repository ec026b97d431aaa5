"""One more dialect is a folder and a row: everything else works in it without a change.

The gateway runs with `own_dialect/`, whose row is registered before it starts.
"""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import own_dialect
import pytest
from fakes import Answer, End, FakeProvider, Received, answers

from gateway import GatewayProcess, provider

from .conftest import Start
from .failing import priced

SCRIPT = Path(own_dialect.__file__).with_name("script.py")
SAID = {"speaker": "fake-model", "spoken": [{"words": "Well met"}]}
TOLLS = {"heard": 7, "said": 3}
MODELS = ("m", "status", "error", "event", "empty", "cut", "mute", "tired")
"""One for each way to fail: what is remembered of it is nobody else's."""


def talk(request: Received) -> Answer:
    """A good answer, in the form that the path asks for."""
    path, _, query = request.target.partition("?")
    if path.endswith(":weigh"):
        return Answer(headers=(answers.JSON,), body=(b'{"heard": 7}',))
    if not path.endswith(":talkOn"):
        body = json.dumps({**SAID, "tolls": TOLLS}).encode()
        return Answer(headers=(answers.JSON,), body=(body,))
    assert query == "as=events"
    return stream(words("Well"), words(" met"), BYE)


def words(text: str) -> bytes:
    return answers.event({"kind": "words", "words": text, "speaker": "fake-model"})


HELLO = answers.event({"kind": "hello", "speaker": "fake-model"})
BYE = answers.event({"kind": "bye", "tolls": TOLLS})
OOPS = answers.event({"oops": {"status": 500, "sort": "tired", "why": "No more."}})


def stream(*steps: Any) -> Answer:
    return Answer(headers=(answers.SSE,), body=(HELLO, *steps), framing="chunked")


def ask(
    gateway: GatewayProcess,
    target: str,
    headers: dict[str, str] | None = None,
    **more: Any,
) -> tuple[int, dict[str, str], bytes]:
    body = {"utterances": [{"who": "me", "words": "Hail, stranger, how are you?"}]}
    body |= more
    given = {"content-type": "application/json", **(headers or {})}
    raw = json.dumps({**body, "ceiling": {"words": 50}, "odd": [1, 2.50]}).encode()
    return gateway.ask("POST", target, raw, given)


def why(body: bytes, sort: str) -> str:
    """The sentence of a refusal in the dialect's own shape."""
    oops = json.loads(body)["oops"]
    assert oops["sort"] == sort
    return str(oops["why"])


@pytest.fixture(scope="module")
def fakes() -> Iterator[tuple[FakeProvider, FakeProvider]]:
    with FakeProvider(talk) as first, FakeProvider(talk) as second:
        yield first, second


@pytest.fixture(scope="module")
def running(fakes: Any, start_shared: Start) -> GatewayProcess:
    spoken = {"dialects": ["parley", "chat"]}
    first, second = fakes
    places = os.pathsep.join(
        filter(None, (str(SCRIPT.parents[1]), os.environ.get("PYTHONPATH")))
    )
    return start_shared(
        {
            "providers": [
                provider(first, "A", models=priced(1, *MODELS), **spoken),
                provider(second, "B", models=priced(2, *MODELS), **spoken),
                provider(second, "C", "few", limits={"requestsPerDay": 1}, **spoken),
                provider(second, "D", "talker"),
                provider(second, "E", "gift", free=True, **spoken),
                provider(
                    second,
                    "F",
                    models=[{"name": "named", "mappedName": "nick"}],
                    **spoken,
                ),
            ],
            "clients": [
                {"name": "saver", "key": "key-of-saver", "policy": "free-only"}
            ],
            "routing": {"answerModel": "requested"},
        },
        script=SCRIPT,
        env={"PYTHONPATH": places},
    )


@pytest.fixture
def gateway(running: GatewayProcess, fakes: Any) -> GatewayProcess:
    for fake in fakes:
        fake.requests.clear()
    return running


def row_of(gateway: GatewayProcess, headers: dict[str, str]) -> dict[str, Any]:
    (row,) = gateway.ended_one(headers["x-gateway-request-id"])
    return row


def test_a_plain_answer(gateway: GatewayProcess, fakes: Any) -> None:
    mood = {"X-Parley-Mood": "merry", "X-Parley-Other": "CANARY"}
    status, headers, body = ask(gateway, "/v2/parleys/m:talk", mood)
    assert status == 200
    assert headers["x-gateway-provider"] == "A"
    # answerModel: requested
    assert json.loads(body) == {**SAID, "speaker": "m", "tolls": TOLLS}
    (sent,) = fakes[0].requests
    assert sent.target == "/v1/parleys/m:talk"
    # The model is in the path only, and no other byte was touched.
    assert b'"model"' not in sent.body
    assert sent.body.endswith(b'"odd": [1, 2.5]}')
    names = {name.lower(): value for name, value in sent.headers}
    assert names["x-parley-version"] == "7"
    assert names["x-parley-mood"] == "merry"
    assert "x-parley-other" not in names
    row = row_of(gateway, headers)
    assert (row["dialect"], row["requested_model"], row["streamed"]) == (
        "parley",
        "m",
        0,
    )
    assert (row["input_tokens"], row["output_tokens"]) == (7, 3)
    assert (row["usage_source"], row["cost_nano"]) == ("reported", 10_000)


def test_a_stream(gateway: GatewayProcess, fakes: Any) -> None:
    status, headers, body = ask(gateway, "/v2/parleys/m:talkOn?as=events")
    assert status == 200
    assert body == b"".join((HELLO, words("Well"), words(" met"), BYE)).replace(
        b'"fake-model"', b'"m"'
    )
    (sent,) = fakes[0].requests
    assert sent.target == "/v1/parleys/m:talkOn?as=events"
    row = row_of(gateway, headers)
    assert (row["dialect"], row["streamed"], row["outcome"]) == ("parley", 1, "ok")
    assert (row["input_tokens"], row["output_tokens"]) == (7, 3)


def test_a_stream_as_an_array(gateway: GatewayProcess, fakes: Any) -> None:
    status, headers, body = ask(gateway, "/v2/parleys/m:talkOn")
    assert (status, headers["content-type"]) == (200, "application/json")
    assert [event["kind"] for event in json.loads(body)] == [
        "hello",
        *["words"] * 2,
        "bye",
    ]
    (sent,) = fakes[0].requests
    assert sent.target == "/v1/parleys/m:talkOn?as=events"
    assert row_of(gateway, headers)["output_tokens"] == 3
    fakes[0].then(stream(words("Well"), End.CLOSE))
    _, _, body = ask(gateway, "/v2/parleys/cut:talkOn")
    *said, last = json.loads(body)
    assert [event["kind"] for event in said] == ["hello", "words"]
    assert "ended before its end" in why(
        json.dumps(last).encode(), "upstream_truncated"
    )
    status, _, body = ask(gateway, "/v2/parleys/nobody:talkOn")
    [only] = json.loads(body)
    assert (status, only["oops"]["sort"]) == (404, "model_not_found")


def test_what_its_row_alone_knows(gateway: GatewayProcess, fakes: Any) -> None:
    """Spellings, what is paid for, keys, what repeats the model, what is not routed."""
    status, _, body = ask(gateway, "/v2/parleys/m:talk", CEILING={"words": 9})
    assert status == 400
    assert "`ceiling` is given twice" in why(body, "invalid_request")
    saver = {"x-parley-key": "key-of-saver"}
    status, _, body = ask(gateway, "/v2/parleys/gift:talk", saver)
    assert status == 200
    status, _, body = ask(
        gateway, "/v2/parleys/gift:talk", saver, extras={"search": {}}
    )
    assert "a paid extra: web search" in why(body, "rate_limit_exceeded")
    status, _, _ = ask(
        gateway, "/v2/parleys/nick:talk", about={"model": "parleys/nick"}
    )
    assert (status, fakes[1].requests[-1].target) == (200, "/v1/parleys/named:talk")
    assert fakes[1].requests[-1].json()["about"] == {"model": "parleys/named"}
    status, _, body = ask(gateway, "/v2/parleys/m:sing")
    assert (status, "parleys are spoken" in why(body, "not_routed")) == (501, True)


@pytest.mark.parametrize(
    ("target", "bad"),
    [
        ("status:talk", answers.status(500)),
        ("error:talk", answers.status(200, {"oops": {"why": "No more."}})),
        ("event:talkOn?as=events", stream(OOPS)),
        ("empty:talkOn", stream()),
    ],
)
def test_another_provider_takes_over(
    gateway: GatewayProcess, fakes: Any, target: str, bad: Answer
) -> None:
    fakes[0].then(bad)
    status, headers, body = ask(gateway, f"/v2/parleys/{target}")
    assert status == 200
    assert headers["x-gateway-provider"] == "B"
    assert headers["x-gateway-attempts"] == "2"
    assert b"Well" in body
    assert row_of(gateway, headers)["cost_nano"] == 20_000


def test_a_stream_that_is_cut_ends_in_an_error_of_its_own(
    gateway: GatewayProcess, fakes: Any
) -> None:
    fakes[0].then(stream(words("Well"), End.CLOSE))
    status, headers, body = ask(gateway, "/v2/parleys/cut:talkOn?as=events")
    assert status == 200
    *_, last = body.rstrip().split(b"data: ")
    assert "ended before its end" in why(last, "upstream_truncated")
    row = row_of(gateway, headers)
    assert (row["outcome"], row["error"]) == ("truncated", "upstream_truncated")
    assert row["usage_source"] == "estimated"


def test_a_stream_without_its_last_word_is_cut_too(
    gateway: GatewayProcess, fakes: Any
) -> None:
    fakes[0].then(stream(words("Well")))
    _, headers, body = ask(gateway, "/v2/parleys/mute:talkOn?as=events")
    assert b'"upstream_truncated"' in body
    assert row_of(gateway, headers)["outcome"] == "truncated"


def test_an_error_event_in_a_stream_stays_the_last_word(
    gateway: GatewayProcess, fakes: Any
) -> None:
    fakes[0].then(stream(words("Well"), OOPS))
    _, headers, body = ask(gateway, "/v2/parleys/tired:talkOn?as=events")
    assert body.endswith(OOPS)
    row = row_of(gateway, headers)
    assert (row["outcome"], row["error"]) == ("truncated", "upstream_truncated")


def test_refusals_in_its_own_shape(gateway: GatewayProcess) -> None:
    status, _, body = ask(gateway, "/v2/parleys/nobody:talk")
    assert status == 404
    assert "does not exist" in why(body, "model_not_found")
    status, _, body = ask(gateway, "/v2/parleys/talker:talk")
    assert status == 400
    said = (
        "takes the test's /v1/parleys for 'talker' (D has it for /v1/chat/completions, "
    )
    assert said in why(body, "unsupported_dialect")
    status, _, body = gateway.ask("POST", "/v2/parleys/m:talk", b"[]")
    assert status == 400
    assert "not a JSON object" in why(body, "invalid_request")
    assert ask(gateway, "/v2/parleys/few:talk")[0] == 200
    status, headers, body = ask(gateway, "/v2/parleys/few:talk")
    assert status == 429
    assert "requests/day 1 of 1" in why(body, "rate_limit_exceeded")
    row = row_of(gateway, headers)
    assert (row["dialect"], row["outcome"]) == ("parley", "refused")


def test_what_only_counts_costs_nothing(gateway: GatewayProcess, fakes: Any) -> None:
    status, headers, body = ask(gateway, "/v2/parleys/m:weigh")
    assert (status, body) == (200, b'{"heard": 7}')
    assert fakes[0].requests[-1].target == "/v1/parleys/m:weigh"
    row = row_of(gateway, headers)
    assert (row["input_tokens"], row["cost_nano"]) == (0, 0)


def test_web_pages_may_use_it_as_they_may_use_the_others(
    gateway: GatewayProcess,
) -> None:
    status, _, body = ask(
        gateway, "/v2/parleys/m:talk", {"origin": "https://evil.test"}
    )
    assert status == 403
    assert why(body, "origin_not_allowed")
    # The content type is not the guard's business here, as it is on management routes.
    given = {"content-type": "text/plain"}
    assert gateway.ask("POST", "/v2/parleys/m:talk", b"{}", given)[0] == 200


def test_the_config_knows_its_name(gateway: GatewayProcess) -> None:
    wrong = {"providers": [{"id": "a", "type": "openai", "dialects": ["parle"]}]}
    status, _, answer = gateway.post("/config", wrong, gateway.admin)
    assert status == 422
    assert 'did you mean "parley"?' in answer["error"]["message"]
    # Those that are known are served as ever.
    assert ask(gateway, "/v2/parleys/m:talk")[0] == 200
