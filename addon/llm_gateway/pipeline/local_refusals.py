"""Local refusals: requests that the gateway answers with an error, in the client's dialect.

What lives here: `LocalRefusals`, for what is not served at all, and `internal_error`, for a
bug of ours.

What this file does not know: why a request is refused.
"""

from dataclasses import dataclass

from mitmproxy import http

from llm_gateway import ids
from llm_gateway.admin.guard import Allowed
from llm_gateway.app.state import AppState
from llm_gateway.dialects import DEFAULT, DialectSpec, match
from llm_gateway.pipeline.own_port import OwnPort
from llm_gateway.transport.local_response import (
    LocalResponse,
    make_readable,
    set_response,
)

INTERNAL_ERROR = (
    b'{"error": {"message": "The gateway failed to handle this request; its log says'
    b' more.", "type": "server_error", "param": null, "code": "internal_error"}}'
)


@dataclass(slots=True)
class LocalRefusals:
    runtime: AppState
    own_port: OwnPort

    def refuse(
        self,
        flow: http.HTTPFlow,
        dialect: DialectSpec,
        status: int,
        code: str,
        message: str,
        headers: tuple[tuple[str, str], ...] = (),
        *,
        param: str | None = None,
    ) -> None:
        """In the shape of errors of the dialect that the client speaks."""
        body = dialect.error_body(status, code, message, param=param)
        path, _, query = flow.request.path.partition("?")
        if dialect.takes_array(query, dialect.read_path(path).stream is True):
            body = b"[" + body + b"]"
        self.answer(flow, LocalResponse(status, body, headers=headers))

    def answer(self, flow: http.HTTPFlow, answer: LocalResponse) -> None:
        """An answer of our own, for a request that is not served."""
        ours = (
            ("x-gateway-request-id", ids.new_id(self.runtime.clock())),
            ("x-gateway-attempts", "0"),
        )
        # Nobody is told to go on with a body that will not be read.
        flow.request.headers.pop("expect", None)
        set_response(
            flow,
            LocalResponse(answer.status, answer.body, headers=(*answer.headers, *ours)),
        )
        make_readable(flow, self.own_port.cors_origin_for(flow))

    def guarded(
        self,
        flow: http.HTTPFlow,
        dialect: DialectSpec | None,
        *,
        body: bool | None = None,
    ) -> Allowed | None:
        """The guard of our own port. None: it has answered. body: there is one, or is to
        come; left out: look."""
        if body is None:
            body = bool(flow.request.raw_content)
        verdict = self.own_port.check(flow, has_body=body)
        if isinstance(verdict, Allowed):
            return verdict
        spoken = dialect or DEFAULT
        self.refuse(flow, spoken, verdict.status, verdict.code, verdict.message)
        return None

    def too_large(self, flow: http.HTTPFlow, limit: int) -> http.Response:
        """The answer to a body that is, or turns out to be, larger than `limit` bytes."""
        dialect = match(flow.request.method, flow.request.path) or DEFAULT
        message = f"The request body is larger than {limit} bytes."
        self.refuse(flow, dialect, 413, "request_too_large", message)
        assert flow.response is not None
        return flow.response

    def error_answer(
        self, flow: http.HTTPFlow, status: int, message: str
    ) -> http.Response:
        """For what the HTTP layer refuses or ends by itself, before or after the hooks."""
        code = "internal_error" if status == 500 else "invalid_request"
        dialect = match(flow.request.method, flow.request.path) or DEFAULT
        self.refuse(flow, dialect, status, code, message)
        assert flow.response is not None
        return flow.response


def internal_error(flow: http.HTTPFlow) -> None:
    """Fail closed: nothing leaves, the client is told. Calls nothing that could fail."""
    if flow.response is None:
        flow.response = http.Response.make(
            500, INTERNAL_ERROR, {"content-type": "application/json"}
        )
