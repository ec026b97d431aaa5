"""Draft of an adapted request: collects edits of top-level members, and what was changed.

What adapters of dialects write into; `adapted` makes the value of it. The client's own
values are never changed in place.
"""

from collections.abc import Callable, Mapping

from llm_gateway.adaptation.adapted import (
    UNCHANGED,
    Adapted,
    AnswerNames,
    Change,
    ListHeader,
)


class Draft:
    """One request on its way to one provider."""

    __slots__ = (
        "_changes",
        "_dropped",
        "_given",
        "_headers",
        "_replaced",
        "restore",
        "unfit",
    )

    def __init__(self, given: Mapping[str, object]) -> None:
        self._given = given
        self._replaced: dict[str, object] = {}
        self._dropped: set[str] = set()
        self._changes: dict[Change, None] = {}
        self._headers: list[ListHeader] = []
        self.restore: Callable[[], AnswerNames] | None = None
        self.unfit = ""
        """The first reason holds: set it by `cannot`."""

    def get(self, name: str) -> object:
        """The member as it stands now; None when it is not there."""
        if name in self._replaced:
            return self._replaced[name]
        return None if name in self._dropped else self._given.get(name)

    def names(self) -> list[str]:
        kept = [name for name in self._given if name not in self._dropped]
        return [*kept, *(name for name in self._replaced if name not in self._given)]

    def put(self, name: str, value: object, part: str, how: str = "") -> None:
        """The member gets a value, or is added."""
        self._dropped.discard(name)
        self._replaced[name] = value
        self.note(part, how)

    def drop(self, name: str, part: str = "") -> None:
        """The member is left out, if it is there."""
        if name in self.names():
            self._replaced.pop(name, None)
            if name in self._given:
                self._dropped.add(name)
            self.note(part or name)

    def note(self, part: str, how: str = "") -> None:
        self._changes[Change(part, how)] = None

    def header(self, edit: ListHeader) -> None:
        self._headers.append(edit)

    def cannot(self, why: str) -> None:
        self.unfit = self.unfit or why

    def adapted(self) -> Adapted:
        if self.unfit:
            return Adapted(unfit=self.unfit)
        if not (self._changes or self._headers or self.restore):
            return UNCHANGED
        return Adapted(
            self._replaced,
            frozenset(self._dropped),
            changes=tuple(self._changes),
            headers=tuple(self._headers),
            restore=self.restore,
        )
