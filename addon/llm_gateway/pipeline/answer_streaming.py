"""Streams an answer to the client: headers set, usage metered, decompressed, translated.

What lives here: `AnswerStreaming`. When the head of an answer is on its way, it decides
through which filters the body passes; what is held whole is left to plain_answers.py.

What this file does not know: what happens when the answer is over (settlement.py).
"""

from dataclasses import dataclass

from mitmproxy import http

from llm_gateway.app.log_redaction import keys_of, mask_of
from llm_gateway.app.state import AppState
from llm_gateway.pipeline import issued, stream_endings, translated_answers
from llm_gateway.pipeline.exchange import Attempt, Exchange
from llm_gateway.pipeline.observed_limits import observe_limits
from llm_gateway.pipeline.response_headers import common_headers, passed_headers
from llm_gateway.pipeline.stream_filters import (
    array_for,
    metered,
    overheard,
    searched,
    undoing,
)
from llm_gateway.streaming.answer_meter import AnswerMeter
from llm_gateway.streaming.content_coding import BadCoding, Decoder, decoder
from llm_gateway.streaming.json_array import as_array
from llm_gateway.streaming.key_filter import KeyFilter
from llm_gateway.streaming.stream_meter import StreamMeter
from llm_gateway.transport.attempt_policy import plan_of


@dataclass(slots=True)
class AnswerStreaming:
    runtime: AppState

    def answered(self, exchange: Exchange) -> None:
        """Its head is on the way to the client: set headers, meter the stream."""
        attempt = exchange.attempt
        response = exchange.flow.response
        assert attempt is not None
        assert response is not None
        if attempt.judge is not None:
            attempt.first_byte = attempt.judge.first_byte
        observe_limits(self.runtime, exchange, attempt, response.headers)
        peek = attempt.judge.peek if attempt.judge is not None else None
        kind = response.headers.get("content-type", "").lower()
        translation = attempt.form.translation
        if translation is not None:
            attempt.translator = translation.answer(
                self.runtime.clock(), issued.item_keeper(self.runtime, exchange)
            )
        streamed = "event-stream" in kind if peek is None else peek.is_stream
        coding = response.headers.get("content-encoding", "")
        response.headers = passed_headers(
            response.headers,
            common_headers(exchange),
            attempt.upstream.type_info.support_ids,
            mask_of(exchange.catalog, attempt.fetched_key),
        )
        exchange.record.status = response.status_code
        plain = not streamed
        if plain and not response.stream and peek is not None:
            return
        try:
            undone = decoder(coding)
        except BadCoding:
            undone = None
            if attempt.judge is not None:
                attempt.judge.peek = None
            plain = True  # nobody here can read it
        if attempt.translator is not None:
            self._translates(exchange, attempt, response, undone, streamed=streamed)
            return
        if plain:
            self._streams_by(exchange, attempt, response, undone)
            return
        if "event-stream" not in kind:
            response.headers["content-type"] = "text/event-stream"
        renames = exchange.catalog.config.routing.answer_model == "requested"
        meter = self._stream_meter(
            exchange,
            attempt,
            strip_usage=attempt.strip_usage and undone is None,
            rename_model=exchange.call.ask.model if renames else None,
        )
        # Events may be taken out or put in: the length is not the provider's.
        response.headers.pop("content-length", None)
        array = exchange.array = array_for(exchange)
        if undone is None:
            response.stream = metered(meter, lambda: stream_endings.tail(exchange))
        elif renames or attempt.adapted.restore is not None or array is not None:
            # What is changed cannot stay compressed.
            response.headers.pop("content-encoding", None)
            through = metered(meter, lambda: stream_endings.tail(exchange))
            response.stream = undoing(undone, through)
        else:
            response.stream = overheard(
                undone,
                meter,
                lambda: stream_endings.tail(exchange),
                self._keys(exchange, attempt, literal=True),
            )
            attempt.mended = set()  # it reaches the client as it is compressed
            if (plan := plan_of(exchange.flow)) is not None:
                plan.truncation_tail = None  # plain words cannot follow compressed ones
        if array is not None:
            response.headers["content-type"] = "application/json"
            response.stream = as_array(array, response.stream)

    def _keys(
        self, exchange: Exchange, attempt: Attempt, *, literal: bool = False
    ) -> KeyFilter:
        search = keys_of(exchange.catalog, attempt.upstream, attempt.fetched_key)
        return KeyFilter(search, literal=literal)

    def _stream_meter(
        self,
        exchange: Exchange,
        attempt: Attempt,
        *,
        strip_usage: bool = False,
        rename_model: str | None = None,
    ) -> StreamMeter:
        meter = exchange.meter = StreamMeter(
            attempt.form.dialect,
            strip_usage=strip_usage,
            reasoning_excluded=attempt.upstream.type_info.reasoning_excluded,
            bills=attempt.upstream.type_info.bills,
            rename_model=rename_model,
            mask=mask_of(exchange.catalog, attempt.fetched_key).data,
            keys=self._keys(exchange, attempt),
            observer=issued.observer(self.runtime, exchange, attempt),
        )
        return meter

    def _translates(
        self,
        exchange: Exchange,
        attempt: Attempt,
        response: http.Response,
        undone: Decoder | None,
        *,
        streamed: bool,
    ) -> None:
        """An answer that goes by while it is translated."""
        translator = attempt.translator
        peek = attempt.judge.peek if attempt.judge is not None else None
        assert translator is not None
        translated_answers.set_form(response, streamed=exchange.call.ask.stream)
        if peek is None:
            response.stream = translated_answers.unreadable(response, translator)
            exchange.record.status = response.status_code
            return
        if streamed:
            through = translated_answers.translated(
                self._stream_meter(exchange, attempt),
                translator,
                lambda: stream_endings.cut(exchange),
            )
        else:
            peek.let_go()
            meter = exchange.meter = AnswerMeter(
                attempt.form.dialect,
                reasoning_excluded=attempt.upstream.type_info.reasoning_excluded,
                bills=attempt.upstream.type_info.bills,
                keys=self._keys(exchange, attempt),
            )
            through = translated_answers.collected(meter, translator)
        array = exchange.array = array_for(exchange)
        if array is not None:
            response.headers["content-type"] = "application/json"
            through = as_array(array, through)
        response.stream = through if undone is None else undoing(undone, through)

    def _streams_by(
        self,
        exchange: Exchange,
        attempt: Attempt,
        response: http.Response,
        undone: Decoder | None,
    ) -> None:
        """A plain answer that is larger than what is held, or that cannot be read."""
        if (plan := plan_of(exchange.flow)) is not None:
            plan.truncation_tail = (
                None  # there is no clean end to a JSON text that broke off
            )
        # What is taken out of it makes it shorter.
        response.headers.pop("content-length", None)
        keys = self._keys(exchange, attempt, literal=True)
        if attempt.judge is None or attempt.judge.peek is None:
            response.stream = searched(keys, ends=True)
            return
        attempt.judge.peek.let_go()
        meter = exchange.meter = AnswerMeter(
            attempt.form.dialect,
            reasoning_excluded=attempt.upstream.type_info.reasoning_excluded,
            bills=attempt.upstream.type_info.bills,
            keys=self._keys(exchange, attempt),
        )
        response.stream = (
            metered(meter)
            if undone is None
            else overheard(undone, meter, lambda: None, keys)
        )
