"""Handles a failed attempt: update limits and health, choose the next candidate or answer.

What lives here: `FailureHandler`. The core judges a failure; here its verdict is carried out:
reservation settled or released, cooldowns and strikes remembered, quirks learned, and in
the end the client answered.

What this file does not know: how the next attempt is made.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace

from mitmproxy import http

from llm_gateway.app.log_redaction import mask_of
from llm_gateway.app.state import AppState
from llm_gateway.dialects import read_error
from llm_gateway.dialects.error_shapes import in_shape
from llm_gateway.dialects.error_topics import topic_of
from llm_gateway.domain import (
    Candidate,
    Charge,
    Decision,
    FailureKind,
    Offer,
    Reset,
    Verdict,
    Window,
)
from llm_gateway.limits.durations import retry_after
from llm_gateway.limits.limiter import scopes_of
from llm_gateway.limits.provider_refusals import read_refusal
from llm_gateway.limits.reset_times import reset_in
from llm_gateway.pipeline.access_log import quoted
from llm_gateway.pipeline.encoded_errors import decoded
from llm_gateway.pipeline.exchange import Attempt, Exchange, passes_unserved
from llm_gateway.pipeline.refusals import Refusals, same_maker
from llm_gateway.pipeline.response_headers import common_headers, error_headers
from llm_gateway.pipeline.settlement import Settlement, lowercase_headers
from llm_gateway.pipeline.translating import other_ways
from llm_gateway.providers.dialect_support import nobody_takes
from llm_gateway.routing import failure_policy
from llm_gateway.routing.failure_policy import (
    FailedAttempt,
    GatewayError,
    NextStep,
    Penalty,
    UpstreamError,
)
from llm_gateway.routing.health import DISABLED_FOR, MODEL_GONE_FOR, NOT_SPOKEN
from llm_gateway.routing.state import RoutingView, name_key
from llm_gateway.transport.attempt_policy import Failure
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
_OF_DIALECT = (Penalty.DISABLE_DIALECT, Penalty.DISABLE_ENDPOINT)
AWAY_SECONDS = 5.0
"""When to ask again while the counters that gateways share are not there."""
_OF_PATHS = (Penalty.DISABLE_DIALECT, Penalty.DISABLE_MODEL, Penalty.DISABLE_ENDPOINT)


@dataclass(slots=True)
class FailureHandler:
    runtime: AppState
    settling: Settlement

    def failed(self, exchange: Exchange, failure: Failure) -> bool:
        """Judge it. True when another candidate may be tried."""
        attempt = exchange.attempt
        assert attempt is not None
        if attempt.judge is not None:
            attempt.first_byte = attempt.judge.first_byte
        self.settling.observe_limits(exchange, attempt, failure.headers)
        failed = FailedAttempt(
            failure.kind.value,
            failure.message,
            failure.status,
            sent=failure.request_sent,
        )
        if failure.kind is FailureKind.JUDGED and attempt.judge is not None:
            peek = attempt.judge.peek
            failed = replace(
                failed,
                message=attempt.judge.reject_reason,
                error=peek.error if peek else None,
            )
        elif failure.kind is FailureKind.STATUS and failure.status is not None:
            failed = self._read(exchange, attempt, failure, failure.status)
        return self.judge(exchange, failed)

    def _read(
        self, exchange: Exchange, attempt: Attempt, failure: Failure, status: int
    ) -> FailedAttempt:
        """An answer that is an error, with all that it says."""
        now = self.runtime.clock()
        offer, row = attempt.candidate.offer, attempt.upstream.type_info
        mask = mask_of(exchange.catalog, attempt.fetched_key)
        if failure.headers is not None:
            fields = mask.fields([*failure.headers.fields])
            failure.headers = http.Headers(fields)
        headers = lowercase_headers(failure.headers)
        if (encoding := headers.get("content-encoding")) is not None:
            failure.body = _readable(exchange, failure, encoding)
        # Before anything is read from it: its code goes into log, ledger and messages.
        failure.body = mask.data(failure.body)
        error = read_error(failure.body, headers)
        self.settling.refused_as_billed(attempt, error)
        days = _day_reset(offer) or row.day
        said = attempt.form.body.says
        return FailedAttempt(
            failure.kind.value,
            failure.message,
            status,
            error,
            failure.body,
            failure.body_complete,
            headers.get("content-type", ""),
            topic=topic_of(
                status,
                error,
                model=attempt.upstream.sent_model(offer.model),
                said=said,
            ),
            advice=error_headers(failure.headers, row.support_ids),
            back_at=retry_after(headers, now) or reset_in(error, now),
            sent=failure.request_sent,
            refused=read_refusal(
                row.limit_headers, status, headers, error, now, days, said
            ),
        )

    def stale(self, exchange: Exchange) -> None:
        """A kept connection had been closed: the same candidate is asked again.

        Nobody's fault, so nothing is remembered; but the provider may have seen the
        request, so it counts, and the next one needs room of its own.
        """
        attempt = exchange.attempt
        assert attempt is not None
        runtime = self.runtime
        runtime.health.release_probe(attempt.candidate.offer.key)
        runtime.limiter.settle(attempt.reservation, Charge(requests=1), runtime.clock())
        record = attempt.record
        record.tokens = record.cost = 0
        record.reason = "repaired: stale connection"
        self.settling.end_attempt(exchange, "repaired")
        exchange.repeat, exchange.fresh = attempt.candidate, True
        runtime.state_dirty = True

    def judge(self, exchange: Exchange, failed: FailedAttempt) -> bool:
        """Remember what a failure means. False when the client's own error goes back."""
        runtime = self.runtime
        now = runtime.clock()
        attempt = exchange.attempt
        assert attempt is not None
        offer = attempt.candidate.offer
        can_refresh = (
            attempt.upstream.needs_credential
            and ("refresh", offer.provider) not in exchange.repeats
        )
        judged = failure_policy.classify(failed, now, can_refresh=can_refresh)
        failed = replace(
            failed,
            offer=offer,
            adapted=exchange.record.adapted,
            translated=exchange.record.translated,
        )
        refusals = Refusals(runtime, self.settling)
        judged = refusals.judge(exchange, attempt, failed, judged)
        if judged.next is NextStep.RETRY_WITH_QUIRK:
            refusals.resend(exchange, attempt, failed, now)
            return True
        if exchange.subpath and judged.penalty in _OF_PATHS:
            # It may not count tokens and still answer messages.
            judged = replace(judged, penalty=Penalty.NOTHING)
        self._remember(exchange, attempt, failed, judged, now)
        billed = judged.counted and failed.kind != "status"
        if judged.counted:
            need = attempt.reservation.need
            if not billed:
                need = Charge(requests=1)
            runtime.limiter.settle(attempt.reservation, need, now)
            attempt.record.tokens, attempt.record.cost = need.tokens, need.cost
        else:
            runtime.limiter.release(attempt.reservation, now)
            attempt.record.tokens = attempt.record.cost = 0
        attempt.record.counted = judged.counted
        attempt.record.reason = judged.reason
        attempt.record.status = failed.status
        self.settling.end_attempt(exchange, "failed")
        exchange.tried.append((offer.label, failed))
        runtime.state_dirty = True
        match judged.next:
            case NextStep.RETURN_ERROR:
                self._pass_error(exchange, exchange.refused_history or failed)
                return False
            case NextStep.ANOTHER_MAKER:
                exchange.refused_history = failed
                exchange.exclude |= same_maker(exchange, attempt)
            case NextStep.REFRESH_CREDENTIAL:
                exchange.tried.pop()
                exchange.repeat = attempt.candidate
            case NextStep.LARGER_CONTEXT:
                exchange.exclude.add(offer.key)
                known = offer.context_window or exchange.call.ask.input_estimate
                exchange.larger_than = max(known, exchange.larger_than or 0)
            case NextStep.NEXT_CANDIDATE:
                exchange.exclude.add(self._failed_way(exchange, attempt, judged))
        return True

    def _failed_way(
        self,
        exchange: Exchange,
        attempt: Attempt,
        judged: failure_policy.FailureVerdict,
    ) -> tuple[str, ...]:
        """What is not asked again: the offer, or, where it was about the dialect and it
        may be asked in another, the offer in this one."""
        offer, dialect = attempt.candidate.offer, attempt.form.dialect.name
        of_dialect = judged.penalty in _OF_DIALECT or offer.key in exchange.unfit
        if not of_dialect or not other_ways(exchange, offer, dialect):
            return offer.key
        exchange.unfit.pop(offer.key, None)
        return (*offer.key, dialect)

    def _remember(
        self,
        exchange: Exchange,
        attempt: Attempt,
        failed: FailedAttempt,
        judged: failure_policy.FailureVerdict,
        now: float,
    ) -> None:
        runtime = self.runtime
        health = runtime.health
        offer = attempt.candidate.offer
        name = offer.label
        reason = judged.reason
        if failed.refused is not None:
            attempt.record.retry_after = failed.refused.until
            if failed.refused.observations:
                runtime.limiter.observe(
                    offer.limits,
                    failed.refused.observations,
                    scopes=scopes_of(*offer.key, exchange.call.known_client),
                    now=now,
                )
        if judged.next is NextStep.REFRESH_CREDENTIAL:
            exchange.repeats.add(("refresh", offer.provider))
            runtime.credentials.invalidate(attempt.upstream)
        if failed.status in (402, 429) and runtime.polls is not None:
            runtime.polls.ask_quota(offer.provider, offer.account)
        if failed.kind == "status" and judged.penalty is not Penalty.DISABLE_DIALECT:
            health.answered(offer.key, attempt.form.dialect.name)
        match judged.penalty:
            case Penalty.FAILURE | Penalty.PROVIDER_FAILURE:
                whole = judged.penalty is Penalty.PROVIDER_FAILURE
                asker = exchange.call.client
                until = health.record_failure(
                    offer.key, now, reason, whole=whole, asker=asker
                )
                if until is not None:
                    runtime.event(
                        "circuit",
                        offer.provider if whole else name,
                        f"failing ({reason}), tried again in {until - now:.0f} s",
                        until=until,
                    )
                if judged.until is not None:
                    self._cool(offer, now, judged)
            case Penalty.COOLDOWN:
                self._cool(offer, now, judged)
            case Penalty.DISABLE_ACCOUNT:
                until = judged.until or now + DISABLED_FOR
                health.disable(offer.key, until, reason, account=True)
                runtime.event(
                    "disabled",
                    f"{offer.provider}#{offer.account}"
                    if offer.account
                    else offer.provider,
                    f"account disabled: {reason}; check its key and its balance",
                    until=until,
                )
            case Penalty.DISABLE_MODEL:
                until = judged.until or now + MODEL_GONE_FOR
                message, asker = f"model not found ({reason})", exchange.call.client
                if health.disable(offer.key, until, message, asker=asker, now=now):
                    runtime.event("disabled", name, message, until=until)
                    if runtime.polls is not None:
                        runtime.polls.not_found(offer, attempt.record.at)
            case Penalty.DISABLE_ENDPOINT:
                until = judged.until or now + MODEL_GONE_FOR
                dialect = attempt.form.dialect.name
                message = f"not served in {dialect} ({reason})"
                asker = exchange.call.client
                if health.disable(
                    offer.key, until, message, dialect=dialect, asker=asker, now=now
                ):
                    runtime.event("disabled", name, message, until=until)
            case Penalty.DISABLE_DIALECT:
                until = judged.until or now + MODEL_GONE_FOR
                dialect = attempt.form.dialect.name
                if health.disable_dialect(offer.key, dialect, until):
                    runtime.event(
                        "disabled",
                        offer.provider,
                        f"{NOT_SPOKEN} {dialect}",
                        until=until,
                    )
            case Penalty.NOTHING:
                health.release_probe(offer.key)

    def _cool(
        self, offer: Offer, now: float, judged: failure_policy.FailureVerdict
    ) -> None:
        reason = judged.reason
        until = self.runtime.health.start_cooldown(offer.key, now, judged.until, reason)
        message = f"{reason}, back in {until - now:.0f} s"
        self.runtime.event("cooldown", offer.label, message, until=until)

    def respond_exhausted(
        self, exchange: Exchange, decision: Decision, now: float
    ) -> None:
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
                " ".join(cluster.degraded),
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
                self._pass_error(exchange, failed)
            case GatewayError(status, code, message, retry_at):
                headers = []
                if retry_at is not None:
                    headers.append(("retry-after", seconds_until(retry_at, now)))
                elif status == 429:
                    # Nothing comes back by itself: SDKs would ask again in vain.
                    headers.append(("x-should-retry", "false"))
                exchange.record.outcome = "error" if exchange.tried else "refused"
                exchange.record.error = code
                exchange.record.adapted = exchange.record.translated = ""
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

    def _pass_error(self, exchange: Exchange, failed: FailedAttempt) -> None:
        """The provider's own error: its status and words, in the dialect's shape; but no key
        in it, see `_read`."""
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
        set_response(exchange.flow, replace(answer, headers=headers))
        self.settling.close(exchange)


def _readable(exchange: Exchange, failure: Failure, encoding: str) -> bytes:
    """A compressed error body as a client can read it, or what stands for it."""
    found = decoded(failure.body, encoding)
    if found is not None:
        return found
    return exchange.dialect.error_body(
        failure.status or 502,
        "unreadable_error",
        f"The provider's error came with the content-encoding {encoding[:20]!r}, which "
        "nobody asked for and which cannot be read.",
    )


def _day_reset(offer: Offer) -> Reset | None:
    """When this offer's days begin, if its limits say so."""
    days = (limit.reset for limit in offer.limits if limit.window is Window.DAY)
    return next(days, None)
