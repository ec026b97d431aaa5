"""The pure pieces of the HTTP layer: words, framing, names."""

import pytest
from mitmproxy import http
from mitmproxy.test import tflow
from tables import each_row

from llm_gateway.domain import FailureKind
from llm_gateway.mitm_compat import required_names
from llm_gateway.transport import attempt_policy, framing, patches
from llm_gateway.transport import error_text as words


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        # HTTP/1
        ("server closed connection", FailureKind.CLOSED),
        (
            "HTTP/1 protocol error: peer closed connection without sending complete "
            "message body (received 3 bytes, expected 9)",
            FailureKind.CLOSED,
        ),
        ("HTTP/1 protocol error: illegal chunk header", FailureKind.PROTOCOL),
        ("Cannot parse HTTP response: bad status", FailureKind.PROTOCOL),
        ("unexpected server response: b'220 ready'", FailureKind.PROTOCOL),
        # HTTP/2
        ("peer closed connection", FailureKind.CLOSED),
        ("HTTP/2 connection closed: <ConnectionTerminated>", FailureKind.CLOSED),
        ("stream reset by client (INTERNAL_ERROR)", FailureKind.CLOSED),
        ("stream reset by client (REFUSED_STREAM)", FailureKind.CLOSED),
        ("HTTP/2 protocol error: Invalid preamble", FailureKind.PROTOCOL),
        ("Received unexpected HTTP/2 response.", FailureKind.PROTOCOL),
    ],
)
def test_kind_of_end(message: str, kind: FailureKind) -> None:
    assert words.failure_kind(message) is kind


@pytest.mark.parametrize(
    ("message", "connected", "kind"),
    [
        ("[Errno -2] Name or service not known", False, FailureKind.RESOLVE),
        ("[Errno -3] Temporary failure in name resolution", False, FailureKind.RESOLVE),
        ("[Errno 8] nodename nor servname provided", False, FailureKind.RESOLVE),
        ("[Errno 11001] getaddrinfo failed", False, FailureKind.RESOLVE),
        ("[Errno 111] Connect call failed ('::1', 1)", False, FailureKind.CONNECT),
        ("Multiple exceptions: [Errno 111] Connect", False, FailureKind.CONNECT),
        ("connection closed", True, FailureKind.TLS),
        ("Certificate verify failed: self-signed", True, FailureKind.TLS),
    ],
)
def test_kind_of_connect_error(
    message: str, connected: bool, kind: FailureKind
) -> None:
    assert words.kind_of_connect_error(message, tcp_connected=connected) is kind


@pytest.mark.parametrize(
    ("host", "fine"),
    [
        ("api.openai.com", True),
        ("127.0.0.1", True),
        ("::1", True),
        ("bücher.example", True),
        ("a..b", False),
        ("x" * 64 + ".example", False),
        ("", True),  # nothing to encode: the resolver says what it thinks of it
    ],
)
def test_name_problem(host: str, fine: bool) -> None:
    assert (words.name_problem(host) is None) == fine


def request(headers: dict[str, str], body: bytes = b"") -> http.Request:
    made = http.Request.make("POST", "http://x/", b"", headers)
    made.data.content = body
    made.headers = http.Headers([(k.encode(), v.encode()) for k, v in headers.items()])
    return made


@pytest.mark.parametrize(
    ("before", "body", "after"),
    [
        ({}, b"abc", {"content-length": "3"}),
        ({"content-length": "9"}, b"abc", {"content-length": "3"}),
        ({"content-length": "3"}, b"", {"content-length": "0"}),
        ({"transfer-encoding": "chunked"}, b"abc", {"content-length": "3"}),
        ({"transfer-encoding": "chunked"}, b"", {}),
        ({}, b"", {}),
    ],
)
def test_frame_a_buffered_request(
    before: dict[str, str], body: bytes, after: dict[str, str]
) -> None:
    made = request(before, body)
    framing.frame_request(made, streamed=False, http2=False)
    assert dict(made.headers) == after


@pytest.mark.parametrize(
    ("before", "http2", "after"),
    [
        ({}, False, {"transfer-encoding": "chunked"}),
        ({}, True, {}),
        ({"content-length": "9"}, False, {"content-length": "9"}),
        ({"transfer-encoding": "chunked"}, False, {"transfer-encoding": "chunked"}),
    ],
)
def test_frame_a_streamed_request(
    before: dict[str, str], http2: bool, after: dict[str, str]
) -> None:
    made = request(before)
    framing.frame_request(made, streamed=True, http2=http2)
    assert dict(made.headers) == after


def response(status: int, version: str, **headers: str) -> http.Response:
    made = http.Response.make(status)
    made.http_version = version
    made.headers = http.Headers(**headers)
    return made


@pytest.mark.parametrize(
    ("status", "validate", "asked", "fine"),
    [
        (200, True, {}, True),
        (
            101,
            True,
            {"connection": "keep-alive, Upgrade", "upgrade": "websocket"},
            True,
        ),
        (101, True, {"connection": "upgrade"}, False),
        (101, False, {"upgrade": "websocket"}, False),
        (101, True, {}, False),
        (100, True, {}, False),
        (103, False, {}, False),
        (503, True, {}, True),
        (999, True, {}, True),
        (99, False, {}, False),
        (1000, False, {}, False),
        (2000, True, {}, False),
    ],
)
def test_problem_of_a_status(
    status: int, validate: bool, asked: dict[str, str], fine: bool
) -> None:
    made = response(status, "HTTP/1.1")
    problem = framing.problem_of(request(asked), made, validate=validate)
    assert (problem is None) == fine


def test_problem_of_headers() -> None:
    made = response(200, "HTTP/1.1", content_length="2", transfer_encoding="chunked")
    assert framing.problem_of(request({}), made, validate=False) is None
    problem = framing.problem_of(request({}), made, validate=True)
    assert problem is not None
    assert problem.startswith("invalid headers: ")


@each_row(
    ("coding", "fine"),
    [
        ("chunked", True),
        ("Chunked ", True),
        ("gzip, chunked", False),
        ("gzip,chunked", False),
        ("deflate, chunked", False),
        ("compress, chunked", False),
        ("chunked, chunked", False),
        ("gzip", False),
        ("identity", False),
        ("xchunked", False),
        ("", False),
    ],
)
@each_row("validate", [True, False])
def test_problem_of_a_coding(coding: str, fine: bool, validate: bool) -> None:
    """Only the next hop may undo it, and this one does not."""
    made = response(200, "HTTP/1.1", transfer_encoding=coding.strip())
    problem = framing.problem_of(request({}), made, validate=validate)
    assert (problem is None) == fine


@pytest.mark.parametrize(
    ("line", "status"),
    [
        (b"HTTP/1.1 200 OK", 200),
        (b"HTTP/1.1 200", 200),
        (b"HTTP/1.1 200 ", 200),
        (b"HTTP/1.0 404 Not Found", 404),
        (b"HTTP/1.1 2000 OK", None),
        (b"HTTP/1.1 0200 OK", None),
        (b"HTTP/1.1 +200 OK", None),
        (b"HTTP/1.1 -200 OK", None),
        (b"HTTP/1.1 2_00 OK", None),
        (b"HTTP/1.1 20 OK", None),
        (b"HTTP/1.1 \xd9\xa2\xd9\xa0\xd9\xa0 OK", None),
        (b"HTTP/1.1 OK", None),
        (b"HTTP/1.1", None),
        (b"", None),
    ],
)
def test_status_lines(line: bytes, status: int | None) -> None:
    if status is not None:
        assert patches._read_response_line(line)[1] == status
        return
    with pytest.raises(ValueError, match="Bad HTTP response line"):
        patches._read_response_line(line)


def test_head_for_the_client() -> None:
    made = response(200, "HTTP/1.0", connection="close", keep_alive="timeout=5", a="b")
    shown = framing.for_client(made)
    assert (shown.http_version, dict(shown.headers)) == ("HTTP/1.1", {"a": "b"})
    assert (made.http_version, made.headers["connection"]) == ("HTTP/1.0", "close")
    switch = response(101, "HTTP/1.1", connection="upgrade")
    assert framing.for_client(switch) is switch


@pytest.mark.parametrize(
    ("method", "version", "made", "needs"),
    [
        ("POST", "HTTP/1.1", response(200, "HTTP/1.1"), True),
        ("POST", "HTTP/1.1", response(200, "HTTP/2.0"), True),
        ("POST", "HTTP/1.0", response(200, "HTTP/1.1"), False),
        ("POST", "HTTP/2.0", response(200, "HTTP/1.1"), False),
        ("HEAD", "HTTP/1.1", response(200, "HTTP/1.1"), False),
        ("POST", "HTTP/1.1", response(101, "HTTP/1.1"), False),
        ("POST", "HTTP/1.1", response(200, "HTTP/1.1", content_length="3"), False),
        (
            "POST",
            "HTTP/1.1",
            response(200, "HTTP/1.1", transfer_encoding="chunked"),
            False,
        ),
    ],
)
def test_needs_framing(
    method: str, version: str, made: http.Response, needs: bool
) -> None:
    asked = http.Request.make(method, "http://x/")
    asked.http_version = version
    assert framing.needs_framing(asked, made) is needs


def test_every_name_is_there() -> None:
    assert required_names.self_check() == []


def test_a_plan_is_of_one_flow_only() -> None:
    flow = tflow.tflow()
    plan = attempt_policy.AttemptPolicy(None, 1, 1, 1, 1)  # type: ignore[arg-type]
    assert attempt_policy.plan_of(flow) is None
    attempt_policy.set_plan(flow, plan)
    assert attempt_policy.plan_of(flow) is plan
    assert attempt_policy.plan_of(flow.copy()) is None
