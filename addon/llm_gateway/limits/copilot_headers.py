"""Copilot's quota snapshots: what is left of an allowance, told in query strings.

    x-quota-snapshot-premium_interactions: ent=300&ov=0.0&ovPerm=false&rem=88.5&rst=2026-04-01T00%3A00%3A00Z
    x-usage-ratelimit-session:             rem=0&rst=2026-03-04T17%3A00%3A00Z

`ent` is the allowance (-1: unlimited), `rem` what is left of it in percent, `ovPerm` says
that more may be bought. One request may cost several units or none, so only what is left
binds, never our own count.
"""

from collections.abc import Iterable, Mapping
from urllib.parse import parse_qsl

from llm_gateway.domain import Metric, Window
from llm_gateway.limits.durations import moment, number
from llm_gateway.limits.values import LimitObservation

_LONGEST = 512
_UNLIMITED = "-1"


def read_snapshots(
    headers: Mapping[str, str], now: float
) -> Iterable[LimitObservation]:
    chat = _query(headers.get("x-quota-snapshot-chat"))
    for kind in ("premium_interactions", "premium_models"):
        word = _allowance(_query(headers.get(f"x-quota-snapshot-{kind}")), now)
        # Where chat is unlimited, the models that cost nothing go on without premium.
        if word is not None and (word.remaining or chat.get("ent") != _UNLIMITED):
            yield word
    if (word := _allowance(chat, now)) is not None:
        yield word
    for kind, window in (("session", Window.HOUR), ("weekly", Window.DAY)):
        said = _query(headers.get(f"x-usage-ratelimit-{kind}"))
        if number(said.get("rem", said.get("remaining"))) == 0:
            yield _word(window, None, 0, said, now)


def _allowance(said: Mapping[str, str], now: float) -> LimitObservation | None:
    allowance, share = number(said.get("ent")), number(said.get("rem"))
    if not allowance or share is None or share > 100 or said.get("ovPerm") == "true":
        return None
    return _word(Window.MONTH, int(allowance), int(allowance * share / 100), said, now)


def _word(
    window: Window,
    limit: int | None,
    remaining: int,
    said: Mapping[str, str],
    now: float,
) -> LimitObservation:
    return LimitObservation(
        metric=Metric.REQUESTS,
        window=window,
        at=now,
        limit=limit,
        remaining=remaining,
        resets_at=moment(said.get("rst", said.get("resetAt", "")), now),
        scope="provider",
        remaining_only=True,
    )


def _query(text: str | None) -> dict[str, str]:
    if not text or len(text) > _LONGEST:
        return {}
    try:
        return dict(parse_qsl(text, max_num_fields=32))
    except ValueError:
        return {}
