"""Heads are read and checked as mitmproxy does it: same values, same refusals."""

import copy

import pytest
from h11._receivebuffer import ReceiveBuffer
from hypothesis import given
from hypothesis import strategies as st
from mitmproxy import http
from mitmproxy.test import tflow

from llm_gateway.fastpath import message_heads as ours

names = st.sampled_from(
    [
        *(b"Host", b"content-length", b"Content-Length", b"CONTENT-LENGTX"),
        *(b"transfer-encoding", b"Transfer-Encoding", b"connection", b"Connection"),
        *(b"X-A", b"x a", b"x\xff", b"", b"a" * 80),
    ]
)
values = st.sampled_from(
    [
        *(b"0", b"7", b"07", b"-1", b"+1", b"1_0", b"7, 7", b"", b"\xb2", b"9" * 30),
        *(b"chunked", b"gzip, chunked", b"identity", b"gzip", b"nonsense"),
        *(b"close", b"keep-alive", b"keep-alive, close", b"Close", b"upgrade"),
    ]
)
fields = st.lists(st.tuples(names, values), max_size=5)
versions = st.sampled_from([b"HTTP/1.1", b"HTTP/1.0", b"HTTP/2.0"])


def outcome(function, *args):
    try:
        return function(*args)
    except (ValueError, TypeError) as error:
        return type(error), str(error)


def message(headers, version=b"HTTP/1.1", method=b"POST", status=200):
    flow = tflow.tflow(resp=True)
    for part in (flow.request, flow.response):
        part.data.headers = http.Headers(headers)
        part.data.http_version = version
    flow.request.data.method = method
    flow.response.data.status_code = status
    return flow.request, flow.response


@given(fields, versions)
def test_what_is_valid(headers, version):
    for one in message(headers, version):
        expected = outcome(ours._validate, one)
        assert outcome(ours.validate_headers, one) == expected
        assert outcome(ours.validate_headers, one) == expected, "the second time"


def test_not_all_names_that_clients_think_of_are_kept():
    for n in range(3 * ours.MOST_NAMES):
        ours.validate_headers(message([(b"x-%d" % n, b"")])[0])
    ours.validate_headers(message([(b"x" * 5000, b"")])[0])
    assert len(ours._VALID) <= ours.MOST_NAMES
    assert max(map(len, ours._VALID)) <= ours.LONGEST_NAME


@given(
    fields,
    st.sampled_from([b"POST", b"GET", b"HEAD", b"head", b"CONNECT"]),
    st.sampled_from([100, 101, 200, 203, 204, 304, 404, 500]),
)
def test_how_long_a_body_is(headers, method, status):
    request, response = message(headers, method=method, status=status)
    for args in ((request,), (request, response)):
        expected = outcome(ours._body_size, *args)
        assert outcome(ours.body_size, *args) == expected
        assert type(outcome(ours.body_size, *args)) is type(expected)


@given(fields, versions, st.booleans())
def test_who_closes(headers, version, as_text):
    said = version.decode() if as_text else version
    headers = http.Headers(headers)
    assert ours.closes(said, headers) == ours._closes(said, headers)


lines = st.lists(
    st.sampled_from(
        [
            *(b"Host: a", b"X-A:b", b"x-b :  c ", b" folded", b"\tfolded", b"no colon"),
            *(b": nameless", b"a: b: c", b"x:\xff", b"x: \r", b"::"),
        ]
    ),
    max_size=5,
)


@given(lines)
def test_fields(given):
    expected = outcome(ours._read_headers, list(given))
    found = outcome(ours.read_headers, list(given))
    assert getattr(found, "fields", found) == getattr(expected, "fields", expected)


@pytest.mark.parametrize("version", [b"HTTP/1.1", b"HTTP/1.0", b"HTTP/9.9", b"FTP/1.1"])
def test_versions(version):
    assert outcome(ours.check_version, version) == outcome(ours._version, version)


pieces = st.lists(
    st.sampled_from([b"a", b"b: c", b"\r", b"\n", b"\r\n", b"\r\n\r\n", b"\n\n", b""]),
    max_size=10,
)


@given(pieces, pieces)
def test_lines_of_a_head(first, second):
    mine, theirs = ReceiveBuffer(), ReceiveBuffer()
    for part in (b"".join(first), b"".join(second), b""):
        mine += part
        theirs += part
        expected = ours._lines(theirs)
        found = ours.lines(mine)
        assert (found is None) is (expected is None)
        assert list(map(bytes, found or [])) == list(map(bytes, expected or []))
        assert bytes(mine) == bytes(theirs)


@given(fields)
def test_headers_are_made(headers):
    for form in (headers, iter(headers), map(list, headers)):
        made = http.Headers.__new__(http.Headers)
        ours.init(made, form)
        assert made.fields == tuple(headers)
        assert made.copy().fields == tuple(headers)
    copied = copy.deepcopy(made)
    assert copied.fields == made.fields


def test_headers_with_names():
    made, expected = (
        http.Headers.__new__(http.Headers),
        http.Headers.__new__(http.Headers),
    )
    ours.init(made, [(b"a", b"b")], Content_Type="text/html", a="c")
    ours._init(expected, [(b"a", b"b")], Content_Type="text/html", a="c")
    assert made.fields == expected.fields


@pytest.mark.parametrize("bad", [[("a", b"b")], [(b"a", "b")], [(b"a", 1)]])
def test_headers_are_bytes(bad):
    made = http.Headers.__new__(http.Headers)
    with pytest.raises(TypeError):
        ours.init(made, bad)
