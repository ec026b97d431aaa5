"""A changed config written into the old text, so that its comments stay.

    merged(text, data) → text that says `data`

What lives here: splices. Values that stay keep their characters; values that change
are replaced where they stand; new entries come last in their object or list, gone ones
go with their line. Entries of lists are known by `id` or `name`, so that a comment
stays with its provider when another one goes. What this file does not know: secrets,
keys, validity.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from .jsonc import Node, SyntaxProblem, gap_end, parse
from .load import read_data

Splice = tuple[int, int, str]
"""(start, end, what stands there instead)."""


def spliced(text: str, splices: list[Splice]) -> str:
    """The text with spans replaced; they must not overlap, and keep their order."""
    pieces: list[str] = []
    here = 0
    for start, end, instead in sorted(splices, key=lambda splice: splice[:2]):
        pieces += [text[here:start], instead]
        here = end
    return "".join([*pieces, text[here:]])


def _json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False, default=float)


def _same(old: Any, new: Any) -> bool:
    match old, new:
        case (bool(), _) | (_, bool()):
            return old is new
        case (int() | float() | Decimal(), int() | float() | Decimal()):
            return float(old) == float(new)
        case dict(), Mapping():
            return old.keys() == new.keys() and all(
                _same(item, new[key]) for key, item in old.items()
            )
        case list(), list():
            return len(old) == len(new) and all(map(_same, old, new))
        case _:
            return type(old) is type(new) and bool(old == new)


@dataclass(frozen=True, slots=True)
class _Entry:
    name: str
    start: int
    """Where it begins, key included."""
    node: Node
    value: Any


def _names(items: list[Any]) -> list[str]:
    for key in ("id", "name"):
        names = [item.get(key) if isinstance(item, Mapping) else None for item in items]
        if all(isinstance(name, str) for name in names):
            texts = [str(name) for name in names]
            if len(set(texts)) == len(texts):
                return texts
    return [str(index) for index in range(len(items))]


class _Merge:
    def __init__(self, text: str) -> None:
        self.text = text
        self.splices: list[Splice] = []

    def indent(self, offset: int) -> str:
        """The white space at the beginning of a place's line."""
        line = self.text[self.text.rfind("\n", 0, offset) + 1 :]
        return line[: len(line) - len(line.lstrip(" \t"))]

    def is_first_on_line(self, offset: int) -> bool:
        line = self.text[self.text.rfind("\n", 0, offset) + 1 : offset]
        return not line.strip()

    def write(self, value: Any, indent: str) -> str:
        return f"\n{indent}".join(_json(value).split("\n"))

    def put(self, node: Node, old: Any, new: Any) -> None:
        """Makes the text of `node`, which says `old`, say `new`."""
        if _same(old, new):
            return
        if isinstance(old, dict) and isinstance(new, Mapping):
            entries = [
                _Entry(member.key, member.start, member.node, old[member.key])
                for member in node.members
            ]
            self.change(node, entries, dict(new))
            return
        if isinstance(old, list) and isinstance(new, list):
            before, after = _names(old), _names(new)
            kept = [name for name in before if name in after]
            if after[: len(kept)] == kept:
                entries = [
                    _Entry(name, item.start, item, value)
                    for name, item, value in zip(before, node.items, old, strict=True)
                ]
                self.change(node, entries, dict(zip(after, new, strict=True)))
                return
        self.splices.append(
            (node.start, node.end, self.write(new, self.indent(node.start)))
        )

    def change(self, node: Node, entries: list[_Entry], new: dict[str, Any]) -> None:
        """Keeps, drops and adds entries of an object or a list."""
        last_kept: _Entry | None = None
        for entry in entries:
            if entry.name in new:
                self.put(entry.node, entry.value, new[entry.name])
                last_kept = entry
            else:
                self.drop(entry)
        known = {entry.name for entry in entries}
        added = [(name, value) for name, value in new.items() if name not in known]
        if added:
            self.add(node, entries, last_kept, added)

    def after_comma(self, node: Node) -> int | None:
        """The place after the comma that follows a value, if one does."""
        comma = gap_end(self.text, node.end)
        return comma + 1 if self.text[comma : comma + 1] == "," else None

    def drop(self, entry: _Entry) -> None:
        start = entry.start
        end = self.after_comma(entry.node) or entry.node.end
        rest = re.compile(r"[ \t]*(?://[^\n]*)?(?:\r?\n|\r)").match(self.text, end)
        if rest and self.is_first_on_line(start):
            start = self.text.rfind("\n", 0, start) + 1
            end = rest.end()
        elif not self.text[:start].rstrip(" \t").endswith(("[", "{")):
            start = len(self.text[:start].rstrip(" \t"))
        else:
            end += len(self.text[end:]) - len(self.text[end:].lstrip(" \t"))
        self.splices.append((start, end, ""))

    def add(
        self,
        node: Node,
        entries: list[_Entry],
        last_kept: _Entry | None,
        added: list[tuple[str, Any]],
    ) -> None:
        closing = node.end - 1
        has_comma = last_kept is not None and self.after_comma(last_kept.node)
        if last_kept is not None and not has_comma:
            self.splices.append((last_kept.node.end, last_kept.node.end, ","))
        on_lines = self.is_first_on_line(closing)
        indent = self.indent(closing) + "  "
        if entries and self.is_first_on_line(entries[0].start):
            indent = self.indent(entries[0].start)
        said = [
            (f"{json.dumps(name, ensure_ascii=False)}: " if node.kind == "object" else "")
            + self.write(value, indent if on_lines else self.indent(closing))
            for name, value in added
        ]  # fmt: skip
        if on_lines:
            place = self.text.rfind("\n", 0, closing) + 1
            ending = "," if has_comma else ""
            lines = f",\n{indent}".join(said)
            self.splices.append((place, place, f"{indent}{lines}{ending}\n"))
        else:
            space = " " if last_kept is not None else ""
            self.splices.append((closing, closing, space + ", ".join(said)))


def merged(text: str, data: Mapping[str, Any]) -> str:
    """`text` changed so that it says `data`; freshly written where that cannot be."""
    fresh = _json(data) + "\n"
    tree = parse(text)
    if isinstance(tree, SyntaxProblem):
        return fresh
    merge = _Merge(text)
    merge.put(tree, read_data(text, "", tree), dict(data))
    result = spliced(text, merge.splices)
    # The proof is in the reading: whatever a strange text did to the splices.
    tree = parse(result)
    if isinstance(tree, SyntaxProblem):
        return fresh
    return result if _same(read_data(result, "", tree), dict(data)) else fresh
