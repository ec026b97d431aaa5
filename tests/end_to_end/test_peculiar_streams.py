"""Streams with their makers' oddities, put together by the official SDKs' own helpers."""

import gzip
import json
from collections.abc import Iterator

import pytest
from fakes import Answer, FakeProvider, Received
from fakes.answers import JSON, SSE
from peculiar_streams import PECULIAR, Peculiar
from sdks import anthropic, openai

from gateway import GatewayProcess, provider

from .conftest import Start

BY_MODEL = {f"m{i}": name for i, name in enumerate(PECULIAR)}
TOOL = {
    "type": "function",
    "function": {"name": "add", "parameters": {"type": "object", "properties": {}}},
}
LIST = [
    {"type": "thinking", "thinking": [{"type": "text", "text": "Two sums."}]},
    {"type": "text", "text": "Let me add."},
]


def peculiar(request: Received) -> Answer:
    model = request.json()["model"]
    if request.target.endswith("/messages"):
        return Answer(headers=(SSE,), body=messages(), framing="chunked")
    if not request.json().get("stream"):
        function = {"name": "add", "arguments": "{}"}
        call = {"type": "function", "function": function}
        said = {"role": "assistant", "content": LIST, "tool_calls": [call, call]}
        choice = {"index": 0, "message": said, "finish_reason": "tool_calls"}
        body = {"id": "c", "object": "chat.completion", "created": 1, "model": "m"}
        return Answer(
            headers=(JSON,), body=(json.dumps(body | {"choices": [choice]}).encode(),)
        )
    stream = PECULIAR[BY_MODEL[model]]
    if request.json().get("user") == "gzip":
        coded = (SSE, ("content-encoding", "gzip"))
        return Answer(headers=coded, body=(gzip.compress(stream.bytes),))
    return Answer(headers=(SSE,), body=stream.events, framing="chunked")


def messages() -> tuple[bytes, ...]:
    """Without usage or content at its start."""
    start = {"id": "m", "type": "message", "role": "assistant", "model": "c"}
    events = [
        {"type": "message_start", "message": {**start, "usage": None}},
        {
            "type": "content_block_start",
            "index": 0,
            "content_block": {"type": "text", "text": ""},
        },
        {
            "type": "content_block_delta",
            "index": 0,
            "delta": {"type": "text_delta", "text": "Hi"},
        },
        {"type": "content_block_stop", "index": 0},
        {
            "type": "message_delta",
            "delta": {"stop_reason": "end_turn", "stop_sequence": None},
            "usage": {"output_tokens": 5},
        },
        {"type": "message_stop"},
    ]
    return tuple(
        f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode()
        for event in events
    )


@pytest.fixture(scope="module")
def gateway(start_shared: Start) -> Iterator[GatewayProcess]:
    with FakeProvider(peculiar) as fake:
        dialects = ["chat", "messages"]
        yield start_shared(
            {
                "providers": [
                    provider(fake, "p", *BY_MODEL, free=True, dialects=dialects)
                ]
            }
        )


@pytest.fixture(scope="module")
def client(gateway: GatewayProcess) -> Iterator["openai.OpenAI"]:
    base_url = f"http://127.0.0.1:{gateway.port}/v1"
    with openai.OpenAI(base_url=base_url, api_key="none", max_retries=0) as client:
        yield client


def read(client: "openai.OpenAI", model: str) -> dict[str, object]:
    """The SDK's own accumulation."""
    with client.chat.completions.stream(
        model=model, messages=[{"role": "user", "content": "Add."}], tools=[TOOL]
    ) as stream:
        choice = stream.get_final_completion().choices[0]
    return choice.model_dump()


@pytest.mark.parametrize("model", BY_MODEL, ids=BY_MODEL.values())
def test_openai_reads_it_whole(client: "openai.OpenAI", model: str) -> None:
    expected: Peculiar = PECULIAR[BY_MODEL[model]]
    choice = read(client, model)
    said = choice["message"]
    calls = said["tool_calls"] or []
    assert said["role"] == "assistant"
    assert (said["content"] or "") == expected.content
    assert (said.get("reasoning_content") or "") == expected.thoughts
    assert choice["finish_reason"] == expected.finish
    assert [
        (c["type"], c["function"]["name"], c["function"]["arguments"]) for c in calls
    ] == [("function", f["name"], f["arguments"]) for f in expected.calls]
    ids = [call["id"] for call in calls]
    if expected.ids is not None:
        assert ids == [*expected.ids[: len(ids)]]
    else:
        assert len({*ids}) == 2
        again = read(client, model)["message"]["tool_calls"]
        assert [call["id"] for call in again] == ids


def test_openai_reads_a_plain_answer(client: "openai.OpenAI") -> None:
    answer = client.chat.completions.create(
        model="m0", messages=[{"role": "user", "content": "Add."}], tools=[TOOL]
    )
    said = answer.choices[0].message
    assert said.content == "Let me add."
    assert said.model_extra["reasoning_content"] == "Two sums."
    assert len({call.id for call in said.tool_calls}) == 2


def test_anthropic_reads_a_message_that_starts_with_nothing(
    gateway: GatewayProcess,
) -> None:
    base_url = f"http://127.0.0.1:{gateway.port}"
    client = anthropic.Anthropic(base_url=base_url, api_key="none", max_retries=0)
    with client.messages.stream(
        model="m0", max_tokens=9, messages=[{"role": "user", "content": "Hi"}]
    ) as stream:
        message = stream.get_final_message()
    assert message.content[0].text == "Hi"
    assert message.usage.output_tokens == 5


def test_usage_is_counted_wherever_it_stands(
    client: "openai.OpenAI", gateway: GatewayProcess
) -> None:
    model = next(m for m, name in BY_MODEL.items() if name == "usage in x_groq")
    read(client, model)
    rows = gateway.wait_rows(
        "select input_tokens + cached_tokens as n, usage_source from requests"
        " where requested_model = ? and outcome = 'ok'",
        bool,
        model,
    )
    assert rows[0] == {"n": 11, "usage_source": "reported"}


def mended_in_answer(gateway: GatewayProcess, model: str, **more: object) -> list[str]:
    """Parts that the decision's row says were mended, of one request."""
    status, headers, _ = gateway.chat(model, **more)
    id = headers["x-gateway-request-id"]
    assert (status, gateway.ended_one(id)[0]["adapted"]) == (200, None)
    sql = "select candidates from decisions where request = ?"
    [candidate] = json.loads(gateway.rows(sql, id)[0]["candidates"])
    found = candidate["adaptation"]
    if found is None:
        return []
    assert {one["how"] for one in found["approximated"]} == {"mended in the answer"}
    assert (found["dropped"], found["pair"]) == ([], None)
    return [one["part"] for one in found["approximated"]]


@pytest.mark.parametrize("model", BY_MODEL, ids=BY_MODEL.values())
def test_the_decision_lists_what_was_mended(
    gateway: GatewayProcess, model: str
) -> None:
    expected = sorted(PECULIAR[BY_MODEL[model]].mended)
    assert mended_in_answer(gateway, model, stream=True) == expected


def test_the_decision_lists_what_was_mended_in_a_plain_answer(
    gateway: GatewayProcess,
) -> None:
    assert mended_in_answer(gateway, "m0") == ["content", "id"]


def test_what_passes_compressed_is_not_said_to_be_mended(
    gateway: GatewayProcess,
) -> None:
    model = next(m for m, name in BY_MODEL.items() if name == "without an index")
    assert mended_in_answer(gateway, model, stream=True, user="gzip") == []
