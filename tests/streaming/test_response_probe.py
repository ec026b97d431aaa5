"""When an answer has begun, and when it never will."""

import json

import pytest
from examples import examples
from hypothesis import given
from hypothesis import strategies as st
from tables import each_row
from wire import ANSWERS, STREAMS, cut, dialect_of, places, recording

from llm_gateway import dialects
from llm_gateway.dialects import SPECS, ProviderError
from llm_gateway.streaming.response_probe import MOST_HELD, ProbeState, ResponseProbe
from llm_gateway.streaming.sse import raw_events

HOLD, CONTENT, ERROR = ProbeState.HOLD, ProbeState.CONTENT, ProbeState.ERROR

# recording -> events that say nothing yet, and the state that the next one gives
HEADS = {
    "openai_chat.sse": (1, CONTENT),
    "openai_chat_tools.sse": (0, CONTENT),
    "azure_chat.sse": (2, CONTENT),
    "openrouter_chat.sse": (3, CONTENT),
    "openrouter_error.sse": (1, ERROR),
    "groq_chat.sse": (1, CONTENT),
    "mistral_chat.sse": (1, CONTENT),
    "deepseek_chat.sse": (2, CONTENT),
    "xai_chat.sse": (0, CONTENT),
    "perplexity_chat.sse": (0, CONTENT),
    "moonshot_chat.sse": (1, CONTENT),
    "gemini_chat.sse": (0, CONTENT),
    "cerebras_chat.sse": (1, CONTENT),
    "openai_completions.sse": (0, CONTENT),
    "openai_responses.sse": (6, CONTENT),
    "openai_responses_failed.sse": (2, ERROR),
    "anthropic_messages.sse": (3, CONTENT),
    "anthropic_messages_tool.sse": (1, CONTENT),
    "anthropic_error.sse": (2, ERROR),
}


@pytest.mark.parametrize("name", STREAMS)
def test_heads_of_recordings(name):
    silent, state = HEADS[name]
    events = raw_events(recording(name))
    peek = ResponseProbe(SPECS[dialect_of(name)], True)
    for event in events[:silent]:
        assert peek.feed(event) is HOLD
    assert peek.feed(events[silent]) is state
    # the verdict stands
    assert peek.feed(b"data: {}\n\n") is state
    assert peek.finish() is state


@pytest.mark.parametrize("name", STREAMS)
@examples(20)
@given(places=places)
def test_chunks_do_not_matter(name, places):
    peek = ResponseProbe(SPECS[dialect_of(name)], True)
    states = [peek.feed(chunk) for chunk in cut(recording(name), places)]
    assert [*states, peek.finish()][-1] is HEADS[name][1]


@pytest.mark.parametrize("name", STREAMS)
def test_a_head_that_breaks_off_is_an_empty_stream(name):
    silent, _ = HEADS[name]
    peek = ResponseProbe(SPECS[dialect_of(name)], True)
    for event in raw_events(recording(name))[:silent]:
        peek.feed(event)
    assert peek.finish() is ERROR
    assert peek.kind == "empty stream"
    assert peek.error == ProviderError()


# one event of a stream, and what it means at the head
CHAT = [
    # says something
    ({"choices": [{"delta": {"content": "a"}}]}, CONTENT),
    ({"choices": [{"delta": {"content": "\n"}}]}, CONTENT),
    ({"choices": [{"delta": {"refusal": "no"}}]}, CONTENT),
    ({"choices": [{"delta": {"reasoning_content": "a"}}]}, CONTENT),
    ({"choices": [{"delta": {"reasoning": "a"}}]}, CONTENT),
    ({"choices": [{"delta": {"tool_calls": [{"index": 0}]}}]}, CONTENT),
    ({"choices": [{"delta": {"audio": {"id": "a"}}}]}, CONTENT),
    ({"choices": [{"delta": {}}, {"delta": {"content": "b"}}]}, CONTENT),
    ({"choices": [{"text": "a"}]}, CONTENT),
    # ends without a word
    ({"choices": [{"delta": {}, "finish_reason": "stop"}]}, CONTENT),
    ({"choices": [{"delta": {}, "finish_reason": "stop"}], "usage": {"x": 1}}, CONTENT),
    # says nothing yet
    ({"choices": [{"delta": {"role": "assistant"}}]}, HOLD),
    ({"choices": [{"delta": {"role": "assistant", "content": ""}}]}, HOLD),
    ({"choices": [{"delta": {"content": None, "tool_calls": []}}]}, HOLD),
    ({"choices": [{"delta": None}]}, HOLD),
    ({"choices": []}, HOLD),
    ({"choices": [], "usage": {"prompt_tokens": 1}}, HOLD),
    ({"choices": [7]}, HOLD),
    ({"choices": 7}, HOLD),
    ({}, HOLD),
    # will say nothing
    ({"error": {"message": "x", "code": 502}}, ERROR),
    ({"error": "x"}, ERROR),
    ({"error": {"message": "x"}, "choices": [{"delta": {"content": "a"}}]}, ERROR),
    ({"choices": [{"delta": {"content": ""}, "finish_reason": "error"}]}, ERROR),
    ({"object": "error", "message": "x"}, ERROR),
    ({"error": None, "choices": []}, HOLD),
    ({"error": {}, "choices": []}, HOLD),
]
MESSAGES = [
    ({"type": "message_start", "message": {"content": []}}, HOLD),
    ({"type": "ping"}, HOLD),
    ({"type": "content_block_start", "content_block": {"type": "text"}}, HOLD),
    ({"type": "content_block_start", "content_block": {"type": "a", "text": ""}}, HOLD),
    (
        {
            "type": "content_block_start",
            "content_block": {"type": "tool_use", "id": "t", "name": "n", "input": {}},
        },
        CONTENT,
    ),
    (
        {
            "type": "content_block_start",
            "content_block": {"type": "redacted_thinking", "data": "a"},
        },
        CONTENT,
    ),
    ({"type": "content_block_delta", "delta": {"type": "a", "text": ""}}, HOLD),
    ({"type": "content_block_delta", "delta": {"type": "a", "text": "a"}}, CONTENT),
    ({"type": "content_block_delta", "delta": {"type": "a", "thinking": "a"}}, CONTENT),
    ({"type": "content_block_stop"}, HOLD),
    ({"type": "message_delta", "delta": {"stop_reason": "end_turn"}}, CONTENT),
    ({"type": "error", "error": {"type": "overloaded_error", "message": "x"}}, ERROR),
    ({"type": "error"}, ERROR),
]
RESPONSES = [
    ({"type": "response.created", "response": {"error": None}}, HOLD),
    ({"type": "response.queued"}, HOLD),
    ({"type": "response.in_progress"}, HOLD),
    ({"type": "response.output_item.added", "item": {"type": "message"}}, HOLD),
    ({"type": "response.output_item.added", "item": {"type": "reasoning"}}, HOLD),
    ({"type": "response.output_item.added", "item": {"type": "mcp_call"}}, CONTENT),
    ({"type": "response.output_item.done", "item": {"type": "reasoning"}}, HOLD),
    ({"type": "response.content_part.added", "part": {"text": ""}}, HOLD),
    ({"type": "response.output_text.delta", "delta": ""}, HOLD),
    ({"type": "response.output_text.delta", "delta": "a"}, CONTENT),
    ({"type": "response.refusal.delta", "delta": "a"}, CONTENT),
    ({"type": "response.web_search_call.searching"}, CONTENT),
    ({"type": "response.completed", "response": {"error": None}}, CONTENT),
    ({"type": "response.incomplete"}, CONTENT),
    ({"type": "response.failed", "response": {"error": {"code": "x"}}}, ERROR),
    ({"type": "error", "code": "x", "message": "y"}, ERROR),
    ({"no": "type"}, HOLD),
]


@each_row(
    ("dialect", "event", "state"),
    [(dialects.CHAT, *case) for case in CHAT]
    + [(dialects.COMPLETIONS, *case) for case in CHAT]
    + [(dialects.MESSAGES, *case) for case in MESSAGES]
    + [(dialects.RESPONSES, *case) for case in RESPONSES],
)
def test_first_events(dialect, event, state):
    peek = ResponseProbe(dialect, True)
    assert peek.feed(b"data: " + json.dumps(event).encode() + b"\n\n") is state
    assert peek.kind == ("error event" if state is ERROR else "")


@pytest.mark.parametrize(
    ("stream", "kind"),
    [
        (b"", "empty stream"),
        (b"\n\n", "empty stream"),
        (b": ping\n\n: ping\n\n", "empty stream"),
        (b"data: [DONE]\n\n", "empty stream"),
        (b"event: ping\ndata: {}\n\n", "empty stream"),
        (b"data: not json\n\n", "empty stream"),
        (b"event: error\ndata: out of memory\n\n", "error event"),
        (b'event: error\ndata: {"message":"x"}\n\n', "error event"),
        (b'data: {"error":{"message":"no newline at the end"}}', "error event"),
        # no stream at all
        (b"<html>", "broken body"),
        (b"  \n<!DOCTYPE html>", "broken body"),
        (b'{"choices":[', "broken body"),
        (b'{"error":{"message":"x"}}', "error event"),
        (b'[{"error":{"message":"x"}}]', "error event"),
        (b'\n\n{\n"error":\n"x"}', "error event"),
    ],
)
def test_streams_that_say_nothing(stream, kind):
    for size in (1, 4, 1000):
        peek = ResponseProbe(dialects.CHAT, True)
        for i in range(0, len(stream), size):
            peek.feed(stream[i : i + size])
        assert peek.finish() is ERROR
        assert peek.kind == kind


def test_a_plain_answer_to_a_streamed_request_is_content():
    peek = ResponseProbe(dialects.CHAT, True)
    body = recording("openai_chat.json")
    assert peek.feed(body[:9]) is HOLD
    assert peek.feed(body[9:]) is HOLD
    assert peek.finish() is CONTENT


@pytest.mark.parametrize(
    "filler", [b": comment\n\n", b'data: {"choices":[]}\n\n', b"data: ", b"{ "]
)
def test_no_more_than_this_is_held(filler):
    peek = ResponseProbe(dialects.CHAT, True)
    fed = 0
    while fed <= MOST_HELD:
        assert peek.feed(filler) in (HOLD, CONTENT)
        fed += len(filler)
    assert peek.feed(b"") is CONTENT


# --- plain


@pytest.mark.parametrize("name", ANSWERS)
def test_plain_answers_are_content_once_whole(name):
    peek = ResponseProbe(SPECS[dialect_of(name)], False)
    body = recording(name)
    assert peek.feed(body[:20]) is HOLD
    assert peek.feed(body[20:]) is HOLD
    assert peek.finish() is CONTENT
    assert peek.error is None


@pytest.mark.parametrize(
    ("body", "kind", "message"),
    [
        (b"", "broken body", ""),
        (b"null", "broken body", ""),
        (b"<html>", "broken body", ""),
        (b'{"choices":[{"mess', "broken body", ""),
        (b'{"a":' + b"[" * 100_000, "broken body", ""),
        (b'data: {"choices":[]}\n\n', "broken body", ""),
        (b'{"error":{"message":"x"}}', "error event", "x"),
        (b'{"error":"x"}', "error event", "x"),
        (b'[{"error":{"message":"x"}}]', "error event", "x"),
        (b'{"object":"error","message":"x"}', "error event", "x"),
        (b'{"type":"error","error":{"message":"x"}}', "error event", "x"),
        (b'{"success":false,"errors":[{"message":"x"}]}', "error event", "x"),
    ],
)
def test_plain_answers_that_are_none(body, kind, message):
    peek = ResponseProbe(dialects.CHAT, False)
    assert peek.feed(body) is HOLD
    assert peek.finish() is ERROR
    assert (peek.kind, peek.error.message) == (kind, message)


CHOICE = {"index": 0, "message": {"role": "assistant", "content": "a"}}
MINIMAX = {"choices": None, "base_resp": {"status_code": 1002, "status_msg": "busy"}}

# dialect, a plain answer, and what is wrong with it ("" for nothing)
PLAIN = [
    ("chat", {"choices": [CHOICE]}, ""),
    ("chat", {"choices": [CHOICE | {"finish_reason": "stop"}]}, ""),
    # It ended without a word, or refused: that is its answer.
    ("chat", {"choices": [{"message": {"content": ""}, "finish_reason": "stop"}]}, ""),
    ("chat", {"choices": [{"finish_reason": "content_filter"}]}, ""),
    ("chat", {"choices": [{"message": {"refusal": "no", "content": None}}]}, ""),
    ("chat", {"choices": [{}, CHOICE]}, ""),
    ("completions", {"choices": [{"text": ""}]}, ""),
    ("completions", {"choices": [{"text": "a", "finish_reason": "length"}]}, ""),
    *(
        (dialect, body, "no answer")
        for dialect in ("chat", "completions", "embeddings", "responses", "messages")
        for body in (
            {},
            {"code": 500, "message": "internal error", "data": None},
            {"detail": "Internal error"},
            {"id": "x", "usage": {"prompt_tokens": 1}},
        )
    ),
    ("chat", {"choices": []}, "no answer"),
    ("chat", {"choices": [{}]}, "no answer"),
    ("chat", {"choices": ["a"]}, "no answer"),
    ("chat", {"choices": {"0": CHOICE}}, "no answer"),
    ("chat", MINIMAX, "no answer"),
    ("chat", {"choices": [CHOICE | {"finish_reason": "error"}]}, "error event"),
    ("chat", {"choices": [CHOICE | {"finish_reason": "network_error"}]}, "error event"),
    ("chat", {"code": 1302, "msg": "rate limit", "success": False}, "error event"),
    ("embeddings", {"data": [{"embedding": [0.1]}]}, ""),
    ("embeddings", {"data": [{"embedding": "AAA="}]}, ""),
    ("embeddings", {"data": []}, "no answer"),
    ("embeddings", {"data": [{"embedding": []}]}, "no answer"),
    ("embeddings", {"data": None}, "no answer"),
    ("responses", {"status": "completed", "output": [{"type": "message"}]}, ""),
    ("responses", {"status": "incomplete", "output": []}, ""),
    ("responses", {"status": "queued", "output": []}, ""),
    ("responses", {"status": "completed", "output": []}, "no answer"),
    ("responses", {"status": "failed", "output": [{"type": "message"}]}, "no answer"),
    ("responses", {"status": "failed", "error": {"message": "x"}}, "error event"),
    ("messages", {"content": [{"type": "text", "text": "a"}]}, ""),
    ("messages", {"content": [], "stop_reason": "end_turn"}, ""),
    ("messages", {"content": [], "stop_reason": "refusal"}, ""),
    ("messages", {"content": [], "stop_reason": None}, "no answer"),
    ("messages", {"type": "error", "error": {"message": "x"}}, "error event"),
]


@each_row("streamed", [False, True])
@each_row(("dialect", "body", "flaw"), PLAIN)
def test_a_plain_answer_holds_an_answer_or_is_none(dialect, body, flaw, streamed):
    """Asked for or not: who answers a stream with JSON is judged alike."""
    for announced in (False, True):
        peek = ResponseProbe(SPECS[dialect], streamed, announced=announced)
        peek.feed(json.dumps(body).encode())
        assert peek.finish() is (ERROR if flaw else CONTENT)
        assert peek.kind == flaw
        assert not peek.is_stream


def test_what_lies_below_a_dialects_path_is_not_known():
    peek = ResponseProbe(dialects.MESSAGES, False, below=True)
    peek.feed(b'{"input_tokens": 5}')
    assert peek.finish() is CONTENT


def test_a_provider_that_wraps_its_error_in_a_good_answer_is_heard():
    peek = ResponseProbe(dialects.CHAT, False)
    peek.feed(json.dumps(MINIMAX).encode())
    peek.finish()
    assert (peek.error.code, peek.error.message) == ("1002", "busy")


FIRST = b'data: {"choices":[{"delta":{"content":"a"}}]}\n\n'


@each_row("size", [1, 2, 5, 1000])
@each_row(
    ("stream", "announced"),
    [
        (FIRST, False),
        (FIRST, True),
        (b"\xef\xbb\xbf" + FIRST, False),
        (b"\n\n" + FIRST, False),
        (b": ping\n\n" + FIRST, False),
        (b"event: x\n" + FIRST, False),
        (b"id: 7\nretry: 10\n" + FIRST, False),
        # Another field first, as the format allows; the content type says what it is.
        (b"vendor: x\n\n" + FIRST, True),
    ],
)
def test_a_stream_is_known_by_its_bytes(stream, announced, size):
    peek = ResponseProbe(dialects.CHAT, True, announced=announced)
    chunks = [stream[i : i + size] for i in range(0, len(stream), size)]
    assert [peek.feed(chunk) for chunk in chunks][-1] is CONTENT
    assert peek.is_stream


@pytest.mark.parametrize(
    ("body", "kind"),
    [(b"", "broken body"), (b"null", "broken body"), (b"overloaded", "broken body")],
)
def test_what_does_not_begin_like_a_stream_is_none(body, kind):
    peek = ResponseProbe(dialects.CHAT, True, announced=False)
    for i in range(len(body)):
        peek.feed(body[i : i + 1])
    assert peek.finish() is ERROR
    assert (peek.kind, peek.is_stream) == (kind, False)


def test_a_large_plain_answer_is_held_to_its_end():
    peek = ResponseProbe(dialects.EMBEDDINGS, True)  # embeddings never stream
    assert peek.feed(b'{"data":[' + b"1," * MOST_HELD) is HOLD
    assert peek.feed(b"1]}") is HOLD
    assert peek.finish() is CONTENT


@given(
    data=st.lists(
        st.sampled_from(
            [
                b"data: ",
                b'{"choices":',
                b"[",
                b"{}",
                b"]}",
                b"\n\n",
                b"\r",
                b"<",
                b"\xff",
            ]
        ),
        max_size=20,
    ).map(b"".join),
    places=places,
    dialect=st.sampled_from(list(SPECS.values())),
    streamed=st.booleans(),
)
def test_garbage_never_raises(data, places, dialect, streamed):
    peek = ResponseProbe(dialect, streamed)
    for chunk in cut(data, places):
        peek.feed(chunk)
    assert peek.finish() in (CONTENT, ERROR)


USED = (
    b'data: {"choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 2}}\n\n'
)
FAILED = b'data: {"error": {"message": "x", "code": 502}}\n\n'


@pytest.mark.parametrize(
    ("chunks", "reports"),
    [
        ([FAILED], 0),
        ([USED, FAILED], 1),
        ([FAILED + USED], 1),
        ([FAILED + b"data: [DONE]\n\n" + USED], 1),
        ([USED + USED + FAILED], 2),
        ([b'data: {"error": {"code": 1}, "usage": {"cost": 1}}\n\n'], 1),
        ([USED], 1),
        ([b'{"choices": [], "usage": {"cost": 1}}'], 1),
        ([b'{"error": {"code": 502}, "usage": {"cost": 1}}'], 1),
        ([b"<html>"], 0),
        ([b'{"choices": [], "usage": {"cost": 1}, "x"'], 1),
        ([b'{"choices": [], "usage": {"cost": '], 0),
    ],
)
def test_what_a_failure_says_of_usage_is_kept(chunks, reports):
    peek = ResponseProbe(dialects.CHAT, True)
    for chunk in chunks:
        peek.feed(chunk)
    assert peek.finish() is ERROR
    assert len(peek.reports) == reports


def test_a_stream_that_nobody_asked_for_says_what_it_took():
    peek = ResponseProbe(dialects.CHAT, False)
    peek.feed(b'data: {"choices": [{"delta": {"content": "x"}}]}\n\n' + USED + USED)
    assert peek.finish() is ERROR
    assert peek.reports == [{"usage": {"prompt_tokens": 1, "completion_tokens": 2}}] * 2


def google(*parts, reason="", **beside):
    candidate = {"content": {"parts": list(parts)}, "index": 0, **beside}
    return {"candidates": [candidate | ({"finishReason": reason} if reason else {})]}


def chat_end(reason, **delta):
    return {"choices": [{"index": 0, "delta": delta, "finish_reason": reason}]}


FILTER = "function_call_filter: MALFORMED_FUNCTION_CALL"
SAID, THOUGHT = {"text": "Hello"}, {"text": "Hm.", "thought": True}
CALL = {"functionCall": {"name": "f", "args": {}}}
BROKE_OFF = [
    ("generateContent", [google(reason="MALFORMED_FUNCTION_CALL")]),
    ("generateContent", [google({"text": ""}, reason="MALFORMED_FUNCTION_CALL")]),
    ("generateContent", [google(), google(reason="UNEXPECTED_TOOL_CALL")]),
    ("generateContent", [google(THOUGHT, reason="TOO_MANY_TOOL_CALLS")]),
    ("generateContent", [google(reason="OTHER", finishMessage="No.")]),
    ("generateContent", [google(reason="STOP")]),
    ("generateContent", [google(reason="A_REASON_OF_TOMORROW")]),
    ("chat", [chat_end(FILTER, role="assistant", extra_content={"google": {}})]),
    ("chat", [chat_end(FILTER.upper())]),
    ("chat", [chat_end(None, role="assistant"), chat_end("unexpected_tool_call")]),
    ("chat", [{"choices": [{"delta": {}, "finish_reason": "stop", "native_finish_reason": "MALFORMED_FUNCTION_CALL"}]}]),
]  # fmt: skip
ANSWERED = [
    ("generateContent", [google(SAID, reason="MALFORMED_FUNCTION_CALL")]),
    ("generateContent", [google(CALL, reason="MALFORMED_FUNCTION_CALL")]),
    ("generateContent", [google(reason="SAFETY")]),
    ("generateContent", [google(reason="MAX_TOKENS")]),
    ("generateContent", [{"promptFeedback": {"blockReason": "OTHER"}}]),
    # It says first that it has ended, and then it speaks.
    ("generateContent", [google(reason="STOP"), google(SAID, reason="STOP")]),
    ("chat", [chat_end(FILTER, content="Hello")]),
    ("chat", [chat_end(FILTER, tool_calls=[{"index": 0}])]),
    ("chat", [chat_end("stop", role="assistant")]),
    ("chat", [chat_end("content_filter", role="assistant")]),
]


def judged(dialect, events, *, others):
    peek = ResponseProbe(SPECS[dialect], True, others=others)
    for event in events:
        peek.feed(b"data: " + json.dumps(event).encode() + b"\n\n")
    return peek.finish(), peek


@each_row("dialect, events", BROKE_OFF)
def test_an_answer_that_broke_off_is_none_while_somebody_else_is_there(dialect, events):
    state, peek = judged(dialect, events, others=True)
    assert (state, peek.kind) == (ERROR, "answer broke off")
    if len(events) == 1:
        plain = ResponseProbe(SPECS[dialect], False, others=True)
        said = json.dumps(events[0]).replace('"delta"', '"message"')
        plain.feed(said.encode())
        assert (plain.finish(), plain.kind) == (ERROR, "answer broke off")
        alone = ResponseProbe(SPECS[dialect], False)
        alone.feed(said.encode())
        assert alone.finish() is CONTENT
    state, _ = judged(dialect, events, others=False)
    assert state is CONTENT


@each_row("dialect, events", ANSWERED)
def test_what_says_something_or_was_filtered_is_an_answer(dialect, events):
    for others in (True, False):
        assert judged(dialect, events, others=others)[0] is CONTENT


def test_usage_of_an_answer_that_broke_off_is_kept():
    usage = {"promptTokenCount": 7}
    event = {**google(reason="MALFORMED_FUNCTION_CALL"), "usageMetadata": usage}
    _, peek = judged("generateContent", [event], others=True)
    assert peek.reports == [event]
