"""Vendors of Messages, as rows of a matrix."""

import json
from collections.abc import Callable

from fakes import Answer, Received, answers

from . import messages_answers
from .messages_answers import VOICES, Voice
from .messages_refusals import PROFILES
from .stage import Body, Refused, Vendor
from .talk import Move, misfits, open_calls, states_in, tool_of

TYPES = {
    "claude-4.5": ("anthropic", "claude-sonnet-4-5"),
    "claude-5": ("anthropic", "claude-sonnet-5"),
    "claude-5.5": ("anthropic", "claude-opus-5-5"),
    "deepseek": ("deepseek", "deepseek-chat"),
    "kimi": ("moonshot", "kimi-k2.6"),
    "zai": ("zai", "glm-4.6"),
    "minimax": ("openai-compatible", "minimax-m3"),
    "vllm": ("vllm", "some"),
}


def vendor(voice: Voice) -> Vendor:
    profile = PROFILES[voice.name]

    def refuse(request: Received, body: Body) -> Refused:
        return profile(dict(request.headers), body)

    def answer(
        body: Body, request: Received, move: Move, own: int
    ) -> tuple[int, Callable[[], Answer]]:
        turn, _ = open_calls(messages_answers.pairs_in(body), request.body)
        message = messages_answers.answer(voice, turn, move, tool_of(request.body))
        return turn, lambda: _answer(voice, message, bool(body.get("stream")))

    def check(body: Body, move: Move, own: int) -> list[str]:
        wrong = messages_answers.lost(voice, body, move, own)
        for calls, results in messages_answers.calls_in(body):
            wrong += misfits(calls, results)
        foreign = states_in(json.dumps(body).encode()) - {voice.maker}
        return wrong + [f"sees state of {maker}" for maker in sorted(foreign)]

    return Vendor(voice.name, refuse, answer, check, *TYPES[voice.name])


def _answer(voice: Voice, message: Body, streamed: bool) -> Answer:
    if not streamed:
        return Answer(200, (answers.JSON,), (json.dumps(message).encode(),))
    events = tuple(messages_answers.events(voice, message))
    return Answer(200, (answers.SSE,), events, framing="chunked")


VENDORS = tuple(vendor(voice) for voice in VOICES.values())
