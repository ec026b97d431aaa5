"""The plain case, first half: from a whole request to a connection that is open.

See `single_segment`. What this file does not know: what is asked.
"""

from typing import Any, cast

from mitmproxy import http
from mitmproxy.connection import Server
from mitmproxy.net.http import url
from mitmproxy.net.http.http1 import read
from mitmproxy.proxy import commands
from mitmproxy.proxy.layers.http import HttpClient, HTTPMode, validate_request
from mitmproxy.proxy.layers.http._events import RequestData, RequestEndOfMessage
from mitmproxy.proxy.layers.http._hooks import HttpRequestHeadersHook
from mitmproxy.proxy.layers.http._http1 import Http1Client, Http1Server

from llm_gateway.fastpath.http_layer import FastHttpLayer
from llm_gateway.fastpath.message_heads import body_size, split_head
from llm_gateway.transport import error_text as words
from llm_gateway.transport import framing, serializer
from llm_gateway.transport.attempt_policy import note_target, plan_of
from llm_gateway.transport.body_limit import request_limit
from llm_gateway.transport.commands import ConnectUpstream
from llm_gateway.transport.stream import GatewayStream
from llm_gateway.transport.stream_attempt import Phase

READS_REQUEST = Http1Server.read_headers
READS_RESPONSE = Http1Client.read_headers


class SingleSegmentRequests(FastHttpLayer):
    def on_whole_request(self, server: Any, data: bytes) -> bool:
        """A whole request, and nothing else."""
        if (
            server.state.__func__ is not READS_REQUEST
            or server.buf
            or not data.startswith(b"POST /")
        ):
            return False
        head, _, body = data.partition(b"\r\n\r\n")
        if not body or (request := parsed(head, read.read_request_head)) is None:
            return False
        if length(request) != len(body) or not self._addressed(request):
            return False
        most = request_limit.bytes
        if "expect" in request.headers or (most is not None and len(body) > most):
            return False
        number = server.stream_id
        server.request = request
        stream = self.streams[number] = self.new_stream(number)
        note_target(request)
        client = self.context.client
        flow = stream.flow = http.HTTPFlow(client, self.context.server, live=True)
        flow.request = request
        request.authority = ""
        head_hook: Any = HttpRequestHeadersHook(flow)
        head_hook.blocking = stream
        over = self._turn.call_hook(head_hook)
        if not over or flow.error or flow.response or request.stream:
            rest = stream.after_request_head(head_hook)
            next(rest)
            self._resume(stream, head_hook, rest, over)
            self._receive(RequestData(number, body))
            self._receive(RequestEndOfMessage(number))
            self._do_all(server, server.mark_done(request=True))
            return True
        stream.server_state = stream.state_wait_for_response_headers
        stream.request_body_buf += body
        server.request_done = True
        server.state = server.wait
        state = stream.state_consume_request_body(RequestEndOfMessage(number))
        hook: Any = next(state)
        hook.blocking = stream
        over = self._turn.call_hook(hook)
        if not over or not self.send_whole_request(stream):
            self._resume(stream, hook, state, over)
        return True

    def _addressed(self, request: http.Request) -> bool:
        """Write down where it is meant to go, as mitmproxy does. False: not plain."""
        data = request.data
        if validate_request(self.mode, request, True) is not None:
            return False
        if framing.problem_of_request(request, http2=False) is not None:
            return False
        if self.mode is HTTPMode.transparent:
            server = self.context.server
            if server.address is None:
                return False
            data.host, data.port = server.address[:2]
            data.scheme = b"https" if server.tls else b"http"
            return True
        try:
            host, port = url.parse_authority(request.host_header or "", check=True)
        except ValueError:
            return False
        tls = self.context.client.tls
        data.host, data.port = host, port or (443 if tls else 80)
        data.scheme = b"https" if tls else b"http"
        return True

    def send_whole_request(self, stream: GatewayStream) -> bool:
        """Its plan is there, a connection is there: it is sent."""
        flow = stream.flow
        plan, request = plan_of(flow), flow.request
        if plan is None or flow.error or flow.response:
            return False
        if stream.upstream_id != stream.stream_id:
            return False
        now = stream.layer.now()
        if now >= plan.deadline or words.name_problem(request.host):
            return False
        tls = request.scheme == "https"
        wanted = ConnectUpstream((request.host, request.port), tls, None)
        wanted.pooled, wanted.proxy = plan.pooled, plan.proxy
        server = self._reusable_connection(wanted)
        outer: Any = self.connections.get(server) if server is not None else None
        if type(outer) is not HttpClient or outer._paused is not None:
            return False
        client = outer.child_layer
        if type(client) is not Http1Client:
            return False
        if (
            client.stream_id is not None
            or cast(Any, client).state.__func__ is not READS_RESPONSE
            or request.data.http_version != b"HTTP/1.1"
        ):
            return False
        stream.plan = plan
        stream.context.server = flow.server_conn = cast(Server, server)
        stream.connected(client.conn)
        stream.sent_at = stream.last_activity = now
        stream.phase = Phase.WAITING
        if wakeup := stream.layer.request_wakeup(stream.due(now)):
            self._out.append(wakeup)
        client.stream_id, client.request = stream.stream_id, request
        client.request_done = True
        whole = serializer.head(request) + (request.raw_content or b"")
        self._out.append(commands.SendData(client.conn, whole))
        return True


def parsed(head: bytes, parse: Any) -> Any:
    """The message that begins with `head`; None: not plain, or broken."""
    if (lines := split_head(head)) is None:
        return None
    try:
        return parse(lines)
    except ValueError:
        return None


def length(request: http.Request, response: http.Response | None = None) -> int:
    """Of the body, as it was announced; -1: it was not."""
    try:
        size = body_size(request, response)
    except ValueError:
        size = None
    return -1 if size is None else int(size)
