"""When something is asked again: regularly, sooner after a failure, at once when told.

What lives here: `PollSchedule`, next moments by key. Seconds are those of a clock that
nobody sets (`clocks.elapsed`), handed in; so is chance. What this file does not know: what
is asked, of whom.
"""

from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)

FIRST_RETRY = 30.0
"""Seconds after a first failure; they double."""
GAP = 10.0
"""Seconds between two times that one is told to ask the same; they double while it fails."""
JITTER = 0.1
"""Part of an interval by which it is shorter or longer: not all at once, for ever."""


@dataclass(slots=True)
class Poll:
    next_at: float
    regular_at: float | None = None
    """When it would be asked without a cause; None: for the first time."""
    last_at: float | None = None
    told_at: float | None = None
    """When it was, or is, to be asked because somebody said so."""
    failures: int = 0
    error: str = ""
    """Why the last one failed."""


class PollSchedule(Generic[K]):
    def __init__(self, every: float) -> None:
        """`every`: seconds between two that succeed."""
        self.every = every
        self.polls: dict[K, Poll] = {}

    def follow(self, keys: Iterable[K], now: float, changed: Iterable[K] = ()) -> None:
        """These and no others; new and changed ones are asked at once."""
        wanted, anew = set(keys), set(changed)
        self.polls = {
            key: poll
            for key, poll in self.polls.items()
            if key in wanted and key not in anew
        }
        for key in wanted - self.polls.keys():
            self.polls[key] = Poll(now)

    def due(self, now: float) -> list[K]:
        return [key for key, poll in self.polls.items() if poll.next_at <= now]

    def next_at(self) -> float | None:
        return min((poll.next_at for poll in self.polls.values()), default=None)

    def asked(self, key: K, now: float) -> None:
        """It is being asked: not again before that is over."""
        if (poll := self.polls.get(key)) is not None:
            poll.last_at, poll.next_at = now, now + self.every
            poll.regular_at = poll.next_at

    def succeeded(self, key: K, now: float, chance: float) -> None:
        """`chance`: 0 to 1, by which the next moment is spread."""
        if (poll := self.polls.get(key)) is not None:
            poll.failures, poll.error = 0, ""
            poll.next_at = poll.regular_at = now + self.every * _spread(chance)
            if poll.told_at is not None and poll.told_at > (poll.last_at or 0.0):
                poll.next_at = min(poll.next_at, poll.told_at)

    def failed(self, key: K, now: float, chance: float, error: str) -> bool:
        """True when that is news: it did not fail so before."""
        if (poll := self.polls.get(key)) is None:
            return False
        wait = min(FIRST_RETRY * 2**poll.failures, self.every)
        poll.failures = min(poll.failures + 1, 30)
        poll.next_at = now + wait * _spread(chance)
        news, poll.error = poll.error != error, error
        return news

    def ask(self, key: K, now: float) -> None:
        """As soon as may be; also while it is being asked, since what it answers then may
        be from before."""
        if (poll := self.polls.get(key)) is not None:
            # Who fails to say is asked less and less, however often one is told to.
            gap = min(GAP * 2**poll.failures, self.every)
            soonest = now if poll.told_at is None else max(now, poll.told_at + gap)
            if poll.told_at is None or poll.told_at <= now:
                poll.told_at = soonest
            poll.next_at = min(poll.next_at, poll.told_at)


def _spread(chance: float) -> float:
    return 1 - JITTER + 2 * JITTER * chance
