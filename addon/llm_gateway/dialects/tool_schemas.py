"""Schemas of declared tools, without the words of JSON schema that a provider does not take.

    schema:$schema          left out wherever it is a word; `type=beside_anyOf`: only there
    tools:properties        no object is without properties

For every dialect; where a tool keeps its schema, each dialect knows. Pure.
"""

from collections.abc import Callable, Iterator, Mapping

from llm_gateway.adaptation.vocabulary import Quirks

PROPERTIES = "properties"
"""What is said to have changed where an object got them."""

Schema = dict[str, object]
DEPTH = 60
"""Of a schema that is looked into."""


def schema_words(quirks: Quirks) -> dict[str, str]:
    """Words that go -> where alone."""
    return {q.name: q.value for q in quirks if q.kind == "schema"}


def fitted_schema(
    schema: Schema, words: Mapping[str, str], properties: bool, changed: list[str]
) -> Schema:
    """The very schema where nothing changes. changed: gets the words that went."""

    def change(part: Schema) -> Schema:
        return _word_changes(part, words, properties, changed)

    return with_each_schema(schema, change, DEPTH)


def _word_changes(
    part: Schema, words: Mapping[str, str], properties: bool, changed: list[str]
) -> Schema:
    """One schema of a schema."""
    out = [
        word
        for word, value in words.items()
        if word in part and (value != "beside_anyOf" or "anyOf" in part)
    ]
    if out:
        left = {k: v for k, v in part.items() if k not in out}
        if "const" in out and "enum" not in part:
            left["enum"] = [part["const"]]
        changed += out
        part = left
    if (
        properties
        and part.get("type") == "object"
        and not {"properties", "anyOf", "oneOf", "$ref"} & part.keys()
    ):
        changed.append(PROPERTIES)
        part = {**part, "properties": {}}
    return part


_NAMED = ("properties", "$defs", "definitions", "patternProperties")
_ONE = ("items", "additionalProperties", "not", "contains", "if", "then", "else")
_SEVERAL = ("anyOf", "oneOf", "allOf", "prefixItems", "items")


def with_each_schema(
    schema: Schema, change: Callable[[Schema], Schema], depth: int = DEPTH
) -> Schema:
    """A schema with every schema inside it changed: names of properties are no words. The
    very schema where nothing changes."""
    changed = change(schema)
    if depth == 0:
        return changed
    inner: dict[str, object] = {}
    for word in _NAMED:
        if isinstance(held := changed.get(word), dict):
            new = {
                k: with_each_schema(v, change, depth - 1) if isinstance(v, dict) else v
                for k, v in held.items()
            }
            if any(new[k] is not held[k] for k in held):
                inner[word] = new
    for word in _ONE:
        if isinstance(held := changed.get(word), dict):
            one = with_each_schema(held, change, depth - 1)
            if one is not held:
                inner[word] = one
    for word in _SEVERAL:
        if isinstance(held := changed.get(word), list):
            several = [
                with_each_schema(v, change, depth - 1) if isinstance(v, dict) else v
                for v in held
            ]
            if any(a is not b for a, b in zip(several, held, strict=True)):
                inner[word] = several
    return {**changed, **inner} if inner else changed


def schemas_in(schema: Mapping[str, object]) -> Iterator[Mapping[str, object]]:
    """A schema and every schema inside it."""
    waiting: list[tuple[object, int]] = [(schema, DEPTH)]
    while waiting:
        part, depth = waiting.pop()
        if not isinstance(part, Mapping):
            continue
        yield part
        if depth == 0:
            continue
        inner = [part.get(word) for word in _ONE]
        for word in _NAMED:
            if isinstance(held := part.get(word), Mapping):
                inner += held.values()
        for word in _SEVERAL:
            if isinstance(held := part.get(word), list):
                inner += held
        waiting += ((one, depth - 1) for one in inner)
