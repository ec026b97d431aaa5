"""Anthropic's error shape: JSON error bodies and the error event of a stream.

Anthropic's SDKs go by the HTTP status and show `error.type`. In a stream the status is
spent, so there is an event that they raise on.
"""

import json
from collections.abc import Mapping

_TYPES: Mapping[int, str] = {
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

_STREAM_TYPES = frozenset(_TYPES.values()) | {"invalid_request_error"}


def error_body(
    status: int, code: str, message: str, *, param: str | None = None
) -> bytes:
    """A JSON error body for an answer of this HTTP status; it has no code and param."""
    plain = "invalid_request_error" if status < 500 else "api_error"
    return _error(_TYPES.get(status, plain), message)


def stream_error(code: str, message: str) -> bytes:
    """A server-sent event that ends a stream with an error."""
    kind = code if code in _STREAM_TYPES else "api_error"
    return b"event: error\ndata: " + _error(kind, message) + b"\n\n"


def _error(kind: str, message: str) -> bytes:
    error = {"type": "error", "error": {"type": kind, "message": message}}
    return json.dumps(error, separators=(",", ":")).encode()
