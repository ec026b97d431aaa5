"""What a body asks for: one reader per dialect, each a row of `READERS`.

Values in, the fields of an `Ask` out. Anything that is not what it should be is read
as absent, since the provider will say so better than we could; the few fields on which
routing and limits rest are checked in body.py before.
"""

from collections.abc import Callable, Mapping
from hashlib import blake2b
from typing import NamedTuple

from llm_gateway.dialects.weigh import (
    BYTES_PER_TOKEN,
    PER_MESSAGE,
    Weight,
    size,
    weigh,
)
from llm_gateway.exchange import Dialect

Values = Mapping[str, object]

_HASHED = 32_768
"""Characters of system prompt and first message that tell conversations apart."""


class Talk(NamedTuple):
    """What the messages of a request say about it."""

    weight: Weight
    messages: int = 0
    conversation: str = ""
    initiator: str = "user"


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def _role(message: object) -> str:
    role = message.get("role") if isinstance(message, dict) else None
    return role if isinstance(role, str) else ""


def _content(message: object) -> object:
    return message.get("content") if isinstance(message, dict) else None


def _texts(content: object) -> list[str]:
    """The text of a content: parts count without their marks, which move between turns."""
    if isinstance(content, str):
        return [content]
    return [
        text
        for part in _list(content)
        if isinstance(part, dict) and isinstance(text := part.get("text"), str)
    ]


def _conversation(system: object, first: object) -> str:
    """A short hash, "" when there is nothing to tell one talk from another by."""
    texts = [*_texts(system), "\0", *_texts(first)]
    if len(texts) == 1:
        return ""
    digest = blake2b(digest_size=8)
    for text in texts:
        digest.update(text[:_HASHED].encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


def _weigh_messages(messages: list[object]) -> Weight:
    text = 0
    rest = []
    for message in messages:
        # The common case, without a walk: {"role": ..., "content": "..."}.
        if isinstance(message, dict) and len(message) == 2:
            content = message.get("content")
            if isinstance(content, str):
                text += size(content)
                continue
        rest.append(message)
    if not rest:
        return Weight(text)
    walked = weigh(rest)
    return walked._replace(text=text + walked.text)


def _chat(values: Values) -> Talk:
    messages = _list(values.get("messages"))
    system: list[str] = []
    first: object = None
    for message in messages:
        role = _role(message)
        if role == "user":
            first = _content(message)
            break
        if role in ("system", "developer"):
            system += _texts(_content(message))
    last = _role(messages[-1]) if messages else ""
    return Talk(
        _weigh_messages(messages),
        len(messages),
        _conversation([{"text": text} for text in system], first),
        "agent" if last in ("assistant", "tool", "function") else "user",
    )


def _messages(values: Values) -> Talk:
    messages = _list(values.get("messages"))
    system = values.get("system")
    first = next((_content(m) for m in messages if _role(m) == "user"), None)
    last = messages[-1] if messages else None
    # A tool's answer travels as a user message here.
    answers_tool = any(
        isinstance(part, dict) and part.get("type") == "tool_result"
        for part in _list(_content(last))
    )
    weight = _weigh_messages(messages)
    head = weigh(system)
    return Talk(
        weight._replace(text=weight.text + head.text),
        len(messages) + (1 if system else 0),
        _conversation(system, first),
        "agent" if answers_tool or _role(last) == "assistant" else "user",
    )


def _responses(values: Values) -> Talk:
    given = values.get("input")
    instructions = values.get("instructions")
    head = weigh(instructions)
    if isinstance(given, str):
        return Talk(
            Weight(head.text + size(given)),
            1 + (1 if instructions else 0),
            _conversation(instructions, given),
        )
    items = _list(given)
    system = _texts(instructions)
    first: object = None
    for item in items:
        role = _role(item)
        if role == "user":
            first = _content(item)
            break
        if role in ("system", "developer"):
            system += _texts(_content(item))
    weight = _weigh_messages(items)
    last = _role(items[-1]) if items else "user"
    return Talk(
        weight._replace(text=weight.text + head.text),
        len(items) + (1 if instructions else 0),
        _conversation([{"text": text} for text in system], first),
        "agent" if last in ("", "assistant") else "user",
    )


def _completions(values: Values) -> Talk:
    prompt, suffix = weigh(values.get("prompt")), weigh(values.get("suffix"))
    return Talk(prompt._replace(text=prompt.text + suffix.text))


def _embeddings(values: Values) -> Talk:
    return Talk(weigh(values.get("input")))


READERS: Mapping[Dialect, Callable[[Values], Talk]] = {
    Dialect.CHAT: _chat,
    Dialect.COMPLETIONS: _completions,
    Dialect.EMBEDDINGS: _embeddings,
    Dialect.RESPONSES: _responses,
    Dialect.MESSAGES: _messages,
}


def estimate(talk: Talk, schema_bytes: int) -> int:
    """Prompt tokens by the heuristic; `schema_bytes` is the JSON of the tools."""
    text = talk.weight.text + schema_bytes
    return -(-text // BYTES_PER_TOKEN) + PER_MESSAGE * talk.messages + talk.weight.media
