"""Server-sent events: bytes in any chunking -> events, and where raw events end.

Two ways to read the same stream. `SSEDecoder` gives events to those who want to know
what they say. `Framer` and `raw_events` find the blank lines between events without
decoding anything, for those who pass the bytes on.

Rules of the format: lines end with LF, CR or CRLF; a blank line ends an event; lines
that start with a colon are comments; several `data` lines are joined with LF; one space
after the colon is not part of the value; a byte order mark may stand at the start.

This file knows no dialect. It never raises on what a stranger sent.
"""

import re
from typing import NamedTuple

LONGEST = 1 << 20
"""Bytes of one event that are held in memory. Of a longer one only beginning and end are
read (its bytes go on to the client as they come)."""

BOM = b"\xef\xbb\xbf"
_BLANK_LINE = re.compile(rb"(?>\r\n|\n|\r)(?>\r\n|\n|\r)")
_LINE_END = re.compile(rb"\r\n|\n|\r")


class SSEvent(NamedTuple):
    """One event that holds data."""

    event: str
    """Its `event` field, "" when it has none."""
    data: str


class Framer:
    """Cuts a stream behind its blank lines: whole events, and one that is still open.

    Only new bytes are searched, so a long event in small chunks costs what it weighs.
    """

    def __init__(self) -> None:
        self.size = 0
        """Bytes of the open event."""
        self._parts: list[bytes] = []
        self.tail = b""
        """Its last bytes: the start of a blank line may have come already."""

    @property
    def open(self) -> bytes:
        """The open event, as far as it has come."""
        if len(self._parts) > 1:
            self._parts = [b"".join(self._parts)]
        return self._parts[0] if self._parts else b""

    def push(self, chunk: bytes) -> bytes:
        """All events that this chunk completes, as one piece; b"" for none."""
        tail = self.tail
        end = boundary(tail + chunk) - len(tail) if tail else boundary(chunk)
        if end < 0 or (end == 0 and not tail):
            self._keep(chunk, tail)
            return b""
        whole = chunk if end == len(chunk) else chunk[:end]
        if self._parts:
            whole = b"".join((*self._parts, whole))
        self._parts, self.size, self.tail = [], 0, b""
        self._keep(chunk[end:], b"")
        return whole

    def take(self) -> bytes:
        """The open event, which the end of the stream has closed."""
        rest = self.open
        self._parts, self.size, self.tail = [], 0, b""
        return rest

    def _keep(self, part: bytes, tail: bytes) -> None:
        if part:
            self._parts.append(part)
            self.size += len(part)
            self.tail = (tail + part[-3:])[-3:]


class SSEDecoder:
    """Feed chunks, get the events that they complete."""

    def __init__(self) -> None:
        self.overflowed = False
        """An event was larger than LONGEST: nothing more is read."""
        self._frames = Framer()
        self._started = False

    def feed(self, chunk: bytes) -> list[SSEvent]:
        """The events that this chunk completes, in order."""
        if self.overflowed:
            return []
        whole = self._frames.push(chunk)
        if self._frames.size > LONGEST:
            self.overflowed = True
            self._frames.take()
        return self._read(whole) if whole else []

    def finish(self) -> list[SSEvent]:
        """The event that the end of the stream completes, if one was begun."""
        return self._read(self._frames.take())

    def _read(self, whole: bytes) -> list[SSEvent]:
        if not self._started and whole:
            self._started = True
            whole = whole.removeprefix(BOM)
        read = (event_of(raw) for raw in raw_events(whole))
        return [event for event in read if event is not None]


def boundary(data: bytes) -> int:
    """Offset behind the last blank line in `data` that is surely one; 0: there is none.

    A CR at the very end may be half of a CRLF: it ends nothing yet.
    """
    if b"\r" not in data:
        return data.rfind(b"\n\n") + 2 if b"\n\n" in data else 0
    end = 0
    for found in _BLANK_LINE.finditer(data):
        if found.end() < len(data) or data[-1:] != b"\r":
            end = found.end()
    return end


def first_boundary(data: bytes) -> int:
    """Offset behind the first blank line in `data` that is surely one; 0: there is none."""
    for found in _BLANK_LINE.finditer(data):
        if found.end() < len(data) or data[-1:] != b"\r":
            return found.end()
    return 0


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
    lines = _LINE_END.split(raw.removeprefix(BOM))
    return b"\n".join(_value(line) for line in lines if _is(line, b"data"))


_NAME = re.compile(rb"^event:[^\r\n]*", re.M)


def with_name(raw: bytes, name: str) -> bytes:
    """The raw event with another name, if it has one."""
    return _NAME.sub(b"event: " + name.encode(), raw, count=1)


def with_data(raw: bytes, data: bytes, new: bytes) -> bytes:
    """The raw event with other data, all else as it is. data: as `data_of` gave it."""
    if new == data:
        return raw
    if data in raw:
        return raw.replace(data, new, 1)
    # Several lines of data: their first takes the new one.
    lines, out, done = raw.splitlines(keepends=True), [], False
    for line in lines:
        if not _is(line.removeprefix(BOM), b"data"):
            out.append(line)
        elif not done:
            end = line[len(line.rstrip(b"\r\n")) :]
            out.append(b"data: " + new + end)
            done = True
    return b"".join(out)


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
