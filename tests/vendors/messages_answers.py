"""How vendors of Messages answer a turn of the tool loop, plain and streamed. Pure."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
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
    thought,
)

Body = dict[str, Any]
USAGE = {"input_tokens": 11, "output_tokens": 7}


def anthropic_id(n: int, move: Move) -> str:
    return f"toolu_01A09q90qw90lq9178{move.number:04d}{n:02d}"


def chat_id(n: int, move: Move) -> str:
    return f"call_{move.number:04d}_{n:02d}x9pKwz2L"


@dataclass(frozen=True)
class Voice:
    name: str
    maker: str
    thoughts: str = "signed"
    """`signed`; `unsigned`; `empty`: a signature alone; `redacted`."""
    id: Callable[[int, Move], str] = anthropic_id
    odd: str = ""
    """`done`: `[DONE]` at the end; `no_usage`: none in message_start."""
    wants: bool = False
    """Thoughts of its own turns have to come back whole."""


VOICES: dict[str, Voice] = {
    v.name: v
    for v in (
        Voice("claude-4.5", "claude", wants=True),
        Voice("claude-5", "claude", "empty", wants=True),
        Voice("claude-5.5", "claude", "redacted", wants=True),
        Voice("deepseek", "deepseek", "signed", chat_id, wants=True),
        Voice("kimi", "kimi", "unsigned", lambda n, _: f"functions.add:{n}", wants=True),
        Voice("zai", "zai", "", chat_id, "done"),
        Voice("minimax", "minimax", "signed", chat_id, "no_usage", wants=True),
        Voice("vllm", "vllm", "unsigned", lambda n, m: f"chatcmpl-tool-{m.number:028d}{n:04d}"),
    )
}  # fmt: skip


def thoughts(voice: Voice, turn: int, move: Move) -> list[Body]:
    said, blob = thought(voice.name, turn), state(voice.maker, turn, move)
    match voice.thoughts:
        case "signed":
            return [{"type": "thinking", "thinking": said, "signature": blob}]
        case "unsigned":
            return [{"type": "thinking", "thinking": said, "signature": ""}]
        case "empty":
            return [{"type": "thinking", "thinking": "", "signature": blob}]
        case "redacted":
            return [{"type": "redacted_thinking", "data": blob}]
    return []


def answer(voice: Voice, turn: int, move: Move, tool: str) -> Body:
    calls = SUMS.get(turn, ()) if tool and turn != TURNS else ()
    content = thoughts(voice, turn, move) if turn < 4 else []
    if not calls:
        content.append({"type": "text", "text": said_at(turn, tool)})
    else:
        content += [
            {
                "type": "tool_use",
                "id": voice.id(10 * turn + n, move),
                "name": tool,
                "input": arguments_of(tool, pair),
            }
            for n, pair in enumerate(calls)
        ]
    return {
        "id": f"msg_{move.number}{turn}",
        "type": "message",
        "role": "assistant",
        "model": "up",
        "content": content,
        "stop_reason": "tool_use" if calls else "end_turn",
        "stop_sequence": None,
        "usage": USAGE,
    }


def events(voice: Voice, message: Body) -> Iterator[bytes]:
    def event(type_: str, **more: Any) -> bytes:
        return (
            f"event: {type_}\ndata: {json.dumps({'type': type_, **more})}\n\n".encode()
        )

    usage = {"input_tokens": 0 if voice.odd == "no_usage" else 11, "output_tokens": 0}
    begun = {**message, "content": [], "stop_reason": None, "usage": usage}
    yield event("message_start", message=begun)
    for index, block in enumerate(message["content"]):
        opened, deltas = _pieces(block)
        yield event("content_block_start", index=index, content_block=opened)
        for delta in deltas:
            yield event("content_block_delta", index=index, delta=delta)
        yield event("content_block_stop", index=index)
    end = {"stop_reason": message["stop_reason"], "stop_sequence": None}
    yield event("message_delta", delta=end, usage=USAGE)
    yield event("message_stop")
    if voice.odd == "done":
        yield b"data: [DONE]\n\n"


def _pieces(block: Body) -> tuple[Body, list[Body]]:
    match block["type"]:
        case "text":
            deltas = [{"type": "text_delta", "text": h} for h in _halves(block["text"])]
            return {**block, "text": ""}, deltas
        case "tool_use":
            text = json.dumps(block["input"])
            deltas = [
                {"type": "input_json_delta", "partial_json": h} for h in _halves(text)
            ]
            return {**block, "input": {}}, deltas
        case "thinking":
            deltas = [
                {"type": "thinking_delta", "thinking": h}
                for h in _halves(block["thinking"])
            ]
            if block["signature"]:
                signed = {"type": "signature_delta", "signature": block["signature"]}
                deltas.append(signed)
            return {**block, "thinking": "", "signature": ""}, deltas
    return block, []


def _halves(text: str) -> tuple[str, ...]:
    return (text[: len(text) // 2], text[len(text) // 2 :]) if text else ()


def calls_in(body: Body) -> list[tuple[list[Call], list[tuple[str, str]]]]:
    """Each turn with calls, and the results in the next one."""
    found: list[tuple[list[Call], list[tuple[str, str]]]] = []
    for message in body["messages"]:
        content = message["content"]
        blocks = content if isinstance(content, list) else []
        calls = [
            Call(b["id"], pair_of(b["input"]))
            for b in blocks
            if b["type"] == "tool_use"
        ]
        if calls:
            found.append((calls, []))
        for block in blocks:
            if block["type"] == "tool_result" and found:
                text = block.get("content")
                if isinstance(text, list):
                    text = "".join(part.get("text", "") for part in text)
                found[-1][1].append((block["tool_use_id"], text))
    return found


def lost(voice: Voice, body: Body, move: Move, own: int) -> list[str]:
    """Of its own turns: thoughts that it wants back and did not get whole."""
    wrong = []
    for message in body["messages"]:
        content = message["content"] if isinstance(message["content"], list) else []
        calls = [b for b in content if b["type"] == "tool_use"]
        if message["role"] != "assistant" or not calls or not voice.wants:
            continue
        turn = TURN_OF[pair_of(calls[0]["input"])]
        if move.answers(turn) != own:
            continue
        found = [b for b in content if "thinking" in b["type"]]
        told = [
            {k: v for k, v in b.items() if v and k != "cache_control"} for b in found
        ]
        made = [{k: v for k, v in b.items() if v} for b in thoughts(voice, turn, move)]
        if told != made:
            wrong.append(f"thoughts of turn {turn} came back as {found}")
    return wrong


def pairs_in(body: Body) -> list[tuple[int, int]]:
    return [call.pair for calls, _ in calls_in(body) for call in calls]
