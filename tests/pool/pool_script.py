"""`layer_script.py` on a lean mitmproxy, whose upstream connections stay warm.

WARM_ORIGINS names ports on 127.0.0.1 with their schemes: `https:4433 http:8000`. Without
it every port is kept warm. `GET /_warm` says how many connections lie there, `GET /_alive`
how many clients' connections there are in memory, after a collection.
"""

import gc
import json
import os
import sys
from pathlib import Path

from mitmproxy import ctx, http
from mitmproxy.proxy.server import ConnectionHandler

from llm_gateway import fastpath
from llm_gateway.domain import Origin
from llm_gateway.pool import mitm_hooks
from llm_gateway.transport import listeners

sys.path.insert(0, str(Path(__file__).parents[1] / "transport"))

from layer_script import LayerScript


class Everywhere(frozenset):
    """All origins."""

    def __contains__(self, origin: object) -> bool:
        return True


class WarmScript(LayerScript):
    def load(self, loader: object) -> None:
        super().load(loader)
        listeners.set_options(ctx.options)

    def running(self) -> None:
        fastpath.install(ctx.master)
        named = [part.split(":") for part in os.environ.get("WARM_ORIGINS", "").split()]
        origins = [Origin(scheme, "127.0.0.1", int(port), "") for scheme, port in named]
        self.keeper = mitm_hooks.install(ctx.master, origins)
        assert self.keeper is not None
        if not named:
            self.keeper.pool.origins = Everywhere()

    def request(self, flow: http.HTTPFlow) -> None:
        if flow.request.path == "/_alive":
            gc.collect()
            alive = sum(isinstance(one, ConnectionHandler) for one in gc.get_objects())
            flow.response = http.Response.make(200, json.dumps(alive))
            return
        if flow.request.path != "/_warm":
            return super().request(flow)
        places = self.keeper.pool.places
        lying = {f"{key.host}:{key.port}": len(p.parked) for key, p in places.items()}
        flow.response = http.Response.make(200, json.dumps(lying))


addons = [WarmScript()]
