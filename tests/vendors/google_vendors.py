"""Who answers an app of Google's: Google itself, and a vendor of each other dialect."""

import json
from collections.abc import Callable
from dataclasses import replace

from fakes import Answer, Received, answers

from . import chat_vendors, google_answers, messages_vendors, responses_vendors
from .google_answers import MAKER, VOICES, Voice
from .google_refusals import refuse
from .stage import Body, Refused, Vendor, speaking
from .talk import Move, misfits, open_calls, states_in, tool_of

MODELS = {"gemini-2.5": "gemini-2.5-flash", "gemini-3": "gemini-3-flash"}


def vendor(voice: Voice) -> Vendor:
    def refused(request: Received, body: Body) -> Refused:
        return refuse(voice, body)

    def answer(
        body: Body, request: Received, move: Move, own: int
    ) -> tuple[int, Callable[[], Answer]]:
        turn, _ = open_calls(google_answers.pairs_in(body), request.body)
        response = google_answers.answer(voice, turn, move, tool_of(request.body))
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


def _messages(name: str) -> Vendor:
    """Its thoughts are shown to nobody who did not ask for any, and so do not come back."""
    return messages_vendors.vendor(replace(messages_vendors.VOICES[name], wants=False))


def _responses(name: str) -> Vendor:
    return responses_vendors.vendor(
        replace(responses_vendors.VOICES[name], wants=False)
    )


def _chat(name: str) -> Vendor:
    return chat_vendors.vendor(chat_vendors.VOICES[name])


VENDORS = (
    *(vendor(voice) for voice in VOICES.values()),
    *speaking("chat", map(_chat, ("mistral", "openai"))),
    *speaking("messages", map(_messages, ("claude-5", "minimax"))),
    *speaking("responses", [_responses("openai")]),
)
