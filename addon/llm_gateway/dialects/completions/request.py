"""Legacy completions request: `prompt` and `suffix` -> Conversation."""

from llm_gateway.dialects.conversation import (
    Conversation,
)
from llm_gateway.dialects.prompt_size import (
    weigh,
)
from llm_gateway.dialects.request_settings import Values


def read_conversation(values: Values) -> Conversation:
    prompt, suffix = weigh(values.get("prompt")), weigh(values.get("suffix"))
    return Conversation(prompt._replace(text=prompt.text + suffix.text))
