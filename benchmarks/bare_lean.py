"""The yardstick after `lean`: what the gateway's features cost is the distance to this."""

import os

import bare
from bare import request, responseheaders  # noqa: F401
from mitmproxy import ctx

from llm_gateway.edge import lean, reuse
from llm_gateway.exchange import Origin


def load(loader):
    lean.options(ctx.options)


def running():
    lean.slim(ctx.master)
    if os.environ.get("BENCH_WARM"):
        reuse.install(ctx.master, [Origin("http", "127.0.0.1", bare.PORT, "")])
