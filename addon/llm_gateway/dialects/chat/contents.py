"""Members and content of a chat history, as plain as a provider takes them.

message:channel, message:*     members of messages that are left out; `*`: all but the core
call:index, call:*             those of calls and of their functions
part:cache_control             those of parts
content:text                   lists of texts as one string; `=history`: not the user's
content:null                   "" for null and for nothing
"""

from collections.abc import Callable

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

CORE = frozenset({"role", "content", "name", "tool_calls", "tool_call_id"})
NEVER_OUT = CORE - {"name"}
CALL_CORE = frozenset({"id", "type", "function"})
FUNCTION_CORE = frozenset({"name", "arguments"})
_PART_CORE = frozenset({"type", "text", "image_url", "input_audio", "file", "refusal"})


def adapt_members(messages: Messages, quirks: Quirks, notes: Notes) -> Messages:
    of_messages = quirks.names("message")
    of_calls = quirks.names("call")
    of_parts = quirks.names("part")
    if not (of_messages or of_calls or of_parts):
        return messages
    wanted = {
        quirks.value("reasoning", "wanted") or "",
        quirks.value("reasoning", "as") or "",
    }
    stays = _stays(of_messages, CORE | wanted, NEVER_OUT | wanted)
    signed = quirks.value("signature", "google") is not None
    extra = {"extra_content"} if signed else set[str]()
    call_stays = _stays(of_calls, CALL_CORE | extra, CALL_CORE | extra)
    function_stays = _stays(of_calls, FUNCTION_CORE, FUNCTION_CORE)
    part_stays = _stays(of_parts, _PART_CORE, _PART_CORE - {"refusal"})
    last = len(messages) - 1
    adapted = []
    for at, message in enumerate(messages):
        if isinstance(message, dict):
            if of_messages and not message.keys() <= CORE:
                message = _bare(message, _with_needs(stays, message, at == last), notes)
            elif "name" in of_messages:
                message = _bare(message, stays, notes)
            if of_calls and isinstance(message.get("tool_calls"), list):
                message = _each(
                    message,
                    "tool_calls",
                    lambda call: _bare_call(call, call_stays, function_stays, notes),
                )
            if of_parts and isinstance(message.get("content"), list):
                message = _each(
                    message, "content", lambda part: _bare(part, part_stays, notes)
                )
        adapted.append(message)
    return adapted


def _stays(
    names: frozenset[str], core: frozenset[str], never_out: frozenset[str]
) -> Callable[[str], bool]:
    """Does a member of this name stay? Those of the core that are named as well go."""
    if "*" in names:
        kept = (core - names) | never_out
        return kept.__contains__
    out = names - never_out
    return lambda name: name not in out


def _with_needs(
    stays: Callable[[str], bool], message: Message, last: bool
) -> Callable[[str], bool]:
    """A call of the old form, and a beginning of the answer, are no extras."""
    needs = set()
    if isinstance(message.get("function_call"), dict):
        needs.add("function_call")
    if last and message.get("prefix") is True:
        needs.add("prefix")
    return (lambda name: name in needs or stays(name)) if needs else stays


def _bare(holder: Message, stays: Callable[[str], bool], notes: Notes) -> Message:
    gone = [name for name in holder if not stays(name)]
    if not gone:
        return holder
    for name in gone:
        note(notes, name)
    return {name: value for name, value in holder.items() if name not in gone}


def _bare_call(
    call: Message,
    stays: Callable[[str], bool],
    function_stays: Callable[[str], bool],
    notes: Notes,
) -> Message:
    bare = _bare(call, stays, notes)
    if isinstance(function := bare.get("function"), dict):
        inner = _bare(function, function_stays, notes)
        if inner is not function:
            return {**bare, "function": inner}
    return bare


def _each(
    message: Message, member: str, change: Callable[[Message], Message]
) -> Message:
    """The message with every object of one of its lists changed."""
    old = message[member]
    new = [change(one) if isinstance(one, dict) else one for one in old]
    same = all(a is b for a, b in zip(old, new, strict=True))
    return message if same else {**message, member: new}


def adapt_content(messages: Messages, quirks: Quirks, notes: Notes) -> Messages:
    text = quirks.value("content", "text")
    null = quirks.value("content", "null") is not None
    if text is None and not null:
        return messages
    adapted = []
    for message in messages:
        if isinstance(message, dict):
            content = message.get("content")
            if text is not None and isinstance(content, list):
                users = role_of(message) not in ("assistant", "tool")
                parts = None if users and text == "history" else text_parts(content)
                if parts is not None:
                    message = {**message, "content": joined(texts_of(parts))}
                    note(notes, "content", "as one text")
            elif null and content is None:
                message = {**message, "content": ""}
                note(notes, "content", "empty instead of null")
        adapted.append(message)
    return adapted
