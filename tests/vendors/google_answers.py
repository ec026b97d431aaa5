"""How vendors of generateContent answer a turn of the tool loop, plain and streamed. Pure."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from .talk import (
    SUMS,
    TURN_OF,
    TURNS,
    Call,
    Move,
    arguments_of,
    pair_of,
    said_at,
    state,
)

Body = dict[str, Any]
USAGE = {"promptTokenCount": 11, "candidatesTokenCount": 7, "totalTokenCount": 18}
MAKER = "google"


@dataclass(frozen=True)
class Voice:
    name: str
    ids: bool = False
    """Calls have ids."""
    signed: bool = False
    """The first call of a turn carries a signature, and has to bring it back; one on an
    empty text ends an answer in text."""


VOICES: dict[str, Voice] = {
    v.name: v for v in (Voice("gemini-2.5"), Voice("gemini-3", ids=True, signed=True))
}


def signature(turn: int, move: Move) -> str:
    """In base64's letters, and of a length that base64 has: SDKs read it as bytes."""
    said = state(MAKER, turn, move)
    return said + "Q" * (-len(said) % 4)


def answer(voice: Voice, turn: int, move: Move, tool: str) -> Body:
    parts: list[Body]
    if turn == TURNS or turn not in SUMS or not tool:
        parts = [{"text": said_at(turn, tool)}]
        if voice.signed:
            parts.append({"text": "", "thoughtSignature": signature(turn, move)})
    else:
        parts = [_call(voice, turn, n, move, tool) for n in range(len(SUMS[turn]))]
        if voice.signed:
            parts[0]["thoughtSignature"] = signature(turn, move)
    return _chunk(parts, "STOP")


def _call(voice: Voice, turn: int, n: int, move: Move, tool: str) -> Body:
    call: Body = {"name": tool, "args": arguments_of(tool, SUMS[turn][n])}
    if voice.ids:
        call["id"] = f"{move.number:04d}{turn}{n}ab"
    return {"functionCall": call}


def _chunk(parts: list[Body], reason: str = "") -> Body:
    candidate: Body = {"content": {"role": "model", "parts": parts}, "index": 0}
    if reason:
        candidate["finishReason"] = reason
    return {"candidates": [candidate], "modelVersion": "up", "usageMetadata": USAGE}


def events(response: Body) -> Iterator[bytes]:
    """Each part is an event; a text comes in halves."""
    parts = response["candidates"][0]["content"]["parts"]
    for n, part in enumerate(parts):
        last = n + 1 == len(parts)
        text = part.get("text", "")
        pieces = [text[:5], text[5:]] if len(text) > 5 else [text]
        chunks = [{**part, "text": t} for t in pieces] if "text" in part else [part]
        for i, piece in enumerate(chunks):
            reason = "STOP" if last and i + 1 == len(chunks) else ""
            yield b"data: " + json.dumps(_chunk([piece], reason)).encode() + b"\r\n\r\n"


def turns_in(body: Body) -> list[tuple[list[Body], list[Body]]]:
    """Calls of each model turn, and the responses in the turn behind it. Contents of one
    role in a row are one turn."""
    found = []
    turns = [
        (role, [part for content in group for part in content.get("parts") or []])
        for role, group in groupby(
            body["contents"], lambda content: content.get("role", "user")
        )
    ]
    for (_, said), (_, after) in zip(turns, [*turns[1:], ("", [])], strict=True):
        if calls := [part for part in said if "functionCall" in part]:
            found.append((calls, [p for p in after if "functionResponse" in p]))
    return found


def calls_in(body: Body) -> list[tuple[list[Call], list[tuple[str, str]]]]:
    """Calls without ids are told apart by their places, and so are results."""
    found = []
    for calls, results in turns_in(body):
        made = [
            Call(part["functionCall"].get("id") or str(n), _pair(part))
            for n, part in enumerate(calls)
        ]
        places = [call.id for call in made]
        said = [
            (part["functionResponse"].get("id") or places[n], _text(part))
            for n, part in enumerate(results[: len(places)])
        ]
        found.append((made, said))
    return found


def pairs_in(body: Body) -> list[tuple[int, int]]:
    return [_pair(part) for calls, _ in turns_in(body) for part in calls]


def _pair(part: Body) -> tuple[int, int]:
    return pair_of(part["functionCall"]["args"])


def _text(part: Body) -> str:
    """Each SDK has its own member for it: `result`, `output`, `content`, `return_value`."""
    return json.dumps(part["functionResponse"]["response"])


def lost(voice: Voice, body: Body, move: Move, own: int) -> list[str]:
    """Of its own turns: the signature of the first call, if it did not come back."""
    wrong = []
    for calls, _ in turns_in(body) if voice.signed else ():
        turn = TURN_OF[_pair(calls[0])]
        told = str(calls[0].get("thoughtSignature", "")).translate(_URLSAFE)
        if move.answers(turn) == own and told != signature(turn, move):
            wrong.append(f"signature of turn {turn} came back as {told!r}")
    return wrong


_URLSAFE = str.maketrans("+/", "-_")
