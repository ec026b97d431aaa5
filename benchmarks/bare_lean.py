"""The yardstick after `lean`: what the gateway's features cost is the distance to this."""

from bare import request, responseheaders  # noqa: F401
from mitmproxy import ctx

from llm_gateway.edge import lean


def load(loader):
    lean.options(ctx.options)


def running():
    lean.slim(ctx.master)
