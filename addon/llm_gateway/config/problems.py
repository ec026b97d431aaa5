"""What is wrong with a config, in words that say where, what, and what to write.

What lives here: `Problem` and `ConfigError`, and the translation of pydantic's errors
into `UnlocatedProblem`s. No message repeats a secret: what stands at a secret's path, and an
address with a password in it, is called "the value". What this file does not know:
files, line numbers (`load.py` puts a complaint in its place).
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pydantic_core import ErrorDetails

from llm_gateway.config.introspection import (
    choices,
    is_secret,
    keys_of,
    section_at,
    walk,
)
from llm_gateway.config.provider import STRUCTURE, TEXT
from llm_gateway.config.suggestions import nearest, same_letters

from .jsonc import Path


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake. `str()` of it is one line for a terminal or a log."""

    path: str
    """`providers[0].type`; "" for a mistake that has none."""
    line: int
    """From 1; 0 when there is no text."""
    column: int
    message: str
    name: str = "config.jsonc"
    """The file, as the user calls it."""

    def __str__(self) -> str:
        place = f"{self.name}:{self.line}:{self.column}" if self.line else self.name
        path = f" {self.path}:" if self.path else ""
        return f"{place}:{path} {self.message}"

    def as_json(self) -> dict[str, str | int]:
        """For an API: message, and path, line and column where they are known."""
        answer: dict[str, str | int] = {"message": self.message}
        if self.path:
            answer["path"] = self.path
        if self.line:
            answer |= {"line": self.line, "column": self.column}
        return answer


class ConfigError(Exception):
    """A config that cannot be used, with every problem that was found, in order."""

    def __init__(self, *problems: Problem, syntax: bool = False) -> None:
        super().__init__(*problems)
        self.problems = problems
        self.syntax = syntax
        """It is no JSON at all: an API answers 400, else 422."""

    def __str__(self) -> str:
        return "\n".join(str(problem) for problem in self.problems)

    def as_json(self) -> dict[str, Any]:
        """`{"error": {…}}` with the first problem, all of them under `errors`."""
        shown = [problem.as_json() for problem in self.problems]
        answer: dict[str, Any] = {"error": shown[0]}
        if len(shown) > 1:
            answer["errors"] = shown
        return answer


@dataclass(frozen=True, slots=True)
class UnlocatedProblem:
    """A problem before it has a place in a text."""

    path: Path
    message: str
    on_key: bool = False
    """It is about the key, not about the value."""


def found(path: Path, value: Any) -> str:
    """What stands in the file, short, for a message; never a secret."""
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return "a list"
    if is_secret(path):
        return "the value"
    if isinstance(value, str):
        if "@" in value and "://" in value:
            return "the value"
        return json.dumps(value[:40] + "…" * (len(value) > 40), ensure_ascii=False)
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    return str(value)[:40]


def _unknown_key(path: Path) -> str:
    key = str(path[-1])
    section = section_at(path[:-1])
    known = list(keys_of(section)) if section else []
    if same := same_letters(key, known):
        return f'unknown key; did you mean "{same}"?'
    for other in walk():
        if other.pattern[-1] == key and len(other.pattern) > 1:
            inside = ".".join(other.pattern[:-1]).replace(".*", "[]")
            return f"unknown key here; it belongs into {inside}"
    if near := nearest(key, known):
        return f'unknown key; did you mean "{near}"?'
    return "unknown key; known here: " + ", ".join(known)


def _missing_key(path: Path) -> str:
    key = str(path[-1])
    section = section_at(path[:-1])
    info = keys_of(section).get(key) if section else None
    about = (info.description or "").split(".")[0].split(":")[0] if info else ""
    return f'"{key}" is missing; write it ({about[:1].lower()}{about[1:]})'


def _one_of(path: Path, value: Any) -> str:
    steps = [step for step in path if isinstance(step, str)]
    section = section_at(path[: path.index(steps[-1])])
    info = keys_of(section).get(steps[-1]) if section else None
    known = choices(info) if info else ()
    words = ", ".join(f'"{word}"' for word in known)
    if isinstance(value, str) and (near := nearest(value, known)):
        return f'is not one of {words}; did you mean "{near}"?'
    return f"is not allowed here; write one of {words}"


_CLAUSES = {
    "config": "{clause}",
    "enum": "{one_of}",
    "literal_error": "{one_of}",
    "model_type": "is not an object; write {{…}}",
    "dict_type": "is not an object; write {{…}}",
    "tuple_type": "is not a list; write […]",
    "greater_than": "is too small; write more than {gt}",
    "greater_than_equal": "is too small; write at least {ge}",
    "less_than_equal": "is too large; write at most {le}",
}
"""pydantic's error type → a clause that follows the value."""


def complaint(error: ErrorDetails, raw: Callable[[Path], Any]) -> UnlocatedProblem:
    """pydantic's error in our words. `raw` gives the value as it stands in the file."""
    path: Path = tuple(step for step in error["loc"] if step not in (TEXT, STRUCTURE))
    context = error.get("ctx", {})
    if error["type"] == "extra_forbidden":
        return UnlocatedProblem(path, _unknown_key(path), on_key=True)
    if error["type"] == "missing":
        return UnlocatedProblem(path[:-1], _missing_key(path))
    if path and path[-1] == "[key]":
        clause = context.get("clause", error["msg"])
        return UnlocatedProblem(path[:-1], f'"{path[-2]}" {clause}', on_key=True)
    value = raw(path)
    if error["type"] in ("enum", "literal_error"):
        context = {"one_of": _one_of(path, value)}
    clause = _CLAUSES.get(error["type"], "is refused: {msg}")
    said = clause.format(**context, msg=error["msg"])
    return UnlocatedProblem(path, f"{found(path, value)} {said}")
