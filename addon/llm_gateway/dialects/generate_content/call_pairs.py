"""Calls and responses of a generateContent history: each call meets one response behind it.

    tools:paired    calls without a response, and responses without a call, go

Google refuses a turn whose numbers of calls and responses differ; apps that take up an old
session send some of them twice. A response meets the first open call of its id; where one of
them has none, of its name. Pure.
"""

from collections import defaultdict, deque
from itertools import groupby
from typing import NamedTuple

from llm_gateway.dialects.generate_content.members import (
    Json,
    member,
    object_in,
    objects_in,
    role_in,
    text_in,
)


class _Named(NamedTuple):
    id: str
    name: str


def paired(contents: list[object]) -> list[object]:
    """Contents of a role in a row are one turn; calls of the last one may still wait. The
    very list where all is as it should be."""
    turns = [
        (is_model, list(group))
        for is_model, group in groupby(contents, lambda c: role_in(c) == "model")
    ]
    made: list[object] = []
    for at, (is_model, turn) in enumerate(turns):
        if is_model:
            waits = at + 1 == len(turns)
            behind = [] if waits else turns[at + 1][1]
            met = None if waits else _met(turn, behind)[0]
            made += _without(turn, "functionCall", met)
        else:
            before = turns[at - 1][1] if at else []
            made += _without(turn, "functionResponse", _met(before, turn)[1])
    same = len(made) == len(contents) and all(
        a is b for a, b in zip(made, contents, strict=True)
    )
    return contents if same else made


def _met(calling: list[object], answering: list[object]) -> tuple[set[int], set[int]]:
    """Which of the calls of a turn, and which of the responses of the next, are a pair."""
    waiting: defaultdict[tuple[str, str], deque[int]] = defaultdict(deque)
    for at, call in enumerate(_named(calling, "functionCall")):
        waiting["id" if call.id else "no id", call.id or call.name].append(at)
        waiting["name", call.name].append(at)
    calls: set[int] = set()
    responses: set[int] = set()
    for n, response in enumerate(_named(answering, "functionResponse")):
        looked_for = [("name", response.name)]
        if response.id:
            looked_for = [("id", response.id), ("no id", response.name)]
        found = [
            first
            for key in looked_for
            if (first := _first(waiting[key], calls)) is not None
        ]
        if found:
            calls.add(min(found))
            responses.add(n)
    return calls, responses


def _first(waiting: deque[int], met: set[int]) -> int | None:
    """The first that has met nobody."""
    while waiting and waiting[0] in met:
        waiting.popleft()
    return waiting[0] if waiting else None


def _named(turn: list[object], kind: str) -> list[_Named]:
    return [
        _Named(text_in(held, "id"), text_in(held, "name"))
        for content in turn
        for part in objects_in(content, "parts")
        if (held := _held(part, kind)) is not None
    ]


def _held(part: Json, kind: str) -> Json | None:
    return object_in(part, kind) if member(part, kind) is not None else None


def _without(turn: list[object], kind: str, met: set[int] | None) -> list[object]:
    """The turn's contents with those parts of a kind alone that are numbered in `met`;
    None: all of them. A content that held nothing else goes."""
    made: list[object] = []
    n = -1
    for content in turn:
        kept = []
        parts = objects_in(content, "parts")
        for part in parts:
            if _held(part, kind) is not None:
                n += 1
                if met is not None and n not in met:
                    continue
            kept.append(part)
        if len(kept) == len(parts):
            made.append(content)
        elif kept and isinstance(content, dict):
            made.append({**content, "parts": kept})
    return made
