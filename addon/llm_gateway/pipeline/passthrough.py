"""Passthrough: requests that go to the app's own host with the app's own key.

What lives here: `PassthroughRequest`, one such request, and what it leaves in the ledger: a row
with outcome passthrough, its usage where it can be read, its cost where the host's
prices are known. Bytes and headers go through untouched.

What this file does not know: providers of the config, routing.
"""

import asyncio
import logging
from dataclasses import dataclass

from mitmproxy import http

from llm_gateway.accounting import prices, usage
from llm_gateway.app.background import Waiting
from llm_gateway.app.state import AppState
from llm_gateway.dialects import DEFAULT, SPECS, DialectSpec, RequestBody
from llm_gateway.dialects.billed import Bill
from llm_gateway.domain import Charge, FailureKind, RequestRecord, Usage
from llm_gateway.limits.limiter import SpentAttempt
from llm_gateway.pipeline.access_log import quoted
from llm_gateway.pipeline.settlement import metered, overheard
from llm_gateway.providers.hosts import matches
from llm_gateway.providers.registry import TYPES
from llm_gateway.streaming import generate_content
from llm_gateway.streaming.answer_meter import AnswerMeter
from llm_gateway.streaming.content_coding import (
    WHOLE_BYTES,
    BadCoding,
    Decoder,
    decoder,
)
from llm_gateway.streaming.stream_meter import StreamMeter
from llm_gateway.transport.attempt_policy import (
    Action,
    AttemptPolicy,
    Classification,
    Failure,
    set_plan,
)
from llm_gateway.transport.local_response import LocalResponse, set_response

logger = logging.getLogger("llm_gateway")

HOP_BY_HOP = ("proxy-authorization", "proxy-connection")
FOREVER = 24 * 3600.0


class PassAll:
    """Judges nothing: the answer goes out as it comes."""

    def head(self, status: int, headers: http.Headers) -> Classification:
        return Classification.FORWARD

    def body(self, data: bytes) -> Classification:
        return Classification.FORWARD

    def end(self) -> Classification:
        return Classification.FORWARD


class Copy:
    """For `response.stream`: chunks go out as they come, and a bounded copy stays."""

    def __init__(self, undone: Decoder | None) -> None:
        self._undone = undone
        self._pieces: list[bytes] = []
        self._size = 0

    def through(self, chunk: bytes) -> bytes:
        if self._size <= WHOLE_BYTES:
            try:
                piece = chunk if self._undone is None else self._undone.feed(chunk)
            except BadCoding:
                piece, self._size = b"", WHOLE_BYTES + 1
            self._pieces.append(piece)
            self._size += len(piece)
        return chunk

    def whole(self) -> bytes:
        """All of it; nothing when it could not be read, or was too large."""
        cut = self._size > WHOLE_BYTES or (self._undone and self._undone.full)
        return b"" if cut else b"".join(self._pieces)


@dataclass(slots=True, eq=False)
class PassthroughRequest:
    flow: http.HTTPFlow
    record: RequestRecord
    started: float
    dialect: DialectSpec | None = None
    """None: not one of the requests that are routed (files, audio, images …)."""
    body: RequestBody | None = None
    native: str | None = None
    """The model that a path of Gemini's own API names; None: it is another path."""
    fetched: str | None = None
    """The id of an answer made in the background, which this one fetches."""
    meter: StreamMeter | AnswerMeter | None = None
    copy: Copy | None = None
    first_byte: float | None = None
    finished: bool = False


@dataclass(slots=True)
class Passthrough:
    runtime: AppState

    def begin(self, passage: PassthroughRequest) -> None:
        """Let the flow go on to its own host."""
        self.runtime.in_flight += 1
        for name in HOP_BY_HOP:
            passage.flow.request.headers.pop(name, None)
        self._plan(passage, fresh=False)

    def again(self, passage: PassthroughRequest) -> None:
        """A kept connection had been closed: once more, on a new one."""
        self._plan(passage, fresh=True)

    def _plan(self, passage: PassthroughRequest, *, fresh: bool) -> None:
        routing = self.runtime.catalog.config.routing
        loop = asyncio.get_running_loop()
        request = passage.flow.request
        ways = self.runtime.catalog.ways
        set_plan(
            passage.flow,
            AttemptPolicy(
                classifier=PassAll(),
                proxy=ways.choose(request.scheme, request.host, request.port),
                connect_timeout=routing.connect_timeout_seconds,
                first_byte_timeout=routing.deadline_seconds,
                idle_timeout=FOREVER,
                deadline=loop.time() + FOREVER,
                truncation_tail=None,
                fresh=fresh,
            ),
        )

    def answered(self, passage: PassthroughRequest) -> None:
        response = passage.flow.response
        assert response is not None
        passage.first_byte = asyncio.get_running_loop().time()
        passage.record.status = response.status_code
        response.stream = True
        seen = passage.dialect or passage.native or passage.fetched
        if seen is None:
            return
        streamed = "event-stream" in response.headers.get("content-type", "")
        try:
            undone = decoder(response.headers.get("content-encoding", ""))
        except BadCoding:
            return
        if passage.dialect is None:
            passage.copy = copy = Copy(undone)
            response.stream = copy.through
            return
        bills = _bills(passage.record.host)
        meter: StreamMeter | AnswerMeter
        if streamed:
            meter = StreamMeter(passage.dialect, strip_usage=False, bills=bills)
        else:
            meter = AnswerMeter(passage.dialect, bills=bills)
        passage.meter = meter
        response.stream = (
            metered(meter) if undone is None else overheard(undone, meter, lambda: None)
        )

    def failed(self, passage: PassthroughRequest, failure: Failure) -> None:
        """The app's own host cannot be reached: an error in its dialect, not a page."""
        late = failure.kind in (FailureKind.CONNECT_TIMEOUT, FailureKind.FIRST_BYTE)
        status = 504 if late else 502
        passage.record.status = status
        passage.record.error = failure.kind.value
        dialect = passage.dialect or native(passage.record.host)
        why = failure.kind.value
        if failure.kind is FailureKind.PROXY:
            why = failure.message
        message = f"{passage.record.host} could not be reached ({why})."
        set_response(
            passage.flow,
            LocalResponse(
                status, dialect.error_body(status, "upstream_unreachable", message)
            ),
        )
        failure.action = Action.RESPOND

    def finish(
        self,
        passage: PassthroughRequest,
        *,
        error: str | None = None,
        died: str = "",
        stopped: bool = False,
    ) -> None:
        if passage.finished:
            return
        passage.finished = True
        runtime = self.runtime
        runtime.in_flight -= 1
        record = passage.record
        record.outcome = "passthrough"
        if stopped:
            record.error = record.error or "gateway_stopped"
        elif error is not None:
            who = "upstream_truncated" if died else "client_disconnected"
            record.error = record.error or who
        now = asyncio.get_running_loop().time()
        record.duration_ms = round((now - passage.started) * 1000)
        if passage.first_byte is not None:
            record.ttft_ms = round((passage.first_byte - passage.started) * 1000)
        self._account(passage)
        runtime.store.end(record)
        logger.info(
            "%s %s %s -> %s (its own key): %s, %.2f s",
            record.client,
            record.dialect,
            quoted(record.requested_model or _path(passage.flow)),
            quoted(record.host),
            record.status or error,
            record.duration_ms / 1000,
        )

    def _account(self, passage: PassthroughRequest) -> None:
        """Usage where it was reported; cost where the host's prices are known."""
        record = passage.record
        found = self._usage(passage)
        if found is None or (record.status or 500) >= 400:
            return
        if passage.fetched is not None:
            settled = self.runtime.background.settle(passage.fetched, found)
            if settled is not None:
                self.runtime.store.end(settled)
            return
        self._charge(record, found)
        if found.source == "unknown" and isinstance(passage.meter, AnswerMeter):
            dialect = passage.meter.dialect
            waiting = Waiting(
                record, dialect, lambda usage: self._charge(record, usage)
            )
            self.runtime.background.remember(passage.meter.whole(), waiting)

    def _charge(self, record: RequestRecord, found: Usage) -> None:
        """Usage and cost onto the row, and into the budget."""
        record.usage = found
        # Once written it stays: sums are kept by it.
        record.model = record.model or found.model or record.requested_model
        if found.source == "unknown":
            return
        vendor = _genai(record.host)
        now = self.runtime.clock()
        asked = record.requested_model
        price = prices.find_price(vendor, asked, now)
        charged = prices.charge(found, price, vendor=vendor, model=asked, now=now)
        if charged.amount is None:
            return
        record.cost, record.price_source = charged.amount, charged.source
        budget = self.runtime.catalog.budget
        if budget:
            need = Charge(cost=charged.amount)
            spent = SpentAttempt(record.at, "", "", "", record.known_client, need)
            self.runtime.limiter.count(spent, budget, now)

    def _usage(self, passage: PassthroughRequest) -> Usage | None:
        estimate = passage.body.ask.input_estimate if passage.body else 0
        if passage.meter is not None:
            return passage.meter.usage(prompt_estimate=estimate)
        body = passage.copy.whole() if passage.copy is not None else b""
        if not body:
            return None
        if passage.native is not None:
            return generate_content.read_answer(body)
        name = passage.fetched
        dialect = self.runtime.background.dialect_of(name) if name else None
        if dialect is None:
            return None
        return usage.read_answer(
            dialect,
            body,
            bills=_bills(passage.record.host),
            prompt_estimate=estimate,
        )


def _path(flow: http.HTTPFlow) -> str:
    """Without its query, where some hosts have a key."""
    return flow.request.path.partition("?")[0][:80]


def _genai(host: str) -> str | None:
    """Whose prices hold at a host, in genai-prices' terms."""
    return next(
        (r.genai for r in TYPES.values() if r.genai and matches(host, r.hosts)), None
    )


def _bills(host: str) -> tuple[Bill, ...]:
    """Where answers of a host say what they cost."""
    return next((r.bills for r in TYPES.values() if matches(host, r.hosts)), ())


def native(host: str) -> DialectSpec:
    """The dialect that apps of this host speak first, and expect errors in."""
    rows = (row for row in TYPES.values() if matches(host, row.hosts))
    return next((SPECS[name] for row in rows for name in row.paths), DEFAULT)
