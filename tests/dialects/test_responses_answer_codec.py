"""Answers of Responses, read and written: the vendor's own SDK reads what we write."""

import json

import httpx
import pytest
from examples import examples
from hypothesis import given
from hypothesis import strategies as st
from sdks import openai
from tables import each_row

from llm_gateway.dialects.responses.answer_reader import ResponsesAnswerReader
from llm_gateway.dialects.responses.answer_writer import ResponsesAnswerWriter
from llm_gateway.dialects.responses.codecs import CODECS
from llm_gateway.domain import Usage
from llm_gateway.translation.answer_events import (
    ArgumentsDelta,
    CallEnded,
    CallStarted,
    Ended,
    Failed,
    Ping,
    RefusalDelta,
    Started,
    TextDelta,
    ThoughtDelta,
    ThoughtSigned,
)
from llm_gateway.translation.codec import AnswerContext, ToolOrigin
from llm_gateway.translation.conversation import Opaque
from llm_gateway.translation.translator import AnswerTranslator

MAKER = "groq api.groq.com:443"
USAGE = Usage(
    input_tokens=10,
    cached_tokens=5,
    cache_write_tokens=2,
    output_tokens=7,
    reasoning_tokens=3,
)
TOOLS = {"fs__exec": ToolOrigin("exec", "fs", freeform=True)}


def context(**more):
    return AnswerContext(model="gpt-x", seed="s", created=5, maker=MAKER, **more)


def call(n, name="add", *pieces, **more):
    return [
        CallStarted(n, f"call_{n}", name, **more),
        *(ArgumentsDelta(n, piece) for piece in pieces),
        CallEnded(n),
    ]


START = Started("up-1", "llama")
ANSWERS = {
    "text": [START, TextDelta("Hel"), TextDelta("lo 😀"), USAGE, Ended("stop")],
    "nothing": [START, USAGE, Ended("stop")],
    "thoughts": [
        START,
        ThoughtDelta("Hm "),
        ThoughtDelta("…"),
        TextDelta("42"),
        USAGE,
        Ended("stop"),
    ],
    "signed thoughts": [
        START,
        ThoughtDelta("Hm"),
        ThoughtSigned(Opaque("SIG", "anthropic")),
        ThoughtSigned(Opaque("RED", "anthropic", "redacted")),
        TextDelta("42"),
        USAGE,
        Ended("stop"),
    ],
    "calls": [
        START,
        TextDelta("So: "),
        *call(0, "add", '{"a":', "1}"),
        *call(1, "add", "{}"),
        USAGE,
        Ended("tools"),
    ],
    "a call without arguments": [START, *call(0), USAGE, Ended("tools")],
    "a freeform tool that went as a function": [
        START,
        *call(0, "fs__exec", '{"inp', 'ut": "one\\ntw', "o \\ud83d", '\\ude00"}'),
        USAGE,
        Ended("tools"),
    ],
    "a freeform tool whose model wrote the bare input": [
        START,
        *call(0, "fs__exec", "ls ", "-l"),
        USAGE,
        Ended("tools"),
    ],
    "refusal": [START, RefusalDelta("I can"), RefusalDelta("not."), Ended("refusal")],
    "refusal behind text": [
        START,
        TextDelta("Well."),
        RefusalDelta("No."),
        Ended("stop"),
    ],
    "cut": [START, TextDelta("Hel"), USAGE, Ended("length")],
    "filtered": [START, TextDelta("Hel"), USAGE, Ended("filtered")],
}


def streamed(events, **more):
    writer = ResponsesAnswerWriter(context(stream=True, **more))
    return b"".join(writer.write(event) for event in events)


def plain(events, **more):
    return ResponsesAnswerWriter(context(**more)).plain(events)


def events_of(sse):
    return [
        json.loads(line.removeprefix(b"data: "))
        for line in sse.split(b"\n")
        if line.startswith(b"data: ")
    ]


def sdk(body, kind):
    def answer(_):
        return httpx.Response(200, content=body, headers={"content-type": kind})

    client = openai.OpenAI(
        api_key="none",
        base_url="http://gateway.test/v1",
        max_retries=0,
        http_client=httpx.Client(transport=httpx.MockTransport(answer)),
    )
    client.platform_headers = dict  # it would start a process to find out
    return client


def as_asked(response):
    """Without what the SDK's accumulating form adds."""
    found = response.to_dict()
    for item in found["output"]:
        item.pop("parsed_arguments", None)
        for part in item.get("content") or []:
            part.pop("parsed", None)
    return found


@each_row("shown", [True, False])
@each_row("events", ANSWERS.values(), ids=ANSWERS)
def test_the_vendors_sdk_reads_the_same_answer_plain_and_streamed(events, shown):
    more = {"tools": TOOLS, "shows_thoughts": shown}
    sse = streamed(events, **more)
    client = sdk(plain(events, **more), "application/json")
    whole = client.responses.create(model="m", input="?")
    streaming = sdk(sse, "text/event-stream")
    if events[-1].reason in ("length", "filtered"):
        with streaming.responses.stream(model="m", input="?") as stream:
            last = list(stream)[-1]
        assert last.type == "response.incomplete"
        assert as_asked(last.response) == as_asked(whole)
        return
    with streaming.responses.stream(model="m", input="?") as stream:
        final = stream.get_final_response()
    assert as_asked(final) == as_asked(whole)
    assert whole.status == "completed"
    raw = list(streaming.responses.create(model="m", input="?", stream=True))
    assert [event.sequence_number for event in raw] == list(range(len(raw)))


@pytest.mark.parametrize("events", ANSWERS.values(), ids=ANSWERS)
def test_each_item_is_announced_grows_and_is_done_before_the_next(events):
    sent = events_of(streamed(events, tools=TOOLS))
    assert [e["type"] for e in sent[:2]] == ["response.created", "response.in_progress"]
    done, open_ = [], None
    for event in sent[2:-1]:
        at = event["output_index"]
        if event["type"] == "response.output_item.added":
            assert open_ is None
            assert at == len(done)
            open_ = event["item"]["id"]
        elif event["type"] == "response.output_item.done":
            assert event["item"]["id"] == open_
            done.append(event["item"])
            open_ = None
        else:
            assert event["item_id"] == open_
    assert open_ is None
    assert sent[-1]["response"]["output"] == done
    told: dict[str, str] = {}
    for event in sent:
        if event["type"].endswith(".delta"):
            told[event["item_id"]] = told.get(event["item_id"], "") + event["delta"]
    for item in done:
        if "call" in item["type"]:
            whole = item.get("arguments", item.get("input"))
            assert told.get(item["id"], "") == whole


def test_tools_come_back_as_what_they_were():
    items = json.loads(
        plain(ANSWERS["a freeform tool that went as a function"], tools=TOOLS)
    )["output"]
    assert items[0] | {"id": ""} == {
        "id": "",
        "type": "custom_tool_call",
        "status": "completed",
        "call_id": "call_0",
        "name": "exec",
        "namespace": "fs",
        "input": "one\ntwo 😀",
    }
    bare = plain(
        ANSWERS["a freeform tool whose model wrote the bare input"], tools=TOOLS
    )
    assert json.loads(bare)["output"][0]["input"] == "ls -l"


def test_thoughts_that_are_not_shown_are_kept_in_the_opaque_field():
    def item(shown):
        events = [START, ThoughtDelta("secret"), Ended("stop")]
        return json.loads(plain(events, shows_thoughts=shown))["output"][0]

    assert item(True)["summary"] == [{"type": "summary_text", "text": "secret"}]
    again = CODECS.read_request({"input": [item(True)]})
    assert again.turns[0].parts[0].text == "secret"
    assert item(False)["summary"] == []
    again = CODECS.read_request({"input": [item(False)]})
    assert again.turns[0].parts[0].text == "secret"


def test_long_hidden_thoughts_give_signs_of_life():
    sent = events_of(
        streamed(
            [START, *[ThoughtDelta("x" * 500)] * 9, Ended("stop")], shows_thoughts=False
        )
    )
    kinds = [event["type"] for event in sent]
    assert kinds.count("response.in_progress") == 3
    assert b"x" * 500 not in json.dumps(sent[:-2]).encode()


def test_usage_and_the_requests_own_settings_stand_in_the_answer():
    answer = json.loads(plain(ANSWERS["text"], echo={"temperature": 0.3}))
    assert answer["usage"] == {
        "input_tokens": 17,
        "input_tokens_details": {"cached_tokens": 5, "cache_write_tokens": 2},
        "output_tokens": 10,
        "output_tokens_details": {"reasoning_tokens": 3},
        "total_tokens": 27,
    }
    assert (answer["model"], answer["temperature"]) == ("gpt-x", 0.3)


def test_a_failure_ends_the_stream_as_failed_and_a_plain_answer_as_an_error():
    events = [START, TextDelta("Hel"), Failed("It broke.", "overloaded")]
    last = events_of(streamed(events))[-1]
    assert last["type"] == "response.failed"
    assert last["response"]["error"] == {"code": "overloaded", "message": "It broke."}
    assert json.loads(plain(events))["error"]["message"] == "It broke."
    with (
        sdk(streamed(events), "text/event-stream").responses.stream(
            model="m", input="?"
        ) as stream,
        pytest.raises(RuntimeError, match=r"response\.completed"),
    ):
        stream.get_final_response()


def test_pings_are_comments_once_it_has_begun():
    writer = ResponsesAnswerWriter(context(stream=True))
    assert writer.write(Ping()) == b""
    writer.write(START)
    assert writer.write(Ping()).startswith(b":")
    writer.write(Ended("stop"))
    assert writer.write(Ping()) == b""
    assert writer.write(TextDelta("late")) == b""


# -- reading


def reader():
    return ResponsesAnswerReader(context())


def read(*events, end=True):
    one = reader()
    found = [
        event
        for sent in events
        for event in one.event(sent["type"], json.dumps(sent).encode())
    ]
    return found + (one.end() if end else [])


def item(**more):
    return {"type": "response.output_item.done", **more}


CREATED = {"type": "response.created", "response": {"id": "r", "model": "gpt"}}
DONE = {"type": "response.completed", "response": {"status": "completed", "output": []}}
TEXT = {"type": "response.output_text.delta", "output_index": 0, "delta": "Hi"}
MESSAGE = {
    "type": "message",
    "id": "msg_1",
    "content": [{"type": "output_text", "text": "Hi"}],
}
FUNCTION = {
    "type": "function_call",
    "id": "fc_1",
    "call_id": "call_0",
    "name": "add",
    "arguments": '{"a": 1}',
}
BEGUN = [Started("r", "gpt")]
STREAMS = {
    "deltas before their item, and no item": (
        [CREATED, TEXT, DONE],
        [*BEGUN, TextDelta("Hi"), Ended("stop")],
    ),
    "an item that only comes whole": (
        [CREATED, item(output_index=0, item=MESSAGE), DONE],
        [*BEGUN, TextDelta("Hi"), Ended("stop")],
    ),
    "the rest of a text": (
        [
            CREATED,
            {**TEXT, "delta": "H", "content_index": 0},
            item(output_index=0, item=MESSAGE),
            DONE,
        ],
        [*BEGUN, TextDelta("H"), TextDelta("i"), Ended("stop")],
    ),
    "an answer that only comes at the end": (
        [CREATED, {**DONE, "response": {"status": "completed", "output": [MESSAGE]}}],
        [*BEGUN, TextDelta("Hi"), Ended("stop")],
    ),
    "ids that differ, and no index": (
        [
            CREATED,
            {"type": "response.output_text.delta", "item_id": "a", "delta": "Hi"},
            {
                **DONE,
                "response": {"status": "completed", "output": [{**MESSAGE, "id": "b"}]},
            },
        ],
        [*BEGUN, TextDelta("Hi"), Ended("stop")],
    ),
    "a call in pieces": (
        [
            CREATED,
            {
                "type": "response.output_item.added",
                "output_index": 0,
                "item": {**FUNCTION, "arguments": ""},
            },
            {
                "type": "response.function_call_arguments.delta",
                "output_index": 0,
                "delta": '{"a": ',
            },
            item(output_index=0, item=FUNCTION),
            DONE,
        ],
        [*BEGUN, *call(0, "add", '{"a": ', "1}"), Ended("tools")],
    ),
    "a call that only comes whole": (
        [CREATED, item(output_index=0, item=FUNCTION), DONE],
        [*BEGUN, *call(0, "add", '{"a": 1}'), Ended("tools")],
    ),
    "a freeform call": (
        [
            CREATED,
            item(
                output_index=0,
                item={
                    "type": "custom_tool_call",
                    "call_id": "call_0",
                    "name": "exec",
                    "namespace": "fs",
                    "input": "ls",
                },
            ),
            DONE,
        ],
        [
            *BEGUN,
            *call(0, "exec", "ls", freeform=True, namespace="fs"),
            Ended("tools"),
        ],
    ),
    "summaries of several parts": (
        [
            CREATED,
            *(
                {
                    "type": "response.reasoning_summary_text.delta",
                    "output_index": 0,
                    "summary_index": n,
                    "delta": text,
                }
                for n, text in ((0, "A"), (0, "b"), (1, "C"))
            ),
            item(
                output_index=0,
                item={"type": "reasoning", "id": "rs_1", "encrypted_content": "gA=="},
            ),
            DONE,
        ],
        [
            *BEGUN,
            ThoughtDelta("A"),
            ThoughtDelta("b"),
            ThoughtDelta("\n\nC"),
            ThoughtSigned(Opaque("gA==", MAKER, "signature", "rs_1")),
            Ended("stop"),
        ],
    ),
    "reasoning without a word": (
        [
            CREATED,
            item(
                output_index=0,
                item={"type": "reasoning", "id": "rs_1", "encrypted_content": "gA=="},
            ),
            DONE,
        ],
        [
            *BEGUN,
            ThoughtSigned(Opaque("gA==", MAKER, "redacted", "rs_1")),
            Ended("stop"),
        ],
    ),
    "refusal": (
        [
            CREATED,
            {"type": "response.refusal.delta", "output_index": 0, "delta": "No."},
            DONE,
        ],
        [*BEGUN, RefusalDelta("No."), Ended("refusal")],
    ),
    "cut": (
        [
            CREATED,
            TEXT,
            {
                "type": "response.incomplete",
                "response": {
                    "status": "incomplete",
                    "incomplete_details": {"reason": "max_output_tokens"},
                    "usage": {"input_tokens": 3, "output_tokens": 4},
                },
            },
        ],
        [
            *BEGUN,
            TextDelta("Hi"),
            Usage(input_tokens=3, output_tokens=4),
            Ended("length"),
        ],
    ),
    "failed": (
        [
            CREATED,
            {
                "type": "response.failed",
                "response": {"error": {"code": "server_error", "message": "Oh."}},
            },
        ],
        [*BEGUN, Failed("Oh.", "server_error")],
    ),
    "failed, the error beside an empty one": (
        [
            CREATED,
            {
                "type": "response.failed",
                "error": {"code": "c", "message": "Oh."},
                "response": {"error": None},
            },
        ],
        [*BEGUN, Failed("Oh.", "c")],
    ),
    "an error event": (
        [CREATED, {"type": "error", "code": "c", "message": "Oh."}],
        [*BEGUN, Failed("Oh.", "c")],
    ),
    "broken off": (
        [CREATED, TEXT],
        [
            *BEGUN,
            TextDelta("Hi"),
            Failed("The provider's stream ended before its answer did."),
        ],
    ),
    "more behind the end": ([CREATED, DONE, TEXT], [*BEGUN, Ended("stop")]),
    "what nobody knows": (
        [CREATED, {"type": "response.hologram.delta", "delta": "x"}, DONE],
        [*BEGUN, Ended("stop")],
    ),
}


@pytest.mark.parametrize(("events", "expected"), STREAMS.values(), ids=STREAMS)
def test_streams_are_read(events, expected):
    assert read(*events) == expected


def test_plain_answers_are_read():
    answer = {
        "id": "r",
        "model": "gpt",
        "created_at": 7,
        "status": "completed",
        "output": [
            {
                "type": "reasoning",
                "id": "rs_1",
                "summary": [{"text": "A"}],
                "encrypted_content": "gA==",
            },
            {"type": "web_search_call", "id": "ws_1"},
            MESSAGE,
            FUNCTION,
        ],
        "usage": {
            "input_tokens": 9,
            "input_tokens_details": {"cached_tokens": 4},
            "output_tokens": 6,
            "output_tokens_details": {"reasoning_tokens": 2},
        },
    }
    assert reader().plain(answer) == [
        Started("r", "gpt", 7),
        ThoughtDelta("A"),
        ThoughtSigned(Opaque("gA==", MAKER, "signature", "rs_1")),
        TextDelta("Hi"),
        *call(0, "add", '{"a": 1}'),
        Usage(input_tokens=5, cached_tokens=4, output_tokens=4, reasoning_tokens=2),
        Ended("tools"),
    ]
    failed = {"status": "failed", "error": {"code": "c", "message": "Oh."}}
    assert reader().plain(failed)[-1] == Failed("Oh.", "c")


# -- there and back


def joined(events):
    """Deltas that follow each other as one; nothing that only streams have."""
    found = []
    for event in events:
        last = found[-1] if found else None
        if isinstance(event, Ping | Started):
            continue
        if (
            isinstance(event, TextDelta | ThoughtDelta | RefusalDelta | ArgumentsDelta)
            and type(last) is type(event)
            and getattr(last, "call", 0) == getattr(event, "call", 0)
        ):
            text = last.text + event.text
            same = isinstance(event, ArgumentsDelta)
            found[-1] = ArgumentsDelta(event.call, text) if same else type(event)(text)
        else:
            found.append(event)
    return found


words = st.text(min_size=1, max_size=8)
blocks = st.one_of(
    st.lists(words, min_size=1, max_size=3).map(lambda ts: [TextDelta(t) for t in ts]),
    st.lists(words, min_size=1, max_size=3).map(
        lambda ts: [
            *(ThoughtDelta(t) for t in ts),
            ThoughtSigned(Opaque("gA", MAKER, "signature")),
        ]
    ),
    st.booleans().map(lambda freeform: freeform),
)


@given(st.lists(blocks, max_size=5), st.data())
@examples(40)
def test_what_is_written_is_read_as_what_it_was_however_it_is_cut(parts, data):
    events, calls = [Started("u")], 0
    for part in parts:
        if isinstance(part, bool):
            pieces = ["ls ", "x"] if part else ['{"a":', "1}"]
            events += call(calls, "exec", *pieces, freeform=part)
            calls += 1
        else:
            events += part
    events += [USAGE, Ended("tools" if calls else "stop")]
    sse = streamed(events)
    cuts = data.draw(
        st.lists(st.integers(0, len(sse)), max_size=5).map(lambda c: [0, *sorted(c)])
    )
    translator = AnswerTranslator(CODECS, CODECS, context(stream=True))
    out = b"".join(
        translator.feed(sse[a:b])
        for a, b in zip(cuts, [*cuts[1:], len(sse)], strict=True)
    )
    out += translator.end()
    one, two = reader(), reader()
    wanted = [e for s in events_of(sse) for e in one.event("", json.dumps(s).encode())]
    found = [e for s in events_of(out) for e in two.event("", json.dumps(s).encode())]

    def unmarked(all_):
        return [e for e in joined(all_) if not isinstance(e, ThoughtSigned)]

    assert unmarked(found) == unmarked(wanted)
    assert [e for e in joined(wanted) if not isinstance(e, ThoughtSigned)] == [
        e for e in joined(events) if not isinstance(e, ThoughtSigned)
    ]


@given(st.binary(max_size=300) | st.text(max_size=100).map(str.encode))
def test_any_bytes_are_read(data):
    one = reader()
    one.event("", data)
    one.end()


KINDS = [
    *("response.created", "response.output_item.added", "response.output_item.done"),
    *("response.output_text.delta", "response.function_call_arguments.delta"),
    *("response.completed", "response.failed", "error", "response.incomplete"),
]


@given(
    st.lists(
        st.fixed_dictionaries(
            {"type": st.sampled_from(KINDS)},
            optional={
                "delta": st.sampled_from(["x", "", None, 3, ["x"]]),
                "output_index": st.sampled_from([0, 1, -1, None, "0", True]),
                "item": st.sampled_from([None, FUNCTION, MESSAGE, [], {"type": 3}]),
                "response": st.sampled_from(
                    [None, [], {"output": [FUNCTION, None]}, {"error": "x"}]
                ),
            },
        ),
        max_size=12,
    )
)
@examples(60)
def test_any_events_in_any_order_end_well(events):
    translator = AnswerTranslator(CODECS, CODECS, context(stream=True))
    sse = b"".join(b"data: " + json.dumps(e).encode() + b"\n\n" for e in events)
    out = translator.feed(sse) + translator.end()
    last = events_of(out)[-1]["type"]
    assert last in ("response.completed", "response.incomplete", "response.failed")
