"""The table of headers says what a walk over the fields would."""

from hypothesis import given
from hypothesis import strategies as st
from mitmproxy import http

from llm_gateway.fastpath.header_index import table

names = st.sampled_from([b"Host", b"host", b"HOST", b"x-a", b"", b"\xff"])
fields = st.lists(st.tuples(names, st.binary(max_size=3)), max_size=6)


def walked(headers):
    return {
        name.lower(): b", ".join(v for n, v in headers.fields if n.lower() == name)
        for name in {n.lower() for n, _ in headers.fields}
    }


@given(fields, fields)
def test_of_headers_that_change(before, after):
    headers = http.Headers(before)
    assert table(headers) == walked(headers)
    assert table(headers) is table(headers)
    headers.fields = tuple(after)
    assert table(headers) == walked(headers)
    headers["X-New"] = "1"
    assert table(headers) == walked(headers)
    assert table(headers.copy()) == walked(headers)


def test_nothing_of_it_is_seen():
    asked, other = http.Headers(a="b"), http.Headers(a="b")
    table(asked)
    assert asked == other
    assert asked.get_state() == other.get_state()
    assert repr(asked) == repr(other)
