"""Who can be asked right now, apart from limits: cooldowns, circuits, disabled ones.

What lives here: memory of failures, keyed by provider, account and model, and what
follows from it. A cooldown is a provider's word (429); a circuit is our own (strikes);
a disabled account or model is an answer that will not change by itself soon (401, 402,
404); a dialect that a provider does not speak (405) is asked for no more.

What this file does not know: clocks (`now` is an argument), limits, prices, sockets.

    strike ×5 in a row, or half of ≥20 in a minute
      closed ────────────────────────────────────▶ open 30 s, 60 s, … 10 min
        ▲                                             │ time passes
        └──────── success ──── half open: one real request at a time
                                  │ strike: open again, twice as long
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from llm_gateway.frozen import frozen

Key = tuple[str, ...]
"""(provider,), (provider, account) or (provider, account, model)."""

OPEN_AFTER = 5
"""Strikes in a row that open a circuit."""
SAMPLE = 20
"""Results within a minute from which half being strikes opens a circuit."""
OPEN_FIRST = 30.0
OPEN_MOST = 600.0
COOL_FIRST = 30.0
COOL_MOST = 600.0
DISABLED_FOR = 3600.0
"""An account without a valid key or money is tried again after this many seconds."""
MODEL_GONE_FOR = 600.0
BILLED_FOR = 86_400.0
"""What was billed though it counts as free is left alone for so many seconds."""


@frozen
class Unavailable:
    """Why an offer cannot be asked now."""

    state: str
    """`cooling down`, `failing` or `disabled`."""
    reason: str
    returns_at: float | None


@dataclass(slots=True)
class _Circuit:
    in_a_row: int = 0
    recent: deque[tuple[float, bool]] = field(default_factory=deque)
    open_until: float = 0.0
    opened: int = 0
    """How often it opened without a success in between."""
    trial: float | None = None
    """When the one real request that tests it left."""
    reason: str = ""


@dataclass(slots=True)
class _Rest:
    until: float
    state: str
    reason: str


class Health:
    """Failures remembered and forgotten. Not thread-safe; one event loop owns it."""

    def __init__(self) -> None:
        self._circuits: dict[Key, _Circuit] = {}
        self._rests: dict[Key, _Rest] = {}
        self._cooled: dict[Key, int] = {}
        self._silent: set[Key] = set()
        """(provider, dialect) that is not spoken there."""
        self._billed: set[Key] = set()
        """Whose rest is for a bill."""

    def unavailable(
        self, offer: Key, now: float, dialect: str = ""
    ) -> Unavailable | None:
        """What keeps this offer from being asked, or None."""
        if not (self._rests or self._circuits or self._silent):
            return None
        if (offer[0], dialect) in self._silent:
            return Unavailable("disabled", f"does not speak {dialect}", None)
        worst: Unavailable | None = None
        for key in _levels(offer):
            if rest := self._rests.get(key):
                if rest.until <= now:
                    del self._rests[key]
                elif worst is None or (worst.returns_at or 0) < rest.until:
                    worst = Unavailable(rest.state, rest.reason, rest.until)
            circuit = self._circuits.get(key)
            if circuit is None or not circuit.opened:
                continue
            if circuit.open_until > now:
                found = Unavailable("failing", circuit.reason, circuit.open_until)
            elif circuit.trial is not None and now - circuit.trial < OPEN_MOST:
                found = Unavailable("failing", "being tested", now + 1)
            else:
                continue
            if worst is None or (worst.returns_at or 0) < (found.returns_at or 0):
                worst = found
        return worst

    def dispatched(self, offer: Key, now: float) -> None:
        """A request leaves: where a circuit is half open, it is the one that tests it."""
        for key in _levels(offer):
            circuit = self._circuits.get(key)
            if circuit is not None and circuit.opened:
                circuit.trial = now

    def succeeded(self, offer: Key, now: float) -> bool:
        """A good answer. True when it closed a circuit."""
        closed = False
        self._cooled.pop(offer, None)
        for key in _levels(offer):
            circuit = self._circuits.get(key)
            if circuit is None:
                continue
            closed = closed or bool(circuit.opened)
            _recover(circuit, now)
        return closed

    def inconclusive(self, offer: Key) -> None:
        """Neither good nor bad (client went away, 4xx): a test is free to run again."""
        for key in _levels(offer):
            if circuit := self._circuits.get(key):
                circuit.trial = None

    def strike(
        self, offer: Key, now: float, reason: str, *, whole: bool = False
    ) -> float | None:
        """A failure of this offer, or, `whole`, of its provider: it was not reached.

        The moment until which the circuit is open, if it opened now.
        """
        key = offer[:1] if whole else offer
        circuit = self._circuits.setdefault(key, _Circuit())
        tested = circuit.trial is not None
        self.inconclusive(offer)
        if not whole and (provider := self._circuits.get(offer[:1])):
            # It was reached, and that is all that its own circuit is about.
            _recover(provider, now)
        circuit.in_a_row += 1
        _note(circuit, now, bad=True)
        if circuit.open_until > now and not tested:
            return None
        bad = sum(1 for _, was_bad in circuit.recent if was_bad)
        often = len(circuit.recent) >= SAMPLE and bad * 2 >= len(circuit.recent)
        if not (tested or circuit.in_a_row >= OPEN_AFTER or often):
            return None
        circuit.open_until = now + min(OPEN_FIRST * 2**circuit.opened, OPEN_MOST)
        circuit.opened += 1
        circuit.reason = reason
        # What led here says nothing about what comes after.
        circuit.recent.clear()
        return circuit.open_until

    def cool(self, offer: Key, now: float, until: float | None, reason: str) -> float:
        """A provider asked for patience; without its word 30 s, growing. Until when."""
        self.inconclusive(offer)
        if until is None:
            known = self._rests.get(offer)
            if known is not None and known.until > now:
                # Asked before the first of its refusals was heard: the same occasion.
                return known.until
            times = self._cooled.get(offer, 0)
            self._cooled[offer] = times + 1
            until = now + min(COOL_FIRST * 2**times, COOL_MOST)
        self._rest(offer, _Rest(until, "cooling down", reason))
        return until

    def disable(
        self, offer: Key, until: float, reason: str, *, account: bool = False
    ) -> None:
        """The model, or with `account` everything of its account, is of no use now."""
        self.inconclusive(offer)
        key = offer[:2] if account else offer
        self._rest(key, _Rest(until, "disabled", reason))

    def bill(self, offer: Key, until: float, *, account: bool = False) -> None:
        """It was billed though it counts as free: the model, or with `account` its key."""
        self.inconclusive(offer)
        key = offer[:2] if account else offer
        self._billed.add(key)
        self._rest(key, _Rest(until, "disabled", "billed though free"))

    def forget_bills(self) -> None:
        """The configuration changed: what counts as free is another matter now."""
        for key in self._billed:
            self._rests.pop(key, None)
        self._billed.clear()

    def silence(self, offer: Key, dialect: str) -> None:
        """Its provider does not speak this dialect."""
        self.inconclusive(offer)
        self._silent.add((offer[0], dialect))

    def is_silent(self, offer: Key, dialect: str) -> bool:
        """Its provider turned out not to speak this dialect."""
        return (offer[0], dialect) in self._silent

    def _rest(self, key: Key, rest: _Rest) -> None:
        known = self._rests.get(key)
        if known is None or known.until < rest.until:
            self._rests[key] = rest

    def forget(self, provider: str) -> None:
        """Its configuration changed: everything is worth another try."""
        for table in (self._circuits, self._rests, self._cooled):
            for key in [k for k in table if k[0] == provider]:
                del table[key]
        self._silent = {key for key in self._silent if key[0] != provider}


def _levels(offer: Key) -> Iterator[Key]:
    for length in range(1, len(offer) + 1):
        yield offer[:length]


def _recover(circuit: _Circuit, now: float) -> None:
    circuit.in_a_row = 0
    circuit.opened = 0
    circuit.open_until = 0.0
    circuit.trial = None
    _note(circuit, now, bad=False)


def _note(circuit: _Circuit, now: float, *, bad: bool) -> None:
    circuit.recent.append((now, bad))
    while circuit.recent and (
        circuit.recent[0][0] < now - 60 or len(circuit.recent) > 10 * SAMPLE
    ):
        circuit.recent.popleft()
