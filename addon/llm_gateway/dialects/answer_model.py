"""The model that an answer names: replaced by the requested one, no other byte changed."""

import json

from llm_gateway.dialects.json_splice import NotAnObject, scan, splice
from llm_gateway.dialects.spec import DialectSpec


def renamed_answer(dialect: DialectSpec, answer: bytes, model: str) -> bytes:
    """A plain answer, or the data of a stream's event, that names another model.

    Only the value of the dialect's `model_member` changes: the top-level one, or the one
    inside its `model_holder`. What holds none, or is no JSON object, comes back as it is.
    """
    name = dialect.model_member
    if f'"{name}"'.encode() not in answer:
        return answer
    try:
        members, values = scan(answer.decode())
    except (NotAnObject, UnicodeDecodeError):
        return answer
    new = json.dumps(model).encode()
    edits = []
    for member, value in zip(members, values, strict=True):
        if member.key == name and isinstance(value, str):
            edits.append((member.start, member.end, new))
        elif member.key == dialect.model_holder and isinstance(value, dict):
            inner = answer[member.start : member.end]
            edits += [
                (member.start + m.start, member.start + m.end, new)
                for m in scan(inner.decode())[0]
                if m.key == name and isinstance(value[name], str)
            ]
    return splice(answer, edits)
