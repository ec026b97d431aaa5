"""One client request while it is being served.

What lives here: `Exchange`, the one mutable thing per flow, and `AnswerJudge`, which
the HTTP layer asks about an answer that arrives.

What this file does not know: routing, limits, the ledger.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from mitmproxy import http

from llm_gateway.answer_meter import AnswerMeter
from llm_gateway.content_coding import BadCoding, Decoder, decoder
from llm_gateway.dialects import DialectSpec, RequestBody
from llm_gateway.dialects.provider_errors import NOTHING
from llm_gateway.edge.http_layer import Judgement
from llm_gateway.exchange import (
    AttemptRecord,
    Call,
    Candidate,
    Decision,
    Offer,
    RequestRecord,
)
from llm_gateway.failover import Failed
from llm_gateway.frozen import frozen
from llm_gateway.limits.engine import Reservation
from llm_gateway.meter import StreamMeter
from llm_gateway.peek import Peek, PeekState
from llm_gateway.providers.catalog import Catalog
from llm_gateway.providers.upstream import Upstream

Fields = tuple[tuple[bytes, bytes], ...]


@dataclass(slots=True, eq=False)
class Attempt:
    """One try that is under way."""

    candidate: Candidate
    upstream: Upstream
    record: AttemptRecord
    reservation: Reservation
    started: float
    """Loop time."""
    others: bool = False
    """Another candidate could answer instead."""
    strip_usage: bool = False
    first_byte: float | None = None
    judge: "AnswerJudge | None" = None


@frozen
class Original:
    """What a request said before it was rewritten, its headers aside."""

    scheme: str
    host: str
    port: int
    path: str
    authority: str
    body: bytes


@dataclass(slots=True, eq=False)
class Exchange:
    """A routed request, from its arrival to its row."""

    flow: http.HTTPFlow
    call: Call
    body: RequestBody
    headers: Fields
    """The client's own, as they came."""
    catalog: Catalog
    """The revision that this request is served under, whole."""
    ranks: Sequence[Sequence[Offer]]
    """Who has the asked name: exactly, by alias, by wildcard."""
    record: RequestRecord
    started: float
    """Loop time."""
    deadline: float
    """Loop time after which no further provider is tried."""
    original: Original | None = None
    """Where an intercepted app's own request went."""
    below: str = ""
    """Path under the dialect's own: `/count_tokens`."""
    query: str = ""
    """The client's, without the question mark."""
    cors_origin: str = ""
    """The page that may read the answer."""
    passthrough: bool = False
    """Nobody can serve it: the app's own host and key come last."""
    unspoken: bool = False
    """Everybody who has the model turned out not to speak the dialect."""
    decision: Decision | None = None
    attempt: Attempt | None = None
    tried: list[tuple[str, Failed]] = field(default_factory=list)
    exclude: set[tuple[str, str, str]] = field(default_factory=set)
    larger_than: int | None = None
    repeat: Candidate | None = None
    """The same one again: with a fresh credential, or without what it rejects."""
    repeats: set[tuple[str, str]] = field(default_factory=set)
    fresh: bool = False
    """The next attempt takes a new connection: a kept one turned out closed."""
    meter: StreamMeter | AnswerMeter | None = None
    """Of an answer that streams by."""
    died: str = ""
    """How the upstream broke off after content went out."""
    finished: bool = False
    begun: bool = False
    """Its row is in the ledger."""

    @property
    def dialect(self) -> DialectSpec:
        return self.body.dialect

    @property
    def closes(self) -> bool:
        """The client wants its connection closed behind the answer."""
        for name, value in self.headers:
            if len(name) == 10 and name.lower() == b"connection":
                return b"close" in value.lower()
        return False


class AnswerJudge:
    """Judges the head of one upstream's answer, before the client sees any of it."""

    def __init__(
        self,
        dialect: DialectSpec,
        streamed: bool,
        clock: Callable[[], float],
        *,
        below: bool = False,
    ) -> None:
        self.first_byte: float | None = None
        self.status = 0
        self.peek: Peek | None = None
        self._decoder: Decoder | None = None
        self._dialect = dialect
        self._streamed = streamed
        self._below = below
        self._clock = clock

    def head(self, status: int, headers: http.Headers) -> Judgement:
        self.status = status
        if not 200 <= status < 300:
            return Judgement.COLLECT
        try:
            self._decoder = decoder(headers.get("content-encoding", ""))
        except BadCoding:
            # We asked for identity; what nobody here can read goes out unseen.
            self.first_byte = self._clock()
            return Judgement.PASS
        kind = headers.get("content-type", "").lower()
        self.peek = Peek(
            self._dialect,
            self._streamed,
            announced="event-stream" in kind,
            below=self._below,
        )
        return Judgement.HOLD

    def body(self, data: bytes) -> Judgement:
        if self.first_byte is None:
            self.first_byte = self._clock()
        assert self.peek is not None
        if self._decoder is not None:
            try:
                data = self._decoder.feed(data)
            except BadCoding:
                return self._unreadable()
            if self._decoder.full:
                self.peek = None
                return Judgement.PASS
        return _JUDGEMENTS[self.peek.feed(data)]

    def end(self) -> Judgement:
        if self.first_byte is None:
            self.first_byte = self._clock()
        assert self.peek is not None
        return _JUDGEMENTS[self.peek.finish()]

    def _unreadable(self) -> Judgement:
        assert self.peek is not None
        self.peek.kind = "broken body"
        self.peek.error = NOTHING
        return Judgement.FAIL

    @property
    def complaint(self) -> str:
        """Why the answer was refused, as a class: `error event`, `empty stream`."""
        return self.peek.kind if self.peek is not None else ""


_JUDGEMENTS = {
    PeekState.HOLD: Judgement.HOLD,
    PeekState.CONTENT: Judgement.PASS,
    PeekState.ERROR: Judgement.FAIL,
}
