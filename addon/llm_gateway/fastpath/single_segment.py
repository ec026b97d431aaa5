"""The plain case, straight through.

A request that arrives in one piece, on to a connection that is open, and an answer that
arrives in one piece. Between the events of such a request everything stands as mitmproxy's
states leave it, but within one event they are not asked one by one. Each step looks first
whether all of it is plain; where it is not, nothing has been touched, and the states take
over (`http_direct`). From the first hook on there is no way back: what an addon does then
that is not plain is handed to the states half-way.

    the client's data     one whole POST                  `on_whole_request`       http_plain_requests
    after `request`       HTTP/1.1, without TLS, open     `send_whole_request`
    the upstream's data   one whole 200, with a length    `answered`    http_plain_answers
                          chunks of a stream              `streamed`

What lives here: which event may be a step, and whether the states are those that the steps
were compared with. What this file does not know: the steps.
"""

from typing import cast

from mitmproxy.proxy import events
from mitmproxy.proxy.layer import Layer
from mitmproxy.proxy.layers import http
from mitmproxy.proxy.layers.http import HttpClient, HttpStream
from mitmproxy.proxy.layers.http._hooks import HttpRequestHook
from mitmproxy.proxy.layers.http._http1 import (
    Http1Client,
    Http1Connection,
    Http1Server,
)

from llm_gateway.fastpath.single_segment_responses import SingleSegmentResponses
from llm_gateway.mitm_compat.fingerprints import digest
from llm_gateway.transport.stream import GatewayStream

KNOWN = {"a440a1bd", "27d58059"}
"""mitmproxy 11.0.2, and 12.0.1 to 12.3.1."""

IMITATED = (
    HttpStream.state_wait_for_request_headers,
    HttpStream.state_consume_request_body,
    HttpStream.state_wait_for_response_headers,
    HttpStream.start_response_stream,
    HttpStream.state_stream_response_body,
    HttpStream.state_consume_response_body,
    HttpStream.send_response,
    HttpStream.flow_done,
    http.validate_request,
    Http1Connection.read_body,
    Http1Connection.wait,
    Http1Connection.mark_done,
    Http1Server.send,
    Http1Server.read_headers,
    Http1Server.mark_done,
    Http1Client.send,
    Http1Client.read_headers,
    HttpClient._handle_event,
)


class SingleSegmentLayer(SingleSegmentResponses):
    is_default_setup = False
    """No option asks for more than passing on."""

    def try_fast(self, receiver: Layer, event: events.Event) -> bool:
        kind = type(event)
        if not self.is_default_setup or not _known:
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


_known = digest(*IMITATED) in KNOWN
