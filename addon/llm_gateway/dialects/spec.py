"""Dialect row: everything the gateway knows about one API format, in one value.

A dialect is a folder that fills one `DialectSpec` and a line in the registry
(`dialects/__init__.py`). Whoever matches a request line, reads a body, judges an answer,
meters a stream, builds an upstream request or writes an error asks this row; nobody else
has a table by dialect or knows a dialect's name. Rows are compared by identity.

The functions of a row are plain ones: bind them once per request, call them per event.
They get what a stranger sent (parsed JSON, raw bytes) and never raise on it.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from re import Pattern
from typing import Any, NamedTuple, Protocol

from llm_gateway.adaptation.adapted import Adapter
from llm_gateway.dialects.answer_observer import HistoryCalls, Observe, ReadPlain
from llm_gateway.dialects.billed import Classes
from llm_gateway.dialects.conversation import Conversation
from llm_gateway.dialects.extras import PlacedExtras
from llm_gateway.dialects.paths import PathInfo, deployment_in
from llm_gateway.dialects.provider_errors import is_error
from llm_gateway.dialects.request_settings import (
    COUNTS,
    OUTPUT_LIMITS,
    SCHEMAS,
    Settings,
    Values,
    read_settings,
)
from llm_gateway.dialects.resources import IdMembers, Resource
from llm_gateway.domain import Dialect, Usage
from llm_gateway.translation.codec import Codecs

Json = Mapping[str, object]
"""A JSON object as `json.loads` gives it."""

Headers = tuple[tuple[bytes, bytes], ...]


class ModelPlace(Enum):
    """What names the model of a request."""

    BODY = "body"
    """The member `model`; only a body without one takes the model that its path names."""
    PATH = "path"
    """The path alone, as `/models/NAME:generateContent` does; none is put into a body."""


class Action(NamedTuple):
    """What `{action}` in an upstream path stands for, and what its query needs."""

    word: str
    query: str = ""
    """`alt=sse`: without it the same path answers with a JSON array of events."""


class StreamEnd(NamedTuple):
    """How the last word of a stream is known, whatever follows it."""

    hint: Callable[[bytes], Any]
    """The quick look, once per piece: without it there is no last word in these bytes."""
    is_last: Callable[[Json], bool]
    """The event ends an answer."""
    marker: Pattern[bytes] | None = None
    """A line that is no JSON and ends it, too: `data: [DONE]`."""
    reason: Pattern[bytes] | None = None
    """The same in raw bytes, for an event too large to be parsed; None: its kind says it."""


class UsageEvent(NamedTuple):
    """Streams report usage in an event of its own, which `stream_options` asks for."""

    has_begun_otherwise: Callable[[bytes], Any]
    """The open event's bytes show that it is another one: it need not be held back."""
    is_alone: Callable[[Json], bool]
    """The event holds usage and nothing else."""


class Unrouted(NamedTuple):
    """Paths of the same API that are not routed, and what a client of the base URL is
    told who asks for one."""

    paths: Pattern[str]
    """Whole paths, without their query."""
    message: str
    """Follows the path: `is not routed here: …`."""


class ModelLists(NamedTuple):
    """The list of models in the dialect's own form, at paths that end in `/models`."""

    versions: frozenset[str]
    """What stands before `/models` where nobody else's list is meant: `v1beta`."""
    header: str
    """One that only its clients send, at whatever path."""
    page: Callable[[Sequence[str], Mapping[str, str]], dict[str, object]]
    """(names, query) -> a page. Raises ValueError, with what to write instead."""
    entry: Callable[[str], dict[str, object]]


class Stored(NamedTuple):
    """Answers that a provider keeps: they are asked for again below the dialect's path."""

    read_id: Callable[[Json], str | None]
    """(plain answer, or first event of a stream) -> its id; None: it is not kept."""
    paths: tuple[tuple[str, str], ...]
    """(method, what follows the id) of every request about one: `("GET", "")`."""
    settles: frozenset[str]
    """Those ends whose answer is the kept one, with its usage."""
    query: frozenset[str] = frozenset()
    """Parameters that may pass."""


def nothing_apart(usage: Json, answer: Json, counted: Usage) -> Classes:
    """All that an answer is billed for stands in the plain counts."""
    return ()


class ErrorBody(Protocol):
    def __call__(
        self, status: int, code: str, message: str, *, param: str | None = None
    ) -> bytes: ...


@dataclass(frozen=True, slots=True, eq=False, repr=False, kw_only=True)
class DialectSpec:
    """One row. ValueError for a row that cannot work, with what to write instead."""

    name: Dialect
    """What config, ledger and pages call it."""
    endpoint: str
    """What it is called by people who never heard the word: whose, and its path."""
    apps: tuple[str, ...] = ()
    """Well-known apps that speak it and, as they come, no other. Dialects that have some
    are for the same thing, a conversation: an app may be set to another of them."""

    # -- the request line

    ends: tuple[str, ...]
    """A POST whose path ends in one of these is a request in it; the longest end of all
    dialects wins."""
    foreign_ends: tuple[str, ...] = ()
    """Longer ends that are another thing, with a body of its own."""
    foreign_path: Pattern[str] | None = None
    """Whole paths with one of its ends that are another thing, where an id stands in
    their midst."""
    free_paths: Mapping[str, str] = field(default_factory=dict)
    """Requests that are routed with it, take no tokens and cost nothing, as counting
    tokens: end of the client's path -> what follows `path` upstream (`/count_tokens`), or
    `:WORD`, which stands in place of `{action}`."""
    unrouted: tuple[Unrouted, ...] = ()
    key_headers: tuple[str, ...] = ()
    """Where its SDKs put a key, besides `authorization` (lower case)."""
    key_parameter: str = ""
    """The same in a query. "": nowhere."""
    session_headers: tuple[str, ...] = ()
    """Where its apps name their session: the conversation goes by these, if any is sent."""
    count_answer: Callable[[int], bytes] | None = None
    """(tokens) -> body of an answer to a request at one of its `free_paths` that counts
    them, where nobody can be asked. None: there is none."""
    path: str
    """What follows a base URL, unless a provider's row says otherwise. `{model}` stands
    for the name that is sent, `{action}` for the word in `actions`."""
    actions: tuple[Action, Action] | None = None
    """Of a plain and of a streamed request, where the path tells them apart."""
    array_unless: str = ""
    """What the query of a client holds that takes server-sent events: without it, a stream
    is a JSON array of them. "": streams are always events."""
    model_lists: ModelLists | None = None
    """None: the list of models has no form of its own in it."""
    model_place: ModelPlace = ModelPlace.BODY
    other_collections: tuple[str, ...] = ()
    """Beginnings of names that stand in a path in place of `models/`: `tunedModels/`."""
    model_repeated: tuple[str, ...] = ()
    """Where a body may say once more which model its path names, one level down:
    `generateContentRequest.model`. What stands before the name there stays."""
    read_path: Callable[[str], PathInfo] = deployment_in
    """Asked when the path names the model, or may."""

    # -- the request

    read_conversation: Callable[[Values], Conversation]
    """Size of the prompt, and what tells one conversation from another."""
    read_settings: Callable[[Values], Settings] = read_settings
    """Stream or not, the most output tokens, number of answers."""
    one_name: Callable[[str], str] = str
    """The one name of a member that may be spelled in several ways."""
    counts: tuple[str, ...] = COUNTS
    """Top-level members that have to be whole numbers, and are given once."""
    given_once: frozenset[str] = frozenset()
    """Members, at the top or in `placed_extras`, of which two would be judged by one."""
    placed_extras: PlacedExtras | None = None
    """What is paid for and stands elsewhere than in other dialects. None: nothing."""
    output_limits: tuple[str, ...] = OUTPUT_LIMITS
    """Members that bound the answer's tokens: what is lowered to fit. At the top, or one
    level further down: `generationConfig.maxOutputTokens`."""
    least_output: int = 1
    """The smallest bound that is taken there."""
    schemas: frozenset[str] = SCHEMAS
    """Top-level members whose JSON counts as prompt."""
    has_output: bool = True
    """An answer takes output tokens. False: room for them is never reserved."""
    interchangeable: bool = True
    """Answers of different models may stand in for each other. False for vectors."""
    forwards: frozenset[bytes] = frozenset()
    """Client headers that belong to it, whoever speaks it (lower case)."""
    forwarded_prefix: bytes = b""
    """Client headers of this family pass too, whatever is invented next."""
    headers: Headers = ()
    """Headers without which it is not understood; the client's own value wins."""
    example: Json
    """Body of a small request, without its model: for people to try."""

    adapt: Adapter | None = None
    """Writes what a provider's quirks ask for. None: its top-level members at the most."""
    needs_look: Callable[[bytes], bool] | None = None
    """These bytes of a body may hold what `adapt` mends for everybody, without a quirk: a
    quick look. None: there is nothing of the kind."""

    # -- the answer

    event_has_content: Callable[[Json], bool] | None
    """The model has said something in this event of a stream; from then on no other
    provider can be asked. Anything unknown that says something counts. None: there are
    no streams in it."""
    event_failed: Callable[[Json], bool] = is_error
    """The event ends a stream in failure."""
    failure_hint: Pattern[bytes] = re.compile(b"error|failed")
    """Bytes without which no event is a failure: a quick look before `event_failed`."""
    answer_failed: Callable[[Json], bool] = is_error
    """A plain answer with a good status holds no answer, but an error."""
    broke_off: Callable[[Json], bool] | None = None
    """The event, or the plain answer, ends an answer that says nothing, and for no reason of
    the client's: whoever comes next may have one. It goes out where nobody else can be
    asked. None: no end of it tells."""
    holds_answer: Callable[[Json], bool] = bool
    """A plain answer has a place for an answer in it. A model that ended without a word
    has answered, as has one that refused."""
    stream_end: StreamEnd | None
    """Without its last word a stream has not come to its end, however cleanly it stopped.
    None: nothing marks the end."""
    stream_text: Pattern[bytes]
    """Text in raw events; the group is the text as it is escaped in JSON."""
    open_text: Pattern[bytes]
    """The same, for a text that goes on behind what is there."""
    content_member: str = ""
    """Member of a plain answer that holds its text, as a list of objects."""
    model_member: str = "model"
    """Where an answer names its model …"""
    model_holder: str = ""
    """… and the object in which a stream's events nest it; "": at the top only."""

    # -- what an answer leaves for the next request, and what of it is mended

    observe: Observe | None = None
    """Of a stream. None: its events pass as they come, and nothing is kept."""
    read_plain: ReadPlain | None = None
    """The same of a plain answer."""
    history_member: str = ""
    """Top-level member of a request that holds the conversation so far."""
    history_calls: HistoryCalls | None = None
    """The calls of a request's earlier turns."""

    # -- usage

    usage_key: bytes = b'"usage"'
    """Bytes without which an event reports none: a quick look before the pattern."""
    usage_object: Pattern[bytes] = re.compile(rb'"usage"\s*:\s*\{')
    """Where a usage object begins in raw bytes."""
    find_usage: Callable[[Json, Json], Json | None]
    """(plain answer or event, `model_holder` in it or itself) -> its usage object."""
    read_usage: Callable[[Json, bool], Usage | None]
    """(usage object, reasoning is counted apart) -> tokens in disjoint classes."""
    usage_whole: Callable[[Json], bool] | None = None
    """Several events of a stream complete each other's usage: with this one it is the
    whole. None: each event says all that it knows."""
    usage_event: UsageEvent | None = None
    """None: usage comes unasked for, or stands beside content."""
    read_classes: Callable[[Json, Json, Usage], Classes] = nothing_apart
    """(usage object, the answer around it, its plain counts) -> what has a price of its
    own: classes of those tokens, and fees."""
    usage_parts: Callable[[Json], tuple[Json, ...]] | None = None
    """Usage object -> those of the calls that one answer is the sum of. None: never."""
    is_pending: Callable[[Json], bool] | None = None
    """The answer (`model_holder` in it, or itself) is made in the background, and is not
    there yet: a GET of its own path and `/ID` fetches it. None: there are none."""

    stored: Stored | None = None
    """None: no provider keeps answers in it."""
    resources: tuple[Resource, ...] = ()
    """What else a provider of it may keep for an account."""
    id_members: IdMembers | None = None
    """Where its requests name what an account keeps. None: nowhere."""

    # -- translation

    codecs: Codecs | None = None
    """Its requests and answers in neutral form, and back. None: it is not translated."""

    # -- errors

    error_body: ErrorBody
    """(status, code, message, param) -> body of our own error answer."""
    quota_body: Callable[[str, str, int | None], bytes] | None = None
    """(code, message, seconds until it makes sense to ask again; None: it never does) ->
    body of our own 429, where apps look for that in it. None: they go by headers."""
    stream_error: Callable[[str, str], bytes]
    """(code, message) -> the event on which SDKs raise in the middle of a stream. Send
    `StreamMeter.boundary` before it, so that it stands alone after a cut."""

    def takes_array(self, query: str, stream: bool) -> bool:
        """What answers a client with this query, an error too, is a JSON array of it."""
        events = self.array_unless
        return bool(events) and stream and events not in query.split("&")

    def __repr__(self) -> str:
        return f"DialectSpec({self.name!r})"

    def __post_init__(self) -> None:
        if faults := self._faults():
            raise ValueError(f"dialect {self.name!r}: {'; '.join(faults)}")

    def _faults(self) -> list[str]:
        """What is wrong with this row by itself."""
        faults = []
        if not re.fullmatch("[a-z][A-Za-z0-9_-]*", self.name):
            faults.append(
                "`name` is no word; write letters, the first a small one, e.g. 'chat'"
            )
        if not self.ends:
            faults.append("`ends` is empty; write what its paths end in")
        places = (*self.ends, *self.foreign_ends, *self.free_paths)
        if odd := [p for p in places if p[:1] not in ("/", ":") or p.endswith("/")]:
            faults.append(f"{odd[0]!r} is no end of a path; write e.g. '/messages'")
        if not self.path.startswith("/"):
            faults.append(f"`path` is {self.path!r}; begin it with a slash")
        if ("{action}" in self.path) != (self.actions is not None):
            faults.append("`{action}` in `path` and `actions` go together")
        if self.model_place is ModelPlace.PATH and "{model}" not in self.path:
            faults.append("its model is in the path, but `path` has no `{model}`")
        names = (*self.forwards, *(name for name, _ in self.headers))
        if upper := [name for name in names if name != name.lower()]:
            faults.append(f"header {upper[0]!r} is not in lower case")
        faults += [
            f"`{name}` cannot be called; write a function"
            for name in _FUNCTIONS
            if not callable(getattr(self, name))
        ]
        if self.event_has_content is None and self.usage_event is not None:
            faults.append("it has no streams, and so no `usage_event`")
        return faults


_FUNCTIONS = (
    "read_path",
    "read_conversation",
    "read_settings",
    "event_failed",
    "answer_failed",
    "find_usage",
    "read_usage",
    "read_classes",
    "error_body",
    "stream_error",
)
