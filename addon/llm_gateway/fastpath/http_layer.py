"""HTTP layer without generators in generators: events and commands are executed directly.

mitmproxy hands each event from layer to layer through generators in generators: a plain
request is some twenty hand-overs, each of which asks what it is, whether its receiver
waits for something, and where the answer goes. The states that do the work are a third
of that. Here the same states are run, by mitmproxy and by us, but what they ask for is
done where they ask for it: an event that one layer has for another is given to it, a hook
that waits for nothing is called, a connection that is open is taken.

What lives here: `FastHttpLayer`, on top of `transport.layer`, in place of `HttpLayer._handle_event` and
`event_to_child`. What it leaves behind between two events (who waits for what, and where)
is what mitmproxy leaves, so either may take the next one: start, injected messages, wake-up
calls and everything of a layer that is debugged go the old way. What this file does not
know: what the states do.
"""

from collections import deque
from collections.abc import Generator, Iterable
from typing import Any, cast

from mitmproxy.connection import Connection
from mitmproxy.proxy import commands, events
from mitmproxy.proxy.layer import CommandGenerator, Layer, Paused
from mitmproxy.proxy.layers.http import (
    DropStream,
    GetHttpConnection,
    GetHttpConnectionCompleted,
    HttpClient,
    HttpStream,
    RegisterHttpConnection,
    SendHttp,
)
from mitmproxy.proxy.layers.http._base import ReceiveHttp
from mitmproxy.proxy.layers.http._events import HttpEvent, RequestHeaders
from mitmproxy.proxy.layers.http._http1 import (
    Http1Client,
    Http1Server,
)
from mitmproxy.proxy.layers.modes import HttpProxy

from llm_gateway.fastpath import current_batch
from llm_gateway.transport import exception_guard
from llm_gateway.transport.attempt_policy import GatewayAttemptFailedHook
from llm_gateway.transport.layer import GatewayHttpLayer

Asked = Generator[Any, Any, None]
"""A state at work: what it asks for, until it is done."""


class FastHttpLayer(GatewayHttpLayer):
    _turn: current_batch.Batch
    _out: list[commands.Command]
    """What is to be done outside, in order."""
    _receiver: Layer
    """For whom the event is that is under way."""
    _begun: bool
    """It has begun a request."""
    _later: deque[tuple[HttpStream, events.Event]] | None = None
    """For streams that may use a connection whose state is still at work: told when it
    has come to its end."""
    _outermost: bool | None = None
    """Events come here as they are; None: none has come yet."""

    def handle_event(self, event: events.Event) -> CommandGenerator[None]:
        turn = current_batch.running
        if turn is None or self._paused or self.debug is not None:
            return super().handle_event(event)
        kind = type(event)
        command = receiver = None
        if kind is events.DataReceived or kind is events.ConnectionClosed:
            connection = cast(events.ConnectionEvent, event).connection
            receiver = self.connections.get(connection)
        elif kind is events.HookCompleted or kind is events.OpenConnectionCompleted:
            command = cast(events.CommandCompleted, event).command
            receiver = self.command_sources.get(command)
        if receiver is None or self.out_of_turn(event):
            return super().handle_event(event)
        if command is not None:
            del self.command_sources[command]
        return self._directly(receiver, event, turn)

    def out_of_turn(self, event: events.Event) -> bool:
        """Is this event one for `_handle_event`, whoever it is for?"""
        if type(event) is events.DataReceived:
            return self._is_too_much(event)
        return self._is_crowded(event)

    def _directly(
        self, receiver: Layer, event: events.Event, turn: current_batch.Batch
    ) -> CommandGenerator[None]:
        self._turn, self._out, self._receiver, self._begun = turn, [], receiver, False
        if self._outermost is None:
            self._outermost = self._is_outermost()
            if self._outermost:
                turn.bypass_outer_layers(self)
        try:
            if not self.try_fast(receiver, event):
                self._deliver_to_child(receiver, event)
        except Exception as error:
            self.broke(receiver, error)
        finally:
            # If a state failed, what was asked for before is still done.
            yield from self._out
        while self._later:
            self._out = []
            stream, put_off = self._later.popleft()
            if isinstance(put_off, events.HookCompleted):
                self.command_sources.pop(put_off.command, None)
            try:
                self._deliver_to_stream(stream, put_off)
            finally:
                yield from self._out

    def broke(self, child: Layer, error: Exception) -> None:
        """An exception came out of it: see `exception_guard`."""
        found = exception_guard.consequences(self, child, error)
        if found.close is not None:
            self._out.append(commands.CloseConnection(found.close))
        for stream, said in found.events:
            self._deliver_to_stream(stream, said)

    def _defer(self, stream: HttpStream, event: events.Event) -> None:
        if self._later is None:
            self._later = deque()
        self._later.append((stream, event))

    def try_fast(self, receiver: Layer, event: events.Event) -> bool:
        """A shorter way, if there is one for this event: see `single_segment`."""
        return False

    def _is_outermost(self) -> bool:
        """Nothing between the connection and this layer does anything to its events."""
        around = self.context.layers[: self.context.layers.index(self)]
        return [type(layer) for layer in around] == [HttpProxy]

    # events

    def _deliver_to_child(self, receiver: Layer, event: events.Event) -> None:
        if isinstance(receiver, HttpStream):
            self._deliver_to_stream(receiver, event)
        else:
            self._do_all(receiver, _steps(receiver, event))

    def _do_all(self, sender: Layer, asked: Iterable[commands.Command]) -> None:
        for command in asked:
            self._execute(sender, command)

    def _deliver_to_stream(self, stream: HttpStream, event: events.Event) -> None:
        paused = stream._paused
        try:
            if paused is None:
                self._run(stream, stream._handle_event(event))
            elif (
                isinstance(event, events.CommandCompleted)
                and event.command is paused.command
            ):
                stream._paused = None
                self._run(stream, paused.generator, event.reply)
                waiting = stream._paused_event_queue
                while waiting and stream._paused is None:
                    self._run(stream, stream._handle_event(waiting.popleft()))
            else:
                self._do_all(stream, stream.handle_event(event))
        except Exception as error:
            self.broke(stream, error)

    # commands

    def _run(self, stream: HttpStream, state: Asked, reply: object = None) -> None:
        """Until it is done, or has to wait."""
        try:
            command = state.send(reply)
            while True:
                reply = None
                if command.blocking is not True:
                    self._execute(stream, command)
                else:
                    # The outer layers do not wait, only this stream does.
                    command.blocking = stream
                    if isinstance(command, commands.StartHook):
                        if not self._turn.call_hook(command):
                            self._wait_for_hook(stream, command, state)
                            return
                        if isinstance(command, GatewayAttemptFailedHook):
                            self._wait(stream, command, state)
                            self._defer(stream, events.HookCompleted(command))
                            return
                    elif (server := self._reusable_connection(command)) is not None:
                        reply = (server, None)
                    else:
                        self._wait(stream, command, state)
                        self._execute(stream, command)
                        return
                command = state.send(reply)
        except StopIteration:
            return

    def _resume(
        self, stream: HttpStream, hook: commands.StartHook, rest: Asked, over: bool
    ) -> None:
        """A hook was called: over or not, the rest comes after it."""
        if over:
            self._run(stream, rest)
        else:
            self._wait_for_hook(stream, hook, rest)

    def _wait_for_hook(
        self, stream: HttpStream, hook: commands.StartHook, rest: Asked
    ) -> None:
        self._wait(stream, hook, rest)
        if not self._outermost:
            # Outer layers note for whom its completion will be.
            self._out.append(hook)

    def _wait(self, stream: HttpStream, command: Any, state: Asked) -> None:
        """What comes of the command will be an event."""
        stream._paused = Paused(command, state)
        self.command_sources[command] = stream

    def _execute(self, sender: Layer, command: commands.Command) -> None:
        kind = type(command)
        if kind is commands.SendData:
            self._out.append(command)
        elif kind is SendHttp:
            sent = cast(SendHttp, command)
            self._deliver_to_child(self.connections[sent.connection], sent.event)
        elif kind is ReceiveHttp:
            self._receive(cast(ReceiveHttp, command).event)
        elif kind is DropStream:
            self.streams.pop(cast(DropStream, command).stream_id, None)
        else:
            self._execute_rare(sender, command)

    def _receive(self, event: HttpEvent) -> None:
        put_off = False
        if type(event) is RequestHeaders:
            self._out += self.make_stream(event.stream_id)
            # One client asks for one thing at a time; and what it asked for next, before
            # the answer was there, is begun when the upstream's state is done with that.
            client = self.connections[self.context.client]
            put_off = type(client) is Http1Server and (
                self._begun or client is not self._receiver
            )
            self._begun = True
        # A stream that is over may still be sent something.
        stream = self.streams.get(event.stream_id)
        if stream is None:
            return
        if put_off or (self._later and any(stream is one for one, _ in self._later)):
            self._defer(stream, event)
        else:
            self._deliver_to_stream(stream, event)

    def _execute_rare(self, sender: Layer, command: commands.Command) -> None:
        if command.blocking or isinstance(command, commands.RequestWakeup):
            self.command_sources[command] = sender
        if isinstance(command, GetHttpConnection):
            self._out += self.get_connection(command)
        elif isinstance(command, RegisterHttpConnection):
            self.registered(command)
        elif isinstance(command, commands.OpenConnection):
            self.connections[command.connection] = sender
            self._out.append(command)
        else:
            self._out.append(command)

    # connections

    def _reusable_connection(self, wanted: commands.Command) -> Connection | None:
        """A connection that is open and free to be asked. None: mitmproxy sees to it."""
        if (
            not isinstance(wanted, GetHttpConnection)
            or self.context.client.alpn == b"h2"
        ):
            return None
        for connection in self.connections:
            if wanted.connection_spec_matches(connection):
                if (
                    connection in self.waiting_for_establishment
                    or connection.error
                    or not connection.connected
                ):
                    return None
                return connection
        return None

    def registered(self, command: RegisterHttpConnection) -> None:
        self._note_server(command)
        if self.context.client.alpn == b"h2":
            self._out += self.register_connection(command)
            return
        reply = (None, command.err) if command.err else (command.connection, None)
        for wanted in self.waiting_for_establishment.pop(command.connection):
            stream = cast(HttpStream, self.command_sources.pop(wanted))
            self._deliver_to_stream(stream, GetHttpConnectionCompleted(wanted, reply))


def _steps(receiver: Any, event: events.Event) -> Iterable[commands.Command]:
    """HTTP/1 connections never wait: their states can be asked directly."""
    kind = type(receiver)
    if kind is HttpClient and receiver._paused is None:
        inner = receiver.child_layer
        if type(inner) is Http1Client:
            receiver, kind = inner, Http1Client
    if kind is Http1Server or kind is Http1Client:
        steps: Iterable[commands.Command] = receiver._handle_event(event)
    else:
        steps = receiver.handle_event(event)
    return steps
