"""JSON schemas of Google's: its own Schema read as JSON schema, and the words that it knows.

`parameters` and `responseSchema` are a Schema: types in capitals, `nullable`, numbers as
text. `parametersJsonSchema` and `responseJsonSchema` take JSON schema, but not all of it.
Pure; never raises. What is nested too deep stays as it is.
"""

from collections.abc import Mapping

Json = Mapping[str, object]

KNOWN = frozenset(
    {
        *("type", "format", "title", "description", "enum", "items", "prefixItems"),
        *("minItems", "maxItems", "minimum", "maximum", "anyOf", "oneOf", "properties"),
        *("additionalProperties", "required", "propertyOrdering"),
        *("$id", "$defs", "$ref", "$anchor", "nullable", "default"),
    }
)
"""Words of JSON schema that Google documents; others are refused, or were at some time."""
_SEVERAL = ("anyOf", "oneOf", "prefixItems", "allOf")
_NAMED = ("properties", "$defs", "definitions")
_SINGLE = ("items", "additionalProperties")
_COUNTS = frozenset(
    {"minItems", "maxItems", "minLength", "maxLength", "minProperties", "maxProperties"}
)
_SNAKE = {
    "any_of": "anyOf",
    "min_items": "minItems",
    "max_items": "maxItems",
    "min_length": "minLength",
    "max_length": "maxLength",
    "min_properties": "minProperties",
    "max_properties": "maxProperties",
    "property_ordering": "propertyOrdering",
    "prefix_items": "prefixItems",
    "additional_properties": "additionalProperties",
}
_DEPTH = 64


def read_schema(schema: Json, depth: int = 0) -> dict[str, object]:
    """Google's Schema -> JSON schema."""
    found: dict[str, object] = {}
    for given, value in schema.items():
        name = _SNAKE.get(given, given)
        if name in ("nullable", "propertyOrdering", "example"):
            continue
        if name == "type" and isinstance(value, str):
            value = value.lower()
            if value == "type_unspecified":
                continue
        elif name in _COUNTS and isinstance(value, str) and value.isdecimal():
            value = int(value)
        elif depth < _DEPTH:
            value = _each(name, value, lambda inner: read_schema(inner, depth + 1))
        found[name] = value
    kind = found.get("type")
    if schema.get("nullable") is True and isinstance(kind, str):
        found["type"] = [kind, "null"]
    return found


def write_schema(schema: Json, left_out: set[str], depth: int = 0) -> dict[str, object]:
    """JSON schema with the words that Google knows; the others are named in `left_out`."""
    found: dict[str, object] = {}
    for name, value in _plainer(schema).items():
        if name not in KNOWN:
            left_out.add(name)
        elif depth < _DEPTH:
            found[name] = _each(
                name, value, lambda inner: write_schema(inner, left_out, depth + 1)
            )
        else:
            found[name] = value
    return found


def _plainer(schema: Json) -> dict[str, object]:
    """The same in words that are known: `const` is an enum of one, `allOf` of one is it."""
    found = dict(schema)
    found.pop("$schema", None)
    found.pop("$comment", None)
    if "const" in found and "enum" not in found:
        found["enum"] = [found.pop("const")]
    if (inner := found.pop("definitions", None)) is not None:
        found.setdefault("$defs", inner)
    if isinstance(ref := found.get("$ref"), str):
        found["$ref"] = ref.replace("#/definitions/", "#/$defs/")
    parts = found.get("allOf")
    if isinstance(parts, list) and len(parts) == 1 and isinstance(parts[0], dict):
        del found["allOf"]
        found = {**_plainer(parts[0]), **found}
    return found


def _each(name: str, value: object, of: object) -> object:
    """Every schema inside a member, rewritten."""
    assert callable(of)
    if name in _SEVERAL and isinstance(value, list):
        return [of(one) if isinstance(one, dict) else one for one in value]
    if name in _NAMED and isinstance(value, dict):
        return {
            key: of(one) if isinstance(one, dict) else one for key, one in value.items()
        }
    if name in _SINGLE and isinstance(value, dict):
        return of(value)
    return value
