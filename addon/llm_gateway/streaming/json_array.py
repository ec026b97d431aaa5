"""A stream as a JSON array: server-sent events in, the elements of one array out.

    data: {"a": 1}\\n\\n   data: {"b": 2}\\n\\n     ->     [{"a": 1}\\n,\\n{"b": 2}\\n]

Each element goes out when its event is whole. What is no JSON object (comments, `[DONE]`)
is no element. Knows no dialect; never raises on what was sent.
"""

from collections.abc import Callable

from llm_gateway.streaming.sse import Framer, data_of, raw_events


class JsonArray:
    """One per stream: `feed` its bytes, then `finish`, once or more."""

    def __init__(self) -> None:
        self._frames = Framer()
        self._begun = False
        self._closed = False

    def feed(self, data: bytes) -> bytes:
        """The elements that these bytes complete."""
        return self._elements(self._frames.push(data)) if data else b""

    def finish(self) -> bytes:
        """The last element, and the end of the array; nothing the second time."""
        if self._closed:
            return b""
        rest = self._elements(self._frames.take())
        self._closed = True
        return rest + (b"]" if self._begun else b"[]")

    def _elements(self, events: bytes) -> bytes:
        out = []
        for raw in raw_events(events):
            data = data_of(raw).strip()
            if data.startswith(b"{") and not self._closed:
                out.append((b",\r\n" if self._begun else b"[") + data + b"\r\n")
                self._begun = True
        return b"".join(out)


def as_array(
    array: JsonArray, through: Callable[[bytes], tuple[bytes, ...]]
) -> Callable[[bytes], tuple[bytes, ...]]:
    """For `response.stream`: what `through` lets out, as elements of an array.

    Nothing is sent where nothing is left: an empty chunk would end a chunked answer.
    """

    def elements(chunk: bytes) -> tuple[bytes, ...]:
        out = b"".join(map(array.feed, through(chunk)))
        if not chunk:
            out += array.finish()
        return (out,) if out else ()

    return elements
