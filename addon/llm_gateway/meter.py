"""A meter on a stream: bytes go through, usage stays behind.

The rule is that the client gets the bytes as they came, when they came. Two things may
be asked for that bend it:

strip_usage   The gateway asked for usage, the client did not: the one event that holds
              usage and no choice is taken out. Only while an unfinished event could
              still become that one (it has shown no choice yet) it is held back, which
              no client can notice: an event counts when its blank line has come.
rename_model  Each event's `model` is replaced, so events go out whole.

What is decoded: events that hold a usage object, and nothing else. For streams that
never report usage, the lengths of the text members are added up by a regular expression.
"""

import json
import re
from collections import deque
from collections.abc import Callable, Mapping
from re import Pattern

from llm_gateway.dialects.answers import renamed_answer
from llm_gateway.exchange import Dialect, Usage
from llm_gateway.large_event import LargeEvent
from llm_gateway.peek import broke_off, is_error
from llm_gateway.sse import LONGEST, Framer, data_of, raw_events
from llm_gateway.usage import Tally

_HELD = 16_384
"""Bytes of an unfinished event that are held back at most, when stripping."""

_usage_object = re.compile(rb'"usage"\s*:\s*\{').search
_a_choice = re.compile(rb'"choices"\s*:\s*\[\s*[^\]\s]').search
_LAST_PIECES = 8
"""Pieces at the end of a stream that are looked at for an error."""
_COUNTED_APART = frozenset({Dialect.CHAT, Dialect.COMPLETIONS})
"""Dialects in which usage comes as an event of its own, when it was asked for."""


_NAMES: Mapping[Dialect, str] = {
    Dialect.CHAT: "content|reasoning_content|reasoning|refusal|arguments",
    Dialect.COMPLETIONS: "text",
    Dialect.RESPONSES: "delta",
    Dialect.MESSAGES: "text|thinking|partial_json",
    Dialect.EMBEDDINGS: "text",
}
"""Members that hold text."""
_START = r'"(?:%s)"\s*:\s*"([^"\\]*+(?:\\.[^"\\]*+)*+)'


def _strings(end: str) -> Mapping[Dialect, Pattern[bytes]]:
    """Those members that are strings; the group is the text as it is escaped."""
    return {
        dialect: re.compile((_START % names + end).encode(), re.S)
        for dialect, names in _NAMES.items()
    }


_TEXT = _strings('"')
_OPEN_TEXT = _strings(r"\\?\Z")
"""The same, for a text that goes on behind what is there."""

_DONE = re.compile(rb"^data:[ ]*\[DONE\]\s*$", re.M)
"""A line of its own: in JSON, no text can hold the line break before it."""
_finished = re.compile(rb'"finish_reason"\s*:\s*"(?!error"|network_error")').search


def _chat_may_end(data: bytes) -> bool:
    return b"[DONE]" in data or _finished(data) is not None


_MAY_END: Mapping[Dialect, Callable[[bytes], object]] = {
    Dialect.CHAT: _chat_may_end,
    Dialect.COMPLETIONS: _chat_may_end,
    Dialect.RESPONSES: re.compile(
        rb"response\.(?:completed|incomplete|cancelled)"
    ).search,
    Dialect.MESSAGES: re.compile(rb"message_stop").search,
}
"""The quick look for a dialect's last word, once per piece. Without one a stream has not
come to its end, however cleanly it stopped."""
_LAST_KINDS = frozenset(
    {
        "response.completed",
        "response.incomplete",
        "response.cancelled",
        "message_stop",
    }
)


def _is_last(event: Mapping[str, object]) -> bool:
    """This event ends an answer, whatever follows."""
    choices = event.get("choices")
    return event.get("type") in _LAST_KINDS or any(
        isinstance(choice, dict) and bool(choice.get("finish_reason"))
        for choice in (choices if isinstance(choices, list) else ())
    )


class StreamMeter:
    """One per streamed answer."""

    def __init__(
        self,
        dialect: Dialect,
        *,
        strip_usage: bool,
        reasoning_excluded: bool = False,
        rename_model: str | None = None,
    ) -> None:
        self._dialect = dialect
        self._strip = strip_usage and dialect in _COUNTED_APART
        self._rename = rename_model
        self._as_it_came = not self._strip and rename_model is None
        self._tally = Tally(dialect, reasoning_excluded=reasoning_excluded)
        self._texts = _TEXT[dialect].findall
        self._text_bytes = 0
        self._frames = Framer()
        self._sent = 0
        """How many bytes of the open event have gone to the client."""
        self._last: deque[bytes] = deque(maxlen=_LAST_PIECES)
        self._may_end = _MAY_END.get(dialect)
        self._ended = False
        self._large: LargeEvent | None = None
        """The open event, of which more has come than is held."""

    @property
    def first_content(self) -> bool:
        """Text has been seen, of tool calls their arguments."""
        return self._text_bytes > 0

    @property
    def boundary(self) -> bytes:
        """What to send before an event of our own, so that it stands alone."""
        return b"\n\n" if self._sent or self._large is not None else b""

    def feed(self, chunk: bytes) -> bytes:
        """What goes to the client now."""
        if self._large is not None:
            return self._feed_large(self._large, chunk)
        frames = self._frames
        whole = frames.push(chunk)
        if self._as_it_came:
            if whole:
                self._whole(whole)
            out = chunk
            self._sent = frames.size
        else:
            out = self._whole(whole)[self._sent :] if whole else b""
            if whole:
                self._sent = 0
            if frames.size and not self._held():
                out += chunk if self._sent else frames.open
                self._sent = frames.size
        if frames.size > LONGEST:
            self._large = LargeEvent(frames.take())
            self._sent = 0
        return out

    def _feed_large(self, large: LargeEvent, chunk: bytes) -> bytes:
        """More of an event that is too large to be held: it passes as it comes."""
        end = large.push(chunk)
        if end is None:
            return chunk
        self._large = None
        self._skim(large)
        return chunk[:end] + self.feed(chunk[end:]) if end < len(chunk) else chunk

    def _skim(self, large: LargeEvent) -> None:
        """Read what can be read of an event without its middle."""
        for usage in large.usages():
            self._tally.add({"type": large.kind, "usage": usage})
        texts = self._texts(large.head)
        self._text_bytes += sum(map(len, texts))
        if _OPEN_TEXT[self._dialect].search(large.head):
            self._text_bytes += large.between
        if self._dialect in _COUNTED_APART:
            self._ended |= any(_finished(edge) is not None for edge in large.edges)
        else:
            self._ended |= large.kind in _LAST_KINDS

    def finish(self) -> bytes:
        """What is left to send when the upstream has ended, in whatever way."""
        if self._large is not None:
            self._skim(self._large)
            self._sent = self._large.between
            self._large = None
            return b""
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
    def ended(self) -> bool:
        """The answer is whole: its last word has come, if only in a line still open."""
        rest = self._frames.open
        if not self._ended and rest and self._may_end and self._may_end(rest):
            self._look_for_end(rest)
        return self._ended

    @property
    def flaw(self) -> str:
        """After `finish`, what was wrong with the stream's end: `error event`, `ended
        early` (no last word), or nothing."""
        if self._ended or self._may_end is None:
            return ""
        return "error event" if self._broke() else "ended early"

    def _broke(self) -> bool:
        """One of the last events was an error."""
        return any(map(_is_broken, raw_events(b"".join(self._last))))

    def _look_for_end(self, data: bytes) -> None:
        """Is the last word in these events? Behind an error it is none."""
        for raw in raw_events(data):
            if self._is_last(raw):
                self._ended = not self._broke()
                return
            if _is_broken(raw):
                return

    def _is_last(self, raw: bytes) -> bool:
        if self._may_end is None or not self._may_end(raw):
            return False
        if self._dialect in _COUNTED_APART and _DONE.search(raw):
            return True
        event = _parsed(data_of(raw))
        return event is not None and _is_last(event)

    def usage(self, *, prompt_estimate: int) -> Usage:
        """Reported if the stream said so, else estimated from what was seen."""
        return self._tally.usage(
            prompt_estimate=prompt_estimate, text_bytes=self._text_bytes
        )

    def _held(self) -> bool:
        """The open event must not go out yet."""
        frames = self._frames
        if self._sent or frames.size > LONGEST:
            return False
        if self._rename is not None:
            return True
        return frames.size <= _HELD and not _a_choice(frames.open)

    def _whole(self, data: bytes) -> bytes:
        """Read whole events; what of them is for the client.

        The start of `data` that has been sent already is never changed: an event of
        which a part went out is not held, so it is neither stripped nor renamed.
        """
        if not self._ended and self._may_end and self._may_end(data):
            self._look_for_end(data)
        self._last.append(data)
        for text in self._texts(data):
            # \\uXXXX takes six bytes and stands for two or three.
            self._text_bytes += len(text) - 3 * text.count(b"\\u")
        found = b'"usage"' in data and _usage_object(data)
        if not found and self._rename is None:
            return data
        out = []
        for raw in raw_events(data):
            event = self._read(raw) if b'"usage"' in raw else None
            if event is not None and self._strip and _only_usage(event):
                continue
            out.append(raw if self._rename is None else self._renamed(raw))
        return b"".join(out)

    def _read(self, raw: bytes) -> Mapping[str, object] | None:
        event = _parsed(data_of(raw) or raw) if _usage_object(raw) else None
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


def _is_broken(raw: bytes) -> bool:
    """This event says that something broke."""
    if b"error" not in raw and b"failed" not in raw:
        return False
    event = _parsed(data_of(raw))
    return event is not None and (is_error(event) or broke_off(event))


def _only_usage(event: Mapping[str, object]) -> bool:
    """The event that we asked for. OpenRouter's last one holds a choice as well, and
    Azure's first one holds neither."""
    usage = event.get("usage")
    return bool(
        isinstance(usage, dict)
        and usage
        and not event.get("choices")
        and not event.get("error")
    )
