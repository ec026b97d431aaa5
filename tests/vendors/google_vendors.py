"""Who answers an app of Google's: Google itself, and a vendor of each other dialect."""

import json
from collections.abc import Callable
from dataclasses import replace

from fakes import Answer, Received, answers

from . import google_answers
from .chat_vendors import VENDORS as CHAT
from .google_answers import MAKER, VOICES, Voice
from .google_refusals import refuse
from .messages_vendors import VENDORS as MESSAGES
from .responses_vendors import VENDORS as RESPONSES
from .stage import Body, Refused, Vendor
from .talk import Move, misfits, open_calls, states_in

MODELS = {"gemini-2.5": "gemini-2.5-flash", "gemini-3": "gemini-3-flash"}


def vendor(voice: Voice) -> Vendor:
    def refused(request: Received, body: Body) -> Refused:
        return refuse(voice, body)

    def answer(
        body: Body, request: Received, move: Move, own: int
    ) -> tuple[int, Callable[[], Answer]]:
        turn, _ = open_calls(google_answers.pairs_in(body), request.body)
        response = google_answers.answer(voice, turn, move)
        return turn, lambda: _answer(response, ":stream" in request.target)

    def check(body: Body, move: Move, own: int) -> list[str]:
        wrong = google_answers.lost(voice, body, move, own)
        for calls, results in google_answers.calls_in(body):
            wrong += misfits(calls, results)
        foreign = states_in(json.dumps(body).encode()) - {MAKER}
        return wrong + [f"sees state of {maker}" for maker in sorted(foreign)]

    return Vendor(
        voice.name,
        refused,
        answer,
        check,
        "google",
        MODELS[voice.name],
        dialect="generateContent",
    )


def _answer(response: Body, streamed: bool) -> Answer:
    if not streamed:
        return Answer(200, (answers.JSON,), (json.dumps(response).encode(),))
    events = tuple(google_answers.events(response))
    return Answer(200, (answers.SSE,), events, framing="chunked")


def _one(vendors: tuple[Vendor, ...], name: str, dialect: str) -> Vendor:
    [found] = [v for v in vendors if v.name == name]
    return replace(found, name=f"{name}-{dialect}", dialect=dialect)


VENDORS = (
    *(vendor(voice) for voice in VOICES.values()),
    _one(CHAT, "mistral", "chat"),
    _one(CHAT, "openai", "chat"),
    _one(MESSAGES, "claude-5", "messages"),
    _one(MESSAGES, "minimax", "messages"),
    _one(RESPONSES, "openai", "responses"),
)
