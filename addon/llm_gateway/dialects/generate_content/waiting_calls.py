"""Function calls of a generateContent history that wait for their results.

Ids are optional in this API: calls without one meet their results by name and order. An app
may make ids of its own for its results alone, as frameworks do that cannot be without.
"""

from typing import NamedTuple


class _Waiting(NamedTuple):
    id: str
    name: str
    is_made: bool


class WaitingCalls:
    """Of one request, in order."""

    def __init__(self) -> None:
        self._calls: list[_Waiting] = []

    def add(self, id: str, name: str, *, is_made: bool) -> None:
        """is_made: the call came without an id."""
        self._calls.append(_Waiting(id, name, is_made))

    def has(self, id: str) -> bool:
        return any(call.id == id for call in self._calls)

    def take(self, id: str, name: str) -> str | None:
        """The id of the call that a result is of, which waits no longer; None: of none.

        By its id; else the first of its name, where one of the two came without an id; a
        result that has no id and a name that nobody has is the next call's.
        """
        found = next((call for call in self._calls if id and call.id == id), None)
        if found is None:
            fits = [call for call in self._calls if call.is_made or not id]
            named = (call for call in fits if call.name == name)
            found = next(named, None if id or not fits else fits[0])
        if found is None:
            return None
        self._calls.remove(found)
        return found.id
