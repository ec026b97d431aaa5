"""Answers that come compressed: every coding, however it is cut, and never too much."""

import gzip
import zlib

import brotli
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

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
    bomb = CODINGS[name](b"\0" * (16 << 20))
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


@pytest.mark.parametrize("name", CODINGS)
@pytest.mark.parametrize("step", [7, 65_536])
def test_what_is_squeezed_hard_comes_back_whole(name: str, step: int) -> None:
    """Far more than is decoded at once, out of a few bytes."""
    body = b"hello " * 160_000
    coded = CODINGS[name](body)
    found = decoder(name)
    assert found is not None
    out = [found.feed(coded[at : at + step]) for at in range(0, len(coded), step)]
    assert b"".join(out) == body
    assert not found.full
