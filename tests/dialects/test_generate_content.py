"""generateContent: request lines, bodies, answers, usage, and what its codecs read and write."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_gateway.accounting.usage import read_answer
from llm_gateway.adaptation.kept_state import CallKey, Kept, nothing_kept
from llm_gateway.adaptation.marked_state import marked
from llm_gateway.adaptation.vocabulary import Quirks
from llm_gateway.dialects import (
    CHAT,
    GENERATE_CONTENT,
    MESSAGES,
    RequestBody,
    match,
    match_resource,
    match_subpath,
    read,
    unrouted,
)
from llm_gateway.dialects.generate_content.adapter import adapt
from llm_gateway.dialects.generate_content.answer import (
    has_content,
    holds_answer,
    is_last,
)
from llm_gateway.dialects.generate_content.answer_reader import (
    GenerateContentAnswerReader,
)
from llm_gateway.dialects.generate_content.answer_writer import (
    GenerateContentAnswerWriter,
)
from llm_gateway.dialects.generate_content.kept import GenerateContentStream
from llm_gateway.dialects.generate_content.request_reader import read_request
from llm_gateway.dialects.generate_content.schema_words import read_schema, write_schema
from llm_gateway.domain import Usage
from llm_gateway.streaming.json_array import JsonArray
from llm_gateway.streaming.response_probe import ProbeState, ResponseProbe
from llm_gateway.streaming.stream_meter import StreamMeter
from llm_gateway.translation.answer_events import Ended, Failed, TextDelta
from llm_gateway.translation.codec import AnswerContext, Target
from llm_gateway.translation.conversation import ToolCall, ToolResult
from llm_gateway.translation.translator import (
    AnswerTranslator,
    TranslatedRequest,
    translate_request,
)

CONTEXT = AnswerContext(model="m", stream=True, seed="s", maker="google")
PATH = "/v1beta/models/m:generateContent"


# --- request lines


@pytest.mark.parametrize(
    ("path", "model", "stream"),
    [
        ("/v1beta/models/gemini-2.5-flash:generateContent", "gemini-2.5-flash", False),
        ("/v1beta/models/g%2Fx:streamGenerateContent?alt=sse", "g/x", True),
        ("/v1beta/models/meta/llama:free:generateContent", "meta/llama:free", False),
        ("/v1/projects/p/locations/l/publishers/google/models/g:generateContent/", "g", False),
        ("/models/g:streamGenerateContent", "g", True),
        ("//v1beta//models/g:generateContent?key=k", "g", False),
        ("/v1beta/tunedModels/t:generateContent", "tunedModels/t", False),
    ],
)  # fmt: skip
def test_paths(path: str, model: str, stream: bool) -> None:
    assert match("POST", path) is GENERATE_CONTENT
    assert match("GET", path) is None
    found = read(GENERATE_CONTENT, b'{"model": "models/other"}', path=path)
    assert isinstance(found, RequestBody)
    assert (found.ask.model, found.ask.stream) == (model, stream)


def test_other_paths_of_the_api() -> None:
    assert match("POST", "/v1beta/models/g:countTokens") is None
    found = match_subpath("POST", "/v1beta/models/g:countTokens?key=k")
    assert found == (GENERATE_CONTENT, ":countTokens")
    for path in (
        "/v1beta/models/g:embedContent",
        "/v1beta/tunedModels/x",
        "/v1beta/files",
    ):
        assert match("POST", path) is None
        assert (unrouted(path) or [None])[0] is GENERATE_CONTENT
    kept = match_resource("/v1beta/cachedContents/x", {})
    assert kept is not None
    assert kept[0] is GENERATE_CONTENT
    for path in ("/v1/files", "/v1beta/models", "/v1/embeddings", "/files", "/"):
        assert unrouted(path) is None


# --- bodies


def body_of(**members: Any) -> RequestBody:
    found = read(GENERATE_CONTENT, json.dumps(members).encode(), path=PATH)
    assert isinstance(found, RequestBody), found
    return found


@pytest.mark.parametrize("spelled", [("generationConfig", "maxOutputTokens"), ("generation_config", "max_output_tokens")])  # fmt: skip
def test_the_nested_bound_is_read_and_lowered(spelled: tuple[str, str]) -> None:
    outer, inner = spelled
    found = body_of(contents=[], **{outer: {inner: 500, "topP": 0.25}})
    assert found.ask.max_tokens == 500
    assert found.rewritten(max_tokens=600) is found.raw
    assert json.loads(found.rewritten(max_tokens=9))[outer] == {inner: 9, "topP": 0.25}
    put = {outer: {inner: 500, "topK": 1}}
    rewritten = json.loads(found.rewritten(max_tokens=9, replace=put))
    assert rewritten[outer] == {inner: 9, "topK": 1}


def test_what_bounds_an_answer_is_given_once() -> None:
    raw = b'{"generationConfig": {"maxOutputTokens": 1}, "generationConfig": {}}'
    found = read(GENERATE_CONTENT, raw, path=PATH)
    assert not isinstance(found, RequestBody)
    assert "given twice" in found.message


def test_media_weigh_what_they_are_and_not_their_base64() -> None:
    big = "A" * 300_000
    for kind in ("image/png", "audio/wav"):
        blob = {"inline_data": {"mime_type": kind, "data": big}}
        found = body_of(
            contents=[{"parts": [blob, {"text": "Hi", "thoughtSignature": big}]}]
        )
        assert found.ask.input_estimate < 1100
    assert found.ask.has_images is False


def test_server_tools_are_paid_extras_and_functions_are_not() -> None:
    functions = {"functionDeclarations": [{"name": "f"}]}
    assert body_of(contents=[], tools=[functions]).ask.extras == ()
    found = body_of(contents=[], tools=[{**functions, "googleSearch": {}}])
    assert [extra.word for extra in found.ask.extras] == ["google_search"]
    config = {"responseModalities": ["IMAGE"], "thinkingConfig": {"thinkingBudget": 9}}
    found = body_of(contents=[], generationConfig=config)
    assert [(e.member, e.word) for e in found.ask.extras] == [("modalities", "image")]
    assert found.ask.thinking_budget == 9


# --- answers


def candidate(*parts: object, **members: object) -> dict[str, Any]:
    return {"candidates": [{"content": {"parts": list(parts)}, **members}]}


@pytest.mark.parametrize(
    ("event", "content", "last", "answer"),
    [
        ({}, False, False, False),
        ({"candidates": []}, False, False, False),
        ({"usageMetadata": {"promptTokenCount": 1}}, False, False, False),
        (candidate({"text": ""}), False, False, True),
        (candidate({"thoughtSignature": "x", "text": ""}), False, False, True),
        (candidate({"text": "a"}), True, False, True),
        (candidate({"text": "a", "thought": True}), True, False, True),
        (candidate({"functionCall": {}}), True, False, True),
        (candidate({"something": {"new": 1}}), True, False, True),
        (candidate(index=0, safetyRatings=[1]), False, False, False),
        (candidate(finishReason="SAFETY"), True, True, True),
        ({"promptFeedback": {"blockReason": "OTHER"}}, True, True, True),
        ({"promptFeedback": {"safetyRatings": []}}, False, False, False),
    ],
)
def test_what_an_answer_holds(
    event: dict[str, Any], content: bool, last: bool, answer: bool
) -> None:
    assert (has_content(event), is_last(event), holds_answer(event)) == (
        content,
        last,
        answer,
    )
    probe = ResponseProbe(GENERATE_CONTENT, False)
    probe.feed(json.dumps(event).encode())
    assert (probe.finish() is ProbeState.CONTENT) == answer


USAGE = {
    "promptTokenCount": 1000,
    "cachedContentTokenCount": 400,
    "candidatesTokenCount": 50,
    "thoughtsTokenCount": 30,
    "toolUsePromptTokenCount": 5,
    "promptTokensDetails": [{"modality": "AUDIO", "tokenCount": 100}],
}
READ = Usage(
    605, 400, 0, 50, 30, "reported", "gemini-2.5-flash", (("input_audio", 100),)
)
PART = {"candidates": [{}], "modelVersion": "gemini-2.5-flash"}


@pytest.mark.parametrize(
    "body",
    [
        json.dumps(PART | {"usageMetadata": USAGE}),
        json.dumps([PART | {"usageMetadata": {}}, PART | {"usageMetadata": USAGE}]),
    ],
    ids=["plain", "array"],
)
def test_usage_of_an_answer(body: str) -> None:
    assert read_answer(GENERATE_CONTENT, body.encode(), prompt_estimate=9) == READ


@pytest.mark.parametrize("padding", [0, 3 << 20], ids=["small", "large"])
def test_usage_of_a_stream(padding: int) -> None:
    """Also of an event that is too large to be held: pictures come in one."""
    picture = {"inlineData": {"mimeType": "image/png", "data": "A" * padding}}
    last = candidate(picture, finishReason="STOP") | {"usageMetadata": USAGE}
    meter = StreamMeter(GENERATE_CONTENT, strip_usage=False)
    for event in (PART | {"usageMetadata": {"promptTokenCount": 1000}}, last):
        meter.feed(b"data: " + json.dumps(event).encode() + b"\n\n")
    meter.finish()
    assert (meter.ended, meter.end_error) == (True, "")
    found = meter.usage(prompt_estimate=1)
    assert (found.source, found.prompt, found.completion) == ("reported", 1005, 80)


@pytest.mark.parametrize(
    ("usage", "counts"),
    [
        ({"promptTokenCount": 5, "totalTokenCount": 9}, (5, 4)),
        ({"totalTokenCount": 9}, (9, 0)),
        ({"prompt_token_count": 5, "candidates_token_count": 1}, (5, 1)),
        ({"promptTokenCount": 5, "cachedContentTokenCount": 9}, (5, 0)),
        ({"promptTokenCount": "5"}, (5, 0)),
        ({"promptTokenCount": "five"}, None),
        ({"promptTokensDetails": []}, None),
    ],
)
def test_odd_usage(usage: dict[str, Any], counts: tuple[int, int] | None) -> None:
    found = GENERATE_CONTENT.read_usage(usage, False)
    assert (found and (found.prompt, found.completion)) == counts


# --- streams as an array


@given(st.integers(0, 5), st.lists(st.integers(1, 9), max_size=30), st.booleans())
def test_an_array_is_whole_wherever_the_events_are_cut(
    count: int, cuts: list[int], crlf: bool
) -> None:
    end = b"\r\n\r\n" if crlf else b"\n\n"
    events = [{"n": n, "text": "a\nb]"} for n in range(count)]
    said = b": ping" + end
    said += b"".join(b"data: " + json.dumps(e).encode() + end for e in events)
    array, out, at = JsonArray(), b"", 0
    for cut in cuts:
        out += array.feed(said[at : at + cut])
        at += cut
    out += array.feed(said[at:]) + array.finish()
    assert json.loads(out) == events
    assert array.finish() == b""


# --- schemas


@pytest.mark.parametrize(
    ("google", "json_schema"),
    [
        ({"type": "STRING", "nullable": True}, {"type": ["string", "null"]}),
        ({"type": "ARRAY", "items": {"type": "INTEGER"}, "min_items": "2"}, {"type": "array", "items": {"type": "integer"}, "minItems": 2}),
        ({"any_of": [{"type": "NUMBER"}], "propertyOrdering": ["a"]}, {"anyOf": [{"type": "number"}]}),
        ({"type": "OBJECT", "properties": {"type": {"type": "STRING"}}}, {"type": "object", "properties": {"type": {"type": "string"}}}),
    ],
)  # fmt: skip
def test_googles_schema_becomes_json_schema(google: Any, json_schema: Any) -> None:
    assert read_schema(google) == json_schema


def test_words_that_google_refuses_are_left_out_and_named() -> None:
    schema = {
        "$schema": "x",
        "type": "object",
        "properties": {
            "pattern": {"type": "string", "pattern": "a"},
            "b": {"const": 1},
            "c": {"$ref": "#/definitions/C"},
            "d": {"allOf": [{"type": "integer", "exclusiveMinimum": 0}]},
        },
        "definitions": {"C": {"type": "string"}},
        "propertyNames": {},
        "additionalProperties": False,
    }
    left_out: set[str] = set()
    assert write_schema(schema, left_out) == {
        "type": "object",
        "properties": {
            "pattern": {"type": "string"},
            "b": {"enum": [1]},
            "c": {"$ref": "#/$defs/C"},
            "d": {"type": "integer"},
        },
        "$defs": {"C": {"type": "string"}},
        "additionalProperties": False,
    }
    assert left_out == {"pattern", "exclusiveMinimum", "propertyNames"}


# --- requests in neutral form


def calls_and_results(contents: list[dict[str, Any]]) -> tuple[list[str], list[str]]:
    turns = read_request({"contents": contents}).turns
    parts = [part for turn in turns for part in turn.parts]
    return (
        [p.id for p in parts if isinstance(p, ToolCall)],
        [p.call_id for p in parts if isinstance(p, ToolResult)],
    )


def test_parallel_calls_without_ids_meet_their_results() -> None:
    def call(name: str, n: int) -> dict[str, Any]:
        return {"functionCall": {"name": name, "args": {"n": n}}}

    def back(name: str) -> dict[str, Any]:
        return {"functionResponse": {"name": name, "response": {"output": "x"}}}

    contents = [
        {"role": "model", "parts": [call("a", 1), call("b", 1), call("a", 2)]},
        {"role": "user", "parts": [back("b"), back("a"), back("a")]},
        {"role": "model", "parts": [call("a", 1)]},
        {"role": "user", "parts": [back("a")]},
    ]
    calls, results = calls_and_results(contents)
    assert len(set(calls)) == 4
    assert results == [calls[1], calls[0], calls[2], calls[3]]
    # What is made for the first turns is the same in every later request.
    assert calls_and_results(contents[:2])[0] == calls[:3]


def test_contents_of_one_role_in_a_row_are_one_turn() -> None:
    """Google's SDK keeps each event of a stream as a content of its own."""
    calls = [
        {"functionCall": {"name": "a", "args": {"n": n}, "id": f"i{n}"}} for n in (1, 2)
    ]
    back = {"functionResponse": {"name": "a", "response": {"result": "x"}}}
    said = read_request(
        {
            "contents": [
                {"role": "user", "parts": [{"text": "Hi"}]},
                *({"role": "model", "parts": [call]} for call in calls),
                {"role": "model", "parts": [{"text": ""}]},
                {"role": "user", "parts": [back, back]},
            ]
        }
    )
    assert [turn.role for turn in said.turns] == ["user", "assistant", "user"]
    assert [part.id for part in said.turns[1].parts] == ["i1", "i2"]
    assert [part.call_id for part in said.turns[2].parts] == ["i1", "i2"]


@pytest.mark.parametrize(
    ("response", "text"),
    [
        ({"result": "3"}, "3"),
        ({"output": {"n": 3}}, '{"n":3}'),
        ({"return_value": "3"}, "3"),
        ({"name": "add", "content": "3"}, "3"),
        ({"name": "other", "content": "3"}, '{"name":"other","content":"3"}'),
        ({"sum": 3}, '{"sum":3}'),
        ({}, ""),
    ],
)
def test_results_as_each_sdk_writes_them(response: Any, text: str) -> None:
    part = {"functionResponse": {"name": "add", "response": response}}
    said = read_request({"contents": [{"role": "user", "parts": [part]}]})
    [result] = said.turns[0].parts
    assert "".join(part.text for part in result.parts) == text


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    (
                        *(
                            "contents",
                            "parts",
                            "role",
                            "text",
                            "functionCall",
                            "name",
                            "args",
                        ),
                        *(
                            "functionResponse",
                            "response",
                            "inlineData",
                            "mimeType",
                            "data",
                        ),
                        *(
                            "tools",
                            "functionDeclarations",
                            "parameters",
                            "thoughtSignature",
                        ),
                        *(
                            "generationConfig",
                            "thinkingConfig",
                            "thinkingBudget",
                            "type",
                        ),
                        *(
                            "fileData",
                            "fileUri",
                            "systemInstruction",
                            "toolConfig",
                            "properties",
                        ),
                    )
                ),
                inner,
                max_size=4,
            )
        ),
        max_leaves=30,
    )
)
def test_nothing_that_a_stranger_sends_raises(value: Any) -> None:
    body = value if isinstance(value, dict) else {"contents": value, "tools": value}
    raw = json.dumps(body).encode()
    read(GENERATE_CONTENT, raw, path=PATH)
    for target in (CHAT, MESSAGES, GENERATE_CONTENT):
        assert GENERATE_CONTENT.codecs
        assert target.codecs
        translate_request(
            GENERATE_CONTENT.codecs, target.codecs, body, Target("m", "x")
        )
    adapt(
        body,
        Quirks.parse("signature:google", "role:last=user", "sampling:seed"),
        nothing_kept,
    )
    GenerateContentAnswerReader(CONTEXT).plain(body)
    GENERATE_CONTENT.event_has_content and GENERATE_CONTENT.event_has_content(body)


# --- answers in neutral form


@pytest.mark.parametrize(
    ("reason", "said", "end"),
    [
        ("STOP", "a", Ended("stop")),
        ("MAX_TOKENS", "a", Ended("length")),
        ("SAFETY", "", Ended("filtered")),
        ("OTHER", "a", Failed("bad call", "other")),
        ("FINISH_REASON_UNSPECIFIED", "a", Ended("stop")),
        ("MALFORMED_FUNCTION_CALL", "", Failed("bad call", "malformed_function_call")),
    ],
)
def test_ends(reason: str, said: str, end: object) -> None:
    answer = candidate({"text": said}, finishReason=reason, finishMessage="bad call")
    assert GenerateContentAnswerReader(CONTEXT).plain(answer)[-1] == end
    reader = GenerateContentAnswerReader(CONTEXT)
    events = reader.event("", json.dumps(answer).encode())
    assert (events + reader.end())[-1] == end


BROKEN_OFF = frozenset(
    {
        *("OTHER", "IMAGE_OTHER", "NO_IMAGE"),
        *("MALFORMED_FUNCTION_CALL", "MALFORMED_RESPONSE", "UNEXPECTED_TOOL_CALL"),
        *("TOO_MANY_TOOL_CALLS", "MISSING_THOUGHT_SIGNATURE", "ESCALATION"),
        *("PUP_LIMITED_DISABLED", "CONTINUATION", "A_REASON_OF_TOMORROW"),
    }
)
"""Ends of no filter and no bound: an error, whatever was said, unless whole calls came."""


def test_every_end_that_googles_sdk_knows() -> None:
    types = pytest.importorskip("google.genai.types")
    for reason in {*(each.value for each in types.FinishReason), *BROKEN_OFF}:
        ends = [
            GenerateContentAnswerReader(CONTEXT).plain(
                candidate({"text": said}, finishReason=reason)
            )[-1]
            for said in ("", "a")
        ]
        if reason in BROKEN_OFF:
            assert all(isinstance(end, Failed) for end in ends), reason
            call = {"functionCall": {"name": "f", "args": {}}}
            called = GenerateContentAnswerReader(CONTEXT).plain(
                candidate(call, finishReason=reason)
            )
            assert called[-1] == Ended("tools"), reason
        else:
            plain = {
                "STOP": "stop",
                "FINISH_REASON_UNSPECIFIED": "stop",
                "MAX_TOKENS": "length",
            }.get(reason, "filtered")
            assert ends == [Ended(plain)] * 2, reason  # type: ignore[arg-type]
    for block in types.BlockedReason:
        blocked = {"promptFeedback": {"blockReason": block.value}}
        said = GenerateContentAnswerReader(CONTEXT).plain(blocked)
        assert said[-1] == Ended("filtered"), block


def test_a_stream_that_stops_short_has_failed() -> None:
    reader = GenerateContentAnswerReader(CONTEXT)
    assert TextDelta("a") in reader.event(
        "", json.dumps(candidate({"text": "a"})).encode()
    )
    assert isinstance(reader.end()[-1], Failed)
    assert isinstance(reader.event("", b"{")[0], Failed)


def test_what_is_written_is_read_again() -> None:
    """Plain and streamed: the same events, and a client's parser sees nothing but data."""
    said = [
        {"text": "Hm.", "thought": True, "thoughtSignature": "sig"},
        {"text": "Well"},
        {
            "functionCall": {"id": "1", "name": "f", "args": {"a": 1}},
            "thoughtSignature": "s",
        },
    ]
    whole = candidate(*said, finishReason="STOP") | {"usageMetadata": USAGE}
    events = GenerateContentAnswerReader(CONTEXT).plain(whole)
    writer = GenerateContentAnswerWriter(CONTEXT)
    stream = b"".join(map(writer.write, events))
    assert all(line.startswith(b"data: {") for line in stream.split(b"\n\n") if line)
    parts = [
        part
        for line in stream.split(b"\n\n")
        if line
        for part in json.loads(line[6:])["candidates"][0]["content"]["parts"]
    ]
    plain = json.loads(GenerateContentAnswerWriter(CONTEXT).plain(events))
    for found in (parts, plain["candidates"][0]["content"]["parts"]):
        read_back = read_request({"contents": [{"role": "model", "parts": found}]})
        thought, text, call = read_back.turns[0].parts
        assert (thought.text, thought.state.data) == ("Hm.", "sig")
        assert (text.text, call.arguments, call.state.data) == ("Well", '{"a":1}', "s")
    usage = plain["usageMetadata"]
    assert usage["promptTokenCount"] == 1005
    assert usage["totalTokenCount"] == 1085


def test_hidden_thoughts_leave_no_signature_of_theirs() -> None:
    hidden = AnswerContext(model="m", stream=True, shows_thoughts=False, maker="x")
    answer = candidate(
        {"text": "Hm.", "thought": True, "thoughtSignature": "s"}, finishReason="STOP"
    )
    events = GenerateContentAnswerReader(hidden).plain(answer)
    out = b"".join(map(GenerateContentAnswerWriter(hidden).write, events))
    assert b"thought" not in out.replace(b"thoughtsTokenCount", b"")


@given(st.integers(1, 40))
def test_a_chat_stream_is_translated_wherever_it_is_cut(size: int) -> None:
    assert CHAT.codecs
    assert GENERATE_CONTENT.codecs
    chunks = [
        {"choices": [{"delta": {"content": "Hel"}}]},
        {"choices": [{"delta": {"tool_calls": [{"index": 0, "id": "1", "function": {"name": "f", "arguments": '{"a":'}}]}}]},
        {"choices": [{"delta": {"tool_calls": [{"index": 0, "function": {"arguments": " 1}"}}]}}]},
        {"choices": [{"delta": {}, "finish_reason": "tool_calls"}]},
    ]  # fmt: skip
    said = b": ping\n\n" + b"".join(
        b"data: %b\n\n" % json.dumps(c).encode() for c in chunks
    )
    said += b"data: [DONE]\n\n"
    translator = AnswerTranslator(GENERATE_CONTENT.codecs, CHAT.codecs, CONTEXT)
    out = b"".join(
        translator.feed(said[i : i + size]) for i in range(0, len(said), size)
    )
    events = [json.loads(e[6:]) for e in (out + translator.end()).split(b"\n\n") if e]
    parts = [p for e in events for p in e["candidates"][0]["content"]["parts"]]
    call = {"id": "1", "name": "f", "args": {"a": 1}}
    assert parts == [{"text": "Hel"}, {"functionCall": call}, {"text": ""}]
    assert events[-1]["candidates"][0]["finishReason"] == "STOP"


def test_history_is_a_function_of_the_history() -> None:
    """What turns 1 to n become is the beginning of what turns 1 to n+1 become."""
    assert CHAT.codecs
    assert GENERATE_CONTENT.codecs
    call = {"id": "1", "function": {"name": "f", "arguments": "{}"}}
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "1", "content": "x"},
        {"role": "assistant", "content": "Well"},
        {"role": "user", "content": "Go on"},
    ]
    made = []
    for n in (4, 6):
        found = translate_request(
            CHAT.codecs,
            GENERATE_CONTENT.codecs,
            {"messages": messages[:n]},
            Target("m"),
        )
        assert isinstance(found, TranslatedRequest)
        made.append(found.body["contents"])
    assert made[1][: len(made[0])] == made[0]


# --- adapter


def signed(content: object, recall: Any = nothing_kept) -> list[object]:
    values = {"contents": [{"role": "model", "parts": content}]}
    found = adapt(values, Quirks.parse("signature:google"), recall)
    contents = found.replaced.get("contents", values["contents"])
    return [part.get("thoughtSignature") for part in contents[0]["parts"]]


def call_part(name: str, signature: str = "") -> dict[str, Any]:
    part = {"functionCall": {"name": name, "args": {}}}
    return {**part, "thoughtSignature": signature} if signature else part


def test_the_first_call_of_a_turn_is_signed() -> None:
    placeholder = "skip_thought_signature_validator"
    assert signed([call_part("a"), call_part("b")]) == [placeholder, None]
    assert signed([call_part("a", "own"), call_part("b")]) == ["own", None]
    assert signed([{"text": "x"}]) == [None]

    def recall(call: CallKey, n: int = 0) -> Kept | None:
        return Kept(signature="kept") if call == CallKey("", "b", "{}") else None

    assert signed([call_part("a"), call_part("b")], recall) == [placeholder, "kept"]


def test_state_of_another_model_that_we_have_marked_is_taken_out() -> None:
    ours = marked("anthropic", "signature", "x")
    parts = [
        {"text": "Hm.", "thought": True, "thoughtSignature": ours},
        call_part("a", ours),
    ]
    values = {"contents": [{"role": "model", "parts": parts}], "safetySettings": []}
    found = adapt(values, Quirks(), nothing_kept)
    assert found.replaced == {
        "contents": [{"role": "model", "parts": [call_part("a")]}]
    }
    assert found.parts == ("signature",)
    # A content of nothing else would be refused: "parts must not be empty".
    alone = {"role": "model", "parts": parts[:1]}
    found = adapt(
        {"contents": [alone, alone | {"parts": parts}]}, Quirks(), nothing_kept
    )
    assert found.replaced["contents"] == [{"role": "model", "parts": [call_part("a")]}]
    assert adapt({"contents": []}, Quirks(), nothing_kept).changes == ()


def test_sampling_goes_where_the_row_says_so() -> None:
    values = {"generationConfig": {"temperature": 1, "topP": 0.5, "topK": 3}}
    found = adapt(
        values, Quirks.parse("sampling:top_p", "sampling:temperature"), nothing_kept
    )
    assert found.replaced == {"generationConfig": {"topK": 3}}


def test_calls_of_a_stream_are_kept_with_their_signatures() -> None:
    kept: list[Any] = []

    class Asked:
        keep = staticmethod(kept.append)

    observer = GenerateContentStream(Asked())  # type: ignore[arg-type]
    thought = candidate({"text": "Hm.", "thought": True})
    call = candidate(call_part("a", "sig"), finishReason="STOP")
    for event in (thought, call):
        data = json.dumps(event).encode()
        assert observer.wants(data)
        assert observer.read(data, False) is None
    assert kept[-1].calls == ((CallKey("", "a", "{}"), Kept("Hm.", "sig")),)
    assert kept[-1].signed == ("sig",)
    assert not observer.wants(json.dumps(candidate({"text": "a"})).encode())
