"""Steps of a fold: operations that replace this member's part of every window, one by one.

What lives here: how what was noted (`fold`) is written down, and in which order. A
reservation or a settlement that comes meanwhile takes the windows that it counts in before
their turn, and goes right behind them. What it does not know: connections.
"""

from collections.abc import Iterator
from itertools import count

from llm_gateway.cluster.batches import LEASE, Op, micro, windows_of
from llm_gateway.cluster.fold import Fold, Held, WindowPart
from llm_gateway.limits.windows import Entry

NAMES = 64
"""Windows that one operation names at most."""
Weighed = tuple[Op, int]
"""An operation, and how many entries take the server as long."""


class FoldSteps:
    """Each operation once: first what is open, then the windows."""

    def __init__(self, fold: Fold) -> None:
        self._fold = fold
        self._names: dict[int, str] = {}
        """Entry (by identity) -> its name."""
        self._held = {one.id: one for one in fold.held}
        self._parts = {one.name: one for one in fold.parts}
        """What was not written down yet."""
        self._windows = {
            **{one.id: [part[0] for part in one.parts] for one in fold.held},
            **fold.asking,
        }
        """Reservation -> names of its windows."""
        self._rest = self._in_order()
        self.done = False
        """There is none left."""

    def step(self) -> Weighed:
        """The next one. Raises StopIteration: it is done."""
        return next(self._rest)

    def before(self, op: Op) -> Weighed | None:
        """One that has to go before `op`; None: no more."""
        names, reservation = windows_of(op)
        if reservation:
            held = self._held.pop(reservation, None)
            if held is not None:
                return self._open(held)
            names = self._windows.get(reservation, [])
        for name in names:
            part = self._parts.pop(name, None)
            if part is not None:
                return self._window(part)
        return None

    def _in_order(self) -> Iterator[Weighed]:
        fold = self._fold
        yield ["fold_begin", [*fold.asking]], len(fold.asking)
        while self._held:
            yield self._open(self._held.pop(next(iter(self._held))))
        while self._parts:
            yield self._window(self._parts.pop(next(iter(self._parts))))
        for at in range(0, len(fold.rest), NAMES):
            yield ["no_amount", fold.rest[at : at + NAMES]], NAMES
        self.done = True
        yield ["fold_end"], 1

    def _open(self, held: Held) -> Weighed:
        holds = [
            [name, index, amount, of if isinstance(of, str) else self._name(of)]
            for name, index, amount, of in held.parts
        ]
        return ["open", held.id, held.need, holds, micro(LEASE)], 4

    def _window(self, part: WindowPart) -> Weighed:
        offset, asked = self._fold.offset, self._fold.asked
        entries = [
            [
                self._name(entry),
                micro(first + offset),
                micro(last + offset),
                amount - asked[id(entry)],
            ]
            for last, _, entry, first, amount in sorted(
                zip(
                    part.lasts,
                    count(),  # entries of one moment stay in their order
                    part.entries,
                    part.firsts,
                    part.amounts,
                    strict=False,
                )
            )
        ]
        name, shape = part.name, part.shape
        op: Op = ["fold", name, name, part.bound, *shape]
        op += [part.used, part.reserved, entries, part.asking]
        return op, 10 + len(entries) + len(part.asking)

    def _name(self, entry: Entry) -> str:
        found = self._names.get(id(entry))
        if found is None:
            found = f"{self._fold.serial}{len(self._names)}"
            self._names[id(entry)] = found
        return found
