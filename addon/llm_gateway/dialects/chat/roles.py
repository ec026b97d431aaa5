"""Roles and turns of a chat history, in the order that a provider takes them.

    always                        `assistantassistant` and an empty role are `assistant`
    role:developer=system
    role:user=wanted              the last text of the system is the user's, where none is
    role:system=first             later ones are the user's text; `one`: the first ones are
                                  one message; `user`: all are the user's text
    role:same=merged              two turns of the same role are one
    role:assistant=after_tool     an assistant's turn stands between a tool's and a user's
    content:empty                 turns that say nothing are left out

Later texts of the system stay where they are, as the user's: moved to the front they would
change every turn behind them.
"""

import re

from llm_gateway.adaptation.vocabulary import Quirks
from llm_gateway.dialects.chat.turns import (
    Message,
    Messages,
    Notes,
    joined,
    note,
    role_of,
    text_parts,
    texts_of,
)

BETWEEN = "OK."
"""What an assistant says between a tool and a user."""
_REPEATED = re.compile(r"(?:assistant)*")
_LOOK = re.compile(rb'"role"\s*:\s*(?:""|null|"(?:assistant){2,}")')


def may_be_broken(raw: bytes) -> bool:
    """May a role be mended in these bytes? A quick look, before any quirk is known of."""
    return _LOOK.search(raw) is not None


def mended(messages: Messages, notes: Notes) -> Messages:
    """Roles that a stream helper joined or lost are `assistant`. Always, for everybody."""
    adapted = []
    changed = False
    for message in messages:
        if isinstance(message, dict) and _is_broken(message):
            message = {**message, "role": "assistant"}
            changed = True
        adapted.append(message)
    if not changed:
        return messages
    note(notes, "roles", "assistant")
    return adapted


def _is_broken(message: Message) -> bool:
    role = message.get("role", "unknown")
    if role is None:
        return "content" in message or "tool_calls" in message
    return (
        isinstance(role, str)
        and role != "assistant"
        and _REPEATED.fullmatch(role) is not None
    )


def adapt_roles(messages: Messages, quirks: Quirks, notes: Notes) -> Messages:
    if called := quirks.value("role", "developer"):
        messages = [
            _as_role(m, called, notes) if role_of(m) == "developer" else m
            for m in messages
        ]
    system = quirks.value("role", "system")
    if system in ("first", "one", "user"):
        messages = _system(messages, system, notes)
    if quirks.value("role", "user") and not any(role_of(m) == "user" for m in messages):
        for at in reversed(range(len(messages))):
            if role_of(messages[at]) in ("system", "developer"):
                as_user = _as_role(messages[at], "user", notes)
                messages = [*messages[:at], as_user, *messages[at + 1 :]]
                break
    return messages


def _as_role(message: Message, role: str, notes: Notes) -> Message:
    note(notes, "roles", f"{role_of(message)} as {role}")
    return {**message, "role": role}


def _system(messages: Messages, how: str, notes: Notes) -> Messages:
    leading = 0
    while leading < len(messages) and role_of(messages[leading]) == "system":
        leading += 1
    first = messages[:leading]
    if how == "user":
        first = [_as_role(m, "user", notes) for m in first]
    elif how == "one" and leading > 1:
        texts = [_plain(m.get("content")) for m in first]
        if all(text is not None for text in texts):
            whole = "\n\n".join(text for text in texts if text)
            first = [{**first[0], "content": whole}]
            note(notes, "roles", "one system message")
    rest = [
        _as_role(m, "user", notes) if role_of(m) == "system" else m
        for m in messages[leading:]
    ]
    return [*first, *rest]


def _plain(content: object) -> str | None:
    """A content as one text; None: it is more than text."""
    if content is None or isinstance(content, str):
        return content or ""
    parts = text_parts(content)
    return None if parts is None else joined(texts_of(parts))


def adapt_order(messages: Messages, quirks: Quirks, notes: Notes) -> Messages:
    if quirks.value("content", "empty") is not None:
        full = [m for m in messages if not _says_nothing(m)]
        if 0 < len(full) < len(messages):
            note(notes, "content", "without empty turns")
            messages = full
    if quirks.value("role", "same"):
        messages = _merged(messages, notes)
    if quirks.value("role", "assistant") == "after_tool":
        messages = _between(messages, notes)
    return messages


def _says_nothing(message: object) -> bool:
    if role_of(message) not in ("assistant", "user", "system", "developer"):
        return False
    assert isinstance(message, dict)
    content = message.get("content")
    if isinstance(content, list) and (parts := text_parts(content)) is not None:
        content = "".join(texts_of(parts))
    empty = content is None or content == [] or content == ""
    return empty and not message.get("tool_calls") and not message.get("function_call")


def _merged(messages: Messages, notes: Notes) -> Messages:
    adapted: Messages = []
    for message in messages:
        before = adapted[-1] if adapted else None
        role = role_of(message)
        if role in ("user", "assistant", "system") and role_of(before) == role:
            assert isinstance(before, dict)
            adapted[-1] = _both(before, message)
            note(notes, "roles", "two turns of a role as one")
        else:
            adapted.append(message)
    return adapted


def _both(one: Message, two: Message) -> Message:
    first, second = one.get("content"), two.get("content")
    both: object
    if isinstance(first, list) or isinstance(second, list):
        both = [*_as_parts(first), *_as_parts(second)]
    elif first and second:
        both = f"{first}\n\n{second}"
    else:
        both = first or second or first
    merged = {**one, **{k: v for k, v in two.items() if v is not None}, "content": both}
    if calls := [*_calls(one), *_calls(two)]:
        merged["tool_calls"] = calls
    return merged


def _calls(message: Message) -> list[object]:
    calls = message.get("tool_calls")
    return calls if isinstance(calls, list) else []


def _as_parts(content: object) -> list[object]:
    if isinstance(content, list):
        return content
    return [{"type": "text", "text": content}] if content else []


def _between(messages: Messages, notes: Notes) -> Messages:
    adapted: Messages = []
    for message in messages:
        if role_of(message) == "user" and adapted and role_of(adapted[-1]) == "tool":
            adapted.append({"role": "assistant", "content": BETWEEN})
            note(notes, "roles", "an assistant's turn between tool and user")
        adapted.append(message)
    return adapted
