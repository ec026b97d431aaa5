"""Good answers of the last minute by offer, dialect and asker: what one refusal is held against.

While others are served, what a single asker is told (no such model, account refused) may be
that request's own doing, and stays theirs. Few are kept of each offer: the last answer, and
the last one to somebody else.

What this file does not know: clocks, what a refusal was about.
"""

from llm_gateway.routing.circuit_breaker import MINUTE, Result

Key = tuple[str, ...]
"""(provider,), (provider, account) or (provider, account, model)."""


class GoodAnswers:
    def __init__(self) -> None:
        self._served: dict[Key, dict[str, tuple[Result, ...]]] = {}
        """Offer -> dialect -> its last good answer, and the last one to somebody else."""
        self._doubted: dict[Key, Result] = {}
        """What one asker was told that nobody was told before; (…, dialect) for one."""

    def record(self, offer: Key, dialect: str, good: Result) -> None:
        """Runs per request."""
        served = self._served.get(offer)
        if served is None:
            served = self._served[offer] = {}
        before = served.get(dialect, ())
        others = [result for result in before if result.asker != good.asker]
        served[dialect] = (good, *others[:1])

    def of(self, offer: Key, now: float, dialect: str = "") -> list[Result]:
        """Those of the last minute that are remembered, the oldest first."""
        served = self._served.get(offer, {})
        kept = [served.get(dialect, ())] if dialect else served.values()
        found = [one for some in kept for one in some if one.at >= now - MINUTE]
        return sorted(found)

    def last(self, *key: str) -> float | None:
        """When something of it (an offer, or with fewer parts an account) answered well
        last, as far as that is remembered."""
        return max(
            (
                one.at
                for offer, served in self._served.items()
                if offer[: len(key)] == key
                for some in served.values()
                for one in some[:1]
            ),
            default=None,
        )

    def is_told_alone(
        self, key: Key, offer: Key, dialect: str, asker: str, now: float
    ) -> bool:
        """`asker` is told of `key` what nobody else was told, while others were served."""
        found = self.of(offer, now, dialect)
        if len(offer) == 2:  # whatever of the account served them
            offers = [each for each in self._served if each[:2] == offer]
            found = sorted(r for each in offers for r in self.of(each, now))
        if not any(result.asker != asker for result in found):
            return False
        doubted = self._doubted.get(key)
        if doubted is None or doubted.at < found[-1].at:
            doubted = self._doubted[key] = Result(now, True, asker)
        return doubted.asker == asker

    def believe(self, key: Key) -> None:
        """What was doubted of it holds for everybody now."""
        self._doubted.pop(key, None)

    def forget(self, provider: str) -> None:
        for table in (self._served, self._doubted):
            for key in [k for k in table if k[0] == provider]:
                del table[key]

    def clear(self) -> None:
        """A clock was set: moments of before mean nothing."""
        self._served.clear()
        self._doubted.clear()
