"""Chat streams on their way to a client: mended where SDKs would break, calls kept.

Events are looked at as raw bytes first. Parsed are those with calls, a role, a list as
content, a whole message, another choice than the first, or the end; those with thoughts are
held until a call was made, and parsed only then. All others pass as they came.
"""

import re
from collections.abc import Mapping

from llm_gateway.dialects.answer_observer import (
    MOST_HELD,
    Answered,
    MendedEvent,
    as_bytes,
    object_of,
    objects,
    parsed,
    with_members,
)
from llm_gateway.dialects.chat.call_fragments import Call, CallFragments
from llm_gateway.dialects.chat.event_shape import (
    ARGUMENTS,
    TEXT,
    THOUGHTS,
    EventShape,
    shape_of,
)
from llm_gateway.dialects.chat.kept import beside
from llm_gateway.dialects.chat.mend import message_frame, one_choice, text_content

Json = Mapping[str, object]
Object = dict[str, object]

_ODD = re.compile(
    rb'"tool_calls"\s*:\s*\[\s*\{|"content"\s*:\s*\[|"message"\s*:\s*\{'
    rb'|"index"\s*:\s*[1-9]|"finish_reason"\s*:\s*"'
).search
"""What an event has that has to be parsed. In a text each quote has a backslash before it."""
_ROLE = re.compile(
    rb',\s*"role"\s*:\s*(?:"[^"\\]*"|null)(?=\s*[},])'
    rb'|(?<=\{)\s*"role"\s*:\s*(?:"[^"\\]*"|null)\s*(?:,\s*|(?=\}))'
)
"""A role, with the comma that goes with it."""
_DONE = b"[DONE]"
_NEVER = b"\0"
"""What no event begins with."""
_MOST_SHAPES = 100
"""Shapes that are learned of one stream: beyond, its envelope changes too often."""
_HEAD: Json = {"object": "chat.completion.chunk"}


class ChatStream:
    """See `StreamObserver`."""

    def __init__(self, asked: Answered) -> None:
        self.mended: set[str] = set()
        self._asked = asked
        self._calls: dict[int, CallFragments] = {}
        """By the index of their choice."""
        self._roles: set[int] = set()
        """Choices that have said a role."""
        self._finished = False
        self._thoughts: list[bytes] = []
        self._held = 0
        self._head = _HEAD
        """What an event of this stream says beside its choices."""
        self._told = 0
        self._text: EventShape | None = None
        self._before = self._behind = _NEVER
        self._start = self._rest = 0
        self._thought: EventShape | None = None
        self._argument: tuple[EventShape, Call] | None = None
        self._learns = _MOST_SHAPES

    def text_in(self, events: bytes) -> int:
        # The event of which there are hundreds: no quote but the one that ends its text.
        if events.startswith(self._before) and events.endswith(self._behind):
            end = len(events) - self._rest
            if events.find(b'"', self._start) == end:
                return end - self._start
        return -1

    def wants(self, events: bytes) -> bool:
        if self.text_in(events) >= 0:
            return False
        shape = self._text
        if shape is not None and shape.string_in(events) is not None:
            return False
        if self._argument is not None:
            shape, call = self._argument
            if (piece := shape.string_in(events)) is not None:
                call.pieces.append(piece)
                return False
        shape = self._thought
        if shape is not None and shape.string_in(events) is not None:
            self._hold(events)
            return False
        if self._is_odd(events):
            return True
        if self._learns:
            self._learns -= 1
            self._learn_text(events)
        return False

    def _learn_text(self, events: bytes) -> None:
        begins = TEXT(events)
        self._text = shape_of(events, begins)
        if self._text is None or begins is None:
            return
        self._before, self._start = self._text.before, begins.end()
        self._behind = events[events.find(self._text.behind, self._start) - 1 :]
        self._rest = len(self._behind)

    def _is_odd(self, events: bytes) -> bool:
        # Each of these is a search in C: less than one regular expression for all.
        return (
            b'"role"' in events
            or b'"reasoning' in events
            or b'"tool_calls"' in events
            or b'"finish_reason":"' in events
            or b'"finish_reason": "' in events
            or b'"content":[' in events
            or b'"content": [' in events
            or b'"index":1' in events
            or b'"index": 1' in events
            or b'"message"' in events
            or _DONE in events
        )

    def read(self, data: bytes, said: bool) -> MendedEvent | None:
        if b'"reasoning' in data or b'"thinking"' in data:
            self._hold(data)
            if self._learns:
                self._learns -= 1
                raw = b"data: " + data + b"\n\n"
                self._thought = shape_of(raw, THOUGHTS(raw))
        if _ODD(data) is None:
            if b'"role"' not in data:
                return self._end(data, said) if data.strip() == _DONE else None
            if self._asked.n == 1 and self._roles:
                rest, count = _ROLE.subn(b"", data)
                if count == 1:
                    self.mended.add("role")
                    return MendedEvent(rest)
        event = parsed(data)
        if event is None or not isinstance(found := event.get("choices"), list):
            return None
        choices = objects(found)
        if not choices or len(choices) != len(found):
            return None
        if self._head is _HEAD:
            self._head = {k: v for k, v in event.items() if k != "usage"}
        new = self._choices(choices, said)
        if new is None:
            self._learn_arguments(data, choices)
            return None
        self._argument = None
        return MendedEvent(with_members(data, {"choices": new}))

    def finish(self) -> None:
        self._tell()

    def _learn_arguments(self, data: bytes, choices: list[Object]) -> None:
        """The shape of events that go on with the same call, and need no mend."""
        self._argument = None
        if b'"tool_calls"' not in data or not self._learns or self._asked.n != 1:
            return
        found = objects(object_of(choices[0].get("delta")).get("tool_calls"))
        calls = self._calls.get(0)
        if len(found) != 1 or calls is None:
            return
        call = calls.at(found[0].get("index"))
        event = b"data: " + data + b"\n\n"
        shape = shape_of(event, ARGUMENTS(event))
        if call is not None and shape is not None:
            self._learns -= 1
            self._argument = shape, call

    def _choices(self, choices: list[Object], said: bool) -> list[Object] | None:
        """Mended; None: they need nothing. Their calls are gathered in any case."""
        odd: set[str] = set()
        for choice in choices:
            message_frame(choice, said, odd)
        if self._asked.n == 1:
            choices = one_choice(choices, "delta", odd)
        for choice in choices:
            index = choice.get("index")
            if isinstance(delta := choice.get("delta"), dict):
                self._delta(index if type(index) is int else 0, delta, odd)
        if any(choice.get("finish_reason") for choice in choices):
            self._finished = True
            self._tell()
        self.mended |= odd
        return choices if odd else None

    def _delta(self, at: int, delta: Object, odd: set[str]) -> None:
        text_content(delta, odd)
        if "role" in delta:
            if at in self._roles:
                del delta["role"]
                odd.add("role")
            elif delta["role"] != "assistant":
                delta["role"] = "assistant"
                odd.add("role")
            self._roles.add(at)
        found = delta.get("tool_calls")
        if not isinstance(found, list) or not found:
            return
        if (calls := self._calls.get(at)) is None:
            calls = self._calls[at] = self._fragments(at)
        calls.mended.clear()
        delta["tool_calls"] = [
            calls.take(one) if isinstance(one, dict) else one for one in found
        ]
        odd |= calls.mended

    def _fragments(self, choice: int) -> CallFragments:
        def make_id(position: int, name: str) -> str:
            return self._asked.made_id("call_", position, f"{choice or ''}{name}")

        return CallFragments(make_id)

    def _end(self, data: bytes, said: bool) -> MendedEvent | None:
        """Before `[DONE]` stands how the answer ended; where nobody said, we do."""
        self._tell()
        if self._finished or not (said or self._calls):
            return None
        self._finished = True
        self.mended.add("finish_reason")
        reason = "tool_calls" if self._calls else "stop"
        choice = {"index": 0, "delta": {}, "finish_reason": reason}
        event = as_bytes({**self._head, "choices": [choice]})
        return MendedEvent(data, b"data: " + event + b"\n\n")

    def _hold(self, data: bytes) -> None:
        self._held += len(data)
        if self._held <= MOST_HELD:
            self._thoughts.append(data)
        else:
            self._thoughts.clear()  # a part of the thoughts is none

    def _tell(self) -> None:
        """Before the client can send its next request."""
        calls = [call for found in self._calls.values() for call in found.calls]
        size = sum(1 + len(call.arguments) for call in calls)
        if size == self._told:
            return
        self._told = size
        deltas: list[Json] = []
        for raw in self._thoughts:
            whole = parsed(raw[raw.find(b"{") : raw.rfind(b"}") + 1]) or {}
            for choice in objects(whole.get("choices")):
                if delta := object_of(choice.get("delta")):
                    deltas.append(delta)
                elif not deltas:
                    deltas.append(object_of(choice.get("message")))
        self._asked.keep(beside(calls, deltas))
