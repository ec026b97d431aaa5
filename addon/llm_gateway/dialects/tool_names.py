"""Tool names that everybody takes: namespaces as part of a name, freeform tools as functions.

A provider that knows functions alone gets each tool as one, under a name that is a function
of namespace and name; `ToolNames` knows the way back, so that the client sees its own tools.
"""

import json
import re
from hashlib import blake2b
from typing import NamedTuple

LONGEST = 64
"""Characters of a function's name that everybody takes."""
_ODD = re.compile(r"[^a-zA-Z0-9_-]")

INPUT_SCHEMA: dict[str, object] = {
    "type": "object",
    "properties": {"input": {"type": "string", "description": "The whole input."}},
    "required": ["input"],
    "additionalProperties": False,
}
"""Parameters of a freeform tool that goes as a function."""


class Origin(NamedTuple):
    """A tool as the client declared it."""

    name: str
    namespace: str = ""
    is_custom: bool = False
    kind: str = ""
    """Of a function whose calls have a form of their own there: `tool_search`."""


def flat_name(namespace: str, name: str) -> str:
    """`mcp__files`, `read` -> `mcp__files__read`; a long or odd one ends in a hash."""
    plain = f"{namespace.rstrip('_')}__{name}" if namespace else name
    flat = _ODD.sub("_", plain)
    return (
        flat
        if flat == plain and len(flat) <= LONGEST
        else _hashed(flat, namespace, name)
    )


def fitting_name(name: str, longest: int) -> str:
    """The name itself where it is no longer and has no odd characters."""
    fits = len(name) <= longest and not _ODD.search(name)
    return name if fits else flat_name("", name)


def _hashed(flat: str, namespace: str, name: str) -> str:
    said = f"{namespace}\0{name}".encode("utf-8", "surrogatepass")
    return f"{flat[: LONGEST - 9]}_{blake2b(said, digest_size=4).hexdigest()}"


class ToolNames:
    """Both ways, for the tools of one request."""

    __slots__ = ("_flat", "_origins", "namespaces")

    def __init__(self) -> None:
        self._flat: dict[tuple[str, str], str] = {}
        self._origins: dict[str, Origin] = {}
        self.namespaces: dict[str, str] = {}
        """Name of a tool that one namespace alone declares -> that one."""

    @property
    def has_others(self) -> bool:
        """There is something to be put back."""
        return any(self.origin(flat) for flat in self._origins)

    def declare(
        self, namespace: str, name: str, *, is_custom: bool, kind: str = ""
    ) -> str:
        """The function's name. A plain function keeps its own: declare those first."""
        flat = flat_name(namespace, name)
        if self._origins.get(flat, Origin(name, namespace, is_custom))[:2] != (
            name,
            namespace,
        ):
            flat = _hashed(flat, namespace, name)
        self._flat[namespace, name] = flat
        if namespace or is_custom or kind or flat != name:
            self._origins[flat] = Origin(name, namespace, is_custom, kind)
        return flat

    def keep(self, name: str) -> None:
        """A function that goes as it is."""
        self._origins.setdefault(name, Origin(name))

    def flat(self, namespace: str, name: str) -> str:
        """Of a call in the history, declared or not."""
        return self._flat.get((namespace, name)) or (
            flat_name(namespace, name) if namespace else name
        )

    def origin(self, flat: object) -> Origin | None:
        """None: it went under its own name, as what it is."""
        found = self._origins.get(flat) if isinstance(flat, str) else None
        return found if found and (any(found[1:]) or found.name != flat) else None


def wrapped(text: object) -> str:
    """A freeform input as arguments of a function."""
    return json.dumps(
        {"input": text if isinstance(text, str) else ""}, ensure_ascii=False
    )


def unwrapped(arguments: object) -> str:
    """And back; what does not parse is the input itself, as the model wrote it."""
    if not isinstance(arguments, str):
        return ""
    try:
        value = json.loads(arguments)
    except (ValueError, RecursionError):
        return arguments
    text = value.get("input") if isinstance(value, dict) else None
    return text if isinstance(text, str) else arguments
