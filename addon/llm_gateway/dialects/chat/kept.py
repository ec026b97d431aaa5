"""Chat answers and history: calls with the thoughts and signatures that stood beside them."""

import re
from collections.abc import Iterable, Mapping

from llm_gateway.adaptation.kept_state import CallKey, Kept
from llm_gateway.dialects.answer_observer import (
    NOTHING_ISSUED,
    Answered,
    Issued,
    PlainAnswer,
    object_of,
    objects,
    parsed,
    text_of,
    with_members,
)
from llm_gateway.dialects.chat.call_fragments import Call
from llm_gateway.dialects.chat.mend import mended_choices
from llm_gateway.dialects.chat.reasoning import (
    OPAQUE,
    details_of,
    signature_of,
    thoughts_of,
)

Json = Mapping[str, object]


def beside(calls: Iterable[Call], messages: list[Json]) -> Issued:
    """Calls with the thoughts of the message, or of the deltas, that made them."""
    thoughts = "".join(map(thoughts_of, messages))
    calls = tuple(calls)
    details = details_of(messages)
    signed = [call.signature for call in calls]
    signed += [text_of(one.get(name)) for one in details for name in OPAQUE]
    return Issued(
        tuple(
            (
                CallKey(call.id, call.name, call.arguments),
                Kept(thoughts, call.signature, opaque=details or None),
            )
            for call in calls
        ),
        tuple(filter(None, signed)),
    )


def calls_of(message: Json) -> list[Call]:
    """The calls of a whole message, of an answer or of history."""
    found = []
    for i, call in enumerate(objects(message.get("tool_calls"))):
        function = object_of(call.get("function"))
        arguments = text_of(function.get("arguments"))
        found.append(
            Call(
                i,
                text_of(call.get("id")),
                text_of(function.get("name")),
                signature_of(call),
                [arguments],
            )
        )
    return found


def history_calls(values: Json) -> tuple[CallKey, ...]:
    """The calls of the assistant's earlier turns, in order."""
    return tuple(
        CallKey(call.id, call.name, call.arguments)
        for message in objects(values.get("messages"))
        for call in calls_of(message)
    )


_CALLS = re.compile(rb'"tool_calls"\s*:\s*\[\s*\{').search
_ODD = (
    *(b'"content":[', b'"content": [', b'"index":1', b'"index": 1'),
    *(b'"role":"",', b'"role": "",', b'"role":null', b'"role": null'),
    *(b'"finish_reason":null', b'"finish_reason": null'),
)
"""What an answer has that has to be mended; in a text each quote has a backslash before it."""


def _is_odd(body: bytes) -> bool:
    if b'"tool_calls"' in body and _CALLS(body):
        return True
    for mark in _ODD:
        if mark in body:
            return True
    return b'"finish_reason"' not in body


_USUAL = frozenset({"role", "content", "refusal", "annotations"})
"""Members of a message in which nothing is mended but the role, and nothing kept."""


def _is_usual(answer: Json) -> bool:
    """One whole choice with a text, as most answers are: there is nothing to do for it."""
    choices = answer.get("choices")
    if type(choices) is not list or len(choices) != 1 or type(choices[0]) is not dict:
        return False
    choice = choices[0]
    message = choice.get("message")
    return (
        type(message) is dict
        and message.keys() <= _USUAL
        and type(message.get("content")) is str
        and message.get("role") == "assistant"
        and choice.get("index") == 0
        and bool(choice.get("finish_reason"))
    )


def read_plain(body: bytes, asked: Answered, answer: Json | None = None) -> PlainAnswer:
    """A plain answer, mended, with its calls."""
    if answer is None:
        if not _is_odd(body):
            return PlainAnswer(body)
        answer = parsed(body)
    elif _is_usual(answer):
        return PlainAnswer(body)
    choices = objects(answer.get("choices")) if answer is not None else []
    if not choices:
        return PlainAnswer(body)
    mended: set[str] = set()

    def make_id(position: int, name: str) -> str:
        return asked.made_id("call_", position, name)

    choices = mended_choices(choices, asked.n, make_id, mended)
    issued = NOTHING_ISSUED
    for choice in choices:
        message = object_of(choice.get("message"))
        found = beside(calls_of(message), [message])
        issued = Issued(issued.calls + found.calls, issued.signed + found.signed)
    if mended:
        body = with_members(body, {"choices": choices})
    return PlainAnswer(body, frozenset(mended), issued)
