"""Opaque state that we have marked, in a native chat request: it means nothing there.

A client that was answered by another dialect's model carries it in `reasoning_details` and
in `extra_content` of a call. It goes, whoever is asked; thoughts as text stay.
"""

from llm_gateway.adaptation.marked_state import is_marked
from llm_gateway.dialects.answer_observer import objects, text_of
from llm_gateway.dialects.chat.reasoning import signature_of
from llm_gateway.dialects.chat.turns import Message, Messages, Notes, note


def without_marks(messages: Messages, notes: Notes) -> Messages:
    """The same list where there are none."""
    adapted = [
        _without(message, notes) if isinstance(message, dict) else message
        for message in messages
    ]
    same = all(a is b for a, b in zip(messages, adapted, strict=True))
    return messages if same else adapted


def _without(message: Message, notes: Notes) -> Message:
    details = message.get("reasoning_details")
    if any(_is_marked(one) for one in objects(details)):
        note(notes, "reasoning_details")
        kept = [one for one in objects(details) if not _is_marked(one)]
        message = {k: v for k, v in message.items() if k != "reasoning_details"}
        if kept:
            message["reasoning_details"] = kept
    calls = message.get("tool_calls")
    if isinstance(calls, list) and any(
        is_marked(signature_of(call)) for call in objects(calls)
    ):
        note(notes, "signature")
        message = {**message, "tool_calls": [_unsigned(call) for call in calls]}
    return message


def _is_marked(detail: Message) -> bool:
    return any(is_marked(text_of(detail.get(name))) for name in ("signature", "data"))


def _unsigned(call: object) -> object:
    if not isinstance(call, dict) or not is_marked(signature_of(call)):
        return call
    return {k: v for k, v in call.items() if k != "extra_content"}
