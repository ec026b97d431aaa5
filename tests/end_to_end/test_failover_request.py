"""The request that the second provider gets is the one that the first one got.

Whatever is in it: what differs is the host, the key and the name of the model.
"""

import base64
import json
import random
from typing import Any

from fakes import FakeProvider, H1Session, H2Session, Received, Way, answers

from gateway import provider

from .conftest import Serve
from .failing import CHAT, FORMS, STREAM, client, error, priced

MESSAGES, RESPONSES = "/v1/messages", "/v1/responses"
EMBEDDINGS, COMPLETIONS = "/v1/embeddings", "/v1/completions"
DIALECTS = {"dialects": ["chat", "completions", "embeddings", "responses", "messages"]}
MODEL = "asked/für:alle"
NOISE = random.Random(4).randbytes(700_000)
IMAGE = "data:image/png;base64," + base64.b64encode(NOISE).decode()
UNICODE = "\x7f ß € 漢字 🎉 \u202e \ufeff \u2028 \U0010ffff " + "é" * 1000
TOOL = {
    "type": "function",
    "function": {
        "name": "look",
        "parameters": {"type": "object", "properties": {"model": {"type": "string"}}},
    },
}


def talk(content: Any) -> list[dict[str, Any]]:
    return [{"role": "user", "content": content}]


def dumped(value: object, **more: Any) -> bytes:
    return json.dumps(value, **more).encode("utf-8", "surrogatepass")


ODD = (
    b'\n{ "stop":null,"messages" : [{"role":"user","content":"\\ud83c\\udf89 \\ud800'
    b' \\u0000 \\/ \\"model\\": \\"no\\""}],\t"seed":123456789012345678901234567890,'
    b'"temperature":1.50e-1,"a":1,"a":2,"metadata":{"model":"inner"},"x":[[[[]]]],'
    + json.dumps({"model": MODEL}, ensure_ascii=False).encode()[1:-1]
    + b',"last":-0.0}\r\n'
)
BODIES = {
    "small": (CHAT, dumped({"model": MODEL, "messages": talk("Hello!")})),
    "odd": (CHAT, ODD),
    "unicode": (CHAT, dumped({"messages": talk(UNICODE), "model": MODEL}, ensure_ascii=False)),
    "escaped": (CHAT, dumped({"messages": talk(UNICODE), "model": MODEL, UNICODE: 1})),
    "image": (CHAT, dumped({
        "model": MODEL,
        "messages": talk([
            {"type": "text", "text": "What is it?"},
            {"type": "image_url", "image_url": {"url": IMAGE, "detail": "high"}},
        ]),
        "tools": [TOOL] * 40,
        "tool_choice": {"type": "function", "function": {"name": "look"}},
        "response_format": {"type": "json_schema", "json_schema": {"name": "s", "schema": {}}},
        "x_unknown": {"deep": [{"er": None}]},
    })),
    "message": (MESSAGES, dumped({
        "model": MODEL,
        "max_tokens": 99,
        "system": [{"type": "text", "text": UNICODE, "cache_control": {"type": "ephemeral"}}],
        "messages": talk([{"type": "image", "source": {"type": "base64", "data": IMAGE}}]),
        "thinking": {"type": "enabled", "budget_tokens": 50},
    })),
    "response": (RESPONSES, dumped({"input": talk(UNICODE), "model": MODEL, "store": False})),
    "embeddings": (EMBEDDINGS, dumped({"input": [UNICODE] * 100, "model": MODEL})),
    "completions": (COMPLETIONS, dumped({"prompt": UNICODE, "model": MODEL, "suffix": ""})),
}  # fmt: skip
HEADERS = [
    ("content-type", "application/json"),
    ("authorization", "Bearer sk-CANARY-USER"),
    ("x-api-key", "sk-CANARY-USER"),
    ("cookie", "session=CANARY-USER"),
    ("user-agent", "somebody/1"),
    ("anthropic-beta", "context-1m"),
    ("anthropic-version", "2023-06-01"),
    ("accept-encoding", "gzip, br"),
]
DIFFERENT = {"host", "authorization", "content-length"}


def same(request: Received) -> dict[str, str]:
    """The headers that do not depend on who is asked."""
    return {k.lower(): v for k, v in request.headers if k.lower() not in DIFFERENT}


def sent_as(body: bytes, model: str) -> bytes:
    """The client's bytes, but for the value of the model."""
    for ascii in (True, False):
        name = json.dumps(MODEL, ensure_ascii=ascii).encode()
        if body.count(name) == 1:
            return body.replace(name, json.dumps(model).encode())
    raise AssertionError("the model is not in the body once")


TOO_LONG = answers.status(400, error("too long", "context_length_exceeded"))
"""A failure that nobody is blamed for: the first one goes on being asked."""


def offered(fake: FakeProvider, id: str, price: float) -> dict[str, Any]:
    model = {**priced(price, f"{id}/model")[0], "mappedName": MODEL}
    window = {"contextWindow": 1000 * price}
    return provider(fake, id, models=[{**model, **window}], **DIALECTS)


async def test_only_host_key_and_model_differ(serve: Serve) -> None:
    with FakeProvider(TOO_LONG) as one, FakeProvider() as two:
        providers = [offered(one, "first", 1), offered(two, "2nd", 10)]
        gateway = serve({"providers": providers})
        for way in Way:
            async with client(gateway, way) as session:
                for name, (target, body) in BODIES.items():
                    for form in FORMS:
                        streamed = form == STREAM and target != EMBEDDINGS
                        if streamed:
                            body = b'{"stream" :true,' + body.lstrip()[1:]
                        answered = await session.ask(f"{target}?q=1", body, HEADERS)
                        case = (way, name, form, await answered.body())
                        assert answered.status == 200, case
                        assert answered.header("x-gateway-attempts") == "2", case
                        first, second = one.requests[-1], two.requests[-1]
                        assert second.method == first.method == "POST"
                        assert second.target == first.target
                        assert second.target.startswith(target)
                        assert same(second) == same(first), case
                        assert "CANARY-USER" not in repr(second.headers)
                        assert first.header("authorization") == "Bearer sk-CANARY-first"
                        assert second.header("authorization") == "Bearer sk-CANARY-2nd"
                        for got in (first, second):
                            assert got.header("content-length") == str(len(got.body))
                        if not streamed:
                            assert first.body == sent_as(body, "first/model"), case
                        renamed = first.body.replace(b'"first/model"', b'"2nd/model"')
                        assert second.body == renamed, case
        assert len(one.requests) == len(two.requests) == 4 * len(BODIES) * 2


async def test_a_body_that_comes_in_pieces_is_sent_again_whole(serve: Serve) -> None:
    target, body = BODIES["image"]
    with FakeProvider(TOO_LONG) as one, FakeProvider() as two:
        providers = [offered(one, "first", 1), offered(two, "2nd", 10)]
        gateway = serve({"providers": providers})
        pieces = [body[i : i + 70_000] for i in range(0, len(body), 70_000)]
        for way in Way:
            async with client(gateway, way) as session:
                if isinstance(session, H2Session):
                    answered = await session.send(target, None, HEADERS)
                    for piece in pieces:
                        await session.write(answered.stream, piece)
                    session.conn.end_stream(answered.stream)
                    session.flush()
                    await answered.ready()
                    status = answered.status
                else:
                    assert isinstance(session, H1Session)
                    chunked = [*HEADERS, ("transfer-encoding", "chunked")]
                    await session.send(target, None, chunked)
                    for piece in [*pieces, b""]:
                        session.writer.write(b"%x\r\n%b\r\n" % (len(piece), piece))
                        await session.writer.drain()
                    status = (await session.answer()).status
            assert status == 200, way
            assert two.requests[-1].body == sent_as(body, "2nd/model"), way
            assert one.requests[-1].body == sent_as(body, "first/model"), way
