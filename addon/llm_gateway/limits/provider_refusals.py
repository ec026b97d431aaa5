"""What a 429, 413, 402 or 403 means: a minute, a day, money, or a request too large.

What lives here: tables of codes and phrases, and how long each kind of no lasts. What
it does not know: what is done about it; the shapes of bodies
(see `dialects/provider_errors.py`).

    minute     comes back by itself within the hour
    day        a day's or month's allowance is spent
    money      nothing comes back until somebody pays or raises a cap
    too_large  this request alone is more than the limit: others may fit
    overload   the provider has no room for anybody
"""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

from llm_gateway.dialects.error_topics import Said
from llm_gateway.dialects.provider_errors import ProviderError
from llm_gateway.domain import Reset, Window
from llm_gateway.frozen import frozen
from llm_gateway.limits.calendar import FIRST_OF_MONTH_UTC, span
from llm_gateway.limits.durations import moment, retry_after
from llm_gateway.limits.headers import read_headers
from llm_gateway.limits.ietf_headers import reset_of
from llm_gateway.limits.refusal_numbers import observations_in, quoted_limits
from llm_gateway.limits.reset_times import reset_in
from llm_gateway.limits.values import LimitObservation

Kind = Literal["minute", "day", "money", "too_large", "overload"]

HOUR = 3_600.0
"""Seconds. Whoever says to wait longer does not mean a minute's limit."""

DAY_RESETS: Mapping[str, Reset] = MappingProxyType(
    {
        "google": Reset(zone="America/Los_Angeles"),
        "openrouter": Reset(),
        "cloudflare": Reset(),
    }
)
"""When days begin, by parser, where the caller does not say."""


@frozen
class ProviderRefusal:
    """A provider's no, understood."""

    kind: Kind
    until: float | None
    """Unix time at which it ends by the provider's word; None: not said."""
    code: str
    """The provider's own code, printable and bounded; "" when it has none."""
    observations: tuple[LimitObservation, ...] = ()
    """What the body says about limits. Headers are read by `read_headers`."""


@frozen
class RefusalRule:
    """By which a kind is known: any of the codes, or any phrase in the text."""

    kind: Kind
    codes: frozenset[str] = frozenset()
    phrases: tuple[str, ...] = ()
    status: frozenset[int] = frozenset()
    """Of these only; empty: any."""


RULES = (
    # Money that is only held, and quotas whose name sounds like money.
    RefusalRule(
        "minute",
        frozenset({"openrouter_in_flight_budget", "in_flight_budget_exhausted"}),
        ("allocated quota exceeded", "in-flight requests"),
        frozenset({402, 403, 429}),
    ),
    RefusalRule(
        "too_large",
        frozenset({"request_too_large", "payload_too_large"}),
        (
            "request too large",
            "payload too large",
            "request entity too large",
            "payload size exceeds",
            "body size exceeds",
            "request size exceeds",
        ),
        frozenset({413, 429}),
    ),
    # A smaller `max_tokens` or prompt would have been paid for: the account has money.
    RefusalRule(
        "too_large",
        phrases=(
            "requires more credits, or fewer max_tokens",
            "but can only afford",
            "prompt tokens limit exceeded",
        ),
        status=frozenset({402}),
    ),
    RefusalRule(
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
    RefusalRule(
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
    RefusalRule("day", frozenset({"4006", "3036"}), status=frozenset({400})),
    RefusalRule("money", frozenset({"quota_exceeded"}), status=frozenset({402})),
    RefusalRule(
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
        frozenset({429}),
    ),
    RefusalRule(
        "day",
        frozenset(
            {"openrouter_free_tier_daily", "quota_exceeded", "4006", "3036", "1304"}
            | {"usage_limit_reached", "usagelimiterror", "1308", "1310"}
        ),
        (
            "usage limit reached",
            "usage limit has been reached",
            "session usage limit",
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
    RefusalRule(
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
    }
)
"""Where the body says nothing. Other statuses without a sign are no refusal of this sort."""

REFUSING = frozenset({400, 402, 403, 413, 429})
"""Statuses that may speak of limits or money; a 400 by its code only, as its text may
repeat the request."""

_NAME = re.compile(r"[`'\"][^\s`'\"]{1,100}[`'\"]")
"""Names of models and the like: a model `daily-news` is no day."""


def read_refusal(
    parser: str,
    status: int,
    headers: Mapping[str, str],
    error: ProviderError,
    now: float,
    reset: Reset | None,
    said: Said = lambda _: False,
) -> ProviderRefusal | None:
    """What a refusal means; None when it speaks of no limit (a bad key, a bad request).

    `parser` is the provider's column `limit_headers`, `headers` have lower-case names,
    `reset` is when the provider's days begin, `said` tells what the request itself holds.
    Never raises.
    """
    if status not in REFUSING:
        return None
    headers = {**error.headers, **headers}
    kind = _kind(status, error, said)
    if kind is None:
        return None
    days = reset or DAY_RESETS.get(parser)
    until = _until(kind, parser, headers, error, now, days)
    if kind == "minute" and until is not None and until - now > HOUR:
        kind = "day"
    words = () if status == 400 else observations_in(error, now, until=until, days=days)
    return ProviderRefusal(kind, until, error.code, words)


def _kind(status: int, error: ProviderError, said: Said) -> Kind | None:
    if error.violations:
        return "day" if _per_day(error) else "minute"
    text = "" if status == 400 else _NAME.sub(" ", error.text)
    if any(one.requested > one.limit for one in quoted_limits(text)):
        return "too_large"
    for signs in RULES:
        if signs.status and status not in signs.status:
            continue
        if signs.codes & error.codes:
            return signs.kind
        for phrase in signs.phrases:
            if phrase in text and not (signs.kind == "money" and said(phrase)):
                return signs.kind
    return BY_STATUS.get(status)


def _per_day(error: ProviderError) -> bool:
    return any("PerDay" in violation.quota for violation in error.violations)


def _until(
    kind: Kind,
    parser: str,
    headers: Mapping[str, str],
    error: ProviderError,
    now: float,
    days: Reset | None,
) -> float | None:
    if kind == "too_large":
        return None
    by_header, by_body = retry_after(headers, now), reset_in(error, now)
    waited = by_header or by_body
    if by_header and by_body and by_body - now > HOUR:
        # A plan's end outweighs a header that servers add to every refusal.
        waited = max(by_header, by_body)
    spent = [word for word in read_headers(parser, headers, now) if word.remaining == 0]
    if kind == "day":
        spent = [word for word in spent if word.window in (Window.DAY, Window.MONTH)]
        long = max(
            (w.resets_at for w in spent if w.resets_at is not None), default=None
        )
        if long is not None:
            return long
        if waited is not None and waited - now > HOUR and not error.violations:
            return waited
        if "month" in error.text:
            return _end(Window.MONTH, FIRST_OF_MONTH_UTC, now)
        # A calendar day outweighs Google's `retryDelay`, which speaks of seconds even then.
        return _end(Window.DAY, days, now) or waited or now + HOUR
    if waited is not None:
        return waited
    resets = [word.resets_at for word in spent if word.resets_at is not None]
    if resets:
        return max(resets)
    return moment(headers.get("x-ratelimit-reset", ""), now) or reset_of(headers, now)


def _end(window: Window, reset: Reset | None, now: float) -> float | None:
    bounds = span(window, reset, now) if reset is not None else None
    return None if bounds is None else bounds[1]
