"""Our own refusals, in the shape that the asker's SDK turns into the right exception.

OpenAI's SDKs go by the HTTP status and show `code` and `param`; Anthropic's go by the
status too and show `error.type`. In a stream the status is spent, so both have an
event that their SDKs raise on.
"""

import json
from collections.abc import Mapping

from llm_gateway.exchange import Dialect

_OPENAI_TYPES: Mapping[int, str] = {
    401: "authentication_error",
    402: "insufficient_quota",
    403: "permission_error",
    429: "rate_limit_error",
}
"""Every other status below 500 is an `invalid_request_error`, from there a `server_error`."""

_ANTHROPIC_TYPES: Mapping[int, str] = {
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    409: "conflict_error",
    413: "request_too_large",
    429: "rate_limit_error",
    503: "overloaded_error",
    504: "timeout_error",
    529: "overloaded_error",
}
"""Every other status below 500 is an `invalid_request_error`, from there an `api_error`."""

_STREAM_TYPES = frozenset(_ANTHROPIC_TYPES.values()) | {"invalid_request_error"}


def error_body(
    dialect: Dialect, status: int, code: str, message: str, *, param: str | None = None
) -> bytes:
    """A JSON error body for an answer of this HTTP status."""
    if dialect is Dialect.MESSAGES:
        plain = "invalid_request_error" if status < 500 else "api_error"
        return _dump(_anthropic(_ANTHROPIC_TYPES.get(status, plain), message))
    plain = "invalid_request_error" if status < 500 else "server_error"
    kind = _OPENAI_TYPES.get(status, plain)
    return _dump(_openai(kind, code, message, param))


def stream_error(dialect: Dialect, code: str, message: str) -> bytes:
    """A server-sent event that ends a stream with an error.

    Send `StreamMeter.boundary` before it, so that it stands alone after a cut.
    """
    if dialect is Dialect.MESSAGES:
        kind = code if code in _STREAM_TYPES else "api_error"
        return b"event: error\ndata: " + _dump(_anthropic(kind, message)) + b"\n\n"
    if dialect is Dialect.RESPONSES:
        # As documented, with the object that OpenAI's SDKs raise on added to it.
        event = {
            "type": "error",
            "code": code,
            "message": message,
            "param": None,
            **_openai("server_error", code, message, None),
        }
        return b"event: error\ndata: " + _dump(event) + b"\n\n"
    return b"data: " + _dump(_openai("server_error", code, message, None)) + b"\n\n"


def _openai(kind: str, code: str, message: str, param: str | None) -> dict[str, object]:
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


def _anthropic(kind: str, message: str) -> dict[str, object]:
    return {"type": "error", "error": {"type": kind, "message": message}}


def _dump(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
