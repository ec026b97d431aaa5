"""The yardstick: mitmdump with the least that routes a request to the upstream."""

import os

PORT = int(os.environ["BENCH_UPSTREAM"])


def request(flow):
    flow.request.scheme, flow.request.host, flow.request.port = (
        "http",
        "127.0.0.1",
        PORT,
    )


def responseheaders(flow):
    flow.response.stream = True
