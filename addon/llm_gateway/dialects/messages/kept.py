"""Anthropic Messages answers and history: tool_use blocks with the thinking blocks before them."""

import json
from collections.abc import Iterable

from llm_gateway.adaptation.kept_state import CallKey, Kept
from llm_gateway.dialects.answer_observer import (
    NOTHING_ISSUED,
    Answered,
    Issued,
    Json,
    PlainAnswer,
    objects,
    parsed,
    text_of,
)

_THOUGHTS = ("thinking", "redacted_thinking")


def issued_by(blocks: Iterable[Json]) -> Issued:
    """The calls among the content blocks of an answer, each with all of its thinking."""
    calls: list[CallKey] = []
    thinking: list[Json] = []
    signed: list[str] = []
    for block in blocks:
        kind = block.get("type")
        if kind == "tool_use":
            calls.append(call_key(block))
        elif kind in _THOUGHTS:
            thinking.append(block)
            signed += filter(
                None, (text_of(block.get(name)) for name in ("signature", "data"))
            )
    text = "".join(text_of(block.get("thinking")) for block in thinking)
    signature = signed[-1] if signed else ""
    kept = Kept(text, signature, opaque=thinking or None)
    return Issued(tuple((call, kept) for call in calls), tuple(signed))


def call_key(block: Json) -> CallKey:
    """Of a tool_use block; its input as JSON."""
    arguments = json.dumps(block.get("input"), ensure_ascii=False)
    return CallKey(text_of(block.get("id")), text_of(block.get("name")), arguments)


def history_calls(values: Json) -> tuple[CallKey, ...]:
    """The calls of the assistant's earlier turns, in order."""
    return tuple(
        call_key(block)
        for message in objects(values.get("messages"))
        for block in objects(message.get("content"))
        if block.get("type") == "tool_use"
    )


def read_plain(body: bytes, asked: Answered, answer: Json | None = None) -> PlainAnswer:
    """A plain answer, with its calls and thinking."""
    if answer is None:
        if b'"tool_use"' not in body and b'thinking"' not in body:
            return PlainAnswer(body)
        answer = parsed(body)
    if answer is None:
        return PlainAnswer(body, issued=NOTHING_ISSUED)
    return PlainAnswer(body, issued=issued_by(objects(answer.get("content"))))
