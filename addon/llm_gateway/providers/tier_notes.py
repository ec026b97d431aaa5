"""What people should know of the free tiers that their configuration rests on.

    notes(catalog) -> TierNote    several keys that may be one account; tiers of which sources
                                  disagree; tiers that ended and are still configured

Whatever is said here, requests go as configured. What this file does not know: logs,
terminals, the clock.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from llm_gateway.domain import Offer
from llm_gateway.providers.catalog import Catalog
from llm_gateway.providers.free_tiers import ended_tier_of, free_tier_of, lost
from llm_gateway.providers.provider_type import ProviderType


@dataclass(frozen=True, slots=True)
class TierNote:
    provider: str
    """Its id; of several the ids, with commas."""
    text: str
    """A clause that follows the id."""
    is_warning: bool = False
    """Something is left out, or may cost money."""


def notes(catalog: Catalog) -> tuple[TierNote, ...]:
    """Each once, in the order of the configuration. The same text for as long as the reason
    is the same, whatever models come and go."""
    found = (*_shared(catalog), *_uncertain(catalog), *_ended(catalog))
    return tuple(dict.fromkeys(found))


def _row(catalog: Catalog, offer: Offer) -> ProviderType | None:
    upstream = catalog.upstreams.get((offer.provider, offer.account))
    return None if upstream is None else upstream.type_info


def _free(catalog: Catalog) -> Iterator[tuple[Offer, ProviderType]]:
    for offer in catalog.offers:
        if offer.enabled and offer.free and (row := _row(catalog, offer)) is not None:
            yield offer, row


def _shared(catalog: Catalog) -> Iterator[TierNote]:
    """Keys of a provider that counts by something that several keys may belong to."""
    rows: dict[str, ProviderType] = {}
    keys: dict[tuple[str, str], dict[tuple[str, str], None]] = {}
    for offer, row in _free(catalog):
        host = catalog.upstreams[offer.provider, offer.account].origin.host
        rows[row.type] = row
        keys.setdefault((row.type, host), {})[offer.provider, offer.account] = None
    for (type_, _), accounts in keys.items():
        fact = rows[type_].counted_by
        if fact is not None and len(accounts) > 1:
            ids = dict.fromkeys(provider for provider, _ in accounts)
            yield TierNote(
                ", ".join(ids),
                f"{len(accounts)} keys are counted as accounts of their own, but "
                f"{rows[type_].title} counts by {fact.counted_by}: keys of one "
                f"{fact.counted_by} share its limits (as of {fact.as_of})",
            )


def _uncertain(catalog: Catalog) -> Iterator[TierNote]:
    by_id = {provider.id: provider for provider in catalog.config.providers}
    for offer, row in _free(catalog):
        tier = free_tier_of(row, offer.model)
        if tier is not None and tier.uncertain and not by_id[offer.provider].free:
            yield TierNote(
                offer.provider,
                f"the free tier of {', '.join(tier.models)} is uncertain: "
                f"{tier.uncertain} (as of {tier.as_of})",
            )


def _ended(catalog: Catalog) -> Iterator[TierNote]:
    by_id = {provider.id: provider for provider in catalog.config.providers}
    for offer in catalog.offers:
        provider, row = by_id[offer.provider], _row(catalog, offer)
        if row is None:
            continue
        if not offer.enabled and offer.disabled_reason.startswith(
            why := lost(row, offer.model) or "\0"
        ):
            yield TierNote(offer.provider, f"{offer.model} is left out: {why}", True)
        elif offer.enabled and provider.free:
            tier = ended_tier_of(row, offer.model)
            if tier is not None:
                yield TierNote(
                    offer.provider,
                    f"{', '.join(tier.models)} is counted as free, as configured, but that "
                    f"free tier ended: {tier.note or 'no word why'} (as of {tier.as_of})",
                    True,
                )
