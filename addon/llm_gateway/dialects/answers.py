"""What clients read that no provider wrote as it is."""

import json
from collections.abc import Iterable, Mapping

from llm_gateway.dialects.members import NotAnObject, scan, splice
from llm_gateway.exchange import Dialect

_HOLDERS: Mapping[Dialect, str] = {
    Dialect.MESSAGES: "message",
    Dialect.RESPONSES: "response",
}
"""Where a stream's events hold the model, in dialects that nest it."""


def models_list(names: Iterable[str]) -> bytes:
    """`GET /v1/models`, as OpenAI answers it."""
    data = [
        {"id": name, "object": "model", "created": 0, "owned_by": "llm-gateway"}
        for name in names
    ]
    return json.dumps({"object": "list", "data": data}, separators=(",", ":")).encode()


def renamed_answer(dialect: Dialect, answer: bytes, model: str) -> bytes:
    """A plain answer, or the data of a stream's event, that names another model.

    Only the value of `model` changes: the top-level one, or the one inside `message`
    or `response`. What holds none, or is no JSON object, comes back as it is.
    """
    if b'"model"' not in answer:
        return answer
    try:
        members, values = scan(answer.decode())
    except (NotAnObject, UnicodeDecodeError):
        return answer
    name = json.dumps(model).encode()
    edits = []
    for member, value in zip(members, values, strict=True):
        if member.key == "model" and isinstance(value, str):
            edits.append((member.start, member.end, name))
        elif member.key == _HOLDERS.get(dialect) and isinstance(value, dict):
            inner = answer[member.start : member.end]
            edits += [
                (member.start + m.start, member.start + m.end, name)
                for m in scan(inner.decode())[0]
                if m.key == "model" and isinstance(value["model"], str)
            ]
    return splice(answer, edits)
