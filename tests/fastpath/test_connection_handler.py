"""Hooks answered in place: the same events in the same order as mitmproxy's own way.

Each transcript runs twice, with mitmproxy's `server_event` and with ours, and both have
to give the literal result.
"""

import asyncio
import logging

import pytest
from mitmproxy.connection import ConnectionState, Server
from mitmproxy.options import Options
from mitmproxy.proxy import commands, events, mode_specs
from mitmproxy.proxy.layers.http import HttpRequestHook, HttpResponseHook
from mitmproxy.proxy.mode_servers import ProxyConnectionHandler
from mitmproxy.proxy.server import ConnectionHandler, ConnectionIO
from mitmproxy.test import tflow
from mitmproxy.tools.dump import DumpMaster

from llm_gateway.fastpath import connection_handler as ours
from llm_gateway.fastpath import hook_dispatch


@pytest.fixture
async def master():
    root = logging.getLogger()
    before = list(root.handlers)
    master = DumpMaster(Options(), with_termlog=False, with_dumper=False)
    yield master
    await master.done()
    root.handlers[:] = before


class Wire:
    """A StreamWriter that remembers."""

    def __init__(self):
        self.sent = b""
        self.calls = 0
        self.closing = False

    def get_extra_info(self, name, default=None):
        known = {"peername": ("127.0.0.1", 1), "sockname": ("127.0.0.1", 2)}
        return known.get(name, default)

    def write(self, data):
        self.sent += data
        self.calls += 1

    def write_eof(self):
        self.sent += b"<eof>"

    def is_closing(self):
        return self.closing


class Script:
    """A layer: for each event, what it yields; and what it was told, in order."""

    def __init__(self, **lines):
        self.lines = lines
        self.told = []

    def handle_event(self, event):
        name = type(event).__name__
        if isinstance(event, events.HookCompleted):
            name = f"after_{event.command.name}"
        self.told.append(name)
        for command in self.lines.get(name, ()):
            if isinstance(command, Exception):
                raise command
            yield command


@pytest.fixture(params=["mitmproxy", "ours"])
def talk(request, master):
    """(script, *addons) -> handler whose client is a Wire."""
    way = {"mitmproxy": ConnectionHandler.server_event, "ours": ours.server_event}

    def start(script, *addons):
        master.addons.add(*addons)
        if request.param == "ours":
            hook_dispatch.install(master.addons)
        mode = mode_specs.ProxyMode.parse("regular")
        handler = ProxyConnectionHandler(master, None, Wire(), master.options, mode)
        handler.layer = script
        handler.wire = handler.transports[handler.client].writer
        handler.tell = lambda event: way[request.param](handler, event)
        handler.server_event = handler.tell
        return handler

    return start


async def settle():
    """Until nothing that is under way can go on by itself."""
    for _ in range(10):
        await asyncio.sleep(0)


class Sync:
    def __init__(self, heard, name="sync"):
        self.heard, self.name = heard, name

    def request(self, flow):
        self.heard.append(f"{self.name} request")

    def response(self, flow):
        self.heard.append(f"{self.name} response")


class Async(Sync):
    def __init__(self, heard, name="async", until=None):
        super().__init__(heard, name)
        self.until = until

    async def request(self, flow):
        self.heard.append(f"{self.name} request")
        if self.until:
            await self.until.wait()
            self.heard.append(f"{self.name} request, later")


async def test_a_hook_that_waits_for_nothing(talk):
    heard, flow = [], tflow.tflow()
    script = Script(
        Start=[HttpRequestHook(flow)], after_request=[HttpResponseHook(flow)]
    )
    handler = talk(script, Sync(heard, "a"), Async(heard, "b"), Sync(heard, "c"))
    await handler.tell(events.Start())
    await settle()
    assert script.told == ["Start", "after_request", "after_response"]
    assert heard == [
        *("a request", "b request", "c request"),
        *("a response", "b response", "c response"),
    ]


async def test_while_a_hook_waits_other_events_pass(talk):
    heard, flow, until = [], tflow.tflow(), asyncio.Event()
    script = Script(Start=[HttpRequestHook(flow)])
    handler = talk(script, Async(heard, "a", until), Sync(heard, "b"))
    await handler.tell(events.Start())
    await settle()
    assert heard == ["a request"]
    await handler.tell(events.DataReceived(handler.client, b"x"))
    assert script.told == ["Start", "DataReceived"]
    until.set()
    await settle()
    assert script.told == ["Start", "DataReceived", "after_request"]
    assert heard == ["a request", "a request, later", "b request"]


async def test_a_flow_that_is_held_goes_on_when_it_is_released(talk):
    flow = tflow.tflow()
    flow.intercept()
    script = Script(Start=[HttpRequestHook(flow)])
    handler = talk(script)
    await handler.tell(events.Start())
    await settle()
    assert script.told == ["Start"]
    flow.resume()
    await settle()
    assert script.told == ["Start", "after_request"]


class Broken:
    def request(self, flow):
        raise ValueError("broke")


class BrokenLater:
    async def request(self, flow):
        await asyncio.sleep(0)
        raise ValueError("broke")


@pytest.mark.parametrize("broken", [Broken, BrokenLater])
async def test_a_handler_that_raises_stops_nobody(talk, caplog, broken):
    heard, flow = [], tflow.tflow()
    script = Script(Start=[HttpRequestHook(flow)])
    handler = talk(script, broken(), Sync(heard, "b"))
    await handler.tell(events.Start())
    await settle()
    assert script.told == ["Start", "after_request"]
    assert heard == ["b request"]
    errors = [r.getMessage() for r in caplog.records if r.levelno == logging.ERROR]
    assert "Addon error: broke" in errors


async def test_what_is_sent_arrives_in_order_across_hooks(talk):
    flow = tflow.tflow()
    script = Script()
    handler = talk(script)
    send = [commands.SendData(handler.client, bytes([65 + i])) for i in range(6)]
    script.lines["Start"] = [send[0], send[1], HttpRequestHook(flow), send[2]]
    script.lines["after_request"] = [send[3], HttpResponseHook(flow), send[4]]
    script.lines["after_response"] = [send[5]]
    await handler.tell(events.Start())
    await settle()
    assert handler.wire.sent == b"ABCDEF"


async def test_two_peers_get_each_their_own(talk):
    script = Script()
    handler = talk(script)
    server = Server(address=("127.0.0.1", 3))
    server.state = ConnectionState.OPEN
    upstream = Wire()
    handler.transports[server] = ConnectionIO(writer=upstream)
    script.lines["Start"] = [
        commands.SendData(handler.client, b"c1"),
        commands.SendData(server, b"s1"),
        commands.SendData(handler.client, b"c2"),
        commands.SendData(server, b"s2"),
    ]
    await handler.tell(events.Start())
    assert (handler.wire.sent, upstream.sent) == (b"c1c2", b"s1s2")


async def test_a_large_body_is_not_copied(master):
    script, mode = Script(), mode_specs.ProxyMode.parse("regular")
    hook_dispatch.install(master.addons)
    handler = ProxyConnectionHandler(master, None, Wire(), master.options, mode)
    handler.layer, wire = script, handler.transports[handler.client].writer
    small = [
        commands.SendData(handler.client, b"head"),
        commands.SendData(handler.client, b"b"),
    ]
    large = [
        commands.SendData(handler.client, b"head"),
        commands.SendData(handler.client, b"b" * ours.JOINED),
    ]
    script.lines["Start"] = small
    await ours.server_event(handler, events.Start())
    assert wire.calls == 1
    script.lines["Start"] = large
    await ours.server_event(handler, events.Start())
    assert wire.calls == 3


async def test_half_a_close_comes_after_what_was_sent(talk):
    script = Script()
    handler = talk(script)
    script.lines["Start"] = [
        commands.SendData(handler.client, b"last"),
        commands.CloseTcpConnection(handler.client, half_close=True),
    ]
    await handler.tell(events.Start())
    assert handler.wire.sent == b"last<eof>"
    assert handler.client.state is ConnectionState.CAN_READ


async def test_nothing_is_sent_to_who_is_gone(talk):
    script = Script()
    handler = talk(script)
    gone = Server(address=("127.0.0.1", 3))
    script.lines["Start"] = [
        commands.SendData(gone, b"x"),
        commands.CloseConnection(gone),
        commands.SendData(handler.client, b"y"),
    ]
    handler.wire.closing = True
    await handler.tell(events.Start())
    assert handler.wire.sent == b""
    assert script.told == ["Start"]


async def test_a_layer_that_breaks_is_logged_and_the_next_event_comes(talk, caplog):
    script = Script()
    handler = talk(script)
    send = commands.SendData(handler.client, b"before")
    script.lines["Start"] = [send, ValueError("no such state")]
    await handler.tell(events.Start())
    await handler.tell(events.DataReceived(handler.client, b"x"))
    assert handler.wire.sent == b"before"
    assert script.told == ["Start", "DataReceived"]
    said = [r.getMessage() for r in caplog.records]
    assert any(line.startswith("mitmproxy has crashed!") for line in said)


async def test_log_lines_pass(talk, caplog):
    caplog.set_level(logging.INFO)
    script = Script(Start=[commands.Log("hello", logging.INFO)])
    await talk(script).tell(events.Start())
    assert [r.getMessage() for r in caplog.records] == ["hello"]


async def test_a_wakeup_comes(talk):
    request = commands.RequestWakeup(0)
    script = Script(Start=[request])
    handler = talk(script)
    await handler.tell(events.Start())
    assert len(handler.wakeup_timer) == 1
    await asyncio.gather(*handler.wakeup_timer)
    assert script.told == ["Start", "Wakeup"]
    assert not handler.wakeup_timer
