"""What stood in a body that was refused: lessons teach only what a resend would change. Pure."""

from collections.abc import Iterator, Mapping

Json = Mapping[str, object]


def dicts(value: object) -> Iterator[Json]:
    if isinstance(value, list):
        yield from (each for each in value if isinstance(each, dict))


def word(holder: Json, name: str) -> str:
    """A member that is a text; "" when it is none."""
    value = holder.get(name)
    return value if isinstance(value, str) else ""


def inner(holder: Json, name: str) -> Json:
    """A member that is an object; an empty one when it is none."""
    value = holder.get(name)
    return value if isinstance(value, dict) else {}


def types_in(values: object) -> frozenset[str]:
    return frozenset(word(each, "type") for each in dicts(values)) - {""}


def served_types(tools: object) -> frozenset[str]:
    """Types of tools without a schema, which the provider runs; others are the client's own
    functions, and a wrong type there is the client's mistake."""
    return frozenset(
        word(tool, "type")
        for tool in dicts(tools)
        if not (tool.get("input_schema") or tool.get("parameters"))
    ) - {"", "function"}


def block_types(sent: Json) -> frozenset[str]:
    """Types of all content blocks of a Messages body, those in tool results too."""
    found: set[str] = set()
    for message in dicts(sent.get("messages")):
        for block in dicts(message.get("content")):
            found.add(word(block, "type"))
            found |= types_in(block.get("content"))
    return frozenset(found) - {""}


def roles(values: object) -> list[str]:
    return [word(each, "role") for each in dicts(values)]
