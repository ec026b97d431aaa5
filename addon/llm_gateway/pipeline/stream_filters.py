"""Filters for `response.stream`: meter, decompress or overhear the chunks of an answer.

What lives here: functions that make mitmproxy's per-chunk callables: each takes a chunk as
it comes, b"" once at the end, and returns what goes on to the client.

What this file does not know: who answers, what an answer costs.
"""

from collections.abc import Callable

from llm_gateway.pipeline.exchange import Exchange
from llm_gateway.streaming.answer_meter import AnswerMeter
from llm_gateway.streaming.content_coding import BadCoding, Decoder
from llm_gateway.streaming.json_array import JsonArray
from llm_gateway.streaming.key_filter import KeyFilter
from llm_gateway.streaming.stream_meter import StreamMeter


def array_for(exchange: Exchange) -> JsonArray | None:
    """Its client takes a stream as a JSON array; None: as events."""
    dialect, streamed = exchange.dialect, exchange.call.ask.stream
    return JsonArray() if dialect.takes_array(exchange.query, streamed) else None


def metered(
    meter: StreamMeter | AnswerMeter, tail: Callable[[], bytes] = bytes
) -> Callable[[bytes], tuple[bytes, ...]]:
    """For `response.stream`: each chunk as it comes, and b"" once at the end, after
    which `tail` may add something.

    Nothing is sent where nothing is left: an empty chunk would end a chunked answer.
    """

    def through(chunk: bytes) -> tuple[bytes, ...]:
        out = meter.feed(chunk) if chunk else meter.finish() + tail()
        return (out,) if out else ()

    return through


def undoing(
    undone: Decoder, then: Callable[[bytes], tuple[bytes, ...]]
) -> Callable[[bytes], tuple[bytes, ...]]:
    """For `response.stream`: the chunks as they were before they were compressed. What
    cannot be undone, or becomes too large, ends there, as if the provider had broken off."""
    readable = True

    def through(chunk: bytes) -> tuple[bytes, ...]:
        nonlocal readable
        if not chunk:
            return then(chunk)
        if not readable:
            return ()
        try:
            plain = undone.feed(chunk)
        except BadCoding:
            readable, plain = False, b""
        return then(plain) if plain else ()

    return through


def searched(
    keys: KeyFilter, *, ends: bool = False
) -> Callable[[bytes], tuple[bytes, ...]]:
    """For `response.stream`: bytes that nobody reads, without the key. `ends`: they are
    compressed, and end before it."""

    def through(chunk: bytes) -> tuple[bytes, ...]:
        over = ends and keys.found
        out = keys.feed(chunk) if chunk else keys.finish()
        return (out,) if out and not over and not (ends and keys.found) else ()

    return through


def overheard(
    undone: Decoder,
    meter: StreamMeter | AnswerMeter,
    ended: Callable[[], object],
    raw: KeyFilter | None = None,
) -> Callable[[bytes], tuple[bytes, ...]]:
    """For `response.stream`: each chunk as it came; a copy is decoded for the meter.

    Chunks wait while the meter holds an error event, and where it found a key in one the
    stream ends: what is compressed cannot be changed. raw: finds one in what is sent as it
    is behind a coding's name, and in what cannot be read.
    """
    readable = True
    waiting: list[bytes] = []

    def through(chunk: bytes) -> tuple[bytes, ...]:
        nonlocal readable
        if not chunk:
            meter.finish()
            ended()
            hidden = meter.masked or (
                raw is not None and bool(raw.finish()) and raw.found
            )
            return () if hidden else tuple(waiting)
        if raw is not None:
            raw.feed(chunk)
        if readable:
            try:
                meter.feed(undone.feed(chunk))
            except BadCoding:
                readable = False
            if undone.full or not readable:
                readable = False
                meter.blind()
        if meter.masked or (raw is not None and raw.found):
            return ()
        waiting.append(chunk)
        if meter.holds or (raw is not None and raw.holds):
            return ()
        out = tuple(waiting)
        waiting.clear()
        return out

    return through
