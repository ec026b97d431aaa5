"""Thoughts and signatures in a chat history: taken out, renamed, or given back to who wants them.

    reasoning:out                          nobody's thoughts
    reasoning:as=reasoning                 those that are there, under this name
    reasoning:wanted=reasoning_content     each turn with calls has them: what was kept beside
                                           the call, else what the client sends, else a blank
    signature:google                       the first call of each turn has one: what was kept,
                                           else the client's, else the documented placeholder;
                                           `=ours`: the client's is not believed

What was kept is better than what clients send: their helpers join, cut and rename it.
"""

from collections import Counter

from llm_gateway.adaptation.kept_state import CallKey, Kept, Recall
from llm_gateway.adaptation.vocabulary import Quirks
from llm_gateway.dialects.chat.turns import (
    Message,
    Messages,
    Notes,
    calls_of,
    function_of,
    id_of,
    note,
    role_of,
    same_arguments,
    thoughts_in,
)

NAMES = ("reasoning_content", "reasoning", "reasoning_text", "reasoning_details")
"""Members that hold thoughts, the plainest first."""
BLANK = " "
"""The least that is accepted: nothing at all, and an empty text, are refused."""
PLACEHOLDER = "skip_thought_signature_validator"
"""Google's own word for a call that another model made."""


def thoughts_of(message: Message) -> str:
    """What the client says was thought, under whatever name."""
    for name in NAMES:
        value = message.get(name)
        if isinstance(value, str) and value.strip():
            return value
        if isinstance(value, list):
            texts = [
                part.get("text") or part.get("summary") or ""
                for part in value
                if isinstance(part, dict)
            ]
            if text := "".join(t for t in texts if isinstance(t, str)):
                return text
    return thoughts_in(message.get("content"))


def adapt_thoughts(
    messages: Messages, quirks: Quirks, recall: Recall, notes: Notes
) -> Messages:
    out = quirks.value("reasoning", "out") is not None
    called = quirks.value("reasoning", "as")
    wanted = quirks.value("reasoning", "wanted")
    signed = quirks.value("signature", "google")
    if not (out or called or wanted or signed is not None):
        return messages
    seen: Counter[CallKey] = Counter()
    adapted = []
    for message in messages:
        if role_of(message) == "assistant":
            kept: list[Kept | None] = []
            if wanted or signed is not None:
                kept = [_recalled(call, seen, recall) for call in calls_of(message)]
            if out:
                message = _without(message, notes)
            elif called:
                name = wanted if wanted and calls_of(message) else called
                message = _renamed(message, name, notes)
            if wanted and calls_of(message):
                message = _given_back(message, wanted, kept, notes)
            if signed is not None and kept:
                message = _signed(message, kept, signed == "ours", notes)
        adapted.append(message)
    return adapted


def _recalled(call: Message, seen: Counter[CallKey], recall: Recall) -> Kept | None:
    function = function_of(call)
    name, arguments = id_of(function, "name"), id_of(function, "arguments")
    same = CallKey(id_of(call), name, same_arguments(arguments))
    n = seen[same]
    seen[same] += 1
    return recall(CallKey(id_of(call), name, arguments), n)


def _without(message: Message, notes: Notes) -> Message:
    names = [name for name in NAMES if name in message]
    content = message.get("content")
    bare = {key: value for key, value in message.items() if key not in names}
    for name in names:
        note(notes, name)
    if thoughts_in(content) and isinstance(content, list):
        note(notes, "reasoning")
        bare["content"] = [part for part in content if not thoughts_in([part])]
    return message if bare == message else bare


def _renamed(message: Message, called: str, notes: Notes) -> Message:
    names = [name for name in NAMES if name in message and name != called]
    if not names:
        return message
    text = thoughts_of(message)
    renamed = {key: value for key, value in message.items() if key not in names}
    for name in names:
        note(notes, name, f"called {called}" if text else "")
    if text and not renamed.get(called):
        renamed[called] = _under(called, text)
    return renamed


def _given_back(
    message: Message, wanted: str, kept: list[Kept | None], notes: Notes
) -> Message:
    own = message.get(wanted)
    whole: object = None
    for one in kept:
        if one is not None and (one.thoughts or one.opaque):
            details = one.opaque if isinstance(one.opaque, list) else None
            if wanted == "reasoning_details" and details:
                whole = details
            elif one.thoughts:
                whole = _under(wanted, one.thoughts)
            break
    if whole is not None:
        how = "as it was thought"
    elif own and (not isinstance(own, str) or own == BLANK or own.strip()):
        return message
    elif text := thoughts_of(message):
        whole, how = _under(wanted, text), "what the client calls otherwise"
    else:
        whole, how = _under(wanted, BLANK), "blank: not known any more"
    if whole == own:
        return message
    note(notes, wanted, how)
    return {**message, wanted: whole}


def _under(name: str, text: str) -> object:
    if name == "reasoning_details":
        return [{"type": "reasoning.text", "text": text}]
    return text


def _signed(
    message: Message, kept: list[Kept | None], ours: bool, notes: Notes
) -> Message:
    """Each call with its own signature, and the first of them with any."""
    calls = list(message["tool_calls"])
    n = 0
    for at, call in enumerate(calls):
        if not isinstance(call, dict):
            continue
        one = kept[n] if n < len(kept) else None
        signature = one.signature if one is not None else ""
        n += 1
        own = signature_of(call)
        if not signature and n == 1 and (ours or not own):
            signature = PLACEHOLDER
        if signature and signature != own:
            how = "the placeholder" if signature == PLACEHOLDER else "as it was given"
            note(notes, "signature", how)
            calls[at] = with_signature(call, signature)
        elif ours and own and not signature:
            note(notes, "signature")
            calls[at] = {k: v for k, v in call.items() if k != "extra_content"}
    return {**message, "tool_calls": calls}


def signature_of(call: Message) -> str:
    extra = call.get("extra_content")
    google = extra.get("google") if isinstance(extra, dict) else None
    value = google.get("thought_signature") if isinstance(google, dict) else None
    return value if isinstance(value, str) else ""


def with_signature(call: Message, signature: str) -> Message:
    extra = call.get("extra_content")
    extra = extra if isinstance(extra, dict) else {}
    google = extra.get("google")
    google = google if isinstance(google, dict) else {}
    signed = {**extra, "google": {**google, "thought_signature": signature}}
    return {**call, "extra_content": signed}
