"""State of a provider or a model: what it can still do, in one of nine words.

What lives here: the words, the fractions at which bars change colour, the arithmetic
from rows of `limit_state` and `offer_state` to a bar, a word and a forecast.

What this file does not know: SQLite, clocks (`now` is an argument), HTML.

    ready → near limit (75 %, hot from 90 %) → at limit      what the limits say
    cooling down, failing, key refused, disabled             what the gateway says
    excluded, not configured                                 what the configuration says
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

WORDS = (
    "ready",
    "near limit",
    "at limit",
    "cooling down",
    "failing",
    "key refused",
    "excluded",
    "disabled",
    "not configured",
)
"""Best first; the same words wherever the product speaks of a state."""

OFF = ("excluded", "disabled", "not configured")
"""Words of what is not in use, and is not counted among what could answer."""

FREE_ONLY = "free-only"
COSTS_MONEY = "costs money, and the policy is free-only"
NO_PRICE = "its price is unknown, and a cost limit or budget holds"
_EXCLUDES = ("the policy is free-only", "is unknown, and a cost limit or budget holds")
"""How the router's reasons end for what the configuration rules out."""
_KEY_REFUSED = re.compile(r"(?:disabled: )?(?:401|403)\b")
_SPENT = re.compile(
    r"(?:disabled: )?402\b|insufficient_quota|insufficient.balance", re.I
)
_SAID_TWICE = re.compile(r"^(?:disabled|failing|cooling down|at limit): ")

NEAR = 0.75
HOT = 0.90

WINDOWS = ("minute", "hour", "day", "month")
METRICS = ("requests", "tokens", "cost")

SLACK = 2.0
"""Seconds that a window may be over before we stop believing what is written of it."""


@dataclass(frozen=True, slots=True)
class LimitBar:
    """One limit: what it allows and what is taken of it."""

    metric: str
    window: str
    used: float
    reserved: float
    """Set aside for requests in flight."""
    amount: float
    resets_at: float | None
    """Unix seconds."""
    source: str
    accounts: int = 1
    """How many accounts are added up here."""
    scope: str = "model"
    """`provider`, `tier`, `model`, `client` or `budget`."""
    model: str = ""
    """The model, or what the models of a tier end with: `:free`."""
    as_of: str = ""
    """ISO date of a preset's source."""

    @property
    def ratio(self) -> float:
        """Of what may be used, the part that is gone or set aside; may pass 1."""
        taken = self.used + self.reserved
        if self.amount <= 0:
            return 1.0
        return taken / self.amount

    @property
    def level(self) -> str:
        """`ok`, `near`, `hot` or `full`: the colour."""
        ratio = self.ratio
        if ratio >= 1:
            return "full"
        return "hot" if ratio >= HOT else "near" if ratio >= NEAR else "ok"


@dataclass(frozen=True, slots=True)
class OfferState:
    """What the gateway last said of one model of one account."""

    state: str
    reason: str
    returns_at: float | None


@dataclass(frozen=True, slots=True)
class Availability:
    """The one word for a model, or for a provider."""

    state: str
    reason: str = ""
    returns_at: float | None = None
    hot: bool = False
    """Near limit, and past 90 %."""


def moment(text: str | None) -> float | None:
    """ISO time of the ledger -> unix seconds."""
    if not text:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()


def stamp(at: float) -> str:
    """Unix seconds -> the ledger's ISO time, to the millisecond."""
    text = datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


def fresh(bar: LimitBar, now: float) -> LimitBar:
    """The bar as of `now`: a window that is over holds nothing any more."""
    if bar.resets_at is not None and now > bar.resets_at + SLACK:
        return replace(bar, used=0, reserved=0, resets_at=None)
    return bar


def add_up(bars: Iterable[LimitBar]) -> tuple[LimitBar, ...]:
    """Bars of several accounts as one per scope, metric and window, in reading order."""
    sums: dict[tuple[str, ...], LimitBar] = {}
    for bar in bars:
        key = (bar.scope, bar.model, bar.metric, bar.window)
        known = sums.get(key)
        sums[key] = bar if known is None else _plus(known, bar)
    return tuple(sorted(sums.values(), key=_order))


def standing(
    offers: Sequence[OfferState], bars: Iterable[LimitBar], now: float, *, off: str = ""
) -> Availability:
    """One word for what `offers` (a model's accounts) can do under `bars`.

    The best account speaks for the model. `off` is the configuration's own reason why
    it is not in use; it wins.
    """
    if off:
        return Availability(off_word(off), off)
    best = min(
        (_expired(offer, now) for offer in offers),
        key=lambda offer: WORDS.index(offer.state),
        default=OfferState("ready", "", None),
    )
    if WORDS.index(best.state) > WORDS.index("at limit"):
        return Availability(best.state, best.reason, best.returns_at)
    tightest = max(bars, key=lambda bar: bar.ratio, default=None)
    if best.state == "at limit" and best.returns_at is not None:
        return Availability("at limit", best.reason, best.returns_at)
    if tightest is None:
        return Availability("ready")
    reason = limit_name(tightest)
    match tightest.level:
        case "full":
            return Availability("at limit", reason, tightest.resets_at)
        case "hot" | "near":
            hot = tightest.level == "hot"
            return Availability("near limit", reason, tightest.resets_at, hot)
        case _:
            return Availability("ready")


def limit_name(bar: LimitBar) -> str:
    """`requests per day`, `budget per day`, `requests per minute of all :free models`."""
    if bar.scope == "budget":
        return f"budget per {bar.window}"
    whose = f" of all {bar.model} models" if bar.scope == "tier" else ""
    return f"{bar.metric} per {bar.window}{whose}"


def word_of(state: str, reason: str) -> str:
    """The gateway's state and reason -> the word for people.

    A refused key is something that only a person can mend, money that is gone is a limit,
    and what the configuration rules out is neither ready nor broken.
    """
    if reason.endswith(_EXCLUDES):
        return "excluded"
    if state == "disabled":
        if _KEY_REFUSED.match(reason):
            return "key refused"
        if _SPENT.search(reason):
            return "at limit"
    return state


def clause(reason: str) -> str:
    """The reason without the word that stands beside it anyway."""
    return _SAID_TWICE.sub("", reason, count=1)


def excluded(*, policy: str | None, free: bool, priced: bool, bounded: bool) -> str:
    """Why the configuration rules a model out; "" when it does not.

    `priced`: its price is known; `bounded`: a cost limit or budget holds for it, so that
    what it costs would have to be reserved.
    """
    if free:
        return ""
    if policy == FREE_ONLY:
        return COSTS_MONEY
    return NO_PRICE if bounded and not priced else ""


def off_word(reason: str) -> str:
    """The word for the configuration's own reason why something is not in use."""
    if reason.endswith(_EXCLUDES):
        return "excluded"
    return "not configured" if reason.startswith("not configured") else "disabled"


def best_of(models: Sequence[Availability], *, off: str = "") -> Availability:
    """A provider is as good as the best of its models."""
    if off:
        return Availability(off_word(off), off)
    return min(models, key=severity, default=Availability("ready"))


def severity(found: Availability) -> tuple[int, bool]:
    """Rises with how little can be done."""
    return (WORDS.index(found.state), found.hot)


def empty_at(bar: LimitBar, per_second: float, now: float) -> float | None:
    """When this limit is used up at this pace, if that is before it resets.

    Minute limits have no forecast: they are over before anyone reads it.
    """
    if bar.window == "minute" or per_second <= 0 or bar.ratio >= 1:
        return None
    left = bar.amount - bar.used - bar.reserved
    at = now + left / per_second
    if bar.resets_at is not None and at >= bar.resets_at:
        return None
    # Further away than the window is long says nothing.
    return at if at - now <= LENGTH[bar.window] else None


LENGTH = {"minute": 60.0, "hour": 3600.0, "day": 86_400.0, "month": 31 * 86_400.0}


def _expired(offer: OfferState, now: float) -> OfferState:
    """A pause that is over is no pause; the word is the one for people."""
    if offer.returns_at is not None and now > offer.returns_at + SLACK:
        return OfferState("ready", "", None)
    word = word_of(offer.state, offer.reason)
    if word not in WORDS:
        return OfferState("failing", word, offer.returns_at)
    return replace(offer, state=word, reason=clause(offer.reason))


def _plus(a: LimitBar, b: LimitBar) -> LimitBar:
    resets = [at for at in (a.resets_at, b.resets_at) if at is not None]
    return replace(
        a,
        used=a.used + b.used,
        reserved=a.reserved + b.reserved,
        amount=a.amount + b.amount,
        resets_at=min(resets, default=None),
        accounts=a.accounts + b.accounts,
    )


def _order(bar: LimitBar) -> tuple[bool, int, int]:
    tier = bar.scope == "tier"
    return (tier, METRICS.index(bar.metric), WINDOWS.index(bar.window))
