"""What providers said to one member, passed on to the others.

What lives here: limits that headers and refusals taught, cooldowns and disabled accounts,
to JSON and back. Keys of offers become names of accounts, moments the server's time.
Circuits that connection failures opened stay each member's own: its way to the provider
may be another. What it does not know: connections.
"""

import json
from collections.abc import Iterator, Sequence
from typing import Any

from llm_gateway.cluster.names import Names
from llm_gateway.domain import Metric, Reset, Window
from llm_gateway.frozen import frozen
from llm_gateway.limits.values import LimitObservation, Scope

Key = tuple[str, ...]
LONGEST = 4096
"""Characters of a word that is believed."""


@frozen
class Rest:
    """An offer, or a whole account, is not to be asked until then."""

    key: Key
    until: float
    state: str
    reason: str


@frozen
class Observed:
    """What a provider said of its limits, for an attempt that counts in these scopes."""

    scopes: tuple[Scope, ...]
    words: tuple[LimitObservation, ...]


def rest_word(rest: Rest, names: Names, offset: float) -> str | None:
    """None: of an account that has no name."""
    account = names.accounts.get((rest.key[0], rest.key[1]))
    if account is None:
        return None
    return json.dumps(
        {
            "rest": [account, *rest.key[2:]],
            "until": rest.until + offset,
            "state": rest.state,
            "reason": rest.reason[:200],
        }
    )


def observed_word(
    words: Sequence[LimitObservation],
    scopes: Sequence[Scope],
    names: Names,
    offset: float,
) -> str | None:
    """None: nothing that another member could use."""
    told = [scope for scope in scopes if scope[0] in ("provider", "model", "tier")]
    try:
        named = [names.scope(scope) for scope in told]
    except KeyError:
        return None
    return json.dumps(
        {
            "scopes": named,
            "words": [
                {
                    "metric": word.metric.value,
                    "window": word.window.value,
                    "at": word.at + offset,
                    "limit": word.limit,
                    "remaining": word.remaining,
                    "resets_at": None
                    if word.resets_at is None
                    else word.resets_at + offset,
                    "source": word.source,
                    "scope": word.scope,
                    "continuous_refill": word.continuous_refill,
                    "remaining_only": word.remaining_only,
                    "reset": None
                    if word.reset is None
                    else [word.reset.hour, word.reset.minute, word.reset.zone],
                }
                for word in words
            ],
        }
    )


def read_word(text: str, names: Names, offset: float) -> Iterator[Rest | Observed]:
    """What another member passed on, in this one's terms; nothing where it has no such
    account, or cannot read it."""
    if len(text) > LONGEST:
        return
    try:
        said = json.loads(text)
        if "rest" in said:
            yield from _rests(said, names, offset)
        elif "scopes" in said:
            yield from _observed(said, names, offset)
    except (ValueError, TypeError, KeyError, AttributeError):
        return


def _rests(said: dict[str, Any], names: Names, offset: float) -> Iterator[Rest]:
    account, *more = said["rest"]
    for key, name in names.accounts.items():
        if name == account:
            until = float(said["until"]) - offset
            yield Rest((*key, *more), until, str(said["state"]), str(said["reason"]))


def _observed(said: dict[str, Any], names: Names, offset: float) -> Iterator[Observed]:
    scopes = tuple(
        own for name in said["scopes"] for own in names.scopes.get(name, ())[:1]
    )
    if not scopes:
        return
    words = []
    for word in said["words"]:
        reset, resets_at = word["reset"], word["resets_at"]
        words.append(
            LimitObservation(
                Metric(word["metric"]),
                Window(word["window"]),
                float(word["at"]) - offset,
                word["limit"],
                word["remaining"],
                None if resets_at is None else float(resets_at) - offset,
                word["source"],
                word["scope"],
                word["continuous_refill"],
                word["remaining_only"],
                None if reset is None else Reset(*reset),
            )
        )
    yield Observed(scopes, tuple(words))
