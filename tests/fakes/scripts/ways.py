"""A second script for mitmdump: WAY says which of the three ways through the HTTP layer
requests take: `mitmproxy` (its own generators), `direct`, or `plain` (all that there is). A request
that names `x-fault` breaks inside."""

import os
from typing import Any

from llm_gateway import fastpath
from llm_gateway.fastpath import http_layer, single_segment
from llm_gateway.transport import layer, stream_attempt

WAY = os.environ.get("WAY", "plain")

LAYERS: dict[str, Any] = {
    "mitmproxy": layer.GatewayHttpLayer,
    "direct": http_layer.FastHttpLayer,
    "plain": single_segment.SingleSegmentLayer,
}
fastpath.SingleSegmentLayer = LAYERS[WAY]  # type: ignore[misc]

_frame = stream_attempt.framing.frame_request


def frame_request(request: Any, **more: Any) -> None:
    """A fault inside the layers, for requests that ask for one."""
    if "x-fault" in request.headers or "x-fault" in request.path:
        raise RuntimeError(f"a fault with {request.headers.fields}")
    _frame(request, **more)


stream_attempt.framing.frame_request = frame_request
