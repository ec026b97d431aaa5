"""Failures of the way out: told apart from those of the provider at its end.

What lives here: `note_way_out`. An outbound proxy that died, and a machine that is off the
network, say nothing of the providers that were asked.
"""

from llm_gateway.app.state import AppState
from llm_gateway.app.way_out_status import NO_NETWORK
from llm_gateway.config.addresses import is_here
from llm_gateway.domain import FailureKind
from llm_gateway.network.proxy_failure import went_away
from llm_gateway.transport.attempt_policy import Failure, plan_of
from llm_gateway.transport.connecting import answers_at_all
from llm_gateway.transport.error_text import may_be_offline


async def note_way_out(runtime: AppState, failure: Failure) -> None:
    """Was it the outbound proxy, or is there no network? Then it is said so, of that and of
    nobody else."""
    plan = plan_of(failure.flow)
    if plan is None or plan.proxy is None:
        if (
            may_be_offline(failure.kind, failure.message)
            and not is_here(failure.flow.request.host)
            and runtime.way_out.is_offline()
        ):
            failure.kind, failure.message = FailureKind.OFFLINE, NO_NETWORK
        return
    if failure.kind is FailureKind.CLOSED and failure.status is None:
        # All its tunnels break when a proxy dies, and the first to see it are these.
        if await answers_at_all(plan.proxy):
            return
        failure.kind = FailureKind.PROXY
        failure.message = went_away(plan.proxy)
    if failure.kind is FailureKind.PROXY:
        runtime.way_out.record(plan.proxy, failure.message)
