"""Events come out the same however the bytes come in."""

import pytest
from examples import examples
from hypothesis import given
from hypothesis import strategies as st
from tables import each_row
from wire import STREAMS, cut, places, recording

from llm_gateway.streaming.sse import (
    LONGEST,
    Framer,
    SSEDecoder,
    SSEvent,
    boundary,
    data_of,
    raw_events,
)

# One stream, and what it says.
CASES = [
    ("", []),
    ("data: a\n\n", [("", "a")]),
    ("data:a\n\n", [("", "a")]),
    ("data:  a\n\n", [("", " a")]),
    ("data\n\n", [("", "")]),
    ("data: a\ndata: b\n\n", [("", "a\nb")]),
    ("event: ping\ndata: {}\n\n", [("ping", "{}")]),
    ("data: {}\nevent: ping\n\n", [("ping", "{}")]),
    # nothing to say
    (": comment\n\n", []),
    ("event: ping\n\n", []),
    ("id: 7\nretry: 100\n\n", []),
    ("\n\n\n\n", []),
    ("datax: a\n\n", []),
    # beside the data
    (": comment\ndata: a\n\n", [("", "a")]),
    ("id: 7\ndata: a\n: comment\n\n", [("", "a")]),
    # line ends
    ("data: a\r\n\r\ndata: b\r\n\r\n", [("", "a"), ("", "b")]),
    ("data: a\r\rdata: b\r\r", [("", "a"), ("", "b")]),
    ("data: a\r\n\ndata: b\n\r\n", [("", "a"), ("", "b")]),
    ("event: x\rdata: a\r\ndata: b\n\n", [("x", "a\nb")]),
    # start and end
    ("\ufeffdata: a\n\n", [("", "a")]),
    ("data: a\n\ndata: b", [("", "a"), ("", "b")]),
    ("data: a\n", [("", "a")]),
    # more than ASCII
    ("data: Grüße 👋\n\n", [("", "Grüße 👋")]),
]


def decoded(chunks: list[bytes]) -> list[SSEvent]:
    decoder = SSEDecoder()
    events = [event for chunk in chunks for event in decoder.feed(chunk)]
    return events + decoder.finish()


@each_row(("stream", "expected"), CASES)
def test_events(stream, expected):
    data = stream.encode()
    # whole, byte by byte, in halves
    assert decoded([data]) == expected
    assert decoded([data[i : i + 1] for i in range(len(data))]) == expected
    for at in range(len(data)):
        assert decoded([data[:at], data[at:]]) == expected


@pytest.mark.parametrize("name", STREAMS)
@examples(20)
@given(places=places)
def test_recordings_in_any_chunks(name, places):
    data = recording(name)
    assert decoded(cut(data, places)) == decoded([data])


@given(
    data=st.lists(
        st.sampled_from([b"\n", b"\r", b"data:", b"event:x", b" ", b"a"])
    ).map(b"".join),
    places=places,
)
def test_any_line_ends_in_any_chunks(data, places):
    assert decoded(cut(data, places)) == decoded([data])


def test_invalid_utf8_is_replaced():
    assert decoded([b"data: \xff\n\n"]) == [("", "\ufffd")]


def test_an_endless_event_is_given_up():
    decoder = SSEDecoder()
    assert decoder.feed(b"data: a\n\ndata: ") == [("", "a")]
    for _ in range(16):
        assert decoder.feed(b"x" * (LONGEST // 16)) == []
    assert decoder.overflowed
    assert decoder.feed(b"\n\ndata: b\n\n") == []
    assert decoder.finish() == []


def test_a_long_event_is_read():
    decoder = SSEDecoder()
    decoder.feed(b"data: ")
    for _ in range(15):
        decoder.feed(b"x" * (LONGEST // 16))
    (event,) = decoder.feed(b"\n\n")
    assert len(event.data) == 15 * (LONGEST // 16)


@pytest.mark.parametrize(
    ("data", "end"),
    [
        (b"", 0),
        (b"data: a\n", 0),
        (b"data: a\n\n", 9),
        (b"data: a\n\ndata: b", 9),
        (b"a\n\nb\n\nc", 6),
        (b"a\r\n\r\nb", 5),
        # half of a CRLF may be missing
        (b"a\r\n\r", 0),
        (b"a\r\r", 0),
        (b"a\r\rb", 3),
    ],
)
def test_boundary(data, end):
    assert boundary(data) == end


@given(data=st.text("ab\n\r", max_size=40).map(str.encode), places=places)
def test_frames_and_raw_events_add_up(data, places):
    frames = Framer()
    wholes = [frames.push(chunk) for chunk in cut(data, places)]
    assert b"".join(wholes) + frames.open == data
    assert frames.size == len(frames.open)
    assert b"".join(raw_events(data)) == data
    assert frames.take() == data[len(b"".join(wholes)) :]
    assert frames.take() == b""


@pytest.mark.parametrize(
    ("raw", "data"),
    [
        (b"data: a\n\n", b"a"),
        (b"data:a\n\n", b"a"),
        (b"data: a\r\n\r\n", b"a"),
        (b"data: a\ndata: b\n\n", b"a\nb"),
        (b": x\ndata: a\n\n", b"a"),
        (b"\xef\xbb\xbfdata: a\n\n", b"a"),
        (b": x\n\n", b""),
        (b"data: a", b"a"),
    ],
)
def test_data_of(raw, data):
    assert data_of(raw) == data
