"""Whether a refusal is about the conversation's history or about a parameter of the client's own.

A history that one provider refuses may be what another one takes: it is asked. A wrong
temperature, limit or schema of a tool is the client's mistake everywhere: it goes back.
Pure; the words are a stranger's, and nothing is remembered of them.
"""

import re
from collections.abc import Collection, Iterator, Mapping

from llm_gateway.dialects.generate_content.config import NAMES as CONFIGS
from llm_gateway.dialects.generate_content.members import snake
from llm_gateway.dialects.provider_errors import ProviderError

HISTORY = ("messages", "input", "contents")
"""Top-level members that hold the turns."""
LONGEST_QUOTE = 2_000
"""Characters of a text that is looked for in a refusal."""
_NOT_OWN = frozenset({*HISTORY, "model", "system", "stream", "instructions"})
_ASSISTANT = frozenset({"assistant", "model", "tool", "function"})
_ITEMS = re.compile(
    r"function_call|custom_tool|reasoning|compaction|item_reference|.+_call(?:_output)?"
)
_OF_HISTORY = re.compile(
    r"\b(?:messages?|input|contents|body\.messages)[`'\"]?(?:\.\d|\[\d|/\d|\.content)"
    r"|\b(?:messages|input|contents)\\?[`'\"](?!\s*:)"
)
"""`messages.1`, `messages[1]`, `/messages/1/content`, `'messages'`; but not `'input': 9`, as
servers print what they found."""
_TOOLS_SHAPE = re.compile(
    r"schema for (?:function|tool)|function_?declarations|\btools?(?:\.\d|\[\d|/\d)",
    re.IGNORECASE,
)
_WORDS = frozenset(
    [
        "stop",
        "user",
        "tools",
        "n",
        "store",
        "include",
        "text",
        "metadata",
        "reasoning",
        "prompt",
        "functions",
        "audio",
        "modalities",
        "thinking",
        "truncation",
        "seed",
    ]
)
"""Names that are words of plain sentences, too: they count where they stand as names."""


def has_history(values: Mapping[str, object]) -> bool:
    """A turn of the assistant or of a tool stands in the request."""
    if values.get("previous_response_id") or values.get("conversation"):
        return True
    return any(
        _is_answered(turn)
        for key in HISTORY
        if isinstance(turns := values.get(key), list)
        for turn in turns
    )


def _is_answered(turn: object) -> bool:
    if not isinstance(turn, dict):
        return False
    kind = turn.get("type")
    role = turn.get("role")
    return (isinstance(role, str) and role in _ASSISTANT) or (
        isinstance(kind, str) and _ITEMS.fullmatch(kind) is not None
    )


def parameters_of(values: Mapping[str, object]) -> frozenset[str]:
    """Names that a refusal may have for what the client asked for: members on top, and those
    of Google's `generationConfig`, in snake case."""
    found = {*values}
    for name in CONFIGS:
        config = values.get(name)
        if isinstance(config, dict):
            found |= {snake(inner) for inner in config} | {snake(name)}
    return frozenset(found)


def is_quoted(values: Mapping[str, object], words: str, error: ProviderError) -> bool:
    """A text of the request's, its `model` aside, stands whole in the refusal and holds these
    words (in lower case): they are the client's, and the provider quotes them."""
    said = f"{error.message}\n{error.text}".lower()
    return any(
        words in text and text in said
        for name, value in values.items()
        if name != "model"
        for text in _texts_in(value)
    )


def _texts_in(value: object) -> Iterator[str]:
    """In lower case; those that a refusal may quote whole."""
    left = [value]
    while left:
        match left.pop():
            case str(text):
                if len(text) <= LONGEST_QUOTE and (text := text.strip().lower()):
                    yield text
            case list(inner):
                left += inner
            case dict(inner):
                left += inner.values()


def names_own_parameter(error: ProviderError, members: Collection[str]) -> bool:
    """The refusal is about one of these top-level members, and not about the turns."""
    return bool(own_parameters(error, members))


def own_parameters(error: ProviderError, members: Collection[str]) -> frozenset[str]:
    """Those of these top-level members that a refusal is about; none: it is of the turns."""
    if error.param:
        top = re.split(r"[.\[/]", error.param.removeprefix("body.").strip("/"))[0]
        if top in _NOT_OWN and (top in HISTORY or top not in members):
            return frozenset()
        if top in members:
            return frozenset({top})
    text = error.text or error.message
    if _OF_HISTORY.search(text):
        return frozenset()
    if "tools" in members and _TOOLS_SHAPE.search(text):
        return frozenset({"tools"})
    return frozenset(
        name for name in members if name not in _NOT_OWN and _named(name, text)
    )


def _named(name: str, text: str) -> bool:
    """In lower case, as an API spells it, or in CamelCase's words."""
    low = name.lower()
    camel = low.replace("_", "")
    if low not in text and camel not in text:
        return False  # a request may have as many members as it likes
    low, camel = re.escape(low), re.escape(camel)
    if name in _WORDS:
        return (
            re.search(rf"[`'\"/]{low}[`'\"/.\[]|^(?:body\.)?{low}\s*:", text, re.M)
            is not None
        )
    return re.search(rf"(?<![a-z_])(?:{low}|{camel})(?![a-z])", text) is not None
