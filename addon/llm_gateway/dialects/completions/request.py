"""Legacy completions request: `prompt` and `suffix` -> Conversation."""

from llm_gateway.dialects.conversation import (
    Conversation,
)
from llm_gateway.dialects.prompt_size import (
    PromptSize,
    weigh,
)
from llm_gateway.dialects.request_settings import Values


def read_conversation(values: Values) -> Conversation:
    prompt, suffix = weigh(values.get("prompt")), weigh(values.get("suffix"))
    return Conversation(
        PromptSize(prompt.text + suffix.text, prompt.media, prompt.images)
    )
