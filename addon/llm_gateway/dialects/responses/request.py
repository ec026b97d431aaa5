"""OpenAI Responses request: `instructions` and `input` -> Conversation."""

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
    PromptSize,
    size,
    weigh,
)
from llm_gateway.dialects.request_settings import Values


def read_conversation(values: Values) -> Conversation:
    given = values.get("input")
    instructions = values.get("instructions")
    head = weigh(instructions)
    if isinstance(given, str):
        conversation, opening = talk_hashes(texts_in(instructions), given)
        return Conversation(
            PromptSize(head.text + size(given)),
            1 + (1 if instructions else 0),
            conversation,
            opening=opening,
            mere_text="input",
        )
    items = as_list(given)
    system = texts_in(instructions)
    first: object = None
    for item in items:
        role = role_of(item)
        if role == "user":
            first = content_of(item)
            break
        if role in ("system", "developer"):
            system += texts_in(content_of(item))
    conversation, opening = talk_hashes(system, first)
    weight, mere_text = weigh_messages(items)
    last = role_of(items[-1]) if items else "user"
    return Conversation(
        weight._replace(text=weight.text + head.text),
        len(items) + (1 if instructions else 0),
        conversation,
        "agent" if last in ("", "assistant") else "user",
        opening,
        "input" if mere_text else "",
    )
