"""Chat streams that SDKs would put together wrongly: mended, and nothing else is touched."""

import json
from typing import Any

import pytest
from examples import examples
from hypothesis import given
from hypothesis import strategies as st
from peculiar_streams import DONE, PECULIAR, START, calls, chunk, event, sse, text
from tables import each_row
from wire import STREAMS, cut, dialect_of, fed, places, recording

from llm_gateway.adaptation.kept_state import CallKey, Kept
from llm_gateway.dialects import CHAT, SPECS
from llm_gateway.dialects.answer_observer import Answered, Issued
from llm_gateway.streaming.sse import data_of, raw_events
from llm_gateway.streaming.stream_meter import StreamMeter

few = examples(25)


class Mended:
    def __init__(self, chunks, *, n=1, dialect=CHAT, history=b"[]", **more):
        self.issued: list[Issued] = []
        observer = dialect.observe(Answered(lambda: history, n, self.issued.append))
        meter = StreamMeter(
            dialect,
            strip_usage=more.pop("strip_usage", False),
            mask=more.pop("mask", None),
            observer=observer,
        )
        self.bytes = fed(meter.feed, chunks) + meter.finish()
        self.parts = observer.mended
        self.meter = meter


def sdk(data: bytes) -> dict[str, Any]:
    """As the SDKs add deltas: calls by index; ids, names and roles joined."""
    said: dict[str, Any] = {"role": "", "content": "", "thoughts": "", "finish": None}
    found: list[dict[str, Any]] = []
    for raw in raw_events(data):
        value = data_of(raw)
        if not value or value == b"[DONE]":
            continue
        for choice in json.loads(value)["choices"]:
            assert choice["index"] == 0
            delta = choice["delta"]
            said["role"] += delta.get("role", "")
            said["content"] += delta.get("content") or ""
            said["thoughts"] += delta.get("reasoning_content") or ""
            for part in delta.get("tool_calls") or []:
                assert part["index"] <= len(found)
                if part["index"] == len(found):
                    found.append({"id": "", "type": "", "name": "", "arguments": ""})
                at, function = found[part["index"]], part["function"]
                at["id"] += part.get("id", "")
                at["type"] += part.get("type", "")
                at["name"] += function.get("name", "")
                at["arguments"] += function.get("arguments", "")
            said["finish"] = choice.get("finish_reason") or said["finish"]
    return {**said, "calls": found}


@pytest.mark.parametrize("name", PECULIAR)
@few
@given(places=places)
def test_a_peculiar_stream_is_read_whole(name, places):
    expected = PECULIAR[name]
    mended = Mended(cut(expected.bytes, places))
    got = sdk(mended.bytes)
    ids = tuple(call["id"] for call in got["calls"])
    assert got["role"] == "assistant"
    assert (got["content"], got["thoughts"]) == (expected.content, expected.thoughts)
    assert got["finish"] == expected.finish
    assert [(c["type"], c["name"], c["arguments"]) for c in got["calls"]] == [
        ("function", f["name"], f["arguments"]) for f in expected.calls
    ]
    if expected.ids is None:
        assert len(set(ids)) == 2
        assert all(id.startswith("call_") for id in ids)
    else:
        assert ids == expected.ids[: len(expected.calls)]
    assert mended.parts == expected.mended
    if not expected.mended:
        assert mended.bytes == expected.bytes
    # However it was cut, the same bytes.
    assert mended.bytes == Mended([expected.bytes]).bytes


@each_row("name", PECULIAR)
def test_what_needs_no_mend_keeps_its_bytes(name):
    expected = PECULIAR[name]
    kept = raw_events(Mended([expected.bytes]).bytes)
    alone = [raw for raw in expected.events if b'"content":"' in raw and len(raw) < 130]
    if expected.mended == {"index"}:
        assert START in kept
        assert DONE in kept
        assert all(raw in kept for raw in alone)


@each_row("name", PECULIAR)
def test_what_is_kept_is_what_the_client_reads(name):
    expected = PECULIAR[name]
    mended = Mended([expected.bytes])
    got = sdk(mended.bytes)
    if not expected.calls:
        assert mended.issued == []
        return
    assert mended.issued[-1].calls == tuple(
        (
            CallKey(call["id"], call["name"], call["arguments"]),
            Kept(expected.thoughts),
        )
        for call in got["calls"]
    )


@each_row("name", PECULIAR)
def test_the_client_has_not_its_end_before_the_calls_are_kept(name):
    expected = PECULIAR[name]
    if not expected.calls:
        return
    issued: list[Issued] = []
    observer = CHAT.observe(Answered(keep=issued.append))
    meter = StreamMeter(CHAT, strip_usage=False, observer=observer)
    for raw in expected.events:
        out = meter.feed(raw)
        if b'"finish_reason":"tool_calls"' in out or b"[DONE]" in out:
            assert issued
            return


@pytest.mark.parametrize("name", STREAMS)
@few
@given(places=places)
def test_recordings_pass_as_they_came(name, places):
    """But for a role that is said again."""
    data = recording(name)
    spec = SPECS[dialect_of(name)]
    if spec.observe is None:
        return
    mended = Mended(cut(data, places), dialect=spec)
    assert mended.parts <= {"role"}
    if not mended.parts:
        assert mended.bytes == data
    else:
        assert len(raw_events(mended.bytes)) == len(raw_events(data))
        assert mended.bytes.count(b'"role"') == 1


def test_ids_are_a_function_of_the_history():
    stream = PECULIAR["without an id"].bytes
    ids = [
        [call["id"] for call in sdk(Mended([stream], history=history).bytes)["calls"]]
        for history in (b"[1]", b"[1]", b"[2]")
    ]
    assert ids[0] == ids[1]
    assert not {*ids[0]} & {*ids[2]}


def test_several_choices_that_were_asked_for_stay_apart():
    events = [
        event([{"index": i, "delta": {"role": "assistant", "content": "x"}}])
        for i in (0, 1)
    ]
    data = b"".join(
        [
            *events,
            event([{"index": 1, "delta": {"tool_calls": [{"index": 0, "id": "a"}]}}]),
            event([{"index": 0, "delta": {"tool_calls": [{"index": 0, "id": "b"}]}}]),
            event([{"index": i, "delta": {}, "finish_reason": "stop"} for i in (0, 1)]),
            DONE,
        ]
    )
    assert Mended([data], n=2).bytes == data


@pytest.mark.parametrize(
    "events",
    [
        [START, sse({"error": {"message": "overloaded", "code": 503}}), DONE],
        [
            START,
            chunk({"content": "x"}),
            sse({"error": {"message": "overloaded"}}),
            DONE,
        ],
        [START, chunk({"content": "x"}, "error"), DONE],
        [START, chunk({"content": "x"})],
        [START, DONE],
        [DONE],
        [b"data: \n\n", b"data: {\n\n", b'data: {"choices":7,"role":1}\n\n', DONE],
        [sse({"choices": [None, 3, "x"], "role": 0}), sse([{"role": 1}])],
        [calls("x", None, 7)],
        [b"event: x\nid: 7\ndata: [DONE]\n\n"],
    ],
)
def test_no_end_is_made_up(events):
    data = b"".join(events)
    assert Mended([data]).bytes == data
    assert Mended(list(events)).bytes == data


def test_all_else_of_a_mended_event_stays_byte_for_byte():
    raw = (
        b': hi\nevent: x\nid: 9\ndata: {"id" : "c", "n":1.00,"big":123456789012345678901,'
        b'"choices":[{"index":0,"delta":{"tool_calls":[{"id":"a","function":{"name":"f",'
        b'"arguments":"{}"}}]}}], "z":"\xc3\xa9\\u00e9" }\n\n'
    )
    out = Mended([raw]).bytes
    start, end = raw.index(b"[{"), raw.index(b', "z"')
    assert out.startswith(raw[:start])
    assert out.endswith(raw[end:])


def test_a_stream_of_several_data_lines_is_mended_too():
    raw = (
        START
        + b'data: {"choices":[{"index":0,\ndata: "delta":{"role":"assistant"}}]}\n\n'
    )
    assert Mended([raw]).bytes.count(b"role") == 1


def test_usage_is_counted_and_taken_out_as_ever():
    stream = PECULIAR["each call at index 0"].events
    data = b"".join(
        [
            *stream[:-2],
            chunk({}, "tool_calls"),
            event([], usage={"prompt_tokens": 3}),
            DONE,
        ]
    )
    mended = Mended([data], strip_usage=True)
    assert b"usage" not in mended.bytes
    assert mended.meter.usage(prompt_estimate=0).prompt == 3
    assert mended.meter.ended


def test_usage_in_odd_places_counts_and_keeps_its_bytes():
    for event_ in (
        chunk({}, "stop", x_groq={"usage": {"prompt_tokens": 5, "completion_tokens": 2}}),
        event([{"index": 0, "delta": {}, "finish_reason": "stop",
                "usage": {"prompt_tokens": 5, "completion_tokens": 2}}]),
    ):  # fmt: skip
        data = START + chunk({"content": "x"}) + event_ + DONE
        mended = Mended([data])
        assert mended.bytes == data
        found = mended.meter.usage(prompt_estimate=0)
        assert (found.source, found.prompt, found.completion) == ("reported", 5, 2)


def test_thoughts_of_every_kind_are_kept():
    details = [
        {"type": "reasoning.text", "index": 0, "text": "Two "},
        {"type": "reasoning.text", "index": 0, "text": "sums.", "signature": "sig"},
        {"type": "reasoning.encrypted", "index": 1, "data": "xx"},
    ]
    kinds = [
        [{"reasoning_content": "Two "}, {"reasoning_content": "sums."}],
        [{"reasoning": "Two "}, {"reasoning": "sums."}],
        [{"reasoning_text": "Two sums."}],
        [{"reasoning": "Two sums.", "reasoning_content": "Two sums."}],
        [{"reasoning_details": [one]} for one in details],
    ]
    for deltas in kinds:
        data = START + b"".join(map(chunk, deltas)) + calls(_call()) + DONE
        [(_, kept)] = Mended([data]).issued[-1].calls
        assert kept.thoughts == "Two sums."
    assert kept.opaque == [
        {"type": "reasoning.text", "index": 0, "text": "Two sums.", "signature": "sig"},
        details[2],
    ]


def _call(**more):
    function = {"name": "add", "arguments": "{}"}
    return {"index": 0, "id": "a1", "type": "function", "function": function, **more}


def test_a_signature_on_a_call_is_kept():
    signed = _call(extra_content={"google": {"thought_signature": "Eo8C"}})
    data = START + calls(signed) + chunk({}, "tool_calls") + DONE
    mended = Mended([data])
    assert mended.bytes == data
    [(_, kept)] = mended.issued[-1].calls
    assert kept.signature == "Eo8C"


def test_a_part_of_the_thoughts_is_not_kept():
    long = chunk({"reasoning_content": "x" * 1_000_000})
    data = [START, *[long] * 5, calls(_call()), DONE]
    [(_, kept)] = Mended(data).issued[-1].calls
    assert kept.thoughts == ""


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 3) | st.sampled_from(["", "a", "add"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "choices",
                    "delta",
                    "index",
                    "id",
                    "type",
                    "function",
                    "name",
                    "arguments",
                    "tool_calls",
                    "role",
                    "content",
                    "message",
                    "finish_reason",
                    "extra_content",
                    "google",
                    "thinking",
                    "text",
                ]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=12,
)


@examples(300)
@given(
    choices=st.lists(
        st.fixed_dictionaries(
            {"delta": json_values | st.fixed_dictionaries({"tool_calls": json_values})},
            optional={"index": json_values, "message": json_values},
        )
    )
)
def test_whatever_comes_nothing_breaks(choices):
    data = START + event(choices) + event(choices) + DONE
    Mended([data])
    Mended([data], n=2)


def pieces(text: str, size: int = 3) -> list[str]:
    return [text[i : i + size] for i in range(0, len(text), size)]


LONG = 'Say "role":"x", \\ and\n{"index":1} [DONE] \u00e9 and "content":[ thrice. ' * 3
ARGUMENTS = json.dumps({"text": LONG, "n": [1, {"tool_calls": [{"index": 0}]}]})


def long_stream(same_index: bool = False, tail: bool = False) -> list[bytes]:
    """Hundreds of events, alike but for one string: two calls behind thoughts and text."""

    def more(i: int) -> dict[str, str]:
        return {"obfuscation": "x" * (i % 7)} if tail else {}

    events = [START]
    for i, piece in enumerate(pieces(LONG)):
        events.append(chunk({"content": None, "reasoning_content": piece}, **more(i)))
    for i, piece in enumerate(pieces(LONG)):
        events.append(chunk({"content": piece}, **more(i)))
    for position, id in enumerate(("call_a", "call_b")):
        index = 0 if same_index else position
        function = {"name": "say", "arguments": ""}
        events.append(calls(_call(index=index, id=id, function=function)))
        for i, piece in enumerate(pieces(ARGUMENTS)):
            part = {"index": index, "function": {"arguments": piece}}
            events.append(chunk({"tool_calls": [part]}, **more(i)))
    return [*events, chunk({}, "tool_calls"), DONE]


@pytest.mark.parametrize("tail", [False, True])
@pytest.mark.parametrize("same_index", [False, True])
@few
@given(places=places)
def test_a_long_stream_is_read_whole(same_index, tail, places):
    events = long_stream(same_index, tail)
    data = b"".join(events)
    by_event = Mended(events)
    for mended in (by_event, Mended(cut(data, places)), Mended([data])):
        assert mended.bytes == by_event.bytes
        assert mended.parts == ({"index"} if same_index else set())
        assert mended.issued[-1].calls == tuple(
            (CallKey(id, "say", ARGUMENTS), Kept(LONG)) for id in ("call_a", "call_b")
        )
    assert (by_event.bytes == data) is not same_index
    got = sdk(by_event.bytes)
    assert (got["content"], got["thoughts"]) == (LONG, LONG)
    assert [call["arguments"] for call in got["calls"]] == [ARGUMENTS] * 2


def test_fragments_in_turns_go_to_their_calls():
    first, second = json.dumps({"a": LONG}), json.dumps({"b": LONG[::-1]})
    events = [
        START,
        *(
            calls(_call(index=i, id=f"c{i}", function={"name": "f", "arguments": ""}))
            for i in (0, 1)
        ),
    ]
    for one, other in zip(pieces(first), pieces(second), strict=True):
        for i, piece in ((0, one), (1, other)):
            events.append(calls({"index": i, "function": {"arguments": piece}}))
    mended = Mended([*events, chunk({}, "tool_calls"), DONE])
    assert mended.parts == set()
    assert [call.arguments for call, _ in mended.issued[-1].calls] == [first, second]


@pytest.mark.parametrize(
    ("odd", "part"),
    [
        (chunk({"role": "assistant", "content": "x"}), "role"),
        (chunk({"content": [text("x")]}), "content"),
        (event([{"index": 1, "delta": {"content": "x"}}]), "choices"),
        (event([{"index": 0, "message": {"content": "x"}}]), "message"),
    ],
)
def test_an_odd_event_amid_those_alike(odd, part):
    alike = [chunk({"content": f"word {i} "}) for i in range(20)]
    mended = Mended([START, *alike, odd, *alike, chunk({}, "stop"), DONE])
    assert mended.parts == {part}
    assert mended.bytes.startswith(START + b"".join(alike))
    assert mended.bytes.endswith(b"".join(alike) + chunk({}, "stop") + DONE)


@few
@given(texts=st.lists(st.text(max_size=12), min_size=3, max_size=9), at=st.data())
def test_text_is_counted_and_passed_alike_however_it_is_cut(texts, at):
    choice = {"index": 0, "delta": {"content": ""}, "finish_reason": None}
    events = [sse({"choices": [choice | {"delta": {"content": t}}]}) for t in texts]
    whole = b"".join(events)
    place = at.draw(st.integers(0, len(whole)))
    ways = events, [whole], [whole[:place], whole[place:]]
    end = chunk({}, "stop") + DONE
    found = [Mended([*way, end], strip_usage=True, mask=bytes) for way in ways]
    assert {each.bytes for each in found} == {whole + end}
    assert len({each.meter.usage(prompt_estimate=1) for each in found}) == 1
