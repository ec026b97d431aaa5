"""Broken streams of an upstream: the client's SDK gets a well-formed answer or an error."""

import itertools
import json
import random
import tracemalloc

import pytest
from examples import FULL_MATRIX

from llm_gateway.domain import Usage
from llm_gateway.streaming.sse import raw_events
from llm_gateway.translation.answer_events import (
    ArgumentsDelta,
    CallEnded,
    CallStarted,
    Ended,
    Started,
    TextDelta,
    ThoughtDelta,
)
from llm_gateway.translation.translator import AnswerTranslator
from translation.test_answers import CODECS, CONTEXT, written
from translation.vendors import STREAM, errors

pytestmark = pytest.mark.process  # an SDK asks for the platform

PAIRS = list(itertools.permutations(sorted(CODECS), 2))
NAMES = sorted(CODECS)
LARGE = PAIRS if FULL_MATRIX else [*zip(NAMES, NAMES[1:] + NAMES[:1], strict=True)]
"""For tests of megabytes: each dialect once as the client's and once as the upstream's."""

ANSWER = [
    Started("id", "m"),
    ThoughtDelta("Hm."),
    TextDelta("One "),
    TextDelta("two."),
    CallStarted(0, "call_a", "get"),
    ArgumentsDelta(0, '{"a":'),
    ArgumentsDelta(0, '"x"}'),
    CallEnded(0),
    CallStarted(1, "call_b", "get"),
    ArgumentsDelta(1, '{"b":2}'),
    CallEnded(1),
    Usage(input_tokens=5, output_tokens=7),
    Ended("tools"),
]


def translated(client, upstream, data):
    translator = AnswerTranslator(CODECS[client], CODECS[upstream], CONTEXT)
    return translator.feed(data) + translator.end(), translator


def end_of(client, data):
    """What the SDK makes of it: the final object, or None for an error that it knows."""
    try:
        return STREAM[client](data)
    except errors():
        return None


@pytest.mark.parametrize(("client", "upstream"), PAIRS)
def test_every_event_that_is_missing_doubled_or_moved(client, upstream):
    events = raw_events(written(upstream, ANSWER))
    streams = []
    for i in range(len(events)):
        streams.append([*events[:i], *events[i + 1 :]])
        streams.append([*events[:i], events[i], *events[i:]])
        streams.append(
            [*events[:i], *events[i + 1 : i + 2], events[i], *events[i + 2 :]]
        )
    streams.append([event for event in events for _ in range(2)])
    order = random.Random(1)
    for _ in range(8):
        streams.append(order.sample(events, len(events)))
    for stream in streams:
        out, translator = translated(client, upstream, b"".join(stream))
        assert translator.over
        final = end_of(client, out)
        assert (final is None) == (translator.failed_with is not None)


SAYS_WHY = {
    "chat": b'"finish_reason":"',
    "generateContent": b'"finishReason":"',
    "messages": b'"stop_reason":"',
    "responses": b"event: response.completed",
}
"""What stands in the event that says how the answer ended."""


@pytest.mark.parametrize(("client", "upstream"), PAIRS)
def test_every_cut_is_an_error(client, upstream):
    """Wherever the upstream stops before it says how the answer ended."""
    events = raw_events(written(upstream, ANSWER))
    ends = next(i for i, event in enumerate(events) if SAYS_WHY[upstream] in event)
    for i in range(ends):
        out, translator = translated(client, upstream, b"".join(events[:i]))
        assert translator.failed_with is not None
        assert end_of(client, out) is None


ARGUMENTS = {
    "text": '"a"',
    "a list": "[1]",
    "nonsense": "get(a)",
    "open": '{"a":',
    "inner": '{"a":{"a":1}1}',
    "a line break": '{"a":"\n"}',
    "deep": '{"a":' + "[" * 100_000 + "]" * 100_000 + "}",
}


@pytest.mark.parametrize("kind", ARGUMENTS)
def test_arguments_that_do_not_parse_are_an_error_in_messages(kind):
    events = [
        Started("id", "m"),
        CallStarted(0, "call_a", "get"),
        ArgumentsDelta(0, ARGUMENTS[kind]),
        CallEnded(0),
        Ended("tools"),
    ]
    out, translator = translated("messages", "chat", written("chat", events))
    assert translator.failed_with is not None
    assert "get" in translator.failed_with.message
    assert end_of("messages", out) is None


def test_arguments_that_a_bound_has_cut_end_for_the_bound():
    events = [
        Started("id", "m"),
        CallStarted(0, "call_a", "get"),
        ArgumentsDelta(0, '{"a": "lo'),
        Ended("length"),
    ]
    out, _ = translated("messages", "chat", written("chat", events))
    assert end_of("messages", out)["stop_reason"] == "max_tokens"


MOST_KEPT = {"chat": 2, "messages": 2, "generateContent": 60, "responses": 100}
"""Client's dialect -> megabytes while 10 MB of arguments pass. Two of them say a call whole: at
once, or once more at its end."""


@pytest.mark.parametrize(("client", "upstream"), LARGE)
def test_ten_megabytes_of_arguments_pass_in_bounded_memory(client, upstream):
    writer = CODECS[upstream].answer_writer(CONTEXT)
    translator = AnswerTranslator(CODECS[client], CODECS[upstream], CONTEXT)
    begin = [Started("id", "m"), CallStarted(0, "call_a", "get")]
    for event in [*begin, ArgumentsDelta(0, '{"a":"')]:
        translator.feed(writer.write(event))
    size = (
        10_000_000 if upstream == "generateContent" else 10_000
    )  # a call is one event
    piece = writer.write(ArgumentsDelta(0, "x" * size))
    end = b"".join(
        map(writer.write, [ArgumentsDelta(0, '"}'), CallEnded(0), Ended("tools")])
    )
    tracemalloc.start()
    passed = sum(len(translator.feed(piece)) for _ in range(10_000_000 // size))
    passed += len(translator.feed(end))
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert translator.over
    assert translator.failed_with is None
    assert passed > 10_000_000
    whole = 60 if upstream in ("generateContent", "responses") else 0
    assert most < (MOST_KEPT[client] + whole) * 1_000_000


@pytest.mark.parametrize(("client", "upstream"), LARGE)
def test_arguments_without_end_are_an_error(client, upstream):
    writer = CODECS[upstream].answer_writer(CONTEXT)
    translator = AnswerTranslator(CODECS[client], CODECS[upstream], CONTEXT)
    begin = [Started("id", "m"), CallStarted(0, "call_a", "get")]
    for event in [*begin, ArgumentsDelta(0, '{"a":"')]:
        translator.feed(writer.write(event))
    piece = "x" * 6_000_000
    for event in [*[ArgumentsDelta(0, piece)] * 3, CallEnded(0)]:
        translator.feed(writer.write(event))
    assert translator.over
    assert "too large" in translator.failed_with.message


def test_what_has_to_be_held_for_order_is_bounded():
    events = [Started("id", "m")]
    events += [CallStarted(0, "call_a", "get"), ArgumentsDelta(0, "{")]
    events += [CallStarted(1, "call_b", "get")]
    data = written("chat", events)
    more = written("chat", [*events, ArgumentsDelta(1, "x" * 1_000_000)])[len(data) :]
    translator = AnswerTranslator(CODECS["messages"], CODECS["chat"], CONTEXT)
    out = translator.feed(data)
    for _ in range(20):
        out += translator.feed(more)
    assert translator.over
    assert len(out) < 10_000
    assert end_of("messages", out) is None


def test_an_event_without_end_is_bounded():
    translator = AnswerTranslator(CODECS["messages"], CODECS["chat"], CONTEXT)
    out = translator.feed(b'data: {"choices":[{"delta":{"content":"')
    for _ in range(20):
        out += translator.feed(b"x" * (1 << 20))
    assert translator.over
    assert end_of("messages", out) is None


NO_ANSWERS = (
    b"", b"nonsense", b"[]", b"{}", b'{"choices":[]}', b'{"choices":7}', b"null",
    b'{"content":7}', b'{"error":{"message":"Broken.","type":"server_error"}}',
    b"[" * 100_000,
)  # fmt: skip


@pytest.mark.parametrize(("client", "upstream"), PAIRS)
@pytest.mark.parametrize("body", NO_ANSWERS, ids=lambda b: b[:20].decode())
def test_plain_bodies_that_hold_no_answer_are_errors(client, upstream, body):
    translator = AnswerTranslator(CODECS[client], CODECS[upstream], CONTEXT)
    assert end_of(client, translator.plain(body)) is None
    assert translator.failed_with is not None


ODD = (None, 7, "x", [], {}, [None], [7], {"a": None}, True, -1.5, "\ud800")


def twisted(value, order):
    """The same JSON with one value replaced by an odd one."""
    places = []

    def walk(inner):
        for key in inner if isinstance(inner, dict) else range(len(inner)):
            places.append((inner, key))
            if isinstance(inner[key], dict | list):
                walk(inner[key])

    value = json.loads(json.dumps(value))
    walk(value)
    holder, key = order.choice(places)
    holder[key] = order.choice(ODD)
    return value


@pytest.mark.parametrize(("client", "upstream"), PAIRS)
def test_odd_values_anywhere_in_an_event_never_raise(client, upstream):
    order = random.Random(2)
    events = raw_events(written(upstream, ANSWER))
    for _ in range(300):
        changed = list(events)
        i = order.randrange(len(events))
        head, _, data = events[i].partition(b"data: ")
        try:
            value = twisted(json.loads(data), order)
        except ValueError:
            continue
        changed[i] = head + b"data: " + json.dumps(value).encode() + b"\n\n"
        out, translator = translated(client, upstream, b"".join(changed))
        assert translator.over
        assert out
