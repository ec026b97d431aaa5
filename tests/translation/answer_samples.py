"""An answer with each part that those of a dialect can hold: plain, and as events of a stream.

A text stands in every one of them. `PLAIN[dialect][part]` is a body, `STREAM` its events.
"""

from collections.abc import Mapping

from llm_gateway.translation.answer_parts import AnswerPart as A

Json = dict[str, object]
TEXT = "It rains."
PIXEL = "iVBORw0KGgo="
SOURCE = {"type": "url_citation", "url": "https://a.test", "title": "A"}
LOGPROBS = {"content": [{"token": "It", "logprob": -0.1, "top_logprobs": []}]}


# -- chat


def _chat(message: Json, choice: Json | None = None, **beside: object) -> Json:
    said = {"role": "assistant", "content": TEXT, **message}
    one = {"index": 0, "message": said, "finish_reason": "stop", **(choice or {})}
    return {"id": "c", "model": "m", "choices": [one], **beside}


CALL = {
    "index": 0,
    "id": "call_1",
    "type": "function",
    "function": {"name": "get", "arguments": '{"a":1}'},
}
SIGNED = {"type": "reasoning.text", "text": "Hm.", "signature": "c2ln", "index": 0}
CHAT: Mapping[A, Json] = {
    A.TEXT: _chat({}),
    A.THOUGHT: _chat({"reasoning_content": "Hm."}),
    A.STATE: _chat({"reasoning_details": [SIGNED]}),
    A.REFUSAL: _chat({"content": None, "refusal": "No."}),
    A.CALL: _chat({"tool_calls": [CALL]}, {"finish_reason": "tool_calls"}),
    A.IMAGE: _chat(
        {"images": [{"type": "image_url", "image_url": {"url": "data:image/png,"}}]}
    ),
    A.AUDIO: _chat({"audio": {"id": "a", "data": PIXEL}}),
    A.CITATION: _chat({"annotations": [SOURCE]}),
    A.SEARCH: _chat({}, search_results=[{"title": "A", "url": "https://a.test"}]),
    A.SERVER_CALL: _chat({"executed_tools": [{"type": "search"}]}),
    A.LOGPROBS: _chat({}, {"logprobs": LOGPROBS}),
    A.UNKNOWN: _chat({"hologram": {"data": "x"}}),
}


def _chat_events(answer: Json) -> list[Json]:
    choices = answer["choices"]
    assert isinstance(choices, list)
    [one] = choices
    head = {k: v for k, v in answer.items() if k != "choices"}
    beside = {k: v for k, v in one.items() if k not in ("message", "finish_reason")}
    end = {"index": 0, "delta": {}, "finish_reason": one["finish_reason"]}
    return [
        {**head, "choices": [{**beside, "delta": one["message"]}]},
        {**head, "choices": [end]},
    ]


# -- Messages


def _message(*blocks: Json, reason: str = "end_turn", **members: object) -> Json:
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "m",
        "content": [*blocks, {"type": "text", "text": TEXT}],
        "stop_reason": reason,
        "usage": {"input_tokens": 3, "output_tokens": 2},
        **members,
    }


MESSAGES: Mapping[A, Json] = {
    A.TEXT: _message(),
    A.THOUGHT: _message({"type": "thinking", "thinking": "Hm."}),
    A.STATE: _message({"type": "thinking", "thinking": "Hm.", "signature": "c2ln"}),
    A.CALL: _message(
        {"type": "tool_use", "id": "toolu_1", "name": "get", "input": {"a": 1}},
        reason="tool_use",
    ),
    A.STOP_SEQUENCE: _message(reason="stop_sequence", stop_sequence="END"),
    A.CITATION: _message(
        {"type": "text", "text": "Yes.", "citations": [{"type": "char_location"}]}
    ),
    A.SEARCH: _message(
        {"type": "web_search_tool_result", "tool_use_id": "s", "content": []}
    ),
    A.CODE: _message(
        {"type": "code_execution_tool_result", "tool_use_id": "s", "content": {}}
    ),
    A.SERVER_CALL: _message(
        {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}}
    ),
    A.UNKNOWN: _message({"type": "hologram", "data": "x"}),
}


def _message_events(answer: Json) -> list[Json]:
    blocks = answer["content"]
    assert isinstance(blocks, list)
    events: list[Json] = [
        {"type": "message_start", "message": {**answer, "content": []}}
    ]
    for index, block in enumerate(blocks):
        place = {"index": index}
        start, deltas = dict(block), []
        for name in ("text", "thinking", "signature"):
            if said := start.get(name):
                start[name] = ""
                deltas.append({"type": f"{name}_delta", name: said})
        for cited in start.pop("citations", ()):
            deltas.append({"type": "citations_delta", "citation": cited})
        events.append({"type": "content_block_start", **place, "content_block": start})
        events += [
            {"type": "content_block_delta", **place, "delta": delta} for delta in deltas
        ]
        events.append({"type": "content_block_stop", **place})
    end = {name: answer.get(name) for name in ("stop_reason", "stop_sequence")}
    events.append({"type": "message_delta", "delta": end, "usage": answer["usage"]})
    return [*events, {"type": "message_stop"}]


# -- Responses


def _response(*items: Json, **part: object) -> Json:
    text = {"type": "output_text", "text": TEXT, "annotations": [], **part}
    said = {"type": "message", "id": "msg_1", "role": "assistant", "content": [text]}
    return {"id": "r", "model": "m", "status": "completed", "output": [*items, said]}


SUMMARY = {"type": "summary_text", "text": "Hm."}
RESPONSES: Mapping[A, Json] = {
    A.TEXT: _response(),
    A.THOUGHT: _response({"type": "reasoning", "id": "rs_1", "summary": [SUMMARY]}),
    A.STATE: _response(
        {
            "type": "reasoning",
            "id": "rs_1",
            "summary": [SUMMARY],
            "encrypted_content": "c2ln",
        }
    ),
    A.REFUSAL: _response(
        {
            "type": "message",
            "id": "msg_0",
            "content": [{"type": "refusal", "refusal": "No."}],
        }
    ),
    A.CALL: _response(
        {
            "type": "function_call",
            "id": "fc_1",
            "call_id": "call_1",
            "name": "get",
            "arguments": '{"a":1}',
        }
    ),
    A.IMAGE: _response({"type": "image_generation_call", "id": "ig", "result": PIXEL}),
    A.AUDIO: _response(
        {
            "type": "message",
            "id": "msg_0",
            "content": [{"type": "output_audio", "data": PIXEL}],
        }
    ),
    A.CITATION: _response(annotations=[SOURCE]),
    A.SEARCH: _response({"type": "web_search_call", "id": "ws_1"}),
    A.CODE: _response({"type": "code_interpreter_call", "id": "ci_1"}),
    A.SERVER_CALL: _response({"type": "mcp_call", "id": "mcp_1"}),
    A.LOGPROBS: _response(logprobs=LOGPROBS["content"]),
    A.UNKNOWN: _response({"type": "hologram_call", "id": "h_1"}),
}


def _response_events(answer: Json) -> list[Json]:
    items = answer["output"]
    assert isinstance(items, list)
    begun = {**answer, "status": "in_progress", "output": []}
    events: list[Json] = [{"type": "response.created", "response": begun}]
    for index, item in enumerate(items):
        for word in ("added", "done"):
            kind = f"response.output_item.{word}"
            shown = item if word == "done" else {**item, "content": [], "arguments": ""}
            events.append({"type": kind, "output_index": index, "item": shown})
    return [*events, {"type": "response.completed", "response": answer}]


# -- generateContent


def _content(*parts: Json, **members: object) -> Json:
    content = {"role": "model", "parts": [*parts, {"text": TEXT}]}
    candidate = {"content": content, "index": 0, "finishReason": "STOP", **members}
    return {"candidates": [candidate], "modelVersion": "m", "responseId": "r"}


GENERATE_CONTENT: Mapping[A, Json] = {
    A.TEXT: _content(),
    A.THOUGHT: _content({"text": "Hm.", "thought": True}),
    A.STATE: _content({"text": "Hm.", "thought": True, "thoughtSignature": "c2ln"}),
    A.CALL: _content({"functionCall": {"id": "1", "name": "get", "args": {"a": 1}}}),
    A.IMAGE: _content({"inlineData": {"mimeType": "image/png", "data": PIXEL}}),
    A.AUDIO: _content({"inline_data": {"mime_type": "audio/wav", "data": PIXEL}}),
    A.CITATION: _content(citationMetadata={"citationSources": [{"uri": "a"}]}),
    A.SEARCH: _content(groundingMetadata={"groundingChunks": [{"web": {}}]}),
    A.CODE: _content({"executableCode": {"language": "PYTHON", "code": "1"}}),
    A.SERVER_CALL: _content({"toolCall": {"id": "1"}}),
    A.LOGPROBS: _content(logprobsResult={"chosenCandidates": [{"token": "It"}]}),
    A.UNKNOWN: _content({"hologram": {"data": "x"}}),
}

PLAIN: Mapping[str, Mapping[A, Json]] = {
    "chat": CHAT,
    "messages": MESSAGES,
    "responses": RESPONSES,
    "generateContent": GENERATE_CONTENT,
}
_EVENTS = {
    "chat": _chat_events,
    "messages": _message_events,
    "responses": _response_events,
    "generateContent": lambda answer: [answer],
}


def events(dialect: str, part: A) -> list[Json]:
    return _EVENTS[dialect](dict(PLAIN[dialect][part]))
