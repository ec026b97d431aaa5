"""Parts of a request, and what becomes of each in another dialect: carried, approximated,
dropped or needed. Data: writers obey it and docs/translation.md is made from it.

A dialect says which parts its requests can hold (`says`) and, as the target, what becomes of
every part (`fates`); the table of a pair is the one seen through the other.
"""

from collections.abc import Mapping
from enum import Enum, StrEnum
from typing import NamedTuple


class PartName(StrEnum):
    """As decisions, errors and the docs call them."""

    # instructions and content
    INSTRUCTIONS = "instructions"
    INSTRUCTIONS_INSIDE = "instructions in mid-conversation"
    DEVELOPER_ROLE = "role developer"
    TEXT = "text"
    NAME = "name of a participant"
    IMAGE = "image"
    IMAGE_URL = "image by URL"
    IMAGE_FILE = "image by file id"
    IMAGE_DETAIL = "detail of an image"
    TEXT_DOCUMENT = "text document"
    PDF = "PDF in a message"
    DOCUMENT_URL = "document by URL"
    DOCUMENT_FILE = "document by file id"
    DOCUMENT_TITLE = "title of a document"
    DOCUMENT_CONTEXT = "context of a document"
    AUDIO = "audio"
    CITATIONS = "citations"
    PREFILL = "beginning of the answer"
    ASSISTANT_FIRST = "first turn of the assistant"
    REFERENCE = "reference to a tool or a search result"
    UNKNOWN_PART = "part of an unknown type"
    # tools
    TOOL = "tool"
    FREEFORM_TOOL = "freeform tool"
    NAMESPACE = "namespace of tools"
    NAMESPACE_TEXT = "description of a namespace"
    STRICT = "strict tool"
    DEFERRED_TOOL = "deferred tool"
    SEARCH_TOOL = "search for tools"
    SERVER_TOOL = "server tool beside others"
    SERVER_TOOL_NEEDED = "server tool"
    TOOL_CHOICE = "tool_choice"
    ALLOWED_TOOLS = "allowed tools"
    PARALLEL_OFF = "no parallel calls"
    CALL = "tool call"
    RESULT = "tool result"
    RESULT_ERROR = "is_error"
    RESULT_IMAGE = "image in a tool result"
    RESULT_DOCUMENT = "document in a tool result"
    SERVER_CALL = "call of a server tool"
    # reasoning
    EFFORT = "effort"
    BUDGET = "thinking budget"
    SHOWN = "thoughts shown"
    THOUGHT = "thoughts of earlier turns"
    OWN_STATE = "opaque state of the same maker"
    FOREIGN_STATE = "opaque state of another maker"
    # settings
    JSON_SCHEMA = "structured output"
    JSON_OBJECT = "JSON output"
    MAX_TOKENS = "max_tokens"
    STOP = "stop sequences"
    STOP_MANY = "more stop sequences than it takes"
    TEMPERATURE = "temperature"
    TOP_P = "top_p"
    TOP_K = "top_k"
    SEED = "seed"
    PENALTIES = "penalties"
    SEVERAL = "several answers"
    LOGPROBS = "logprobs"
    LOGIT_BIAS = "logit_bias"
    USER = "user"
    METADATA = "metadata"
    CACHE_MARKS = "cache_control"
    CACHE_KEY = "prompt_cache_key"
    # what is the provider's own
    STATE = "state at the provider"
    COMPACTION = "compacted past"
    OTHER_OUTPUT = "output that is no text"
    UNKNOWN_MEMBER = "other members"


class Kind(Enum):
    CARRIED = "carried"
    APPROXIMATED = "approximated"
    DROPPED = "dropped"
    NEEDED = "needed"


class Fate(NamedTuple):
    kind: Kind
    text: str = ""
    """How it is approximated, why it may be dropped, why it cannot be carried."""
    unless: str = ""
    """The column of a provider's row with which it is carried all the same."""


CARRIED = Fate(Kind.CARRIED)


def approximated(how: str) -> Fate:
    return Fate(Kind.APPROXIMATED, how)


def dropped(why: str) -> Fate:
    return Fate(Kind.DROPPED, why)


def needed(why: str = "", unless: str = "") -> Fate:
    return Fate(Kind.NEEDED, why, unless)


Fates = Mapping[PartName, Fate]


class CannotCarry(NamedTuple):
    """The target cannot carry what the request uses: the candidate is skipped."""

    part: str
    why: str = ""

    def __str__(self) -> str:
        return f"cannot carry: {self.part}" + (f" ({self.why})" if self.why else "")


class Notes:
    """What a writer did otherwise than the client wrote it, looked up in its table.

    The first part that is needed and cannot be carried holds (`unfit`).
    """

    __slots__ = ("_approximated", "_dropped", "_fates", "unfit")

    def __init__(self, fates: Fates) -> None:
        self._fates = fates
        self._approximated: dict[tuple[str, str], None] = {}
        self._dropped: dict[tuple[str, str], None] = {}
        self.unfit: CannotCarry | None = None

    def use(self, part: PartName, name: str = "") -> None:
        """The request uses a part that does not pass as it is. name: which one, where the
        part is a kind of several (`other members`)."""
        fate = self._fates[part]
        shown = name or part.value
        if fate.kind is Kind.APPROXIMATED:
            self._approximated[shown, fate.text] = None
        elif fate.kind is Kind.DROPPED:
            self._dropped[shown, fate.text] = None
        elif fate.kind is Kind.NEEDED and self.unfit is None:
            self.unfit = CannotCarry(shown, fate.text)

    def approximate(self, part: PartName, how: str) -> None:
        """It passes, but for what this request or this provider asks for."""
        self._approximated[part.value, how] = None

    def drop(self, part: PartName, why: str) -> None:
        self._dropped[part.value, why] = None

    def cannot(self, part: PartName, why: str = "") -> None:
        self.unfit = self.unfit or CannotCarry(part.value, why)

    @property
    def approximations(self) -> tuple[tuple[str, str], ...]:
        return tuple(self._approximated)

    @property
    def drops(self) -> tuple[tuple[str, str], ...]:
        return tuple(self._dropped)
