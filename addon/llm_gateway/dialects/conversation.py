"""Conversation of a request: prompt size, messages, the hash that affinity goes by.

What the dialects' readers of a request share. Anything that is not what it should be is
read as absent, since the provider will say so better than we could; the few fields on
which routing and limits rest are checked in request_body.py before.
"""

from collections.abc import Iterable, Sequence
from hashlib import blake2b
from typing import NamedTuple

from llm_gateway.dialects.prompt_size import (
    BYTES_PER_TOKEN,
    PER_MESSAGE,
    PromptSize,
    size,
    weigh,
)

ROLES = frozenset({"user", "assistant", "system", "developer", "tool", "function"})
_HASHED = 32_768
"""Characters of system prompt and first message that tell conversations apart."""


class Conversation(NamedTuple):
    """What the messages of a request say about it."""

    weight: PromptSize
    messages: int = 0
    conversation: str = ""
    initiator: str = "user"
    opening: str = ""
    """Hash of the first user text alone: apps put the date into the system text."""
    mere_text: str = ""
    """Name of the member that holds the messages, where each of them is a role and a text:
    nothing is referred to in there, and nothing is anybody's state."""


def as_list(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def role_of(message: object) -> str:
    role = message.get("role") if isinstance(message, dict) else None
    return role if isinstance(role, str) else ""


def content_of(message: object) -> object:
    return message.get("content") if isinstance(message, dict) else None


def texts_in(content: object) -> list[str]:
    """The text of a content: parts count without their marks, which move between turns."""
    if isinstance(content, str):
        return [content]
    return [
        text
        for part in as_list(content)
        if isinstance(part, dict) and isinstance(text := part.get("text"), str)
    ]


def conversation_hash(system: object, first: object) -> str:
    """A short hash, "" when there is nothing to tell one talk from another by."""
    return talk_hashes(texts_in(system), first)[0]


def talk_hashes(instructions: Sequence[str], first: object) -> tuple[str, str]:
    """Short hashes that tell one talk from another: (of all, of the first user text).

    "" where there is no text.
    """
    digest = blake2b(digest_size=8)
    opening = ""
    if texts := texts_in(first):
        for text in texts:
            digest.update(text[:_HASHED].encode("utf-8", "surrogatepass"))
        opening = digest.hexdigest()
    for text in instructions:
        digest.update(b"\0" + text[:_HASHED].encode("utf-8", "surrogatepass"))
    return digest.hexdigest() if instructions else opening, opening


def session_hash(named: Iterable[str]) -> str:
    """A short hash of what an app's headers say of its session; "" where they say nothing.

    It outlives what the texts do not: a summary in place of the first turns, a new date.
    """
    said = [name for name in named if name]
    if not said:
        return ""
    text = "\0".join(("session", *said))
    return blake2b(text.encode("utf-8", "surrogateescape"), digest_size=8).hexdigest()


class Weighed(NamedTuple):
    size: PromptSize
    mere_text: bool
    """Each message is a role and a text, and nothing else."""


def weigh_messages(messages: list[object]) -> Weighed:
    text = 0
    rest = []
    roles = set()
    for message in messages:
        # The common case, without a walk: {"role": ..., "content": "..."}.
        if isinstance(message, dict) and len(message) == 2:
            content = message.get("content")
            if isinstance(content, str):
                text += size(content)
                roles.add(role_of(message))
                continue
        rest.append(message)
    if not rest:
        return Weighed(PromptSize(text), roles <= ROLES)
    walked = weigh(rest)
    return Weighed(walked._replace(text=text + walked.text), False)


def estimate(conversation: Conversation, schema_bytes: int) -> int:
    """Prompt tokens by the heuristic; `schema_bytes` is the JSON of the tools."""
    text = conversation.weight.text + schema_bytes
    return (
        -(-text // BYTES_PER_TOKEN)
        + PER_MESSAGE * conversation.messages
        + conversation.weight.media
    )
