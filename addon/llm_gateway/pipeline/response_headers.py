"""Headers of a response: `x-gateway-*`, and the provider's headers that reach the client.

What this file does not know: how an answer was decided.
"""

from functools import lru_cache
from typing import TYPE_CHECKING
from urllib.parse import quote

from mitmproxy import http

from llm_gateway.secret_patterns import SecretMask
from llm_gateway.transport.local_response import readable_by

if TYPE_CHECKING:
    from llm_gateway.pipeline.exchange import Exchange

NO_SECRETS = SecretMask(())

ADVICE = frozenset(
    {
        b"retry-after",
        b"retry-after-ms",
        b"x-should-retry",
        b"x-request-id",
        b"request-id",
    }
)
"""A provider's headers that an error keeps, besides the support ids of its row."""
PASSED = ADVICE | {
    b"content-type",
    b"content-length",
    b"content-encoding",
    b"transfer-encoding",
    b"cache-control",
    b"x-accel-buffering",
}
"""A provider's headers that reach the client: no cookies, no limits of its own."""
LONGEST_PASSED = 1024
"""Bytes of a value of theirs; longer ones stay here: clients' heads are bounded, too."""
LONGEST_ADVICE = 256
"""Bytes of an id or of a moment, in an error."""


_VISIBLE = "".join(map(chr, range(0x21, 0x7F))).replace("%", "")


@lru_cache(maxsize=1024)
def header_text(value: str) -> str:
    """Ids and model names as a header can carry them: percent-encoded outside of visible
    ASCII, `%` and spaces included, so that decoding gives back exactly the name."""
    return quote(value, safe=_VISIBLE)


@lru_cache(maxsize=1024)
def adapted_text(parts: str) -> str:
    """`ids, roles`; names that a refusal may have brought stay on their line."""
    return quote(parts[:LONGEST_PASSED], safe=_VISIBLE + " ")


def common_headers(exchange: "Exchange") -> tuple[tuple[str, str], ...]:
    """Who served or refused, in how many attempts, under which id, what was changed."""
    record = exchange.record
    found = [
        ("x-gateway-request-id", exchange.call.id),
        ("x-gateway-attempts", str(record.attempts)),
        ("x-gateway-revision", exchange.call.revision),
    ]
    attempt = exchange.attempt
    if attempt is not None and attempt.record.outcome == "in_flight":
        offer = attempt.candidate.offer
        found.append(("x-gateway-provider", header_text(offer.provider)))
        found.append(("x-gateway-model", header_text(offer.model)))
    elif (blamed := exchange.blamed) is not None:
        found.append(("x-gateway-provider", header_text(blamed.provider)))
        found.append(("x-gateway-model", header_text(blamed.model)))
    if record.adapted:
        found.append(("x-gateway-adapted", adapted_text(record.adapted)))
    if record.translated:
        found.append(("x-gateway-translated", record.translated))
    if exchange.closes:
        # The request that said so is rewritten by now: mitmproxy goes by the answer.
        found.append(("connection", "close"))
    if origin := exchange.cors_origin:
        found += readable_by(origin)
    return tuple(found)


def passed_headers(
    headers: http.Headers,
    ours: tuple[tuple[str, str], ...],
    support_ids: frozenset[bytes] = frozenset(),
    mask: SecretMask = NO_SECRETS,
) -> http.Headers:
    """The provider's headers that pass, those of its `support_ids` too, and ours.

    `framing.mend` has seen them. mask: no key passes in them.
    """
    passed = _with(support_ids)
    kept = [
        (k, v)
        for k, v in headers.fields
        if k.lower() in passed and len(v) <= LONGEST_PASSED
    ]
    kept = mask.fields(kept)
    kept += [(k.encode(), v.encode()) for k, v in ours]
    return http.Headers(kept)


def error_headers(
    headers: http.Headers | None, support_ids: frozenset[bytes] = frozenset()
) -> tuple[tuple[str, str], ...]:
    """What an error that goes back keeps of the provider's headers, under their names."""
    found = []
    for name, value in headers.fields if headers is not None else ():
        low, text = name.lower(), value.decode("ascii", "replace")
        if (
            (low in ADVICE or low in support_ids)
            and text.isprintable()
            and text.isascii()
            and 0 < len(text) <= LONGEST_ADVICE
        ):
            found.append((low.decode("ascii"), text))
    return tuple(found)


@lru_cache
def _with(support_ids: frozenset[bytes]) -> frozenset[bytes]:
    return PASSED | support_ids
