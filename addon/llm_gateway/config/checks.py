"""What several keys say together: contradictions, things left out, oddities.

What lives here: checks on the plain data (references already replaced), so that they
run beside pydantic's and all mistakes show at once; they step over whatever has the
wrong type, because pydantic says so. `find_errors` stop a config, `find_warnings` are warned
of. What this file does not know: files, positions, what a type's row says.
"""

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from llm_gateway.config.introspection import is_secret
from llm_gateway.config.provider_types import LOCAL_TYPES

from .jsonc import Path, show
from .key_forms import surplus
from .masks import is_mask
from .problems import UnlocatedProblem
from .urls import parse_base_url

_NEEDED: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "custom": (("baseURL",),),
    "openai-compatible": (("baseURL",),),
    "azure": (("resourceName",), ("baseURL",)),
    "bedrock": (("region",), ("baseURL",)),
    "cloudflare": (("accountId",), ("baseURL",)),
    "google-vertex": (("project", "location"), ("baseURL",)),
}
"""Type → the sets of keys of which one has to be there."""

_OWN_KEYS: Mapping[str, frozenset[str]] = {
    "resourceName": frozenset({"azure"}),
    "deploymentName": frozenset({"azure"}),
    "apiVersion": frozenset({"azure"}),
    "region": frozenset({"bedrock"}),
    "project": frozenset({"google-vertex"}),
    "location": frozenset({"google-vertex"}),
    "accessToken": frozenset({"google-vertex"}),
    "accessTokenFile": frozenset({"google-vertex"}),
    "accountId": frozenset({"cloudflare"}),
    "oauthToken": frozenset({"copilot"}),
    "simulator": frozenset({"simulator"}),
}
"""Keys that only some types read."""

_KEYS_ELSEWHERE = LOCAL_TYPES | {"copilot", "google-vertex", "simulator"}
"""Types that work without `apiKey`, or have another key for it."""


def _objects(data: Any, key: str) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """The objects in the list at a key, with their positions."""
    if isinstance(data, Mapping) and isinstance(data.get(key), list):
        for index, item in enumerate(data[key]):
            if isinstance(item, Mapping):
                yield index, item


def _texts(data: Mapping[str, Any], key: str) -> list[tuple[int, str]]:
    given = data.get(key)
    return [
        (index, item)
        for index, item in enumerate(given if isinstance(given, list) else ())
        if isinstance(item, str)
    ]


def _quoted(text: str) -> str:
    return f'"{text}"'


def _unique(
    data: Any, section: str, key: str, above: Path = (), hint: str = "every one needs its own"
) -> Iterator[UnlocatedProblem]:  # fmt: skip
    seen: dict[str, int] = {}
    for index, item in _objects(data, section):
        value = item.get(key)
        if not isinstance(value, str):
            continue
        path = (*above, section, index, key)
        if value in seen:
            what = "the value" if is_secret(path) else _quoted(value)
            first = show((*above, section, seen[value]))
            yield UnlocatedProblem(path, f"{what} is that of {first} too; {hint}")
        seen.setdefault(value, index)


def _provider(
    path: Path, item: Mapping[str, Any], skip: bool
) -> Iterator[UnlocatedProblem]:
    kind = item.get("type")
    if "apiKey" in item and "apiKeys" in item:
        yield UnlocatedProblem(
            (*path, "apiKeys"),
            "stands beside apiKey; put all keys into apiKeys and leave apiKey out",
            on_key=True,
        )
    seen: dict[str, int] = {}
    for index, key in _texts(item, "apiKeys"):
        if key in seen:
            yield UnlocatedProblem(
                (*path, "apiKeys", index),
                f"the value is that of {show((*path, 'apiKeys', seen[key]))} too; "
                "one account would be counted twice, leave one out",
            )
        seen.setdefault(key, index)
    yield from _unique(
        item, "models", "name", path, "list it once and put more names into aliases"
    )
    needed = _NEEDED.get(kind, ()) if isinstance(kind, str) else ()
    if needed and not skip and not any(set(keys) <= set(item) for keys in needed):
        ways = " or ".join(" and ".join(map(_quoted, keys)) for keys in needed)
        yield UnlocatedProblem(path, f'type "{kind}" needs {ways}; write it')
    yield from _address(path, item, kind)


def _address(
    path: Path, item: Mapping[str, Any], kind: Any
) -> Iterator[UnlocatedProblem]:
    url = item.get("baseURL")
    if not isinstance(url, str) or kind in LOCAL_TYPES:
        return
    try:
        parse_base_url(url, allow_private_http=True)
    except ValueError:
        return  # pydantic's check says so
    try:
        parse_base_url(url)
    except ValueError as reason:
        yield UnlocatedProblem((*path, "baseURL"), f"the address {reason}")


def _masked(data: Any, path: Path = ()) -> Iterator[UnlocatedProblem]:
    if isinstance(data, Mapping):
        for key, value in data.items():
            yield from _masked(value, (*path, key))
    elif isinstance(data, list):
        for index, value in enumerate(data):
            yield from _masked(value, (*path, index))
    elif isinstance(data, str) and is_mask(data) and is_secret(path):
        yield UnlocatedProblem(path, "is a masked secret; write the secret itself")


def find_errors(data: Any, skipped: Collection[int]) -> Iterator[UnlocatedProblem]:
    """What stops a config. `skipped`: positions of providers that miss a variable."""
    yield from _masked(data)
    yield from _unique(data, "providers", "id")
    yield from _unique(data, "clients", "name")
    yield from _unique(data, "clients", "key")
    for index, item in _objects(data, "providers"):
        yield from _provider(("providers", index), item, index in skipped)


def _odd_model(path: Path, item: Mapping[str, Any]) -> Iterator[UnlocatedProblem]:
    for key in ("name", "mappedName"):
        if "*" in str(item.get(key, "")):
            yield UnlocatedProblem(
                (*path, key), "the * in it is no wildcard; use aliases"
            )
    prices = item.get("pricing")
    if not isinstance(prices, Mapping):
        return
    if not prices:
        yield UnlocatedProblem((*path, "pricing"), "is empty, so the price is unknown")
    paid = prices.get("inputCostPerMillionTokens")
    if (
        paid
        and "outputCostPerMillionTokens" not in prices
        and "embed" not in str(item.get("name")).lower()
    ):
        yield UnlocatedProblem(
            (*path, "pricing"),
            "has no outputCostPerMillionTokens, so answers count as free",
        )


def _odd_provider(path: Path, item: Mapping[str, Any]) -> Iterator[UnlocatedProblem]:
    kind = item.get("type")
    for key, kinds in _OWN_KEYS.items():
        if key in item and kind not in kinds:
            yield UnlocatedProblem(
                (*path, key), f'type "{kind}" does not use it', on_key=True
            )
    if kind == "copilot" and ("apiKey" in item or "apiKeys" in item):
        yield UnlocatedProblem(path, 'type "copilot" uses oauthToken, not apiKey')
    if (
        isinstance(kind, str)
        and kind not in _KEYS_ELSEWHERE
        and not {"apiKey", "apiKeys", "headers"} & set(item)
    ):
        yield UnlocatedProblem(
            path, f'no apiKey; type "{kind}" will refuse every request'
        )
    yield from _odd_keys(path, item, f'provider "{item.get("id")}"')
    if not item.get("models"):
        yield UnlocatedProblem(path, "no models, so it is never chosen")
    if item.get("exclude") and not _lists(item.get("models")):
        yield UnlocatedProblem(
            (*path, "exclude"),
            'does nothing: models takes nothing from the provider\'s list; write "free", '
            '"all" or names with * there',
        )
    for index, model in _objects(item, "models"):
        yield from _odd_model((*path, "models", index), model)


def _lists(models: Any) -> bool:
    """Whether something of the provider's own list is wanted."""
    return isinstance(models, str) or any(
        isinstance(model, str) for model in models or ()
    )


def _odd_keys(
    path: Path, item: Mapping[str, Any], who: str
) -> Iterator[UnlocatedProblem]:
    for key in ("apiKey", "oauthToken", "accessToken", "key"):
        if isinstance(item.get(key), str) and (clause := surplus(item[key])):
            yield UnlocatedProblem((*path, key), f"the key of {who} {clause}")
    for index, text in _texts(item, "apiKeys"):
        if clause := surplus(text):
            yield UnlocatedProblem(
                (*path, "apiKeys", index), f"the key of {who} {clause}"
            )


_LOOSER = {"free-only": 0, "free-first": 1, "any": 2}


def find_warnings(
    data: Mapping[str, Any], skipped: Collection[int]
) -> Iterator[UnlocatedProblem]:
    """What is accepted but probably not meant. For data without mistakes."""
    if not data.get("providers"):
        yield UnlocatedProblem((), "no providers, so every model is unknown")
    for index, item in _objects(data, "providers"):
        if index not in skipped and item.get("enabled") is not False:
            yield from _odd_provider(("providers", index), item)
    routing = data.get("routing", {})
    policy = routing.get("policy", "free-first")
    for index, item in _objects(data, "clients"):
        yield from _odd_keys(("clients", index), item, f'client "{item.get("name")}"')
        if _LOOSER.get(str(item.get("policy")), 0) > _LOOSER.get(policy, 0):
            yield UnlocatedProblem(
                ("clients", index, "policy"),
                f'does nothing: routing.policy "{policy}" is tighter',
            )
    for key in ("unknownModel", "exhausted"):
        if policy == "free-only" and routing.get(key) == "passthrough":
            yield UnlocatedProblem(
                ("routing", key),
                "lets requests pass with the app's own key, which may cost money "
                'although policy is "free-only"',
            )
