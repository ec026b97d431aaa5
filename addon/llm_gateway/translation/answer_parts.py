"""Parts of an answer, and what becomes of each for a client of another dialect: carried,
approximated or dropped. Data, as the tables of requests are: decisions and the docs are made
from it.

A dialect says which parts the answers of its providers can hold (`gives`) and, as the
client's, what becomes of every part (`answer_fates`). Parts that have an event are told of
by it; what has none is put aside by the answer's reader (`Asides`), and noted.
"""

from collections.abc import Mapping
from enum import StrEnum

from llm_gateway.translation.carried import CARRIED, Fate, Kind, approximated, dropped


class AnswerPart(StrEnum):
    """As decisions and the docs call them."""

    TEXT = "text"
    THOUGHT = "thoughts"
    STATE = "opaque state"
    REFUSAL = "words of refusal"
    CALL = "tool call"
    STOP_SEQUENCE = "stop sequence that was met"
    IMAGE = "image"
    AUDIO = "audio"
    CITATION = "citations"
    SEARCH = "search results"
    CODE = "code that was run"
    SERVER_CALL = "call of a server tool"
    LOGPROBS = "logprobs"
    UNKNOWN = "part of an unknown type"


AnswerFates = Mapping[AnswerPart, Fate]

NOT_SHOWN = "the client has not asked for them"
_BESIDE = "the text stands without"

ASIDE: AnswerFates = {
    AnswerPart.IMAGE: dropped("answers there hold text and calls"),
    AnswerPart.AUDIO: dropped("answers there hold text and calls"),
    AnswerPart.CITATION: dropped(_BESIDE),
    AnswerPart.SEARCH: dropped(_BESIDE),
    AnswerPart.CODE: dropped("what came of it stands in the text"),
    AnswerPart.SERVER_CALL: dropped("what came of it stands in the text"),
    AnswerPart.LOGPROBS: dropped("nobody asked for them"),
    AnswerPart.UNKNOWN: dropped("not a part there"),
}
"""Those that no event tells of: the same for every client, as the neutral form has no place
for them."""


def answer_fates(
    *,
    thought: Fate = CARRIED,
    refusal: Fate = CARRIED,
    stop_sequence: Fate = CARRIED,
) -> AnswerFates:
    """A client dialect's table: what it does with parts that have events, and the rest."""
    return {
        AnswerPart.TEXT: CARRIED,
        AnswerPart.THOUGHT: thought,
        AnswerPart.STATE: CARRIED,
        AnswerPart.REFUSAL: refusal,
        AnswerPart.CALL: CARRIED,
        AnswerPart.STOP_SEQUENCE: stop_sequence,
        **ASIDE,
    }


AS_TEXT = approximated("as text")
ONLY_THAT = dropped("it is said that one was met, not which")

MOST_NAMED = 16
"""Parts of one answer that are told of, and characters of a name are bounded, too."""
_LONGEST_NAME = 40


class Asides:
    """What an answer's reader has found and no event tells of. Cheap to ask for again."""

    __slots__ = ("_found",)

    def __init__(self) -> None:
        self._found: dict[tuple[AnswerPart, str], None] = {}

    def add(self, part: AnswerPart, name: str = "") -> None:
        """name: which one, of a part that is a kind of several."""
        if len(self._found) < MOST_NAMED:
            shown = "".join(c for c in name[:_LONGEST_NAME] if c.isprintable())
            self._found[part, shown] = None

    def members(self, value: Mapping[str, object], known: frozenset[str]) -> None:
        """Members of an object that nobody reads, where they say something: by `MEMBERS`,
        else under their own name."""
        if value.keys() <= known:
            return
        for name, given in value.items():
            if name not in known and given:
                part = MEMBERS.get(name, AnswerPart.UNKNOWN)
                self.add(part, name if part is AnswerPart.UNKNOWN else "")

    def block(self, kind: str) -> None:
        """A block, an item or a part of this type, of whatever dialect."""
        part = BLOCKS.get(kind, AnswerPart.UNKNOWN)
        self.add(part, kind if part is AnswerPart.UNKNOWN else "")

    @property
    def found(self) -> tuple[tuple[AnswerPart, str], ...]:
        return tuple(self._found)


BLOCKS: Mapping[str, AnswerPart] = {
    # Messages
    "server_tool_use": AnswerPart.SERVER_CALL,
    "mcp_tool_use": AnswerPart.SERVER_CALL,
    "mcp_tool_result": AnswerPart.SERVER_CALL,
    "tool_search_tool_result": AnswerPart.SERVER_CALL,
    "web_search_tool_result": AnswerPart.SEARCH,
    "web_fetch_tool_result": AnswerPart.SEARCH,
    "code_execution_tool_result": AnswerPart.CODE,
    "bash_code_execution_tool_result": AnswerPart.CODE,
    "text_editor_code_execution_tool_result": AnswerPart.CODE,
    "citations_delta": AnswerPart.CITATION,
    # Responses
    "web_search_call": AnswerPart.SEARCH,
    "file_search_call": AnswerPart.SEARCH,
    "code_interpreter_call": AnswerPart.CODE,
    "shell_call": AnswerPart.CODE,
    "shell_call_output": AnswerPart.CODE,
    "image_generation_call": AnswerPart.IMAGE,
    "output_audio": AnswerPart.AUDIO,
    "mcp_call": AnswerPart.SERVER_CALL,
    "mcp_list_tools": AnswerPart.SERVER_CALL,
    "mcp_approval_request": AnswerPart.SERVER_CALL,
    "computer_call": AnswerPart.SERVER_CALL,
    "tool_search_call": AnswerPart.SERVER_CALL,
    "tool_search_output": AnswerPart.SERVER_CALL,
    # generateContent
    "executableCode": AnswerPart.CODE,
    "codeExecutionResult": AnswerPart.CODE,
    "toolCall": AnswerPart.SERVER_CALL,
    "toolResponse": AnswerPart.SERVER_CALL,
    # chat, and kinds of media
    "image": AnswerPart.IMAGE,
    "image_url": AnswerPart.IMAGE,
    "audio": AnswerPart.AUDIO,
    "reference": AnswerPart.CITATION,
}
"""Types of blocks, items and parts that are told of by no event."""

MEMBERS: Mapping[str, AnswerPart] = {
    "images": AnswerPart.IMAGE,
    "audio": AnswerPart.AUDIO,
    "annotations": AnswerPart.CITATION,
    "citations": AnswerPart.CITATION,
    "citationMetadata": AnswerPart.CITATION,
    "groundingMetadata": AnswerPart.SEARCH,
    "groundingAttributions": AnswerPart.SEARCH,
    "urlContextMetadata": AnswerPart.SEARCH,
    "search_results": AnswerPart.SEARCH,
    "related_questions": AnswerPart.SEARCH,
    "executed_tools": AnswerPart.SERVER_CALL,
    "logprobs": AnswerPart.LOGPROBS,
    "logprobsResult": AnswerPart.LOGPROBS,
}
"""The same of members that stand beside a text."""


def shown_part(part: AnswerPart, name: str = "") -> str:
    """As decisions call it, beside the request's parts."""
    return f"{name or part.value} in the answer"


def noted(
    fates: AnswerFates, parts: tuple[tuple[AnswerPart, str], ...], kind: Kind
) -> tuple[tuple[str, str], ...]:
    """(part, why or how) of those that the client's table says this of."""
    return tuple(
        (shown_part(part, name), fates[part].text)
        for part, name in parts
        if fates[part].kind is kind
    )
