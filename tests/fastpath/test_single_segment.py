"""Three ways through the HTTP layer, one outcome.

Each talk between a client, a gateway and an upstream runs three times, event by event and
without sockets: through mitmproxy's generators, through `fastpath.http_layer` without the plain
case, and with it. What is sent to whom, which hooks are called, and what is closed has to
be the same, wherever the bytes happen to be cut.
"""

import asyncio
import logging
from functools import cache
from itertools import pairwise, product

import pytest
from examples import examples, pairs
from hypothesis import HealthCheck, given
from hypothesis import strategies as st
from mitmproxy import http
from mitmproxy.addons import core, next_layer, proxyserver
from mitmproxy.connection import ConnectionState
from mitmproxy.master import Master
from mitmproxy.options import Options
from mitmproxy.proxy import events, mode_specs
from mitmproxy.proxy.layers import modes
from mitmproxy.proxy.layers.http import _http1
from mitmproxy.proxy.mode_servers import ProxyConnectionHandler
from mitmproxy.proxy.server import ConnectionIO

from fastpath.test_connection_handler import Wire
from llm_gateway.fastpath import connection_handler as turns
from llm_gateway.fastpath import hook_dispatch, http_layer, single_segment
from llm_gateway.transport import layer
from llm_gateway.transport.attempt_policy import (
    Action,
    AttemptPolicy,
    Classification,
    set_plan,
)
from llm_gateway.transport.layer import GatewayHttpLayer, install
from llm_gateway.transport.patches import WithoutTrailers

HOST = b"gateway.example:8080"
WAYS = ("mitmproxy", "direct", "plain")

BODY = b'{"model": "m"}'
CHAT = (
    b"POST /v1/chat/completions HTTP/1.1\r\nHost: %s\r\nContent-Length: %d\r\n"
    b"Accept: */*\r\n\r\n%s" % (HOST, len(BODY), BODY)
)
HEAD = b"HTTP/1.1 200 OK\r\nServer: a\r\n"
GOOD = HEAD + b"Content-Length: 2\r\n\r\n{}"
STREAM = (
    HEAD
    + b"Content-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
    + b"5\r\nfirst\r\n6\r\nsecond\r\n0\r\n\r\n"
)

REQUESTS = {
    "plain": CHAT,
    "close": CHAT.replace(b"Accept: */*", b"Connection: close"),
    "http/1.0": CHAT.replace(b"HTTP/1.1", b"HTTP/1.0"),
    "expect": CHAT.replace(b"Accept: */*", b"Expect: 100-continue"),
    "get": b"GET /health HTTP/1.1\r\nHost: %s\r\n\r\n" % HOST,
    "no body": b"POST /v1/x HTTP/1.1\r\nHost: %s\r\nContent-Length: 0\r\n\r\n" % HOST,
    "chunked": b"POST /v1/x HTTP/1.1\r\nHost: %s\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"3\r\nabc\r\n0\r\n\r\n" % HOST,
    "absolute": b"POST http://other.example/v1 HTTP/1.1\r\nHost: other.example\r\n"
    b"Content-Length: 1\r\n\r\nx",
    "no host": b"POST /v1/x HTTP/1.1\r\nContent-Length: 1\r\n\r\nx",
    "bad host": b"POST /v1/x HTTP/1.1\r\nHost: a b\r\nContent-Length: 1\r\n\r\nx",
    "both lengths": b"POST /v1/x HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "bare newline": CHAT.replace(b"Accept: */*\r\n", b"Accept: */*\n"),
    "bad name": CHAT.replace(b"Accept", b"Acc ept"),
    "two at once": CHAT + CHAT,
    "more than announced": CHAT + b"GARBAGE\r\n\r\n",
}
ANSWERS = {
    "good": GOOD,
    "closes": GOOD.replace(b"Server: a", b"Connection: close"),
    "no length": HEAD + b"\r\nwhat there is",
    "http/1.0": GOOD.replace(b"HTTP/1.1", b"HTTP/1.0"),
    "empty": HEAD + b"Content-Length: 0\r\n\r\n",
    "stream": STREAM,
    "trailers": STREAM[:-2] + b"X-A: b\r\n\r\n",
    "broken chunk": STREAM.replace(b"6\r\n", b"zz\r\n"),
    "refused": b"HTTP/1.1 500 No\r\nContent-Length: 2\r\n\r\n{}",
    "early hints": b"HTTP/1.1 103 Early\r\n\r\n" + GOOD,
    "both lengths": GOOD.replace(b"Server: a", b"Transfer-Encoding: chunked"),
    "bad name": GOOD.replace(b"Server", b"Ser ver"),
    "no http": b"SSH-2.0-OpenSSH\r\n\r\n",
    "more than announced": GOOD + b"HTTP/1.1 200 OK\r\n\r\n",
}
DEEDS = (
    *("answers the head", "answers", "kills the head", "kills", "streams the request"),
    *("waits with the head", "waits", "waits with the answer's head", "streams"),
    *("kills the answer's head", "kills the answer", "changes the answer"),
    *("waits with the answer", "has no plan", "passes at once", "passes a piece"),
    *("retries", "retries at once", "retries elsewhere"),
    *("fails by the head", "fails by the body", "judge breaks", "says chunked"),
)


class Judge:
    def __init__(self, deed):
        self.deed = deed

    def head(self, status, headers):
        if self.deed == "judge breaks":
            raise RuntimeError("a judge that breaks")
        if status != 200:
            return Classification.READ_ERROR_BODY
        known = {
            "passes at once": Classification.FORWARD,
            "fails by the head": Classification.REJECT,
        }
        return known.get(self.deed, Classification.BUFFER)

    def body(self, data):
        known = {
            "passes a piece": Classification.FORWARD,
            "fails by the body": Classification.REJECT,
        }
        return known.get(self.deed, Classification.BUFFER)

    def end(self):
        return Classification.FORWARD


class Script:
    """The add-on: plans each request, does one deed, and takes notes."""

    def __init__(self, deed, usual):
        self.deed, self.usual = deed, usual
        self.heard = []

    def next_layer(self, nextlayer):
        install(nextlayer)
        if isinstance(nextlayer.layer, GatewayHttpLayer):
            nextlayer.layer.is_default_setup = self.usual

    def requestheaders(self, flow):
        if self.deed == "answers the head":
            flow.response = http.Response.make(401, b"no")
        elif self.deed == "kills the head":
            flow.kill()
        elif self.deed == "streams the request":
            self._plan(flow)
            flow.request.stream = True
        return self._note("requestheaders", "waits with the head")

    def request(self, flow):
        if self.deed == "answers":
            flow.response = http.Response.make(503, b"none left")
        elif self.deed == "kills":
            flow.kill()
        elif self.deed not in ("has no plan", "streams the request"):
            self._plan(flow)
        return self._note(f"request {flow.request.path}", "waits")

    def _plan(self, flow):
        flow.request.host, flow.request.port = "upstream.example", 80
        deadline = asyncio.get_running_loop().time() + 60
        times = {"connect_timeout": 60, "first_byte_timeout": 60, "idle_timeout": 60}
        cut = lambda message: b"cut"  # noqa: E731
        set_plan(
            flow,
            AttemptPolicy(
                Judge(self.deed), **times, deadline=deadline, truncation_tail=cut
            ),
        )

    def responseheaders(self, flow):
        if self.deed == "streams":
            flow.response.stream = lambda data: (data.upper(),) if data else (b"end",)
        elif self.deed == "says chunked":
            flow.response.headers.pop("content-length", None)
            flow.response.headers["transfer-encoding"] = "chunked"
        elif self.deed == "kills the answer's head":
            flow.kill()
        return self._note("responseheaders", "waits with the answer's head")

    def response(self, flow):
        if self.deed == "changes the answer":
            flow.response.content = b"something else"
        elif self.deed == "kills the answer":
            flow.kill()
        status, size = flow.response.status_code, len(flow.response.raw_content or b"")
        return self._note(f"response {status} {size}", "waits with the answer")

    def error(self, flow):
        self.heard.append(f"error {flow.error.msg}")

    def gateway_attempt_failed(self, failure):
        self.heard.append(f"failed {failure.kind} {failure.status} {failure.body}")
        if self.deed.startswith("retries") and self.heard.count(self.heard[-1]) == 1:
            self._plan(failure.flow)
            if self.deed == "retries elsewhere":
                failure.flow.request.port = 81
            failure.action = Action.RETRY
        else:
            failure.flow.response = http.Response.make(502, b"failed")
            failure.action = Action.RESPOND
        return None if self.deed == "retries at once" else asyncio.sleep(0)

    def _note(self, what, waits):
        self.heard.append(what)
        return asyncio.sleep(0) if self.deed == waits else None


LAYERS = {
    "mitmproxy": layer.GatewayHttpLayer,
    "direct": http_layer.FastHttpLayer,
    "plain": single_segment.SingleSegmentLayer,
}


class Talk:
    """One client connection whose every peer is a list of pieces."""

    def __init__(self, master, way, deed, monkeypatch):
        monkeypatch.setattr(layer, "layer_class", LAYERS[way])
        monkeypatch.setattr(_http1, "ChunkedReader", WithoutTrailers)
        self.script = Script(deed, usual=way == "plain")
        master.addons.add(self.script)
        hook_dispatch.install(master.addons)
        mode = mode_specs.ProxyMode.parse("regular")
        handler = ProxyConnectionHandler(master, None, Wire(), master.options, mode)
        handler.layer = modes.HttpProxy(handler.layer.context)
        self.handler = handler
        self.closed = []
        self.servers = []
        self.way = way
        handler.server_event = self.tell
        handler.open_connection = self.open
        handler.close_connection = self.close

    def tell(self, event):
        return turns.server_event(self.handler, event)

    async def open(self, command):
        server = command.connection
        server.state = ConnectionState.OPEN
        self.servers.append(server)
        self.wires = [*getattr(self, "wires", ()), Wire()]
        self.handler.transports[server] = ConnectionIO(writer=self.wires[-1])
        await self.tell(events.OpenConnectionCompleted(command, None))

    def close(self, connection, half_close=False):
        if connection.state is ConnectionState.CLOSED:
            return  # closing what is closed changes nothing
        who = "client" if connection is self.handler.client else "upstream"
        self.closed.append((who, half_close))
        connection.state = ConnectionState.CLOSED
        self.handler.transports[connection].writer.closing = True

    async def hear(self, who, piece):
        """Something arrives; b"": that was all."""
        connection = self.handler.client
        if who == "upstream":
            if not self.servers:
                return
            connection = self.servers[-1]
        if connection.state is ConnectionState.CLOSED:
            return
        if piece:
            await self.tell(events.DataReceived(connection, piece))
        else:
            connection.state &= ~ConnectionState.CAN_READ
            await self.tell(events.ConnectionClosed(connection))
        for _ in range(12):
            await asyncio.sleep(0)

    @property
    def outcome(self):
        return {
            "client": self.handler.transports[self.handler.client].writer.sent,
            "upstream": [wire.sent for wire in getattr(self, "wires", ())],
            "hooks": self.script.heard,
            "closed": sorted(self.closed),
        }


@cache
def usual_master():
    """mitmproxy's own add-ons: made once, they cost more than all that is said in a talk."""
    master = Master(Options(), event_loop=asyncio.get_running_loop())
    master.addons.add(core.Core(), proxyserver.Proxyserver(), next_layer.NextLayer())
    master.options.update(connection_strategy="lazy", upstream_cert=False)
    return master


async def talk(way, deed, said, monkeypatch):
    master = usual_master()
    master.event_loop = asyncio.get_running_loop()
    talk = Talk(master, way, deed, monkeypatch)
    try:
        await talk.tell(events.Start())
        for who, piece in said:
            await talk.hear(who, piece)
    finally:
        master.addons.remove(talk.script)
    return talk.outcome


async def same(deed, said, monkeypatch):
    logging.getLogger("llm_gateway").setLevel(logging.CRITICAL)
    found = {way: await talk(way, deed, said, monkeypatch) for way in WAYS}
    assert found["direct"] == found["mitmproxy"]
    assert found["plain"] == found["mitmproxy"]
    return found["plain"]


@pytest.fixture(autouse=True)
def quiet():
    logger = logging.getLogger("llm_gateway")
    before = logger.level
    yield
    logger.setLevel(before)


@pytest.mark.parametrize(
    ("request_", "answer"),
    {
        **dict.fromkeys(product(REQUESTS, ["good"])),
        **dict.fromkeys(product(["plain"], ANSWERS)),
        **dict.fromkeys(pairs(REQUESTS, ANSWERS)),
    },
)
async def test_requests_and_answers(request_, answer, monkeypatch):
    said = [("client", REQUESTS[request_]), ("upstream", ANSWERS[answer])]
    again = [("client", CHAT), ("upstream", GOOD)]
    await same("", [*said, ("upstream", b""), *again, ("client", b"")], monkeypatch)
    await same("", [*said, *again, ("client", b""), ("upstream", b"")], monkeypatch)


@pytest.mark.parametrize("answer", ["good", "stream", "refused", "no length"])
@pytest.mark.parametrize(("deed", "request_"), pairs(DEEDS, ["plain", "no body"]))
async def test_deeds_of_the_addon(deed, request_, answer, monkeypatch):
    said = [("client", REQUESTS[request_]), ("upstream", ANSWERS[answer])]
    again = [("client", CHAT), ("upstream", GOOD)]
    await same(deed, [*said, *again], monkeypatch)
    await same(deed, [*said, ("upstream", b""), *again], monkeypatch)


async def test_the_plain_case_as_it_is_meant(monkeypatch):
    found = await same("", 2 * [("client", CHAT), ("upstream", GOOD)], monkeypatch)
    whole = [
        *("requestheaders", "request /v1/chat/completions"),
        *("responseheaders", "response 200 2"),
    ]
    assert found["hooks"] == 2 * whole
    assert found["client"] == 2 * GOOD
    assert found["upstream"] == [2 * CHAT.replace(HOST, b"upstream.example")]
    assert found["closed"] == []


@examples(150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_wherever_it_is_cut(monkeypatch, data):
    said = []
    for _ in range(2):
        for who, choices in (("client", REQUESTS), ("upstream", ANSWERS)):
            whole = choices[data.draw(st.sampled_from(sorted(choices)))]
            at = data.draw(st.lists(st.integers(1, len(whole) - 1), max_size=3))
            cuts = [0, *sorted(at), len(whole)]
            said += [(who, whole[a:b]) for a, b in pairwise(cuts) if a < b]
        if data.draw(st.integers(0, 4)) == 0:
            said.insert(
                data.draw(st.integers(0, len(said))),
                (data.draw(st.sampled_from(["client", "upstream"])), b""),
            )
    deed = data.draw(st.sampled_from(("", *DEEDS)))
    asyncio.run(same(deed, said, monkeypatch))
