"""Model list: `GET /v1/models`, which every kind of client reads in OpenAI's shape."""

import json
from collections.abc import Iterable


def models_list(names: Iterable[str]) -> bytes:
    """`GET /v1/models`, as OpenAI answers it."""
    data = [
        {"id": name, "object": "model", "created": 0, "owned_by": "llm-gateway"}
        for name in names
    ]
    return json.dumps({"object": "list", "data": data}, separators=(",", ":")).encode()
