"""Maximum size of a buffered request body, and the 413 response.

Set once by the application; kept here, not on a layer, so that it survives a reload
of the script. Bytes.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass

from mitmproxy import http


def _plain_413(flow: http.HTTPFlow, limit: int) -> http.Response:
    message = f"request body exceeds {limit} bytes"
    error = {"message": message, "type": "invalid_request_error"}
    body = json.dumps({"error": error})
    return http.Response.make(413, body, {"content-type": "application/json"})


@dataclass
class RequestLimit:
    """How large a request body that is read whole may become. Streamed ones are free."""

    bytes: int | None = None
    answer: Callable[[http.HTTPFlow, int], http.Response] = _plain_413


request_limit = RequestLimit()
"""The one in force. Lives here, not on a layer: it survives a reload of the script."""


def set_request_limit(
    limit: int | None,
    answer: Callable[[http.HTTPFlow, int], http.Response] = _plain_413,
) -> None:
    """Refuse buffered request bodies above `limit` bytes; None: no bound.

    `answer(flow, limit)` makes the 413. The flow then gets the `response` hook, never
    `request`; the connection of an HTTP/1 client is closed after the answer.
    """
    request_limit.bytes = limit
    request_limit.answer = answer
