"""Server-sent events: bytes in any chunking -> events, and where raw events end.

Two ways to read the same stream. `SSEDecoder` gives events to those who want to know
what they say. `boundary` and `raw_events` find the blank lines between events without
decoding anything, for those who pass the bytes on.

Rules of the format: lines end with LF, CR or CRLF; a blank line ends an event; lines
that start with a colon are comments; several `data` lines are joined with LF; one space
after the colon is not part of the value; a byte order mark may stand at the start.

This file knows no dialect. It never raises on what a stranger sent.
"""

import re
from typing import NamedTuple

LONGEST = 1 << 20
"""Bytes of one event that are held in memory. A decoder that meets a longer one stops
reading (the bytes themselves go on to the client; they do not pass through here)."""

_BLANK_LINE = re.compile(rb"(?:\r\n|\n|\r)(?:\r\n|\n|\r)")
_LINE_END = re.compile(rb"\r\n|\n|\r")


class SSEvent(NamedTuple):
    """One event that holds data."""

    event: str
    """Its `event` field, "" when it has none."""
    data: str


class SSEDecoder:
    """Feed chunks, get the events that they complete."""

    def __init__(self) -> None:
        self.overflowed = False
        """An event was larger than LONGEST: nothing more is read."""
        self._pending = b""
        self._started = False

    def feed(self, chunk: bytes) -> list[SSEvent]:
        """The events that this chunk completes, in order."""
        if self.overflowed:
            return []
        pending = self._pending + chunk if self._pending else chunk
        if not self._started:
            # A byte order mark may arrive in pieces.
            if len(pending) < 3 and b"\xef\xbb\xbf".startswith(pending):
                self._pending = pending
                return []
            self._started = True
            pending = pending.removeprefix(b"\xef\xbb\xbf")
        end = boundary(pending)
        self._pending = pending[end:]
        if len(self._pending) > LONGEST:
            self.overflowed = True
            self._pending = b""
        if not end:
            return []
        read = (event_of(raw) for raw in raw_events(pending[:end]))
        return [event for event in read if event is not None]

    def finish(self) -> list[SSEvent]:
        """The event that the end of the stream completes, if one was begun."""
        rest, self._pending = self._pending, b""
        if self.overflowed:
            return []
        read = (event_of(raw) for raw in raw_events(rest))
        return [event for event in read if event is not None]


def boundary(data: bytes) -> int:
    """Offset behind the last blank line in `data` that is surely one; 0: there is none.

    A CR at the very end may be half of a CRLF, and is not counted yet.
    """
    if b"\r" not in data:
        return data.rfind(b"\n\n") + 2 if b"\n\n" in data else 0
    end = 0
    for found in _BLANK_LINE.finditer(data):
        if found.end() < len(data) or data[-1:] != b"\r":
            end = found.end()
    return end


def raw_events(data: bytes) -> list[bytes]:
    """`data`, cut behind each blank line; the pieces add up to `data`."""
    if b"\r" not in data:
        pieces = data.split(b"\n\n")
        last = pieces.pop()
        events = [piece + b"\n\n" for piece in pieces]
        return [*events, last] if last else events
    events = []
    at = 0
    for found in _BLANK_LINE.finditer(data):
        events.append(data[at : found.end()])
        at = found.end()
    return [*events, data[at:]] if at < len(data) else events


def data_of(raw: bytes) -> bytes:
    """The data of one raw event, its lines joined with LF; b"" when it holds none."""
    # The common case: one line of data and the blank one.
    short = raw.startswith(b"data:") and raw.find(b"\n") == len(raw) - 2
    if short and b"\r" not in raw:
        return raw[6:-2] if raw[5:6] == b" " else raw[5:-2]
    lines = (_value(line) for line in _LINE_END.split(raw) if _is(line, b"data"))
    return b"\n".join(lines)


def event_of(raw: bytes) -> SSEvent | None:
    """One raw event, read; None when it holds no data."""
    event = b""
    data = []
    for line in _LINE_END.split(raw):
        if _is(line, b"data"):
            data.append(_value(line))
        elif _is(line, b"event"):
            event = _value(line)
    if not data:
        return None
    return SSEvent(
        event.decode("utf-8", "replace"), b"\n".join(data).decode("utf-8", "replace")
    )


def _is(line: bytes, name: bytes) -> bool:
    return line.startswith(name) and line[len(name) : len(name) + 1] in (b":", b"")


def _value(line: bytes) -> bytes:
    value = line.partition(b":")[2]
    return value[1:] if value[:1] == b" " else value
