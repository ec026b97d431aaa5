"""Routes about the cluster: who is in it, fold anew, settle for one that never returns.

What this file does not know: how counters are kept.
"""

from collections.abc import Awaitable
from typing import TYPE_CHECKING, Any

from llm_gateway.admin.json_responses import AdminRequest, BadRequest
from llm_gateway.app.state import AppState

if TYPE_CHECKING:
    from llm_gateway.cluster.service import ClusterService

ALONE = "This gateway is in no cluster: its configuration has no `cluster`."


def cluster_status(runtime: AppState) -> dict[str, Any]:
    """How this member stands, and who else there is."""
    cluster = _cluster(runtime)
    return {
        **cluster.standing.details(),
        "server": cluster.link.server.shown,
        "degraded": cluster.standing.degraded,
        "collector": cluster.collector.partition(" ")[0] or None,
        "list": cluster.standing.member_list(),
    }


async def cluster_fold(runtime: AppState) -> dict[str, Any]:
    """This member's part of the counters is replaced with what its ledger says."""
    cluster = _connected(runtime)
    return {"folded": await _answered(cluster, cluster.fold_now())}


async def cluster_settle(runtime: AppState, asked: AdminRequest) -> dict[str, Any]:
    """What a member that never returns held open counts as used; it is forgotten."""
    name = asked.json().get("member")
    if not isinstance(name, str) or not name:
        raise BadRequest(400, 'Which one? {"member": NAME}')
    cluster = _connected(runtime)
    if name == cluster.member:
        raise BadRequest(409, f"{name!r} is this gateway itself.")
    if name not in cluster.members.all:
        raise BadRequest(404, f"Nobody called {name!r} was heard of.")
    if cluster.standing.is_alive(name):
        raise BadRequest(409, f"{name!r} is alive: it settles for itself.")
    return {"settled": await _answered(cluster, cluster.settle_for(name))}


async def _answered(cluster: "ClusterService", work: Awaitable[int]) -> int:
    from llm_gateway.cluster.away import Away

    try:
        return await work
    except Away as error:
        raise BadRequest(503, f"The cluster's server went away: {error}.") from error


def _cluster(runtime: AppState) -> "ClusterService":
    if runtime.cluster is None:
        raise BadRequest(404, ALONE)
    return runtime.cluster


def _connected(runtime: AppState) -> "ClusterService":
    cluster = _cluster(runtime)
    if not cluster.connected:
        raise BadRequest(503, " ".join(cluster.standing.degraded))
    return cluster
