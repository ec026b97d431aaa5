"""Tool calls that a model wrote as text: markup of chat templates in an answer to declared tools.

Servers without a parser for a model's calls, and models that do not know the form in which
tools were declared, answer with what the template says (`<tool_call>{"name": …`). A client
would show it, and call nothing. An answer that begins with such markup and names a declared
tool is taken for one; whoever speaks of markup in the request gets it as it comes.

Pure. What is done about it, others know.
"""

import json
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from enum import Enum

MARKERS: tuple[tuple[str, str], ...] = (
    ("<tool_call", "Qwen, Hermes, GLM (`<tool_call>`, `<tool_calls>`)"),
    ("<|tool_call", "Kimi (`<|tool_calls_section_begin|>`), Granite, Phi"),
    ("<｜tool▁call", "DeepSeek (`<｜tool▁calls▁begin｜>`)"),
    ("<｜DSML｜", "DeepSeek's Responses; sub2api"),
    ("<function=", "Llama, Qwen coder"),
    ("<function_call", "Claude's older form, in models trained on it"),
    ("<invoke name=", "the same, its inside"),
    ("<minimax:tool_call", "MiniMax M2"),
    ("]<]minimax[>[", "MiniMax M3"),
    ("<seed:tool_call", "ByteDance Seed"),
    ("[TOOL_CALLS]", "Mistral"),
    ("<|python_tag|>", "Llama 3"),
    ("<|channel|>commentary to=", "gpt-oss, harmony"),
    ("<|start|>assistant<|channel|>commentary to=", "gpt-oss, harmony"),
    ("commentary to=functions.", "gpt-oss, harmony, without its special tokens"),
    ("functools[", "Phi-4"),
)
"""How calls begin in chat templates, and whose they are."""
NEAR = 400
"""Characters behind a marker in which a tool has to be named."""

_FENCE = re.compile(r"^\s*(?:```|~~~)")
_TEXTS = re.compile(r'"(?:content|text|delta)"\s*:\s*("(?:[^"\\]|\\.)*+")', re.S)
_NO_TEXT = re.compile(r'"type"\s*:\s*"(?:response\.(?!output_text)|thinking)')
_CALLS = re.compile(
    r'"tool_calls"\s*:\s*\[\s*\{|"type"\s*:\s*"(?:tool_use|function_call|custom_tool_call)"'
    r'|"function_?[cC]all"\s*:\s*\{'
)
_DEPTH = 6


class Markup(Enum):
    UNKNOWN = "more has to be read"
    NONE = "an answer like others"
    CALL = "a call as text"


class CallMarkup:
    """Of one answer. declared: names of the tools, read when a marker was found; says: the
    request holds this text (in lower case)."""

    def __init__(
        self,
        declared: Callable[[], Collection[str]],
        says: Callable[[str], bool],
    ) -> None:
        self._declared = declared
        self._says = says
        self._text = ""
        self._marker = ""
        self._names: re.Pattern[str] | None = None
        self._is_spoken_of = False

    def feed(self, event: str) -> Markup:
        """The data of one more event that says something."""
        new = "" if _NO_TEXT.search(event) else "".join(_texts(event))
        if not new:
            return Markup.NONE  # thoughts, a call: it goes out as it comes
        self._text += new
        return self._begins(self._text.lstrip(), whole=False)

    def whole(self, body: str) -> bool:
        """Does a plain answer hold a call as text, and none as it should be?"""
        for text in _texts(body):
            for part in _line_starts(text):
                if self._begins(part, whole=True) is Markup.CALL:
                    return not _CALLS.search(body)
                if self._is_spoken_of:
                    return False
        return False

    def _begins(self, text: str, *, whole: bool) -> Markup:
        found = next((m for m, _ in MARKERS if text.startswith(m)), "")
        if not found:
            open_ = not whole and any(m.startswith(text) for m, _ in MARKERS)
            return Markup.UNKNOWN if open_ else Markup.NONE
        if found != self._marker:
            self._marker = found
            self._names = self._pattern(found)
        if self._names is None:
            return Markup.NONE
        near = text[len(found) : len(found) + NEAR]
        named, last = self._names.search(near), whole or len(near) == NEAR
        if named and (last or named.end() < len(near)):
            return Markup.CALL
        return Markup.NONE if last else Markup.UNKNOWN

    def _pattern(self, marker: str) -> re.Pattern[str] | None:
        """None: nothing is declared, or the request speaks of such markup itself."""
        names = sorted(self._declared(), key=len, reverse=True)
        self._is_spoken_of = bool(names) and self._says(marker.lower())
        if not names or self._is_spoken_of:
            return None
        either = "|".join(map(re.escape, names))
        return re.compile(rf"(?<![\w-])(?:{either})(?![\w-])")


def declared_names(values: Mapping[str, object]) -> frozenset[str]:
    """Names of the tools that a request declares, in any dialect."""
    found = set(_names_in(values.get("tools"), _DEPTH))
    items = values.get("input")
    for item in items if isinstance(items, list) else ():
        if isinstance(item, dict) and item.get("type") == "additional_tools":
            found |= set(_names_in(item.get("tools"), _DEPTH))
    return frozenset(found)


_HOLD_TOOLS = ("function", "tools", "functionDeclarations", "function_declarations")


def _names_in(value: object, depth: int) -> Iterator[str]:
    if isinstance(value, list):
        for each in value:
            yield from _names_in(each, depth)
    elif isinstance(value, dict) and depth:
        if isinstance(name := value.get("name"), str) and name:
            yield name
        for key in _HOLD_TOOLS:
            yield from _names_in(value.get(key), depth - 1)


def _texts(data: str) -> Iterator[str]:
    for found in _TEXTS.finditer(data):
        try:
            text = json.loads(found[1])
        except ValueError:
            continue
        if text:
            yield str(text)


def _line_starts(text: str) -> Iterator[str]:
    """The text from each of its lines on, but for those inside of fences."""
    at, fenced = 0, False
    for line in text.splitlines(keepends=True):
        if _FENCE.match(line):
            fenced = not fenced
        elif not fenced and line.lstrip()[:1] in _FIRST:
            yield text[at:].lstrip()
        at += len(line)


_FIRST = frozenset(marker[0] for marker, _ in MARKERS)
