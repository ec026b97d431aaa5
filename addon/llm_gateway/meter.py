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
from collections.abc import Mapping, Sequence
from re import Pattern

from llm_gateway.billed import Bill
from llm_gateway.dialects.answers import renamed_answer
from llm_gateway.exchange import Dialect, Usage
from llm_gateway.peek import broke_off, is_error
from llm_gateway.sse import LONGEST, Framer, data_of, raw_events
from llm_gateway.usage import Tally

_HELD = 16_384
"""Bytes of an unfinished event that are held back at most, when stripping."""

_usage_object = re.compile(rb'"usage"\s*:\s*\{').search
_a_choice = re.compile(rb'"choices"\s*:\s*\[\s*[^\]\s]').search
_LAST_PIECES = 8
"""Pieces at the end of a stream that are looked at for its last word."""
_COUNTED_APART = frozenset({Dialect.CHAT, Dialect.COMPLETIONS})
"""Dialects in which usage comes as an event of its own, when it was asked for."""


def _strings(*names: str) -> Pattern[bytes]:
    """Members of these names that are strings; the group is the text as it is escaped."""
    text = rb'"\s*:\s*"([^"\\]*+(?:\\.[^"\\]*+)*+)"'
    return re.compile(rb'"(?:' + "|".join(names).encode() + rb")" + text, re.S)


_TEXT: Mapping[Dialect, Pattern[bytes]] = {
    Dialect.CHAT: _strings(
        "content", "reasoning_content", "reasoning", "refusal", "arguments"
    ),
    Dialect.COMPLETIONS: _strings("text"),
    Dialect.RESPONSES: _strings("delta"),
    Dialect.MESSAGES: _strings("text", "thinking", "partial_json"),
    Dialect.EMBEDDINGS: _strings("text"),
}


_FINISHED = re.compile(rb'\[DONE\]|"finish_reason"\s*:\s*"')
_LAST_WORD: Mapping[Dialect, Pattern[bytes]] = {
    Dialect.CHAT: _FINISHED,
    Dialect.COMPLETIONS: _FINISHED,
    Dialect.RESPONSES: re.compile(
        rb'"type"\s*:\s*"response\.(?:completed|incomplete|cancelled)"'
    ),
    Dialect.MESSAGES: re.compile(rb'"type"\s*:\s*"message_stop"'),
}
"""Without one of these a stream has not come to its end, however cleanly it stopped."""


class StreamMeter:
    """One per streamed answer."""

    def __init__(
        self,
        dialect: Dialect,
        *,
        strip_usage: bool,
        reasoning_excluded: bool = False,
        bills: Sequence[Bill] = (),
        rename_model: str | None = None,
    ) -> None:
        self._dialect = dialect
        self._strip = strip_usage and dialect in _COUNTED_APART
        self._rename = rename_model
        self._as_it_came = not self._strip and rename_model is None
        self._tally = Tally(dialect, reasoning_excluded=reasoning_excluded, bills=bills)
        self._texts = _TEXT[dialect].findall
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
        word = _LAST_WORD.get(self._dialect)
        if self._blind or word is None:
            return ""
        tail = b"".join(self._last)
        if b"error" in tail or b"failed" in tail:
            events = map(_parsed, map(data_of, raw_events(tail)))
            if any(e and (is_error(e) or broke_off(e)) for e in events):
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
