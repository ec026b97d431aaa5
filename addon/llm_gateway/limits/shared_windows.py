"""Windows that other gateways count in, too: this member's own use, and the others' beside it.

What lives here: `SharedBook`, and rows (`SharedLimitWindow`) that take the others' use off
what is left. Windows hold this member's own use alone: that is what it folds into the
shared store, and what the store says of the others lies beside it.

Away, a member has a share of what was left at the last contact: left / members then
alive; once a window has passed whole, of the limit itself. Together they pass no limit.

What it does not know: reservations' ways, sockets, how accounts are called elsewhere.
"""

from collections.abc import Sequence

from llm_gateway.domain import Limit
from llm_gateway.limits.limit_set import BOUNDLESS, LimitWindow
from llm_gateway.limits.store import Key, WindowStore
from llm_gateway.limits.values import LimitStatus, Reservation
from llm_gateway.limits.windows import AnyWindow


class OthersUse:
    """What the other members have of one window, as the store last said."""

    __slots__ = ("back_at", "contact_ends", "own_at_contact", "reserved", "used")

    def __init__(self) -> None:
        self.used = 0
        self.reserved = 0
        self.back_at = 0.0
        """When something of the window comes back next, 0: not known."""
        self.own_at_contact = 0
        self.contact_ends = 0.0
        """When all that stood at the last contact has left."""

    @property
    def total(self) -> int:
        return self.used + self.reserved

    def shift_clock(self, seconds: float) -> None:
        """Our clock was set back by so much: everything keeps its age."""
        self.contact_ends -= seconds
        if self.back_at:
            self.back_at -= seconds


class SharedBook(WindowStore):
    """Windows of this member, with the others' use beside each."""

    def __init__(self) -> None:
        super().__init__()
        self.others: dict[Key, OthersUse] = {}
        self.members_away = 0
        """Members that share what was left, while the store is away; 0: it is not."""
        book = self

        class Row(SharedLimitWindow):
            __slots__ = ()

            def __init__(
                self, limit: Limit, window: AnyWindow, *, learned: bool
            ) -> None:
                super().__init__(limit, window, learned=learned)
                self.book = book
                self.others = book.of(limit.key)

        self.row = Row

    def of(self, key: Key) -> OthersUse:
        found = self.others.get(key)
        if found is None:
            found = self.others[key] = OthersUse()
        return found

    def go_away(
        self, members: int, now: float, unconfirmed: Sequence[Reservation]
    ) -> None:
        """The store does not answer: from now on each of `members` has its share.

        `unconfirmed`: reservations that it had not granted yet; they need a share, too.
        """
        self.members_away = max(1, members)
        new: dict[int, int] = {}
        for reservation in unconfirmed:
            held = self.live.get(reservation.serial)
            for part in held.parts if held is not None else ():
                new[id(part.window)] = new.get(id(part.window), 0) + part.amount
        for key, window in self.windows.items():
            window.advance(now)
            others = self.of(key)
            mine = window.used + window.reserved - new.get(id(window), 0)
            others.own_at_contact = mine
            others.contact_ends = window.ends(now)

    def come_back(self) -> None:
        self.members_away = 0

    def shift_clock(self, seconds: float) -> None:
        super().shift_clock(seconds)
        for others in self.others.values():
            others.shift_clock(seconds)

    def follow_clock(self, seconds: float, now: float) -> None:
        super().follow_clock(seconds, now)
        for others in self.others.values():
            others.shift_clock(-seconds)


class SharedLimitWindow(LimitWindow):
    """A limit, this member's window, and the others' use of it."""

    __slots__ = ("book", "others")

    book: SharedBook
    others: OthersUse

    def left(self, now: float) -> int:
        window = self.window
        if now >= window.next_expiry:
            window.advance(now)
        amount = self.amount(now)
        mine = window.used + window.reserved
        others, members = self.others, self.book.members_away
        if not members or amount >= BOUNDLESS:
            own = amount - mine - others.total
        elif now < others.contact_ends:
            left = max(0, amount - others.total - others.own_at_contact)
            own = left // members - (mine - others.own_at_contact)
        else:
            own = amount // members - mine
        heard = window.heard
        theirs = None if heard is None else heard.left(now)
        return own if theirs is None else min(own, theirs)

    def fits_at(self, needed: int, now: float) -> float | None:
        found = super().fits_at(needed, now)
        if found is None or self.left(now) >= needed or found > now:
            return found
        others, window = self.others, self.window
        if not self.book.members_away and others.back_at > now:
            return min(others.back_at, window.ends(now))
        return window.ends(now)

    def status(self, now: float) -> LimitStatus:
        found = super().status(now)
        others = self.others
        if self.book.members_away and now >= others.contact_ends:
            return found
        resets_at = found.resets_at
        if others.back_at > now and (others.total or resets_at is not None):
            resets_at = min(others.back_at, resets_at or others.back_at)
        return LimitStatus(
            limit=found.limit,
            used=found.used + others.used,
            reserved=found.reserved + others.reserved,
            remaining=found.remaining,
            resets_at=resets_at,
            source=found.source,
            observed_at=found.observed_at,
        )
