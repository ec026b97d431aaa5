"""How vendors of chat completions answer a turn of the tool loop, plain and streamed.

A `Voice` is a row: under which name thoughts come, how calls are called, what else stands in
a message, and how the stream is odd. Pure.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
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
USAGE = {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}
ALPHABET = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"


def long_id(n: int, move: Move) -> str:
    return f"call_{'9pKwz2LmTq7RfYc1BnVd'}{move.number:04d}{n:02d}"


def nine(n: int, move: Move) -> str:
    return f"Xk{move.number % 100000:05d}{n:02d}"


@dataclass(frozen=True)
class Voice:
    name: str
    thoughts: str = "reasoning_content"
    """Member that holds them; `list`: parts of the content; "": none."""
    id: Callable[[int, Move], str] = long_id
    content: Any = ""
    """Beside calls; `None` may stand there."""
    message: Body = field(default_factory=dict)
    """What else stands in each message."""
    delta: Body = field(default_factory=dict)
    """What else stands in each delta of thoughts."""
    signed: bool = False
    """The first call of a turn carries a signature."""
    single: bool = False
    """Calls one by one."""
    odd: str = ""
    """How the stream is: `index0`, `restated`, `no_id`, `roles`, `whole`, `no_done`."""


VOICES: dict[str, Voice] = {
    v.name: v
    for v in (
        Voice("groq", "reasoning", delta={"channel": "analysis"}, content=None),
        Voice("cerebras", "reasoning", content=None),
        Voice("mistral", "list", nine),
        Voice("deepseek", odd="restated"),
        Voice("kimi", id=lambda n, _: f"functions.add:{n}"),
        Voice("gemini", "", lambda n, m: f"function-call-{m.number}{n}", signed=True, odd="roles"),
        Voice("cloudflare", "", lambda n, m: f"chatcmpl-tool-{m.number:028d}{n:04d}"),
        Voice("nim", single=True, message={"refusal": None, "annotations": None, "audio": None, "function_call": None}, content=None),
        Voice("minimax", "reasoning_details", odd="whole"),
        Voice("zai", odd="no_id"),
        Voice("llama", "", lambda n, _: f"call_{n}", odd="index0"),
        Voice("openai", "", message={"refusal": None, "annotations": []}, content=None),
        Voice("openrouter", "reasoning", message={"refusal": None}, content=None, odd="roles"),
        Voice("qwen", odd="restated"),
    )
}  # fmt: skip


def answer(voice: Voice, turn: int, move: Move, tool: str, done: int = 0) -> Body:
    """The assistant's message. done: calls of this turn that stand in the history already."""
    if turn == TURNS or turn not in SUMS or not tool:
        text = said_at(turn, tool)
        return {"role": "assistant", "content": text, **voice.message}
    message: Body = {"role": "assistant", "content": voice.content, **voice.message}
    said = thought(voice.name, turn)
    if voice.thoughts == "list":
        message["content"] = [
            {"type": "thinking", "thinking": [{"type": "text", "text": said}]},
            {"type": "text", "text": "Let me add."},
        ]
    elif voice.thoughts == "reasoning_details":
        message["reasoning_details"] = [{"type": "reasoning.text", "text": said}]
    elif voice.thoughts:
        message[voice.thoughts] = said
    message["tool_calls"] = [
        _call(voice, turn, n, pair, move, tool) for n, pair in enumerate(SUMS[turn])
    ][done : done + 1 if voice.single else None]
    return message


def _call(
    voice: Voice, turn: int, n: int, pair: tuple[int, int], move: Move, tool: str
) -> Body:
    call: Body = {
        "id": voice.id(10 * turn + n, move),
        "type": "function",
        "function": {"name": tool, "arguments": json.dumps(arguments_of(tool, pair))},
    }
    if voice.signed and n == 0:
        signature = state(voice.name, turn, move)
        call["extra_content"] = {"google": {"thought_signature": signature}}
    return call


def plain(message: Body) -> Body:
    finish = "tool_calls" if message.get("tool_calls") else "stop"
    choice = {"index": 0, "message": message, "finish_reason": finish}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "up",
        "choices": [choice],
        "usage": USAGE,
    }


def events(voice: Voice, message: Body) -> Iterator[bytes]:
    """The same, streamed: texts and arguments in two pieces each."""
    first = True

    def chunk(delta: Body, finish: str | None = None, **more: Any) -> bytes:
        nonlocal first
        if first or voice.odd == "roles":
            delta = {"role": "assistant", **delta}
        first = False
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1}
        said = {**head, "model": "up", "choices": [choice], **more}
        return f"data: {json.dumps(said)}\n\n".encode()

    yield chunk({"content": ""})
    for member in ("reasoning_content", "reasoning"):
        for half in _halves(message.get(member)):
            yield chunk({member: half, **voice.delta})
    for detail in message.get("reasoning_details") or ():
        for half in _halves(detail["text"]):
            yield chunk({"reasoning_details": [{**detail, "text": half, "index": 0}]})
    if isinstance(message["content"], list):
        for part in message["content"]:
            yield chunk({"content": [part]})
    else:
        for half in _halves(message["content"]):
            yield chunk({"content": half})
    for n, call in enumerate(message.get("tool_calls") or ()):
        yield from _fragments(voice, n, call, chunk)
    finish = "tool_calls" if message.get("tool_calls") else "stop"
    if voice.odd == "whole":
        # The whole message once more, with the usage.
        said = plain(message) | {"object": "chat.completion"}
        yield chunk({}, finish)
        yield f"data: {json.dumps(said)}\n\n".encode()
    else:
        yield chunk({}, finish, usage=USAGE)
    if voice.odd != "no_done":
        yield b"data: [DONE]\n\n"


def _fragments(
    voice: Voice, n: int, call: Body, chunk: Callable[[Body], bytes]
) -> Iterator[bytes]:
    index = 0 if voice.odd == "index0" else n
    function = call["function"]
    if voice.odd == "index0":
        yield chunk({"tool_calls": [{"index": index, **call}]})
        return
    head, tail = _halves(function["arguments"])
    opened = {"index": index, **call, "function": {**function, "arguments": head}}
    if voice.odd == "no_id":
        del opened["id"]
    rest: Body = {"index": index, "function": {"arguments": tail}}
    if voice.odd == "restated":
        rest = {"index": index, "id": "", "function": {"name": None, "arguments": tail}}
    yield chunk({"tool_calls": [opened]})
    yield chunk({"tool_calls": [rest]})


def _halves(text: object) -> tuple[str, ...]:
    if not isinstance(text, str) or not text:
        return ()
    return text[: len(text) // 2], text[len(text) // 2 :]


# -- what stands in a request


def calls_in(body: Body) -> list[tuple[list[Call], list[tuple[str, str]]]]:
    """Each turn with calls, and the results behind it."""
    found: list[tuple[list[Call], list[tuple[str, str]]]] = []
    for message in body["messages"]:
        calls = message.get("tool_calls") or ()
        if calls:
            found.append(([Call(c.get("id"), _pair(c)) for c in calls], []))
        if message["role"] == "tool" and found:
            text = message["content"]
            if isinstance(text, list):
                text = "".join(part.get("text", "") for part in text)
            found[-1][1].append((message.get("tool_call_id"), text))
    return found


def _pair(call: Body) -> tuple[int, int]:
    return pair_of(json.loads(call["function"]["arguments"]))


def lost(voice: Voice, body: Body, move: Move, own: int) -> list[str]:
    """Of its own turns: thoughts and signatures that it wants back and did not get whole."""
    wrong = []
    for message in body["messages"]:
        for n, call in enumerate(message.get("tool_calls") or ()):
            turn = TURN_OF[_pair(call)]
            if move.answers(turn) != own:
                continue
            if voice.name in ("deepseek", "kimi") and n == 0:
                found = message.get("reasoning_content")
                if found != thought(voice.name, turn):
                    wrong.append(f"thought of turn {turn} came back as {found!r}")
            if voice.signed and _pair(call) == SUMS[turn][0] and move_is_open(body):
                google = (call.get("extra_content") or {}).get("google") or {}
                found = google.get("thought_signature")
                if found != state(voice.name, turn, move):
                    wrong.append(f"signature of turn {turn} came back as {found!r}")
    return wrong


def move_is_open(body: Body) -> bool:
    """No user's text behind the calls: signatures are wanted."""
    return body["messages"][-1]["role"] != "user"


def pairs_in(body: Body) -> list[tuple[int, int]]:
    return [call.pair for calls, _ in calls_in(body) for call in calls]
