"""How vendors of Responses answer a turn of the tool loop, plain and streamed. Pure."""

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
USAGE = {
    "input_tokens": 11,
    "output_tokens": 7,
    "total_tokens": 18,
    "input_tokens_details": {"cached_tokens": 0},
    "output_tokens_details": {"reasoning_tokens": 0},
}
PREFIXES = {"reasoning": "rs", "message": "msg", "function_call": "fc"}


def call_id(n: int, move: Move) -> str:
    return f"call_9pKwz2LmTq7R{move.number:04d}{n:02d}"


def long_id(n: int, move: Move) -> str:
    return f"{'x' * 63}{move.number:04d}{n:02d}"


@dataclass(frozen=True)
class Voice:
    name: str
    thoughts: str = "plain"
    """`sealed`; `summary`; "": none."""
    ids: str = "prefix"
    """Of items: `prefix`; `uuid`; `none`."""
    call: Callable[[int, Move], str] = call_id
    odd: str = ""
    """`empty`: nothing in the last event's output."""
    wants: bool = False
    """Sealed reasoning of its own turns, given to who asks for it, has to come back."""


VOICES: dict[str, Voice] = {
    v.name: v
    for v in (
        Voice("openai", "sealed", wants=True),
        Voice("copilot", "sealed", "uuid", wants=True),
        Voice("xai", "sealed", "uuid", wants=True),
        Voice("deepseek", "plain", "uuid", odd="empty"),
        Voice("mistral", "plain"),
        Voice("groq", "plain"),
        Voice("ollama", "summary"),
        Voice("llamacpp", "plain", "prefix", long_id),
        Voice("mimo", "plain", "uuid"),
    )
}


def asks_for_seals(body: Body) -> bool:
    """Otherwise a vendor tells no reasoning, sealed or not: pydantic-ai asks only models
    whose names it knows, and hands nothing back."""
    return "reasoning.encrypted_content" in (body.get("include") or ())


def answer(voice: Voice, turn: int, move: Move, tool: str, body: Body) -> Body:
    output: list[Body] = []
    told = voice.thoughts and (voice.thoughts != "sealed" or asks_for_seals(body))
    if turn < 4 and told:
        output.append(_reasoning(voice, turn, move))
    if turn in SUMS and turn != TURNS and tool:
        for n, pair in enumerate(SUMS[turn]):
            call: Body = {
                "type": "function_call",
                "call_id": voice.call(10 * turn + n, move),
            }
            call |= {"name": tool, "arguments": json.dumps(arguments_of(tool, pair))}
            output.append({**call, "status": "completed"})
    else:
        text = said_at(turn, tool)
        part = {"type": "output_text", "text": text, "annotations": [], "logprobs": []}
        message: Body = {"type": "message", "role": "assistant", "content": [part]}
        output.append({**message, "status": "completed"})
    for n, item in enumerate(output):
        if voice.ids == "prefix":
            item["id"] = f"{PREFIXES[item['type']]}_{move.number:06d}{turn}{n}"
        elif voice.ids == "uuid":
            item["id"] = f"0b1f{move.number:04d}-1111-4222-8333-{turn:06d}{n:06d}"
    return {
        "id": f"resp_{move.number}{turn}",
        "object": "response",
        "created_at": 1,
        "model": "up",
        "status": "completed",
        "output": output,
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "metadata": {},
        "parallel_tool_calls": True,
        "temperature": 1,
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1,
        "usage": USAGE,
    }


def _reasoning(voice: Voice, turn: int, move: Move) -> Body:
    said = thought(voice.name, turn)
    item: Body = {"type": "reasoning", "summary": []}
    if voice.thoughts == "sealed":
        item["encrypted_content"] = state(voice.name, turn, move)
    elif voice.thoughts == "summary":
        item["summary"] = [{"type": "summary_text", "text": said}]
    else:
        item["content"] = [{"type": "reasoning_text", "text": said}]
    return item


def events(voice: Voice, response: Body) -> Iterator[bytes]:
    number = 0

    def event(type_: str, **more: Any) -> bytes:
        nonlocal number
        said = {"type": type_, "sequence_number": number, **more}
        number += 1
        return f"event: {type_}\ndata: {json.dumps(said)}\n\n".encode()

    begun = {**response, "status": "in_progress", "output": [], "usage": None}
    yield event("response.created", response=begun)
    for index, item in enumerate(response["output"]):
        place = {"output_index": index, "item_id": item.get("id", "")}
        if item["type"] == "function_call":
            opened = {**item, "arguments": "", "status": "in_progress"}
            yield event("response.output_item.added", output_index=index, item=opened)
            kind = "response.function_call_arguments"
            whole = item["arguments"]
            for half in (whole[:7], whole[7:]):
                yield event(f"{kind}.delta", **place, delta=half)
            yield event(f"{kind}.done", **place, name=item["name"], arguments=whole)
        elif item["type"] == "message":
            opened = {**item, "content": [], "status": "in_progress"}
            yield event("response.output_item.added", output_index=index, item=opened)
            part = item["content"][0]
            at = {**place, "content_index": 0}
            empty = {**part, "text": ""}
            yield event("response.content_part.added", **at, part=empty)
            for half in (part["text"][:9], part["text"][9:]):
                yield event("response.output_text.delta", **at, delta=half, logprobs=[])
            yield event(
                "response.output_text.done", **at, text=part["text"], logprobs=[]
            )
            yield event("response.content_part.done", **at, part=part)
        else:
            yield event("response.output_item.added", output_index=index, item=item)
        yield event("response.output_item.done", output_index=index, item=item)
    last = {**response, "output": []} if voice.odd == "empty" else response
    yield event("response.completed", response=last)


def calls_in(body: Body) -> list[tuple[list[Call], list[tuple[str, str]]]]:
    """Each run of calls, and the outputs behind it."""
    found: list[tuple[list[Call], list[tuple[str, str]]]] = []
    before = ""
    given = body["input"]
    for item in given if isinstance(given, list) else []:
        kind = item.get("type") or "message"
        if kind == "function_call":
            if before != kind:
                found.append(([], []))
            pair = pair_of(json.loads(item["arguments"]))
            found[-1][0].append(Call(item["call_id"], pair))
        elif kind == "function_call_output" and found:
            text = item["output"]
            if isinstance(text, list):
                text = "".join(part.get("text", "") for part in text)
            found[-1][1].append((item["call_id"], text))
        if kind != "reasoning":
            before = kind
    return found


def lost(voice: Voice, body: Body, move: Move, own: int) -> list[str]:
    """Of its own turns: sealed reasoning that did not come back."""
    if not voice.wants or not isinstance(body["input"], list):
        return []
    if not asks_for_seals(body):
        return []
    there = {item.get("encrypted_content") for item in body["input"]}
    turns = {
        TURN_OF[pair] for pair in pairs_in(body) if move.answers(TURN_OF[pair]) == own
    }
    return [
        f"reasoning of turn {turn} did not come back"
        for turn in sorted(turns)
        if state(voice.name, turn, move) not in there
    ]


def pairs_in(body: Body) -> list[tuple[int, int]]:
    return [call.pair for calls, _ in calls_in(body) for call in calls]
