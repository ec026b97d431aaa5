"""The live page's JSON in parts: whole, or what changed since an earlier answer.

A snapshot of hundreds of models is hundreds of kilobytes, of which a second changes little.
So each part (a member of the snapshot, a provider, a model) is kept as text, and whoever
says which answer it has is sent the parts that are others since.

    whole   {"tag", "now", "gateway", ..., "providers": [{..., "models": [...]}]}
    change  {"since", "tag", "now", "gateway", the members that changed,
             "changed": {"providers": [[n, provider]], "models": [[n, m, model]]}}

What this file does not know: SQL, HTTP, clocks.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

Json = dict[str, Any]

HEAD = ("now", "gateway")
"""Members that are sent each time."""
EARLIER = 3
"""Answers before the newest from which changes can be told."""


@dataclass(frozen=True, slots=True)
class Part:
    """A value and its text. One whose value is the same object is not written again."""

    value: object
    text: str


@dataclass(frozen=True, slots=True)
class Parts:
    tag: str
    members: Mapping[str, Part]
    providers: Sequence[Part]
    """Without their models."""
    models: Sequence[Sequence[Part]]
    """Per provider."""
    shape: object
    """Which providers and models: changes are told only between answers of one shape."""

    def whole(self, head: str) -> str:
        members = "".join(f',"{k}":{part.text}' for k, part in self.members.items())
        providers = ",".join(
            f'{provider.text[:-1]},"models":[{",".join(m.text for m in models)}]}}'
            for provider, models in zip(self.providers, self.models, strict=True)
        )
        return f'{{"tag":"{self.tag}",{head}{members},"providers":[{providers}]}}'

    def since(self, earlier: "Parts", head: str) -> str:
        """What is to be put into `earlier` to get this. Both are of one shape."""
        members = "".join(
            f',"{k}":{part.text}'
            for k, part in self.members.items()
            if part.text != earlier.members[k].text
        )
        providers = [
            f"[{n},{part.text}]"
            for n, part in _others(self.providers, earlier.providers)
        ]
        models = [
            f"[{n},{m},{part.text}]"
            for n, (mine, before) in enumerate(
                zip(self.models, earlier.models, strict=True)
            )
            for m, part in _others(mine, before)
        ]
        changed = ""
        if providers or models:
            changed = (
                f',"changed":{{"providers":[{",".join(providers)}],'
                f'"models":[{",".join(models)}]}}'
            )
        return (
            f'{{"since":"{earlier.tag}","tag":"{self.tag}",{head}{members}{changed}}}'
        )


def parts(snapshot: Json, before: Parts | None, tag: str) -> Parts:
    """The parts of a snapshot; `before` itself when every text is as it was."""
    known = before.members if before else {}
    members = {
        name: _part(value, known.get(name))
        for name, value in snapshot.items()
        if name not in HEAD and name != "providers"
    }
    listed = snapshot["providers"]
    shape = [(one["id"], [m["model"] for m in one["models"]]) for one in listed]
    alike = before if before is not None and before.shape == shape else None
    providers = [
        _part({k: v for k, v in one.items() if k != "models"}, None) for one in listed
    ]
    models = [
        [
            _part(model, earlier)
            for model, earlier in zip_longest(
                one["models"], alike.models[n] if alike else ()
            )
        ]
        for n, one in enumerate(listed)
    ]
    made = Parts(tag, members, providers, models, shape)
    return alike if alike is not None and _same(made, alike) else made


def head_text(now: float, gateway: Json | None) -> str:
    return f'"now":{json.dumps(now)},"gateway":{json.dumps(gateway)}'


def _part(value: object, before: Part | None) -> Part:
    if before is not None and before.value is value:
        return before
    return Part(value, json.dumps(value, separators=(",", ":")))


def _others(mine: Sequence[Part], before: Sequence[Part]) -> Iterator[tuple[int, Part]]:
    for n, (part, earlier) in enumerate(zip(mine, before, strict=True)):
        if part is not earlier and part.text != earlier.text:
            yield n, part


def _same(a: Parts, b: Parts) -> bool:
    return (
        a.members.keys() == b.members.keys()
        and all(part.text == b.members[k].text for k, part in a.members.items())
        and not any(_others(a.providers, b.providers))
        and not any(
            any(_others(mine, before))
            for mine, before in zip(a.models, b.models, strict=True)
        )
    )
