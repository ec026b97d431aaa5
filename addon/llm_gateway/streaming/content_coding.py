"""Content-Encoding of answers: gzip, deflate, br and zstd, undone piece by piece, bounded.

What lives here: `decoder`, which reads the header, and the `Decoder` it gives. Bytes go
to the client as they came; what is decoded here is a copy, for whoever reads usage or
judges. A copy is bounded: in what one piece may become, and as a whole, so that a bomb
costs a few milliseconds and megabytes, and is then not looked at any more.

What this file does not know: what the bytes mean.
"""

import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

PIECE_BYTES = 1 << 20
"""What one piece may become while others wait: 16 times the most that comes at once. About
4 ms of the event loop's time; brotli fills its window first, of at most BROTLI_WINDOW."""
STEP_BYTES = 128 << 10
"""What is decoded before that is looked at again, where a decoder knows a bound."""
WHOLE_BYTES = 64 << 20
"""What all pieces together may become."""
BROTLI_WINDOW = 22
"""Bits of the largest window (4 MB, what servers use) that is filled while others wait: it
takes about 20 ms. One of 24 bits, the most that there is, takes 180."""
_ZSTD_WINDOW = 8 << 20
"""What browsers allow, too."""
_SLICES = {"br": 16, "zstd": 128}
"""Bytes that are handed to a decoder at once, where it knows no bound of its own."""


class BadCoding(ValueError):
    """The bytes are not what the header says that they are."""


Step = Callable[[bytes], Iterator[bytes]]


@dataclass(frozen=True)
class Coding:
    """One that is being undone."""

    step: Step
    is_over: Callable[[], bool]
    """Its last byte has come."""


class Decoder:
    """One body. Feed it in pieces."""

    def __init__(self, codings: list[Coding], most: int, piece: int) -> None:
        self._codings = codings
        """From the outermost to the innermost."""
        self._most = most
        self._piece = piece
        self._size = 0
        self.full = False
        """It became too large: nothing is decoded any more."""

    def feed(self, data: bytes) -> bytes:
        """What these bytes add. Raises BadCoding; b"" once it is `full`."""
        if self.full:
            return b""
        pieces = [data]
        try:
            for coding in self._codings:
                pieces = self._bounded(coding.step, pieces)
        except _Full:
            self.full = True
            return b""
        except Exception as error:  # each library has its own
            raise BadCoding(type(error).__name__) from None
        out = b"".join(pieces)
        self._size += len(out)
        return out

    @property
    def is_over(self) -> bool:
        """The body is whole."""
        return all(coding.is_over() for coding in self._codings)

    def _bounded(self, step: Step, pieces: list[bytes]) -> list[bytes]:
        found = []
        size = 0
        for piece in pieces:
            for out in step(piece):
                size += len(out)
                if size > self._piece or self._size + size > self._most:
                    raise _Full
                found.append(out)
        return found


class _Full(Exception):
    pass


def decoder(
    content_encoding: str, *, most: int | None = None, aside: bool = False
) -> Decoder | None:
    """For the value of a Content-Encoding header; None: nothing has to be undone.

    most: bytes that the body may become, WHOLE_BYTES unless told. aside: nobody waits
    while it decodes, so that one piece may become as much as all of them, with any
    window. Raises BadCoding for a coding that is not known.
    """
    if not content_encoding:
        return None
    names = [n for part in content_encoding.split(",") if (n := part.strip().lower())]
    names = [name for name in names if name != "identity"]
    if not names:
        return None
    if len(names) > 4 or any(name not in _CODINGS for name in names):
        raise BadCoding(content_encoding[:40])
    codings = [
        _brotli(24) if name == "br" and aside else _CODINGS[name]()
        for name in reversed(names)
    ]
    most = WHOLE_BYTES if most is None else most
    return Decoder(codings, most, most if aside else PIECE_BYTES)


def decoded(body: bytes, content_encoding: str) -> bytes:
    """A whole body. Raises BadCoding, also when it becomes too large."""
    found = decoder(content_encoding)
    if found is None:
        return body
    pieces = []
    for at in range(0, len(body), 65_536):
        pieces.append(found.feed(body[at : at + 65_536]))
    if found.full:
        raise BadCoding("too large")
    return b"".join(pieces)


def _gzip() -> Coding:
    return _zlib(31)


def _deflate() -> Coding:
    """With zlib's wrapping, as it should be, or bare, as some send it."""
    inner: list[Coding] = []

    def step(data: bytes) -> Iterator[bytes]:
        if not inner and data:
            wrapped = data[0] & 0x0F == 8 and data[0] >> 4 <= 7
            inner.append(_zlib(15 if wrapped else -15))
        if inner:
            yield from inner[0].step(data)

    return Coding(step, lambda: bool(inner) and inner[0].is_over())


def _zlib(wbits: int) -> Coding:
    state = [zlib.decompressobj(wbits)]

    def step(data: bytes) -> Iterator[bytes]:
        while data:
            inflater = state[0]
            if inflater.eof:
                if wbits != 31:
                    return
                state[0] = inflater = zlib.decompressobj(wbits)  # a further member
            yield inflater.decompress(data, STEP_BYTES)
            data = inflater.unconsumed_tail or inflater.unused_data

    return Coding(step, lambda: state[0].eof)


def _brotli(window: int = BROTLI_WINDOW) -> Coding:
    """`window`: bits of the largest one that is decoded."""
    import brotli

    inflater: Any = brotli.Decompressor()
    begun: list[bool] = []

    def checked(data: bytes) -> bytes:
        if data and not begun:
            begun.append(True)
            if _brotli_window(data[0]) > window:
                raise BadCoding("window")
        return data

    if hasattr(inflater, "can_accept_more_data"):

        def bounded(data: bytes) -> Iterator[bytes]:
            # It takes more input while it still holds output: only nothing is the end.
            out = inflater.process(checked(data), output_buffer_limit=STEP_BYTES)
            while out or not inflater.can_accept_more_data():
                yield out
                out = inflater.process(b"", output_buffer_limit=STEP_BYTES)

        return Coding(bounded, inflater.is_finished)
    return Coding(
        _sliced(lambda data: inflater.process(checked(data)), _SLICES["br"]),
        inflater.is_finished,
    )


def _brotli_window(first: int) -> int:
    """Bits of the window, as a stream's first byte says them (RFC 7932, 9.1)."""
    if not first & 1:
        return 16
    large, small = first >> 1 & 7, first >> 4 & 7
    return 17 + large if large else 8 + small if small else 17


def _zstd() -> Coding:
    import zstandard

    inflater = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW)
    state = [inflater.decompressobj()]

    def process(data: bytes) -> bytes:
        out = state[0].decompress(data)
        while (rest := state[0].unused_data) and state[0].eof:  # a further frame
            state[0] = inflater.decompressobj()
            out += state[0].decompress(rest)
        return out

    return Coding(_sliced(process, _SLICES["zstd"]), lambda: state[0].eof)


def _sliced(process: Callable[[bytes], bytes], size: int) -> Step:
    def step(data: bytes) -> Iterator[bytes]:
        for at in range(0, len(data), size):
            yield process(data[at : at + size])

    return step


_CODINGS: dict[str, Callable[[], Coding]] = {
    "gzip": _gzip,
    "x-gzip": _gzip,
    "deflate": _deflate,
    "br": _brotli,
    "zstd": _zstd,
}
