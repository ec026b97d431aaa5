"""Answers: what is written is read back, wherever it is cut, by us and by the vendors' SDKs."""

import json
from dataclasses import replace

import pytest
from examples import examples
from hypothesis import given
from hypothesis import strategies as st

from llm_gateway.adaptation.marked_state import read_mark
from llm_gateway.dialects import SPECS
from llm_gateway.translation.answer_events import (
    ArgumentsDelta,
    CallEnded,
    CallStarted,
    Ended,
    Failed,
    Ping,
    Started,
    TextDelta,
    ThoughtDelta,
)
from llm_gateway.translation.codec import AnswerContext
from llm_gateway.translation.conversation import Opaque
from llm_gateway.translation.ordering import InOrder
from llm_gateway.translation.translator import AnswerTranslator
from translation.answers import answers, said
from translation.vendors import PLAIN, STREAM

CODECS = {name: spec.codecs for name, spec in SPECS.items() if spec.codecs is not None}
TESTED = ("chat", "messages")
PAIRS = [(a, b) for a in TESTED for b in TESTED if a != b]
CONTEXT = AnswerContext(model="m", stream=True, seed="s", maker="acme", created=7)
PLAINLY = replace(CONTEXT, stream=False)


def written(name, events, context=CONTEXT):
    writer = CODECS[name].answer_writer(context)
    if context.stream:
        return b"".join(map(writer.write, events))
    return writer.plain(events)


class Reading:
    """A client's dialect that shows the events that come out of a translator."""

    def __init__(self, source):
        self.events = []
        self.codecs = replace(source, answer_writer=lambda context: self)

    def write(self, event):
        self.events.append(event)
        return b""

    def plain(self, events):
        self.events += events
        return b""


def read(name, chunks, context=CONTEXT):
    reading = Reading(CODECS[name])
    translator = AnswerTranslator(reading.codecs, CODECS[name], context)
    if context.stream:
        for chunk in chunks:
            translator.feed(chunk)
        translator.end()
    else:
        translator.plain(b"".join(chunks))
    return reading.events


def cut(data, at):
    points = sorted({min(point, len(data)) for point in at})
    return [data[a:b] for a, b in zip([0, *points], [*points, len(data)], strict=True)]


@pytest.mark.parametrize("name", TESTED)
@examples(40)
@given(events=answers, cuts=st.lists(st.integers(0, 3_000), max_size=8))
def test_a_stream_is_read_as_it_was_written_wherever_it_is_cut(name, events, cuts):
    data = written(name, events)
    assert unmarked(said(read(name, cut(data, cuts)))) == said(events)


@pytest.mark.parametrize("name", TESTED)
@given(events=answers)
def test_a_plain_answer_is_read_as_it_was_written(name, events):
    data = written(name, events, PLAINLY)
    assert unmarked(said(read(name, [data], PLAINLY))) == said(events)


def unmarked(found):
    """State is marked for clients: what they would send back is what was in it."""
    blocks, usage, end = found
    return [[_unmarked(each) for each in b] for b in blocks], usage, end


def _unmarked(value):
    if isinstance(value, str) and value.startswith("["):
        detail = json.loads(value)[0]
        value = detail["signature"]
    mark = read_mark(value) if isinstance(value, str) else None
    return value if mark is None else mark.data


@pytest.mark.parametrize(("client", "upstream"), PAIRS)
@given(events=answers, cuts=st.lists(st.integers(0, 3_000), max_size=5))
def test_what_is_translated_does_not_depend_on_cuts(client, upstream, events, cuts):
    data = written(upstream, events)
    whole = AnswerTranslator(CODECS[client], CODECS[upstream], CONTEXT)
    expected = whole.feed(data) + whole.end()
    pieces = AnswerTranslator(CODECS[client], CODECS[upstream], CONTEXT)
    found = b"".join(map(pieces.feed, cut(data, cuts))) + pieces.end()
    assert found == expected


@pytest.mark.parametrize(("client", "upstream"), PAIRS)
def test_a_chunk_goes_out_when_it_comes_in(client, upstream):
    translator = AnswerTranslator(CODECS[client], CODECS[upstream], CONTEXT)
    writer = CODECS[upstream].answer_writer(CONTEXT)
    translator.feed(writer.write(Started("id", "m")))
    for word in ("One", " two", " three"):
        assert word.encode() in translator.feed(writer.write(TextDelta(word)))


@pytest.mark.parametrize(("client", "upstream"), PAIRS)
def test_pings_and_comments_become_the_clients_form(client, upstream):
    translator = AnswerTranslator(CODECS[client], CODECS[upstream], CONTEXT)
    writer = CODECS[upstream].answer_writer(CONTEXT)
    translator.feed(writer.write(Started("id", "m")))
    expected = CODECS[client].answer_writer(CONTEXT)
    expected.write(Started("id", "m"))
    assert translator.feed(b": keep-alive\n\n") == expected.write(Ping())
    assert translator.feed(writer.write(Ping())) == expected.write(Ping())


@pytest.mark.process  # an SDK asks for the platform
@pytest.mark.parametrize(("client", "upstream"), PAIRS)
@examples(20)
@given(events=answers)
def test_the_vendors_sdk_reads_the_same_from_a_stream_as_from_a_plain_answer(
    client, upstream, events
):
    """All four ways from upstream to client; streamed and plain, each either way."""
    finals = []
    for asked in (CONTEXT, PLAINLY):
        for given_ in (CONTEXT, PLAINLY):
            data = written(upstream, events, given_)
            translator = AnswerTranslator(CODECS[client], CODECS[upstream], asked)
            if given_.stream:
                out = translator.feed(data) + translator.end()
            else:
                out = translator.plain(data)
            parse = STREAM if asked.stream else PLAIN
            finals.append(comparable(parse[client](out)))
    for final in finals[1:]:
        assert final == finals[0]


def comparable(value):
    """Without what the SDK alone adds to one of its two ways."""
    if isinstance(value, dict):
        if "arguments" in value:
            value = {**value, "arguments": json.loads(value["arguments"])}
        return {
            k: comparable(v)
            for k, v in value.items()
            if v not in (None, "")
            and k not in ("parsed", "parsed_arguments", "index", "object")
        }
    return [comparable(v) for v in value] if isinstance(value, list) else value


@pytest.mark.process  # an SDK asks for the platform
@pytest.mark.parametrize(("client", "upstream"), PAIRS)
def test_an_error_in_mid_stream_is_an_error_for_the_sdk(client, upstream):
    writer = CODECS[upstream].answer_writer(CONTEXT)
    translator = AnswerTranslator(CODECS[client], CODECS[upstream], CONTEXT)
    out = translator.feed(writer.write(Started("id", "m")))
    out += translator.feed(writer.write(TextDelta("Once")))
    out += translator.feed(writer.write(Failed("The house burns.", "overloaded_error")))
    out += translator.end()
    with pytest.raises(Exception, match="The house burns"):
        STREAM[client](out)
    assert translator.failed_with is not None
    assert translator.failed_with.message == "The house burns."


@pytest.mark.process  # an SDK asks for the platform
@pytest.mark.parametrize(("client", "upstream"), PAIRS)
def test_a_stream_that_stops_short_is_an_error_never_a_clean_end(client, upstream):
    events = [Started("id", "m"), TextDelta("Once"), Ended("stop")]
    writer = CODECS[upstream].answer_writer(CONTEXT)
    pieces = [writer.write(event) for event in events]
    translator = AnswerTranslator(CODECS[client], CODECS[upstream], CONTEXT)
    out = b"".join(map(translator.feed, pieces[:-1])) + translator.end()
    with pytest.raises(Exception, match="ended before"):
        STREAM[client](out)
    assert translator.feed(pieces[-1]) == b""
    assert translator.end() == b""


def call(n, *arguments):
    return [CallStarted(n, f"c{n}", "f"), *(ArgumentsDelta(n, a) for a in arguments)]


@pytest.mark.parametrize(
    ("events", "ordered"),
    [
        ([*call(0, "{}"), *call(1, "{}")], ["0{}", "1{}"]),
        (
            [*call(0, '{"a"'), *call(1, '{"b"'), ArgumentsDelta(0, ":1}"), ArgumentsDelta(1, ":2}")],
            ['0{"a":1}', '1{"b":2}'],
        ),
        ([*call(0), *call(1), *call(2, "{}"), ArgumentsDelta(0, "{}"), ArgumentsDelta(1, "{}")], ["0{}", "1{}", "2{}"]),
        ([*call(0, "{}"), TextDelta("x"), *call(1, "{}")], ["0{}", "x", "1{}"]),
        ([*call(0, "{"), TextDelta("x"), ArgumentsDelta(0, "}")], ["0{}", "x"]),
        ([*call(0, "{}"), *call(1, "{}"), ArgumentsDelta(0, "{}")], ["0{}", "1{}"]),
        ([*call(0, "{}"), *call(0, "{}")], ["0{}"]),
        ([*call(0, '{"a":1}', '{"a":1}')], ['0{"a":1}']),
        ([ArgumentsDelta(5, "{}"), *call(0, "{}")], ["0{}"]),
    ],
    ids=["in turn", "interleaved", "three open", "text between", "text inside", "late", "twice", "doubled arguments", "never begun"],
)  # fmt: skip
def test_calls_are_put_in_order(events, ordered):
    found = InOrder(wants_objects=True).feed([*events, Ended("tools")])
    assert found[-1] == Ended("tools")
    blocks, open_call = [], None
    for event in found[:-1]:
        match event:
            case CallStarted(n):
                assert open_call is None
                open_call = n
                blocks.append(f"{n}")
            case ArgumentsDelta(n, text):
                assert n == open_call
                blocks[-1] += text
            case CallEnded(n):
                assert n == open_call
                open_call = None
            case TextDelta(text):
                assert open_call is None
                blocks.append(text)
    assert open_call is None
    assert blocks == ordered


def test_calls_of_one_answer_never_share_an_id():
    """A result could meet either; the same ids come out whenever it is read again."""
    events = [each for n in range(3) for each in call(n, "{}")]
    events = [replace(e, id="c") if isinstance(e, CallStarted) else e for e in events]
    found = [
        [e.id for e in InOrder().feed([*events, Ended("tools")]) if isinstance(e, CallStarted)]
        for _ in range(2)
    ]  # fmt: skip
    assert found[0] == found[1]
    assert found[0][0] == "c"
    assert len({*found[0]}) == 3


def history_of(client, stream, data):
    """A request that goes on from an answer, by the vendor's SDK."""
    final = (STREAM if stream else PLAIN)[client](data)
    if client == "messages":
        said = [{"role": "assistant", "content": final["content"]}]
        return {"max_tokens": 9, "messages": said}
    return {"input": final["output"]}


@pytest.mark.process  # an SDK asks for the platform
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("client", ["messages", "responses"])
def test_what_signs_a_call_travels_in_the_thought_before_it(client, stream):
    """Their calls have no field for it; a call without a thought is nobody's affair here."""
    state = Opaque("sig", "acme")
    first, second = (
        [replace(e, state=s) if isinstance(e, CallStarted) else e for e in call(n, "{}")]
        for n, s in ((0, state), (1, None))
    )  # fmt: skip
    context = replace(CONTEXT, stream=stream)
    events = [Started("id", "m"), ThoughtDelta("Hm."), *first, *second, Ended("tools")]
    out = written(client, InOrder().feed(events), context)
    [turn] = CODECS[client].read_request(history_of(client, stream, out)).turns
    thought, *calls = turn.parts
    assert (thought.text, thought.state.form) == ("Hm.", "plain")
    assert [made.state for made in calls] == [state, None]
    alone = [events[0], *first, *events[-1:]]
    out = written(client, InOrder().feed(alone), context)
    [turn] = CODECS[client].read_request(history_of(client, stream, out)).turns
    assert [part.state for part in turn.parts] == [None]
