"""Google's error shape: JSON error bodies and the error event of a stream.

`code` repeats the HTTP status, `status` is the canonical word for it; google-genai shows
`message` and raises on an event that begins with `{"error":`, with its `code` for a status.
"""

import json
from collections.abc import Mapping

_STATUSES: Mapping[int, str] = {
    401: "UNAUTHENTICATED",
    402: "FAILED_PRECONDITION",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    409: "ABORTED",
    429: "RESOURCE_EXHAUSTED",
    499: "CANCELLED",
    501: "UNIMPLEMENTED",
    502: "UNAVAILABLE",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
"""Every other status below 500 is `INVALID_ARGUMENT`, from there `INTERNAL`."""
_DOMAIN = "llm-gateway"
NEVER = "limit: 0"
"""Google's words where a free tier has nothing of a model: its apps do not ask again."""


def error_body(
    status: int, code: str, message: str, *, param: str | None = None
) -> bytes:
    """A JSON error body for an answer of this HTTP status; the code is its reason."""
    plain = "INVALID_ARGUMENT" if status < 500 else "INTERNAL"
    details: list[dict[str, object]] = [
        {
            "@type": "type.googleapis.com/google.rpc.ErrorInfo",
            "reason": code.upper(),
            "domain": _DOMAIN,
        }
    ]
    if param:
        details.append(
            {
                "@type": "type.googleapis.com/google.rpc.BadRequest",
                "fieldViolations": [{"field": param, "description": message}],
            }
        )
    error = {
        "code": status,
        "message": message,
        "status": _STATUSES.get(status, plain),
        "details": details,
    }
    return json.dumps({"error": error}, separators=(",", ":")).encode()


def quota_body(code: str, message: str, wait: int | None) -> bytes:
    """A 429 that says when to come back as Google does, in the body: after `wait` seconds;
    None: waiting does not help. Gemini CLI reads nothing else, and shows nothing while it
    tries again."""
    if wait is None:
        return error_body(429, code, f"{message} ({NEVER})")
    said = json.loads(error_body(429, code, message))
    retry = {
        "@type": "type.googleapis.com/google.rpc.RetryInfo",
        "retryDelay": f"{wait}s",
    }
    said["error"]["details"].append(retry)
    return json.dumps(said, separators=(",", ":")).encode()


def stream_error(code: str, message: str) -> bytes:
    """A server-sent event that ends a stream with an error."""
    return b"data: " + error_body(500, code, message) + b"\n\n"
