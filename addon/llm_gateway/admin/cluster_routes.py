"""Routes about the cluster: who is in it, fold anew, settle for one that never returns.

What this file does not know: how counters are kept.
"""

from collections.abc import Awaitable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from llm_gateway.admin.json_responses import AdminRequest, BadRequest, answer_json
from llm_gateway.app.state import AppState
from llm_gateway.transport.local_response import LocalResponse

if TYPE_CHECKING:
    from llm_gateway.cluster.service import ClusterService

ALONE = "This gateway is in no cluster: its configuration has no `cluster`."


@dataclass(slots=True)
class ClusterRoutes:
    runtime: AppState

    def status(self, asked: AdminRequest) -> LocalResponse:
        """How this member stands, and who else there is."""
        cluster = self._cluster()
        return answer_json(
            {
                **cluster.status(),
                "server": cluster.link.server.shown,
                "degraded": cluster.degraded,
                "collector": cluster.collector.partition(" ")[0] or None,
                "list": cluster.member_list(),
            }
        )

    async def fold(self, asked: AdminRequest) -> LocalResponse:
        """This member's part of the counters is replaced with what its ledger says."""
        cluster = self._connected()
        return answer_json({"folded": await _answered(cluster.fold_now())})

    async def settle(self, asked: AdminRequest) -> LocalResponse:
        """What a member that never returns held open counts as used; it is forgotten."""
        name = asked.json().get("member")
        if not isinstance(name, str) or not name:
            raise BadRequest(400, 'Which one? {"member": NAME}')
        cluster = self._connected()
        if name == cluster.member:
            raise BadRequest(409, f"{name!r} is this gateway itself.")
        if name not in cluster.members.all:
            raise BadRequest(404, f"Nobody called {name!r} was heard of.")
        if cluster.is_alive(name):
            raise BadRequest(409, f"{name!r} is alive: it settles for itself.")
        return answer_json({"settled": await _answered(cluster.settle_for(name))})

    def _connected(self) -> "ClusterService":
        cluster = self._cluster()
        if not cluster.connected:
            raise BadRequest(503, " ".join(cluster.degraded))
        return cluster

    def _cluster(self) -> "ClusterService":
        if self.runtime.cluster is None:
            raise BadRequest(404, ALONE)
        return self.runtime.cluster


async def _answered(work: Awaitable[int]) -> int:
    from llm_gateway.cluster.link import Away

    try:
        return await work
    except Away as error:
        raise BadRequest(503, f"The cluster's server went away: {error}.") from error
