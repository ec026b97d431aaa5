"""A meter takes nothing from a stream but its usage, and adds nothing to it."""

import json
import re

import pytest
from examples import examples
from hypothesis import given
from hypothesis import strategies as st
from tables import each_row
from wire import STREAMS, cut, dialect_of, fed, places, recording

from llm_gateway.dialects import CHAT, SPECS
from llm_gateway.dialects.prompt_size import BYTES_PER_TOKEN
from llm_gateway.domain import Usage
from llm_gateway.streaming.sse import LONGEST, raw_events
from llm_gateway.streaming.stream_meter import StreamMeter

few = examples(10)
"""There are many recordings."""

# recording -> model, input, cached, cache write, output, reasoning
VECTORS = {
    "openai_chat.sse": ("gpt-4o-mini-2024-07-18", 93, 1024, 0, 14, 32),
    "openai_chat_tools.sse": ("gpt-4o-mini-2024-07-18", 75, 0, 0, 16, 0),
    "azure_chat.sse": ("gpt-4o-2024-11-20", 12, 0, 0, 2, 0),
    "openrouter_chat.sse": ("deepseek/deepseek-chat-v3.1:free", 10, 0, 0, 5, 3),
    "groq_chat.sse": ("openai/gpt-oss-20b", 20, 0, 0, 9, 0),
    "mistral_chat.sse": ("mistral-small-latest", 24, 16, 0, 3, 0),
    "deepseek_chat.sse": ("deepseek-reasoner", 22, 0, 0, 5, 25),
    "xai_chat.sse": ("grok-4-fast", 26, 6, 0, 9, 94),
    "perplexity_chat.sse": ("sonar", 7, 0, 0, 2, 0),
    "moonshot_chat.sse": ("kimi-k2-0905-preview", 0, 19, 0, 13, 0),
    "gemini_chat.sse": ("gemini-2.5-flash", 9, 0, 0, 2, 600),
    "cerebras_chat.sse": ("gpt-oss-120b", 36, 64, 0, 8, 12),
    "openai_completions.sse": ("gpt-3.5-turbo-instruct", 5, 0, 0, 2, 0),
    "openai_responses.sse": ("gpt-5-mini-2025-08-07", 72, 256, 0, 12, 40),
    "anthropic_messages.sse": ("claude-sonnet-4-5-20250929", 14, 3000, 200, 8, 15),
    "anthropic_messages_tool.sse": ("claude-sonnet-4-5-20250929", 50, 0, 0, 31, 0),
}
# recordings that end in an error
BROKEN = {
    "openrouter_error.sse",
    "openai_responses_failed.sse",
    "anthropic_error.sse",
}
# recordings that hold an event with usage and nothing else
COUNTED_APART = {
    "openai_chat.sse",
    "openai_chat_tools.sse",
    "azure_chat.sse",
    "xai_chat.sse",
    "openai_completions.sse",
}


def meter(name: str, *, strip_usage: bool = False, **more) -> StreamMeter:
    return StreamMeter(SPECS[dialect_of(name)], strip_usage=strip_usage, **more)


def without_usage_event(data: bytes) -> bytes:
    return re.sub(rb'data: [^\n]*"choices":\[\],"usage":\{[^\n]*\n\n', b"", data)


def test_every_recording_has_a_vector():
    assert sorted({*VECTORS, *BROKEN}) == STREAMS


# --- how it ended


def flaw(name: str, data: bytes, **more) -> str:
    it = meter(name, **more)
    it.feed(data)
    it.finish()
    return it.end_error


@pytest.mark.parametrize("name", STREAMS)
@few
@given(places=places)
def test_a_whole_stream_has_no_flaw(name, places):
    it = meter(name, strip_usage=True)
    fed(it.feed, cut(recording(name), places))
    it.finish()
    assert it.end_error == ("error event" if name in BROKEN else "")


@pytest.mark.parametrize("name", VECTORS)
def test_a_stream_without_its_last_words_ended_early(name):
    events = raw_events(recording(name))
    last = rb'\[DONE\]|"finish_reason": ?"|"message_stop"|"response.completed"'
    content = [event for event in events if not re.search(last, event)]
    assert flaw(name, b"".join(content)) == "ended early"
    # One of them is enough.
    for event in events:
        if re.search(last, event):
            assert flaw(name, b"".join(content) + event) == ""


def test_words_about_the_end_are_no_end():
    said = {"choices": [{"delta": {"content": '"finish_reason": "stop" error failed'}}]}
    event = b"data: " + json.dumps(said).encode() + b"\n\n"
    assert flaw("openai_chat.sse", event) == "ended early"
    ends = b"data: [DONE]\n\n"
    assert flaw("openai_chat.sse", event + ends) == ""
    wrong = b'data: {"error": {"message": "overloaded"}}\n\n'
    assert flaw("openai_chat.sse", event + wrong + ends) == "error event"
    assert flaw("openai_chat.sse", b"data: " + b"x" * (LONGEST + 1)) == "ended early"


CHUNK = (
    'data: {"choices":[{"index":0,"delta":{"content":%s},"finish_reason":null}]}\n\n'
)
STOP = b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'
DONE = b"data: [DONE]\n\n"
ERROR = b'data: {"error": {"message": "overloaded"}}\n\n'
MESSAGE_STOP = b'event: message_stop\ndata: {"type": "message_stop"}\n\n'
COMPLETED = b'event: response.completed\ndata: {"type": "response.completed", "response": {}}\n\n'
INCOMPLETE = (
    b'data: {"sequence_number": 9, "type":"response.incomplete","response":{}}\n\n'
)


def chunk(text: str) -> bytes:
    return (CHUNK % json.dumps(text)).encode()


SAYS_DONE = chunk("A stream ends with `data: [DONE]` and")
PINGS = b": ping\n\n" * 40
TALKS = (
    b'data: {"type": "response.output_text.delta", "delta": "response.completed"}\n\n'
)
ECHOES = (
    b'data: {"type": "response.created", "response": {"tools": [{"parameters": '
    b'{"type": "response.completed"}}]}}\n\n'
)

# dialect, a stream, has it said its last word, its flaw once the upstream has ended
ENDS = [
    ("chat", chunk("a") + STOP + DONE, True, ""),
    ("chat", chunk("a") + DONE, True, ""),
    ("chat", chunk("a") + STOP, True, ""),
    ("chat", chunk("a") + STOP.replace(b'n":"s', b'n" : "s'), True, ""),
    ("chat", chunk("a") + DONE.replace(b": ", b":"), True, ""),
    ("chat", chunk("a") + DONE.replace(b"\n", b"\r\n"), True, ""),
    ("chat", chunk("a") + b"event: x\ndata: [DONE]\n\n", True, ""),
    # not closed by a blank line yet
    ("chat", chunk("a") + b"data: [DONE]", True, ""),
    ("chat", chunk("a") + STOP[:-2], True, ""),
    # whatever follows
    ("chat", chunk("a") + DONE + PINGS, True, ""),
    ("chat", chunk("a") + STOP + PINGS + chunk("b") * 20, True, ""),
    ("chat", chunk("a") + DONE + ERROR, True, ""),
    ("chat", chunk("a") + DONE + b'data: {"cost": 1}\n\n' * 20, True, ""),
    # what only looks like one
    ("chat", chunk("a"), False, "ended early"),
    ("chat", SAYS_DONE, False, "ended early"),
    ("chat", SAYS_DONE[:-9], False, "ended early"),
    ("chat", chunk('"finish_reason": "stop"'), False, "ended early"),
    ("chat", chunk('{"text": "data: [DONE]\\n"}'), False, "ended early"),
    ("completions", b'data: {"choices":[{"text":"[DONE], then"}]}\n\n', False, "ended early"),
    ("completions", b'data: {"choices":[{"text":"a","finish_reason":"length"}]}\n\n', True, ""),
    # an error before it
    ("chat", chunk("a") + ERROR + DONE, False, "error event"),
    ("chat", chunk("a") + STOP.replace(b"stop", b"error") + DONE, False, "error event"),
    ("chat", chunk("a") + STOP.replace(b"stop", b"network_error"), False, "error event"),
    ("messages", MESSAGE_STOP, True, ""),
    ("messages", MESSAGE_STOP + DONE + PINGS, True, ""),
    ("messages", b'data: {"type":"content_block_delta","delta":{"text":"message_stop"}}\n\n', False, "ended early"),
    ("responses", COMPLETED, True, ""),
    ("responses", COMPLETED + PINGS, True, ""),
    ("responses", INCOMPLETE, True, ""),
    ("responses", TALKS, False, "ended early"),
    ("responses", ECHOES, False, "ended early"),
]  # fmt: skip


@each_row(("dialect", "stream", "ended", "expected"), ENDS)
@each_row("size", [1, 40, 1 << 20])
def test_the_last_word_ends_a_stream_whatever_follows(
    dialect, stream, ended, expected, size
):
    it = StreamMeter(SPECS[dialect], strip_usage=False)
    for i in range(0, len(stream), size):
        it.feed(stream[i : i + size])
    assert it.ended is ended
    it.finish()
    assert (it.ended, it.end_error) == (ended, expected)


BIG = "iVBORw0KGgo" * (LONGEST // 5)
IMAGE = {"images": [{"image_url": {"url": "data:image/png;base64," + BIG}}]}


def data(value: object, name: str = "") -> bytes:
    head = f"event: {name}\n" if name else ""
    return f"{head}data: {json.dumps(value)}\n\n".encode()


def choice(delta: object, finish: str | None = None, **more: object) -> dict:
    return {"choices": [{"index": 0, "delta": delta, "finish_reason": finish}], **more}


U = {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}
R = {"input_tokens": 11, "output_tokens": 7, "total_tokens": 18}
APART = data({"choices": [], "usage": U})
LARGE = {
    "a picture, usage apart": ("chat", [data(choice(IMAGE)), data(choice({}, "stop")), APART, DONE]),
    "a text, usage apart": ("chat", [data(choice({"content": BIG})), data(choice({}, "stop")), APART, DONE]),
    "all in one": ("chat", [data(choice(IMAGE, "stop", usage=U))]),
    "usage first": ("chat", [data({"usage": U, **choice(IMAGE, "stop")})]),
    "two large ones": ("chat", [data(choice(IMAGE)), data(choice(IMAGE, "stop")), APART]),
    "responses, the last event": ("responses", [data({"type": "response.completed", "response": {"output": [{"result": BIG}], "usage": R}}, "response.completed")]),
    "responses, its type behind": ("responses", [data({"response": {"output": [{"result": BIG}], "usage": R}, "type": "response.completed"})]),
    "messages": ("messages", [data({"type": "message_start", "message": {"usage": {"input_tokens": 11, "output_tokens": 1}}}), data({"type": "content_block_delta", "delta": {"text": BIG}}), data({"type": "message_delta", "usage": {"output_tokens": 7}}), data({"type": "message_stop"})]),
}  # fmt: skip


@each_row("name", LARGE)
@each_row("strip", [False, True])
@each_row("size", [16_384, 999_983, 1 << 26])
def test_events_of_any_size_are_metered(name, strip, size):
    dialect, events = LARGE[name]
    it = StreamMeter(SPECS[dialect], strip_usage=strip)
    stream = b"".join(events)
    out = b"".join(it.feed(stream[i : i + size]) for i in range(0, len(stream), size))
    assert it.ended
    out += it.finish()
    kept = [e for e in events if not (strip and e == APART)]
    assert out == b"".join(kept)
    found = it.usage(prompt_estimate=1)
    assert found.source == "reported"
    assert (found.input_tokens, found.output_tokens) == (11, 7)
    assert it.end_error == ""


def test_a_large_text_is_estimated_by_its_size():
    it = StreamMeter(CHAT, strip_usage=False)
    for event in (data(choice({"content": BIG})), data(choice(IMAGE)), DONE):
        for i in range(0, len(event), 100_000):
            it.feed(event[i : i + 100_000])
    it.finish()
    found = it.usage(prompt_estimate=1)
    assert found.source == "estimated"
    assert found.output_tokens == pytest.approx(len(BIG) / BYTES_PER_TOKEN, rel=0.1)


@pytest.mark.parametrize("strip", [False, True])
def test_a_stream_that_is_cut_inside_a_large_event_ended_early(strip):
    it = StreamMeter(CHAT, strip_usage=strip)
    part = data(choice({"content": BIG}))[:-100]
    assert it.feed(part) + it.finish() == part
    assert it.separator == b"\n\n"
    assert it.end_error == "ended early"


# --- passing on


@pytest.mark.parametrize("name", STREAMS)
@few
@given(places=places)
def test_bytes_pass_as_they_come(name, places):
    it = meter(name)
    for chunk in cut(recording(name), places):
        assert it.feed(chunk) == chunk
    assert it.finish() == b""


@pytest.mark.parametrize("name", STREAMS)
@few
@given(places=places)
def test_only_the_usage_event_is_taken_out(name, places):
    data = recording(name)
    expected = without_usage_event(data)
    assert (expected != data) == (name in COUNTED_APART)
    it = meter(name, strip_usage=True)
    assert fed(it.feed, cut(data, places)) + it.finish() == expected


@pytest.mark.parametrize("name", STREAMS)
def test_stripping_byte_by_byte_delays_nothing_that_a_client_could_read(name):
    """At every moment, all whole events that may go out have gone out."""
    data = recording(name)
    it = meter(name, strip_usage=True)
    out = b""
    for i in range(len(data)):
        out += it.feed(data[i : i + 1])
        if data[: i + 1].endswith(b"\n\n"):
            assert out == without_usage_event(data[: i + 1])


def test_an_event_with_a_choice_passes_before_it_is_whole():
    it = StreamMeter(CHAT, strip_usage=True)
    assert it.feed(b'data: {"id":"1","choices":[') == b""
    head = b'data: {"id":"1","choices":[{"delta":{"content":"a'
    assert it.feed(b'{"delta":{"content":"a') == head
    assert it.feed(b"b") == b"b"
    assert it.feed(b'c"}}]}\n') == b'c"}}]}\n'
    assert it.feed(b"\ndata: ") == b"\n"
    assert it.feed(b"[DONE]\n\n") == b"data: [DONE]\n\n"


@pytest.mark.parametrize(
    "event",
    [
        # what is not the event that we asked for
        b'data: {"choices":[],"usage":null}\n\n',
        b'data: {"choices":[],"usage":{}}\n\n',
        b'data: {"choices":[],"prompt_filter_results":[]}\n\n',
        b'data: {"choices":[{"index":0}],"usage":{"prompt_tokens":1}}\n\n',
        b'data: {"error":{"message":"x"},"usage":{"prompt_tokens":1}}\n\n',
        b'data: {"choices":[],"usage":{"prompt_tokens":1}\n\n',
        b'data: "usage":{}\n\n',
        b': "usage":{}\n\n',
        b"\n\n",
    ],
)
def test_anything_else_stays(event):
    it = StreamMeter(CHAT, strip_usage=True)
    assert it.feed(event) == event


@pytest.mark.parametrize(
    "event",
    [
        b'data: {"choices":[],"usage":{"prompt_tokens":1}}\n\n',
        b'data: {"usage" : {"prompt_tokens":1}}\n\n',
        b'data: {"choices":null,"usage":{"prompt_tokens":1}}\r\n\r\n',
        b': x\ndata: {"choices":[],\ndata: "usage":{"prompt_tokens":1}}\n\n',
    ],
)
def test_spellings_of_the_usage_event(event):
    it = StreamMeter(CHAT, strip_usage=True)
    assert it.feed(event) == b""
    assert it.usage(prompt_estimate=9).input_tokens == 1


def test_messages_and_responses_are_never_stripped():
    for name in ("anthropic_messages.sse", "openai_responses.sse"):
        it = meter(name, strip_usage=True)
        assert it.feed(recording(name)) == recording(name)


# --- counting


@pytest.mark.parametrize("name", sorted(VECTORS))
@few
@given(places=places)
def test_vectors(name, places):
    model, *counts = VECTORS[name]
    it = meter(name)
    fed(it.feed, cut(recording(name), places))
    it.finish()
    expected = Usage(*counts, source="reported", model=model)
    assert it.usage(prompt_estimate=999) == expected
    assert it.first_content


@pytest.mark.parametrize("name", sorted(VECTORS))
def test_a_missing_last_blank_line_loses_nothing(name):
    model, *counts = VECTORS[name]
    data = recording(name).removesuffix(b"data: [DONE]\n\n").rstrip()
    for strip_usage in (False, True):
        it = meter(name, strip_usage=strip_usage)
        out = it.feed(data) + it.finish()
        if not strip_usage:
            assert out == data
        expected = Usage(*counts, source="reported", model=model)
        assert it.usage(prompt_estimate=999) == expected


# recording cut before its usage -> input, output
CUT = {
    "openai_chat.sse": (999, 9),  # Grüße aus \"Köln\" 👋: 26 bytes with escapes
    "openai_chat_tools.sse": (999, 7),  # {\"city\":\"Köln\"}
    "deepseek_chat.sse": (999, 5),  # 9.11 or 9.8? 9.8
    "openai_completions.sse": (999, 4),
    "openai_responses.sse": (999, 4),
}


@pytest.mark.parametrize("name", sorted(CUT))
@few
@given(places=places)
def test_a_cut_stream_is_estimated_from_what_was_seen(name, places):
    events = raw_events(recording(name))
    last = next(i for i, e in enumerate(events) if re.search(rb'"usage":\{"', e))
    it = meter(name)
    fed(it.feed, cut(b"".join(events[:last]), places))
    usage = it.usage(prompt_estimate=999)
    assert (usage.input_tokens, usage.output_tokens) == CUT[name]
    assert usage.source == "estimated"


def test_a_cut_message_keeps_the_prompt_that_was_reported():
    events = raw_events(recording("anthropic_messages.sse"))
    it = meter("anthropic_messages.sse")
    it.feed(b"".join(events[:-2]))
    assert it.usage(prompt_estimate=999) == Usage(
        input_tokens=14,
        cached_tokens=3000,
        cache_write_tokens=200,
        output_tokens=4,  # Easy. Hello!
        source="estimated",
        model="claude-sonnet-4-5-20250929",
    )


def test_escapes_count_as_what_they_stand_for():
    it = StreamMeter(CHAT, strip_usage=False)
    text = "你好世界"
    event = {"choices": [{"delta": {"content": text}}]}
    it.feed(b"data: " + json.dumps(event).encode() + b"\n\n")
    assert it.usage(prompt_estimate=0).output_tokens == 4


def test_a_plain_answer_to_a_streamed_request_is_read_as_well():
    body = recording("anthropic_messages.json")
    it = meter("anthropic_messages.sse")
    assert it.feed(body[:100]) + it.feed(body[100:]) + it.finish() == body
    assert it.usage(prompt_estimate=9).output_tokens == 8
    assert it.usage(prompt_estimate=9).source == "reported"
    body = recording("openai_chat.json")
    it = meter("openai_chat.sse", strip_usage=True)
    assert it.feed(body[:100]) + it.feed(body[100:]) + it.finish() == body
    assert it.usage(prompt_estimate=9).reasoning_tokens == 32


def test_nothing_seen():
    it = StreamMeter(CHAT, strip_usage=True)
    assert it.finish() == b""
    assert not it.first_content
    assert it.usage(prompt_estimate=12) == Usage(input_tokens=12, source="estimated")


def test_reasoning_excluded():
    it = StreamMeter(CHAT, strip_usage=False, reasoning_excluded=True)
    details = {"reasoning_tokens": 5}
    usage = {"prompt_tokens": 1, "completion_tokens": 6}
    event = {"usage": usage | {"completion_tokens_details": details}}
    it.feed(b"data: " + json.dumps(event).encode() + b"\n\n")
    usage = it.usage(prompt_estimate=0)
    assert (usage.output_tokens, usage.reasoning_tokens) == (6, 5)


# --- naming


@pytest.mark.parametrize("name", STREAMS)
@few
@given(places=places)
def test_the_model_is_renamed_and_nothing_else(name, places):
    it = meter(name, rename_model='my "flash"')
    out = fed(it.feed, cut(recording(name), places)) + it.finish()
    expected = recording(name)
    models = {m[0].encode() for n, m in VECTORS.items() if n == name} or {
        b"deepseek/deepseek-chat-v3.1:free",
        b"gpt-5-mini-2025-08-07",
        b"claude-sonnet-4-5-20250929",
    }
    for model in models:
        expected = expected.replace(b'"%s"' % model, rb'"my \"flash\""')
    # Azure's first chunk names no model, and gets one.
    expected = expected.replace(b'"model":""', rb'"model":"my \"flash\""')
    assert out == expected


def test_a_model_named_in_the_text_is_not_renamed():
    event = (
        b'data: {"choices":[{"delta":{"content":"{\\"model\\":\\"a\\"}"},'
        b'"extra":{"model":"a"}}],"model" : "a"}\n\n'
    )
    it = StreamMeter(CHAT, strip_usage=False, rename_model="b")
    assert it.feed(event) == event.replace(b'"model" : "a"', b'"model" : "b"')


def test_data_over_several_lines_is_not_renamed():
    event = b'data: {"choices":[],\ndata: "model":"a"}\n\n'
    it = StreamMeter(CHAT, strip_usage=False, rename_model="b")
    assert it.feed(event) == event


# --- ends of all kinds


@pytest.mark.parametrize(
    ("sent", "boundary"),
    [
        (b"", b""),
        (b'data: {"choices":[]}\n\n', b""),
        (b'data: {"choices":[{"delta"', b"\n\n"),
        (b'data: {"choices":[{}]}\n', b"\n\n"),
    ],
)
@pytest.mark.parametrize("strip_usage", [False, True])
def test_boundary_before_an_event_of_our_own(sent, boundary, strip_usage):
    it = StreamMeter(CHAT, strip_usage=strip_usage)
    it.feed(sent)
    it.finish()
    assert it.separator == boundary


def test_a_held_event_that_broke_off_is_dropped():
    it = StreamMeter(CHAT, strip_usage=True)
    assert it.feed(b'data: {"id":"1","cho') == b""
    assert it.finish() == b""
    assert it.separator == b""
    # so that the error after it can be read
    error = CHAT.stream_error("upstream_cut", "x")
    assert error.startswith(b'data: {"error":')


@pytest.mark.parametrize(
    "rest", [b"data: [DONE]", b": bye", b'data: {"error":{"a":1}}']
)
def test_a_held_event_that_is_whole_goes_out_at_the_end(rest):
    it = StreamMeter(CHAT, strip_usage=True)
    assert it.feed(rest) + it.finish() == rest


@pytest.mark.parametrize("more", [{}, {"strip_usage": True}, {"rename_model": "b"}])
def test_an_endless_event_passes_as_it_comes(more):
    it = StreamMeter(CHAT, **{"strip_usage": False, **more})
    chunks = [b"data: " + b"x" * (LONGEST // 4)] * 60
    assert b"".join(map(it.feed, chunks[:6])) == b"".join(chunks[:6])
    for piece in chunks[6:]:
        assert it.feed(piece) == piece
    assert it.finish() == b""
    assert it.usage(prompt_estimate=7).source == "estimated"
    assert it.end_error == "ended early"


@given(
    pieces=st.lists(
        st.sampled_from(
            [
                b"data: ",
                b'{"usage":{"prompt_tokens":',
                b'"choices":[',
                b'"model":"a"',
                b'{"delta":{"content":"a"}}',
                b"1}}",
                b"]}",
                b"{",
                b",",
                b"\n",
                b"\r\n",
                b"\n\n",
                b"\r",
                b"\xff",
            ]
        ),
        max_size=30,
    ),
    places=places,
    strip_usage=st.booleans(),
    rename_model=st.none() | st.just("b"),
    dialect=st.sampled_from(list(SPECS.values())),
)
def test_garbage_never_raises_and_chunks_do_not_matter(
    pieces, places, strip_usage, rename_model, dialect
):
    data = b"".join(pieces)

    def through(chunks):
        it = StreamMeter(dialect, strip_usage=strip_usage, rename_model=rename_model)
        return fed(it.feed, chunks) + it.finish(), it.usage(prompt_estimate=3)

    out, usage = through(cut(data, places))
    whole, same_usage = through([data])
    assert usage == same_usage
    if not strip_usage:
        assert out == whole
    if not strip_usage and rename_model is None:
        assert out == data


# --- keys in error events

KEY = b"sk-CANARY-0123456789"


def masks(data: bytes) -> bytes:
    return data.replace(KEY, b"***")


@each_row("dialect", list(SPECS.values()))
@each_row("strip", [False, True])
@each_row("rename", [None, "m"])
def test_an_error_event_goes_out_whole_and_without_keys(dialect, strip, rename):
    error = b'data: {"error":{"message":"Bad key ' + KEY + b'"}}\n\n'
    before = b'data: {"id":"1","choices":[{"delta":{"content":"a"}}]}\n\n'
    data = before + error + before + b"event: error\ndata: " + KEY + b"\n\n"
    for size in (1, 2, 7, 50, len(data)):
        it = StreamMeter(dialect, strip_usage=strip, rename_model=rename, mask=masks)
        pieces = [data[n : n + size] for n in range(0, len(data), size)]
        out = b"".join(map(it.feed, pieces)) + it.finish()
        assert out == masks(data)


def test_only_what_speaks_of_an_error_waits():
    it = StreamMeter(CHAT, strip_usage=False, mask=masks)
    said = b'data: {"choices":[{"delta":{"content":"a '
    assert it.feed(said) == said
    assert it.feed(b"b") == b"b"
    assert it.feed(b" an error ") == b""
    assert it.feed(KEY + b' c"}}]}\n') == b""
    assert it.feed(b"\ndata: x") == b' an error *** c"}}]}\n\ndata: x'
    assert it.feed(b"y\n\n") == b"y\n\n"


def test_an_error_event_that_is_too_long_is_not_waited_for():
    it = StreamMeter(CHAT, strip_usage=False, mask=masks)
    data = b'data: {"error": "' + b"x" * LONGEST
    assert it.feed(data[:100]) == b""
    assert it.feed(data[100:]) == data
    assert it.feed(b"more") == b"more"
    assert it.finish() == b""


def test_an_error_event_that_broke_off():
    it = StreamMeter(CHAT, strip_usage=False, mask=masks)
    assert it.feed(b"event: error\ndata: bad key " + KEY) == b""
    assert it.finish() == b"event: error\ndata: bad key ***"
