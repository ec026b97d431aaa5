"""Errors: one object, also as an event."""

import json


def error_body(
    status: int, code: str, message: str, *, param: str | None = None
) -> bytes:
    return json.dumps(
        {"oops": {"status": status, "sort": code, "why": message}}
    ).encode()


def stream_error(code: str, message: str) -> bytes:
    return b"data: " + error_body(200, code, message) + b"\n\n"
