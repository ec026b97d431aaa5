"""A meter takes nothing from a stream but its usage, and adds nothing to it."""

import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wire import STREAMS, cut, dialect_of, fed, places, recording

from llm_gateway.dialects import CHAT, SPECS
from llm_gateway.exchange import Usage
from llm_gateway.meter import StreamMeter
from llm_gateway.sse import LONGEST, raw_events

few = settings(max_examples=10)
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
    return it.flaw


@pytest.mark.parametrize("name", STREAMS)
@few
@given(places=places)
def test_a_whole_stream_has_no_flaw(name, places):
    it = meter(name, strip_usage=True)
    fed(it.feed, cut(recording(name), places))
    it.finish()
    assert it.flaw == ("error event" if name in BROKEN else "")


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
    assert flaw("openai_chat.sse", b"data: " + b"x" * (LONGEST + 1)) == ""


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
    assert it.boundary == boundary


def test_a_held_event_that_broke_off_is_dropped():
    it = StreamMeter(CHAT, strip_usage=True)
    assert it.feed(b'data: {"id":"1","cho') == b""
    assert it.finish() == b""
    assert it.boundary == b""
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
def test_an_endless_event_passes_unread(more):
    it = StreamMeter(CHAT, **{"strip_usage": False, **more})
    chunks = [b"data: " + b"x" * (LONGEST // 4)] * 6
    out = fed(it.feed, chunks)
    assert out == b"".join(chunks)
    late = b'\n\ndata: {"model":"a","choices":[],"usage":{"prompt_tokens":1}}\n\n'
    assert it.feed(late) == late
    assert it.finish() == b""
    assert it.usage(prompt_estimate=7).source == "estimated"


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


@pytest.mark.parametrize("dialect", list(SPECS.values()))
@pytest.mark.parametrize("strip", [False, True])
@pytest.mark.parametrize("rename", [None, "m"])
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
