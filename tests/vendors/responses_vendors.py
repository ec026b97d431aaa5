"""Vendors of Responses, as rows of a matrix."""

import json
from collections.abc import Callable

from fakes import Answer, Received, answers

from . import responses_answers
from .responses_answers import VOICES, Voice
from .responses_refusals import PROFILES
from .stage import Body, Refused, Vendor
from .talk import Move, misfits, open_calls, states_in, tool_of

TYPES = {
    "openai": ("openai", "gpt-5.1"),
    "copilot": ("openai-compatible", "gpt-5.1"),
    "xai": ("xai", "grok-4"),
    "deepseek": ("deepseek", "deepseek-chat"),
    "mistral": ("mistral", "mistral-large-latest"),
    "groq": ("groq", "openai/gpt-oss-120b"),
    "ollama": ("ollama", "gpt-oss"),
    "llamacpp": ("openai-compatible", "some"),
    "mimo": ("openai-compatible", "mimo-v2"),
}


def vendor(voice: Voice) -> Vendor:
    profile = PROFILES[voice.name]

    def refuse(request: Received, body: Body) -> Refused:
        return profile(body)

    def answer(
        body: Body, request: Received, move: Move, own: int
    ) -> tuple[int, Callable[[], Answer]]:
        turn, _ = open_calls(responses_answers.pairs_in(body), request.body)
        tool = tool_of(request.body)
        response = responses_answers.answer(voice, turn, move, tool, body)
        return turn, lambda: _answer(voice, response, bool(body.get("stream")))

    def check(body: Body, move: Move, own: int) -> list[str]:
        wrong = responses_answers.lost(voice, body, move, own)
        for calls, results in responses_answers.calls_in(body):
            wrong += misfits(calls, results)
        foreign = states_in(json.dumps(body).encode()) - {voice.name}
        return wrong + [f"sees state of {maker}" for maker in sorted(foreign)]

    return Vendor(voice.name, refuse, answer, check, *TYPES[voice.name])


def _answer(voice: Voice, response: Body, streamed: bool) -> Answer:
    if not streamed:
        return Answer(200, (answers.JSON,), (json.dumps(response).encode(),))
    events = tuple(responses_answers.events(voice, response))
    return Answer(200, (answers.SSE,), events, framing="chunked")


VENDORS = tuple(vendor(voice) for voice in VOICES.values())
