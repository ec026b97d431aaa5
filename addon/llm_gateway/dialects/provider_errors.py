"""Parses the error body of a provider, whatever shape it chose.

    OpenAI and most        {"error": {"message", "type", "param", "code"}}
    a few                  {"error": "text"}
    Gemini                 {"error": {"code": 429, "status", "message", "details"}}, also in a list
    Anthropic              {"type": "error", "error": {"type", "message"}}
    OpenRouter             {"error": {"code": 429, "message", "metadata": {"error_type", "raw"}}}
    Mistral, Copilot       {"message", "type", "code"}
    FastAPI servers        {"detail": "text"} or {"detail": [{"loc", "msg", "type"}]}
    NVIDIA                 {"status": 429, "title", "detail"}
    Cloudflare             {"success": false, "errors": [{"code", "message"}]}
    Spring, Z.ai           {"code": 500, "message" or "msg"}
    AWS                    {"__type", "message"}, or a code in `x-amzn-errortype`
    Responses streams      {"type": "error", "code", "message"}
                           {"type": "response.failed", "response": {"error": {...}}}

The only reader of error bodies: what a failure is about (error_topics.py) and what it says
of limits (`limits/provider_refusals.py`) both start from its value. Never raises. Texts are bounded
and printable; nothing in them is to be trusted.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import field

from llm_gateway.dialects.error_parts import (
    MESSAGE_LENGTH,
    MOST,
    RESETS,
    TEXT_LENGTH,
    as_text,
    parts_of,
    texts_of,
)
from llm_gateway.frozen import frozen

CODE_LENGTH = 100
READ_LENGTH = 1 << 17
"""Bytes of an error body that are parsed; a longer one is no error body."""


@frozen
class Violation:
    """One of Google's exhausted quotas."""

    quota: str
    """`GenerateRequestsPerDayPerProjectPerModel-FreeTier`"""
    value: int | None


@frozen
class ProviderError:
    """What went wrong, in the provider's words; "" where it does not say."""

    code: str = ""
    """The finest word it has: `rate_limit_exceeded`, `RESOURCE_EXHAUSTED`, `429`."""
    type: str = ""
    message: str = ""
    param: str = ""
    """The member of the request that it is about."""
    codes: frozenset[str] = frozenset()
    """All words that it has, in lower case."""
    text: str = ""
    """All its messages, in lower case, a line each; the start of a body that is no JSON."""
    violations: tuple[Violation, ...] = ()
    resets: Mapping[str, str] = field(default_factory=dict)
    """Members that tell when to come back, as they are named: `retryDelay`, `resets_at`."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Headers that the body repeats (OpenRouter), names in lower case."""


NOTHING = ProviderError()

_CODES = (
    "type",
    "__type",
    "status",
    "reason",
    "code",
    "error_type",
    "error_code",
    "limit_source",
)
"""The more particular the later."""
_VAGUE = frozenset({"error", "invalid_request_error", "false", "true"})
_WORD = re.compile(r"[A-Za-z][A-Za-z_.:-]{1,59}\d{0,3}|\d{1,6}")
_URI = ("urn:", "about:", "http:", "https:")


def word_of(*texts: str) -> str:
    """The first that is a word as error codes are; "" when none is.

    Only these are kept and shown: what some providers put there instead is a sentence,
    which may repeat a key or a prompt.
    """
    return next((text for text in texts if _WORD.fullmatch(text)), "")


def read_error(body: bytes, headers: Mapping[str, str] | None = None) -> ProviderError:
    """The error that a body holds; of HTML and other text, its start.

    `headers` have lower-case names: AWS puts its code into one.
    """
    amazon = _code((headers or {}).get("x-amzn-errortype", "").partition(":")[0])
    text = body.strip() if len(body) <= READ_LENGTH else b""
    if text[:1] not in (b"{", b"["):
        # An error status with a stream for a body: the first event tells.
        _, found, rest = text.partition(b"data:")
        text = rest.strip().split(b"\n")[0] if found else b""
    try:
        return error_in(json.loads(text), amazon)
    except (ValueError, RecursionError):
        said = body[:TEXT_LENGTH].decode("utf-8", "replace").lower()
        return ProviderError(
            amazon, codes=frozenset({amazon.lower()} - {""}), text=said
        )


def error_in(value: object, code: str = "") -> ProviderError:
    """The error that a parsed JSON value holds; `code` is one that came beside it."""
    codes = [code] if code else []
    kinds: list[str] = []
    texts: list[str] = []
    violations: list[Violation] = []
    resets: dict[str, str] = {}
    headers: dict[str, str] = {}
    param = ""
    for part in parts_of(value):
        codes += [word for key in _CODES if (word := _code(part.get(key)))]
        kinds += [word for key in ("type", "__type") if (word := _code(part.get(key)))]
        texts += texts_of(part)
        violations += _violations(part)
        for key in RESETS & part.keys():
            resets.setdefault(key, as_text(part[key], CODE_LENGTH))
        param = param or as_text(part.get("param"), CODE_LENGTH)
        if isinstance(repeated := part.get("headers"), dict):
            headers.update({str(k).lower(): str(v) for k, v in repeated.items()})
    return ProviderError(
        code=_finest(codes),
        type=next((kind for kind in kinds if kind != "error"), ""),
        message=as_text(texts[0] if texts else "", MESSAGE_LENGTH),
        param=param,
        codes=frozenset(code.lower() for code in codes),
        text="\n".join(texts).lower()[:TEXT_LENGTH],
        violations=tuple(violations),
        resets=resets,
        headers=headers,
    )


def is_error(value: Mapping[str, object]) -> bool:
    """An error, as an answer of its own or as an event of a stream."""
    return bool(
        value.get("error")
        or value.get("object") == "error"
        or value.get("type") in ("error", "response.failed")
        or value.get("success") is False
    )


def _violations(part: Mapping[str, object]) -> Iterator[Violation]:
    said = part.get("violations")
    if not isinstance(said, list):
        said = [part]
    for one in said[:MOST]:
        if isinstance(one, dict) and isinstance(quota := one.get("quotaId"), str):
            value = str(one.get("quotaValue", ""))
            known = value.isascii() and value.isdigit() and len(value) < 16
            yield Violation(quota[:200], int(value) if known else None)


def _code(value: object) -> str:
    """A code: printable, bounded; of Java's class names the last part."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        return ""
    text = str(value) if isinstance(value, str) or abs(value) < 10**18 else ""
    if text.startswith(_URI):  # of RFC 9457: an address, no word
        return ""
    return as_text(text.rpartition("#")[2], CODE_LENGTH)


def _finest(codes: list[str]) -> str:
    """The last one is the most particular; bare numbers say little."""
    for code in reversed(codes):
        if not code.isdigit() and code.lower() not in _VAGUE:
            return code
    return codes[-1] if codes else ""
