"""Vendors of chat completions, as rows of a matrix."""

import json
from collections.abc import Callable

from fakes import Answer, Received, answers

from . import chat_answers
from .chat_answers import VOICES, Voice
from .chat_refusals import PROFILES
from .stage import Body, Refused, Vendor
from .talk import Move, misfits, open_calls, states_in, tool_of

TYPES = {
    "groq": ("groq", "openai/gpt-oss-120b"),
    "cerebras": ("cerebras", "gpt-oss-120b"),
    "mistral": ("mistral", "magistral-medium-latest"),
    "deepseek": ("deepseek", "deepseek-chat"),
    "kimi": ("moonshot", "kimi-k2.6"),
    "gemini": ("google", "gemini-3-pro-preview"),
    "cloudflare": ("cloudflare", "@cf/meta/llama-3.3-70b"),
    "nim": ("nvidia", "meta/llama-3.3-70b-instruct"),
    "minimax": ("openai-compatible", "minimax-m2"),
    "zai": ("zai", "glm-4.6"),
    "llama": ("openai-compatible", "gemma-3"),
    "openai": ("openai", "gpt-5.1"),
    "openrouter": ("openrouter", "some/model"),
    "qwen": ("qwen", "qwen3-max"),
}


def vendor(voice: Voice) -> Vendor:
    profile = PROFILES.get(voice.name)
    type_, model = TYPES[voice.name]

    def refuse(request: Received, body: Body) -> Refused:
        return profile(body) if profile else None

    def answer(
        body: Body, request: Received, move: Move, own: int
    ) -> tuple[int, Callable[[], Answer]]:
        turn, done = open_calls(chat_answers.pairs_in(body), request.body)
        message = chat_answers.answer(voice, turn, move, tool_of(request.body), done)
        return turn, lambda: _answer(voice, message, bool(body.get("stream")))

    def check(body: Body, move: Move, own: int) -> list[str]:
        wrong = chat_answers.lost(voice, body, move, own)
        for calls, results in chat_answers.calls_in(body):
            wrong += misfits(calls, results)
        foreign = states_in(json.dumps(body).encode()) - {voice.name}
        return wrong + [f"sees state of {maker}" for maker in sorted(foreign)]

    return Vendor(voice.name, refuse, answer, check, type_, model)


def _answer(voice: Voice, message: Body, streamed: bool) -> Answer:
    if not streamed:
        raw = json.dumps(chat_answers.plain(message)).encode()
        return Answer(200, (answers.JSON,), (raw,))
    events = tuple(chat_answers.events(voice, message))
    return Answer(200, (answers.SSE,), events, framing="chunked")


VENDORS = tuple(vendor(voice) for voice in VOICES.values())
