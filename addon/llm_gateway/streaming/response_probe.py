"""The head of an answer, judged before it goes to the client.

While nothing of an answer has gone out, another provider can still be asked instead.
So the first events of a stream, or the whole of a plain answer, are looked at here:

    HOLD     nothing said yet: comments, pings, a role, an empty delta
    CONTENT  the model has said something (or ended without a word): let it go
    ERROR    it will say nothing: an error event, an empty stream, a broken body, a plain
             answer without an answer in it, a call that is written as text

Whether it is a stream is for its bytes to say, not for its content type. Anything unknown
counts as content once it says something, since a client may know it. What an event or an
answer of a dialect says is asked of its row. This file does not keep what it let go.
"""

import json
from collections.abc import Iterator, Mapping
from enum import Enum

from llm_gateway.dialects.call_markup import CallMarkup, Markup
from llm_gateway.dialects.provider_errors import NOTHING, ProviderError, error_in
from llm_gateway.dialects.spec import DialectSpec
from llm_gateway.streaming.large_event import objects_at
from llm_gateway.streaming.sse import BOM, SSEDecoder, SSEvent

CALL_AS_TEXT = "call as text"
"""Kind of an answer that writes its call as text: nobody's strike, and a lesson."""
BROKE_OFF = "answer broke off"
"""Kind of an answer that ended without a word, which is nobody's strike: the same request,
asked again and again, must not take the provider from others."""
MOST_HELD = 65_536
"""Bytes of a stream after which it goes out, whatever it says."""
MOST_USAGES = 64
"""Usage objects of one broken body that are read, the last ones."""

Event = Mapping[str, object]

_FIELDS = (b"data", b"event", b"id", b"retry", b":")
"""How the lines of server-sent events begin."""


class ProbeState(Enum):
    HOLD = "hold"
    CONTENT = "content"
    ERROR = "error"


class ResponseProbe:
    """One per attempt. Feed until the state is not HOLD, or finish."""

    def __init__(
        self,
        dialect: DialectSpec,
        streamed: bool,
        *,
        announced: bool = True,
        below: bool = False,
        markup: CallMarkup | None = None,
        others: bool = False,
    ) -> None:
        """`streamed`: a stream was asked for; `announced`: its content type says that it
        is one. `below`: the answer is that of a path under the dialect's own
        (`/count_tokens`), of which no more is known. `markup`: tools were declared.
        `others`: somebody else can be asked, if this one has nothing to say."""
        self.error: ProviderError | None = None
        """What the provider said, with state ERROR."""
        self.kind = ""
        """With state ERROR: `error event`, `empty stream`, `broken body`, `no answer`,
        `call as text`, `answer broke off`."""
        self.said = b""
        """With state ERROR: the JSON in which the provider says so, where there is one."""
        self.answer: Event | None = None
        """With state CONTENT: the answer that is no stream, so that it is read once."""
        self.reports: list[Event] = []
        """What was held and speaks of usage. A failed answer is billed by it."""
        self.stored_id: str | None = None
        """Of an answer that its provider keeps, once it was named."""
        self._markup = markup
        self._broken = False
        """With state HOLD: an end without a word has come."""
        self._spoke = False
        """With state HOLD: something that may be markup, or not."""
        self._stored = dialect.stored
        self._usage_key = dialect.usage_key.decode()
        self._usage_object = dialect.usage_object
        self._event_failed = dialect.event_failed
        self._answer_failed = dialect.answer_failed
        self._broke_off = dialect.broke_off if others and not below else None
        self._holds = _anything if below else dialect.holds_answer
        says = dialect.event_has_content
        self._has_content = says or bool
        self._streamed = streamed and says is not None
        self._announced = announced
        self._decoder = SSEDecoder() if self._streamed else _NO_STREAM
        self._plain: bool | None = None if self._streamed else True
        """The body is no stream; None: not known before its first byte."""
        self._head: list[bytes] = []
        self._size = 0
        self._state = ProbeState.HOLD

    def feed(self, data: bytes) -> ProbeState:
        """The state after these bytes."""
        if self._state is not ProbeState.HOLD:
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
            events = iter(self._decoder.feed(data))
            for event in events:
                if self._judge(event) is not ProbeState.HOLD:
                    self._read_on(events)
                    return self._state
        if self._streamed and self._size > MOST_HELD:
            self._state = ProbeState.CONTENT
            self._head.clear()
        return self._state

    def let_go(self) -> None:
        """The answer goes out as it is: forget what was kept of it."""
        self._head.clear()
        self._state = ProbeState.CONTENT

    @property
    def is_stream(self) -> bool:
        """Its bytes are those of server-sent events."""
        return self._plain is False

    def finish(self) -> ProbeState:
        """The state when the upstream has ended."""
        if self._state is not ProbeState.HOLD:
            return self._state
        if self._plain or (self._plain is None and not self._announced):
            return self._judge_plain(b"".join(self._head))
        events = iter(self._decoder.finish())
        for event in events:
            if self._judge(event) is not ProbeState.HOLD:
                self._read_on(events)
                return self._state
        if self._spoke:
            self._state = ProbeState.CONTENT
            return self._state
        return self._fail(BROKE_OFF if self._broken else "empty stream", NOTHING)

    def _looks_plain(self, start: bytes) -> bool | None:
        """By its first bytes; None: there are too few."""
        if not start:
            return None
        if self._announced:
            return start[:1] in (b"{", b"[", b"<")
        if start.startswith(_FIELDS):
            return False
        return None if any(field.startswith(start) for field in _FIELDS) else True

    def _judge(self, event: SSEvent) -> ProbeState:
        value = _object(event.data)
        if value is None:
            if event.event == "error":
                message = event.data[:500]
                return self._fail("error event", ProviderError(message=message))
            return self._state
        if self._usage_key in event.data:
            self.reports.append(value)
        if event.event == "error" or self._event_failed(value):
            self.said = event.data.encode("utf-8", "replace")
            return self._fail("error event", error_in(value))
        if self._stored is not None and self.stored_id is None:
            self.stored_id = self._stored.read_id(value)
        if self._broke_off is not None and not self._spoke and self._broke_off(value):
            # Some say so first, and then speak: what follows has the last word.
            self._broken = True
            return self._state
        if self._has_content(value):
            return self._speaks(event.data)
        return self._state

    def _speaks(self, data: str) -> ProbeState:
        if self._markup is None:
            self._state = ProbeState.CONTENT
            return self._state
        self._spoke = True
        match self._markup.feed(data):
            case Markup.CALL:
                return self._fail(CALL_AS_TEXT, NOTHING)
            case Markup.NONE:
                self._state = ProbeState.CONTENT
        return self._state

    def _read_on(self, events: Iterator[SSEvent]) -> None:
        """What came together with an error: its usage may stand behind it."""
        if self._state is ProbeState.CONTENT:
            return
        for event in events:
            if self._usage_key in event.data and (value := _object(event.data)):
                self.reports.append(value)

    def _judge_plain(self, body: bytes) -> ProbeState:
        self._head.clear()
        value = _object(body)
        if value is None:
            # A stream that nobody asked for, or a part of an answer.
            member = json.loads(self._usage_key)
            usages = objects_at(body, self._usage_object, MOST_USAGES)
            self.reports += ({member: usage} for usage in usages)
            return self._fail("broken body", NOTHING)
        self.reports.append(value)
        self.said = body
        if self._answer_failed(value):
            return self._fail("error event", error_in(value))
        if not self._holds(value):
            return self._fail("no answer", error_in(value))
        if self._broke_off is not None and self._broke_off(value):
            return self._fail(BROKE_OFF, NOTHING)
        if self._markup is not None:
            text = body.decode("utf-8", "replace")
            if self._markup.whole(text):
                return self._fail(CALL_AS_TEXT, NOTHING)
        self.answer, self.said = value, b""
        if self._stored is not None:
            self.stored_id = self._stored.read_id(value)
        self._state = ProbeState.CONTENT
        return self._state

    def _fail(self, kind: str, error: ProviderError) -> ProbeState:
        self.kind, self.error = kind, error
        self._state = ProbeState.ERROR
        return self._state


_NO_STREAM = SSEDecoder()
"""Of answers that are read as plain, whatever comes: nothing is fed to it."""


def _anything(_: Event) -> bool:
    return True


def _object(data: str | bytes) -> Event | None:
    """The JSON object in `data`; a list's first item, for the one who wraps errors."""
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return None
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    return value if isinstance(value, dict) else None
