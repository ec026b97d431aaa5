"""The head of an answer, judged before it goes to the client.

While nothing of an answer has gone out, another provider can still be asked instead.
So the first events of a stream, or the whole of a plain answer, are looked at here:

    HOLD     nothing said yet: comments, pings, a role, an empty delta
    CONTENT  the model has said something (or ended without a word): let it go
    ERROR    it will say nothing: an error event, an empty stream, a broken body

Anything unknown counts as content once it says something, since a client may know it.
What an event or an answer of a dialect says is asked of its row. This file does not keep
what it let go.
"""

import json
from collections.abc import Mapping
from enum import Enum

from llm_gateway.dialects.provider_errors import NOTHING, ProviderError, error_in
from llm_gateway.dialects.spec import DialectSpec
from llm_gateway.sse import SSEDecoder, SSEvent

MOST_HELD = 65_536
"""Bytes of a stream after which it goes out, whatever it says."""

Event = Mapping[str, object]


class PeekState(Enum):
    HOLD = "hold"
    CONTENT = "content"
    ERROR = "error"


class Peek:
    """One per attempt. Feed until the state is not HOLD, or finish."""

    def __init__(self, dialect: DialectSpec, streamed: bool) -> None:
        self.error: ProviderError | None = None
        """What the provider said, with state ERROR."""
        self.kind = ""
        """With state ERROR: `error event`, `empty stream` or `broken body`."""
        self.answer: Event | None = None
        """With state CONTENT: the answer that is no stream, so that it is read once."""
        self._event_failed = dialect.event_failed
        self._answer_failed = dialect.answer_failed
        says = dialect.event_has_content
        self._has_content = says or bool
        self._streamed = streamed and says is not None
        self._decoder = SSEDecoder()
        self._plain: bool | None = None if self._streamed else True
        """The body is no stream; None: not known before its first byte."""
        self._head: list[bytes] = []
        self._size = 0
        self._state = PeekState.HOLD

    def feed(self, data: bytes) -> PeekState:
        """The state after these bytes."""
        if self._state is not PeekState.HOLD:
            return self._state
        self._size += len(data)
        if self._plain is None and (start := data.lstrip()):
            self._plain = start[:1] in (b"{", b"[", b"<")
        if self._plain:
            self._head.append(data)
        else:
            for event in self._decoder.feed(data):
                if self._judge(event) is not PeekState.HOLD:
                    return self._state
        if self._streamed and self._size > MOST_HELD:
            self._state = PeekState.CONTENT
            self._head.clear()
        return self._state

    def let_go(self) -> None:
        """The answer goes out as it is: forget what was kept of it."""
        self._head.clear()
        self._state = PeekState.CONTENT

    def finish(self) -> PeekState:
        """The state when the upstream has ended."""
        if self._state is not PeekState.HOLD:
            return self._state
        if self._plain:
            return self._judge_plain(b"".join(self._head))
        for event in self._decoder.finish():
            if self._judge(event) is not PeekState.HOLD:
                return self._state
        return self._fail("empty stream", NOTHING)

    def _judge(self, event: SSEvent) -> PeekState:
        value = _object(event.data)
        if value is None:
            if event.event == "error":
                message = event.data[:500]
                return self._fail("error event", ProviderError(message=message))
            return self._state
        if event.event == "error" or self._event_failed(value):
            return self._fail("error event", error_in(value))
        if self._has_content(value):
            self._state = PeekState.CONTENT
        return self._state

    def _judge_plain(self, body: bytes) -> PeekState:
        self._head.clear()
        value = _object(body)
        if value is None:
            return self._fail("broken body", NOTHING)
        if self._answer_failed(value):
            return self._fail("error event", error_in(value))
        self.answer = value
        self._state = PeekState.CONTENT
        return self._state

    def _fail(self, kind: str, error: ProviderError) -> PeekState:
        self.kind, self.error = kind, error
        self._state = PeekState.ERROR
        return self._state


def _object(data: str | bytes) -> Event | None:
    """The JSON object in `data`; a list's first item, for the one who wraps errors."""
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return None
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    return value if isinstance(value, dict) else None
