"""A small Responses request for every part that one can hold."""

from collections.abc import Mapping

from llm_gateway.adaptation.marked_state import marked
from llm_gateway.translation.carried import PartName as P

PIXEL = "iVBORw0KGgo="
BASE = {"model": "m", "input": [{"role": "user", "content": "hi"}]}
GET = {
    "type": "function",
    "name": "get",
    "description": "Gets it.",
    "parameters": {"type": "object", "properties": {"a": {"type": "integer"}}},
}
PATCH = {"type": "custom", "name": "patch", "description": "Patches."}
SCHEMA = {
    "type": "object",
    "properties": {"a": {"type": "integer"}},
    "required": ["a"],
    "additionalProperties": False,
}
TEXT = {"type": "input_text", "text": "hi"}
IMAGE = {"type": "input_image", "image_url": f"data:image/png;base64,{PIXEL}"}
PDF = {
    "type": "input_file",
    "filename": "a.pdf",
    "file_data": f"data:application/pdf;base64,{PIXEL}",
}
CALL = {
    "type": "function_call",
    "call_id": "call_1",
    "name": "get",
    "arguments": '{"a":1}',
}


def user(*parts: object) -> dict[str, object]:
    return {"input": [{"role": "user", "content": list(parts)}]}


def items(*more: object, **members: object) -> dict[str, object]:
    return {"input": [{"role": "user", "content": "hi"}, *more], **members}


def result(output: object = "1") -> dict[str, object]:
    back = {"type": "function_call_output", "call_id": "call_1", "output": output}
    return items(CALL, back, tools=[GET])


def said(*before: object) -> dict[str, object]:
    return items(
        *before,
        {"role": "assistant", "content": [{"type": "output_text", "text": "Yes."}]},
        {"role": "user", "content": "Go on."},
    )


def thought(**members: object) -> dict[str, object]:
    return said({"type": "reasoning", "id": "rs_1", "summary": [], **members})


def samples(maker: str, details: str) -> Mapping[P, Mapping[str, object]]:
    summary = [{"type": "summary_text", "text": "Hm."}]
    return {
        P.INSTRUCTIONS: {"instructions": "Be brief."},
        P.INSTRUCTIONS_INSIDE: items({"role": "system", "content": "Be brief."}),
        P.DEVELOPER_ROLE: {
            "input": [
                {"role": "developer", "content": "Be brief."},
                {"role": "user", "content": "hi"},
            ]
        },
        P.TEXT: user(TEXT),
        P.IMAGE: user(IMAGE),
        P.IMAGE_URL: user({"type": "input_image", "image_url": "https://a.test/a.png"}),
        P.IMAGE_FILE: user({"type": "input_image", "file_id": "file_1"}),
        P.IMAGE_DETAIL: user({**IMAGE, "detail": "low"}),
        P.TEXT_DOCUMENT: user(
            {
                "type": "input_file",
                "filename": "a.txt",
                "file_data": "data:text/plain;base64,V29yZHMu",
            }
        ),
        P.PDF: user(PDF),
        P.DOCUMENT_URL: user(
            {"type": "input_file", "file_url": "https://a.test/a.pdf"}
        ),
        P.DOCUMENT_FILE: user({"type": "input_file", "file_id": "file_1"}),
        P.DOCUMENT_TITLE: user(
            {
                "type": "input_file",
                "filename": "Paper",
                "file_data": "data:text/plain;base64,V29yZHMu",
            }
        ),
        P.AUDIO: user(
            {"type": "input_audio", "input_audio": {"data": PIXEL, "format": "wav"}}
        ),
        P.CITATIONS: items(
            {
                "role": "assistant",
                "content": [
                    {
                        "type": "output_text",
                        "text": "Yes.",
                        "annotations": [
                            {"type": "url_citation", "url": "https://a.test"}
                        ],
                    }
                ],
            },
            {"role": "user", "content": "Go on."},
        ),
        P.PREFILL: items({"role": "assistant", "content": "So"}),
        P.UNKNOWN_PART: user({"type": "hologram", "data": "x"}),
        P.TOOL: {"tools": [GET]},
        P.FREEFORM_TOOL: {"tools": [PATCH]},
        P.NAMESPACE: {"tools": [{"type": "namespace", "name": "a", "tools": [GET]}]},
        P.NAMESPACE_TEXT: {
            "tools": [
                {"type": "namespace", "name": "a", "description": "A.", "tools": [GET]}
            ]
        },
        P.STRICT: {"tools": [{**GET, "parameters": SCHEMA, "strict": True}]},
        P.DEFERRED_TOOL: {"tools": [{**GET, "defer_loading": True}]},
        P.SEARCH_TOOL: {"tools": [GET, {"type": "tool_search", "execution": "client"}]},
        P.SERVER_TOOL: {"tools": [GET, {"type": "web_search"}]},
        P.SERVER_TOOL_NEEDED: {"tools": [{"type": "web_search"}]},
        P.TOOL_CHOICE: {"tools": [GET], "tool_choice": "required"},
        P.ALLOWED_TOOLS: {
            "tools": [GET, PATCH],
            "tool_choice": {
                "type": "allowed_tools",
                "mode": "auto",
                "tools": [{"type": "function", "name": "get"}],
            },
        },
        P.PARALLEL_OFF: {"tools": [GET], "parallel_tool_calls": False},
        P.CALL: result(),
        P.RESULT: result(),
        P.RESULT_IMAGE: result([TEXT, IMAGE]),
        P.RESULT_DOCUMENT: result([PDF]),
        P.SERVER_CALL: said({"type": "web_search_call", "id": "ws_1"}),
        P.EFFORT: {"reasoning": {"effort": "high"}},
        P.SHOWN: {"reasoning": {"effort": "high", "summary": "auto"}},
        P.THOUGHT: thought(summary=summary),
        P.OWN_STATE: thought(
            summary=summary, encrypted_content=marked(maker, "details", details)
        ),
        P.FOREIGN_STATE: thought(
            summary=summary, encrypted_content=marked("other", "details", details)
        ),
        P.JSON_SCHEMA: {
            "text": {
                "format": {
                    "type": "json_schema",
                    "name": "a",
                    "strict": True,
                    "schema": SCHEMA,
                }
            }
        },
        P.JSON_OBJECT: {"text": {"format": {"type": "json_object"}}},
        P.MAX_TOKENS: {"max_output_tokens": 50},
        P.TEMPERATURE: {"temperature": 0.5},
        P.TOP_P: {"top_p": 0.5},
        P.LOGPROBS: {"include": ["message.output_text.logprobs"]},
        P.USER: {"safety_identifier": "u1"},
        P.METADATA: {"metadata": {"a": "b"}},
        P.CACHE_KEY: {"prompt_cache_key": "k"},
        P.STATE: {"previous_response_id": "resp_1"},
        P.COMPACTION: said({"type": "compaction", "encrypted_content": "x"}),
        P.UNKNOWN_MEMBER: {"truncation": "auto"},
    }
