"""Embeddings request: `input`, texts or token ids -> Conversation."""

from llm_gateway.dialects.conversation import (
    Conversation,
)
from llm_gateway.dialects.prompt_size import (
    weigh,
)
from llm_gateway.dialects.request_settings import Values


def read_conversation(values: Values) -> Conversation:
    return Conversation(weigh(values.get("input")))
