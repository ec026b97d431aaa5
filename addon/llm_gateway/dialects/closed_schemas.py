"""JSON schemas of structured output as OpenAI's strict mode and Anthropic want them: closed.

An object that says nothing of further properties is closed (`additionalProperties: false`);
strict mode takes nothing but closed objects whose properties are all required. Pure.
"""

from collections.abc import Mapping

from llm_gateway.dialects.tool_schemas import Schema, schemas_in, with_each_schema
from llm_gateway.translation.carried import Notes, PartName
from llm_gateway.translation.settings import OutputFormat

FORMATS = frozenset(
    {
        *("date-time", "time", "date", "duration", "email", "hostname"),
        *("ipv4", "ipv6", "uuid"),
    }
)
"""The values of `format` that strict mode takes."""
_NOT_STRICT = frozenset(
    {
        *("allOf", "oneOf", "not", "if", "then", "else", "patternProperties"),
        *("dependentRequired", "dependentSchemas", "unevaluatedProperties"),
        *("propertyNames", "contains", "prefixItems"),
    }
)


def closed_schema(schema: Mapping[str, object]) -> Schema:
    """Every object with properties of its own closed, unless it says otherwise itself."""

    def close(part: Schema) -> Schema:
        is_open = "properties" in part and "additionalProperties" not in part
        return {**part, "additionalProperties": False} if is_open else part

    return with_each_schema(dict(schema), close)


def is_strict(schema: Mapping[str, object]) -> bool:
    """Strict mode takes it."""
    return all(_is_strict(part) for part in schemas_in(schema))


def strict_format(
    output: OutputFormat, notes: Notes
) -> tuple[Mapping[str, object], bool | None]:
    """Schema and `strict` as an OpenAI dialect takes them. A schema that was written for
    another dialect and that strict mode would refuse, because of a property that may be
    absent for one, goes without it."""
    schema = output.schema or {}
    if not (output.strict and output.loose):
        return schema, output.strict
    closed = closed_schema(schema)
    if is_strict(closed):
        return closed, True
    notes.approximate(
        PartName.JSON_SCHEMA, "not strict: strict mode refuses the schema"
    )
    return schema, False


def _is_strict(part: Mapping[str, object]) -> bool:
    if part.keys() & _NOT_STRICT or part.get("format", "date") not in FORMATS:
        return False
    kind = part.get("type")
    if "object" not in (kind if isinstance(kind, list) else [kind]):
        return True
    properties, required = part.get("properties"), part.get("required")
    return (
        isinstance(properties, dict)
        and part.get("additionalProperties") is False
        and set(properties) == set(required if isinstance(required, list) else [])
    )
