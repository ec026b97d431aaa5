"""The end of a stream: what a client is told where a stream was truncated.

What lives here: the last words of a stream, in the client's dialect, whether it died under
way or came to a clean end too early.

What this file does not know: who is to blame (stream_blame.py).
"""

from llm_gateway.dialects import DialectSpec
from llm_gateway.pipeline import translated_answers
from llm_gateway.pipeline.exchange import Exchange


def truncation_event(exchange: Exchange, message: str) -> bytes:
    """The stream died after content went out: what the client is told."""
    told = _told(exchange, message)
    array = exchange.array
    return told if array is None else array.feed(told) + array.finish()


def _told(exchange: Exchange, message: str) -> bytes:
    meter, how = exchange.meter, exchange.truncated_by or message
    translator = exchange.attempt.translator if exchange.attempt else None
    if meter is None:
        return _cut_short(exchange.dialect, how)
    if translator is not None:
        return translated_answers.broken_off(meter, translator, _ended_early(how))
    rest = meter.finish()
    if meter.ended:
        return rest
    return rest + meter.separator + _cut_short(exchange.dialect, how)


def tail(exchange: Exchange) -> bytes:
    """The stream came to a clean end: what it left unsaid is said."""
    meter = exchange.meter
    assert meter is not None
    if not cut(exchange):
        return b""
    return meter.separator + _cut_short(exchange.dialect, exchange.truncated_by)


def cut(exchange: Exchange) -> str:
    """The stream is over: what is said of an end that came too early, or nothing."""
    meter = exchange.meter
    assert meter is not None
    exchange.truncated_by = meter.end_error
    early = exchange.truncated_by == "ended early"
    return _ended_early(exchange.truncated_by) if early else ""


def _cut_short(dialect: DialectSpec, how: str) -> bytes:
    return dialect.stream_error(translated_answers.CUT, _ended_early(how))


def _ended_early(how: str) -> str:
    return f"The provider's stream ended before its end ({how})."
