"""Penalties of a failure: cooldown, circuit strike, disabled model, account or dialect.

What lives here: `FailurePenalties`, which carries out the verdict of the core, and writes
events of what is not asked for a while.

What this file does not know: how a failure was judged, who is asked next (failures.py).
"""

from dataclasses import dataclass

from llm_gateway.app.state import AppState
from llm_gateway.domain import Offer
from llm_gateway.limits.limiter import scopes_of
from llm_gateway.pipeline.exchange import Attempt, Exchange
from llm_gateway.routing import failure_policy
from llm_gateway.routing.failure_policy import FailedAttempt, NextStep, Penalty
from llm_gateway.routing.health import DISABLED_FOR, MODEL_GONE_FOR, NOT_SPOKEN


@dataclass(slots=True)
class FailurePenalties:
    runtime: AppState

    def carry_out(
        self,
        exchange: Exchange,
        attempt: Attempt,
        failed: FailedAttempt,
        judged: failure_policy.FailureVerdict,
        now: float,
    ) -> None:
        """Remember what the failure means for limits, health and credentials."""
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
                asker = exchange.call.client
                if health.disable(
                    offer.key, until, reason, account=True, asker=asker, now=now
                ):
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
