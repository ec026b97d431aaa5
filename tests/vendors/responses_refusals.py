"""Vendors of Responses as strict as they are: OpenAI, and who else speaks it.

A profile is a function of the body: None, or (status, error body). Pure.
"""

from collections.abc import Callable, Iterator
from typing import Any

Body = dict[str, Any]
Refused = tuple[int, object] | None
Profile = Callable[[Body], Refused]

PREFIXES = {
    "reasoning": "rs",
    "message": "msg",
    "function_call": "fc",
    "custom_tool_call": "ctc",
}
BASIC = ("message", "function_call", "function_call_output")


def oai(message: str, **more: object) -> object:
    return {"error": {"message": message, "type": "invalid_request_error", **more}}


def items_of(body: Body) -> Iterator[tuple[int, Body, str]]:
    given = body["input"]
    for i, item in enumerate(given if isinstance(given, list) else []):
        yield i, item, item.get("type") or "message"


def sealed(item: Body) -> str:
    return item.get("encrypted_content") or ""


def _openai(body: Body, maker: str) -> Refused:
    if (body.get("max_output_tokens") or 16) < 16:
        return 400, oai(
            "Invalid 'max_output_tokens': integer below minimum value. Expected a value >= "
            f"16, but got {body['max_output_tokens']} instead.",
            param="max_output_tokens",
            code="integer_below_min_value",
        )
    waiting: dict[str, None] = {}
    items = list(items_of(body))
    for n, (i, item, kind) in enumerate(items):
        prefix, id_ = PREFIXES.get(kind), item.get("id")
        if prefix and id_ and not id_.startswith(prefix):
            return 400, oai(
                f"Invalid 'input[{i}].id': '{id_}'. Expected an ID that begins with "
                f"'{prefix}'.",
                param=f"input[{i}].id",
                code="invalid_value",
            )
        if kind == "reasoning":
            blob = sealed(item)
            if not blob.startswith(f"STATE-{maker}"):
                return 400, oai(
                    f"The encrypted content {blob[:8]}... could not be verified. Reason: "
                    "Encrypted content organization_id did not match the target "
                    "organization.",
                    code="invalid_encrypted_content",
                )
            behind = items[n + 1 :]
            if not behind or behind[0][2] in ("function_call_output",):
                return 400, oai(
                    f"Item '{id_}' of type 'reasoning' was provided without its required "
                    "following item."
                )
        if kind == "function_call":
            waiting[item["call_id"]] = None
            if len(item["call_id"]) > 64:
                return 400, oai(
                    f"Invalid 'input[{i}].call_id': string too long. Expected a string with "
                    f"maximum length 64, but got a string with length "
                    f"{len(item['call_id'])} instead.",
                    code="string_above_max_length",
                )
        if kind == "function_call_output":
            if item["call_id"] not in waiting:
                return 400, oai(
                    "No tool call found for function call output with call_id "
                    f"{item['call_id']}."
                )
            del waiting[item["call_id"]]
    for call in waiting:
        return 400, oai(f"No tool output found for function call {call}.")
    return None


def openai(body: Body) -> Refused:
    return _openai(body, "openai")


def copilot(body: Body) -> Refused:
    for _, item, kind in items_of(body):
        if item.get("id") and kind in PREFIXES:
            said = "input item ID does not belong to this connection"
            return 401, {"error": {"message": said, "code": "invalid_request_body"}}
        if kind == "reasoning" and not sealed(item).startswith("STATE-copilot"):
            said = "invalid_encrypted_content: it could not be verified"
            return 400, {
                "error": {"message": said, "code": "invalid_encrypted_content"}
            }
    return None


def xai(body: Body) -> Refused:
    for tool in body.get("tools", ()):
        if tool["type"] not in ("function", "web_search", "x_search"):
            return 422, {
                "error": "Failed to deserialize the JSON body into the target type: "
                f"tools[0]: unknown variant `{tool['type']}`, expected one of `function`, "
                "`web_search`, `x_search`, `code_interpreter` at line 1 column 9"
            }
    for _, item, kind in items_of(body):
        if kind not in (*BASIC, "reasoning") or item.get("content", "") is None:
            return 422, {
                "error": "Failed to deserialize the JSON body into the target type: input: "
                "data did not match any variant of untagged enum ModelInput at line 1"
            }
        if sealed(item) and not sealed(item).startswith("STATE-xai"):
            return 400, {
                "error": "Could not decrypt the encrypted_content of reasoning."
            }
    for name in ("safety_identifier", "prompt_cache_retention"):
        if name in body:
            return 400, {"error": f"Argument not supported: {name}"}
    return None


def deepseek(body: Body) -> Refused:
    waiting = 0
    for _, _, kind in items_of(body):
        if kind == "function_call":
            waiting += 1
        elif kind == "function_call_output":
            waiting -= 1
        elif waiting:
            return 400, oai(
                "An assistant message with 'tool_calls' must be followed by tool messages "
                "responding to each 'tool_call_id'. (insufficient tool messages following "
                "tool_calls message)"
            )
    return None


def mistral(body: Body) -> Refused:
    if body.get("store"):
        return 400, {"object": "error", "message": "`store` must be false."}
    for _, item, _ in items_of(body):
        if sealed(item):
            return 400, {
                "object": "error",
                "message": "encrypted_content: it is invalid",
            }
    return None


def groq(body: Body) -> Refused:
    if body.get("store"):
        return 400, oai("`store` must be set to false", param="store")
    for tool in body.get("tools", ()):
        if tool["type"] != "function":
            return 400, oai(f"tool type '{tool['type']}' is not supported")
    for _, _, kind in items_of(body):
        if kind not in BASIC:
            return 400, oai(f"input item type '{kind}' is not supported")
    return None


def ollama(body: Body) -> Refused:
    for _, _, kind in items_of(body):
        if kind not in (*BASIC, "reasoning"):
            return 400, oai(f'unknown input item type: "{kind}"')
    return None


def llamacpp(body: Body) -> Refused:
    for _, item, kind in items_of(body):
        if kind not in (*BASIC, "reasoning"):
            return 400, oai("Cannot determine type of 'item'")
        if kind == "reasoning" and not isinstance(item.get("content"), list):
            return 400, oai("item['content'] is not an array")
    return None


def mimo(body: Body) -> Refused:
    """Its thinking mode wants plain thoughts back beside calls."""
    before = ""
    for tool in body.get("tools", ()):
        if tool["type"] != "function":
            return 400, oai(
                f"tool type '{tool['type']}' is not supported by this gateway phase.",
                code="responses_feature_not_supported",
            )
    for _, item, kind in items_of(body):
        if kind == "function_call" and before not in ("reasoning", "function_call"):
            return 400, oai(
                "Param Incorrect: The reasoning_content in the thinking mode must be passed "
                "back to the API."
            )
        before = (
            kind
            if kind != "reasoning" or (item.get("content") or item.get("summary"))
            else ""
        )
    return None


PROFILES: dict[str, Profile] = {
    p.__name__: p
    for p in (openai, copilot, xai, deepseek, mistral, groq, ollama, llamacpp, mimo)
}
