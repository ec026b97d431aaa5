"""The head of an answer, judged before it goes to the client.

While nothing of an answer has gone out, another provider can still be asked instead.
So the first events of a stream, or the whole of a plain answer, are looked at here:

    HOLD     nothing said yet: comments, pings, a role, an empty delta
    CONTENT  the model has said something (or ended without a word): let it go
    ERROR    it will say nothing: an error event, an empty stream, a broken body, a plain
             answer without an answer in it

Whether it is a stream is for its bytes to say, not for its content type. Anything unknown
counts as content once it says something, since a client may know it.
This file knows shapes of answers, not providers, and does not keep what it let go.
"""

import json
from collections.abc import Callable, Mapping
from enum import Enum

from llm_gateway.dialects.provider_errors import NOTHING, ProviderError, error_in
from llm_gateway.exchange import Dialect
from llm_gateway.sse import BOM, SSEDecoder, SSEvent

MOST_HELD = 65_536
"""Bytes of a stream after which it goes out, whatever it says."""

Event = Mapping[str, object]

_FIELDS = (b"data", b"event", b"id", b"retry", b":")
"""How the lines of server-sent events begin."""


class PeekState(Enum):
    HOLD = "hold"
    CONTENT = "content"
    ERROR = "error"


class Peek:
    """One per attempt. Feed until the state is not HOLD, or finish."""

    def __init__(
        self,
        dialect: Dialect,
        streamed: bool,
        *,
        announced: bool = True,
        below: bool = False,
    ) -> None:
        """`streamed`: a stream was asked for; `announced`: its content type says that it
        is one. `below`: the answer is that of a path under the dialect's own
        (`/count_tokens`), of which no more is known."""
        self.error: ProviderError | None = None
        """What the provider said, with state ERROR."""
        self.kind = ""
        """With state ERROR: `error event`, `empty stream`, `broken body`, `no answer`."""
        self.answer: Event | None = None
        """With state CONTENT: the answer that is no stream, so that it is read once."""
        self._dialect = dialect
        self._holds = _anything if below else _HOLDS[dialect]
        self._streamed = streamed and dialect in _SAYS
        self._announced = announced
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
        if self._plain is None:
            self._head.append(data)
            data = b"".join(self._head)
            if not BOM.startswith(data):
                self._plain = self._looks_plain(data.removeprefix(BOM).lstrip())
            if self._plain is not None:
                self._head.clear()
        if self._plain:
            self._head.append(data)
        elif self._plain is False:
            for event in self._decoder.feed(data):
                if self._judge(event) is not PeekState.HOLD:
                    return self._state
        if self._streamed and self._size > MOST_HELD:
            self._state = PeekState.CONTENT
            self._head.clear()
        return self._state

    @property
    def is_stream(self) -> bool:
        """Its bytes are those of server-sent events."""
        return self._plain is False

    def finish(self) -> PeekState:
        """The state when the upstream has ended."""
        if self._state is not PeekState.HOLD:
            return self._state
        if self._plain or (self._plain is None and not self._announced):
            return self._judge_plain(b"".join(self._head))
        for event in self._decoder.finish():
            if self._judge(event) is not PeekState.HOLD:
                return self._state
        return self._fail("empty stream", NOTHING)

    def _looks_plain(self, start: bytes) -> bool | None:
        """By its first bytes; None: there are too few."""
        if not start:
            return None
        if self._announced:
            return start[:1] in (b"{", b"[", b"<")
        if start.startswith(_FIELDS):
            return False
        return None if any(field.startswith(start) for field in _FIELDS) else True

    def _judge(self, event: SSEvent) -> PeekState:
        value = _object(event.data)
        if value is None:
            if event.event == "error":
                message = event.data[:500]
                return self._fail("error event", ProviderError(message=message))
            return self._state
        if event.event == "error" or is_error(value) or broke_off(value):
            return self._fail("error event", error_in(value))
        if _SAYS[self._dialect](value):
            self._state = PeekState.CONTENT
        return self._state

    def _judge_plain(self, body: bytes) -> PeekState:
        self._head.clear()
        value = _object(body)
        if value is None:
            return self._fail("broken body", NOTHING)
        if is_error(value) or broke_off(value):
            return self._fail("error event", error_in(value))
        if not self._holds(value):
            return self._fail("no answer", error_in(value))
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


def is_error(value: Event) -> bool:
    """An error, as an answer of its own or as an event of a stream."""
    return bool(
        value.get("error")
        or value.get("object") == "error"
        or value.get("type") in ("error", "response.failed")
        or value.get("success") is False
    )


_BROKEN = frozenset({"error", "network_error"})
"""Ends of a choice that its upstream left: OpenRouter's, Z.ai's."""


def broke_off(event: Event) -> bool:
    """A choice that ended because something broke."""
    return any(choice.get("finish_reason") in _BROKEN for choice in _choices(event))


def _choices(event: Event) -> list[Event]:
    choices = event.get("choices")
    if not isinstance(choices, list):
        return []
    return [choice for choice in choices if isinstance(choice, dict)]


def _chat_says(event: Event) -> bool:
    for choice in _choices(event):
        if choice.get("finish_reason") or choice.get("text") or choice.get("message"):
            return True
        delta = choice.get("delta")
        if isinstance(delta, dict) and any(v for k, v in delta.items() if k != "role"):
            return True
    return False


def _messages_say(event: Event) -> bool:
    kind = event.get("type")
    if kind == "content_block_start":
        block = event.get("content_block")
        # A text or thinking block starts empty; a tool's has its name.
        return isinstance(block, dict) and any(
            v for k, v in block.items() if k not in ("type", "signature")
        )
    if kind == "content_block_delta":
        delta = event.get("delta")
        return isinstance(delta, dict) and any(
            v for k, v in delta.items() if k != "type"
        )
    return kind not in ("message_start", "ping", "content_block_stop")


_SILENT = frozenset(
    {
        "response.created",
        "response.in_progress",
        "response.queued",
        "response.content_part.added",
        "response.reasoning_summary_part.added",
    }
)


def _responses_say(event: Event) -> bool:
    kind = event.get("type")
    if not isinstance(kind, str) or kind in _SILENT:
        return False
    if kind.endswith(".delta"):
        return bool(event.get("delta"))
    if kind in ("response.output_item.added", "response.output_item.done"):
        item = event.get("item")
        kind = item.get("type") if isinstance(item, dict) else None
        return kind not in ("message", "reasoning")
    return True


_SAYS: Mapping[Dialect, Callable[[Event], bool]] = {
    Dialect.CHAT: _chat_says,
    Dialect.COMPLETIONS: _chat_says,
    Dialect.RESPONSES: _responses_say,
    Dialect.MESSAGES: _messages_say,
}


# Whether a plain answer holds an answer. A model that ended without a word has answered,
# as has one that refused; a body without a place for an answer has not.


def _anything(_: Event) -> bool:
    return True


def _chat_holds(answer: Event) -> bool:
    return any(
        choice.get("finish_reason")
        or isinstance(choice.get("message"), dict)
        or isinstance(choice.get("text"), str)
        for choice in _choices(answer)
    )


def _embeddings_hold(answer: Event) -> bool:
    data = answer.get("data")
    if not isinstance(data, list) or not data:
        return False
    return not isinstance(data[0], dict) or bool(data[0].get("embedding"))


def _messages_hold(answer: Event) -> bool:
    content = answer.get("content")
    return bool(isinstance(content, list) and content) or bool(
        answer.get("stop_reason")
    )


_UNFINISHED = frozenset({"incomplete", "in_progress", "queued", "cancelled"})


def _responses_hold(answer: Event) -> bool:
    if answer.get("status") == "failed":
        return False
    output = answer.get("output")
    return bool(isinstance(output, list) and output) or (
        answer.get("status") in _UNFINISHED
    )


_HOLDS: Mapping[Dialect, Callable[[Event], bool]] = {
    Dialect.CHAT: _chat_holds,
    Dialect.COMPLETIONS: _chat_holds,
    Dialect.EMBEDDINGS: _embeddings_hold,
    Dialect.RESPONSES: _responses_hold,
    Dialect.MESSAGES: _messages_hold,
}
