"""Who can be asked right now, apart from limits: cooldowns, circuits, disabled ones.

What lives here: memory of failures, keyed by provider, account and model, and what
follows from it. A cooldown is a provider's word (429); a circuit is our own (strikes);
a disabled account or model is an answer that will not change by itself soon (401, 402,
404); a dialect that a provider never answered in is left alone for a while (404, 405).

No request takes a provider away from others: while others are served, strikes of one
asker alone open no circuit, and a model that is not found, or an account that is refused, for
one asker stays for them; and who has once answered in a dialect speaks it.

What this file does not know: clocks (`now` is an argument; one that is set back lengthens
nothing), limits, prices, sockets, when a circuit opens (circuit_breaker.py).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from llm_gateway.frozen import frozen
from llm_gateway.routing.circuit_breaker import CircuitBreaker, Result
from llm_gateway.routing.good_answers import GoodAnswers, Key

COOL_FIRST = 30.0
COOL_MOST = 600.0
DISABLED_FOR = 3600.0
"""An account without a valid key or money is tried again after this many seconds."""
MODEL_GONE_FOR = 600.0
JITTER = 2.0
"""Seconds by which calls may be out of order; a larger step back is the clock's."""
NOT_SPOKEN = "does not speak"
"""How the reason begins for which a provider is not asked in a dialect."""
BILLED_FOR = 86_400.0
"""What was billed though it counts as free is left alone for so many seconds."""


@frozen
class Unavailable:
    """Why an offer cannot be asked now."""

    state: str
    """`cooling down`, `failing` or `disabled`."""
    reason: str
    returns_at: float | None
    of_dialect: bool = False
    """In this dialect only: it may answer in another."""


@dataclass(slots=True)
class _Unavailability:
    until: float
    state: str
    reason: str


class HealthTracker:
    """Failures remembered and forgotten. Not thread-safe; one event loop owns it."""

    def __init__(self) -> None:
        self._circuits: dict[Key, CircuitBreaker] = {}
        self._rests: dict[Key, _Unavailability] = {}
        self._cooled: dict[Key, int] = {}
        self._silent: dict[Key, float] = {}
        """(provider, dialect) that never answered -> when it is asked again."""
        self._spoken: set[Key] = set()
        """(provider, dialect) that has answered, for as long as the process runs."""
        self._good = GoodAnswers()
        self._mark = 0.0
        self._billed: dict[Key, float] = {}
        """Whose rest is for a bill, and until when."""
        self.on_rest: Callable[[Key, float, str, str], None] | None = None
        """Hears of each cooldown and of what is disabled: key, until, state, reason."""

    def unavailable(
        self, offer: Key, now: float, dialect: str = ""
    ) -> Unavailable | None:
        """What keeps this offer from being asked, or None."""
        if not (self._rests or self._circuits or self._silent):
            return None
        self._tick(now)
        worst: Unavailable | None = None
        if (until := self._silent.get((offer[0], dialect), 0.0)) > now:
            worst = Unavailable("disabled", f"{NOT_SPOKEN} {dialect}", until, True)
        for key in (*_levels(offer), (*offer, dialect)):
            if rest := self._rests.get(key):
                if rest.until <= now:
                    del self._rests[key]
                elif worst is None or (worst.returns_at or 0) < rest.until:
                    worst = Unavailable(
                        rest.state, rest.reason, rest.until, len(key) == 4
                    )
            circuit = self._circuits.get(key)
            shut = circuit.closed_until(now) if circuit is not None else None
            if shut is None:
                continue
            found = Unavailable("failing", *shut)
            if worst is None or (worst.returns_at or 0) < (found.returns_at or 0):
                worst = found
        return worst

    def record_dispatch(self, offer: Key, now: float) -> None:
        """A request leaves: where a circuit is half open, it is the one that tests it."""
        self._tick(now)
        for key in _levels(offer) if self._circuits else ():
            circuit = self._circuits.get(key)
            if circuit is not None:
                circuit.dispatched(now)

    def record_success(
        self, offer: Key, now: float, *, asker: str = "", dialect: str = ""
    ) -> bool:
        """A good answer to `asker`. True when it closed a circuit."""
        closed = False
        self._cooled.pop(offer, None)
        self.answered(offer, dialect)
        good = Result(now, False, asker)
        self._good.record(offer, dialect, good)
        if not self._circuits:
            return False
        self._tick(now)
        for key in _levels(offer):
            circuit = self._circuits.get(key)
            if circuit is None:
                continue
            closed = closed or bool(circuit.opened)
            circuit.succeeded(good)
        return closed

    def last_answer(self, *key: str) -> float | None:
        """When something of it (an offer, or with fewer parts an account) answered well
        last, as far as that is remembered."""
        return self._good.last(*key)

    def answered(self, offer: Key, dialect: str) -> None:
        """It answered in this dialect, good or bad: it speaks it."""
        spoken = (offer[0], dialect)
        self._spoken.add(spoken)
        if self._silent:
            self._silent.pop(spoken, None)

    def release_probe(self, offer: Key) -> None:
        """Neither good nor bad (client went away, 4xx): a test is free to run again."""
        for key in _levels(offer):
            if circuit := self._circuits.get(key):
                circuit.half_open_probe = None

    def record_failure(
        self,
        offer: Key,
        now: float,
        reason: str,
        *,
        whole: bool = False,
        asker: str = "",
    ) -> float | None:
        """A failure of this offer, or, `whole`, of its provider: it was not reached.

        The moment until which the circuit is open, if it opened now.
        """
        self._tick(now)
        key = offer[:1] if whole else offer
        circuit = self._circuits.get(key)
        if circuit is None:
            circuit = CircuitBreaker.after(self._good.of(key, now))
            self._circuits[key] = circuit
        tested = circuit.half_open_probe is not None
        self.release_probe(offer)
        if not whole and (provider := self._circuits.get(offer[:1])):
            # It was reached, and that is all that its own circuit is about.
            provider.succeeded(Result(now, False, asker))
        bad = Result(now, True, asker)
        return circuit.failed(bad, reason, tested=tested, whole=whole)

    def start_cooldown(
        self, offer: Key, now: float, until: float | None, reason: str
    ) -> float:
        """A provider asked for patience; without its word 30 s, growing. Until when."""
        self._tick(now)
        self.release_probe(offer)
        if until is None:
            known = self._rests.get(offer)
            if known is not None and known.until > now:
                # Asked before the first of its refusals was heard: the same occasion.
                return known.until
            times = self._cooled.get(offer, 0)
            self._cooled[offer] = times + 1
            until = now + min(COOL_FIRST * 2**times, COOL_MOST)
        self._rest(offer, _Unavailability(until, "cooling down", reason))
        return until

    def disable(
        self,
        offer: Key,
        until: float,
        reason: str,
        *,
        account: bool = False,
        dialect: str = "",
        asker: str = "",
        now: float | None = None,
    ) -> bool:
        """The model is of no use now: at all, or in this dialect only; or, with `account`,
        everything of its account.

        False, and it stays: it was `asker` alone who was told so, and others were served
        within the minute before `now`.
        """
        self.release_probe(offer)
        key = offer[:2] if account else (*offer, dialect) if dialect else offer
        told = now is not None and bool(asker)
        if told and self._is_told_alone(key, key[:3], dialect, asker, now or 0.0):
            return False
        self._good.believe(key)
        self._rest(key, _Unavailability(until, "disabled", reason))
        return True

    def is_told_alone(self, offer: Key, dialect: str, asker: str, now: float) -> bool:
        """`asker` alone is told that the model is of no use in this dialect, while others
        were served within the minute before `now`: it may be the request's own doing."""
        return self._is_told_alone((*offer, dialect), offer, dialect, asker, now)

    def _is_told_alone(
        self, key: Key, offer: Key, dialect: str, asker: str, now: float
    ) -> bool:
        self._tick(now)
        return self._good.is_told_alone(key, offer, dialect, asker, now)

    def bill(self, offer: Key, until: float, *, account: bool = False) -> None:
        """It was billed though it counts as free: the model, or with `account` its key."""
        self.release_probe(offer)
        key = offer[:2] if account else offer
        self._billed[key] = max(until, self._billed.get(key, until))
        self._rest(key, _Unavailability(until, "disabled", "billed though free"))

    def billed(self, now: float) -> dict[Key, float]:
        """What was billed though it counts as free -> until when it is not asked."""
        self._tick(now)
        self._billed = {k: until for k, until in self._billed.items() if until > now}
        return dict(self._billed)

    def forget_bills(self) -> None:
        """The configuration changed: what counts as free is another matter now."""
        for key in self._billed:
            self._rests.pop(key, None)
        self._billed.clear()

    def disable_dialect(self, offer: Key, dialect: str, until: float) -> bool:
        """Its provider has no such path: it is left alone in this dialect until then.

        False when it has answered there before: then the path was not what was missing.
        """
        self.release_probe(offer)
        if (offer[0], dialect) in self._spoken:
            return False
        self._silent[offer[0], dialect] = until
        return True

    def _rest(self, key: Key, rest: _Unavailability) -> None:
        known = self._rests.get(key)
        if known is None or known.until < rest.until:
            self._rests[key] = rest
            if self.on_rest is not None:
                self.on_rest(key, rest.until, rest.state, rest.reason)

    def hear_rest(self, key: Key, until: float, state: str, reason: str) -> None:
        """What a provider said to another gateway with the same account."""
        known = self._rests.get(key)
        if known is None or known.until < until:
            self._rests[key] = _Unavailability(until, state, reason)

    def forget(self, provider: str) -> None:
        """Its configuration changed: everything is worth another try."""
        tables = (
            self._circuits,
            self._rests,
            self._cooled,
            self._silent,
            self._billed,
        )
        for table in tables:
            for key in [k for k in table if k[0] == provider]:
                del table[key]
        self._good.forget(provider)
        self._spoken = {key for key in self._spoken if key[0] != provider}

    def _tick(self, now: float) -> None:
        """A clock that was set back: everything keeps the time that it has left."""
        back = self._mark - now
        if back <= JITTER:
            self._mark = max(self._mark, now)
            return
        self._shift(back)
        self._mark = now

    def clock_set(self, seconds: float, now: float) -> None:
        """The clock was set forward by so much (backward: less than 0), and says `now`:
        everything keeps the time that it has left."""
        self._shift(-seconds)
        self._mark = now

    def _shift(self, back: float) -> None:
        for circuit in self._circuits.values():
            circuit.shift(back)
        for rest in self._rests.values():
            rest.until -= back
        for until in (self._silent, self._billed):
            for key in until:
                until[key] -= back
        self._good.clear()


def _levels(offer: Key) -> Iterator[Key]:
    for length in range(1, len(offer) + 1):
        yield offer[:length]
