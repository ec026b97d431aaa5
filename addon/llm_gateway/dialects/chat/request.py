"""Chat completions request: `messages` -> Conversation."""

from llm_gateway.dialects.conversation import (
    Conversation,
    as_list,
    content_of,
    role_of,
    talk_hashes,
    texts_in,
    weigh_messages,
)
from llm_gateway.dialects.request_settings import Values


def read_conversation(values: Values) -> Conversation:
    messages = as_list(values.get("messages"))
    system: list[str] = []
    first: object = None
    for message in messages:
        role = role_of(message)
        if role == "user":
            first = content_of(message)
            break
        if role in ("system", "developer"):
            system += texts_in(content_of(message))
    conversation, opening = talk_hashes(system, first)
    weighed = weigh_messages(messages)
    last = role_of(messages[-1]) if messages else ""
    return Conversation(
        weighed.size,
        len(messages),
        conversation,
        "agent" if last in ("assistant", "tool", "function") else "user",
        opening,
        "messages" if weighed.mere_text else "",
    )
