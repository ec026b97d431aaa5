"""Which bytes make a request, and which make two."""

import pytest
from h11 import SERVER, Connection, RemoteProtocolError, Request
from hypothesis import given
from hypothesis import strategies as st
from mitmproxy import http
from tables import each_row

from llm_gateway.mitm_compat import h2_version
from llm_gateway.transport import request_grammar as grammar
from llm_gateway.transport import serializer

HOST = (b"host", b"a")


def request(
    method=b"GET", path=b"/v1/files", version=b"HTTP/1.1", fields=(HOST,), authority=b""
):
    headers = http.Headers(fields)
    return http.Request(
        "a", 80, method, b"http", authority, path, version, headers, b"", None, 0, 0
    )


def is_one_request(raw: bytes) -> bool:
    wire = Connection(SERVER)
    wire.receive_data(raw)
    try:
        return isinstance(wire.next_event(), Request)
    except RemoteProtocolError:
        return False


@pytest.mark.parametrize(
    "made",
    [
        request(),
        request(path=b"*", method=b"OPTIONS"),
        request(version=b"HTTP/1.0", fields=()),
        request(fields=(HOST, (b"x-a", b""), (b"x-b", b"\xc3\xbc\ta"))),
        request(fields=(HOST, (b"content-length", b"0"))),
        request(fields=(HOST, (b"Transfer-Encoding", b"Chunked"))),
    ],
)
def test_what_is_written(made):
    assert is_one_request(serializer.head(made))


@each_row(
    "made",
    [
        request(method=b"GET /x HTTP/1.1\r\nhost: a\r\n\r\nGET"),
        request(method=b""),
        request(path=b""),
        request(path=b"/a b"),
        request(path=b"/a\x7f"),
        request(path=b"/\xff"),
        request(path=b"/a HTTP/1.1\r\nhost: a\r\n\r\nGET /b"),
        request(version=b"HTTP/2.0"),
        request(version=b"HTTP/1.1\r\nx: y"),
        request(fields=()),
        request(fields=(HOST, HOST)),
        request(version=b"HTTP/1.0", fields=(HOST, HOST)),
        request(version=b"HTTP/1.0", fields=(HOST, (b"Host", b"b"))),
        request(fields=(HOST, (b"x-a", b"b\r\nx-c: d"))),
        request(fields=(HOST, (b"x-a: b\r\nx-c", b"d"))),
        request(fields=(HOST, (b"x-a", b"b\n c"))),
        request(fields=(HOST, (b"x a", b"b"))),
        request(fields=(HOST, (b"", b"b"))),
        request(fields=(HOST, (b"x-a", b"\0"))),
        request(fields=(HOST, (b"content-length", b"1"), (b"content-length", b"2"))),
        request(fields=(HOST, (b"content-length", b"9" * 5000))),
        request(
            fields=(HOST, (b"content-length", b"1"), (b"transfer-encoding", b"chunked"))
        ),
        request(fields=(HOST, (b"transfer-encoding", b"gzip, chunked"))),
    ],
)
def test_what_is_not(made):
    with pytest.raises(serializer.Unwritable):
        serializer.head(made)


@given(
    st.binary(max_size=6),
    st.binary(max_size=12),
    st.lists(st.tuples(st.binary(max_size=5), st.binary(max_size=8)), max_size=3),
)
def test_whatever_is_written_is_one_request(method, path, fields):
    made = request(method, b"/" + path, fields=[HOST, *fields])
    try:
        raw = serializer.head(made)
    except serializer.Unwritable:
        return
    assert is_one_request(raw)
    assert raw.count(b"\n") == raw.count(b"\r\n")


PSEUDO = {
    b":method": b"GET",
    b":scheme": b"https",
    b":path": b"/v1",
    b":authority": b"a:1",
}


@each_row("name", [*PSEUDO, b"x-a"])
@each_row("odd", [b"\r\n", b"\n", b"\0", b"\x7f", b"\x01"])
def test_http2(name, odd):
    good = {**PSEUDO, b"x-a": b"b"}
    assert grammar.http2_problem(good.items()) is None
    spoiled = good | {name: good[name] + odd + b"x"}
    assert grammar.http2_problem(spoiled.items()) is not None


@pytest.mark.parametrize("name", [b":protocol", b"X-A", b"x a", b"", b"x\r\n"])
def test_names_of_http2(name):
    assert grammar.http2_problem([*PSEUDO.items(), (name, b"a")]) is not None


@pytest.mark.parametrize(
    ("text", "found"), [("4.3.0", (4, 3)), ("4.1.0", (4, 1)), ("5.0rc1", (5, 0))]
)
def test_versions_of_h2(text, found):
    assert h2_version.numbers(text) == found
    assert (found >= h2_version.SAFE) is (text != "4.1.0")
