"""One window: what was spent in it, what is held open in it, when room comes back.

What lives here: the arithmetic of a rolling and of a calendar window. What it does not
know: amounts that limit it, scopes, providers, zones.

Theory of operation. *Used* is what has happened, *open* what running requests hold.
Requests are used from the moment they leave, as providers count them then. Tokens and
cost stay open while a request runs, however long, and become used when it ends: a
request that outlives a rolling minute is never lost, whatever the boundaries between.

A rolling window keeps (moment, amount) entries; each leaves a full length after it
came. Up to EXACT entries are kept apart; beyond that, entries closer together than a
STEPS-th of the window are merged, and leave with the latest of them. So memory is
bounded, nothing leaves early, and nothing stays longer than 1 + 1/STEPS windows.
"""

from collections import deque
from math import inf

from llm_gateway.domain import Limit, Reset, Window
from llm_gateway.limits.calendar import FIRST_OF_MONTH_UTC, span
from llm_gateway.limits.observed import ObservedLimit

EXACT = 512
"""Entries that are kept apart before any are merged."""
STEPS = 256
"""Steps in a crowded window: room comes back at most 0.4 % of its length late."""

LENGTHS = {
    Window.MINUTE: 60.0,
    Window.HOUR: 3_600.0,
    Window.DAY: 86_400.0,
    Window.MONTH: 31 * 86_400.0,
}
"""Seconds. A month only rolls where its zone is unknown; its longest form is the safe one."""


class Entry:
    """An amount that a window remembers, and from when to when it came in."""

    __slots__ = ("amount", "first", "last")

    def __init__(self, at: float, amount: int) -> None:
        self.first = at
        self.last = at
        self.amount = amount


class RollingWindow:
    """The last so many seconds."""

    __slots__ = (
        "entries",
        "heard",
        "length",
        "next_expiry",
        "reserved",
        "reset",
        "step",
        "used",
    )

    def __init__(self, length: float, reset: Reset | None = None) -> None:
        self.length = length
        self.reset = reset
        """As the limit has it: kept to notice that it changed."""
        self.step = length / STEPS
        self.entries: deque[Entry] = deque()
        self.next_expiry = inf
        """Before this moment `advance` has nothing to do."""
        self.used = 0
        self.reserved = 0
        self.heard: ObservedLimit | None = None

    def advance(self, now: float) -> None:
        """Let go of what has left the window."""
        if now < self.next_expiry:
            return
        entries = self.entries
        while entries and entries[0].last + self.length <= now:
            gone = entries.popleft()
            self.used -= gone.amount
            gone.amount = 0
        self.next_expiry = entries[0].last + self.length if entries else inf

    def add(self, at: float, amount: int) -> Entry:
        """Count an amount from `at` on. `take_back` wants the entry."""
        if at >= self.next_expiry:
            self.advance(at)
        entries = self.entries
        self.used += amount
        if entries:
            newest = entries[-1]
            if at <= newest.last or (
                len(entries) >= EXACT and at - newest.first < self.step
            ):
                newest.last = max(newest.last, at)
                newest.amount += amount
                return newest
        else:
            self.next_expiry = at + self.length
        entry = Entry(at, amount)
        entries.append(entry)
        return entry

    def take_back(self, entry: Entry, amount: int) -> None:
        """Uncount part of an entry, unless it has left already."""
        amount = min(amount, entry.amount)
        entry.amount -= amount
        self.used -= amount

    def give_back(self, at: float, amount: int) -> None:
        """Uncount part of what came in around `at`, as far as it is still there."""
        nearest = min(
            self.entries,
            key=lambda entry: max(entry.first - at, at - entry.last, 0.0),
            default=None,
        )
        if nearest is not None:
            self.take_back(nearest, amount)

    def holds(self, at: float, now: float) -> bool:
        """Does a moment lie in the window as it is now?"""
        return at + self.length > now

    def ends(self, now: float) -> float:
        """When all that stands now will have left."""
        return now + self.length

    def next_release(self, now: float) -> float | None:
        """When anything comes back; None while nothing is used."""
        self.advance(now)
        for entry in self.entries:
            if entry.amount:
                return entry.last + self.length
        return None

    def drops_to_at(self, most: int, now: float) -> float:
        """When `used` is no more than `most` (at least 0) again."""
        self.advance(now)
        used = self.used
        when = now
        for entry in self.entries:
            if used <= most:
                break
            used -= entry.amount
            when = entry.last + self.length
        return when

    def used_since(self, at: float) -> int:
        """How much came in later than `at`."""
        return sum(entry.amount for entry in self.entries if entry.last > at)

    def forget_until(self, at: float) -> None:
        """Drop what came in no later than `at`: the provider has given it back."""
        entries = self.entries
        while entries and entries[0].last <= at:
            gone = entries.popleft()
            self.used -= gone.amount
            gone.amount = 0

    def clear(self, now: float) -> None:
        """As if nothing had been used; what is open stays."""
        for entry in self.entries:
            entry.amount = 0
        self.entries.clear()
        self.used = 0

    def shift_clock(self, seconds: float) -> None:
        """The clock was set back: everything keeps its age."""
        self.next_expiry -= seconds
        for entry in self.entries:
            entry.first -= seconds
            entry.last -= seconds
        if self.heard is not None:
            self.heard.shift_clock(seconds)

    def follow_clock(self, seconds: float, now: float) -> None:
        """The clock was set forward by so much: everything keeps its age."""
        self.shift_clock(-seconds)


class CalendarWindow:
    """A day or a month by a provider's clock. Never goes back to an earlier one."""

    __slots__ = (
        "end",
        "entry",
        "heard",
        "next_expiry",
        "reserved",
        "reset",
        "start",
        "used",
        "when",
        "window",
    )

    def __init__(
        self,
        window: Window,
        when: Reset,
        bounds: tuple[float, float],
        reset: Reset | None,
    ) -> None:
        self.window = window
        self.when = when
        self.reset = reset
        """As the limit has it: kept to notice that it changed."""
        self.start, self.end = bounds
        self.next_expiry = self.end
        """Before this moment `advance` has nothing to do."""
        self.used = 0
        self.reserved = 0
        self.entry = Entry(self.start, 0)
        self.heard: ObservedLimit | None = None

    def advance(self, now: float) -> None:
        if now < self.end:
            return
        bounds = span(self.window, self.when, now)
        assert bounds is not None  # the zone was known when the window was made
        self.start, self.end = bounds
        self.next_expiry = self.end
        self.used = 0
        self.entry.amount = 0
        self.entry = Entry(self.start, 0)

    def add(self, at: float, amount: int) -> Entry:
        self.advance(at)
        self.used += amount
        self.entry.amount += amount
        return self.entry

    def take_back(self, entry: Entry, amount: int) -> None:
        amount = min(amount, entry.amount)
        entry.amount -= amount
        self.used -= amount

    def give_back(self, at: float, amount: int) -> None:
        self.take_back(self.entry, amount)

    def holds(self, at: float, now: float) -> bool:
        self.advance(now)
        return at >= self.start

    def ends(self, now: float) -> float:
        self.advance(now)
        return self.end

    def next_release(self, now: float) -> float | None:
        self.advance(now)
        return self.end

    def drops_to_at(self, most: int, now: float) -> float:
        self.advance(now)
        return now if self.used <= most else self.end

    def used_since(self, at: float) -> int:
        """All of it: the window ends by its own clock, whatever the provider gives back."""
        return self.used

    def forget_until(self, at: float) -> None:
        """Nothing to do, for the same reason."""

    def clear(self, now: float) -> None:
        """As if nothing had been used; what is open stays."""
        self.advance(now)
        self.entry.amount = self.used = 0

    def shift_clock(self, seconds: float) -> None:
        """The calendar stays where it is: an end that was passed stays passed."""
        if self.heard is not None:
            self.heard.shift_clock(seconds)

    def follow_clock(self, seconds: float, now: float) -> None:
        """The clock was set forward by so much (backward: less than 0), to `now`.

        A day that only the clock has passed was not a day for the provider: its use
        stays. Shortly after an end the clock may be set back before it; that end is
        not passed twice.
        """
        self.shift_clock(-seconds)
        bounds = span(self.window, self.when, now)
        assert bounds is not None
        if bounds[1] < self.end and -seconds < SMALL_STEP:
            return
        self.start, self.end = bounds
        self.next_expiry = self.end


SMALL_STEP = 7_200.0
"""Seconds; a clock that is set back by less keeps the end of its calendar windows."""

AnyWindow = RollingWindow | CalendarWindow


def window_for(limit: Limit, now: float) -> AnyWindow:
    """An empty window of the limit's shape.

    Minutes and hours roll. A day or month with a reset follows that clock, a month
    without one the UTC calendar, a day without one rolls. Where the zone is not known
    here, the window rolls over its full length, which never allows more.
    """
    when = limit.reset
    if when is None and limit.window is Window.MONTH:
        when = FIRST_OF_MONTH_UTC
    if when is not None and limit.window in (Window.DAY, Window.MONTH):
        bounds = span(limit.window, when, now)
        if bounds is not None:
            return CalendarWindow(limit.window, when, bounds, limit.reset)
    return RollingWindow(LENGTHS[limit.window], limit.reset)
