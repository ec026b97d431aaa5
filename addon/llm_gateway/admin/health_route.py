"""`GET /health`: is the gateway well, which configuration does it serve, what is degraded?

What lives here: `HealthRoute`, and the sign of life at `/`.
"""

from dataclasses import dataclass

from mitmproxy.version import VERSION as MITMPROXY

from llm_gateway import __version__
from llm_gateway.admin.json_responses import AdminRequest, answer_json, nothing_here
from llm_gateway.admin.start_page import start_page, wants_page
from llm_gateway.app.state import AppState
from llm_gateway.mitm_compat import fingerprints
from llm_gateway.timestamps import iso
from llm_gateway.transport.local_response import LocalResponse


@dataclass(slots=True)
class HealthRoute:
    runtime: AppState

    def root(self, asked: AdminRequest) -> LocalResponse:
        """Apps ask whether anybody is there at all; browsers get a page, nobody else."""
        if not wants_page(asked.headers.get("accept", "")):
            if asked.method == "HEAD":
                return LocalResponse(200, b"")
            return nothing_here(asked.path)
        runtime = self.runtime
        names = runtime.catalog.model_names()
        return start_page(runtime.port, runtime.dashboard_port, names, __version__)

    def health(self, asked: AdminRequest) -> LocalResponse:
        runtime = self.runtime
        degraded = runtime.degraded
        status = "draining" if runtime.draining else "degraded" if degraded else "ok"
        loading = runtime.loading
        cluster = runtime.cluster
        return answer_json(
            {
                **({} if cluster is None else {"cluster": cluster.standing.status()}),
                "status": status,
                "timestamp": iso(runtime.clock()),
                "version": __version__,
                "degraded": degraded,
                "mitmproxy": {
                    "version": MITMPROXY,
                    "unknown": sorted(fingerprints.groups_off()),
                },
                "config": {
                    "revision": loading.revision,
                    "loaded_at": iso(loading.loaded_at),
                    "error": loading.error,
                },
            }
        )
