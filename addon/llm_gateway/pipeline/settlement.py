"""Settles a request: usage, cost, reservation, ledger row. Runs once, however it ended.

What lives here: `Settlement`. An answer is metered on its way out; when it is over, the
reservation becomes real use, whoever ends it: the upstream, the client or a cut. `close`
runs exactly once per exchange.

What this file does not know: who is asked, and what comes after a failure.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from mitmproxy import http

from llm_gateway.accounting import prices, usage
from llm_gateway.app.log_redaction import mask_of
from llm_gateway.app.state import AppState
from llm_gateway.dialects import DialectSpec, ProviderError, renamed_answer
from llm_gateway.domain import (
    NANO,
    AttemptRecord,
    Charge,
    Offer,
    RequestRecord,
    Usage,
)
from llm_gateway.ledger.bound_answers import BoundAnswer
from llm_gateway.limits.headers import read_headers
from llm_gateway.limits.limiter import scopes_of
from llm_gateway.pipeline import issued, translated_answers
from llm_gateway.pipeline.access_log import log_line
from llm_gateway.pipeline.adapting import decision_with
from llm_gateway.pipeline.exchange import Attempt, Exchange
from llm_gateway.pipeline.response_headers import common_headers, passed_headers
from llm_gateway.routing.state import name_key
from llm_gateway.streaming.answer_meter import AnswerMeter
from llm_gateway.streaming.content_coding import BadCoding, Decoder, decoded, decoder
from llm_gateway.streaming.json_array import JsonArray, as_array
from llm_gateway.streaming.stream_meter import StreamMeter
from llm_gateway.translation.translator import AnswerTranslator
from llm_gateway.transport.attempt_policy import plan_of


@dataclass(slots=True)
class Settlement:
    runtime: AppState
    _settled: deque[str] = field(default_factory=lambda: deque(maxlen=1024))
    """Rows that were completed by a stored answer: two who fetch it settle it once."""

    def answered(self, exchange: Exchange) -> None:
        """Its head is on the way to the client: set headers, meter the stream."""
        attempt = exchange.attempt
        response = exchange.flow.response
        assert attempt is not None
        assert response is not None
        if attempt.judge is not None:
            attempt.first_byte = attempt.judge.first_byte
        self.observe_limits(exchange, attempt, response.headers)
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
            response.stream = metered(meter, lambda: self._tail(exchange))
        elif renames or attempt.adapted.restore is not None or array is not None:
            # What is changed cannot stay compressed.
            response.headers.pop("content-encoding", None)
            through = metered(meter, lambda: self._tail(exchange))
            response.stream = undoing(undone, through)
        else:
            response.stream = overheard(undone, meter, lambda: self._tail(exchange))
            attempt.mended = set()  # it reaches the client as it is compressed
            if (plan := plan_of(exchange.flow)) is not None:
                plan.truncation_tail = None  # plain words cannot follow compressed ones
        if array is not None:
            response.headers["content-type"] = "application/json"
            response.stream = as_array(array, response.stream)

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
                lambda: self._cut(exchange),
            )
        else:
            peek.let_go()
            meter = exchange.meter = AnswerMeter(
                attempt.form.dialect,
                reasoning_excluded=attempt.upstream.type_info.reasoning_excluded,
                bills=attempt.upstream.type_info.bills,
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
        if attempt.judge is None or attempt.judge.peek is None:
            response.stream = True
            return
        attempt.judge.peek.let_go()
        meter = exchange.meter = AnswerMeter(
            attempt.form.dialect,
            reasoning_excluded=attempt.upstream.type_info.reasoning_excluded,
            bills=attempt.upstream.type_info.bills,
        )
        response.stream = (
            metered(meter) if undone is None else overheard(undone, meter, lambda: None)
        )

    def truncation_event(self, exchange: Exchange, message: str) -> bytes:
        """The stream died after content went out: what the client is told."""
        told = self._told(exchange, message)
        array = exchange.array
        return told if array is None else array.feed(told) + array.finish()

    def _told(self, exchange: Exchange, message: str) -> bytes:
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

    def _tail(self, exchange: Exchange) -> bytes:
        """The stream came to a clean end: what it left unsaid is said."""
        meter = exchange.meter
        assert meter is not None
        if not self._cut(exchange):
            return b""
        return meter.separator + _cut_short(exchange.dialect, exchange.truncated_by)

    def _cut(self, exchange: Exchange) -> str:
        """The stream is over: what is said of an end that came too early, or nothing."""
        meter = exchange.meter
        assert meter is not None
        exchange.truncated_by = meter.end_error
        early = exchange.truncated_by == "ended early"
        return _ended_early(exchange.truncated_by) if early else ""

    def observe_limits(
        self, exchange: Exchange, attempt: Attempt, headers: http.Headers | None
    ) -> None:
        """What the provider says about its limits, good answer or bad."""
        row = attempt.upstream.type_info
        if row.limit_headers == "none":
            return
        now = self.runtime.clock()
        words = read_headers(row.limit_headers, lowercase_headers(headers), now)
        if words:
            offer = attempt.candidate.offer
            self.runtime.limiter.observe(
                offer.limits,
                words,
                scopes=scopes_of(*offer.key, exchange.call.known_client),
                now=now,
            )

    def finish(
        self,
        exchange: Exchange,
        *,
        error: str | None = None,
        died: str = "",
        stopped: bool = False,
    ) -> None:
        """The answer is over, good or bad. Runs once, from whichever hook is first.

        `died` says how the upstream broke off, `stopped` that the gateway ends; without
        them an error is the client's. To a stream whose last word has come none of it
        matters: the client has its whole answer.
        """
        if exchange.finished or exchange.attempt is None:
            self.close(exchange)
            return
        attempt = exchange.attempt
        runtime = self.runtime
        now = runtime.clock()
        outcome = "ok"
        died = died or exchange.truncated_by
        if exchange.meter is not None and exchange.meter.ended:
            died, stopped, error = "", False, None
            exchange.truncated_by = ""
        if died:
            outcome, exchange.truncated_by = "truncated", died
        elif stopped or error is not None:
            outcome = "truncated" if stopped else "cancelled"
            record, reason = exchange.record, "client went away"
            record.error = "client_disconnected"
            if stopped:
                record.error, reason = "gateway_stopped", "gateway stopped"
            attempt.record.reason = reason
            plan = plan_of(exchange.flow)
            if plan is None or not plan.sent:
                self.cancel_unsent(exchange, attempt, now)
                return
        found = self._usage(exchange, attempt, outcome)
        offer = attempt.candidate.offer
        record = exchange.record
        self._account(exchange, attempt, found)
        real = Charge(1, found.total, record.cost or 0)
        if found.source == "unknown":
            real = attempt.reservation.need
        runtime.limiter.settle(attempt.reservation, real, now)
        attempt.record.tokens, attempt.record.cost = real.tokens, real.cost
        attempt.record.status = record.status
        if outcome == "ok":
            self._good(exchange, attempt, found, now)
        elif died:
            attempt.record.reason = f"cut: {died}"
            record.error = "upstream_truncated"
            until = runtime.health.record_failure(
                offer.key, now, "stream cut", asker=exchange.call.client
            )
            if until is not None:
                message = f"failing (stream cut), tried again in {until - now:.0f} s"
                runtime.event("circuit", offer.label, message, until=until)
        else:
            runtime.health.release_probe(offer.key)
        record.outcome = outcome
        response = exchange.flow.response
        if response and not response.stream and outcome == "ok":
            self._plain(exchange, attempt)
        elif isinstance(exchange.meter, AnswerMeter) and outcome == "ok":
            issued.read_whole(self.runtime, exchange, attempt, exchange.meter.whole())
            attempt.mended = set()  # it has reached the client as it came
        translator = attempt.translator
        if translator is not None and translator.failed_with and outcome == "ok":
            # The provider's answer is whole; what became of it for the client is not.
            record.outcome, record.error = "error", "translation_failed"
        if attempt.mended and exchange.decision is not None:
            exchange.decision = decision_with(exchange.decision, attempt)
            runtime.store.decision(record, exchange.decision)
        self._attempt_over(exchange, outcome)
        self.close(exchange, attempt.record)
        peek = attempt.judge.peek if attempt.judge is not None else None
        name = peek.stored_id if peek is not None else None
        if name is not None and attempt.form.translation is None:
            zero_cost = attempt.candidate.zero_cost
            runtime.store.bind(record, name, zero_cost=zero_cost)

    def cancel_unsent(self, exchange: Exchange, attempt: Attempt, now: float) -> None:
        """It was over before the request was on the way: nobody counts it."""
        runtime = self.runtime
        runtime.limiter.release(attempt.reservation, now)
        attempt.record.tokens = attempt.record.cost = 0
        attempt.record.counted = False
        attempt.record.reason += " before it was sent"
        runtime.health.release_probe(attempt.candidate.offer.key)
        exchange.record.outcome = "cancelled"
        self._attempt_over(exchange, "cancelled")
        self.close(exchange, attempt.record)

    def _good(
        self, exchange: Exchange, attempt: Attempt, found: Usage, now: float
    ) -> None:
        runtime = self.runtime
        offer = attempt.candidate.offer
        ask, dialect = exchange.call.ask, attempt.form.dialect.name
        if attempt.adapted.changes:
            place = offer.provider, offer.model, dialect
            if runtime.quirks.used(place, attempt.adapted):
                runtime.quirks_dirty = True
        if runtime.health.record_success(
            offer.key, now, asker=exchange.call.client, dialect=dialect
        ):
            runtime.event("circuit", offer.label, "works again")
        if found.source == "reported":
            for key in (offer.key, name_key(ask)):
                runtime.estimator.learn(key, ask.input_estimate, found.prompt)
                runtime.estimator.learn_output(key, found.completion)
        share = found.cached_tokens / found.prompt if found.prompt else 0.0
        runtime.affinity.remember(ask.conversation, offer.key, now, share)

    def _usage(self, exchange: Exchange, attempt: Attempt, outcome: str) -> Usage:
        runtime = self.runtime
        offer = attempt.candidate.offer
        if exchange.subpath:
            return Usage(source="reported")
        estimate = runtime.estimator.tokens_in(
            exchange.call.ask.input_estimate, offer.key
        )
        if exchange.meter is not None:
            return exchange.meter.usage(prompt_estimate=estimate)
        response = exchange.flow.response
        if response is None or response.raw_content is None:
            source = "estimated" if outcome == "cancelled" else "unknown"
            return Usage(input_tokens=estimate, source=source)
        row = attempt.upstream.type_info
        peek = attempt.judge.peek if attempt.judge is not None else None
        if peek is not None and peek.answer is not None:
            return usage.usage_of(
                attempt.form.dialect,
                peek.answer,
                reasoning_excluded=row.reasoning_excluded,
                bills=row.bills,
                prompt_estimate=estimate,
            )
        try:
            body = decoded(
                response.raw_content, response.headers.get("content-encoding", "")
            )
        except BadCoding:
            return Usage()
        return usage.read_answer(
            attempt.form.dialect,
            body,
            reasoning_excluded=row.reasoning_excluded,
            bills=row.bills,
            prompt_estimate=estimate,
        )

    def _account(self, exchange: Exchange, attempt: Attempt, found: Usage) -> None:
        """Tokens, cost and saving of the answer, onto the record."""
        record = exchange.record
        candidate = attempt.candidate
        record.provider, record.account, record.model = candidate.offer.key
        self._price(record, candidate.offer, candidate.zero_cost, found)

    def _price(
        self, record: RequestRecord, offer: Offer, zero_cost: bool, found: Usage
    ) -> None:
        """`zero_cost`: as it was asked for, without any paid extra."""
        record.usage = found
        if found.source == "unknown":
            return
        now = self.runtime.clock()
        if zero_cost:
            record.cost = 0
            record.price_source = (
                "free" if offer.free else "flat-rate" if offer.flat_rate else "config"
            )
            if found.bill:
                record.cost, record.price_source = found.bill, "provider"
                self._billed_though_free(offer, found.bill)
        else:
            # A free offer that was asked for a paid extra has no price of its own.
            price = None if offer.zero_cost else offer.price
            vendor = None if offer.zero_cost else offer.genai
            charged = prices.charge(
                found, price, vendor=vendor, model=offer.model, now=now
            )
            record.cost, record.price_source = charged.amount, charged.source
        if record.cost is not None and offer.list_price is not None:
            listed = prices.charge(
                replace(found, bill=None) if found.bill is not None else found,
                offer.list_price,
                vendor=offer.genai,
                model=offer.model,
                now=now,
            )
            if listed.amount is not None:
                record.saved = max(0, listed.amount - record.cost)

    def settle_stored(self, bound: BoundAnswer, found: Usage) -> None:
        """An answer that was made in the background is there: its row is completed, and
        what was reserved for it becomes what it came to."""
        record, runtime = bound.unsettled, self.runtime
        if record is None or found.source != "reported" or record.id in self._settled:
            return
        self._settled.append(record.id)
        catalog = runtime.catalog
        offer = next((o for o in catalog.offers if o.key == bound.key), None)
        if offer is None:
            record.usage = found
            record.cost = found.bill
        else:
            self._price(record, offer, bound.zero_cost, found)
        runtime.store.end(record)
        if offer is not None:
            reserved = Charge(0, record.reserved_tokens, record.reserved_cost)
            cost = record.reserved_cost if record.cost is None else record.cost
            client = record.known_client
            runtime.limiter.correct(
                catalog.limits_for(offer, client),
                reserved,
                Charge(0, found.total, cost),
                record.at + (record.duration_ms or 0) / 1000,
                runtime.clock(),
                scopes=scopes_of(*offer.key, client),
            )
        runtime.state_dirty = True

    def _billed_though_free(self, offer: Offer, bill: int) -> None:
        """It counts as free and was charged for: nobody is sent there any more."""
        dollars = f"${bill / NANO:.6f}"
        message = f"billed though free ({dollars}), not asked again for 24 h"
        self.runtime.take_out_as_billed(offer, message, cost_nano=bill)

    def refused_as_billed(self, attempt: Attempt, error: ProviderError) -> None:
        """A refusal that names quotas of a paid tier: the key of a free offer is billed."""
        offer, free_quota = (
            attempt.candidate.offer,
            attempt.upstream.type_info.free_quota,
        )
        quotas = [violation.quota for violation in error.violations]
        if not (free_quota and offer.free and quotas):
            return
        if any(free_quota in quota for quota in quotas):
            return
        message = "this key is billed though free (the quota is none of a free tier)"
        self.runtime.take_out_as_billed(offer, message, account=True)

    def _plain(self, exchange: Exchange, attempt: Attempt) -> None:
        """What is known only once a plain answer is whole: its calls, its cost, its
        model's name."""
        response = exchange.flow.response
        assert response is not None
        issued.mend(self.runtime, exchange, attempt, response)
        if attempt.translator is not None:
            self._translate(exchange, attempt.translator, response)
        elif exchange.catalog.config.routing.answer_model == "requested":
            self._rename(exchange, response)
        cost = exchange.record.cost
        if cost is not None:
            said = (b"x-gateway-cost", b"%.9f" % (cost / 1e9))
            response.headers.fields = (*response.headers.fields, said)

    def _translate(
        self,
        exchange: Exchange,
        translator: AnswerTranslator,
        response: http.Response,
    ) -> None:
        """A plain answer that is held, in the client's dialect; a stream of it where the
        client asked for one."""
        coding = response.headers.get("content-encoding", "")
        try:
            body = decoded(response.raw_content or b"", coding)
        except BadCoding:
            body = b""
        translated_answers.set_form(response, streamed=exchange.call.ask.stream)
        made = translator.plain(body)
        if (array := array_for(exchange)) is not None:
            response.headers["content-type"] = "application/json"
            made = array.feed(made) + array.finish()
        response.content = made
        if translator.failed_with is not None:
            response.status_code = exchange.record.status = 502

    def _rename(self, exchange: Exchange, response: http.Response) -> None:
        """The model as the client named it; what was compressed is so no more."""
        coding = response.headers.get("content-encoding", "")
        try:
            body = decoded(response.raw_content or b"", coding)
        except BadCoding:
            return
        response.headers.pop("content-encoding", None)
        asked = exchange.call.ask.model
        response.content = renamed_answer(exchange.dialect, body, asked)

    def end_attempt(self, exchange: Exchange, outcome: str) -> None:
        """An attempt is over, the request is not."""
        record = self._attempt_over(exchange, outcome)
        if exchange.recorded:
            self.runtime.store.end_attempt(record)

    def _attempt_over(self, exchange: Exchange, outcome: str) -> AttemptRecord:
        attempt = exchange.attempt
        assert attempt is not None
        ended = asyncio.get_running_loop().time()
        record = attempt.record
        record.outcome = outcome
        record.duration_ms = round((ended - attempt.started) * 1000)
        if attempt.first_byte is not None:
            record.ttft_ms = round((attempt.first_byte - attempt.started) * 1000)
        return record

    def abort(self, exchange: Exchange) -> None:
        """A bug of ours ended it. What was reserved stays counted: it may have left."""
        record = exchange.record
        record.outcome, record.error, record.status = "error", "internal_error", 500
        attempt = exchange.attempt
        if attempt is not None and attempt.record.outcome == "in_flight":
            attempt.record.reason = "internal error"
            need = attempt.reservation.need
            self.runtime.limiter.settle(attempt.reservation, need, self.runtime.clock())
            self.end_attempt(exchange, "failed")
        self.close(exchange)

    def convert_to_passthrough(self, exchange: Exchange) -> None:
        """The request goes on as a passage, which completes its row."""
        exchange.finished = True
        exchange.attempt = None
        self.runtime.in_flight -= 1
        record = exchange.record
        record.error, record.adapted, record.translated = None, "", ""

    def close(self, exchange: Exchange, last: AttemptRecord | None = None) -> None:
        """Complete the row, and that of the last attempt if it ended with it.

        The end of every routed request, whatever became of it.
        """
        if exchange.finished:
            return
        exchange.finished = True
        runtime = self.runtime
        runtime.in_flight -= 1
        runtime.state_dirty = True
        record = exchange.record
        ended = asyncio.get_running_loop().time()
        record.duration_ms = round((ended - exchange.started) * 1000)
        attempt = exchange.attempt
        if attempt is not None and attempt.first_byte is not None:
            record.ttft_ms = round((attempt.first_byte - exchange.started) * 1000)
        if record.outcome == "in_flight":
            record.outcome = "cancelled"
        if exchange.recorded:
            runtime.store.end(record, last)
        else:
            exchange.recorded = True
            runtime.store.begin(record, None, exchange.decision)
        log_line(exchange)


def _cut_short(dialect: DialectSpec, how: str) -> bytes:
    return dialect.stream_error(translated_answers.CUT, _ended_early(how))


def _ended_early(how: str) -> str:
    return f"The provider's stream ended before its end ({how})."


def array_for(exchange: Exchange) -> JsonArray | None:
    """Its client takes a stream as a JSON array; None: as events."""
    events = exchange.dialect.array_unless
    if (
        not events
        or not exchange.call.ask.stream
        or events in exchange.query.split("&")
    ):
        return None
    return JsonArray()


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


def overheard(
    undone: Decoder, meter: StreamMeter | AnswerMeter, ended: Callable[[], object]
) -> Callable[[bytes], tuple[bytes, ...]]:
    """For `response.stream`: each chunk as it came; a copy is decoded for the meter.

    Chunks wait while the meter holds an error event, and where it found a key in one the
    stream ends: what is compressed cannot be changed.
    """
    readable = True
    waiting: list[bytes] = []

    def through(chunk: bytes) -> tuple[bytes, ...]:
        nonlocal readable
        if not chunk:
            meter.finish()
            ended()
            return () if meter.masked else tuple(waiting)
        if readable:
            try:
                meter.feed(undone.feed(chunk))
            except BadCoding:
                readable = False
            if undone.full or not readable:
                readable = False
                meter.blind()
        if meter.masked:
            return ()
        waiting.append(chunk)
        if meter.holds:
            return ()
        out = tuple(waiting)
        waiting.clear()
        return out

    return through


def lowercase_headers(headers: http.Headers | None) -> dict[str, str]:
    """Lower-case names and text values, as the parsers take them."""
    if headers is None:
        return {}
    return {
        name.decode("ascii", "replace").lower(): value.decode("utf-8", "replace")
        for name, value in headers.fields
    }
