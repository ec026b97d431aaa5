"""Passthrough: requests that go to the app's own host with the app's own key.

What lives here: `PassthroughRequest`, one such request, and what it leaves in the ledger: a row
with outcome passthrough, its usage where it can be read, its cost where the host's
prices are known. Bytes and headers go through untouched.

What this file does not know: providers of the config, routing.
"""

import asyncio
import json
import logging
from collections import deque
from dataclasses import dataclass, field
from typing import NamedTuple

from mitmproxy import http

from llm_gateway.accounting import prices
from llm_gateway.accounting.failed_attempts import FailedSpend, add_to_record
from llm_gateway.app.state import AppState
from llm_gateway.dialects import DEFAULT, SPECS, DialectSpec, RequestBody, StoredPath
from llm_gateway.dialects.billed import Bill
from llm_gateway.domain import Charge, FailureKind, RequestRecord, Usage
from llm_gateway.ledger.bound_answers import BoundAnswer
from llm_gateway.limits.limiter import SpentAttempt
from llm_gateway.pipeline.access_log import quoted
from llm_gateway.pipeline.account_requests import MadeIds
from llm_gateway.pipeline.read_aside import ReadAside
from llm_gateway.pipeline.stream_filters import metered
from llm_gateway.providers.hosts import matches
from llm_gateway.providers.registry import TYPES
from llm_gateway.streaming.answer_meter import AnswerMeter
from llm_gateway.streaming.content_coding import BadCoding, decoder
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
GONE = (
    "A part of the request's body had left already, and nobody keeps a body that only "
    "passes: send the request again yourself."
)


class PassAll:
    """Judges nothing: the answer goes out as it comes."""

    def head(self, status: int, headers: http.Headers) -> Classification:
        return Classification.FORWARD

    def body(self, data: bytes) -> Classification:
        return Classification.FORWARD

    def end(self) -> Classification:
        return Classification.FORWARD


class AwaitedAnswer(NamedTuple):
    """An answer that was made in the background; until it is fetched its usage is unknown."""

    record: RequestRecord
    """The row of who asked for it."""
    dialect: DialectSpec


def awaited(line: StoredPath, bound: BoundAnswer, host: str) -> AwaitedAnswer | None:
    """The answer that a request line at `host` fetches, if its usage is still to come."""
    record, stored = bound.unsettled, line.dialect.stored
    if record is None or not bound.is_own_key or record.host != host:
        return None
    whole = stored is not None and line.below in stored.settles
    return AwaitedAnswer(record, line.dialect) if whole else None


def kept_id(dialect: DialectSpec, body: bytes) -> str | None:
    """The id of an answer that its provider keeps. None: it is no such answer."""
    if dialect.stored is None or not body:
        return None
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return dialect.stored.read_id(answer) if isinstance(answer, dict) else None


@dataclass(slots=True, eq=False)
class PassthroughRequest:
    flow: http.HTTPFlow
    record: RequestRecord
    started: float
    dialect: DialectSpec | None = None
    """None: not one of the requests that are routed (files, audio, images …)."""
    body: RequestBody | None = None
    fetched: AwaitedAnswer | None = None
    """An answer made in the background, which this one fetches."""
    made: MadeIds | None = None
    """It makes something that the app's account keeps."""
    spent: list[FailedSpend] = field(default_factory=list)
    """Of attempts that failed before it."""
    meter: StreamMeter | AnswerMeter | None = None
    aside: ReadAside | None = None
    """It is compressed: read on a thread, and over a moment after its last byte."""
    first_byte: float | None = None
    finished: bool = False


@dataclass(slots=True)
class Passthrough:
    runtime: AppState
    _settled: deque[str] = field(default_factory=lambda: deque(maxlen=1024))
    """Rows that a fetched answer completed: two who fetch it settle it once."""

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
        fetched = passage.fetched
        dialect = passage.dialect or (fetched.dialect if fetched else None)
        if dialect is None:
            if passage.made is not None and (
                200 <= response.status_code < 300
                and not response.headers.get("content-encoding")
            ):
                response.stream = passage.made.through
            return
        streamed = "event-stream" in response.headers.get("content-type", "")
        try:
            coding = response.headers.get("content-encoding", "")
            undone = decoder(coding, aside=True)
        except BadCoding:
            return
        reader: StreamMeter | AnswerMeter
        bills = _bills(passage.record.host)
        if streamed:
            reader = StreamMeter(dialect, strip_usage=False, bills=bills)
        else:
            reader = AnswerMeter(dialect, bills=bills)
        passage.meter = reader
        if undone is not None:
            passage.aside = ReadAside(undone, reader)
            response.stream = passage.aside.through
        else:
            response.stream = metered(reader)

    def failed(self, passage: PassthroughRequest, failure: Failure) -> None:
        """The app's own host cannot be reached: an error in its dialect, not a page."""
        late = failure.kind in (FailureKind.CONNECT_TIMEOUT, FailureKind.FIRST_BYTE)
        status = 504 if late else 502
        passage.record.status = status
        passage.record.error = failure.kind.value
        dialect = passage.dialect or native(passage.record.host)
        why = failure.kind.value
        if failure.kind in (FailureKind.PROXY, FailureKind.OFFLINE):
            why = failure.message
        message = f"{passage.record.host} could not be reached ({why})."
        if not failure.replayable:
            message += f" {GONE}"
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
        record = passage.record
        record.outcome = "passthrough"
        early = ""
        if stopped:
            early = "gateway_stopped"
        elif error is not None:
            early = "upstream_truncated" if died else "client_disconnected"
        now = asyncio.get_running_loop().time()
        record.duration_ms = round((now - passage.started) * 1000)
        if passage.first_byte is not None:
            record.ttft_ms = round((passage.first_byte - passage.started) * 1000)
        if passage.aside is None:
            self._close(passage, early)
        else:
            passage.aside.end(lambda: self._close(passage, early), at_once=stopped)

    def _close(self, passage: PassthroughRequest, early: str) -> None:
        """All of it was read: onto the books. `early`: who left before its end. To a
        stream whose last word has come that does not matter: the app has its whole answer.
        """
        record, runtime = passage.record, self.runtime
        if early and not (passage.meter is not None and passage.meter.ended):
            record.error = record.error or early
        runtime.in_flight -= 1
        pending = self._account(passage)
        add_to_record(record, passage.spent, answered=True)
        runtime.store.end(record)
        names = passage.made.found() if passage.made is not None else ()
        for name in (*names, *(() if pending is None else (pending,))):
            runtime.store.bind(record, name, zero_cost=False)
        logger.info(
            "%s %s %s -> %s (its own key): %s, %.2f s",
            record.client,
            record.dialect,
            quoted(record.requested_model or _path(passage.flow)),
            quoted(record.host),
            record.status or record.error,
            (record.duration_ms or 0) / 1000,
        )

    def _account(self, passage: PassthroughRequest) -> str | None:
        """Usage where it was reported; cost where the host's prices are known. Gives the
        id of an answer that is still to come."""
        record, fetched = passage.record, passage.fetched
        found = self._usage(passage)
        if found is None:
            return None
        if (record.status or 500) >= 400:
            # An error is billed where it says so, and for nothing else.
            if found.bill or (found.source == "reported" and found.total):
                self._charge(record, found)
            return None
        if fetched is not None:
            self._settle(fetched.record, found)
            return None
        self._charge(record, found)
        if isinstance(passage.meter, AnswerMeter):
            return kept_id(passage.meter.dialect, passage.meter.whole())
        return None

    def _settle(self, record: RequestRecord, found: Usage) -> None:
        """The answer of an earlier request is there: its row is completed, once."""
        if found.source == "reported" and record.id not in self._settled:
            self._settled.append(record.id)
            self._charge(record, found)
            self.runtime.store.end(record)

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
        meter = passage.meter
        return None if meter is None else meter.usage(prompt_estimate=estimate)


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
    for row in TYPES.values():
        if matches(host, row.hosts) and row.paths:
            return SPECS[row.native or next(iter(row.paths))]
    return DEFAULT
