"""Final errors: the client's answer when every candidate failed, or none could be asked.

What lives here: `FinalErrors`. The last word is the provider's own error, or ours: limits
with a time to come back, a dialect that nobody takes; or the app's own host comes last.

What this file does not know: what a single failure means (failures.py).
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace

from llm_gateway.app.state import AppState
from llm_gateway.dialects.error_shapes import in_shape
from llm_gateway.domain import Candidate, Decision, Verdict
from llm_gateway.limits.limiter import scopes_of
from llm_gateway.pipeline.access_log import quoted
from llm_gateway.pipeline.exchange import Exchange, passes_unserved
from llm_gateway.pipeline.response_headers import common_headers
from llm_gateway.pipeline.settlement import Settlement
from llm_gateway.pipeline.stream_filters import array_for
from llm_gateway.providers.dialect_support import nobody_takes
from llm_gateway.routing import failure_policy
from llm_gateway.routing.failure_policy import (
    FailedAttempt,
    GatewayError,
    UpstreamError,
)
from llm_gateway.routing.state import RoutingView, name_key
from llm_gateway.transport.local_response import (
    LocalResponse,
    seconds_until,
    set_response,
)

logger = logging.getLogger("llm_gateway")

JSON = "application/json"
ESTIMATED = ("x-gateway-estimated", "true")
_UNSERVED = (failure_policy.UNSUPPORTED_DIALECT, failure_policy.UNSUPPORTED_REQUEST)
"""Codes of our own words for what nobody here can take."""
AWAY_SECONDS = 5.0
"""When to ask again while the counters that gateways share are not there."""


@dataclass(slots=True)
class FinalErrors:
    runtime: AppState
    settling: Settlement

    def exhausted(self, exchange: Exchange, decision: Decision, now: float) -> None:
        """Nobody is left to be asked."""
        skipped = [c for c in decision.candidates if c.verdict is Verdict.SKIPPED]
        shown = {c.offer.key for c in skipped if c.reason != "failed for this request"}
        answer: UpstreamError | GatewayError
        refused = exchange.refused_history or exchange.refused_unfit
        if refused is not None:
            answer = UpstreamError(refused)
        else:
            answer = failure_policy.final_response(
                exchange.tried,
                [c for c in skipped if c.offer.key in shown],
                model=exchange.call.ask.model,
                now=now,
            )
        cluster = self.runtime.cluster
        if (
            cluster is not None
            and isinstance(answer, GatewayError)
            and not exchange.tried
            and (exchange.cluster_away or self._withheld(exchange, skipped, now))
        ):
            answer = GatewayError(
                503,
                "limits_unavailable",
                " ".join(cluster.standing.degraded),
                now + AWAY_SECONDS,
            )
        if (
            isinstance(answer, GatewayError)
            and answer.code == failure_policy.UNSUPPORTED_DIALECT
        ):
            having = [offer for rank in exchange.ranks for offer in rank]
            model, offers = exchange.call.ask.model, exchange.catalog.offers
            message = nobody_takes(exchange.dialect.name, model, having, offers)
            answer = replace(answer, message=message)
        if isinstance(answer, GatewayError) and self._counted(exchange):
            return
        if self._exhausted_passes(exchange, answer):
            return
        match answer:
            case UpstreamError(failed):
                self.provider_error(exchange, failed)
            case GatewayError(status, code, message, retry_at):
                headers = []
                wait = None if retry_at is None else seconds_until(retry_at, now)
                if wait is not None:
                    headers.append(("retry-after", wait))
                elif status == 429:
                    # Nothing comes back by itself: SDKs would ask again in vain.
                    headers.append(("x-should-retry", "false"))
                exchange.record.outcome = "error" if exchange.tried else "refused"
                exchange.record.error = code
                exchange.record.adapted = exchange.record.translated = ""
                if status == 429 and (said := exchange.dialect.quota_body) is not None:
                    body = said(code, message, None if wait is None else int(wait))
                else:
                    body = exchange.dialect.error_body(status, code, message)
                self._answer(
                    exchange, LocalResponse(status, body, headers=tuple(headers))
                )
                logger.info(
                    "%s %s: %s", status, quoted(exchange.call.ask.model), message
                )

    def _counted(self, exchange: Exchange) -> bool:
        """A request that counts tokens, and nobody can be asked: the gateway's own
        estimate is the answer. It takes no quota and no attempt."""
        count = exchange.dialect.count_answer
        if not exchange.subpath or count is None:
            return False
        ask = exchange.body.ask
        estimate = self.runtime.estimator.tokens_in(ask.input_estimate, name_key(ask))
        exchange.record.outcome = "ok"
        answer = LocalResponse(200, count(estimate), JSON, (ESTIMATED,))
        self._answer(exchange, answer)
        return True

    def _withheld(
        self, exchange: Exchange, skipped: Sequence[Candidate], now: float
    ) -> bool:
        """One of them is at a limit only because the gateways that share it cannot ask
        each other."""
        cluster = self.runtime.cluster
        if cluster is None or cluster.state == "up":
            return False
        client = exchange.call.known_client
        view = RoutingView(self.runtime, exchange.catalog, now, client)
        return any(
            cluster.context.limiter.withholds(
                exchange.catalog.limits_for(candidate.offer, client),
                view.need(candidate.offer, exchange.call.ask),
                scopes_of(*candidate.offer.key, client),
                now,
            )
            for candidate in skipped
            if candidate.state == "at limit"
        )

    def _exhausted_passes(
        self, exchange: Exchange, answer: UpstreamError | GatewayError
    ) -> bool:
        """`routing.exhausted: passthrough`: the app's own host and key come last; where
        nobody here can take the request at all, `routing.unknownModel` decides.

        Not when a provider's error speaks about the request: the app's own host would
        say the same, for money.
        """
        routing = exchange.catalog.config.routing
        passes = routing.exhausted == "passthrough"
        if isinstance(answer, GatewayError) and answer.code in _UNSERVED:
            exchange.unspoken = True
            # Who was expected to speak the dialect, and does not, is no reason to pay.
            passes = passes or (
                answer.code == failure_policy.UNSUPPORTED_REQUEST
                and passes_unserved(routing, exchange.call.policy)
            )
        exchange.passthrough = (
            passes
            and exchange.catalog.config.intercept.passthrough != "free"
            and exchange.original is not None
            and isinstance(answer, GatewayError)
        )
        return exchange.passthrough

    def provider_error(self, exchange: Exchange, failed: FailedAttempt) -> None:
        """The provider's own error: its status and words, in the dialect's shape; but no key
        in it."""
        record = exchange.record
        record.error = f"{failed.status} {failed.code}".strip()
        record.outcome = "error"
        record.adapted, record.translated = failed.adapted, failed.translated
        if (offer := failed.offer) is not None:
            exchange.blamed = offer
            record.provider, record.account, record.model = offer.key
        status = failed.status or 502
        body, kind = failed.body, failed.content_type
        if failed.error is not None:
            foreign = bool(failed.translated)
            body = in_shape(
                exchange.dialect, status, body, failed.error, foreign=foreign
            )
            kind = kind if body is failed.body else JSON
        answer = LocalResponse(status, body, kind, failed.advice)
        self._answer(exchange, answer)

    def _answer(self, exchange: Exchange, answer: LocalResponse) -> None:
        record = exchange.record
        record.status = answer.status
        headers = (*answer.headers, *common_headers(exchange))
        body = answer.body
        if array_for(exchange) is not None and answer.content_type.startswith(JSON):
            body = b"[" + body + b"]"
        set_response(exchange.flow, replace(answer, body=body, headers=headers))
        self.settling.close(exchange)
