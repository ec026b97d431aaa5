"""The yardstick after `fastpath.addon_pruning`: what the gateway's features cost is the distance to this."""

import os

import bare
from bare import request, responseheaders  # noqa: F401
from mitmproxy import ctx

from llm_gateway import fastpath
from llm_gateway.domain import Origin
from llm_gateway.pool import mitm_hooks
from llm_gateway.transport import flow_logs, listeners


def load(loader):
    listeners.set_options(ctx.options)


def running():
    flow_logs.silence(ctx.master)
    fastpath.install(ctx.master)
    listeners.raise_backlog(ctx.master)
    if os.environ.get("BENCH_WARM"):
        mitm_hooks.install(ctx.master, [Origin("http", "127.0.0.1", bare.PORT, "")])
