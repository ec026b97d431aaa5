"""API keys in environment variables: whose they are, and a configuration that uses them.

    found_keys(environment, rows) -> FoundKey   one for each provider that has a key
    odd_keys(environment, rows)   lines about values that are no keys
    entry(found)                  -> its entry in `providers`: free models, or switched off
    allowance(row)                -> what the free tier gives, a line for each group of models

A provider is found by the columns `key_variables` and `setting_variables` of its row. Keys in
the environment stay where they are: the configuration names the variable.

What this file does not know: files, the network, whether a key is good.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from pydantic import SecretStr

from llm_gateway.config.key_forms import is_key, surplus
from llm_gateway.config.models import Provider
from llm_gateway.domain import Metric, Window
from llm_gateway.frozen import frozen
from llm_gateway.providers.listed_models import cannot_choose
from llm_gateway.providers.provider_type import ProviderType
from llm_gateway.providers.published import FreePreset
from llm_gateway.providers.tool_keys import ToolKeys


@frozen
class FoundKey:
    """A provider whose key stands in the environment."""

    row: ProviderType
    variable: str
    """Where the key is taken from: of several variables the usual one."""
    others: tuple[str, ...] = ()
    """Variables of the same provider that hold another key; they are left alone."""
    missing: tuple[str, ...] = ()
    """Variables that the provider needs besides, and that are unset."""
    tool: str = ""
    """The file of a tool in which the key stands; "": the environment has it."""
    key: SecretStr | None = None
    """The key itself, where no variable holds it."""

    @property
    def place(self) -> str:
        return self.tool or self.variable

    @property
    def is_free(self) -> bool:
        """Models that cost nothing can be had with it, and are told from the others."""
        return bool(self.row.free_presets or self.row.lists_prices) and self.lists

    @property
    def lists(self) -> bool:
        """Its models can be taken from its own list."""
        return not cannot_choose(Provider.model_validate(_plain(self, "all")), self.row)


def found_keys(
    env: Mapping[str, str],
    rows: Iterable[ProviderType],
    files: Sequence[ToolKeys] = (),
) -> tuple[FoundKey, ...]:
    """Every provider with a key in the environment, or else in a file of a tool: those with
    free models first, then in the table's order. A variable that is set to nothing counts
    as unset."""
    found = []
    for row in rows:
        places = [
            (name, "", SecretStr(env[name]))
            for name in row.key_variables
            if is_key(env.get(name, ""))
        ]
        places += [
            (row.key_variables[0], file.shown, file.keys[row.key_variables[0]])
            for file in files
            if row.key_variables and row.key_variables[0] in file.keys
        ]
        if not places:
            continue
        variable, tool, key = places[0]
        found.append(
            FoundKey(
                row,
                variable,
                tuple(file or name for name, file, other in places if other != key),
                tuple(n for n in row.setting_variables.values() if not env.get(n)),
                tool,
                key if tool else None,
            )
        )
    return tuple(sorted(found, key=lambda one: not one.is_free))


def odd_keys(env: Mapping[str, str], rows: Iterable[ProviderType]) -> Iterator[str]:
    """A line for each variable whose value is no key, or has too much around it; without
    the value. One that is none would make the whole configuration wrong."""
    for row in rows:
        for name in row.key_variables:
            if not env.get(name, "").strip():
                continue
            if not is_key(env[name]):
                yield (
                    f"{name} holds no key, and is left out: a key is visible ASCII "
                    "characters on one line"
                )
            elif clause := surplus(env[name]):
                yield f"{name}: its value {clause}"


def entry(found: FoundKey) -> dict[str, Any]:
    """What stands in `providers` for it. Whatever could cost money is switched off."""
    if not found.is_free:
        return {**_plain(found, "all" if found.lists else []), "enabled": False}
    tier = {"tier": "free"} if found.row.free_presets else {}
    return {**_plain(found, "free"), **tier}


def _plain(found: FoundKey, models: Any) -> dict[str, Any]:
    settings = found.row.setting_variables.items()
    return {
        "id": found.row.type,
        "type": found.row.type,
        "apiKey": f"${{{found.variable}}}"
        if found.key is None
        else found.key.get_secret_value(),
        **{key: f"${{{name}}}" for key, name in settings},
        "models": models,
    }


# -- what it gives ----------------------------------------------------------------


def allowance(row: ProviderType) -> tuple[str, ...]:
    """What the free tier gives, most a day first: `500 requests/day, 15 requests/minute for
    each of: a*, b*`. Models that are given the same share a line."""
    groups: dict[tuple[Any, ...], list[FreePreset]] = {}
    for preset in row.free_presets:
        key = (preset.per, tuple(_sorted(preset)), preset.uncertain)
        groups.setdefault(key, []).append(preset)
    ordered = sorted(groups.values(), key=lambda group: -_a_day(group[0]))
    return tuple(map(_line, ordered))


def _line(group: list[FreePreset]) -> str:
    first = group[0]
    oldest = min(one.as_of for one in group)
    names = ", ".join(dict.fromkeys(name for one in group for name in one.models))
    whose = {
        "model": "for each of",
        "account": "together for",
        "tier": "together for",
    }[first.per]
    said = ", ".join(
        f"{n:,} {metric}/{window}" for (metric, window), n in _sorted(first)
    )
    doubt = f"; uncertain: {first.uncertain}" if first.uncertain else ""
    said = said or f"free ({first.note or 'no numbers'})"
    return f"{said} {whose} {names} (as of {oldest}{doubt})"


_ORDER = (Window.DAY, Window.MONTH, Window.HOUR, Window.MINUTE)


def _sorted(preset: FreePreset) -> list[tuple[tuple[Metric, Window], int]]:
    """Its limits, by the day first."""
    return sorted(
        preset.limits.items(), key=lambda one: (_ORDER.index(one[0][1]), one[0][0])
    )


def _a_day(preset: FreePreset) -> int:
    return preset.limits.get((Metric.REQUESTS, Window.DAY), 0)
