"""A JSON object as strict as it can be read: no key twice, no NaN, and where it is wrong."""

import json
from collections.abc import Callable
from typing import Any

from llm_gateway.config.problems import ConfigError, Problem


def json_object(said: str, name: str) -> dict[str, Any]:
    try:
        found = json.loads(
            said, object_pairs_hook=unique_members, parse_constant=no_constant
        )
    except (ValueError, RecursionError) as e:
        line = getattr(e, "lineno", 0)
        column = getattr(e, "colno", 0)
        problem = Problem("", line, column, f"is not JSON: {e}", name)
        raise ConfigError(problem, syntax=True) from e
    if not isinstance(found, dict):
        raise ConfigError(Problem("", 1, 1, "is not a JSON object", name), syntax=True)
    return found


def _shown(key: str) -> str:
    return repr(key[:40])


def unique_members(
    pairs: list[tuple[str, Any]], shown: Callable[[str], str] = _shown
) -> dict[str, Any]:
    """An object whose keys all differ: which of two was meant, nobody knows. For
    `object_pairs_hook`; ValueError names the key as `shown` writes it."""
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"{shown(twice)} stands twice in one object")
    return found


def no_constant(name: str) -> float:
    """For `parse_constant`: NaN and its like are no JSON."""
    raise ValueError(f"{name} is no number of JSON")
