"""Thinking blocks that we have marked: thoughts of another dialect's model, in a native request.

Whatever else is known of a provider, it cannot read them.
"""

from llm_gateway.adaptation.marked_state import is_marked
from llm_gateway.adaptation.vocabulary import Quirks
from llm_gateway.dialects.answer_observer import Json, objects, text_of

MARKS_OUT = Quirks.parse("reasoning:foreign=out")
"""Unless the provider reads plain thoughts."""


def has_marks(values: Json) -> bool:
    return any(
        is_marked(text_of(block.get(name)))
        for message in objects(values.get("messages"))
        if message.get("role") == "assistant"
        for block in objects(message.get("content"))
        for name in ("signature", "data")
    )
