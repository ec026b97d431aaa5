"""Requests that only one provider account can answer: they are not routed, but go there.

What lives here: `AccountRequests`, which sends one with that account's key, lets the answer
pass, and writes its row. An answer that was kept for later is metered on its way; of
something new the id is read and remembered, so that later requests find the account.

What this file does not know: which account it is (stored_answers.py, kept_resources.py),
what a row costs (stored_settlement.py).
"""

import asyncio
import json
import logging
from collections.abc import Callable
from dataclasses import dataclass, field

from mitmproxy import http

from llm_gateway.app.log_redaction import keys_of, mask_of
from llm_gateway.app.state import AppState
from llm_gateway.client_identity import Identity
from llm_gateway.dialects import DialectSpec, Resource
from llm_gateway.dialects.resources import made_ids
from llm_gateway.domain import FailureKind, RequestRecord, Usage
from llm_gateway.ids import new_id
from llm_gateway.ledger.bound_answers import BoundAnswer
from llm_gateway.pipeline.access_log import quoted
from llm_gateway.pipeline.encoded_errors import decoded
from llm_gateway.pipeline.flow_rewriting import rewrite_request
from llm_gateway.pipeline.response_headers import (
    error_headers,
    header_text,
    passed_headers,
)
from llm_gateway.pipeline.stored_settlement import StoredSettlement
from llm_gateway.pipeline.stream_filters import metered, overheard, searched
from llm_gateway.providers.credentials import CredentialError
from llm_gateway.providers.outbound_request import Outbound
from llm_gateway.providers.upstream import Credential, Upstream
from llm_gateway.streaming.answer_meter import AnswerMeter
from llm_gateway.streaming.content_coding import BadCoding, decoder
from llm_gateway.streaming.key_filter import KeyFilter
from llm_gateway.streaming.stream_meter import StreamMeter
from llm_gateway.transport.attempt_policy import (
    Action,
    AttemptPolicy,
    Classification,
    Failure,
    set_plan,
)
from llm_gateway.transport.local_response import (
    LocalResponse,
    readable_by,
    set_response,
)

logger = logging.getLogger("llm_gateway")

NOTHING_USED = Usage(source="reported")
MADE_BYTES = 256 << 10
"""Of an answer about something new, which holds its id."""


class _HeadOnly:
    """A good status is an answer, whatever it says; all others are read first."""

    def head(self, status: int, headers: http.Headers) -> Classification:
        good = 200 <= status < 300
        return Classification.FORWARD if good else Classification.READ_ERROR_BODY

    def body(self, data: bytes) -> Classification:
        return Classification.FORWARD

    def end(self) -> Classification:
        return Classification.FORWARD


class MadeIds:
    """Reads the ids of something new off a plain answer that goes by."""

    def __init__(self, resource: Resource) -> None:
        self._resource = resource
        self._pieces: list[bytes] = []
        self._size = 0

    def through(self, chunk: bytes) -> tuple[bytes, ...]:
        """For `response.stream`."""
        self._size += len(chunk)
        if self._size <= MADE_BYTES:
            self._pieces.append(chunk)
        return (chunk,) if chunk else ()

    def found(self) -> tuple[str, ...]:
        if self._size > MADE_BYTES:
            return ()
        try:
            answer = json.loads(b"".join(self._pieces))
        except (ValueError, RecursionError):
            return ()
        return made_ids(answer, self._resource)


@dataclass(slots=True, eq=False)
class AccountRequest:
    """One, while it is served."""

    flow: http.HTTPFlow
    dialect: DialectSpec
    upstream: Upstream
    record: RequestRecord
    started: float
    """Loop time."""
    out: Callable[[Credential | None], Outbound]
    """The request that leaves, with a credential that was fetched for it."""
    what: str
    """For the log: `stored answer`, `file`."""
    bound: BoundAnswer | None = None
    """The stored answer that it is about, if what comes may settle that one's row."""
    made: MadeIds | None = None
    """It makes something; its answer says under which id that is kept."""
    cors_origin: str = ""
    fetched_key: str = field(default="", repr=False)
    """A key that stands in no configuration and was sent."""
    meter: StreamMeter | AnswerMeter | None = field(default=None, repr=False)
    finished: bool = False


@dataclass(slots=True)
class AccountRequests:
    runtime: AppState
    settling: StoredSettlement

    async def begin(self, asked: AccountRequest) -> bool:
        """Send it. False: there is no credential, and the client has been told."""
        self.runtime.in_flight += 1
        if await self._send(asked):
            return True
        self.finish(asked)
        return False

    async def _send(self, asked: AccountRequest) -> bool:
        upstream = asked.upstream
        credential = None
        if upstream.needs_credential:
            try:
                credential = await self.runtime.credentials.get(upstream)
            except CredentialError as e:
                asked.record.outcome, asked.record.error = "error", "credential"
                asked.record.status = 502
                message = f"{upstream.provider}: {e}"
                refuse(asked.flow, asked.dialect, 502, "upstream_unreachable", message)
                return False
            asked.fetched_key = credential.token.get_secret_value()
        out = asked.out(credential)
        rewrite_request(asked.flow.request, out)
        self.runtime.origins.add((out.host, out.port))
        self._plan(asked, fresh=False)
        return True

    def _plan(self, asked: AccountRequest, *, fresh: bool) -> None:
        origin, limits = asked.upstream.origin, self.runtime.catalog.config.routing
        loop = asyncio.get_running_loop()
        set_plan(
            asked.flow,
            AttemptPolicy(
                classifier=_HeadOnly(),
                connect_timeout=limits.connect_timeout_seconds,
                first_byte_timeout=limits.first_byte_timeout_seconds,
                idle_timeout=limits.idle_timeout_seconds,
                deadline=loop.time() + limits.deadline_seconds,
                pooled=True,
                proxy=asked.upstream.proxy_for(origin.scheme, origin.host, origin.port),
                fresh=fresh,
            ),
        )

    def answered(self, asked: AccountRequest) -> None:
        """Its head is on the way to the client: the answer passes, and is metered."""
        response = asked.flow.response
        assert response is not None
        asked.record.status = response.status_code
        kind = response.headers.get("content-type", "").lower()
        coding = response.headers.get("content-encoding", "")
        row = asked.upstream.type_info
        response.headers = passed_headers(
            response.headers,
            self._headers(asked),
            row.support_ids,
            mask_of(self.runtime.catalog, asked.fetched_key),
        )
        search = keys_of(self.runtime.catalog, asked.upstream, asked.fetched_key)
        raw = KeyFilter(search, literal=True)
        passes = searched(raw, ends=bool(coding))
        response.stream = passes
        if asked.flow.request.method != "HEAD":
            # What is taken out of it makes it shorter.
            response.headers.pop("content-length", None)
        if (made := asked.made) is not None and not coding:

            def read(chunk: bytes) -> tuple[bytes, ...]:
                made.through(chunk)
                return passes(chunk)

            response.stream = read
        if asked.bound is None:
            return
        try:
            undone = decoder(coding)
        except BadCoding:
            return
        meter: StreamMeter | AnswerMeter
        excluded, bills = row.reasoning_excluded, row.bills
        if "event-stream" in kind:
            meter = StreamMeter(
                asked.dialect,
                strip_usage=False,
                reasoning_excluded=excluded,
                bills=bills,
                mask=mask_of(self.runtime.catalog, asked.fetched_key).data,
                keys=KeyFilter(search),
            )
        else:
            meter = AnswerMeter(
                asked.dialect,
                reasoning_excluded=excluded,
                bills=bills,
                keys=KeyFilter(search),
            )
        asked.meter = meter
        response.stream = (
            metered(meter)
            if undone is None
            else overheard(undone, meter, lambda: None, raw)
        )

    def failed(self, asked: AccountRequest, failure: Failure) -> None:
        """No answer: once more where a kept connection had closed, else an error."""
        if failure.stale and failure.replayable:
            self._plan(asked, fresh=True)
            failure.action = Action.RETRY
            return
        failure.action = Action.RESPOND
        record, dialect = asked.record, asked.dialect
        record.outcome = "error"
        if failure.kind is FailureKind.STATUS and failure.status is not None:
            record.status, record.error = failure.status, str(failure.status)
            mask = mask_of(self.runtime.catalog, asked.fetched_key)
            headers = failure.headers
            if headers is not None:
                headers = http.Headers(mask.fields([*headers.fields]))
            coding = headers.get("content-encoding", "") if headers else ""
            kind = headers.get("content-type", "") if headers else ""
            found = decoded(failure.body, coding)
            body = mask.data(found or b"")
            advice = error_headers(headers, asked.upstream.type_info.support_ids)
            answer = LocalResponse(
                failure.status, body, kind or "application/json", advice
            )
        else:
            late = failure.kind in (FailureKind.CONNECT_TIMEOUT, FailureKind.FIRST_BYTE)
            record.status, record.error = 504 if late else 502, failure.kind.value
            message = (
                f"{asked.upstream.provider} could not be reached ({record.error})."
            )
            body = dialect.error_body(record.status, "upstream_unreachable", message)
            answer = LocalResponse(record.status, body)
        headers_of_ours = (*answer.headers, *self._headers(asked))
        set_response(
            asked.flow,
            LocalResponse(
                answer.status, answer.body, answer.content_type, headers_of_ours
            ),
        )

    def finish(
        self,
        asked: AccountRequest,
        *,
        error: str | None = None,
        died: str = "",
        stopped: bool = False,
    ) -> None:
        """It is over, good or bad. Runs once."""
        if asked.finished:
            return
        asked.finished = True
        self.runtime.in_flight -= 1
        record = asked.record
        if asked.meter is not None and asked.meter.ended:
            died, stopped, error = "", False, None  # the client has its last word
        if record.outcome == "in_flight":
            record.outcome = "ok"
            if died or stopped:
                record.outcome, record.error = "truncated", "upstream_truncated"
            elif error is not None:
                record.outcome, record.error = "cancelled", "client_disconnected"
        now = asyncio.get_running_loop().time()
        record.duration_ms = round((now - asked.started) * 1000)
        self.runtime.store.end(record)
        if asked.meter is not None and asked.bound is not None:
            self.settling.settle(asked.bound, asked.meter.usage(prompt_estimate=0))
        if asked.made is not None and record.outcome == "ok":
            for name in asked.made.found():
                self.runtime.store.bind(record, name, zero_cost=record.cost == 0)
        logger.info(
            "%s %s %s -> %s (%s): %s, %.2f s",
            record.client,
            record.dialect,
            quoted(record.requested_model),
            quoted(asked.upstream.provider),
            asked.what,
            record.status or error,
            record.duration_ms / 1000,
        )

    def row(
        self,
        dialect: DialectSpec,
        model: str,
        place: tuple[str, str],
        identity: Identity,
        *,
        cost: int | None = 0,
    ) -> RequestRecord:
        """The row of a request that takes no tokens. `place`: provider and account."""
        now = self.runtime.clock()
        return RequestRecord(
            new_id(now),
            now,
            identity.client,
            identity.app,
            dialect.name,
            model,
            provider=place[0],
            account=place[1],
            model=model,
            usage=NOTHING_USED,
            cost=cost,
            config_revision=self.runtime.catalog.revision,
            known_client=identity.known.name if identity.known else None,
        )

    def _headers(self, asked: AccountRequest) -> tuple[tuple[str, str], ...]:
        model = asked.record.model or ""
        return (
            ("x-gateway-request-id", asked.record.id),
            ("x-gateway-attempts", "0"),
            ("x-gateway-provider", header_text(asked.upstream.provider)),
            *((("x-gateway-model", header_text(model)),) if model else ()),
            *(readable_by(asked.cors_origin) if asked.cors_origin else ()),
        )


def refuse(
    flow: http.HTTPFlow, dialect: DialectSpec, status: int, code: str, message: str
) -> None:
    set_response(flow, LocalResponse(status, dialect.error_body(status, code, message)))


def account_name(bound: BoundAnswer) -> str:
    """`two#1`: as people know it."""
    return bound.provider + (f"#{bound.account}" if bound.account else "")
