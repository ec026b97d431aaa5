"""Who can be asked right now, apart from limits: cooldowns, circuits, disabled ones.

What lives here: memory of failures, keyed by provider, account and model, and what
follows from it. A cooldown is a provider's word (429); a circuit is our own (strikes);
a disabled account or model is an answer that will not change by itself soon (401, 402,
404).

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


@dataclass(frozen=True, slots=True)
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

    def unavailable(self, offer: Key, now: float) -> Unavailable | None:
        """What keeps this offer from being asked, or None."""
        if not self._rests and not self._circuits:
            return None
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
            circuit.in_a_row = 0
            circuit.opened = 0
            circuit.trial = None
            _note(circuit, now, bad=False)
        return closed

    def inconclusive(self, offer: Key) -> None:
        """Neither good nor bad (client went away, 4xx): a test is free to run again."""
        for key in _levels(offer):
            if circuit := self._circuits.get(key):
                circuit.trial = None

    def strike(self, key: Key, now: float, reason: str) -> float | None:
        """A failure. The moment until which the circuit is open, if it opened now."""
        circuit = self._circuits.setdefault(key, _Circuit())
        circuit.in_a_row += 1
        _note(circuit, now, bad=True)
        tested = circuit.trial is not None
        circuit.trial = None
        bad = sum(1 for _, was_bad in circuit.recent if was_bad)
        often = len(circuit.recent) >= SAMPLE and bad * 2 >= len(circuit.recent)
        if circuit.open_until > now and not tested:
            return None
        if not (tested or circuit.in_a_row >= OPEN_AFTER or often):
            return None
        circuit.open_until = now + min(OPEN_FIRST * 2**circuit.opened, OPEN_MOST)
        circuit.opened += 1
        circuit.reason = reason
        return circuit.open_until

    def cool(self, key: Key, now: float, until: float | None, reason: str) -> float:
        """A provider asked for patience; without its word 30 s, growing. Until when."""
        if until is None:
            times = self._cooled.get(key, 0)
            self._cooled[key] = times + 1
            until = now + min(COOL_FIRST * 2**times, COOL_MOST)
        self._rest(key, _Rest(until, "cooling down", reason))
        return until

    def disable(self, key: Key, until: float, reason: str) -> None:
        self._rest(key, _Rest(until, "disabled", reason))

    def _rest(self, key: Key, rest: _Rest) -> None:
        known = self._rests.get(key)
        if known is None or known.until < rest.until:
            self._rests[key] = rest

    def forget(self, provider: str) -> None:
        """Its configuration changed: everything is worth another try."""
        for table in (self._circuits, self._rests, self._cooled):
            for key in [k for k in table if k[0] == provider]:
                del table[key]


def _levels(offer: Key) -> Iterator[Key]:
    for length in range(1, len(offer) + 1):
        yield offer[:length]


def _note(circuit: _Circuit, now: float, *, bad: bool) -> None:
    circuit.recent.append((now, bad))
    while circuit.recent and (
        circuit.recent[0][0] < now - 60 or len(circuit.recent) > 10 * SAMPLE
    ):
        circuit.recent.popleft()
