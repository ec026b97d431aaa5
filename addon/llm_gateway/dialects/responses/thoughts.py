"""Thoughts that a provider of Responses wants back beside calls, as reasoning items in plain text.

What was kept beside the calls is given back; of whose thoughts nothing is known, the least
that is accepted stands there.
"""

from typing import NamedTuple

from llm_gateway.adaptation.kept_state import Kept, Recall, fingerprint
from llm_gateway.dialects.responses.kept import CALLS, call_key

PLACEHOLDER = "..."


class Wanted(NamedTuple):
    """What reasoning may be put in front of calls."""

    sealed: bool
    """As it came, encrypted content and all."""
    plain: bool
    """Nothing but its text, which nobody has signed."""


def wanted_of(*, sealed: bool, plain: bool) -> Wanted | None:
    """None: no form of it would be taken."""
    return Wanted(sealed, plain) if sealed or plain else None


def with_thoughts(items: list[object], recall: Recall, wanted: Wanted) -> list[object]:
    """Each run of calls has reasoning in front; the very list where nothing is missing."""
    made: list[object] = []
    seen: dict[tuple[str, bytes], int] = {}
    run: list[object] = []
    has_thoughts = False
    for item in [*items, None]:
        kind = item.get("type") if isinstance(item, dict) else None
        if kind in CALLS:
            run.append(item)
            continue
        if run:
            kept = [_recalled(call, seen, recall) for call in run]
            if not has_thoughts:
                made += _thoughts(kept, wanted)
            made += run
            run = []
        made.append(item)
        has_thoughts = kind == "reasoning" and is_told(item)
    made.pop()
    return items if len(made) == len(items) else made


def _recalled(
    item: object, seen: dict[tuple[str, bytes], int], recall: Recall
) -> Kept | None:
    """What was kept beside the n-th such call."""
    assert isinstance(item, dict)
    call = call_key(item)
    which = call.id, fingerprint(call.name, call.arguments)
    n = seen.get(which, 0)
    seen[which] = n + 1
    return recall(call, n)


def _thoughts(kept: list[Kept | None], wanted: Wanted) -> list[object]:
    for one in kept:
        if one is None:
            continue
        own = one.opaque if isinstance(one.opaque, list) else []
        told = [item for item in own if is_told(item)]
        if not wanted.plain:
            told = [item for item in told if item.get("encrypted_content")]
        if told and wanted.sealed:
            return told
        if one.thoughts and wanted.plain:
            return [_plain(one.thoughts)]
    return [_plain(PLACEHOLDER)] if wanted.plain else []


def is_told(item: object) -> bool:
    """It says something in plain words."""
    return isinstance(item, dict) and bool(item.get("content") or item.get("summary"))


def _plain(text: str) -> object:
    part = {"type": "reasoning_text", "text": text}
    return {"type": "reasoning", "summary": [], "content": [part]}
