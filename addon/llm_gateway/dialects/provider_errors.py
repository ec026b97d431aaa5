"""What a provider means by an error body, whatever shape it chose.

    OpenAI and most        {"error": {"message", "type", "param", "code"}}
    a few                  {"error": "text"}
    Gemini                 {"error": {"code": 429, "status", "message", "details"}}, also in a list
    Anthropic              {"type": "error", "error": {"type", "message"}}
    OpenRouter             {"error": {"code": 429, "message", "metadata": {"error_type"}}}
    Mistral, Copilot       {"message", "type", "code"}
    FastAPI servers        {"detail": "text"} or {"detail": [{"loc", "msg", "type"}]}
    NVIDIA                 {"status": 429, "title", "detail"}
    Cloudflare             {"success": false, "errors": [{"code", "message"}]}
    AWS                    {"__type", "message"}
    Responses streams      {"type": "error", "code", "message"}
                           {"type": "response.failed", "response": {"error": {...}}}

Never raises. Texts are bounded and printable; nothing in them is to be trusted.
"""

import json
import re
from collections.abc import Mapping

from llm_gateway.frozen import frozen

MESSAGE_LENGTH = 500
CODE_LENGTH = 100
READ_LENGTH = 1 << 20
"""Bytes of an error body that are looked at; a longer one is no error body."""


@frozen
class ProviderError:
    """What went wrong, in the provider's words; "" where it does not say."""

    code: str = ""
    """The finest word it has: `rate_limit_exceeded`, `RESOURCE_EXHAUSTED`, `429`."""
    type: str = ""
    message: str = ""


NOTHING = ProviderError()

_WORD = re.compile(r"[A-Za-z][A-Za-z_.:-]{1,59}\d{0,3}|\d{1,6}")


def word_of(*texts: str) -> str:
    """The first that is a word as error codes are; "" when none is.

    Only these are kept and shown: what some providers put there instead is a sentence,
    which may repeat a key or a prompt.
    """
    return next((text for text in texts if _WORD.fullmatch(text)), "")


def read_error(body: bytes) -> ProviderError:
    """The error that a body holds; an empty one for HTML and anything else."""
    if len(body) > READ_LENGTH:
        return NOTHING
    text = body.strip()
    if text[:1] not in (b"{", b"["):
        # An error status with a stream for a body: the first event tells.
        _, found, rest = text.partition(b"data:")
        if not found:
            return NOTHING
        text = rest.strip().split(b"\n")[0]
    try:
        return error_in(json.loads(text))
    except (ValueError, RecursionError):
        return NOTHING


def error_in(value: object) -> ProviderError:
    """The error that a parsed JSON value holds."""
    if isinstance(value, list):
        value = value[0] if value else None
    if not isinstance(value, dict):
        return NOTHING
    response = value.get("response")
    if isinstance(response, dict) and response.get("error"):
        value = response
    inner = value.get("error")
    if isinstance(inner, str):
        return _error(value.get("code"), value.get("type"), inner)
    if isinstance(inner, dict) and inner:
        return _openai(inner)
    errors = value.get("errors")
    if isinstance(errors, list) and errors and isinstance(errors[0], dict):
        return _openai(errors[0])
    return _bare(value)


def is_error(value: Mapping[str, object]) -> bool:
    """An error, as an answer of its own or as an event of a stream."""
    return bool(
        value.get("error")
        or value.get("object") == "error"
        or value.get("type") in ("error", "response.failed")
        or value.get("success") is False
    )


def _openai(error: Mapping[str, object]) -> ProviderError:
    code = error.get("code")
    kind = error.get("type")
    status = error.get("status")
    if isinstance(status, str):  # Gemini: the number is the HTTP status, again
        reason = _reason(error.get("details"))
        code, kind = reason or status, kind or status
    metadata = error.get("metadata")
    if isinstance(metadata, dict):
        kind = kind or metadata.get("error_type")
    message = error.get("message") or error.get("detail")
    return _error(code or kind, kind, message)


def _bare(value: Mapping[str, object]) -> ProviderError:
    """Shapes without an envelope."""
    kind = value.get("type") or value.get("__type") or value.get("title")
    if kind == "error":
        kind = ""
    code = value.get("code") or value.get("status") or kind
    message = value.get("message") or value.get("Message")
    detail = value.get("detail")
    if not message and detail:
        message = detail
        if isinstance(detail, list) and detail and isinstance(detail[0], dict):
            first = detail[0]
            code = code or first.get("type")
            where = first.get("loc")
            place = ".".join(map(str, where)) if isinstance(where, list) else ""
            message = f"{place}: {first.get('msg')}" if place else first.get("msg")
    return _error(code, kind, message or value.get("title"))


def _reason(details: object) -> object:
    """Google's `ErrorInfo.reason`, finer than its status."""
    for detail in details if isinstance(details, list) else ():
        if isinstance(detail, dict) and isinstance(detail.get("reason"), str):
            return detail["reason"]
    return None


def _error(code: object, kind: object, message: object) -> ProviderError:
    return ProviderError(
        _clean(code, CODE_LENGTH),
        _clean(kind, CODE_LENGTH),
        _clean(message, MESSAGE_LENGTH),
    )


def _clean(value: object, length: int) -> str:
    if value is None or isinstance(value, bool):
        return ""
    if not isinstance(value, str | int | float):
        try:
            value = json.dumps(value)
        except (TypeError, ValueError, RecursionError):
            return ""
    text = str(value)[:length]
    if text.isascii() and text.isprintable():
        return text
    return "".join(c if c.isprintable() else " " for c in text)
