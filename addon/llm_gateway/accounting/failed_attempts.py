"""Cost of failed attempts: what a request's earlier attempts cost, added to its own row.

What lives here: `FailedSpend`, what one failed attempt took by its provider's own report, and
`add_to_record`. A request costs what all of its attempts cost, whoever answered in the end;
where one of them has no price, the sum is unknown.

What this file does not know: how a failed answer is read, limits, the ledger.
"""

from collections.abc import Sequence
from dataclasses import replace

from llm_gateway.domain import RequestRecord, Usage
from llm_gateway.frozen import frozen


@frozen
class FailedSpend:
    """What one failed attempt took."""

    usage: Usage
    cost: int | None
    """Nano-dollars; None: no price covers it."""
    price_source: str | None


def add_to_record(
    record: RequestRecord, spent: Sequence[FailedSpend], *, answered: bool
) -> None:
    """Their cost on top of the answer's; where nobody answered, all that was taken is
    theirs, tokens, too."""
    if not spent:
        return
    if not answered:
        record.usage = _added([one.usage for one in spent])
        record.cost = 0
    costs = [one.cost for one in spent]
    if record.cost is None or None in costs:
        record.cost = record.price_source = record.saved = None
        return
    lost = sum(cost for cost in costs if cost is not None)
    if not record.cost:
        dearest = max(spent, key=lambda one: one.cost or 0)
        record.price_source = dearest.price_source if lost else record.price_source
        record.price_source = record.price_source or dearest.price_source
    record.cost += lost
    if record.saved is not None:
        record.saved = max(0, record.saved - lost)


def _added(usages: Sequence[Usage]) -> Usage:
    names = (
        *("input_tokens", "cached_tokens", "cache_write_tokens"),
        *("output_tokens", "reasoning_tokens"),
    )
    sums = {name: sum(getattr(usage, name) for usage in usages) for name in names}
    reported = all(usage.source == "reported" for usage in usages)
    source = "reported" if reported else "estimated"
    return replace(Usage(**sums), source=source, model=usages[-1].model)
