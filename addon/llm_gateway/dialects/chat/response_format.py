"""Response format, for providers that give JSON but follow no schema.

format:json_schema=json_object    the schema becomes an instruction
"""

from llm_gateway.adaptation.vocabulary import Quirks
from llm_gateway.dialects.answer_observer import object_of
from llm_gateway.dialects.chat.turns import Messages, Notes, note, role_of
from llm_gateway.translation.instructions import schema_instruction


def adapt_format(values: dict[str, object], quirks: Quirks, notes: Notes) -> str:
    """Changes `response_format` in the values; the instruction that has to be given, or ""."""
    if quirks.value("format", "json_schema") != "json_object":
        return ""
    format = object_of(values.get("response_format"))
    if format.get("type") != "json_schema":
        return ""
    values["response_format"] = {"type": "json_object"}
    note(notes, "response_format", "JSON output, the schema as an instruction")
    return schema_instruction(
        object_of(object_of(format.get("json_schema")).get("schema"))
    )


def with_first_instruction(messages: Messages, text: str) -> Messages:
    """Behind the first instructions, which are the same in each request."""
    first = messages[0] if messages else None
    if role_of(first) in ("system", "developer") and isinstance(first, dict):
        said = first.get("content")
        if isinstance(said, str):
            joined = {**first, "content": f"{said}\n\n{text}" if said else text}
            return [joined, *messages[1:]]
        if isinstance(said, list):
            joined = {**first, "content": [*said, {"type": "text", "text": text}]}
            return [joined, *messages[1:]]
    return [{"role": "system", "content": text}, *messages]
