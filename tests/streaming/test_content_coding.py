"""Answers that come compressed: every coding, however it is cut, and never too much."""

import gzip
import time
import zlib
from collections.abc import Callable

import brotli
import pytest
import zstandard
from examples import pairs
from hypothesis import given
from hypothesis import strategies as st
from tables import each_row

from llm_gateway.streaming import content_coding
from llm_gateway.streaming.content_coding import BadCoding, decoded, decoder


def raw_deflate(data: bytes) -> bytes:
    deflater = zlib.compressobj(wbits=-15)
    return deflater.compress(data) + deflater.flush()


def zstd(data: bytes) -> bytes:
    return zstandard.ZstdCompressor().compress(data)


def stream_zstd(data: bytes) -> bytes:
    """As servers send it that do not know its size before."""
    deflater = zstandard.ZstdCompressor().compressobj()
    return deflater.compress(data) + deflater.flush()


CODINGS = {
    "gzip": gzip.compress,
    "x-gzip": gzip.compress,
    "GZIP": gzip.compress,
    " gzip ": gzip.compress,
    "deflate": zlib.compress,
    "Deflate": raw_deflate,
    "br": brotli.compress,
    "zstd": zstd,
    "ZSTD": stream_zstd,
    "gzip, br": lambda data: brotli.compress(gzip.compress(data)),
    "identity, zstd": zstd,
}
IDENTITY = ["", "identity", "Identity", "identity, identity", " , "]


@pytest.mark.parametrize("name", CODINGS)
@given(data=st.binary(max_size=5000), places=st.lists(st.integers(1, 400), max_size=8))
def test_however_it_is_cut(name, data, places):
    coded = CODINGS[name](data)
    found = decoder(name)
    out, at = b"", 0
    for size in [*places, len(coded)]:
        out += found.feed(coded[at : at + size])
        at += size
    assert out == data
    assert found.is_over
    assert decoded(coded, name) == data


@pytest.mark.parametrize("name", CODINGS)
def test_a_body_that_breaks_off_is_not_over(name):
    coded = CODINGS[name](bytes(range(256)) * 8)
    found = decoder(name)
    found.feed(coded[:-1])
    assert not found.is_over


@pytest.mark.parametrize("name", IDENTITY)
def test_nothing_to_undo(name):
    assert decoder(name) is None
    assert decoded(b"as it is", name) == b"as it is"


@pytest.mark.parametrize(
    "name", ["compress", "sdch", "aes128gcm", "gzip, lzma", "x" * 99]
)
def test_unknown_codings_are_said(name):
    with pytest.raises(BadCoding):
        decoder(name)


@pytest.mark.parametrize("name", ["gzip", "deflate", "br", "zstd"])
def test_what_is_no_such_coding(name):
    with pytest.raises(BadCoding):
        decoded(b'{"error": "in plain text"}' * 99, name)


@pytest.mark.parametrize(("name", "again"), [("gzip", gzip.compress), ("zstd", zstd)])
def test_members_that_follow_each_other_are_one_body(name, again):
    assert decoded(again(b"one ") + again(b"two"), name) == b"one two"


@pytest.mark.parametrize("name", ["gzip", "deflate", "br", "zstd"])
def test_a_bomb_is_left_alone(name, monkeypatch):
    monkeypatch.setattr(content_coding, "PIECE_BYTES", 1 << 20)
    zeros = b"\0" * (16 << 20)
    bomb = in_window(22)(zeros) if name == "br" else CODINGS[name](zeros)
    found = decoder(name)
    assert sum(
        len(found.feed(bomb[at : at + 999])) for at in range(0, len(bomb), 999)
    ) <= (16 << 20)
    found = decoder(name)
    found.feed(bomb)
    assert found.full
    assert found.feed(b"anything") == b""
    with pytest.raises(BadCoding):
        decoded(bomb, name)


@pytest.mark.parametrize("name", ["gzip", "deflate", "br", "zstd"])
def test_the_whole_is_bounded_too(name, monkeypatch):
    monkeypatch.setattr(content_coding, "WHOLE_BYTES", 1 << 20)
    coded = CODINGS[name](bytes(range(256)) * 8000)
    found = decoder(name)
    for at in range(0, len(coded), 7):
        found.feed(coded[at : at + 7])
    assert found.full


@each_row("name", CODINGS)
@each_row("step", [7, 65_536])
def test_what_is_squeezed_hard_comes_back_whole(name: str, step: int) -> None:
    """Far more than is decoded at once, out of a few bytes."""
    body = b"hello " * 160_000
    coded = CODINGS[name](body)
    found = decoder(name)
    assert found is not None
    out = [found.feed(coded[at : at + step]) for at in range(0, len(coded), step)]
    assert b"".join(out) == body
    assert not found.full


def in_window(bits: int) -> Callable[[bytes], bytes]:
    return lambda data: brotli.compress(data, quality=3, lgwin=bits)


@pytest.mark.parametrize("bits", range(10, 25))
def test_a_brotli_window_is_known_before_it_is_filled(bits: int) -> None:
    coded = in_window(bits)(b"hello " * 50_000)
    assert content_coding._brotli_window(coded[0]) == bits
    assert decoder("br", aside=True).feed(coded) == b"hello " * 50_000
    if bits <= content_coding.BROTLI_WINDOW:
        assert decoder("br").feed(coded) == b"hello " * 50_000
    else:
        with pytest.raises(BadCoding):
            decoder("br").feed(coded)
        with pytest.raises(BadCoding):
            decoder("gzip, br").feed(coded)


BOMBS: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "gzip": ("gzip", gzip.compress),
    "deflate": ("deflate", zlib.compress),
    "raw deflate": ("deflate", raw_deflate),
    "br": ("br", in_window(22)),
    "br, small window": ("br", in_window(16)),
    "br, largest window": ("br", in_window(24)),
    "zstd": ("zstd", zstd),
    "zstd, unknown size": ("zstd", stream_zstd),
    "gzip, br": ("gzip, br", lambda data: brotli.compress(gzip.compress(data))),
    "br, gzip": ("br, gzip", lambda data: gzip.compress(in_window(22)(data))),
    "zstd, zstd": ("zstd, zstd", lambda data: zstd(zstd(data))),
}
FILLINGS = {
    "zeros": lambda size: bytes(size),
    "words": lambda size: b"hello " * (size // 6),
    "JSON": lambda size: b'{"a":1,"b":[1,2,3],"text":"lorem ipsum"},' * (size // 41),
}


@pytest.mark.parametrize(("name", "filling"), pairs(BOMBS, FILLINGS))
def test_a_bomb_costs_little_of_the_loops_time(name: str, filling: str) -> None:
    """32 MB in one piece: what is decoded before it is left alone, counted in CPU time of
    this thread, which a busy machine does not lengthen much."""
    coding, pack = BOMBS[name]
    bomb = pack(FILLINGS[filling](32 << 20))
    found = decoder(coding)
    assert found is not None
    before = time.thread_time()
    try:
        assert found.feed(bomb[:65_536]) == b""
        assert found.full
    except BadCoding:
        assert "window" in name
    assert time.thread_time() - before < 0.09  # all of it takes 0.15 to 0.4


@pytest.mark.parametrize("name", ["gzip", "deflate", "br", "zstd"])
def test_aside_one_piece_may_become_all_that_is_allowed(name: str) -> None:
    body = b"hello " * 1_000_000
    found = decoder(name, aside=True)
    assert found.feed(CODINGS[name](body)) == body
    assert not found.full
    found = decoder(name, aside=True, most=1 << 20)
    assert found.feed(CODINGS[name](body)) == b""
    assert found.full
