"""Classifies an upstream response before the client sees any of it.

The transport asks for each chunk: buffer, forward, reject, or read an error body.
What this file does not know: routing, limits, the ledger.
"""

from collections.abc import Callable

from mitmproxy import http

from llm_gateway.dialects import DialectSpec
from llm_gateway.dialects.call_markup import CallMarkup
from llm_gateway.dialects.provider_errors import NOTHING
from llm_gateway.streaming.content_coding import BadCoding, Decoder, decoder
from llm_gateway.streaming.response_probe import ProbeState, ResponseProbe
from llm_gateway.transport.attempt_policy import Classification

HELD_DECODED_BYTES = 4 << 20
"""What a compressed plain answer may become while it is held; a larger one goes out as it
comes, and is read at its ends. It would be decoded and parsed while others wait."""


class ResponseClassifier:
    """Judges the head of one upstream's answer, before the client sees any of it."""

    def __init__(
        self,
        dialect: DialectSpec,
        streamed: bool,
        clock: Callable[[], float],
        *,
        below: bool = False,
        markup: CallMarkup | None = None,
        others: bool = False,
    ) -> None:
        """markup: tools were declared; see `CallMarkup`. others: another candidate is left."""
        self.first_byte: float | None = None
        self.status = 0
        self.peek: ResponseProbe | None = None
        self._decoder: Decoder | None = None
        self._decoded = 0
        self._dialect = dialect
        self._streamed = streamed
        self._below = below
        self._markup = markup
        self._others = others
        self._clock = clock

    def head(self, status: int, headers: http.Headers) -> Classification:
        self.status = status
        if not 200 <= status < 300:
            return Classification.READ_ERROR_BODY
        try:
            self._decoder = decoder(headers.get("content-encoding", ""))
        except BadCoding:
            # We asked for identity; what nobody here can read goes out unseen.
            self.first_byte = self._clock()
            return Classification.FORWARD
        kind = headers.get("content-type", "").lower()
        self.peek = ResponseProbe(
            self._dialect,
            self._streamed,
            announced="event-stream" in kind,
            below=self._below,
            markup=self._markup,
            others=self._others,
        )
        return Classification.BUFFER

    def body(self, data: bytes) -> Classification:
        if self.first_byte is None:
            self.first_byte = self._clock()
        assert self.peek is not None
        if self._decoder is not None:
            try:
                data = self._decoder.feed(data)
            except BadCoding:
                return self._unreadable()
            if self._decoder.full:
                self.peek = None
                return Classification.FORWARD
            self._decoded += len(data)
            if self._decoded > HELD_DECODED_BYTES:
                self.peek.let_go()
                return Classification.FORWARD
        return _JUDGEMENTS[self.peek.feed(data)]

    def end(self) -> Classification:
        if self.first_byte is None:
            self.first_byte = self._clock()
        assert self.peek is not None
        return _JUDGEMENTS[self.peek.finish()]

    def _unreadable(self) -> Classification:
        assert self.peek is not None
        self.peek.kind = "broken body"
        self.peek.error = NOTHING
        return Classification.REJECT

    @property
    def reject_reason(self) -> str:
        """Why the answer was refused, as a class: `error event`, `empty stream`."""
        return self.peek.kind if self.peek is not None else ""


_JUDGEMENTS = {
    ProbeState.HOLD: Classification.BUFFER,
    ProbeState.CONTENT: Classification.FORWARD,
    ProbeState.ERROR: Classification.REJECT,
}
