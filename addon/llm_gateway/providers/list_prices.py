"""Reads what an entry of a list of models says that the model costs.

What lives here: `listed_price`, from an entry to a `ListedPrice`. Lists write
`pricing: {prompt, completion}` or `{input, output}`, in dollars, by the token or by the
million of them, as numbers or as texts; what is `null`, negative or no number is no price.

    OpenRouter, Vercel, Kilo    by the token, as texts
    Together, Chutes            by the million
    -1                          it depends on who answers

A price is whole or it is not there: one of its two sides alone is none. What costs nothing
by the token may cost something else (pictures, sound): such a model is not free, though no
price is known for it.

What this file does not know: other members of an entry.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal
from typing import Any

from llm_gateway.domain import NANO, Price
from llm_gateway.providers.listed_models import SOURCE
from llm_gateway.providers.said_numbers import number

Pricing = Mapping[str, Any]

MILLION = 1_000_000
DEAREST = Decimal(10_000)
"""Dollars per million tokens above which a number is no price."""
CHEAPEST = Decimal("0.001")
"""Dollars. No million of tokens costs less, and no single token as much: it tells the unit
where a list does not."""
DEAREST_REQUEST = 100
"""Dollars."""

_SIDES = (("prompt", "completion"), ("input", "output"))
_PARTS = {
    "cached_input": ("input_cache_read", "cached_input"),
    "cache_write": ("input_cache_write",),
    "reasoning": ("internal_reasoning",),
}
_NO_FEES = frozenset(
    {
        *("discount", "web_search", "currency", "unit", "hourly", "base", "finetune"),
        *("prompt", "completion", "input", "output", "request"),
        *(name for names in _PARTS.values() for name in names),
    }
)
"""Members that are no fee for what a request holds: rebates, what is asked for apart."""


@dataclass(frozen=True, slots=True)
class ListedPrice:
    price: Price | None = None
    """None: it does not say, or not in a unit of ours."""
    billed: bool = False
    """It costs something that has no price here."""


NOT_SAID = ListedPrice()
BILLED = ListedPrice(billed=True)


def listed_price(entry: Mapping[str, Any], *, per_token: bool) -> ListedPrice:
    """What an entry says of its price. `per_token`: the provider's unit is known to be the
    token; else the size of the numbers tells."""
    pricing = entry.get("pricing")
    if not isinstance(pricing, Mapping):
        return NOT_SAID
    sides = next((s for s in _SIDES if set(s) <= pricing.keys()), None)
    if sides is None or (per_token and sides != _SIDES[0]):
        return NOT_SAID
    said = [number(pricing[side]) for side in sides]
    if any(one is not None and one < 0 for one in said):
        return BILLED
    amounts = [one for one in said if one is not None]
    if len(amounts) < len(sides):
        return BILLED if any(amounts) else NOT_SAID
    tokens = MILLION if per_token or max(amounts) < CHEAPEST else 1
    parts = dict(zip(("input", "output"), amounts, strict=True))
    for name, keys in _PARTS.items():
        for key in keys:
            if pricing.get(key) is not None:
                part = number(pricing[key])
                if part is None:
                    return BILLED if any(amounts) else NOT_SAID
                parts.setdefault(name, part)
    fee = number(pricing.get("request", 0))
    if fee is None or not 0 <= fee <= DEAREST_REQUEST:
        return BILLED if any(amounts) else NOT_SAID
    if any(not 0 <= part * tokens <= DEAREST for part in parts.values()):
        return BILLED
    if any(parts.values()) or fee:
        found = {name: _nano(part * tokens) for name, part in parts.items()}
        return ListedPrice(_price(found, _nano(fee)))
    if any(number(pricing[key]) for key in pricing.keys() - _NO_FEES):
        return BILLED
    if sides != _SIDES[0]:
        return NOT_SAID  # a 0 there stands for dedicated machines, billed by the hour
    return ListedPrice(_price(dict.fromkeys(parts, 0)))


def _price(parts: Mapping[str, int], request: int = 0) -> Price:
    return Price(
        parts["input"],
        parts["output"],
        parts.get("cached_input"),
        parts.get("cache_write"),
        request,
        SOURCE,
        reasoning=parts.get("reasoning"),
    )


def _nano(dollars: Decimal) -> int:
    """Nano-dollars, rounded up: what costs anything is never nothing."""
    return int((dollars * NANO).to_integral_value(ROUND_CEILING))
