"""A small request for every part that each dialect can hold: (dialect, part) -> members.

`FULL` holds what else a sample is of: members that are added to every one of the dialect.
"""

import json
from collections.abc import Mapping

from llm_gateway.adaptation.marked_state import marked
from llm_gateway.translation.carried import PartName as P
from translation import samples_generate_content, samples_responses

MAKER = "acme api.acme.test:443"
"""Of the target in these tests."""

SIGNATURE = "c2lnbmF0dXJl"
DETAILS = json.dumps(
    [{"type": "reasoning.text", "text": "Hm.", "signature": SIGNATURE}]
)
PIXEL = "iVBORw0KGgo="
GET = {"name": "get", "description": "Gets it.", "input_schema": {"type": "object"}}


def user(*blocks: object) -> dict[str, object]:
    return {"messages": [{"role": "user", "content": list(blocks)}]}


def text(said: str = "hi") -> dict[str, object]:
    return {"type": "text", "text": said}


def turn(role: str, *blocks: object) -> dict[str, object]:
    return {"role": role, "content": list(blocks)}


def thought(signature: str) -> dict[str, object]:
    thinking = {"type": "thinking", "thinking": "Hm.", "signature": signature}
    return {
        "messages": [
            turn("user", text()),
            turn("assistant", thinking, text("Yes.")),
            turn("user", text("Go on.")),
        ]
    }


def result(**members: object) -> dict[str, object]:
    use = {"type": "tool_use", "id": "call_1", "name": "get", "input": {"a": 1}}
    back = {"type": "tool_result", "tool_use_id": "call_1", "content": "1", **members}
    return {
        "tools": [GET],
        "messages": [turn("user", text()), turn("assistant", use), turn("user", back)],
    }


def document(**source: object) -> dict[str, object]:
    return {"type": "document", "source": source, "title": "Paper"}


IMAGE = {
    "type": "image",
    "source": {"type": "base64", "media_type": "image/png", "data": PIXEL},
}
PDF = document(type="base64", media_type="application/pdf", data=PIXEL)
SCHEMA = {
    "type": "object",
    "properties": {"a": {"type": "integer"}},
    "required": ["a"],
    "additionalProperties": False,
}
SEARCH = {"type": "web_search_20250305", "name": "web_search"}

MESSAGES: Mapping[P, Mapping[str, object]] = {
    P.INSTRUCTIONS: {"system": "Be brief."},
    P.INSTRUCTIONS_INSIDE: {
        "messages": [turn("user", text()), turn("system", text("Be brief."))]
    },
    P.TEXT: user(text()),
    P.IMAGE: user(IMAGE),
    P.IMAGE_URL: user(
        {"type": "image", "source": {"type": "url", "url": "https://a.test/a.png"}}
    ),
    P.IMAGE_FILE: user(
        {"type": "image", "source": {"type": "file", "file_id": "file_1"}}
    ),
    P.TEXT_DOCUMENT: user(
        document(type="text", media_type="text/plain", data="Words.")
    ),
    P.PDF: user(PDF),
    P.DOCUMENT_URL: user(document(type="url", url="https://a.test/a.pdf")),
    P.DOCUMENT_FILE: user(document(type="file", file_id="file_1")),
    P.DOCUMENT_TITLE: user(document(type="text", media_type="text/plain", data="W.")),
    P.DOCUMENT_CONTEXT: user(
        {**document(type="text", media_type="text/plain", data="W."), "context": "Old."}
    ),
    P.CITATIONS: user({**PDF, "citations": {"enabled": True}})
    | {"messages": [turn("user", {**document(type="text", data="W."), "citations": {"enabled": True}})]},
    P.PREFILL: {"messages": [turn("user", text()), turn("assistant", text("So"))]},
    P.ASSISTANT_FIRST: {
        "messages": [turn("assistant", text("Hello.")), turn("user", text())]
    },
    P.REFERENCE: result(content=[{"type": "tool_reference", "tool_name": "get"}]),
    P.UNKNOWN_PART: user({"type": "hologram", "data": "x"}),
    P.TOOL: {"tools": [GET]},
    P.STRICT: {"tools": [{**GET, "strict": True}]},
    P.DEFERRED_TOOL: {"tools": [{**GET, "defer_loading": True}]},
    P.SERVER_TOOL: {"tools": [GET, SEARCH]},
    P.SERVER_TOOL_NEEDED: {"tools": [SEARCH]},
    P.TOOL_CHOICE: {"tools": [GET], "tool_choice": {"type": "tool", "name": "get"}},
    P.PARALLEL_OFF: {
        "tools": [GET],
        "tool_choice": {"type": "auto", "disable_parallel_tool_use": True},
    },
    P.CALL: result(),
    P.RESULT: result(),
    P.RESULT_ERROR: result(is_error=True),
    P.RESULT_IMAGE: result(content=[text("Look:"), IMAGE]),
    P.RESULT_DOCUMENT: result(content=[PDF]),
    P.SERVER_CALL: {
        "messages": [
            turn("user", text()),
            turn(
                "assistant",
                {"type": "server_tool_use", "id": "s1", "name": "web_search", "input": {}},
                {"type": "web_search_tool_result", "tool_use_id": "s1", "content": []},
                text("It rains."),
            ),
            turn("user", text()),
        ]
    },
    P.EFFORT: {"output_config": {"effort": "high"}},
    P.BUDGET: {"thinking": {"type": "enabled", "budget_tokens": 5_000}},
    P.SHOWN: {"thinking": {"type": "adaptive", "display": "summarized"}},
    P.THOUGHT: thought(marked("other", "plain", "")),
    P.OWN_STATE: thought(marked(MAKER, "details", DETAILS)),
    P.FOREIGN_STATE: thought(SIGNATURE),
    P.JSON_SCHEMA: {
        "output_config": {"format": {"type": "json_schema", "schema": SCHEMA}}
    },
    P.MAX_TOKENS: {"max_tokens": 50},
    P.STOP: {"stop_sequences": ["a", "b", "c", "d"]},
    P.STOP_MANY: {"stop_sequences": ["a", "b", "c", "d", "e", "f"]},
    P.TEMPERATURE: {"temperature": 0.5},
    P.TOP_P: {"top_p": 0.5},
    P.TOP_K: {"top_k": 5},
    P.METADATA: {"metadata": {"user_id": "u1"}},
    P.CACHE_MARKS: user({**text(), "cache_control": {"type": "ephemeral"}}),
    P.STATE: {"container": "container_1"},
    P.COMPACTION: {
        "messages": [
            turn("assistant", {"type": "compaction", "content": "x"}),
            turn("user", text()),
        ]
    },
    P.UNKNOWN_MEMBER: {"inference_geo": "eu"},
}  # fmt: skip


FUNCTION = {
    "type": "function",
    "function": {"name": "get", "parameters": {"type": "object"}},
}
CALL = {
    "id": "call_1",
    "type": "function",
    "function": {"name": "get", "arguments": '{"a":1}'},
}


def history(result: object = "1", **call: object) -> dict[str, object]:
    return {
        "tools": [FUNCTION],
        "messages": [
            {"role": "user", "content": "hi"},
            {"role": "assistant", "content": None, "tool_calls": [{**CALL, **call}]},
            {"role": "tool", "tool_call_id": "call_1", "content": result},
        ],
    }


def chat_thought(**members: object) -> dict[str, object]:
    return {
        "messages": [
            {"role": "user", "content": "hi"},
            {"role": "assistant", "content": "Yes.", **members},
            {"role": "user", "content": "Go on."},
        ]
    }


def signed(signature: str) -> dict[str, object]:
    detail = {"type": "reasoning.text", "text": "Hm.", "signature": signature}
    return chat_thought(reasoning_details=[detail])


CHAT_IMAGE = {
    "type": "image_url",
    "image_url": {"url": f"data:image/png;base64,{PIXEL}"},
}
CHAT_TEXT = {
    "type": "file",
    "file": {"filename": "Paper", "file_data": "data:text/plain;base64,V29yZHMu"},
}
CUSTOM = {"type": "custom", "custom": {"name": "patch", "description": "Patches."}}

CHAT: Mapping[P, Mapping[str, object]] = {
    P.INSTRUCTIONS: {
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "hi"},
        ]
    },
    P.INSTRUCTIONS_INSIDE: {
        "messages": [
            {"role": "user", "content": "hi"},
            {"role": "system", "content": "Be brief."},
        ]
    },
    P.DEVELOPER_ROLE: {
        "messages": [
            {"role": "developer", "content": "Be brief."},
            {"role": "user", "content": "hi"},
        ]
    },
    P.TEXT: user(text()),
    P.NAME: {"messages": [{"role": "user", "name": "Ann", "content": "hi"}]},
    P.IMAGE: user(CHAT_IMAGE),
    P.IMAGE_URL: user(
        {"type": "image_url", "image_url": {"url": "https://a.test/a.png"}}
    ),
    P.IMAGE_DETAIL: user(
        {
            "type": "image_url",
            "image_url": {"url": "https://a.test/a.png", "detail": "low"},
        }
    ),
    P.PDF: user(
        {
            "type": "file",
            "file": {
                "filename": "a.pdf",
                "file_data": f"data:application/pdf;base64,{PIXEL}",
            },
        }
    ),
    P.DOCUMENT_FILE: user({"type": "file", "file": {"file_id": "file_1"}}),
    P.DOCUMENT_TITLE: user(CHAT_TEXT),
    P.TEXT_DOCUMENT: user(CHAT_TEXT),
    P.AUDIO: user(
        {"type": "input_audio", "input_audio": {"data": PIXEL, "format": "wav"}}
    ),
    P.PREFILL: {
        "messages": [
            {"role": "user", "content": "hi"},
            {"role": "assistant", "content": "So"},
        ]
    },
    P.ASSISTANT_FIRST: {
        "messages": [
            {"role": "assistant", "content": "Hello."},
            {"role": "user", "content": "hi"},
        ]
    },
    P.UNKNOWN_PART: user({"type": "hologram", "data": "x"}),
    P.TOOL: {"tools": [FUNCTION]},
    P.FREEFORM_TOOL: {"tools": [CUSTOM]},
    P.STRICT: {
        "tools": [
            {
                "type": "function",
                "function": {"name": "get", "strict": True, "parameters": SCHEMA},
            }
        ]
    },
    P.SERVER_TOOL: {"tools": [FUNCTION, {"type": "web_search"}]},
    P.SERVER_TOOL_NEEDED: {"web_search_options": {}},
    P.TOOL_CHOICE: {"tools": [FUNCTION], "tool_choice": "required"},
    P.ALLOWED_TOOLS: {
        "tools": [FUNCTION, CUSTOM],
        "tool_choice": {
            "type": "allowed_tools",
            "allowed_tools": {
                "mode": "auto",
                "tools": [{"type": "function", "function": {"name": "get"}}],
            },
        },
    },
    P.PARALLEL_OFF: {"tools": [FUNCTION], "parallel_tool_calls": False},
    P.CALL: history(),
    P.RESULT: history(),
    P.RESULT_IMAGE: history([CHAT_IMAGE]),
    P.EFFORT: {"reasoning_effort": "high"},
    P.BUDGET: {"reasoning": {"max_tokens": 5_000}},
    P.THOUGHT: chat_thought(reasoning_content="Hm."),
    P.OWN_STATE: signed(marked(MAKER, "signature", SIGNATURE)),
    P.FOREIGN_STATE: signed(marked("other", "signature", SIGNATURE)),
    P.JSON_SCHEMA: {
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "a", "strict": True, "schema": SCHEMA},
        }
    },
    P.JSON_OBJECT: {"response_format": {"type": "json_object"}},
    P.MAX_TOKENS: {"max_completion_tokens": 50},
    P.STOP: {"stop": "a"},
    P.TEMPERATURE: {"temperature": 0.5},
    P.TOP_P: {"top_p": 0.5},
    P.TOP_K: {"top_k": 5},
    P.SEED: {"seed": 5},
    P.PENALTIES: {"frequency_penalty": 0.5, "presence_penalty": 0.5},
    P.SEVERAL: {"n": 2},
    P.LOGPROBS: {"logprobs": True},
    P.LOGIT_BIAS: {"logit_bias": {"5": 1}},
    P.USER: {"user": "u1"},
    P.METADATA: {"metadata": {"a": "b"}},
    P.CACHE_MARKS: user({**text(), "cache_control": {"type": "ephemeral"}}),
    P.CACHE_KEY: {"prompt_cache_key": "k"},
    P.OTHER_OUTPUT: {"modalities": ["text", "audio"], "audio": {"voice": "alloy"}},
    P.UNKNOWN_MEMBER: {"verbosity": "low"},
}

SAMPLES = {
    "messages": MESSAGES,
    "chat": CHAT,
    "responses": samples_responses.samples(MAKER, DETAILS),
    "generateContent": samples_generate_content.samples(MAKER, SIGNATURE),
}

BASE = {
    "messages": {
        "model": "m",
        "max_tokens": 100,
        "messages": [{"role": "user", "content": "hi"}],
    },
    "chat": {"model": "m", "messages": [{"role": "user", "content": "hi"}]},
    "responses": samples_responses.BASE,
    "generateContent": samples_generate_content.BASE,
}


def sample(dialect: str, part: P) -> dict[str, object]:
    """A whole request with this part in it."""
    return {**BASE[dialect], **SAMPLES[dialect][part]}
