"""Embeddings answer: are there vectors in it."""

from collections.abc import Mapping


def holds_answer(answer: Mapping[str, object]) -> bool:
    data = answer.get("data")
    if not isinstance(data, list) or not data:
        return False
    return not isinstance(data[0], dict) or bool(data[0].get("embedding"))
