"""Members of a cluster: who was heard of when, and how many share what is left.

What it does not know: connections, clocks of its own.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from llm_gateway.frozen import frozen

ALIVE = 10.0
"""Seconds since its last sign of life for which a member counts as alive."""
DAY = 86_400.0


@frozen
class Member:
    """What was last heard of one."""

    name: str
    at: float
    """The server's time."""
    about: dict[str, Any]


class Members:
    """As the last heartbeat told, this one included; kept while the server is away."""

    def __init__(self, own: str) -> None:
        self.own = own
        self.all: dict[str, Member] = {}
        self.told_of_clock = False
        self._alive = {own}
        """At the last contact."""

    def rename(self, own: str) -> None:
        """This one has another name; who is known by the one of before is another."""
        self._alive = (self._alive - {self.own}) | {own}
        self.own = own

    def restore(self, heard: Mapping[str, float]) -> None:
        """Those of the last run: a server that was emptied meanwhile does not know them."""
        for name, at in heard.items():
            self.all.setdefault(name, Member(name, at, {}))
        self._alive = {self.own, *alive_together(self.all.values())}

    def update(self, pairs: Sequence[bytes], now: float) -> None:
        """`pairs`: names and texts in turn, as the server keeps them."""
        found = read_members(pairs)
        # One that an emptied server has not heard of yet is still one of us.
        for name, member in self.all.items():
            if now - member.at < DAY:
                found.setdefault(name, member)
        self.all = found
        self._alive = {self.own, *(m.name for m in self._heard(now, ALIVE))}

    def clock_set(self, seconds: float) -> None:
        """The server's, forward by so much: who was heard of just now still is."""
        self.all = {
            name: Member(name, one.at + seconds, one.about)
            for name, one in self.all.items()
        }

    def forget(self, name: str) -> None:
        self.all.pop(name, None)

    def count(self) -> int:
        """Who shares what is left: those alive at the last contact."""
        return len(self._alive)

    def others_alive(self) -> set[str]:
        """Those alive at the last contact, without this one."""
        return self._alive - {self.own}

    def alive(self, now: float) -> int:
        return len(list(self._heard(now, ALIVE)))

    def lately(self, now: float) -> list[str]:
        """Those of the last day, without this one."""
        return [m.name for m in self._heard(now, DAY) if m.name != self.own]

    def _heard(self, now: float, within: float) -> Iterator[Member]:
        return (m for m in self.all.values() if now - m.at < within)


def alive_together(members: Iterable[Member]) -> set[str]:
    """Who was alive when one of them was heard of last."""
    found = [*members]
    newest = max((one.at for one in found), default=0.0)
    return {one.name for one in found if newest - one.at < ALIVE}


def read_members(pairs: Sequence[bytes]) -> dict[str, Member]:
    """From `NAME`, `MICROSECONDS JSON` in turn."""
    found = {}
    for at in range(0, len(pairs) - 1, 2):
        name = pairs[at].decode("utf-8", "replace")
        moment, _, text = pairs[at + 1].decode("utf-8", "replace").partition(" ")
        try:
            about = json.loads(text)
            heard = int(moment) / 1e6
        except ValueError:
            continue
        found[name] = Member(name, heard, about if isinstance(about, dict) else {})
    return found
