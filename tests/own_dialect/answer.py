"""Answers: what holds words, and what is an error."""

from collections.abc import Mapping


def has_content(event: Mapping[str, object]) -> bool:
    return event.get("kind") == "bye" or bool(event.get("words"))


def failed(value: Mapping[str, object]) -> bool:
    return "oops" in value


def is_last(event: Mapping[str, object]) -> bool:
    return event.get("kind") == "bye"
