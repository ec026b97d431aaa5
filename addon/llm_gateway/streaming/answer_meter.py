"""Usage of a plain (not streamed) answer that is too large to be read whole.

The bytes go through; of the body the first and the last 64 KB stay, since that is where
providers say what it took: OpenAI's and Anthropic's behind the content, Mistral's before
it. Up to 1 MB the body is kept whole, and then read as any other. What was not reported
in either place is unknown, and never guessed at from a part.

The counterpart for event streams is stream_meter.py, with the same face.
"""

import json
import re
from collections import deque
from collections.abc import Mapping, Sequence
from re import Pattern

from llm_gateway.accounting.usage import read_answer, usage_of
from llm_gateway.dialects.billed import Bill
from llm_gateway.dialects.spec import DialectSpec
from llm_gateway.domain import Usage
from llm_gateway.streaming.key_filter import KeyFilter

WHOLE = 1 << 20
"""Bytes of a body that is kept whole."""
ENDS = 1 << 16
"""Bytes that are kept of either end of a larger one."""

_NAMED = rb'"%b"\s*:\s*"([^"\\]{1,200})"'


class AnswerMeter:
    """One per plain answer that streams by: `feed` each chunk, then ask for `usage`."""

    separator = b""
    end_error = ""
    ended = False
    """Nothing in a plain answer says that it is whole before it ends."""

    def __init__(
        self,
        dialect: DialectSpec,
        *,
        reasoning_excluded: bool = False,
        bills: Sequence[Bill] = (),
        keys: KeyFilter | None = None,
    ) -> None:
        self.dialect = dialect
        self._keys = keys
        self._excluded = reasoning_excluded
        self._bills = bills
        self._start = bytearray()
        """Whole up to WHOLE bytes, then ENDS of it."""
        self._last: deque[bytes] = deque()
        self._last_size = 0
        self._size = 0
        self._blind = False

    def feed(self, chunk: bytes) -> bytes:
        """What goes to the client: the same bytes, but for keys in them."""
        if not self._blind:
            self._keep(chunk)
        return chunk if self._keys is None else self._keys.feed(chunk)

    @property
    def masked(self) -> bool:
        """A key was taken out."""
        return self._keys is not None and self._keys.found

    @property
    def holds(self) -> bool:
        """Its last bytes have not gone out: they may begin a key."""
        return self._keys is not None and self._keys.holds

    def _keep(self, chunk: bytes) -> None:
        before, self._size = self._size, self._size + len(chunk)
        if self._size <= WHOLE:
            self._start += chunk
            return
        if before <= WHOLE:
            self._keep_last(bytes(self._start[-ENDS:]))
            self._start += chunk[:ENDS]
            del self._start[ENDS:]
        self._keep_last(chunk[-ENDS:])

    def _keep_last(self, piece: bytes) -> None:
        self._last.append(piece)
        self._last_size += len(piece)
        while self._last_size - len(self._last[0]) >= ENDS:
            self._last_size -= len(self._last.popleft())

    def blind(self) -> None:
        """What follows cannot be read: bytes pass, and the usage is unknown."""
        self._blind = True
        self._start.clear()
        self._last.clear()

    def whole(self) -> bytes:
        """All of the body; nothing when it was too large, or could not be read."""
        return bytes(self._start) if self._size <= WHOLE else b""

    def finish(self) -> bytes:
        """What is left to send."""
        return b"" if self._keys is None else self._keys.finish()

    def usage(self, *, prompt_estimate: int) -> Usage:
        """As it was reported; `unknown` for a large answer that says it elsewhere."""
        if self._blind:
            return Usage()
        if self._size <= WHOLE:
            return read_answer(
                self.dialect,
                bytes(self._start),
                reasoning_excluded=self._excluded,
                bills=self._bills,
                prompt_estimate=prompt_estimate,
            )
        first, last = bytes(self._start), b"".join(self._last)
        begins = self.dialect.usage_object
        said = _last_object(begins, last) or _first_object(begins, first)
        if said is None:
            return Usage()
        member = json.loads(self.dialect.usage_key)
        answer: dict[str, object] = {member: said}
        model = self.dialect.model_member
        names = re.compile(_NAMED % re.escape(model.encode()))
        if named := names.search(first) or names.search(last):
            answer[model] = named[1].decode("utf-8", "replace")
        found = usage_of(
            self.dialect,
            answer,
            reasoning_excluded=self._excluded,
            bills=self._bills,
            prompt_estimate=prompt_estimate,
        )
        said_something = found.source == "reported" or found.bill is not None
        return found if said_something else Usage()


def _first_object(begins: Pattern[bytes], text: bytes) -> Mapping[str, object] | None:
    found = begins.search(text)
    return _object(text, found.end() - 1) if found else None


def _last_object(begins: Pattern[bytes], text: bytes) -> Mapping[str, object] | None:
    ends = [found.end() for found in begins.finditer(text)]
    return _object(text, ends[-1] - 1) if ends else None


def _object(text: bytes, start: int) -> Mapping[str, object] | None:
    """The JSON object that begins there; None: it is none, or is cut."""
    try:
        value, _ = json.JSONDecoder().raw_decode(
            text[start:].decode("utf-8", "replace")
        )
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None
