"""Failures of an outbound proxy: told apart from those of the provider behind it."""

from llm_gateway.app.state import AppState
from llm_gateway.domain import FailureKind
from llm_gateway.network.proxy_failure import went_away
from llm_gateway.transport.attempt_policy import Failure, plan_of
from llm_gateway.transport.connecting import answers_at_all


async def note_proxy(runtime: AppState, failure: Failure) -> None:
    """Was it the outbound proxy? Then it is said so, of it and of nobody else."""
    plan = plan_of(failure.flow)
    if plan is None or plan.proxy is None:
        return
    if failure.kind is FailureKind.CLOSED and failure.status is None:
        # All its tunnels break when a proxy dies, and the first to see it are these.
        if await answers_at_all(plan.proxy):
            return
        failure.kind = FailureKind.PROXY
        failure.message = went_away(plan.proxy)
    if failure.kind is FailureKind.PROXY:
        runtime.proxies.record(plan.proxy, failure.message)
