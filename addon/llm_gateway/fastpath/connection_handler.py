"""The proxy's event loop for one connection, with hooks answered in place.

mitmproxy starts a task for every hook; the task waits for the lock that the event which
asked for the hook still holds, and comes round with the next turn of the loop. Most hooks
wait for nothing: here their handlers are called at once, and their completion is the next
event, under the same lock. Only a handler that has to be awaited gets a task. And what is
to be sent to one peer in the course of one event (the head of a message, its body) goes
out in one piece.

`server_event` takes the place of mitmproxy's in `ProxyConnectionHandler`, the handler of
real clients, where its text is one that we know (mitm_compat).
"""

import asyncio
import dataclasses
import functools
import logging
import time
from collections.abc import Coroutine
from typing import Any, cast

from mitmproxy.connection import Connection, ConnectionState
from mitmproxy.flow import Flow
from mitmproxy.proxy import commands, events
from mitmproxy.proxy.layer import Layer
from mitmproxy.proxy.mode_servers import ProxyConnectionHandler
from mitmproxy.proxy.server import ConnectionHandler, ConnectionIO
from mitmproxy.utils import asyncio_utils

from llm_gateway.fastpath import current_batch
from llm_gateway.fastpath.hook_dispatch import HookDispatcher
from llm_gateway.fastpath.replacing import replace
from llm_gateway.transport.exception_guard import place

JOINED = 65536
"""Pieces are put together up to this many bytes: beyond, copying costs more than a call."""

_LEADS_TO = "_llm_gateway_leads_to"
"""Where a handler keeps the layer that all outer ones would only pass its events to."""

_handle_hook = ProxyConnectionHandler.handle_hook

_TASKS: set[asyncio.Task[None]] = set()
"""The loop keeps only weak references to its tasks."""


def install() -> None:
    """Put `server_event` and `handle_hook` in place, once per process; where `HOOKS` is
    known (mitm_compat)."""
    replace(ProxyConnectionHandler, "server_event", server_event)
    replace(ProxyConnectionHandler, "handle_hook", handle_hook)


async def server_event(self: ProxyConnectionHandler, event: events.Event) -> None:
    dispatch = self.master.addons.trigger_event
    if not isinstance(dispatch, HookDispatcher):
        return await ConnectionHandler.server_event(self, event)
    # Not `async with`, which takes two more coroutines.
    await self._server_event_lock.acquire()
    try:
        # No `await` beyond this point.
        self.timeout_watchdog.last_activity = time.time()
        EventBatch(self, dispatch).run(event)
    except Exception as error:
        # Without its words, which may hold headers.
        self.log(f"mitmproxy has crashed! {place(error)}", logging.ERROR)
        # Nobody will answer here any more: better that the client knows.
        client = self.transports.get(self.client)
        if client is not None and client.handler is not None:
            self.close_connection(self.client)
    finally:
        self._server_event_lock.release()


async def handle_hook(self: ProxyConnectionHandler, hook: commands.StartHook) -> None:
    """The hooks of connections: most have no listener that waits."""
    dispatch = self.master.addons.trigger_event
    if not isinstance(dispatch, HookDispatcher):
        return await _handle_hook(self, hook)
    kind: Any = type(hook)
    data = getattr(hook, _argument(kind))
    rest = dispatch.start(hook.name, data)
    if rest is None and not isinstance(data, Flow):
        self.timeout_watchdog.last_activity = time.time()
        return None
    with self.timeout_watchdog.disarm():
        if rest is not None:
            await rest
        if isinstance(data, Flow):
            await cast(Any, data).wait_for_resume()
    return None


@functools.cache
def _argument(kind: Any) -> str:
    """The name of the one field that hooks of the proxy have."""
    (field,) = dataclasses.fields(kind)
    return field.name


class EventBatch:
    """One event and all that follows from it without waiting."""

    __slots__ = ("begun", "completed", "dispatch", "handler", "pieces", "to")

    def __init__(
        self, handler: ProxyConnectionHandler, dispatch: HookDispatcher
    ) -> None:
        self.handler = handler
        self.dispatch = dispatch
        self.completed: list[events.Event] = []
        """Hooks that are done, to be told to the layers."""
        self.begun: set[commands.StartHook] = set()
        """Hooks that a layer had called, and that are not over."""
        self.to: Connection | None = None
        self.pieces: list[bytes] = []
        """What is to be sent, and whereto."""

    def run(self, event: events.Event) -> None:
        handler = self.handler
        before, current_batch.running = current_batch.running, self
        try:
            while True:
                layer = handler.__dict__.get(_LEADS_TO) or handler.layer
                for command in layer.handle_event(event):
                    if type(command) is commands.SendData:
                        if command.connection is not self.to:
                            self.flush()
                            self.to = command.connection
                        self.pieces.append(command.data)
                    elif isinstance(command, commands.StartHook):
                        self.hook(command)
                    elif isinstance(command, commands.Log):
                        handler.log(command.message, command.level)
                    else:
                        self.flush()
                        self.execute(command)
                if not self.completed:
                    break
                event = self.completed.pop(0)
        finally:
            current_batch.running = before
            self.flush()

    def flush(self) -> None:
        if not self.pieces:
            return
        pieces, self.pieces = self.pieces, []
        assert self.to is not None
        io = self.handler.transports.get(self.to)
        # Without io the connection has been closed. A writer is there once it is open.
        if io is None or io.writer is None or io.writer.is_closing():
            return
        if self.to.state is ConnectionState.CLOSED:
            return  # a moment ago: what comes after the last word is not said
        if len(pieces) == 1:
            io.writer.write(pieces[0])
        elif sum(map(len, pieces)) <= JOINED:
            io.writer.write(b"".join(pieces))
        else:
            pieces.reverse()
            while pieces:  # each is forgotten once the transport has it
                io.writer.write(pieces.pop())

    def hook(self, command: commands.StartHook) -> None:
        if command in self.begun:
            return
        if self.call_hook(command) and command.blocking:
            self.completed.append(events.HookCompleted(command))

    def call_hook(self, command: commands.StartHook) -> bool:
        """Call a hook. True: it is over; False: its completion will be an event."""
        kind: Any = type(command)
        data = getattr(command, _argument(kind))
        rest = self.dispatch.start(command.name, data)
        if rest is None and not getattr(data, "intercepted", False):
            return True
        self.flush()
        waiting = _Waiting(self.handler, command, data, rest)
        task = _start(waiting.run(), f"handle_hook({command.name})", self.handler)
        waiting.alone = True
        if not task.done():
            _TASKS.add(task)
            task.add_done_callback(_TASKS.discard)
        if not waiting.done:
            self.begun.add(command)
        return waiting.done

    def bypass_outer_layers(self, layer: Layer) -> None:
        """From now on, give all events of this connection to this layer."""
        self.handler.__dict__[_LEADS_TO] = layer

    def execute(self, command: commands.Command) -> None:
        """As mitmproxy does it."""
        handler = self.handler
        if isinstance(command, commands.OpenConnection):
            assert command.connection not in handler.transports
            task = _start(
                handler.open_connection(command),
                f"server connection handler {command.connection.address}",
                handler,
            )
            handler.transports[command.connection] = ConnectionIO(handler=task)
        elif isinstance(command, commands.RequestWakeup):
            task = _start(
                handler.wakeup(command), f"wakeup timer ({command.delay:.1f}s)", handler
            )
            handler.wakeup_timer.add(task)
        elif not isinstance(command, commands.ConnectionCommand):
            raise RuntimeError(f"Unexpected command: {command}")
        elif command.connection not in handler.transports:
            pass  # The connection has already been closed.
        elif isinstance(command, commands.CloseTcpConnection):
            handler.close_connection(command.connection, command.half_close)
        elif isinstance(command, commands.CloseConnection):
            handler.close_connection(command.connection, False)
        else:
            raise RuntimeError(f"Unexpected command: {command}")


class _Waiting:
    """A hook with a handler that is awaited: it completes here or, later, on its own."""

    def __init__(
        self,
        handler: ProxyConnectionHandler,
        command: commands.StartHook,
        data: Any,
        rest: Coroutine[Any, Any, None] | None,
    ) -> None:
        self.handler = handler
        self.command = command
        self.flow: Any = data if isinstance(data, Flow) else None
        self.rest = rest
        self.done = False
        self.alone = False
        """The turn that asked has ended: the layers have to be told from here."""

    async def run(self) -> None:
        with self.handler.timeout_watchdog.disarm():
            if self.rest is not None:
                await self.rest
            if (flow := self.flow) is not None:
                await flow.wait_for_resume()
        self.done = True
        if self.alone and self.command.blocking:
            await self.handler.server_event(events.HookCompleted(self.command))


def _start(
    coroutine: Coroutine[Any, Any, None], name: str, handler: ProxyConnectionHandler
) -> asyncio.Task[None]:
    """A task, started at once where tasks are eager (Python 3.12 and newer)."""
    task = asyncio.create_task(coroutine)
    asyncio_utils.set_task_debug_info(task, name=name, client=handler.client.peername)
    return task
