"""The plain case, second half: from a whole answer to the client, and chunks of a stream.

See `single_segment`. What this file does not know: whether an answer is good.
"""

from collections.abc import Callable
from typing import Any, cast

from h11 import Data, ProtocolError
from mitmproxy import http
from mitmproxy.net.http import http1
from mitmproxy.net.http.http1 import read
from mitmproxy.proxy import commands, events
from mitmproxy.proxy.layers.http._events import (
    ResponseData,
    ResponseEndOfMessage,
    ResponseHeaders,
)
from mitmproxy.proxy.layers.http._hooks import HttpResponseHeadersHook
from mitmproxy.proxy.layers.http._http1 import (
    Http1Client,
    Http1Server,
    make_body_reader,
)

from llm_gateway.fastpath.message_heads import closes
from llm_gateway.fastpath.single_segment_requests import (
    READS_RESPONSE,
    SingleSegmentRequests,
    length,
    parsed,
)
from llm_gateway.transport import framing
from llm_gateway.transport.attempt_policy import Classification
from llm_gateway.transport.stream import GatewayStream, ask
from llm_gateway.transport.stream_attempt import Phase

_READS_BODY = Http1Client.read_body
_WAITS_FOR_HEAD = GatewayStream.state_wait_for_response_headers
_STREAMS = GatewayStream.state_stream_response_body
_response_head: Callable[[http.Response], bytes] = http1.assemble_response_head
_response: Callable[[http.Response], bytes] = http1.assemble_response


class SingleSegmentResponses(SingleSegmentRequests):
    def on_upstream_data(self, stream: GatewayStream, client: Any, data: bytes) -> bool:
        if stream.upstream_id != client.stream_id or stream.plan is None:
            return False
        if stream.phase is Phase.WAITING:
            return self.on_whole_response(stream, client, data)
        if stream.phase is Phase.PASSED:
            return self.on_stream_chunks(stream, client, data)
        return False

    def on_whole_response(
        self, stream: GatewayStream, client: Any, data: bytes
    ) -> bool:
        """A whole answer, and nothing else."""
        if (
            client.state.__func__ is not READS_RESPONSE
            or client.buf
            or not client.request_done
            or cast(Any, stream.server_state).__func__ is not _WAITS_FOR_HEAD
            or not data.startswith(b"HTTP/1.1 200 ")
        ):
            return False
        head, _, body = data.partition(b"\r\n\r\n")
        if not body or (response := parsed(head, read.read_response_head)) is None:
            return False
        framing.mend(response)
        size = length(client.request, response)
        if size != len(body) or framing.problem_of(
            client.request, response, validate=True
        ):
            return False
        inspector = cast(Any, stream.plan).classifier
        number = client.stream_id
        client.response = response
        stream.last_activity = stream.layer.now()
        stream.held = [ResponseHeaders(number, response, end_stream=False)]
        stream.checked = True
        verdict = ask(lambda: inspector.head(200, response.headers))
        if verdict is not Classification.BUFFER:
            client.body_reader = make_body_reader(size)
            client.state = client.read_body
            client.buf += body
            self._run(stream, stream.judged_by_head(verdict))
            again = events.DataReceived(client.conn, b"")
            self._do_all(client, client.read_body(again))
            return True
        verdict = ask(lambda: inspector.body(body))
        if last := verdict is Classification.BUFFER:
            verdict = ask(inspector.end)
        if last or verdict is Classification.FORWARD:
            stream.upstream_over()
        if verdict is Classification.FORWARD:
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
        over = self._turn.call_hook(head_hook)
        if not over or flow.error or flow.response.stream:
            held = [ResponseData(number, body), ResponseEndOfMessage(number)]
            rest = stream.after_response_head(head_hook, held)
            next(rest)
            self._resume(stream, head_hook, rest, over)
            return
        flow.response.data.content = body
        state = stream.send_response()
        hook: Any = next(state)
        hook.blocking = stream
        over = self._turn.call_hook(hook)
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
            self._resume(stream, hook, state, over)
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
            or length(request, response) < 0
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

    def on_stream_chunks(self, stream: GatewayStream, client: Any, data: bytes) -> bool:
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
            stream.last_activity = stream.layer.now()
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
