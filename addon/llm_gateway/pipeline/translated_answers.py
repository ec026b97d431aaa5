"""Answers in the client's dialect: what comes of an upstream's stream, or plain answer, behind its meter.

What lives here: the chain for `response.stream` of a translated answer, and its end, however
the upstream ended. Everything before it (judging, metering, mending, masking of keys) sees
the upstream's own bytes.

What this file does not know: limits, the ledger, any dialect.
"""

from collections.abc import Callable

from mitmproxy import http

from llm_gateway.streaming.answer_meter import AnswerMeter
from llm_gateway.streaming.stream_meter import StreamMeter
from llm_gateway.translation.translator import AnswerTranslator

MOST_PLAIN = 64 << 20
"""Bytes of a plain answer that are held to be translated."""
CUT = "upstream_truncated"

Chain = Callable[[bytes], tuple[bytes, ...]]


def set_form(response: http.Response, *, streamed: bool) -> None:
    """Its head says what the client gets: another length, and no coding."""
    for name in ("content-length", "content-encoding"):
        response.headers.pop(name, None)
    kind = "text/event-stream" if streamed else "application/json"
    response.headers["content-type"] = kind


def translated(
    meter: StreamMeter, translator: AnswerTranslator, cut: Callable[[], str]
) -> Chain:
    """Chunks of the upstream's stream; b"" once at its end. `cut`: asked then, what the
    client is told of an end that came too early, "" where it did not."""

    def through(chunk: bytes) -> tuple[bytes, ...]:
        if chunk:
            out = translator.feed(meter.feed(chunk))
        else:
            out = translator.feed(meter.finish())
            said = cut()
            out += translator.failed(said, CUT) if said else translator.end()
        return (out,) if out else ()

    return through


def collected(meter: AnswerMeter, translator: AnswerTranslator) -> Chain:
    """Chunks of a plain answer too large to be held by the transport: translated whole."""
    held = bytearray()

    def through(chunk: bytes) -> tuple[bytes, ...]:
        nonlocal held
        if chunk:
            plain = meter.feed(chunk)
            if len(held) <= MOST_PLAIN:
                held += plain
            return ()
        held += meter.finish()
        if len(held) > MOST_PLAIN:
            out = translator.failed("The provider's answer is too large.")
        else:
            out = translator.plain(bytes(held))
        held = bytearray()
        return (out,) if out else ()

    return through


def broken_off(
    meter: StreamMeter | AnswerMeter, translator: AnswerTranslator, how: str
) -> bytes:
    """The upstream died after content went out: the end that the client gets."""
    out = translator.feed(meter.finish())
    return out + (translator.end() if meter.ended else translator.failed(how, CUT))


def unreadable(response: http.Response, translator: AnswerTranslator) -> Chain:
    """An answer in a coding that nobody asked for and that cannot be read."""
    response.status_code = 502
    message = "The provider's answer came in a content-encoding that cannot be read."

    def through(chunk: bytes) -> tuple[bytes, ...]:
        out = b"" if chunk else translator.failed(message)
        return (out,) if out else ()

    return through
