"""generateContent answers and history: calls with the thoughts and signatures beside them.

A call without an id is kept without one: it is found again by name, arguments and order.
Answers pass as they came.
"""

from collections.abc import Iterator

from llm_gateway.adaptation.kept_state import CallKey, Kept
from llm_gateway.dialects.answer_observer import (
    Answered,
    Issued,
    Json,
    MendedEvent,
    PlainAnswer,
    parsed,
)
from llm_gateway.dialects.generate_content.members import (
    member,
    object_in,
    objects_in,
    text_in,
)
from llm_gateway.dialects.generate_content.part_reader import PLACEHOLDERS, json_text

_TELLING = (b"functionCall", b"function_call", b"houghtSignature")
MOST_PARTS = 10_000
"""Of one answer that are read."""


def call_key(part: Json) -> CallKey | None:
    """Of a part that is a call."""
    call = object_in(part, "functionCall")
    if not call:
        return None
    arguments = json_text(member(call, "args"))
    return CallKey(text_in(call, "id"), text_in(call, "name"), arguments)


def history_calls(values: Json) -> tuple[CallKey, ...]:
    """The calls of the model's earlier turns, in order."""
    return tuple(
        key
        for content in objects_in(values, "contents")
        for part in objects_in(content, "parts")
        if (key := call_key(part)) is not None
    )


def issued_by(parts: list[dict[str, object]]) -> Issued:
    """The calls among the parts of an answer; thoughts are those of all of them."""
    signed = [s for part in parts if (s := text_in(part, "thoughtSignature"))]
    thoughts = "".join(
        text_in(part, "text") for part in parts if member(part, "thought") is True
    )
    calls = []
    for part in parts:
        if (key := call_key(part)) is not None:
            calls.append((key, Kept(thoughts, text_in(part, "thoughtSignature"))))
    return Issued(tuple(calls), tuple(one for one in signed if one not in PLACEHOLDERS))


def read_plain(body: bytes, asked: Answered, answer: Json | None = None) -> PlainAnswer:
    """A plain answer, with its calls and signatures."""
    if answer is None:
        if not any(word in body for word in _TELLING):
            return PlainAnswer(body)
        answer = parsed(body) or {}
    return PlainAnswer(body, issued=issued_by(list(_parts(answer))))


class GenerateContentStream:
    """See `StreamObserver`."""

    def __init__(self, asked: Answered) -> None:
        self.mended: set[str] = set()
        self._asked = asked
        self._parts: list[dict[str, object]] = []

    text_in = None

    def wants(self, events: bytes) -> bool:
        return any(word in events for word in _TELLING) or b'"thought"' in events

    def read(self, data: bytes, said: bool) -> MendedEvent | None:
        event = parsed(data) or {}
        found = list(_parts(event))
        if len(self._parts) + len(found) <= MOST_PARTS:
            self._parts += found
        if any(object_in(part, "functionCall") for part in found):
            self._tell()
        return None

    def finish(self) -> None:
        self._tell()

    def _tell(self) -> None:
        """Before the client can send its next request."""
        found = issued_by(self._parts)
        if found.calls or found.signed:
            self._asked.keep(found)


def _parts(answer: Json) -> Iterator[dict[str, object]]:
    for candidate in objects_in(answer, "candidates"):
        yield from objects_in(object_in(candidate, "content"), "parts")
