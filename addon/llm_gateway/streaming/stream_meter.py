"""A meter on a stream: bytes go through, usage stays behind.

The rule is that the client gets the bytes as they came, when they came. Three things
may be asked for that bend it:

strip_usage   The gateway asked for usage, the client did not: the one event that holds
              usage and no choice is taken out. Only while an unfinished event could
              still become that one (it has shown no choice yet) it is held back, which
              no client can notice: an event counts when its blank line has come.
rename_model  Each event's `model` is replaced, so events go out whole.
observer      The dialect reads what is issued and mends what would break its client. An
              unfinished event waits for its blank line; one that needs no mend passes as
              it came.

And events that speak of an error are held until they are whole, and go out without the
keys that a provider may repeat in them (`mask`). The key that this provider was sent is
searched for in everything (`keys`).

What is decoded: events that hold a usage object, and nothing else. For streams that
never report usage, the lengths of the text members are added up by a regular expression.
"""

import json
from collections import deque
from collections.abc import Callable, Mapping, Sequence

from llm_gateway.accounting.usage import UsageCollector
from llm_gateway.dialects import renamed_answer
from llm_gateway.dialects.answer_observer import StreamObserver
from llm_gateway.dialects.billed import Bill
from llm_gateway.dialects.spec import DialectSpec
from llm_gateway.domain import Usage
from llm_gateway.streaming.key_filter import KeyFilter
from llm_gateway.streaming.large_event import LargeEvent
from llm_gateway.streaming.sse import (
    LONGEST,
    Framer,
    data_of,
    raw_events,
    with_data,
    with_name,
)

_HELD = 16_384
"""Bytes of an unfinished event that are held back at most, when stripping."""

_SPEAKS_OF_AN_ERROR = b"rror"
"""In every error event of every dialect; "Error" begins with either letter."""

_LAST_PIECES = 8
"""Pieces at the end of a stream that are looked at for an error."""


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
        keys: KeyFilter | None = None,
        observer: StreamObserver | None = None,
    ) -> None:
        self._dialect = dialect
        self._observer = observer
        self._wants = None if observer is None else observer.wants
        self._text_in = (
            None if observer is None or rename_model is not None else observer.text_in
        )
        self._usage_event = dialect.usage_event if strip_usage else None
        """What is taken out, if anything."""
        self._usage_key = dialect.usage_key
        self._usage_object = dialect.usage_object.search
        self._rename = rename_model
        self._mask = mask
        self._mended = False
        """A key was taken out of an event."""
        self._keys = keys
        self._as_it_came = (
            self._usage_event is None and rename_model is None and observer is None
        )
        self._tally = UsageCollector(
            dialect, reasoning_excluded=reasoning_excluded, bills=bills
        )
        self._texts = dialect.stream_text.findall
        self._text_bytes = 0
        self._frames = Framer()
        self._sent = 0
        """How many bytes of the open event have gone to the client."""
        self._last: deque[bytes] = deque(maxlen=_LAST_PIECES)
        self._end = dialect.stream_end
        self._may_end = self._end and self._end.hint
        self._ended = False
        self._blind = False
        self._large: LargeEvent | None = None
        """The open event, of which more has come than is held."""

    @property
    def first_content(self) -> bool:
        """Text has been seen, of tool calls their arguments."""
        return self._text_bytes > 0

    @property
    def separator(self) -> bytes:
        """What to send before an event of our own, so that it stands alone."""
        return b"\n\n" if self._sent or self._large is not None else b""

    @property
    def masked(self) -> bool:
        """A key was taken out."""
        return self._mended or (self._keys is not None and self._keys.found)

    def feed(self, chunk: bytes) -> bytes:
        """What goes to the client now."""
        out = self._feed(chunk)
        return out if self._keys is None or not out else self._keys.feed(out)

    def _feed(self, chunk: bytes) -> bytes:
        if self._large is not None:
            return self._feed_large(self._large, chunk)
        if self._blind:
            return chunk
        frames = self._frames
        if (
            self._text_in is not None
            and not frames.size
            and not (self._mask is not None and chunk.find(_SPEAKS_OF_AN_ERROR) >= 0)
            and (text := self._text_in(chunk)) >= 0
        ):
            self._text_bytes += text - 3 * chunk.count(b"\\u")
            self._last.append(chunk)
            return chunk
        waits = frames.size > self._sent
        seen = frames.tail + chunk if frames.tail else chunk
        tells = self._mask is not None and seen.find(_SPEAKS_OF_AN_ERROR) >= 0
        whole = frames.push(chunk)
        if self._wants is not None and not frames.size:
            out = self._consume_events(whole)[self._sent :]
            self._sent = 0
        elif self._as_it_came and not waits and not tells:
            if whole:
                self._consume_events(whole)
            out = chunk
            self._sent = frames.size
        else:
            out = self._consume_events(whole)[self._sent :] if whole else b""
            if whole:
                self._sent = 0
            if frames.size and not self._must_hold():
                out += chunk if self._sent and not waits else frames.open[self._sent :]
                self._sent = frames.size
        if frames.size > LONGEST:
            self._large = LargeEvent(frames.take())
            self._sent = 0
        return out

    @property
    def holds(self) -> bool:
        """A part of the open event has not gone out yet."""
        if self._keys is not None and self._keys.holds:
            return True
        return self._frames.size > self._sent

    def _feed_large(self, large: LargeEvent, chunk: bytes) -> bytes:
        """More of an event that is too large to be held: it passes as it comes."""
        end = large.push(chunk)
        if end is None:
            return chunk
        self._large = None
        self._skim(large)
        return chunk[:end] + self._feed(chunk[end:]) if end < len(chunk) else chunk

    def _skim(self, large: LargeEvent) -> None:
        """Read what can be read of an event without its middle."""
        member = json.loads(self._usage_key)
        ended = (end := self._end) is not None and (
            end.reason is not None and any(map(end.reason.search, large.edges))
        )
        for usage in large.usages(self._dialect.usage_object):
            self._tally.add({"type": large.kind, member: usage})
            self._tally.final |= ended
        texts = self._texts(large.head)
        self._text_bytes += sum(map(len, texts))
        if self._dialect.open_text.search(large.head):
            self._text_bytes += large.between
        if end is not None and not self._ended:
            self._ended = ended or end.is_last({"type": large.kind})

    def blind(self) -> None:
        """What follows cannot be read: bytes pass, and nothing is said about them."""
        self._frames.take()
        self._large = None
        self._blind = True

    def finish(self) -> bytes:
        """What is left to send when the upstream has ended, in whatever way."""
        out = self._finish()
        return out if self._keys is None else self._keys.feed(out) + self._keys.finish()

    def _finish(self) -> bytes:
        if self._large is not None:
            self._skim(self._large)
            self._sent = self._large.between
            self._large = None
            return b""
        rest = self._frames.take()
        out = self._consume_events(rest) if rest else b""
        if self._observer is not None:
            self._observer.finish()
        if not rest:
            return b""
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
    def ended(self) -> bool:
        """The answer is whole: its last word has come, if only in a line still open."""
        rest = self._frames.open
        if not self._ended and rest and self._may_end and self._may_end(rest):
            self._look_for_end(rest)
        return self._ended

    @property
    def end_error(self) -> str:
        """After `finish`, what was wrong with the stream's end: `error event`, `ended
        early` (no last word), or nothing."""
        if self._ended or self._blind or self._end is None:
            return ""
        return "error event" if self._broke() else "ended early"

    def _broke(self) -> bool:
        """One of the last events was an error."""
        return any(map(self._is_broken, raw_events(b"".join(self._last))))

    def _look_for_end(self, data: bytes) -> None:
        """Is the last word in these events? Behind an error it is none."""
        for raw in raw_events(data):
            if self._is_last(raw):
                self._ended = not self._broke()
                return
            if self._is_broken(raw):
                return

    def _is_last(self, raw: bytes) -> bool:
        end = self._end
        if end is None or not end.hint(raw):
            return False
        if end.marker is not None and end.marker.search(raw):
            return True
        event = _parsed(data_of(raw))
        return event is not None and end.is_last(event)

    def _is_broken(self, raw: bytes) -> bool:
        """This event says that something broke."""
        if not self._dialect.failure_hint.search(raw):
            return False
        event = _parsed(data_of(raw))
        return event is not None and self._dialect.event_failed(event)

    def usage(self, *, prompt_estimate: int) -> Usage:
        """Reported if the stream said so, else estimated from what was seen."""
        return self._tally.usage(
            prompt_estimate=prompt_estimate, text_bytes=self._text_bytes
        )

    def _must_hold(self) -> bool:
        """The open event must not go out yet."""
        frames = self._frames
        if frames.size > LONGEST:
            return False
        if self._mask is not None and _SPEAKS_OF_AN_ERROR in frames.open:
            return True
        if self._sent or self._as_it_came:
            return False
        if (
            self._rename is not None
            or self._usage_event is None
            or self._observer is not None
        ):
            return True
        begun = self._usage_event.has_begun_otherwise
        return frames.size <= _HELD and not begun(frames.open)

    def _consume_events(self, data: bytes) -> bytes:
        """Read whole events; what of them is for the client.

        The start of `data` that has been sent already is never changed: an event of
        which a part went out is not held, so it is neither stripped nor renamed.
        """
        if not self._ended and self._may_end and self._may_end(data):
            self._look_for_end(data)
        self._last.append(data)
        if self._wants is not None and self._wants(data) and self._observer is not None:
            data = self._observed(data, self._observer)
        for text in self._texts(data):
            # \\uXXXX takes six bytes and stands for two or three.
            self._text_bytes += len(text) - 3 * text.count(b"\\u")
        if self._mask is not None and data.find(_SPEAKS_OF_AN_ERROR) >= 0:
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

    def _observed(self, data: bytes, observer: StreamObserver) -> bytes:
        """Whole events, those that are mended as they go to the client."""
        said, out = self.first_content, []
        events = raw_events(data)
        for raw in events:
            if len(events) == 1 or observer.wants(raw):
                inner = data_of(raw)
                found = observer.read(inner, said)
                # Behind an error nothing is said about an end that did not come.
                if found is not None and not (found.before and self._broke()):
                    raw = with_data(raw, inner, found.data)
                    if found.name:
                        raw = with_name(raw, found.name)
                    raw = found.before + raw
            said = said or any(self._texts(raw))
            out.append(raw)
        return b"".join(out)

    def _masked(self, data: bytes) -> bytes:
        """Whole events, those that speak of an error without keys."""
        assert self._mask is not None
        sent, out = self._sent, []
        for raw in raw_events(data):
            if _SPEAKS_OF_AN_ERROR in raw:
                # What has been sent of it stays, or the rest would begin elsewhere.
                clean = raw[:sent] + self._mask(raw[sent:])
                self._mended, raw = self._mended or clean != raw, clean
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
        return with_data(raw, data, renamed_answer(self._dialect, data, self._rename))


def _parsed(data: bytes) -> Mapping[str, object] | None:
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None
