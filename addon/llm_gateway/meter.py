"""A meter on a stream: bytes go through, usage stays behind.

The rule is that the client gets the bytes as they came, when they came. Two things may
be asked for that bend it:

strip_usage   The gateway asked for usage, the client did not: the one event that holds
              usage and no choice is taken out. Only while an unfinished event could
              still become that one (it has shown no choice yet) it is held back, which
              no client can notice: an event counts when its blank line has come.
rename_model  Each event's `model` is replaced, so events go out whole.

And events that speak of an error are held until they are whole, and go out without the
keys that a provider may repeat in them (`mask`).

What is decoded: events that hold a usage object, and nothing else. For streams that
never report usage, the lengths of the text members are added up by a regular expression.
"""

import json
from collections import deque
from collections.abc import Callable, Mapping, Sequence

from llm_gateway.billed import Bill
from llm_gateway.dialects import renamed_answer
from llm_gateway.dialects.spec import DialectSpec
from llm_gateway.exchange import Usage
from llm_gateway.sse import LONGEST, Framer, data_of, raw_events
from llm_gateway.usage import Tally

_HELD = 16_384
"""Bytes of an unfinished event that are held back at most, when stripping."""

_SPEAKS_OF_AN_ERROR = b"rror"
"""In every error event of every dialect; "Error" begins with either letter."""

_LAST_PIECES = 8
"""Pieces at the end of a stream that are looked at for its last word."""


class StreamMeter:
    """One per streamed answer."""

    def __init__(
        self,
        dialect: DialectSpec,
        *,
        strip_usage: bool,
        reasoning_excluded: bool = False,
        bills: Sequence[Bill] = (),
        rename_model: str | None = None,
        mask: Callable[[bytes], bytes] | None = None,
    ) -> None:
        self._dialect = dialect
        self._usage_event = dialect.usage_event if strip_usage else None
        """What is taken out, if anything."""
        self._usage_key = dialect.usage_key
        self._usage_object = dialect.usage_object.search
        self._rename = rename_model
        self._mask = mask
        self._as_it_came = self._usage_event is None and rename_model is None
        self._tally = Tally(dialect, reasoning_excluded=reasoning_excluded, bills=bills)
        self._texts = dialect.stream_text.findall
        self._text_bytes = 0
        self._frames = Framer()
        self._sent = 0
        """How many bytes of the open event have gone to the client."""
        self._last: deque[bytes] = deque(maxlen=_LAST_PIECES)
        self._blind = False
        """An event was too large: bytes pass, and nothing is read any more."""

    @property
    def first_content(self) -> bool:
        """Text has been seen, of tool calls their arguments."""
        return self._text_bytes > 0

    @property
    def boundary(self) -> bytes:
        """What to send before an event of our own, so that it stands alone."""
        return b"\n\n" if self._sent else b""

    def feed(self, chunk: bytes) -> bytes:
        """What goes to the client now."""
        if self._blind:
            return chunk
        frames = self._frames
        waits = frames.size > self._sent
        seen = frames.tail + chunk if frames.tail else chunk
        tells = self._mask is not None and _SPEAKS_OF_AN_ERROR in seen
        whole = frames.push(chunk)
        if self._as_it_came and not waits and not tells:
            if whole:
                self._whole(whole)
            out = chunk
            self._sent = frames.size
        else:
            out = self._whole(whole)[self._sent :] if whole else b""
            if whole:
                self._sent = 0
            if frames.size and not self._held():
                out += chunk if self._sent and not waits else frames.open[self._sent :]
                self._sent = frames.size
        if frames.size > LONGEST:
            frames.take()
            self._blind = True
        return out

    def blind(self) -> None:
        """What follows cannot be read: bytes pass, and nothing is said about them."""
        self._frames.take()
        self._blind = True

    def finish(self) -> bytes:
        """What is left to send when the upstream has ended, in whatever way."""
        rest = self._frames.take()
        if not rest:
            return b""
        out = self._whole(rest)
        if self._sent:
            return out[self._sent :]
        # Held back: an event that broke off is no event, and would only hide from the
        # client the error that follows.
        data = data_of(rest)
        if data.startswith(b"{") and _parsed(data) is None:
            return b""
        self._sent = len(out)
        return out

    @property
    def flaw(self) -> str:
        """After `finish`, what was wrong with the stream's end: `error event`, `ended
        early` (no last word), or nothing."""
        word = self._dialect.stream_end
        if self._blind or word is None:
            return ""
        tail = b"".join(self._last)
        if self._dialect.failure_hint.search(tail):
            events = map(_parsed, map(data_of, raw_events(tail)))
            failed = self._dialect.event_failed
            if any(e and failed(e) for e in events):
                return "error event"
        return "" if word.search(tail) else "ended early"

    def usage(self, *, prompt_estimate: int) -> Usage:
        """Reported if the stream said so, else estimated from what was seen."""
        return self._tally.usage(
            prompt_estimate=prompt_estimate, text_bytes=self._text_bytes
        )

    def _held(self) -> bool:
        """The open event must not go out yet."""
        frames = self._frames
        if frames.size > LONGEST:
            return False
        if self._mask is not None and _SPEAKS_OF_AN_ERROR in frames.open:
            return True
        if self._sent or self._as_it_came:
            return False
        if self._rename is not None or self._usage_event is None:
            return True
        begun = self._usage_event.has_begun_otherwise
        return frames.size <= _HELD and not begun(frames.open)

    def _whole(self, data: bytes) -> bytes:
        """Read whole events; what of them is for the client.

        The start of `data` that has been sent already is never changed: an event of
        which a part went out is not held, so it is neither stripped nor renamed.
        """
        self._last.append(data)
        for text in self._texts(data):
            # \\uXXXX takes six bytes and stands for two or three.
            self._text_bytes += len(text) - 3 * text.count(b"\\u")
        if self._mask is not None and _SPEAKS_OF_AN_ERROR in data:
            data = self._masked(data)
        if self._rename is None and not (
            self._usage_key in data and self._usage_object(data)
        ):
            return data
        out = []
        ours = self._usage_event.is_alone if self._usage_event is not None else None
        for raw in raw_events(data):
            event = self._read(raw) if self._usage_key in raw else None
            if event is not None and ours is not None and ours(event):
                continue
            out.append(raw if self._rename is None else self._renamed(raw))
        return b"".join(out)

    def _masked(self, data: bytes) -> bytes:
        """Whole events, those that speak of an error without keys."""
        assert self._mask is not None
        sent, out = self._sent, []
        for raw in raw_events(data):
            if _SPEAKS_OF_AN_ERROR in raw:
                # What has been sent of it stays, or the rest would begin elsewhere.
                raw = raw[:sent] + self._mask(raw[sent:])
            out.append(raw)
            sent = 0
        return b"".join(out)

    def _read(self, raw: bytes) -> Mapping[str, object] | None:
        event = _parsed(data_of(raw) or raw) if self._usage_object(raw) else None
        if event is not None:
            self._tally.add(event)
        return event

    def _renamed(self, raw: bytes) -> bytes:
        data = data_of(raw) or raw
        if self._rename is None or data not in raw:
            return raw
        return raw.replace(data, renamed_answer(self._dialect, data, self._rename), 1)


def _parsed(data: bytes) -> Mapping[str, object] | None:
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None
