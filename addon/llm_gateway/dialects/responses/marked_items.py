"""Reasoning items that we have marked: thoughts of another dialect's model, in a native request.

Whatever else is known of a provider, it cannot read them, and looks in vain for their ids.
"""

from llm_gateway.adaptation.marked_state import is_marked
from llm_gateway.adaptation.vocabulary import Quirks
from llm_gateway.dialects.answer_observer import Json, objects, text_of

MARKS_OUT = Quirks.parse("reasoning:foreign=out")
"""Unless the provider reads plain thoughts."""


def has_marks(values: Json) -> bool:
    return any(
        is_marked(text_of(item.get("encrypted_content")))
        for item in objects(values.get("input"))
    )
