"""What every key means, for people (a table) and for editors (a JSON schema).

Both are read off the models, so that they cannot say anything else than the code.
"""

from decimal import Decimal
from enum import Enum
from typing import Any

from pydantic_core import PydanticUndefined

from llm_gateway.config.introspection import Key, choices, walk
from llm_gateway.config.models import Config
from llm_gateway.config.provider import Section

_KINDS = {
    "FromEnvironment": "text",
    "Decimal": "US$",
    "Reset": "HH:MM Zone",
    "SecretStr": "secret",
    "bool": "true or false",
    "float": "number",
    "int": "whole number",
    "str": "text",
}


def _kind(key: Key) -> str:
    if key.section is not None:
        kind = "list of objects" if key.many else "object"
        return ", ".join((kind, *(f"`{word}`" for word in choices(key.info))))
    if words := choices(key.info):
        kind = ", ".join(f"`{word}`" for word in words)
        return f"list of {kind}" if key.many else kind
    spelled = str(key.info.annotation)
    kind = next((said for name, said in _KINDS.items() if name in spelled), "text")
    if spelled.startswith("dict"):
        return f"object of {kind}s"
    return f"list of {kind}s" if key.many else kind


def _default(key: Key) -> str:
    value = key.info.default
    if key.info.is_required():
        return "needed"
    if value is None or value is PydanticUndefined or isinstance(value, Section):
        return ""
    if isinstance(value, Enum):
        value = value.value
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, (int, float, Decimal)):
        return f"`{value:g}`"
    return f'`"{value}"`' if isinstance(value, str) else ""


def _path(key: Key) -> str:
    return ".".join(key.pattern).replace(".*", "[]")


def reference() -> str:
    """A Markdown table of every key: path, type, default, meaning.

    The keys of a section that stands in several places are listed at the first.
    """
    rows = ["| key | type | default | meaning |", "| --- | --- | --- | --- |"]
    first: dict[type[Section], Key] = {}
    again: tuple[str, ...] | None = None
    for key in walk():
        if again and key.pattern[: len(again)] == again:
            continue
        again, meaning = None, key.info.description or ""
        if key.section is not None:
            listed = first.setdefault(key.section, key)
            if listed is not key:
                again = key.pattern
                meaning += f" Keys as in `{_path(listed)}`."
        cells = (f"`{_path(key)}`", _kind(key), _default(key), meaning)
        rows.append("| " + " | ".join(cells) + " |")
    return "\n".join(rows) + "\n"


def schema() -> dict[str, Any]:
    """The JSON schema of the config, for editors."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **_spelled(Config.model_json_schema(by_alias=True)),
        "title": "LLM Gateway configuration",
    }


_KEYWORDS = {
    "ge": "minimum",
    "gt": "exclusiveMinimum",
    "le": "maximum",
    "lt": "exclusiveMaximum",
}


def _spelled(schema: Any) -> Any:
    """pydantic leaves bounds behind a validator in its own words, which editors do not
    know."""
    if isinstance(schema, dict):
        return {
            _KEYWORDS.get(key, key): value if key == "default" else _spelled(value)
            for key, value in schema.items()
        }
    if isinstance(schema, list):
        return [_spelled(item) for item in schema]
    return schema
