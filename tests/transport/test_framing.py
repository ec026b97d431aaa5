"""Heads of answers as clients see them: no control characters, no body for HEAD, no chunks
for HTTP/1.0."""

import pytest
from mitmproxy import http

from llm_gateway.pipeline.response_headers import LONGEST_PASSED, passed_headers
from llm_gateway.transport import framing

Fields = list[tuple[bytes, bytes]]


def response(
    fields: Fields, *, reason: bytes = b"OK", body: bytes = b""
) -> http.Response:
    headers = http.Headers(fields)
    return http.Response(b"HTTP/1.1", 200, reason, headers, body, None, 0, 0)


@pytest.mark.parametrize(
    ("given", "left"),
    [
        ((b"x-request-id", b"a-b_c 1"), b"a-b_c 1"),
        ((b"x-request-id", b"a\tb"), b"a\tb"),
        ((b"x-request-id", b"\xc3\xa9"), b"\xc3\xa9"),
        ((b"x-request-id", b"a\x00b"), None),
        ((b"retry-after", b"1\rX: y"), None),
        ((b"x-request-id", b"a\r\n b"), None),
        ((b"x-request-id", b"a\x7f"), None),
        ((b"x-request-id", b"\x1b[31m"), None),
        ((b"content-type", b"application/json\rSet-Cookie: a=b"), b"application/json"),
        ((b"Content-Type", b"text/event-stream;\r\n\tx=y"), b"text/event-stream"),
        ((b"content-type", b"\x00"), b""),
    ],
)
def test_control_characters_end_here(
    given: tuple[bytes, bytes], left: bytes | None
) -> None:
    made = response([(b"a", b"b"), given])
    framing.mend(made)
    assert dict(made.headers.fields).get(given[0]) == left
    assert made.headers["a"] == "b"


def test_so_do_those_behind_the_status() -> None:
    made = response([(b"a", b"b\x00")], reason=b"O\rK")
    framing.mend(made)
    assert (made.data.reason, made.headers.fields) == (b"", ())


def test_a_head_that_is_clean_is_left_alone() -> None:
    made = response([(b"a", b"b")])
    fields = made.headers.fields
    framing.mend(made)
    assert made.headers.fields is fields


@pytest.mark.parametrize("name", [b"content-type", b"x-request-id", b"retry-after"])
def test_a_value_that_is_huge_stays_here(name: bytes) -> None:
    kept, huge = b"a" * LONGEST_PASSED, b"a" * (LONGEST_PASSED + 1)
    headers = http.Headers([(name, kept), (name, huge), (b"set-cookie", b"a=b")])
    assert passed_headers(headers, (("x-ours", "1"),)).fields == (
        (name, kept),
        (b"x-ours", b"1"),
    )


@pytest.mark.parametrize(
    ("fields", "content", "expected"),
    [
        (
            [(b"transfer-encoding", b"chunked")],
            None,
            [(b"connection", b"close")],
        ),
        ([], None, [(b"connection", b"close")]),
        ([(b"Content-Length", b"3")], None, [(b"Content-Length", b"3")]),
        ([(b"Transfer-Encoding", b"chunked")], b"abc", [(b"content-length", b"3")]),
    ],
)
def test_http_1_0_knows_no_chunks(
    fields: Fields, content: bytes | None, expected: Fields
) -> None:
    before = response(fields)
    after = framing.for_old_client(before, content)
    assert list(after.headers.fields) == expected
    assert list(before.headers.fields) == fields


@pytest.mark.parametrize(
    ("version", "old"),
    [
        (b"HTTP/1.0", True),
        (b"HTTP/0.9", True),
        (b"HTTP/1.1", False),
        (b"HTTP/2.0", False),
    ],
)
def test_who_is_old(version: bytes, old: bool) -> None:
    request = http.Request.make("GET", "http://x/")
    request.data.http_version = version
    assert framing.is_old(request) is old


def test_head_is_told_the_length() -> None:
    made = response([(b"transfer-encoding", b"chunked")], body=b"abc")
    framing.head_only(made)
    assert made.headers.fields == ((b"content-length", b"3"),)
    assert made.raw_content == b""
    empty = response([])
    framing.head_only(empty)
    assert empty.headers.fields == ()
