"""What a 429, 413, 402 or 403 means: a minute, a day, money, or a request too large.

What lives here: tables of codes and phrases, and how long each kind of no lasts. What
it does not know: what is done about it; the shapes of bodies (see `complaints`).

    minute     comes back by itself within the hour
    day        a day's or month's allowance is spent
    money      nothing comes back until somebody pays or raises a cap
    too_large  this request alone is more than the limit: others may fit
    overload   the provider has no room for anybody
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

from llm_gateway.exchange import Reset, Window
from llm_gateway.frozen import frozen
from llm_gateway.limits.boundaries import FIRST_OF_MONTH_UTC, span
from llm_gateway.limits.complaints import Complaint, read_complaint
from llm_gateway.limits.durations import moment, retry_after
from llm_gateway.limits.said import named_limits, wait_in, words_in
from llm_gateway.limits.values import Word
from llm_gateway.limits.words import read_headers

Kind = Literal["minute", "day", "money", "too_large", "overload"]

HOUR = 3_600.0
"""Seconds. Whoever says to wait longer does not mean a minute's limit."""

DAYS: Mapping[str, Reset] = MappingProxyType(
    {
        "google": Reset(zone="America/Los_Angeles"),
        "openrouter": Reset(),
        "cloudflare": Reset(),
    }
)
"""When days begin, by parser, where the caller does not say."""


@frozen
class Refused:
    """A provider's no, understood."""

    kind: Kind
    until: float | None
    """Unix time at which it ends by the provider's word; None: not said."""
    code: str
    """The provider's own code, printable and bounded; "" when it has none."""
    words: tuple[Word, ...] = ()
    """What the body says about limits. Headers are read by `read_headers`."""


@frozen
class Signs:
    """By which a kind is known: any of the codes, or any phrase in the text."""

    kind: Kind
    codes: frozenset[str] = frozenset()
    phrases: tuple[str, ...] = ()
    status: frozenset[int] = frozenset()
    """Of these only; empty: any."""


SIGNS = (
    # Money that is only held, and quotas whose name sounds like money.
    Signs(
        "minute",
        frozenset({"openrouter_in_flight_budget", "in_flight_budget_exhausted"}),
        ("allocated quota exceeded", "in-flight requests"),
        frozenset({402, 403, 429}),
    ),
    Signs(
        "too_large",
        frozenset({"request_too_large", "payload_too_large"}),
        ("request too large", "payload too large", "request entity too large"),
        frozenset({413, 429}),
    ),
    Signs(
        "money",
        frozenset(
            {
                "credit_balance_exhausted",
                "insufficient_quota",
                "organization_spend_limit_exceeded",
                "billing_hard_limit_reached",
                "billing_not_active",
                "billing_error",
                "enforced_spend_limit_reached",
                "insufficient_credits",
                "insufficient_balance",
                "openrouter_credits",
                "openrouter_key_limit",
                "exceeded_current_quota_error",
                "arrearage",
                "allocationquota.freetieronly",
                "1113",
            }
        ),
    ),
    Signs(
        "money",
        phrases=(
            "insufficient balance",
            "insufficient credit",
            "credit balance is too low",
            "spending limit",
            "spend limit",
            "your specified api usage limits",
            "specified workspace api usage limits",
            "crossed its monthly api usage threshold",
            "monthly included credits",
            "used all available credits",
            "out of credits",
        ),
        status=frozenset({402, 403, 429}),
    ),
    # A 400 may quote the request, so only what no prompt says by chance.
    Signs(
        "money",
        phrases=(
            "your credit balance is too low",
            "your specified api usage limits",
            "specified workspace api usage limits",
        ),
        status=frozenset({400}),
    ),
    Signs("day", phrases=("daily free allocation",), status=frozenset({400})),
    Signs("money", frozenset({"quota_exceeded"}), status=frozenset({402})),
    Signs(
        "overload",
        frozenset(
            {
                "overloaded_error",
                "engine_overloaded_error",
                "provider_overloaded",
                "service_tier_capacity_exceeded",
                "modelnotreadyexception",
                "queue_exceeded",
                "slow_down",
            }
        ),
        ("overloaded", "capacity exceeded", "experiencing high traffic"),
        frozenset({429, 498, 503, 529}),
    ),
    Signs(
        "day",
        frozenset(
            {"openrouter_free_tier_daily", "quota_exceeded", "4006", "3036", "1304"}
        ),
        (
            "free-models-per-day",
            "(rpd)",
            "(tpd)",
            "per day",
            "/day",
            "per-day",
            "daily",
            "/ month",
            "per month",
            "weekly",
        ),
        frozenset({403, 429}),
    ),
    Signs(
        "minute",
        frozenset({"rate_limited", "rate_limit_exceeded", "rate_limit_error"}),
        ("rate limit", "too many requests", "secondary rate limit"),
        frozenset({403}),
    ),
)
"""Asked in this order; the first that is seen wins."""

BY_STATUS: Mapping[int, Kind] = MappingProxyType(
    {
        402: "money",
        413: "too_large",
        429: "minute",
        498: "overload",
        503: "overload",
        529: "overload",
    }
)
"""Where the body says nothing. Other statuses without a sign are no refusal of this sort."""


def read_refusal(
    parser: str,
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    now: float,
    reset: Reset | None,
) -> Refused | None:
    """What a refusal means; None when it speaks of no limit (a bad key, a bad request).

    `parser` is the provider's column `limit_headers`, `headers` have lower-case names,
    `reset` is when the provider's days begin. Never raises.
    """
    said = read_complaint(body, headers)
    if said.headers:
        headers = {**said.headers, **headers}
    kind = _kind(status, said)
    if kind is None:
        return None
    days = reset or DAYS.get(parser)
    until = _until(kind, parser, headers, said, now, days)
    if kind == "minute" and until is not None and until - now > HOUR:
        kind = "day"
    words = words_in(said, now, until=until, days=days)
    return Refused(kind, until, said.code, words)


def _kind(status: int, said: Complaint) -> Kind | None:
    if status not in BY_STATUS and status not in (400, 403):
        return None
    if said.violations:
        return "day" if any("PerDay" in v.quota for v in said.violations) else "minute"
    if any(one.requested > one.limit for one in named_limits(said.text)):
        return "too_large"
    for signs in SIGNS:
        if signs.status and status not in signs.status:
            continue
        if signs.codes & said.codes or any(p in said.text for p in signs.phrases):
            return signs.kind
    return BY_STATUS.get(status)


def _until(
    kind: Kind,
    parser: str,
    headers: Mapping[str, str],
    said: Complaint,
    now: float,
    days: Reset | None,
) -> float | None:
    if kind == "too_large":
        return None
    waited = retry_after(headers, now) or wait_in(said, now)
    spent = [word for word in read_headers(parser, headers, now) if word.remaining == 0]
    if kind == "day":
        spent = [word for word in spent if word.window in (Window.DAY, Window.MONTH)]
        long = max(
            (w.resets_at for w in spent if w.resets_at is not None), default=None
        )
        if long is not None:
            return long
        if "month" in said.text:
            return _end(Window.MONTH, FIRST_OF_MONTH_UTC, now)
        # A calendar day outweighs Google's `retryDelay`, which speaks of seconds even then.
        return _end(Window.DAY, days, now) or waited or now + HOUR
    if waited is not None:
        return waited
    resets = [word.resets_at for word in spent if word.resets_at is not None]
    if resets:
        return max(resets)
    return moment(headers.get("x-ratelimit-reset", ""), now)


def _end(window: Window, reset: Reset | None, now: float) -> float | None:
    bounds = span(window, reset, now) if reset is not None else None
    return None if bounds is None else bounds[1]
