"""What an extra of a request means to one provider: who answers, and what it adds.

What lives here: `Paid`, the column of a provider's row that names a member with a fee,
the rows that hold wherever a provider says nothing else, and `weighed`, which turns a
request's extras into what is taken out and what is asked for on top.

    dialects.extras: body -> Extra…      here: Extra… x row -> Extras      routing decides

What this file does not know: prices in dollars, offers, limits.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeVar

from llm_gateway.dialects.extras import NO_TEXT, TOO_MANY
from llm_gateway.domain import Extra

REDIRECTS = frozenset({"models", "fallbacks", "route", "preset"})
"""Members that let another model answer. The gateway is the fallback: towards an offer
that costs nothing they are taken out, whoever the provider is (most know none of them)."""


@dataclass(frozen=True, slots=True)
class Paid:
    """A member of the body with which a request costs more than its tokens."""

    member: str
    what: str
    """As people call it; `{word}` is the value that asks for it."""
    words: tuple[str, ...] = ("*",)
    """Values that it is about, `*` is a wildcard."""
    billed_as: str = ""
    """The row of `prices.CLASSES` that its price is found under; "": no price is known
    before the answer."""
    tariff: bool = False
    """It changes the price of every token."""
    source: str = ""
    """Who says so, as of when; "": the row's own source."""


@dataclass(frozen=True, slots=True)
class Unpaid:
    """Values of a member that cost nothing at one provider, by its documentation."""

    member: str
    words: tuple[str, ...]
    source: str


@dataclass(frozen=True, slots=True)
class Fee:
    """One extra that has to be paid for."""

    what: str
    billed_as: str
    times: int
    tariff: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Extras:
    """What a request's extras come to at one provider."""

    redirects: frozenset[str] = frozenset()
    fees: tuple[Fee, ...] = ()

    @property
    def why(self) -> str:
        """`web search, service tier priority`."""
        return ", ".join(dict.fromkeys(fee.what for fee in self.fees))


NO_EXTRAS = Extras()

CLIENT_TOOLS = Unpaid(
    "tools",
    (
        "function",
        "custom",
        "namespace",
        "tool_search*",
        "local_shell",
        "apply_patch",
        "bash_*",
        "text_editor_*",
        "memory_*",
        "computer_20*",
        "computer_use*",
        "computer",
        "mcp",
        "mcp_toolset",
        "web_fetch_*",
    ),
    "run by the client, or listed without a charge: platform.claude.com, tool use; "
    "OpenAI's tools guide (2026-10)",
)
USUAL_TIERS = Unpaid(
    "service_tier",
    ("", "auto", "default", "standard", "standard_only", "on_demand", "flex"),
    "OpenAI's, Anthropic's and Groq's API references (2026-10)",
)

EVERYWHERE: tuple[Paid, ...] = (
    Paid("tools", "web search", ("*web_search*", "*search_preview*"), "web_search"),
    Paid(
        "tools",
        "web search",
        ("*google_search*", "*browser_search*", "*x_search*", "*$web_search*"),
    ),
    Paid("tools", "file search", ("file_search*",), "file_search"),
    Paid("tools", "server tool {word}"),
    Paid("web_search_options", "web search"),
    Paid("search_parameters", "live search"),
    Paid("search_settings", "web search"),
    Paid("enable_search", "web search"),
    Paid("enable_code_interpreter", "code interpreter"),
    Paid("web_search", "web search"),
    Paid("connectors", "connectors"),
    Paid("plugins", "web search", ("web",)),
    Paid("plugins", "reading files", ("file-parser",)),
    Paid("plugins", "plugin {word}"),
    Paid("prompt", "a stored prompt"),
    Paid("service_tier", "service tier {word}", tariff=True),
    Paid("speed", "speed {word}", ("fast*", NO_TEXT), tariff=True),
    Paid("inference_geo", "region {word}", ("us*", "eu*", NO_TEXT), tariff=True),
    Paid(TOO_MANY.member, "more extras than are told apart"),
)
"""What costs something with whoever documents it. Where nobody has it, a member is
unknown, and a request with it is refused or served without."""
UNPAID_EVERYWHERE: tuple[Unpaid, ...] = (CLIENT_TOOLS, USUAL_TIERS)


@lru_cache(maxsize=1024)
def weighed(
    extras: tuple[Extra, ...], paid: tuple[Paid, ...], unpaid: tuple[Unpaid, ...]
) -> Extras:
    """What they come to where a row has `paid` and `unpaid`; the first match holds."""
    fees = []
    for extra in extras:
        found = _first(paid, extra)
        if found is None:
            if _first((*unpaid, *UNPAID_EVERYWHERE), extra) is not None:
                continue
            found = _first(EVERYWHERE, extra)
        if found is not None:
            what = found.what.replace("{word}", extra.word or extra.member)
            tariff = (extra.member, extra.word) if found.tariff else None
            fees.append(Fee(what, found.billed_as, extra.times, tariff))
    redirects = REDIRECTS.intersection(extra.member for extra in extras)
    return Extras(redirects, tuple(fees))


Rule = TypeVar("Rule", Paid, Unpaid)


def _first(rules: Sequence[Rule], extra: Extra) -> Rule | None:
    return next(
        (r for r in rules if r.member == extra.member and _any(r.words, extra.word)),
        None,
    )


def _any(words: Sequence[str], word: str) -> bool:
    return any(_pattern(known).fullmatch(word) for known in words)


@lru_cache(maxsize=512)
def _pattern(word: str) -> re.Pattern[str]:
    return re.compile(".*".join(map(re.escape, word.split("*"))), re.DOTALL)
