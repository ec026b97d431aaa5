"""Anthropic Messages request: `system` and `messages` -> Conversation."""

from llm_gateway.dialects.conversation import (
    Conversation,
    as_list,
    content_of,
    role_of,
    talk_hashes,
    texts_in,
    weigh_messages,
)
from llm_gateway.dialects.prompt_size import (
    weigh,
)
from llm_gateway.dialects.request_settings import Values


def read_conversation(values: Values) -> Conversation:
    messages = as_list(values.get("messages"))
    system = values.get("system")
    first = next((content_of(m) for m in messages if role_of(m) == "user"), None)
    last = messages[-1] if messages else None
    # A tool's answer travels as a user message here.
    answers_tool = any(
        isinstance(part, dict) and part.get("type") == "tool_result"
        for part in as_list(content_of(last))
    )
    conversation, opening = talk_hashes(texts_in(system), first)
    weight, mere_text = weigh_messages(messages)
    head = weigh(system)
    return Conversation(
        weight._replace(text=weight.text + head.text),
        len(messages) + (1 if system else 0),
        conversation,
        "agent" if answers_tool or role_of(last) == "assistant" else "user",
        opening,
        "messages" if mere_text else "",
    )
