"""Chat providers as strict as vendors are: what each refuses in a body, in its own words.

A profile is a function of the body: None, or (status, error body). Pure; fakes with sockets
are in tests/fakes.
"""

import itertools
import json
import re
from collections.abc import Callable
from typing import Any

Body = dict[str, Any]
Refused = tuple[int, object] | None
Profile = Callable[[Body], Refused]

NINE = re.compile(r"[a-zA-Z0-9]{9}")


def oai(message: str, **more: object) -> object:
    return {"error": {"message": message, "type": "invalid_request_error", **more}}


def turns_with_calls(body: Body) -> list[tuple[int, Body]]:
    return [
        (i, m)
        for i, m in enumerate(body["messages"])
        if m["role"] == "assistant" and m.get("tool_calls")
    ]


def groq(body: Body) -> Refused:
    known = {"role", "content", "name", "tool_calls", "tool_call_id", "reasoning"}
    for i, m in enumerate(body["messages"]):
        for k in m:
            if k not in known:
                at = f"'messages.{i}'"
                return 400, oai(
                    f"{at} : for 'role:{m['role']}' the following must be satisfied"
                    f"[({at} : property '{k}' is unsupported)]"
                )
        for n, c in enumerate(m.get("tool_calls") or []):
            for k in c.keys() - {"id", "type", "function", "index"}:
                at = f"'messages.{i}.tool_calls.{n}'"
                return 400, oai(f"{at} : property '{k}' is unsupported")
        if isinstance(m.get("content"), list) and m["role"] != "user":
            return 400, oai(f"'messages.{i}.content' : value must be a string")
    return None


def cerebras(body: Body) -> Refused:
    known = {"role", "content", "name", "tool_calls", "tool_call_id", "reasoning"}
    for i, m in enumerate(body["messages"]):
        paths = [f"body.messages.{i}.{k}" for k in m if k not in known]
        paths += [
            f"body.messages.{i}.tool_calls.{n}.{k}"
            for n, c in enumerate(m.get("tool_calls") or [])
            for k in c.keys() - {"id", "type", "function", "index"}
        ]
        for path in paths:
            return 400, {
                "message": f"{path} : property '{path}' is unsupported",
                "type": "invalid_request_error",
                "param": "validation_error",
                "code": "wrong_api_format",
            }
    strict = [t["function"].get("strict") is True for t in body.get("tools", [])]
    if any(strict) and not all(strict):
        return 422, {
            "message": "Tools with mixed values for 'strict' are not allowed. Please set "
            "all tools to either strict=true or strict=false.",
            "type": "invalid_request_error",
            "code": "wrong_api_format",
        }
    return None


def mistral(body: Body) -> Refused:
    known = {
        "assistant": {"role", "content", "tool_calls", "prefix"},
        "tool": {"role", "content", "tool_call_id", "name"},
    }

    def extra(loc: list[object]) -> Refused:
        detail = {
            "type": "extra_forbidden",
            "loc": loc,
            "msg": "Extra inputs are not permitted",
        }
        return 422, {
            "object": "error",
            "message": {"detail": [detail]},
            "type": "invalid_request_error",
            "param": None,
            "code": None,
        }

    def order(message: str) -> Refused:
        return 400, {
            "object": "error",
            "message": message,
            "type": "invalid_request_message_order",
            "code": "3230",
        }

    for k in ("store", "max_completion_tokens", "reasoning_effort", "stream_options"):
        if k in body:
            return extra(["body", k])
    waiting: list[str] = []
    before = ""
    for i, m in enumerate(body["messages"]):
        for k in m:
            if k not in known.get(m["role"], {"role", "content"}):
                return extra(["body", "messages", i, m["role"], k])
        for n, c in enumerate(m.get("tool_calls") or []):
            for k in c.keys() - {"id", "type", "function", "index"}:
                return extra(["body", "messages", i, m["role"], "tool_calls", n, k])
        ids = [c["id"] for c in m.get("tool_calls") or []]
        for id in [*ids, *([m["tool_call_id"]] if m["role"] == "tool" else [])]:
            if not NINE.fullmatch(id):
                return 400, {
                    "object": "error",
                    "message": f"Tool call id was {id} but must be a-z, A-Z, 0-9, with a length of 9.",
                    "type": "invalid_function_call",
                    "code": "3280",
                }
        waiting = ids or [w for w in waiting if w != m.get("tool_call_id")]
        if m["role"] == "user" and before == "tool":
            return order("Unexpected role 'user' after role 'tool'")
        before = m["role"]
    made = [c["id"] for _, m in turns_with_calls(body) for c in m["tool_calls"]]
    if waiting or len(set(made)) != len(made):
        return order("Not the same number of function calls and responses")
    return None


def deepseek(body: Body) -> Refused:
    for i, m in enumerate(body["messages"]):
        if m["role"] == "developer":
            return 422, oai(
                "Failed to deserialize the JSON body into the target type: "
                f"messages[{i}].role: unknown variant `developer`, expected one of "
                "`system`, `user`, `assistant`, `tool` at line 1 column 60"
            )
        if isinstance(m.get("content"), list):
            return 422, oai(
                "Failed to deserialize the JSON body into the target type: "
                f"messages[{i}].content: invalid type: sequence, expected a string"
            )
    for _, m in turns_with_calls(body):
        if not m.get("reasoning_content"):
            return 400, oai(
                "The reasoning_content in the thinking mode must be passed back to the API."
            )
    forced = body.get("tool_choice") not in (None, "auto", "none")
    if forced and body.get("thinking") != {"type": "disabled"}:
        return 400, oai("Thinking mode does not support this tool_choice")
    return None


def kimi(body: Body) -> Refused:
    for i, m in turns_with_calls(body):
        if not m.get("reasoning_content"):
            return 400, oai(
                "thinking is enabled but reasoning_content is missing in assistant tool "
                f"call message at index {i}"
            )
    if body.get("temperature", 1) != 1:
        return 400, oai("invalid temperature: only 1 is allowed for this model")
    if body.get("tool_choice") not in (None, "auto", "none"):
        return 400, oai("tool_choice 'specified' is incompatible with thinking enabled")
    return None


def gemini(body: Body) -> Refused:
    messages = body["messages"]
    since = max((i for i, m in enumerate(messages) if m["role"] == "user"), default=0)
    for i, m in turns_with_calls(body):
        google = (m["tool_calls"][0].get("extra_content") or {}).get("google") or {}
        if i > since and not google.get("thought_signature"):
            message = (
                "Function call is missing a thought_signature in functionCall parts. "
                f"Additional data, function call `default_api:add` , position {i + 1}."
            )
            return 400, [
                {
                    "error": {
                        "code": 400,
                        "message": message,
                        "status": "INVALID_ARGUMENT",
                    }
                }
            ]
    for i, m in enumerate(messages):
        if "refusal" in m:
            message = (
                'Invalid JSON payload received. Unknown name "refusal" at '
                f"'messages[{i}]': Cannot find field."
            )
            return 400, [{"error": {"code": 400, "message": message}}]
    return None


def cloudflare(body: Body) -> Refused:
    bad = []
    for i, m in enumerate(body["messages"]):
        if "content" not in m:
            bad.append(f"required properties at '/messages/{i}' are 'role,content'")
        elif not isinstance(m["content"], str):
            found = "null" if m["content"] is None else "array"
            bad.append(
                f"Type mismatch of '/messages/{i}/content', '{found}' not in 'string'"
            )
    if bad:
        message = (
            "AiError: Bad input: Error: oneOf at '/' not met, 0 matches: required "
            "properties at '/' are 'prompt', " + ", ".join(bad) + " (d9e09afe)"
        )
        return 400, {
            "errors": [{"message": message, "code": 5006}],
            "success": False,
            "result": {},
            "messages": [],
        }
    return None


def nim(body: Body) -> Refused:
    problem = {"type": "urn:problem-details:bad-request", "title": "Bad Request"}
    extra = sorted(body.keys() & {"reasoning_effort", "store", "parallel_tool_calls"})
    if extra:
        names = ", ".join(f"`{k}`" for k in extra)
        detail = f"Validation: Unsupported parameter(s): {names}"
        return 400, {**problem, "status": 400, "detail": detail}
    for _, m in turns_with_calls(body):
        if len(m["tool_calls"]) > 1:
            detail = "This model only supports single tool-calls at once!"
            return 400, {**problem, "status": 400, "detail": detail}
    return None


def minimax(body: Body) -> Refused:
    def base(message: str) -> Refused:
        return 400, {
            "type": "error",
            "error": {"type": "bad_request_error", "message": f"{message} (2013)"},
        }

    if sum(m["role"] == "system" for m in body["messages"]) > 1:
        return base("invalid params, invalid chat setting")
    for t in body.get("tools", []):
        if not t["function"].get("parameters"):
            return base("invalid params, function parameters is empty")
    waiting: list[str] = []
    for _, m in enumerate(body["messages"]):
        for c in m.get("tool_calls") or []:
            try:
                json.loads(c["function"]["arguments"])
            except ValueError:
                return base("invalid params, invalid function arguments json string")
            waiting.append(c["id"])
        if m["role"] == "tool" and m["tool_call_id"] not in waiting:
            return base(
                f"invalid params, tool result's tool id({m['tool_call_id']}) not found"
            )
    return None


def zai(body: Body) -> Refused:
    if not any(m["role"] == "user" for m in body["messages"]):
        return 400, {
            "error": {"code": "1214", "message": "The messages parameter is illegal."}
        }
    if body.get("tool_choice") not in (None, "auto"):
        return 400, {"error": {"code": "1210", "message": "Tool choice must be auto"}}
    return None


def llama(body: Body) -> Refused:
    """A template that wants turns to alternate, and the system in front."""
    roles = [m["role"] for m in body["messages"]]
    if "system" in roles[1:]:
        return 500, oai("Jinja Exception: System message must be at the beginning.")
    turns = [r for r in roles if r in ("user", "assistant")]
    if any(a == b == "user" for a, b in itertools.pairwise(turns)):
        return 500, oai(
            "Jinja Exception: After the optional system message, conversation roles "
            "must alternate user/assistant/user/assistant/..."
        )
    return None


def openai(body: Body) -> Refused:
    """A reasoning model."""
    for i, m in enumerate(body["messages"]):
        if m["role"] not in ("system", "developer", "user", "assistant", "tool"):
            return 400, oai(
                f"Invalid value: '{m['role']}'.", param=f"messages[{i}].role"
            )
        for k in m.keys() - {
            *("role", "content", "name", "tool_calls", "tool_call_id", "refusal"),
            *("audio", "function_call"),
        }:
            return 400, oai(
                f"Unknown parameter: 'messages[{i}].{k}'.", code="unknown_parameter"
            )
        for n, c in enumerate(m.get("tool_calls") or []):
            for k in c.keys() - {"id", "type", "function", "index"}:
                where = f"messages[{i}].tool_calls[{n}]"
                return 400, oai(
                    f"Unknown parameter: '{where}.{k}'.", code="unknown_parameter"
                )
            if len(c["id"]) > 40:
                where = f"messages[{i}].tool_calls[{n}].id"
                return 400, oai(
                    f"Invalid '{where}': string too long. Expected a string with "
                    f"maximum length 40, but got a string with length {len(c['id'])} instead.",
                    code="string_above_max_length",
                )
    if "max_tokens" in body:
        return 400, oai(
            "Unsupported parameter: 'max_tokens' is not supported with this model. Use "
            "'max_completion_tokens' instead.",
            param="max_tokens",
            code="unsupported_parameter",
        )
    if body.get("temperature", 1) != 1:
        return 400, oai(
            f"Unsupported value: 'temperature' does not support {body['temperature']} with "
            "this model. Only the default (1) value is supported.",
            param="temperature",
            code="unsupported_value",
        )
    if body.get("reasoning_effort", "low") not in ("low", "medium", "high"):
        return 400, oai(
            f"Unsupported value: 'reasoning_effort' does not support "
            f"'{body['reasoning_effort']}' with this model. Supported values are: 'low', "
            "'medium', and 'high'.",
            param="reasoning_effort",
            code="unsupported_value",
        )
    return None


PROFILES: dict[str, Profile] = {
    p.__name__: p
    for p in (
        *(groq, cerebras, mistral, deepseek, kimi, gemini, cloudflare, nim, minimax),
        *(zai, llama, openai),
    )
}
