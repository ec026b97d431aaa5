"""An event of a stream that is larger than what is held: read by its two ends.

Image models send megabytes in one server-sent event. Its bytes pass as they come; what is
kept are the first and the last `EDGE` bytes, where usage, finish reasons and the event's
kind stand, and how much lay between. Knows no dialect; never raises on what was sent.
"""

import json
import re
import sys
from collections.abc import Iterator, Mapping
from re import Pattern

from llm_gateway.streaming.sse import first_boundary

EDGE = 1 << 16

_KIND = re.compile(
    rb'(?:^event:\s*([\w.]+)\s*$|^data:\s*\{\s*(?:"sequence_number"\s*:\s*\d+\s*,\s*)?'
    rb'"type"\s*:\s*"([\w.]+)"|"type"\s*:\s*"([\w.]+)"\s*\}\s*\Z)',
    re.M,
)
_reader = json.JSONDecoder()


class LargeEvent:
    """One that is still open. Push what follows until it has ended."""

    def __init__(self, start: bytes) -> None:
        self.head = start[:EDGE]
        self.tail = start[-EDGE:]
        self.between = len(start) - len(self.head)
        """Bytes behind the head."""

    def push(self, chunk: bytes) -> int | None:
        """Offset in `chunk` behind the event's end; None: it goes on."""
        before = self.tail[-3:]
        end = first_boundary(before + chunk) - len(before)
        whole = end >= 0
        part = chunk[:end] if whole else chunk
        self.between += len(part)
        self.tail = (self.tail + part)[-EDGE:]
        return end if whole else None

    @property
    def edges(self) -> tuple[bytes, bytes]:
        return self.head, self.tail

    @property
    def kind(self) -> str:
        """The event's name, or the `type` of its data, where it is one of the outermost."""
        for edge in self.edges:
            if found := _KIND.search(edge):
                return (found[1] or found[2] or found[3]).decode()
        return ""

    def usages(self, begins: Pattern[bytes]) -> Iterator[Mapping[str, object]]:
        """Every usage object at its two ends; `begins` ends with its brace."""
        for edge in self.edges:
            yield from objects_at(edge, begins)


def objects_at(
    data: bytes, begins: Pattern[bytes], most: int = sys.maxsize
) -> Iterator[Mapping[str, object]]:
    """Objects in what need not be JSON itself, of at most EDGE bytes each, the last `most`
    of them; `begins` ends with their brace."""
    starts = [found.end() - 1 for found in begins.finditer(data)]
    for start in starts[-most:]:
        text = data[start : start + EDGE].decode("utf-8", "replace")
        try:
            value, _ = _reader.raw_decode(text)
        except (ValueError, RecursionError):
            continue
        if isinstance(value, dict):
            yield value
