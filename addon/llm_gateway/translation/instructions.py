"""Instructions that stand for what a provider has no member for."""

import json
from collections.abc import Mapping

JSON_OBJECT = "Answer with one JSON object, and nothing else."


def schema_instruction(schema: Mapping[str, object]) -> str:
    """Of the same schema always the same: it stands in front of the conversation."""
    said = json.dumps(schema, ensure_ascii=False)
    return (
        "Answer with one JSON object, and nothing else, that follows this JSON schema:\n"
        + said
    )
