"""OpenAI Responses answers and history: function calls with the reasoning items before them."""

from collections.abc import Iterable

from llm_gateway.adaptation.kept_state import CallKey, Kept
from llm_gateway.dialects.answer_observer import (
    MOST_HELD,
    Answered,
    Issued,
    Json,
    MendedEvent,
    PlainAnswer,
    object_of,
    objects,
    parsed,
    text_of,
    with_members,
)

CALLS = {"function_call": "arguments", "custom_tool_call": "input"}
"""Kind of an item that is a call -> the member that holds what it is called with."""


def issued_by(items: Iterable[Json]) -> Issued:
    """The calls among the output items of an answer, each with all of its reasoning."""
    calls: list[CallKey] = []
    reasoning: list[Json] = []
    signed: list[str] = []
    for item in items:
        kind = text_of(item.get("type"))
        if kind in CALLS:
            calls.append(call_key(item))
        elif kind == "reasoning":
            reasoning.append(item)
        if block := text_of(item.get("encrypted_content")):
            signed.append(block)
    text = "".join(map(_text, reasoning))
    kept = Kept(text, opaque=reasoning or None)
    return Issued(tuple((call, kept) for call in calls), tuple(signed))


def _text(item: Json) -> str:
    """Reasoning as plain text: in full where it is told, else its summary."""
    for member in ("content", "summary"):
        parts = objects(item.get(member))
        if text := "\n\n".join(text_of(part.get("text")) for part in parts):
            return text
    return ""


def call_key(item: Json) -> CallKey:
    member = CALLS.get(text_of(item.get("type")), "arguments")
    return CallKey(
        text_of(item.get("call_id")),
        text_of(item.get("name")),
        text_of(item.get(member)),
    )


def history_calls(values: Json) -> tuple[CallKey, ...]:
    """The calls of earlier turns, in order."""
    return tuple(
        call_key(item)
        for item in objects(values.get("input"))
        if text_of(item.get("type")) in CALLS
    )


def read_plain(body: bytes, asked: Answered, answer: Json | None = None) -> PlainAnswer:
    """A plain answer, with its calls and reasoning."""
    if answer is None:
        if b"_call" not in body and b'"reasoning"' not in body:
            return PlainAnswer(body)
        answer = parsed(body) or {}
    return PlainAnswer(body, issued=issued_by(objects(answer.get("output"))))


class ResponsesStream:
    """Responses streams: items kept as they are done, an empty `output` at the end filled.

    See `StreamObserver`. SDKs take the final answer from `response.completed`; some providers
    leave its `output` empty, though each item came in an `output_item.done`.
    """

    def __init__(self, asked: Answered) -> None:
        self.mended: set[str] = set()
        self._asked = asked
        self._items: list[Json] = []
        self._size = 0

    text_in = None

    def wants(self, events: bytes) -> bool:
        return b"output_item.done" in events or b'"response.completed"' in events

    def read(self, data: bytes, said: bool) -> MendedEvent | None:
        event = parsed(data) or {}
        match event.get("type"):
            case "response.output_item.done":
                self._size += len(data)
                if self._size <= MOST_HELD:
                    self._items.append(object_of(event.get("item")))
            case "response.completed":
                self._tell()
                return self._completed(data, event)
        return None

    def finish(self) -> None:
        self._tell()

    def _completed(self, data: bytes, event: Json) -> MendedEvent | None:
        response = event.get("response")
        if (
            not isinstance(response, dict)
            or response.get("output")
            or not self._items
            or self._size > MOST_HELD
        ):
            return None
        self.mended.add("output")
        new = {**response, "output": self._items}
        return MendedEvent(with_members(data, {"response": new}))

    def _tell(self) -> None:
        found = issued_by(self._items)
        if found.calls or found.signed:
            self._asked.keep(found)
