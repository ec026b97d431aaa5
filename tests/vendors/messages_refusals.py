"""Vendors of Messages as strict as they are: three generations of Claude, and who else speaks it.

A profile is a function of (headers, body): None, or (status, error body). Pure.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

Body = dict[str, Any]
Refused = tuple[int, object] | None
Profile = Callable[[Mapping[str, str], Body], Refused]

TOP = frozenset(
    {
        *(
            "model",
            "messages",
            "max_tokens",
            "system",
            "stream",
            "tools",
            "tool_choice",
        ),
        *("temperature", "top_p", "top_k", "stop_sequences", "thinking", "metadata"),
    }
)
PLAIN = frozenset({"text", "image", "tool_use", "tool_result", "thinking"})
THINKING = ("thinking", "redacted_thinking")


def anthropic(message: str, type_: str = "invalid_request_error") -> object:
    return {"type": "error", "error": {"type": type_, "message": message}}


def blocks_of(body: Body, role: str) -> list[tuple[int, int, Body]]:
    return [
        (i, n, block)
        for i, message in enumerate(body["messages"])
        if message["role"] == role and isinstance(message["content"], list)
        for n, block in enumerate(message["content"])
        if isinstance(block, dict)
    ]


def turns_with_calls(body: Body) -> list[tuple[int, list[Body]]]:
    return [
        (i, message["content"])
        for i, message in enumerate(body["messages"])
        if message["role"] == "assistant"
        and isinstance(message["content"], list)
        and any(block["type"] == "tool_use" for block in message["content"])
    ]


def claude(*, manual: bool, sampling: bool, forced: bool, inside: bool) -> Profile:
    """manual: budgets, not adaptive. inside: role system among the messages."""

    def refuse(headers: Mapping[str, str], body: Body) -> Refused:
        kind = (body.get("thinking") or {}).get("type")
        if kind == ("adaptive" if manual else "enabled"):
            if manual:
                return 400, anthropic(
                    "adaptive thinking is not supported on this model"
                )
            return 400, anthropic(
                '"thinking.type.enabled" is not supported for this model. Use '
                '"thinking.type.adaptive" and "output_config.effort" to control thinking '
                "behavior."
            )
        choice = (body.get("tool_choice") or {}).get("type")
        if choice in ("any", "tool"):
            if not forced:
                return 400, anthropic(
                    'tool_choice: type "tool" and "any" are not supported for this model.'
                )
            if kind == "enabled":
                return 400, anthropic(
                    "Thinking may not be enabled when tool_choice forces tool use."
                )
        if not sampling:
            for name in ("temperature", "top_p", "top_k"):
                if name in body:
                    return 400, anthropic(f"`{name}` is deprecated for this model.")
        for message in body["messages"]:
            if message["role"] == "system" and not inside:
                return 400, anthropic(
                    'messages: Unexpected role "system". The Messages API accepts a '
                    "top-level `system` parameter, not a role."
                )
        return _genuine(body)

    return refuse


def _genuine(body: Body) -> Refused:
    for i, n, block in blocks_of(body, "assistant"):
        if block["type"] == "tool_use":
            if not re.fullmatch(r"[a-zA-Z0-9_-]+", block["id"]):
                return 400, anthropic(
                    f"messages.{i}.content.{n}.tool_use.id: String should match pattern "
                    "'^[a-zA-Z0-9_-]+$'"
                )
            if not isinstance(block["input"], dict):
                return 400, anthropic(
                    f"messages.{i}.content.{n}.tool_use.input: Input should be a valid "
                    "dictionary"
                )
        if block["type"] in THINKING:
            blob = block.get("signature") or block.get("data") or ""
            if not blob.startswith("STATE-claude"):
                return 400, anthropic(
                    f"messages.{i}.content.{n}: Invalid `signature` in `thinking` block"
                )
    if body["messages"][-1]["role"] == "assistant":
        return 400, anthropic(
            "This model does not support assistant message prefill. The conversation must "
            "end with a user message."
        )
    return None


def deepseek(headers: Mapping[str, str], body: Body) -> Refused:
    def oai(message: str) -> Refused:
        return 400, {"error": {"message": message, "type": "invalid_request_error"}}

    for i, message in enumerate(body["messages"]):
        if message["role"] not in ("user", "assistant"):
            return oai(
                "Failed to deserialize the JSON body into the target type: "
                f"messages[{i}].role: unknown variant `{message['role']}`, expected `user` "
                "or `assistant` at line 1 column 99"
            )
    for i, _, block in blocks_of(body, "assistant"):
        if block["type"] not in PLAIN:
            return oai(
                "Failed to deserialize the JSON body into the target type: "
                f"messages[{i}].content: unknown variant `{block['type']}`, expected one "
                "of `text`, `tool_use`, `tool_result`, `thinking` at line 1 column 99"
            )
    for _, content in turns_with_calls(body):
        if not any(b["type"] == "thinking" and b.get("thinking") for b in content):
            return oai(
                "The `content[].thinking` in the thinking mode must be passed back to the "
                "API."
            )
    return None


def kimi(headers: Mapping[str, str], body: Body) -> Refused:
    for i, content in turns_with_calls(body):
        if not any(b["type"] in THINKING for b in content):
            return 400, anthropic(
                "thinking is enabled but reasoning_content is missing in assistant tool "
                f"call message at index {i}"
            )
    for _, _, block in blocks_of(body, "user"):
        for part in block.get("content") or ():
            if isinstance(part, dict) and part["type"] == "tool_reference":
                return 400, anthropic(
                    "failed to convert tool result content: unsupported content type in "
                    "ContentBlockParamUnion: tool_reference"
                )
    if len(body.get("tools", ())) > 128:
        return 400, anthropic("a max of 128 tools can be supported")
    return None


def zai(headers: Mapping[str, str], body: Body) -> Refused:
    if "max_tokens" not in body:
        return 500, anthropic(
            "'>' not supported between instances of 'int' and 'NoneType'", "api_error"
        )
    for _, _, block in blocks_of(body, "assistant"):
        if block["type"] == "tool_use" and not isinstance(block["input"], dict):
            return 500, anthropic(
                "'ClaudeContentBlockToolResult' object has no attribute 'id'",
                "api_error",
            )
    return None


def minimax(headers: Mapping[str, str], body: Body) -> Refused:
    def base(message: str) -> Refused:
        return 400, anthropic(f"invalid params, {message} (2013)", "bad_request_error")

    if any(message["role"] == "system" for message in body["messages"]):
        return base("invalid chat setting")
    for tool in body.get("tools", ()):
        if not tool.get("input_schema"):
            return base("function parameters is empty")
    made: set[str] = set()
    for message in body["messages"]:
        for block in message["content"] if isinstance(message["content"], list) else ():
            if block["type"] == "tool_use":
                made.add(block["id"])
            if block["type"] == "tool_result" and block["tool_use_id"] not in made:
                return base(f"tool result's tool id({block['tool_use_id']}) not found")
            if block["type"] in THINKING and (block.get("signature") or "").startswith(
                "STATE-claude"
            ):
                return 400, anthropic("Invalid `signature` in `thinking` block")
    return None


def strict_members(profile: Profile) -> Profile:
    """And what none of these knows at the top, in words of pydantic."""

    def refuse(headers: Mapping[str, str], body: Body) -> Refused:
        for name in body.keys() - TOP:
            return 400, anthropic(f"{name}: Extra inputs are not permitted")
        return profile(headers, body)

    return refuse


def vllm(headers: Mapping[str, str], body: Body) -> Refused:
    for i, message in enumerate(body["messages"]):
        if message["role"] == "system":
            words = {
                "type": "literal_error",
                "loc": ("body", "messages", i, "role"),
                "msg": "Input should be 'user' or 'assistant'",
            }
            text = f"1 validation error: {words}"
            return 400, {"error": {"message": text, "type": "Bad Request", "code": 400}}
    for _, _, block in blocks_of(body, "assistant"):
        if block["type"] == "redacted_thinking":
            return 400, {
                "error": {
                    "message": "Anthropic redacted_thinking history is not supported",
                    "type": "Bad Request",
                }
            }
    return None


PROFILES: dict[str, Profile] = {
    "claude-4.5": claude(manual=True, sampling=True, forced=True, inside=False),
    "claude-5": claude(manual=False, sampling=False, forced=True, inside=False),
    "claude-5.5": claude(manual=False, sampling=False, forced=False, inside=True),
    "deepseek": deepseek,
    "kimi": strict_members(kimi),
    "zai": zai,
    "minimax": minimax,
    "vllm": vllm,
}
