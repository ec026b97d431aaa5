"""Fast path for messages that arrive in one TCP segment.

A request that arrives in one piece, on to a connection that is open, and an answer that
arrives in one piece. Between the events of such a request everything stands as mitmproxy's
states leave it, but within one event they are not asked one by one. Each step looks first
whether all of it is plain; where it is not, nothing has been touched, and the states take
over (`transport.layer`). From the first hook on there is no way back: what an addon does then
that is not plain is handed to the states half-way.

    the client's data     one whole POST                  `on_whole_request`       single_segment_requests
    after `request`       HTTP/1.1, without TLS, open     `send_whole_request`
    the upstream's data   one whole 200, with a length    `on_whole_response`      single_segment_responses
                          chunks of a stream              `on_stream_chunks`

What lives here: which event may be a step. That the states are those that the steps were
compared with is asked before this layer is used at all. What this file does not know: the
steps.
"""

from typing import cast

from mitmproxy.proxy import events
from mitmproxy.proxy.layer import Layer
from mitmproxy.proxy.layers.http import HttpClient
from mitmproxy.proxy.layers.http._hooks import HttpRequestHook
from mitmproxy.proxy.layers.http._http1 import (
    Http1Client,
    Http1Server,
)
from mitmproxy.proxy.mode_specs import ReverseMode

from llm_gateway.fastpath.single_segment_responses import SingleSegmentResponses
from llm_gateway.transport.stream import GatewayStream

UNUSUAL = ("stream_large_bodies", "body_size_limit", "store_streamed_bodies")
"""Options that make of plain passing on something else."""


class SingleSegmentLayer(SingleSegmentResponses):
    is_default_setup = False
    """No option asks for more than passing on."""

    def _begin(self) -> None:
        super()._begin()
        options = self.context.options
        self.is_default_setup = (
            options.validate_inbound_headers
            and not any(getattr(options, name, None) for name in UNUSUAL)
            and not isinstance(self.context.client.proxy_mode, ReverseMode)
        )

    def try_fast(self, receiver: Layer, event: events.Event) -> bool:
        kind = type(event)
        if not self.is_default_setup:
            return False
        if kind is events.DataReceived:
            data = cast(events.DataReceived, event).data
            if type(receiver) is Http1Server:
                return self.on_whole_request(receiver, data)
            if type(receiver) is HttpClient and receiver._paused is None:
                client = receiver.child_layer
                if type(client) is Http1Client and client.stream_id is not None:
                    stream = self.streams.get(client.stream_id)
                    if type(stream) is GatewayStream and stream._paused is None:
                        return self.on_upstream_data(stream, client, data)
        elif kind is events.HookCompleted and type(receiver) is GatewayStream:
            paused, stream = receiver._paused, receiver
            if (
                paused is not None
                and paused.command is cast(events.HookCompleted, event).command
                and type(paused.command) is HttpRequestHook
                and not stream._paused_event_queue
            ):
                stream._paused = None
                if not self.send_whole_request(stream):
                    self._run(stream, paused.generator)
                return True
        return False
