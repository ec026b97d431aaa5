"""Plain answers of chat, and answers of Messages and Responses: what is kept and mended."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from peculiar_streams import IDS, A, B
from wire import ANSWERS, dialect_of, fed, recording

from llm_gateway.adaptation.kept_state import CallKey, Kept
from llm_gateway.dialects import CHAT, MESSAGES, RESPONSES, SPECS
from llm_gateway.dialects.answer_observer import Answered, Issued
from llm_gateway.streaming.stream_meter import StreamMeter

CALLS = [
    {"id": id, "type": "function", "function": f}
    for id, f in zip(IDS, (A, B), strict=True)
]


def answer(message, finish="tool_calls", *more, **top):
    choice = {"index": 0, "message": message, "finish_reason": finish}
    return json.dumps(
        {"id": "c", "choices": [choice, *more], "x": 1.50, **top}
    ).encode()


def message(**more):
    return {"role": "assistant", "content": "", "tool_calls": CALLS, **more}


def without(name):
    return [{k: v for k, v in call.items() if k != name} for call in CALLS]


PLAIN = {
    "as it should be": (answer(message()), set(), ""),
    "thoughts": (answer(message(reasoning="Two sums.")), set(), "Two sums."),
    "a list as content": (
        answer(
            message(
                content=[
                    {
                        "type": "thinking",
                        "thinking": [{"type": "text", "text": "Two sums."}],
                    },
                    {"type": "text", "text": "Let me add."},
                ]
            )
        ),
        {"content"},
        "Two sums.",
    ),
    "no ids": (answer(message(tool_calls=without("id"))), {"id"}, ""),
    "ids null": (
        answer(message(tool_calls=[c | {"id": None} for c in CALLS])),
        {"id"},
        "",
    ),
    "one id for both": (
        answer(message(tool_calls=[c | {"id": "call_1"} for c in CALLS])),
        {"id"},
        "",
    ),
    "no type": (answer(message(tool_calls=without("type"))), {"type"}, ""),
    "no end": (answer(message(), None), {"finish_reason"}, ""),
    "role empty": (answer(message(role="")), {"role"}, ""),
    "calls in a second choice": (
        answer(
            {"role": "assistant", "content": "Let me add."},
            "stop",
            {"index": 1, "message": message(), "finish_reason": "tool_calls"},
        ),
        {"choices"},
        "",
    ),
}


@pytest.mark.parametrize("name", PLAIN)
def test_a_plain_answer(name):
    body, mended, thoughts = PLAIN[name]
    found = CHAT.read_plain(body, Answered())
    assert found.mended == mended
    assert (found.body is body) == (not mended)
    assert found.body.endswith(b'"x": 1.5}')
    [choice] = json.loads(found.body)["choices"]
    said = choice["message"]
    assert (choice["index"], choice["finish_reason"]) == (0, "tool_calls")
    assert said["role"] == "assistant"
    assert isinstance(said["content"], str)
    assert [c["function"] for c in said["tool_calls"]] == [A, B]
    assert {c["type"] for c in said["tool_calls"]} == {"function"}
    ids = [c["id"] for c in said["tool_calls"]]
    assert len({*ids}) == 2
    if not mended & {"id"}:
        assert ids == [*IDS]
    assert found.issued == Issued(
        tuple(
            (CallKey(id, f["name"], f["arguments"]), Kept(thoughts))
            for id, f in zip(ids, (A, B), strict=True)
        )
    )
    assert CHAT.read_plain(body, Answered()).body == found.body


CHOICE = st.fixed_dictionaries(
    {},
    optional={
        "index": st.sampled_from([0, 1, None]),
        "finish_reason": st.sampled_from(["stop", "", None]),
        "message": st.none()
        | st.fixed_dictionaries(
            {},
            optional={
                "role": st.sampled_from(["assistant", "", None, "tool"]),
                "content": st.sampled_from(["Hi.", "", None, [{"text": "Hi."}]]),
                "refusal": st.none(),
                "reasoning": st.just("Hm."),
                "tool_calls": st.sampled_from([[], None]),
            },
        ),
    },
)


@given(st.lists(CHOICE, max_size=2), st.sampled_from([1, 2]))
def test_usual_answers_are_read_as_all_others_are(choices, n):
    def read(more):
        answer = {"choices": json.loads(json.dumps(choices))}
        for choice in answer["choices"]:
            if isinstance(choice.get("message"), dict):
                choice["message"] |= more
        body = json.dumps(answer).encode()
        found = CHAT.read_plain(body, Answered(n=n), answer)
        return json.loads(found.body), found.mended, found.issued

    usual, mended, issued = read({})
    other, mended_too, issued_too = read({"of": "nobody"})
    for choice in other["choices"]:
        if isinstance(choice.get("message"), dict):
            choice["message"].pop("of", None)
    assert (usual, mended, issued) == (other, mended_too, issued_too)


@pytest.mark.parametrize("name", ANSWERS)
def test_recorded_answers_stay_as_they_are(name):
    spec, body = SPECS[dialect_of(name)], recording(name)
    if spec.read_plain is not None:
        assert spec.read_plain(body, Answered()).body is body


@pytest.mark.parametrize("spec", [CHAT, MESSAGES, RESPONSES])
@given(st.binary() | st.sampled_from([b"[]", b'{"choices":[1,{"message":2}]}']))
def test_what_is_no_answer_stays_as_it_is(spec, body):
    body += b'"tool_calls" "tool_use" "reasoning" "thinking"'
    assert spec.read_plain(body, Answered()).body is body


SIGNED = "EqQBCgIYAhIMabcdefghijkl"
THINKING = {"type": "thinking", "thinking": "Two sums.", "signature": SIGNED}
REDACTED = {"type": "redacted_thinking", "data": "EmwKAhgBEgyyyyyyyyyyyyyy"}
USE = {"type": "tool_use", "id": "toolu_1", "name": "add", "input": {"a": 1, "b": 2}}
BLOCKS = [THINKING, REDACTED, {"type": "text", "text": "Let me add."}, USE]
MESSAGE = {
    "id": "m",
    "type": "message",
    "role": "assistant",
    "model": "claude",
    "content": BLOCKS,
    "stop_reason": "tool_use",
    "usage": {"input_tokens": 3, "output_tokens": 5},
}
OF_MESSAGES = Issued(
    (
        (
            CallKey("toolu_1", "add", '{"a": 1, "b": 2}'),
            Kept("Two sums.", REDACTED["data"], opaque=[THINKING, REDACTED]),
        ),
    ),
    (SIGNED, REDACTED["data"]),
)


def named(kind, **more):
    value = json.dumps({"type": kind, **more}, separators=(",", ":"))
    return f"event: {kind}\ndata: {value}\n\n".encode()


def block(index, start, *deltas):
    return (
        named("content_block_start", index=index, content_block=start),
        *(named("content_block_delta", index=index, delta=delta) for delta in deltas),
        named("content_block_stop", index=index),
    )


def message_stream(**start):
    first = {**MESSAGE, "content": [], "stop_reason": None, **start}
    return [
        named("message_start", message={k: v for k, v in first.items() if v != "gone"}),
        *block(
            0,
            {"type": "thinking", "thinking": "", "signature": ""},
            {"type": "thinking_delta", "thinking": "Two "},
            {"type": "thinking_delta", "thinking": "sums."},
            {"type": "signature_delta", "signature": SIGNED},
        ),
        *block(1, REDACTED),
        *block(2, {"type": "text", "text": ""}, {"type": "text_delta", "text": "Let"}),
        *block(
            3,
            {**USE, "input": {}},
            {"type": "input_json_delta", "partial_json": '{"a":1'},
            {"type": "input_json_delta", "partial_json": ',"b":2}'},
        ),
        named(
            "message_delta",
            delta={"stop_reason": "tool_use"},
            usage={"output_tokens": 5},
        ),
        named("message_stop"),
    ]


def through(spec, events):
    issued: list[Issued] = []
    observer = spec.observe(Answered(keep=issued.append))
    meter = StreamMeter(spec, strip_usage=False, observer=observer)
    out = fed(meter.feed, events) + meter.finish()
    return out, observer.mended, issued


def test_thinking_and_calls_of_messages():
    plain = MESSAGES.read_plain(json.dumps(MESSAGE).encode(), Answered())
    assert plain.issued == OF_MESSAGES
    events = message_stream()
    out, mended, issued = through(MESSAGES, events)
    assert out == b"".join(events)
    assert mended == set()
    assert issued[-1] == OF_MESSAGES
    history = {"messages": [{"role": "assistant", "content": BLOCKS}]}
    assert MESSAGES.history_calls(history) == (OF_MESSAGES.calls[0][0],)


def test_a_signature_without_a_call_is_known_too():
    events = [
        event for event in message_stream() if b"tool" not in event and b"input_json" not in event
    ]  # fmt: skip
    assert through(MESSAGES, events)[2][-1] == Issued((), OF_MESSAGES.signed)


@pytest.mark.parametrize(
    ("start", "parts"),
    [
        ({"usage": None}, {"usage"}),
        ({"usage": "gone"}, {"usage"}),
        ({"usage": {"output_tokens": 1}}, {"usage"}),
        ({"content": None}, {"content"}),
        ({"content": "gone", "usage": None}, {"content", "usage"}),
    ],
)
def test_a_message_starts_with_what_sdks_read(start, parts):
    events = message_stream(**start)
    out, mended, _ = through(MESSAGES, events)
    assert mended == parts
    assert out.endswith(b"".join(events[1:]))
    first = json.loads(out.partition(b"data: ")[2].partition(b"\n")[0])["message"]
    assert first["content"] == []
    assert {*first["usage"]} >= {"input_tokens", "output_tokens"}


REASONING = {
    "type": "reasoning",
    "id": "rs_1",
    "summary": [{"type": "summary_text", "text": "Two sums."}],
    "encrypted_content": "gAAAAABo1234567890abcdef",
}
FUNCTION = {
    "type": "function_call",
    "id": "fc_1",
    "call_id": "call_1",
    "name": "add",
    "arguments": '{"a":1}',
}
CUSTOM = {
    "type": "custom_tool_call",
    "id": "ct_1",
    "call_id": "call_2",
    "name": "apply_patch",
    "input": "*** Begin",
}
ITEMS = [REASONING, FUNCTION, CUSTOM]
_KEPT = Kept("Two sums.", opaque=[REASONING])
OF_RESPONSES = Issued(
    (
        (CallKey("call_1", "add", '{"a":1}'), _KEPT),
        (CallKey("call_2", "apply_patch", "*** Begin"), _KEPT),
    ),
    (REASONING["encrypted_content"],),
)


@pytest.mark.parametrize("output", [ITEMS, [], None])
def test_reasoning_and_calls_of_responses(output):
    response = {"id": "r", "status": "completed", "output": output}
    events = [
        named("response.created", response={"id": "r", "status": "in_progress"}),
        *(
            named("response.output_item.done", output_index=i, item=item)
            for i, item in enumerate(ITEMS)
        ),
        named("response.completed", response=response),
    ]
    out, mended, issued = through(RESPONSES, events)
    assert issued[-1] == OF_RESPONSES
    assert mended == (set() if output else {"output"})
    assert out.startswith(b"".join(events[:-1]))
    last = json.loads(out.rpartition(b"data: ")[2])
    assert last["response"] == {**response, "output": ITEMS}
    plain = RESPONSES.read_plain(json.dumps({"output": ITEMS}).encode(), Answered())
    assert plain.issued == OF_RESPONSES
    assert RESPONSES.history_calls({"input": ITEMS}) == tuple(
        call for call, _ in OF_RESPONSES.calls
    )
