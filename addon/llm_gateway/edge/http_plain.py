"""The plain case, straight through.

A request that arrives in one piece, on to a connection that is open, and an answer that
arrives in one piece: four fifths of what clients send. Between the events of such a request
everything stands as mitmproxy's states leave it, but within one event they are not asked
one by one. Each step looks first whether all of it is plain; where it is not, nothing has
been touched, and the states take over (`http_direct`). From the first hook on there is no
way back: what an addon does then that is not plain is handed to the states half-way.

    the client's data     one whole POST                  `_asked`
    after `request`       HTTP/1.1, without TLS, open     `_passed_on`
    the upstream's data   one whole 200, with a length    `_answered`
                          chunks of a stream              `_streamed`

What this file does not know: what is asked, and whether an answer is good.
"""

from collections.abc import Callable
from typing import Any, cast

from h11 import Data, ProtocolError
from mitmproxy import http
from mitmproxy.connection import Server
from mitmproxy.net.http import http1, url
from mitmproxy.net.http.http1 import read
from mitmproxy.proxy import commands, events
from mitmproxy.proxy.layer import Layer
from mitmproxy.proxy.layers.http import (
    HttpClient,
    HTTPMode,
    validate_request,
)
from mitmproxy.proxy.layers.http._events import (
    RequestData,
    RequestEndOfMessage,
    ResponseData,
    ResponseEndOfMessage,
    ResponseHeaders,
)
from mitmproxy.proxy.layers.http._hooks import (
    HttpRequestHeadersHook,
    HttpRequestHook,
    HttpResponseHeadersHook,
)
from mitmproxy.proxy.layers.http._http1 import (
    Http1Client,
    Http1Server,
    make_body_reader,
)

from . import http_framing as framing
from . import http_words as words
from .http1_heads import body_size, closes
from .http_attempt import Phase
from .http_commands import ConnectUpstream
from .http_direct import DirectHttpLayer
from .http_plan import Judgement, note_target, plan_of, request_limit
from .http_stream import GatewayStream, ask

_READS_REQUEST = Http1Server.read_headers
_READS_RESPONSE = Http1Client.read_headers
_READS_BODY = Http1Client.read_body
_WAITS_FOR_HEAD = GatewayStream.state_wait_for_response_headers
_request_head: Callable[[http.Request], bytes] = http1.assemble_request_head
_response_head: Callable[[http.Response], bytes] = http1.assemble_response_head
_response: Callable[[http.Response], bytes] = http1.assemble_response
_STREAMS = GatewayStream.state_stream_response_body


class PlainHttpLayer(DirectHttpLayer):
    carried: set[Any]
    usual = False
    """No option asks for more than passing on."""

    def new_stream(self, stream_id: int) -> GatewayStream:
        raise AssertionError("a layer of the gateway knows how")

    def plainly(self, receiver: Layer, event: events.Event) -> bool:
        kind = type(event)
        if not self.usual:
            return False
        if kind is events.DataReceived:
            data = cast(events.DataReceived, event).data
            if type(receiver) is Http1Server:
                return self._asked(receiver, data)
            if type(receiver) is HttpClient and receiver._paused is None:
                client = receiver.child_layer
                if type(client) is Http1Client and client.stream_id is not None:
                    stream = self.streams.get(client.stream_id)
                    if type(stream) is GatewayStream and stream._paused is None:
                        return self._heard(stream, client, data)
        elif kind is events.HookCompleted and type(receiver) is GatewayStream:
            paused, stream = receiver._paused, receiver
            if (
                paused is not None
                and paused.command is cast(events.HookCompleted, event).command
                and type(paused.command) is HttpRequestHook
                and not stream._paused_event_queue
            ):
                stream._paused = None
                if not self._passed_on(stream):
                    self._run(stream, paused.generator)
                return True
        return False

    # the client's data

    def _asked(self, server: Any, data: bytes) -> bool:
        """A whole request, and nothing else."""
        if (
            server.state.__func__ is not _READS_REQUEST
            or server.buf
            or not data.startswith(b"POST /")
        ):
            return False
        head, _, body = data.partition(b"\r\n\r\n")
        if not body or (request := _parsed(head, read.read_request_head)) is None:
            return False
        if _length(request) != len(body) or not self._addressed(request):
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
        over = self._turn.at_once(head_hook)
        if not over or flow.error or flow.response or request.stream:
            rest = stream.after_request_head(head_hook)
            next(rest)
            self._go_on(stream, head_hook, rest, over)
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
        over = self._turn.at_once(hook)
        if not over or not self._passed_on(stream):
            self._go_on(stream, hook, state, over)
        return True

    def _addressed(self, request: http.Request) -> bool:
        """Write down where it is meant to go, as mitmproxy does. False: not plain."""
        data = request.data
        if validate_request(self.mode, request, True) is not None:
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

    # after `request`

    def _passed_on(self, stream: GatewayStream) -> bool:
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
        tls, via = request.scheme == "https", flow.server_conn.via
        server = self._there(ConnectUpstream((request.host, request.port), tls, via))
        outer: Any = self.connections.get(server) if server is not None else None
        if type(outer) is not HttpClient or outer._paused is not None:
            return False
        client = outer.child_layer
        if type(client) is not Http1Client:
            return False
        if (
            client.stream_id is not None
            or cast(Any, client).state.__func__ is not _READS_RESPONSE
            or request.data.http_version != b"HTTP/1.1"
        ):
            return False
        stream.plan = plan
        stream.context.server = flow.server_conn = cast(Server, server)
        stream.connected(client.conn)
        stream.sent_at = stream.mark = now
        stream.phase = Phase.WAITING
        if wakeup := stream.layer.alarm(stream.due(now)):
            self._out.append(wakeup)
        client.stream_id, client.request = stream.stream_id, request
        client.request_done = True
        whole = _request_head(request) + (request.raw_content or b"")
        self._out.append(commands.SendData(client.conn, whole))
        return True

    # the upstream's data

    def _heard(self, stream: GatewayStream, client: Any, data: bytes) -> bool:
        if stream.upstream_id != client.stream_id or stream.plan is None:
            return False
        if stream.phase is Phase.WAITING:
            return self._answered(stream, client, data)
        if stream.phase is Phase.PASSED:
            return self._streamed(stream, client, data)
        return False

    def _answered(self, stream: GatewayStream, client: Any, data: bytes) -> bool:
        """A whole answer, and nothing else."""
        if (
            client.state.__func__ is not _READS_RESPONSE
            or client.buf
            or not client.request_done
            or cast(Any, stream.server_state).__func__ is not _WAITS_FOR_HEAD
            or not data.startswith(b"HTTP/1.1 200 ")
        ):
            return False
        head, _, body = data.partition(b"\r\n\r\n")
        if not body or (response := _parsed(head, read.read_response_head)) is None:
            return False
        size = _length(client.request, response)
        if size != len(body) or framing.problem_of(response, validate=True):
            return False
        inspector = cast(Any, stream.plan).inspector
        number = client.stream_id
        client.response = response
        stream.mark = stream.layer.now()
        stream.held = [ResponseHeaders(number, response, end_stream=False)]
        stream.checked = True
        verdict = ask(lambda: inspector.head(200, response.headers))
        if verdict is not Judgement.HOLD:
            client.body_reader = make_body_reader(size)
            client.state = client.read_body
            client.buf += body
            self._run(stream, stream.judged_by_head(verdict))
            again = events.DataReceived(client.conn, b"")
            self._do_all(client, client.read_body(again))
            return True
        verdict = ask(lambda: inspector.body(body))
        if last := verdict is Judgement.HOLD:
            verdict = ask(inspector.end)
        if last or verdict is Judgement.PASS:
            stream.upstream_over()
        if verdict is Judgement.PASS:
            self._deliver(stream, response, body)
        else:
            stream.held += [ResponseData(number, body), ResponseEndOfMessage(number)]
            stream.held_bytes = len(body)
            stream.phase = Phase.HOLDING
            stream.server_state = stream.state_hold
            self._run(stream, stream.judged_by_body(verdict, last=last))
        self._at_rest(client)
        return True

    def _deliver(
        self, stream: GatewayStream, answer: http.Response, body: bytes
    ) -> None:
        """A good answer, to the client."""
        flow, number = stream.flow, stream.stream_id
        flow.response = framing.for_client(answer)
        stream.held = []
        stream.phase = Phase.QUIET
        head_hook: Any = HttpResponseHeadersHook(flow)
        head_hook.blocking = stream
        over = self._turn.at_once(head_hook)
        if not over or flow.error or flow.response.stream:
            held = [ResponseData(number, body), ResponseEndOfMessage(number)]
            rest = stream.after_response_head(head_hook, held)
            next(rest)
            self._go_on(stream, head_hook, rest, over)
            return
        flow.response.data.content = body
        state = stream.send_response()
        hook: Any = next(state)
        hook.blocking = stream
        over = self._turn.at_once(hook)
        server: Any = self.connections[self.context.client]
        response = flow.response
        if (
            not over
            or flow.error
            or response.trailers
            or type(server) is not Http1Server
            or response.data.http_version != b"HTTP/1.1"
            or not (content := response.raw_content)
        ):
            self._go_on(stream, hook, state, over)
            return
        state.close()
        flow.live = False
        server.response = response
        whole = _response_head(response) + content
        if "transfer-encoding" in response.headers:
            whole = _response(response)
        self._out.append(commands.SendData(self.context.client, whole))
        self.streams.pop(number, None)
        stream.untie()
        self._at_rest(server)

    def _at_rest(self, connection: Any) -> None:
        """`mark_done(response=True)`: most connections go on, with nothing to read yet."""
        request, response = connection.request, connection.response
        if (
            connection.buf
            or closes(request.data.http_version, request.headers)
            or closes(response.data.http_version, response.headers)
            or _length(request, response) < 0
        ):
            self._do_all(connection, connection.mark_done(response=True))
            return
        connection.request_done = connection.response_done = False
        connection.request = connection.response = None
        connection.state = connection.read_headers
        if type(connection) is Http1Server:
            connection.stream_id += 2
        else:
            connection.stream_id = None

    def _streamed(self, stream: GatewayStream, client: Any, data: bytes) -> bool:
        """Chunks of a stream that is on its way."""
        response = cast(http.Response, stream.flow.response)
        server = self.connections[self.context.client]
        if (
            client.state.__func__ is not _READS_BODY
            or cast(Any, stream.server_state).__func__ is not _STREAMS
            or type(server) is not Http1Server
            or not callable(response.stream)
        ):
            return False
        chunked = "chunked" in response.headers.get("transfer-encoding", "").lower()
        client.buf += data
        while True:
            found = _Again.of(client.body_reader, client.buf)
            if type(found) is not Data:
                break
            stream.mark = stream.layer.now()
            if not (piece := bytes(found.data)):
                continue
            pieces = response.stream(piece)
            for out in (pieces,) if isinstance(pieces, bytes) else pieces:
                framed = b"%x\r\n%s\r\n" % (len(out), out) if chunked else out
                if framed:
                    self._out.append(commands.SendData(server.conn, framed))
        if found is not None:
            client.body_reader = _Again(found)
            self._do_all(
                client, client.read_body(events.DataReceived(client.conn, b""))
            )
        return True


class _Again:
    """What a reader of bodies said, for a state that asks it itself."""

    def __init__(self, said: Any) -> None:
        self.said = said

    @staticmethod
    def of(reader: Any, buf: Any) -> Any:
        """An event, None, or a broken protocol."""
        try:
            return reader(buf)
        except ProtocolError as error:
            return error

    def __call__(self, buf: Any) -> Any:
        if isinstance(self.said, ProtocolError):
            raise self.said
        return self.said


def _parsed(head: bytes, parse: Any) -> Any:
    """The message that begins with `head`; None: not plain, or broken."""
    if head.count(b"\n") != head.count(b"\r\n"):
        return None
    try:
        return parse(head.split(b"\r\n"))
    except ValueError:
        return None


def _length(request: http.Request, response: http.Response | None = None) -> int:
    """Of the body, as it was announced; -1: it was not."""
    try:
        size = body_size(request, response)
    except ValueError:
        size = None
    return -1 if size is None else int(size)
