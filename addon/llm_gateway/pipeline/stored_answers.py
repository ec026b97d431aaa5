"""Stored answers: fetch, cancel or delete one at the provider account that made it.

What lives here: `StoredAnswers`. `GET /v1/responses/ID`, its input items, cancel and
delete go to the account that the ledger names for the id, with that account's key; an
answer that was made in the background is settled when it is seen. Each is a row of its
own, which takes no tokens and costs nothing.

What this file does not know: how an answer was routed, what a row costs (settlement.py).
"""

import asyncio
import logging
from dataclasses import dataclass, field

from mitmproxy import http

from llm_gateway.app.log_redaction import mask_of
from llm_gateway.app.state import AppState, committed
from llm_gateway.client_identity import Identity
from llm_gateway.dialects import DialectSpec, StoredPath
from llm_gateway.domain import FailureKind, RequestRecord, Usage
from llm_gateway.ids import new_id
from llm_gateway.ledger.bound_answers import BoundAnswer
from llm_gateway.pipeline.access_log import quoted
from llm_gateway.pipeline.encoded_errors import decoded
from llm_gateway.pipeline.forwarding import rewrite_request
from llm_gateway.pipeline.response_headers import (
    error_headers,
    header_text,
    passed_headers,
)
from llm_gateway.pipeline.settlement import Settlement, metered, overheard
from llm_gateway.providers.credentials import CredentialError
from llm_gateway.providers.model_index import Ranks
from llm_gateway.providers.upstream import Upstream
from llm_gateway.providers.upstream_request import stored_answer
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
from llm_gateway.transport.local_response import (
    LocalResponse,
    readable_by,
    set_response,
)

logger = logging.getLogger("llm_gateway")

NOTHING_USED = Usage(source="reported")


class _HeadOnly:
    """A good status is an answer, whatever it says; all others are read first."""

    def head(self, status: int, headers: http.Headers) -> Classification:
        good = 200 <= status < 300
        return Classification.FORWARD if good else Classification.READ_ERROR_BODY

    def body(self, data: bytes) -> Classification:
        return Classification.FORWARD

    def end(self) -> Classification:
        return Classification.FORWARD


@dataclass(slots=True, eq=False)
class StoredRequest:
    """One request about a stored answer, while it is served."""

    flow: http.HTTPFlow
    line: StoredPath
    bound: BoundAnswer
    upstream: Upstream
    record: RequestRecord
    started: float
    """Loop time."""
    cors_origin: str = ""
    meter: StreamMeter | AnswerMeter | None = field(default=None, repr=False)
    finished: bool = False


@dataclass(slots=True)
class StoredAnswers:
    runtime: AppState
    settling: Settlement

    async def find(self, line: StoredPath, identity: Identity) -> BoundAnswer | None:
        """Whose answer it is; None: nobody's here, or another client's."""
        store = self.runtime.store
        await committed(store.flush())
        bound = await asyncio.to_thread(store.bound, line.id)
        if bound is None or bound.dialect != line.dialect.name:
            return None
        mine = identity.known.name if identity.known else None
        return bound if bound.client in (None, mine) else None

    async def ranks(
        self, dialect: DialectSpec, name: str, identity: Identity, ranks: Ranks
    ) -> Ranks | str:
        """Of those that could be asked the ones of the account that keeps the answer
        `name`, which a request goes on from: nobody else has what was said before. All
        of them where the id is not known here. A sentence: that account is gone."""
        bound = await self.find(StoredPath(dialect, name, ""), identity)
        if bound is None:
            return ranks
        place = bound.provider, bound.account
        able = tuple(
            tuple(
                offer
                for offer in rank
                if (offer.provider, offer.account) == place
                and dialect.name in offer.dialects
            )
            for rank in ranks
        )
        if any(able):
            return able
        account = f"#{bound.account}" if bound.account else ""
        return (
            f"The answer {name[:80]!r} was made by {bound.provider}{account}, which cannot "
            "be asked for this model any more. Send the conversation itself, or ask for a "
            f"model of that provider ({bound.model})."
        )

    async def begin(
        self, flow: http.HTTPFlow, line: StoredPath, identity: Identity, cors: str
    ) -> StoredRequest | None:
        """Send it to the account that made the answer. None: it was refused."""
        bound = await self.find(line, identity)
        if bound is None:
            message = (
                f"No answer with the id {line.id[:80]!r} was made through this gateway, "
                "or not for you."
            )
            self._refuse(flow, line.dialect, 404, "not_found", message)
            return None
        upstream = self.runtime.catalog.upstreams.get((bound.provider, bound.account))
        if upstream is None or line.dialect.name not in upstream.paths:
            account = f"#{bound.account}" if bound.account else ""
            message = (
                f"The answer {line.id[:80]!r} was made by {bound.provider}{account}, "
                "which is not configured any more. Send the conversation itself, in a "
                "new request, or configure that provider again."
            )
            self._refuse(flow, line.dialect, 400, "account_gone", message)
            return None
        asked = StoredRequest(
            flow,
            line,
            bound,
            upstream,
            self._row(line, bound, identity),
            asyncio.get_running_loop().time(),
            cors,
        )
        self.runtime.in_flight += 1
        if await self._send(asked):
            return asked
        self.finish(asked)
        return None

    async def _send(self, asked: StoredRequest) -> bool:
        upstream, request = asked.upstream, asked.flow.request
        credential = None
        if upstream.needs_credential:
            try:
                credential = await self.runtime.credentials.get(upstream)
            except CredentialError as e:
                asked.record.outcome, asked.record.error = "error", "credential"
                asked.record.status = 502
                message = f"{upstream.provider}: {e}"
                self._refuse(
                    asked.flow, asked.line.dialect, 502, "upstream_unreachable", message
                )
                return False
        out = stored_answer(
            upstream,
            asked.line.dialect,
            asked.line.id,
            asked.line.below,
            client_headers=request.headers.fields,
            query=request.path.partition("?")[2],
            credential=credential,
        )
        rewrite_request(request, out)
        self.runtime.origins.add((out.host, out.port))
        self._plan(asked, fresh=False)
        return True

    def _plan(self, asked: StoredRequest, *, fresh: bool) -> None:
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

    def answered(self, asked: StoredRequest) -> None:
        """Its head is on the way to the client: the answer passes, and is metered."""
        response = asked.flow.response
        assert response is not None
        asked.record.status = response.status_code
        kind = response.headers.get("content-type", "").lower()
        coding = response.headers.get("content-encoding", "")
        row = asked.upstream.type_info
        response.headers = passed_headers(
            response.headers, self._headers(asked), row.support_ids
        )
        response.stream = True
        try:
            undone = decoder(coding)
        except BadCoding:
            return
        meter: StreamMeter | AnswerMeter
        excluded, bills = row.reasoning_excluded, row.bills
        if "event-stream" in kind:
            meter = StreamMeter(
                asked.line.dialect,
                strip_usage=False,
                reasoning_excluded=excluded,
                bills=bills,
            )
        else:
            meter = AnswerMeter(
                asked.line.dialect, reasoning_excluded=excluded, bills=bills
            )
        asked.meter = meter
        response.stream = (
            metered(meter) if undone is None else overheard(undone, meter, lambda: None)
        )

    def failed(self, asked: StoredRequest, failure: Failure) -> None:
        """No answer: once more where a kept connection had closed, else an error."""
        if failure.stale and failure.replayable:
            self._plan(asked, fresh=True)
            failure.action = Action.RETRY
            return
        failure.action = Action.RESPOND
        record, dialect = asked.record, asked.line.dialect
        record.outcome = "error"
        if failure.kind is FailureKind.STATUS and failure.status is not None:
            record.status, record.error = failure.status, str(failure.status)
            headers = failure.headers
            coding = headers.get("content-encoding", "") if headers else ""
            kind = headers.get("content-type", "") if headers else ""
            found = decoded(failure.body, coding)
            body = mask_of(self.runtime.catalog).data(found or b"")
            advice = error_headers(headers, asked.upstream.type_info.support_ids)
            answer = LocalResponse(
                failure.status, body, kind or "application/json", advice
            )
        else:
            late = failure.kind in (FailureKind.CONNECT_TIMEOUT, FailureKind.FIRST_BYTE)
            record.status, record.error = 504 if late else 502, failure.kind.value
            message = f"{asked.bound.provider} could not be reached ({record.error})."
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
        asked: StoredRequest,
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
        if record.outcome == "in_flight":
            record.outcome = "ok"
            if died or stopped:
                record.outcome, record.error = "truncated", "upstream_truncated"
            elif error is not None:
                record.outcome, record.error = "cancelled", "client_disconnected"
        now = asyncio.get_running_loop().time()
        record.duration_ms = round((now - asked.started) * 1000)
        self.runtime.store.end(record)
        stored = asked.line.dialect.stored
        if asked.meter is not None and stored and asked.line.below in stored.settles:
            self.settling.settle_stored(
                asked.bound, asked.meter.usage(prompt_estimate=0)
            )
        logger.info(
            "%s %s %s -> %s (stored answer): %s, %.2f s",
            record.client,
            record.dialect,
            quoted(record.requested_model),
            quoted(asked.bound.provider),
            record.status or error,
            record.duration_ms / 1000,
        )

    def _row(
        self, line: StoredPath, bound: BoundAnswer, identity: Identity
    ) -> RequestRecord:
        now = self.runtime.clock()
        return RequestRecord(
            new_id(now),
            now,
            identity.client,
            identity.app,
            line.dialect.name,
            bound.model,
            provider=bound.provider,
            account=bound.account,
            model=bound.model,
            usage=NOTHING_USED,
            cost=0,
            config_revision=self.runtime.catalog.revision,
            known_client=identity.known.name if identity.known else None,
        )

    def _headers(self, asked: StoredRequest) -> tuple[tuple[str, str], ...]:
        return (
            ("x-gateway-request-id", asked.record.id),
            ("x-gateway-attempts", "0"),
            ("x-gateway-provider", header_text(asked.bound.provider)),
            ("x-gateway-model", header_text(asked.bound.model)),
            *(readable_by(asked.cors_origin) if asked.cors_origin else ()),
        )

    @staticmethod
    def _refuse(
        flow: http.HTTPFlow, dialect: DialectSpec, status: int, code: str, message: str
    ) -> None:
        body = dialect.error_body(status, code, message)
        set_response(flow, LocalResponse(status, body))
