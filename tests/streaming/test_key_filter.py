"""A key is in no stream, however its bytes are spelled and cut; all other bytes stay."""

import base64
import gzip
import json

import pytest
from examples import examples
from hypothesis import given
from hypothesis import strategies as st
from tables import each_row
from wire import STREAMS, cut, dialect_of, fed, places, recording

from llm_gateway.dialects import CHAT, SPECS
from llm_gateway.pipeline.stream_filters import overheard, searched
from llm_gateway.streaming.answer_meter import AnswerMeter
from llm_gateway.streaming.content_coding import decoder
from llm_gateway.streaming.key_filter import KeyFilter, KeySearch, is_unmistakable
from llm_gateway.streaming.sse import LONGEST
from llm_gateway.streaming.stream_meter import StreamMeter

KEY = "sk-proj-CANARY/masked+0123456789"
SEARCH = KeySearch([KEY])
WIDE = b"*\0*\0*\0"
few = examples(10)

SPELLED = {
    "as it is": (KEY.encode(), b"***"),
    "JSON's slash": (KEY.replace("/", "\\/").encode(), b"***"),
    "JSON": ("".join(f"\\u{ord(c):04x}" for c in KEY).encode(), b"***"),
    "JSON, in part": (KEY.replace("k", "\\u006B").encode(), b"***"),
    "JSON in JSON": ("".join(f"\\\\u{ord(c):04x}" for c in KEY).encode(), b"***"),
    "a script": ("".join(f"\\x{ord(c):02x}" for c in KEY).encode(), b"***"),
    "a URL": ("".join(f"%{ord(c):02X}" for c in KEY).encode(), b"***"),
    "HTML": ("".join(f"&#{ord(c)};" for c in KEY).encode(), b"***"),
    "HTML, hex": ("".join(f"&#x{ord(c):x};" for c in KEY).encode(), b"***"),
    "hex": (KEY.encode().hex().encode(), b"***"),
    "HEX": (KEY.encode().hex().upper().encode(), b"***"),
    "UTF-16": (KEY.encode("utf-16-le"), WIDE),
    "UTF-16, the other end first": (KEY.encode("utf-16-be"), b"\0" + WIDE[:-1]),
}


@each_row("size", [1, 2, 3, 7, 20, 31, 33, 1000])
@each_row("how", SPELLED)
def test_spellings(how: str, size: int) -> None:
    spelled, mark = SPELLED[how]
    said = b'data: {"x": "bad key %b, "}\n\n: %b\n\ndata: [DONE]\n\n'
    keys = KeyFilter(SEARCH)
    data = said % (spelled, spelled)
    pieces = [data[at : at + size] for at in range(0, len(data), size)]
    assert fed(keys.feed, pieces) + keys.finish() == said % (mark, mark)
    assert keys.found
    assert not keys.holds


@pytest.mark.parametrize("size", [1, 7, 1000])
@pytest.mark.parametrize("before", ["", "x", "xx"])
def test_base64(before: str, size: int) -> None:
    coded = base64.b64encode(before.encode() + b":" + KEY.encode())
    keys = KeyFilter(SEARCH)
    pieces = [coded[at : at + size] for at in range(0, len(coded), size)]
    out = fed(keys.feed, pieces) + keys.finish()
    assert b"***" in out
    assert coded[8:24] not in out


PLAIN = (
    b'data: {"content": "caf\\u00e9 100% \\n sk-proj-CANARY \\u0073k- &#115; s"}\n\n',
    KEY[:-1].encode() + b"\n" + KEY[1:].encode() + b"\n",
    bytes(range(256)) * 3 + b"\n",
    b"s\0k\0-\0x\0\n",
    b"\\" * 40 + b"\n",
)


@each_row("size", [1, 3, 50])
@each_row("data", PLAIN)
@each_row("literal", [True, False])
def test_all_other_bytes_stay(data: bytes, size: int, literal: bool) -> None:
    keys = KeyFilter(SEARCH, literal=literal)
    pieces = [data[at : at + size] for at in range(0, len(data), size)]
    assert fed(keys.feed, pieces) + keys.finish() == data
    assert not keys.found


@few
@given(st.binary(max_size=200), places)
def test_any_bytes_stay(data: bytes, where: list[int]) -> None:
    keys = KeyFilter(SEARCH)
    assert fed(keys.feed, cut(data, where)) + keys.finish() == data


def test_a_chunk_without_a_key_is_handed_on_itself() -> None:
    chunk = b'data: {"x": "hello"}\n\n'
    assert KeyFilter(SEARCH).feed(chunk) is chunk


@pytest.mark.parametrize("left", [1, 5, 16])
def test_most_of_a_key_at_the_end(left: int) -> None:
    keys = KeyFilter(SEARCH)
    assert keys.feed(b"x " + KEY[:-left].encode()) == b"x "
    assert keys.holds
    assert keys.finish() == b"***"


@pytest.mark.parametrize(
    ("key", "is_one"),
    [
        (KEY, True),
        ("0123456789abcdef", True),
        ("AbCdEfGhIjKlMnOp", True),
        ("ollama", False),
        ("not-needed", False),
        ("sk-no-key-required", False),
        ("token-abc123", False),
        ("", False),
    ],
)
def test_what_an_answer_may_say_is_left(key: str, is_one: bool) -> None:
    assert is_unmistakable(key) == is_one
    keys = KeyFilter(KeySearch([key, ""]))
    said = f"Use {key}.\n".encode()
    assert (keys.feed(said) + keys.finish() == said) == (not is_one)


# -- meters

ERROR = json.dumps({"message": f"Incorrect API key provided: {KEY}", "code": 401})
SAYS = {
    "an event without the word": f"data: {ERROR}\n\n",
    "capitals": f'data: {{"code": "INVALID", "detail": "ERR {KEY}"}}\n\n',
    "a comment": f": key {KEY}\n\n",
    "an id": f'id: {KEY}\ndata: {{"choices": []}}\n\n',
    "a large event": f'data: {{"error": "{"x" * LONGEST} {KEY}"}}\n\n',
    "a large event, at its start": f'data: {{"error": "{KEY} {"x" * LONGEST}"}}\n\n',
    "a page": f"<html>upstream error {KEY}</html>",
    "no line": ERROR,
    "an event that breaks off": f'data: {{"message": "{KEY}',
}
BEGUN = b'data: {"choices": [{"index": 0, "delta": {"content": "Hel"}}]}\n\n'


@each_row("size", [40, 65536, 2 * LONGEST])
@each_row("how", SAYS)
def test_a_meter_lets_none_through(how: str, size: int) -> None:
    data = BEGUN + SAYS[how].encode()
    meter = StreamMeter(CHAT, strip_usage=False, keys=KeyFilter(SEARCH))
    pieces = [data[at : at + size] for at in range(0, len(data), size)]
    out = fed(meter.feed, pieces) + meter.finish()
    assert out == data.replace(KEY.encode(), b"***")
    assert meter.masked


@pytest.mark.parametrize("name", STREAMS)
@few
@given(places=places)
def test_recordings_stay(name, places) -> None:
    meter = StreamMeter(
        SPECS[dialect_of(name)], strip_usage=False, keys=KeyFilter(SEARCH)
    )
    data = recording(name)
    assert fed(meter.feed, cut(data, places)) + meter.finish() == data
    assert not meter.masked


@pytest.mark.parametrize("size", [1, 20, 1000])
def test_plain_answers(size: int) -> None:
    data = json.dumps({"model": KEY, "choices": []}).encode()
    meter = AnswerMeter(CHAT, keys=KeyFilter(SEARCH))
    pieces = [data[at : at + size] for at in range(0, len(data), size)]
    out = fed(meter.feed, pieces) + meter.finish()
    assert out == data.replace(KEY.encode(), b"***")
    assert meter.whole() == data


@pytest.mark.parametrize("size", [1, 20, 1000])
def test_what_nobody_can_read_ends_before_it(size: int) -> None:
    data = b"\x1f\x9d" + KEY.encode() + b" and so on"
    through = searched(KeyFilter(SEARCH, literal=True), ends=True)
    pieces = [data[at : at + size] for at in range(0, len(data), size)]
    out = b"".join(b"".join(through(piece)) for piece in (*pieces, b""))
    assert out in (b"\x1f\x9d", b"")


@pytest.mark.parametrize("size", [1, 20, 1000])
@pytest.mark.parametrize("where", ["inside", "in the head", "behind what is broken"])
def test_compressed_streams_end_before_it(where: str, size: int) -> None:
    named = b"\x1f\x8b\x08\x08" + b"\0" * 6 + KEY.encode() + b"\0"
    coded = {
        "inside": gzip.compress(BEGUN + SAYS["a comment"].encode(), 0),
        "in the head": named + gzip.compress(BEGUN)[10:],
        "behind what is broken": gzip.compress(BEGUN)[:-8] + b"!" * 8 + KEY.encode(),
    }[where]
    undone = decoder("gzip")
    assert undone is not None
    meter = StreamMeter(CHAT, strip_usage=False, keys=KeyFilter(SEARCH))
    raw = KeyFilter(SEARCH, literal=True)
    through = overheard(undone, meter, lambda: None, raw)
    pieces = [coded[at : at + size] for at in range(0, len(coded), size)]
    out = b"".join(b"".join(through(piece)) for piece in (*pieces, b""))
    assert coded.startswith(out)
    assert KEY.encode() not in out
