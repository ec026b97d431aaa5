"""Items of translated answers, by id: clients may refer to them instead of sending them again.

An API that keeps its answers lets a request name an item of an earlier one (`item_reference`).
A translated answer is kept nowhere, so that the gateway remembers its items for who asked, in
bounded memory; nothing of them is written to disk, and a restart forgets them.
"""

import json
from collections import OrderedDict
from collections.abc import Mapping

MOST_BYTES = 32 << 20
_ENTRY = 300
"""Bytes that an entry weighs besides its text."""

Item = Mapping[str, object]


class KeptItems:
    """The newest ones, of everybody who asks."""

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._most = most_bytes
        self._items: OrderedDict[tuple[str, str], bytes] = OrderedDict()
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._items)

    def remember(self, asker: str, id: str, item: Item) -> None:
        self._drop((asker, id))
        said = json.dumps(item).encode()
        if len(said) + _ENTRY > self._most // 4:
            return
        self._items[asker, id] = said
        self._bytes += len(said) + _ENTRY
        while self._bytes > self._most:
            self._drop(next(iter(self._items)))

    def find(self, asker: str, id: str) -> dict[str, object] | None:
        """None: no such item was made for this one, or it is forgotten."""
        said = self._items.get((asker, id))
        if said is None:
            return None
        self._items.move_to_end((asker, id))
        found = json.loads(said)
        assert isinstance(found, dict)
        return found

    def _drop(self, key: tuple[str, str]) -> None:
        said = self._items.pop(key, None)
        if said is not None:
            self._bytes -= len(said) + _ENTRY
