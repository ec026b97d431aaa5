"""Requests and JSON answers of the gateway's own routes, as plain values.

    Asked                    a management request: path, query, body as JSON
    BadRequest               what is wrong with it, and the status
    answer_json, failure     200 with a value; an error in OpenAI's shape
    nothing_here             404 for a path

What this file does not know: routes, flows.
"""

import json
from dataclasses import dataclass
from typing import Any

from mitmproxy import http

from llm_gateway.dialects import SPECS
from llm_gateway.domain import Dialect
from llm_gateway.transport.local_response import LocalResponse


@dataclass(frozen=True, slots=True)
class AdminRequest:
    """A management request, as its route needs it."""

    method: str
    path: str
    """Without the query, and without slashes too many."""
    query: dict[str, str]
    headers: http.Headers
    body: bytes
    flow: http.HTTPFlow | None = None
    """Whose it is."""

    def json(self) -> dict[str, Any]:
        """The body as a JSON object; {} when there is none. Raises BadRequest."""
        if not self.body.strip():
            return {}
        try:
            value = json.loads(self.body)
        except (ValueError, RecursionError) as e:
            raise BadRequest(400, f"The body is not JSON: {e}") from e
        if not isinstance(value, dict):
            raise BadRequest(400, "The body is not a JSON object.")
        return value

    def match(self) -> str:
        """The revision in `If-Match`, "" for none."""
        return str(self.headers.get("if-match", "")).removeprefix("W/").strip('"')

    def dialect(self) -> Dialect | None:
        """`?dialect=`; None: not asked for. Raises BadRequest."""
        if (name := self.query.get("dialect")) is None:
            return None
        if (dialect := Dialect(name)) not in SPECS:
            raise BadRequest(400, f"dialect: write one of {', '.join(SPECS)}.")
        return dialect


class BadRequest(ValueError):
    def __init__(self, status: int, message: str) -> None:
        self.status = status
        super().__init__(message)


def answer_json(value: object, status: int = 200) -> LocalResponse:
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    return LocalResponse(status, text.encode(errors="replace"))


def failure(
    status: int,
    message: str,
    code: str = "invalid_request",
    headers: tuple[tuple[str, str], ...] = (),
) -> LocalResponse:
    kind = "invalid_request_error" if status < 500 else "server_error"
    error = {"message": message, "type": kind, "param": None, "code": code}
    body = json.dumps({"error": error}, ensure_ascii=False).encode(errors="replace")
    return LocalResponse(status, body, headers=headers)


def nothing_here(path: str) -> LocalResponse:
    said = f"There is no {path} here; see /health, /v1/models, /usage/current, /route."
    return failure(404, said)
