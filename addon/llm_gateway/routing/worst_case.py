"""What one request may take from limits and money, before it is known.

What lives here: the worst case of a request at one offer: its price under the tariff
that it asks for, every class of tokens and fee that it may be billed for, and how far
`max_tokens` has to come down for a sum to hold it.

What this file does not know: windows, what is used, who is asked.
"""

from llm_gateway.accounting import prices
from llm_gateway.dialects import SPECS
from llm_gateway.dialects.prompt_size import PER_AUDIO
from llm_gateway.domain import Offer, Price, RequestInfo, Usage
from llm_gateway.providers.paid_extras import NO_EXTRAS, Extras, weighed
from llm_gateway.providers.registry import TYPES


def extras_of(offer: Offer, ask: RequestInfo) -> Extras:
    """What the request's extras come to at this offer's provider."""
    if not ask.extras:
        return NO_EXTRAS
    row = TYPES[offer.type]
    if row.local:  # nobody sends a bill for what runs on the user's own machine
        return NO_EXTRAS
    return weighed(ask.extras, row.paid, row.unpaid)


def price_of(offer: Offer, ask: RequestInfo, now: float) -> Price | None:
    """What this request's tokens cost there; None: unknown.

    A free offer has no price for a request that asks for a paid extra.
    """
    if not ask.extras:
        return offer.price
    extras = extras_of(offer, ask)
    if offer.zero_cost:
        return None if extras.fees else offer.price
    tariff = tuple(fee.tariff for fee in extras.fees if fee.tariff is not None)
    if not tariff:
        return offer.price
    if offer.price is None or offer.price.source != "genai-prices":
        return None
    return prices.find_price(offer.genai, offer.model, now, tariff)


def worst_cost(
    ask: RequestInfo, offer: Offer, price: Price, tokens_in: int, tokens_out: int
) -> int | None:
    """Nano-dollars if all goes the dearest way; None: `price` does not cover it all."""
    if not ask.extras:
        return prices.cost(
            Usage(input_tokens=tokens_in, output_tokens=tokens_out), price
        )
    classes: list[tuple[str, int]] = []
    fresh, written = tokens_in, 0
    for extra in ask.extras:
        if extra.member == "content" and extra.word == "audio":
            sound = min(tokens_in, extra.times * PER_AUDIO)
            classes.append(("input_audio", sound))
        elif extra.member == "modalities" and extra.word == "audio":
            classes.append(("output_audio", tokens_out))
        elif extra.member == "cache_control" and (price.cache_write or 0) > price.input:
            fresh, written = 0, tokens_in
            if extra.word == "1h":
                classes.append(("cache_write_1h", tokens_in))
    if any(name == "input_audio" for name, _ in classes):
        fresh, written = tokens_in, 0
        classes = [c for c in classes if c[0] != "cache_write_1h"]
    for fee in extras_of(offer, ask).fees:
        if fee.tariff is None:
            if not fee.billed_as:
                return None
            classes.append((fee.billed_as, fee.times))
    usage = Usage(
        input_tokens=fresh,
        cache_write_tokens=written,
        output_tokens=tokens_out,
        classes=tuple(classes),
    )
    return prices.cost(usage, price)


def most_output(ask: RequestInfo, known: int | None) -> int | None:
    """What `max_tokens` comes down to where the model takes no more than `known`.

    None: it stays as it is, also where all of it would be for thinking.
    """
    asked = ask.max_tokens
    if asked is None or known is None or asked <= known:
        return None
    return known if known > ask.thinking_budget else None


def affordable(
    ask: RequestInfo,
    offer: Offer,
    price: Price,
    *,
    tokens_in: int,
    most: int,
    room: int,
) -> int | None:
    """The most tokens of an answer, up to `most`, whose worst cost is within `room`.

    None: not even a prompt without an answer is, or what it costs is not known.
    """
    low, high = 0, most
    nothing = worst_cost(ask, offer, price, tokens_in, 0)
    if nothing is None or nothing > room:
        return None
    while low < high:
        middle = (low + high + 1) // 2
        cost = worst_cost(ask, offer, price, tokens_in, middle * ask.n)
        if cost is not None and cost <= room:
            low = middle
        else:
            high = middle - 1
    return low


def least_output(ask: RequestInfo, usual: int) -> int:
    """Below this an answer is not worth its prompt: what the model usually needs, and
    more than is set aside for thinking."""
    return max(usual, ask.thinking_budget + 1, SPECS[ask.dialect].least_output)
