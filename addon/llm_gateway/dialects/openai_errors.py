"""OpenAI's error shape: JSON error bodies and the error event of a stream.

OpenAI's SDKs go by the HTTP status and show `code` and `param`. In a stream the status is
spent, so there is an event that they raise on.
"""

import json
from collections.abc import Mapping

_TYPES: Mapping[int, str] = {
    401: "authentication_error",
    402: "insufficient_quota",
    403: "permission_error",
    429: "rate_limit_error",
}
"""Every other status below 500 is an `invalid_request_error`, from there a `server_error`."""


def error_body(
    status: int, code: str, message: str, *, param: str | None = None
) -> bytes:
    """A JSON error body for an answer of this HTTP status."""
    plain = "invalid_request_error" if status < 500 else "server_error"
    return dump(error_object(_TYPES.get(status, plain), code, message, param))


def stream_error(code: str, message: str) -> bytes:
    """A server-sent event that ends a stream with an error."""
    event = error_object("server_error", code, message, None)
    return b"data: " + dump(event) + b"\n\n"


def error_object(
    kind: str, code: str, message: str, param: str | None
) -> dict[str, object]:
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


def dump(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
