"""Content blocks that a provider does not read: as a line of text, left out, or unfit."""

import json
from collections.abc import Iterator

from llm_gateway.adaptation.vocabulary import Quirks
from llm_gateway.dialects.conversation import as_list
from llm_gateway.dialects.patterns import one_of

CORE = frozenset(
    {
        *("type", "text", "source", "id", "name", "input", "tool_use_id", "content"),
        *("is_error", "thinking", "signature", "data", "title", "context"),
        "cache_control",
    }
)
"""Members of blocks that everybody knows."""

_ONLY_COPY = frozenset({"image", "document", "container_upload"})
"""Types that hold what no text can stand for."""

Block = dict[str, object]


def type_in(block: Block) -> str:
    kind = block.get("type")
    return kind if isinstance(kind, str) else ""


def fate_of(kind: str, quirks: Quirks) -> str:
    """`text`, `out`, `unfit`; "": it stays."""
    if not quirks.names("block"):
        return ""
    for name in sorted(quirks.names("block") - {"*"}, reverse=True):
        if one_of(kind, (name,)):
            return quirks.value("block", name) or "out"
    known = quirks.value("block", "*")
    if known is None or one_of(kind, known.split(",")):
        return ""
    if kind in ("thinking", "redacted_thinking"):
        return "out"
    return "text"


def refused_source(block: Block, quirks: Quirks) -> str:
    """Why the data of an image or a document cannot go there; "": it can."""
    source = block.get("source")
    kind = source.get("type") if isinstance(source, dict) else None
    if isinstance(kind, str) and quirks.value("source", kind) is not None:
        return f"takes no {type_in(block)} by {kind}"
    return ""


def as_text(block: Block) -> Block | None:
    """A text block that says the same; None: it says nothing. Never call it for what
    `needs_reader` names."""
    kind = type_in(block)
    if kind == "tool_reference":
        text = f"Tool: {block.get('tool_name', '')}"
    elif kind.endswith("_tool_use"):
        text = f"{block.get('name', kind)}({_json(block.get('input'))})"
    else:
        text = "\n".join(_said(block))
    return {"type": "text", "text": text} if text.strip() else None


def needs_reader(block: Block) -> bool:
    """It holds what no text can stand for."""
    kind = type_in(block)
    source = block.get("source")
    if kind == "document" and isinstance(source, dict):
        return source.get("type") not in ("text", "content")
    return kind in _ONLY_COPY


def _said(value: object, depth: int = 0) -> Iterator[str]:
    """Texts, titles and addresses, in order."""
    if isinstance(value, list):
        for each in value[:1_000]:
            yield from _said(each, depth + 1)
    elif isinstance(value, dict) and depth < 8:
        for name in ("title", "url", "text", "stdout", "stderr", "error_code"):
            if isinstance(text := value.get(name), str) and text:
                yield text
        source = value.get("source")
        if isinstance(source, str):
            yield source
        elif isinstance(source, dict) and source.get("type") == "text":
            if isinstance(data := source.get("data"), str):
                yield data
        elif isinstance(source, dict):
            yield from _said(source.get("content"), depth + 1)
        yield from _said(value.get("content"), depth + 1)
    elif isinstance(value, str) and depth:
        yield value


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False) if value is not None else ""


def without_cache_members(value: object, members: frozenset[str]) -> object:
    """`value` with these members of its own `cache_control` left out; `*`: all of it."""
    if not isinstance(value, dict) or "cache_control" not in value:
        return value
    rest = {k: v for k, v in value.items() if k != "cache_control"}
    control = value["cache_control"]
    if "*" in members:
        return rest
    if not isinstance(control, dict) or not members & control.keys():
        return value
    kept = {k: v for k, v in control.items() if k not in members}
    return {**value, "cache_control": kept}


def all_without_cache_members(given: object, members: frozenset[str]) -> object:
    """The same for each of a list; the very list where nothing changes."""
    values = as_list(given)
    made = [without_cache_members(value, members) for value in values]
    if all(a is b for a, b in zip(made, values, strict=True)):
        return given
    return made
