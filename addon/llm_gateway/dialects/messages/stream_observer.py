"""Messages streams on their way to a client: thinking and calls kept, the first event mended.

Events with thinking, signatures and calls are held as they came, and parsed when the message
ends. SDKs read `usage` and `content` of `message_start`: where a provider leaves them out or
null they are there, and empty.
"""

from llm_gateway.dialects.answer_observer import (
    MOST_HELD,
    Answered,
    MendedEvent,
    object_of,
    parsed,
    text_of,
    with_members,
)
from llm_gateway.dialects.messages.kept import issued_by

_PIECES = {
    "thinking_delta": "thinking",
    "signature_delta": "signature",
    "input_json_delta": "partial_json",
}
"""Kind of a delta -> the member of it that adds to its block."""
_COUNTS = ("input_tokens", "output_tokens")


class MessagesStream:
    """See `StreamObserver`."""

    def __init__(self, asked: Answered) -> None:
        self.mended: set[str] = set()
        self._asked = asked
        self._held: list[bytes] = []
        self._size = 0

    text_in = None

    def wants(self, events: bytes) -> bool:
        return (
            b"thinking" in events
            or b"tool_use" in events
            or b"input_json" in events
            or b"signature" in events
            or b"message_start" in events
            or b"message_stop" in events
        )

    def read(self, data: bytes, said: bool) -> MendedEvent | None:
        if b'"message_start"' in data:
            return self._start(data)
        if b"content_block_" in data:
            self._size += len(data)
            if self._size <= MOST_HELD:
                self._held.append(data)
            else:
                self._held.clear()  # a part of the thoughts is none
        elif self._held:
            self._tell()
        return None

    def finish(self) -> None:
        self._tell()

    def _start(self, data: bytes) -> MendedEvent | None:
        event = parsed(data) or {}
        message = event.get("message")
        if event.get("type") != "message_start" or not isinstance(message, dict):
            return None
        new = dict(message)
        if not isinstance(message.get("content"), list):
            new["content"] = []
            self.mended.add("content")
        usage = object_of(message.get("usage"))
        missing = {name: 0 for name in _COUNTS if usage.get(name) is None}
        if missing:
            new["usage"] = usage | missing
            self.mended.add("usage")
        if new == message:
            return None
        return MendedEvent(with_members(data, {"message": new}))

    def _tell(self) -> None:
        """Before the client can send its next request."""
        if not self._held:
            return
        blocks = _blocks(self._held)
        for block in blocks:
            if block.get("type") == "tool_use" and "input" in block:
                said = text_of(block.pop("partial_json", ""))
                block["input"] = _input(said, block["input"])
        found = issued_by(blocks)
        if found.calls or found.signed:
            self._asked.keep(found)


def _blocks(held: list[bytes]) -> list[dict[str, object]]:
    """Content blocks, put together from their start and their deltas."""
    found: dict[object, dict[str, object]] = {}
    for data in held:
        event = parsed(data) or {}
        index = event.get("index")
        if not isinstance(index, int):
            continue
        if event.get("type") == "content_block_start":
            found[index] = dict(object_of(event.get("content_block")))
            continue
        delta, block = object_of(event.get("delta")), found.get(index)
        name = _PIECES.get(text_of(delta.get("type")))
        if name is not None and block is not None:
            block[name] = text_of(block.get(name)) + text_of(delta.get(name))
    return list(found.values())


def _input(said: str, start: object) -> object:
    if not said.strip():
        return start
    value = parsed(said.encode("utf-8", "surrogatepass"))
    return said if value is None else value
