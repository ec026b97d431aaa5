"""A second script for mitmdump: WAY says which of the three ways through the HTTP layer
requests take: `mitmproxy` (its own generators), `direct`, or `plain` (all that there is). A request
that names `x-fault` breaks inside."""

import os
from typing import Any

from llm_gateway.fastpath import http_layer, single_segment
from llm_gateway.transport import stream_attempt

WAY = os.environ.get("WAY", "plain")

http_layer._direct = http_layer._direct and WAY != "mitmproxy"
single_segment._known = single_segment._known and WAY == "plain"

_frame = stream_attempt.framing.frame_request


def frame_request(request: Any, **more: Any) -> None:
    """A fault inside the layers, for requests that ask for one."""
    if "x-fault" in request.headers or "x-fault" in request.path:
        raise RuntimeError(f"a fault with {request.headers.fields}")
    _frame(request, **more)


stream_attempt.framing.frame_request = frame_request
