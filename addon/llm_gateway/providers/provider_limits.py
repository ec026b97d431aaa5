"""What a provider allows: limits from the config and from known free tiers.

What lives here: the limits of one account and of one model, and `tier: "free"`. The
config overrides a preset key by key (`requestsPerDay` on the provider or on the model
replaces the preset's); days and months begin when the config says, else when the type
is known to.

What this file does not know: what is used up, prices, keys, addresses.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from llm_gateway.config.models import Model, Provider
from llm_gateway.config.problems import UnlocatedProblem
from llm_gateway.domain import Limit, Metric, Reset, Window
from llm_gateway.providers.free_tiers import (
    free_tier_of,
    had_free_tier,
    lost,
    preset_for,
)
from llm_gateway.providers.provider_type import ProviderType
from llm_gateway.providers.published import FreePreset


@dataclass(frozen=True, slots=True)
class FreeTierLimits:
    """Which models of a provider are on its free tier."""

    presets: tuple[FreePreset, ...] = ()
    complaints: tuple[UnlocatedProblem, ...] = ()
    lost: Mapping[str, str] = field(default_factory=dict)
    """Models that were on it -> why they are no longer. They are not asked: nobody said
    that they may cost something."""

    def of(self, model: Model) -> FreePreset | None:
        return preset_for(self.presets, model.name)


def free_tier_limits(provider: Provider, row: ProviderType) -> FreeTierLimits:
    """What `tier: "free"` means for this provider; nothing without it."""
    if provider.tier is None:
        return FreeTierLimits()
    if not had_free_tier(row):
        return FreeTierLimits(
            complaints=(
                UnlocatedProblem(
                    ("tier",),
                    f'"free" is not known for {row.title}: no lasting free tier is '
                    'published; leave tier out, and write "free": true with limits of '
                    "your own if your account has one",
                ),
            )
        )
    gone = {
        model.name: f"{why}; move the model to a provider without tier to pay for it"
        for _, model in provider.own_models
        if (why := lost(row, model.name))
    }
    unknown = tuple(
        UnlocatedProblem(
            ("models", index, "name"),
            f'"{model.name}" is not known to be on the free tier of {row.title} (it has '
            f"{_names(row)}); move the model to a provider without tier",
        )
        for index, model in provider.own_models
        if model.name not in gone and free_tier_of(row, model.name) is None
    )
    return FreeTierLimits((*row.free_presets, *row.ended_tiers), unknown, gone)


def shared_limits(
    provider: Provider, row: ProviderType, account: str
) -> tuple[Limit, ...]:
    """The limits of an account over all its models, as the config gives them."""
    return tuple(
        Limit(
            ("provider", provider.id, account),
            metric,
            window,
            amount,
            reset=_reset(provider, row, window),
        )
        for metric, window, amount in provider.limits.amounts()
    )


def limits_of(
    provider: Provider,
    row: ProviderType,
    account: str,
    model: Model,
    preset: FreePreset | None,
) -> tuple[Limit, ...]:
    """The limits of one model, and those of its free tier that the config leaves."""
    own = tuple(
        Limit(
            ("model", provider.id, account, model.name),
            metric,
            window,
            amount,
            reset=_reset(provider, row, window),
        )
        for metric, window, amount in model.limits.amounts()
    )
    if preset is None:
        return own
    said = {(m, w) for m, w, _ in (*provider.limits.amounts(), *model.limits.amounts())}
    return (*own, *_preset_limits(provider, row, account, model, preset, said))


def _preset_limits(
    provider: Provider,
    row: ProviderType,
    account: str,
    model: Model,
    preset: FreePreset,
    said: set[tuple[Metric, Window]],
) -> Iterator[Limit]:
    match preset.per:
        case "model":
            scope: tuple[str, ...] = ("model", provider.id, account, model.name)
        case "account":
            scope = ("provider", provider.id, account)
        case "tier":
            scope = ("tier", provider.id, account, ":free")
    for (metric, window), amount in preset.limits.items():
        if (metric, window) not in said:
            yield Limit(
                scope,
                metric,
                window,
                amount,
                reset=_reset(provider, row, window),
                source="preset",
                as_of=preset.as_of,
            )


def _reset(provider: Provider, row: ProviderType, window: Window) -> Reset | None:
    match window:
        case Window.DAY:
            return provider.resets.day or row.day
        case Window.MONTH:
            return provider.resets.month or row.month
        case _:
            return None


def _names(row: ProviderType) -> str:
    names = [name for preset in row.free_presets for name in preset.models]
    return ", ".join(names[:6])
