"""What an answer leaves behind for later requests, and what of it is mended for its client.

An observer reads the whole events of a stream, a reader a plain answer. Both give the bytes
that go to the client (the very same object where nothing is mended), name what they mended,
and say which calls were made, with the thoughts and signatures beside them. Pure; nothing
here raises on what a stranger sent.
"""

import json
from collections.abc import Callable, Mapping
from hashlib import blake2b
from typing import NamedTuple, Protocol

from llm_gateway.adaptation.kept_state import CallKey, Kept
from llm_gateway.dialects.json_splice import NotAnObject, scan, splice

Json = Mapping[str, object]

MOST_HELD = 4 << 20
"""Bytes of events with thoughts that are held until a stream's calls are known."""


class Issued(NamedTuple):
    """What an answer makes that its provider may want back."""

    calls: tuple[tuple[CallKey, Kept], ...] = ()
    """Each call as the client sees it, with what stood beside it."""
    signed: tuple[str, ...] = ()
    """Signatures and encrypted blocks that travel through the client."""


NOTHING_ISSUED = Issued()


def _ignored(_: Issued) -> None:
    pass


class Answered(NamedTuple):
    """The request that is answered, as far as an answer's reader needs it."""

    history: Callable[[], bytes] = bytes
    """What of the request made the answer: ids that are missing are a function of it."""
    n: int = 1
    """Answers that were asked for."""
    keep: Callable[[Issued], None] = _ignored
    """Told what was issued, before the client sees the end of the answer; more than once,
    with all of it, where more comes behind an end."""

    def made_id(self, prefix: str, position: int, name: str) -> str:
        """An id for a call without one: the same whenever the answer is made again."""
        digest = blake2b(digest_size=12)
        digest.update(self.history())
        digest.update(f"\0{position}\0{name}".encode("utf-8", "surrogatepass"))
        return prefix + digest.hexdigest()


class MendedEvent(NamedTuple):
    """What goes to the client instead of one event."""

    data: bytes
    before: bytes = b""
    """A server-sent event, or several, that stand before it."""
    name: str = ""
    """Another one for its `event:` line; "": it stays."""


class StreamObserver(Protocol):
    """One per streamed answer."""

    mended: set[str]
    """Parts that did not pass as they came: `index`, `id`, `content`."""

    @property
    def text_in(self) -> Callable[[bytes], int] | None:
        """Bytes of text in what is one raw event that adds text and does nothing else, of
        a form that this stream had before; -1: look closer. None: never so."""

    def wants(self, events: bytes) -> bool:
        """The quick look at raw events: is there anything to read in one of them? Asked of
        all events of a chunk, and of each where the answer was yes."""

    def read(self, data: bytes, said: bool) -> MendedEvent | None:
        """The data of one event that it wants; None: it passes as it came.

        said: text, thoughts or arguments came in an event before it.
        """

    def finish(self) -> None:
        """No more events come."""


class PlainAnswer(NamedTuple):
    """A plain answer that was read."""

    body: bytes
    """As it goes to the client."""
    mended: frozenset[str] = frozenset()
    issued: Issued = NOTHING_ISSUED


Observe = Callable[[Answered], StreamObserver]


class ReadPlain(Protocol):
    def __call__(
        self, body: bytes, asked: Answered, answer: Json | None = None
    ) -> PlainAnswer:
        """answer: what is in the body, where it was parsed already. Else the bytes are
        looked at first: most answers are text, and need not be parsed."""


HistoryCalls = Callable[[Json], tuple[CallKey, ...]]
"""Top-level values of a request -> the calls of its earlier turns, in order."""


def parsed(data: bytes) -> dict[str, object] | None:
    """The JSON object in `data`; None: it is none."""
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def objects(value: object) -> list[dict[str, object]]:
    """The objects of a list; [] for anything else."""
    if not isinstance(value, list):
        return []
    return [item for item in value if isinstance(item, dict)]


def object_of(value: object) -> dict[str, object]:
    """The object itself; an empty one for anything else."""
    return value if isinstance(value, dict) else {}


def text_of(value: object) -> str:
    return value if isinstance(value, str) else ""


def as_bytes(value: object) -> bytes:
    """JSON, as providers write it: no spaces, letters as they are."""
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    try:
        return text.encode()
    except UnicodeEncodeError:  # half of a surrogate pair can only be escaped
        return json.dumps(value, separators=(",", ":")).encode()


def with_members(body: bytes, new: Json) -> bytes:
    """A JSON object with other values for some of its top-level members; the rest stays
    byte for byte. Members that it has not are not added."""
    try:
        members, _ = scan(body.decode())
    except (NotAnObject, UnicodeDecodeError):
        return body
    return splice(
        body, [(m.start, m.end, as_bytes(new[m.key])) for m in members if m.key in new]
    )
