"""Members that have to be heard of again, before one that reconnected trusts the server.

A server that is reached again may be another one, with data that lacks what it said to
others last: a replica that lagged, a disk that was not written. Who lacks something finds
it by the sequence number when it comes back itself. So after a reconnect a member waits
until all that were alive at its last contact have beaten there again, or had the time
after which they count as alive no more. So does one that starts where a server has heard
of nobody for a while: those that it heard of last may have used more meanwhile.

What it does not know: connections, states.
"""

from collections.abc import Iterable, Mapping

from llm_gateway.cluster.membership import ALIVE, Member


class Awaited:
    """Who is waited for, and until when."""

    def __init__(self) -> None:
        self._heard: dict[str, float] = {}
        """Of whom, and when the server had heard of each; 0: never."""
        self._until = 0.0
        """In the server's time."""

    def add(
        self, names: Iterable[str], there: Mapping[str, Member], now: float
    ) -> None:
        """These, too, from now on. `there`: whom the server knows."""
        self._heard = {
            name: there[name].at if name in there else 0.0
            for name in {*names, *self._heard}
        }
        self._until = now + ALIVE

    @property
    def count(self) -> int:
        """How many."""
        return len(self._heard)

    def missing(self, known: Mapping[str, Member], now: float) -> bool:
        """Not all have been there. `known`: as the server said last."""
        return now < self._until and any(
            name not in known or known[name].at == at or not known[name].about
            for name, at in self._heard.items()
        )

    def clear(self) -> None:
        self._heard = {}
