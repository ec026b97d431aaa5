"""What is done per connection: the same values, and the same waiting."""

import asyncio
import uuid
from types import SimpleNamespace

import pytest
from mitmproxy import connection
from mitmproxy.connection import ConnectionState, Server

from llm_gateway.fastpath import connection_shortcuts as ours


def test_names_of_connections(monkeypatch):
    monkeypatch.setattr(connection, "uuid", ours.Ids)
    names = [Server(address=("a", 1)).id for _ in range(100)]
    assert len({str(uuid.UUID(name)) for name in names}) == 100


@pytest.mark.parametrize("how", [ours._set, ours.set_attribute])
def test_where_an_open_connection_leads_stays(how):
    server = Server(address=("api.example", 443))
    how(server, "address", ("other.example", 443))
    how(server, "sni", "api.example")
    how(server, "state", ConnectionState.OPEN)
    assert server.sni == "api.example"
    with pytest.raises(RuntimeError):
        how(server, "address", ("api.example", 443))
    with pytest.raises(RuntimeError):
        how(server, "via", ("http", ("proxy.example", 1)))
    assert server.address == ("other.example", 443)


@pytest.fixture
async def wire():
    """A writer whose peer does not read, and the handler that has it."""
    accepted = asyncio.get_running_loop().create_future()
    server = await asyncio.start_server(
        lambda reader, writer: accepted.set_result(writer), "127.0.0.1", 0
    )
    port = server.sockets[0].getsockname()[1]
    _reader, writer = await asyncio.open_connection("127.0.0.1", port)
    task = SimpleNamespace(cancelled=[])
    task.cancel = task.cancelled.append
    io = SimpleNamespace(writer=writer, handler=task)
    handler = SimpleNamespace(
        transports={"server": io, "none yet": SimpleNamespace(writer=None)},
        _drain_lock=asyncio.Lock(),
    )
    yield handler, io
    writer.transport.abort()
    (await accepted).transport.abort()
    server.close()


async def test_nobody_waits_for_what_is_sent(wire):
    handler, io = wire
    io.writer.write(b"x")
    await ours.drain_writers(handler)
    assert io.handler.cancelled == []


async def test_what_piles_up_is_waited_for(wire):
    handler, io = wire
    io.writer.transport.set_write_buffer_limits(high=0)
    while not io.writer.transport.get_write_buffer_size():
        io.writer.write(b"x" * 1_000_000)
    waiting = asyncio.ensure_future(ours.drain_writers(handler))
    also = asyncio.ensure_future(ours.drain_writers(handler))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert not waiting.done()
    assert not also.done()
    io.writer.transport.abort()
    await asyncio.wait_for(asyncio.gather(waiting, also), 10)


async def test_a_broken_connection_is_told(wire):
    handler, io = wire
    io.writer._reader.set_exception(ConnectionResetError("gone"))
    await ours.drain_writers(handler)
    assert io.handler.cancelled == ["Error sending data: gone"]
