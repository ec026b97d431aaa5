"""Requests that pass to the host the app named, with the app's own key.

What lives here: `Passage`, one such request, and what it leaves in the ledger: a row
with outcome passthrough, its usage where it can be read, its cost where the host's
prices are known. Bytes and headers go through untouched.

What this file does not know: providers of the config, routing.
"""

import asyncio
import logging
from dataclasses import dataclass

from mitmproxy import http

from llm_gateway import prices, usage
from llm_gateway.answer_meter import AnswerMeter
from llm_gateway.dialects import DEFAULT, SPECS, DialectSpec, RequestBody
from llm_gateway.edge.answers import Answer, put
from llm_gateway.edge.http_layer import (
    Action,
    Failure,
    FailureKind,
    Judgement,
    Plan,
    set_plan,
)
from llm_gateway.edge.log import quoted
from llm_gateway.edge.runtime import Runtime
from llm_gateway.edge.settling import metered
from llm_gateway.exchange import Need, RequestRecord, Usage
from llm_gateway.limits.engine import Spent
from llm_gateway.meter import StreamMeter
from llm_gateway.providers.hosts import matches
from llm_gateway.providers.table import TYPES

logger = logging.getLogger("llm_gateway")

HOP_BY_HOP = ("proxy-authorization", "proxy-connection")
FOREVER = 24 * 3600.0


class LetThrough:
    """Judges nothing: the answer goes out as it comes."""

    def head(self, status: int, headers: http.Headers) -> Judgement:
        return Judgement.PASS

    def body(self, data: bytes) -> Judgement:
        return Judgement.PASS

    def end(self) -> Judgement:
        return Judgement.PASS


@dataclass(slots=True, eq=False)
class Passage:
    flow: http.HTTPFlow
    record: RequestRecord
    started: float
    dialect: DialectSpec | None = None
    """None: not one of the requests that are routed (files, audio, images …)."""
    body: RequestBody | None = None
    meter: StreamMeter | AnswerMeter | None = None
    first_byte: float | None = None
    finished: bool = False


@dataclass(slots=True)
class Passing:
    runtime: Runtime

    def begin(self, passage: Passage) -> None:
        """Let the flow go on to its own host."""
        self.runtime.in_flight += 1
        for name in HOP_BY_HOP:
            passage.flow.request.headers.pop(name, None)
        routing = self.runtime.catalog.config.routing
        loop = asyncio.get_running_loop()
        set_plan(
            passage.flow,
            Plan(
                inspector=LetThrough(),
                connect_timeout=routing.connect_timeout_seconds,
                first_byte_timeout=routing.deadline_seconds,
                idle_timeout=FOREVER,
                deadline=loop.time() + FOREVER,
                cut=None,
            ),
        )

    def answered(self, passage: Passage) -> None:
        response = passage.flow.response
        assert response is not None
        passage.first_byte = asyncio.get_running_loop().time()
        passage.record.status = response.status_code
        streamed = "event-stream" in response.headers.get("content-type", "")
        plain = response.headers.get("content-encoding", "identity") == "identity"
        if passage.dialect is None or not plain:
            response.stream = True
            return
        if streamed:
            passage.meter = StreamMeter(passage.dialect, strip_usage=False)
        else:
            passage.meter = AnswerMeter(passage.dialect)
        response.stream = metered(passage.meter)

    def failed(self, passage: Passage, failure: Failure) -> None:
        """The app's own host cannot be reached: an error in its dialect, not a page."""
        late = failure.kind in (FailureKind.CONNECT_TIMEOUT, FailureKind.FIRST_BYTE)
        status = 504 if late else 502
        passage.record.status = status
        passage.record.error = failure.kind.value
        dialect = passage.dialect or _native(passage.record.host)
        message = f"{passage.record.host} could not be reached ({failure.kind.value})."
        put(
            passage.flow,
            Answer(status, dialect.error_body(status, "upstream_unreachable", message)),
        )
        failure.action = Action.RESPOND

    def finish(
        self,
        passage: Passage,
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

    def _account(self, passage: Passage) -> None:
        """Usage where it was reported; cost where the host's prices are known."""
        record = passage.record
        found = self._usage(passage)
        if found is None or (record.status or 500) >= 400:
            return
        record.usage = found
        record.model = found.model or record.requested_model
        if found.source == "unknown":
            return
        genai = _genai(record.host)
        now = self.runtime.clock()
        price = (
            prices.known_price(genai, record.requested_model, now) if genai else None
        )
        if price is None:
            return
        record.cost = prices.cost(found, price)
        record.price_source = price.source
        budget = self.runtime.catalog.budget
        if budget:
            need = Need(cost=record.cost)
            spent = Spent(record.at, "", "", "", record.known_client, need)
            self.runtime.limiter.replay([spent], budget, now)

    def _usage(self, passage: Passage) -> Usage | None:
        if passage.dialect is None:
            return None
        estimate = passage.body.ask.input_estimate if passage.body else 0
        if passage.meter is not None:
            return passage.meter.usage(prompt_estimate=estimate)
        response = passage.flow.response
        if response is None or not response.raw_content:
            return None
        if response.headers.get("content-encoding", "identity") != "identity":
            return None
        return usage.read_answer(
            passage.dialect, response.raw_content, prompt_estimate=estimate
        )


def _path(flow: http.HTTPFlow) -> str:
    """Without its query, where some hosts have a key."""
    return flow.request.path.partition("?")[0][:80]


def _genai(host: str) -> str | None:
    """Whose prices hold at a host, in genai-prices' terms."""
    return next(
        (r.genai for r in TYPES.values() if r.genai and matches(host, r.hosts)), None
    )


def _native(host: str) -> DialectSpec:
    """The dialect that apps of this host speak first, and expect errors in."""
    rows = (row for row in TYPES.values() if matches(host, row.hosts))
    return next((SPECS[name] for row in rows for name in row.paths), DEFAULT)
