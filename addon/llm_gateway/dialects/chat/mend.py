"""Mends of chat answers: what breaks official SDKs, in a chunk of a stream or a plain answer.

Here a parsed chunk or answer is changed: calls in a second choice though one was asked for, a
list as content, a role said again or empty, a whole message as a stream's last frame, a
missing id or end. Whatever needs no mend is not touched.
"""

from collections.abc import Callable, Mapping

from llm_gateway.dialects.answer_observer import objects, text_of
from llm_gateway.dialects.chat.reasoning import thoughts_of, visible_text

Json = Mapping[str, object]
Object = dict[str, object]


def one_choice(choices: list[Object], inner: str, mended: set[str]) -> list[Object]:
    """All choices as one, where one was asked for. inner: `delta` or `message`."""
    if len(choices) == 1 and choices[0].get("index") in (0, None):
        return choices
    mended.add("choices")
    whole: Object = {}
    said: Object = {}
    for choice in choices:
        for name, value in choice.items():
            if name != inner and whole.get(name) in (None, ""):
                whole[name] = value
        part = choice.get(inner)
        if isinstance(part, dict):
            _join(said, part)
    whole["index"] = 0
    if any(choice.get("finish_reason") == "tool_calls" for choice in choices):
        whole["finish_reason"] = "tool_calls"
    if any(inner in choice for choice in choices):
        whole[inner] = said
    return [whole]


def _join(said: Object, part: Json) -> None:
    for name, value in part.items():
        had = said.get(name)
        if name != "role" and isinstance(had, str) and isinstance(value, str):
            said[name] = had + value
        elif isinstance(had, list) and isinstance(value, list):
            said[name] = [*had, *value]
        elif had in (None, ""):
            said[name] = value


def text_content(message: Object, mended: set[str]) -> None:
    """A list of chunks as content becomes a string, its thoughts `reasoning_content`."""
    content = message.get("content")
    if not isinstance(content, list):
        return
    thoughts = thoughts_of(message)
    message["content"] = visible_text(content)
    if thoughts:
        message["reasoning_content"] = thoughts
    mended.add("content")


def message_frame(choice: Object, said: bool, mended: set[str]) -> None:
    """A chunk with a whole message: what was said before in deltas is not said again."""
    message = choice.get("message")
    if not isinstance(message, dict) or choice.get("delta"):
        return
    delta: Object = {}
    if not said:
        delta = {k: v for k, v in message.items() if v is not None}
        if calls := objects(delta.get("tool_calls")):
            delta["tool_calls"] = [{"index": i} | c for i, c in enumerate(calls)]
    del choice["message"]
    choice["delta"] = delta
    mended.add("message")


def mended_choices(
    choices: list[Object], n: int, make_id: Callable[[int, str], str], mended: set[str]
) -> list[Object]:
    """The choices of a plain answer."""
    if n == 1:
        choices = one_choice(choices, "message", mended)
    for choice in choices:
        message = choice.get("message")
        if not isinstance(message, dict):
            continue
        text_content(message, mended)
        if "role" in message and message["role"] != "assistant":
            message["role"] = "assistant"
            mended.add("role")
        calls = objects(message.get("tool_calls"))
        seen: set[str] = set()
        for position, call in enumerate(calls):
            id, function = text_of(call.get("id")), call.get("function")
            name = text_of(function.get("name")) if isinstance(function, dict) else ""
            if not id or id in seen:
                call["id"] = id = make_id(position, name)
                mended.add("id")
            seen.add(id)
            if not call.get("type"):
                call["type"] = "function"
                mended.add("type")
        if not choice.get("finish_reason"):
            choice["finish_reason"] = "tool_calls" if calls else "stop"
            mended.add("finish_reason")
    return choices
