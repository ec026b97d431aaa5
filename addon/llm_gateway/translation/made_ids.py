"""Ids that nobody gave: a function of what they are for, the same whenever it is made again."""

from collections import Counter, deque
from hashlib import blake2b


def made_id(prefix: str, *of: object) -> str:
    """prefix and 24 hexadecimal digits."""
    said = "\0".join(map(str, of)).encode("utf-8", "surrogatepass")
    return prefix + blake2b(said, digest_size=12).hexdigest()


class UniqueIds:
    """Ids of calls that stand for one call each: the second of an id and all later ones get
    a function of id and number, and their results meet the nearest turn that has the id.

    Fed with a history in its order: `turn` where one with calls begins.
    """

    def __init__(self) -> None:
        self._seen: Counter[str] = Counter()
        self._waiting: dict[str, deque[str]] = {}
        self._here: set[str] = set()

    def turn(self) -> None:
        self._here.clear()

    def call(self, id: str) -> str:
        if id not in self._here:
            self._here.add(id)
            self._waiting[id] = deque()
        count = self._seen[id]
        self._seen[id] += 1
        own = made_id("call_", id, count) if count else id
        self._waiting[id].append(own)
        return own

    def result(self, id: str) -> str:
        waiting = self._waiting.get(id)
        if waiting is None:
            return id
        return waiting.popleft() if len(waiting) > 1 else waiting[0]
