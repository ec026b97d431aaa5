"""Reasoning items that we have marked: thoughts of another dialect's model, in a native request.

Whatever else is known of a provider, it cannot read them, and looks in vain for their ids.
"""

from llm_gateway.adaptation.marked_state import IN_BODY, is_marked
from llm_gateway.adaptation.vocabulary import Quirks
from llm_gateway.dialects.answer_observer import Json, objects, text_of
from llm_gateway.dialects.responses import references

MARKS_OUT = Quirks.parse("reasoning:foreign=out")
"""Unless the provider reads plain thoughts."""


def may_have_marks(raw: bytes) -> bool:
    """A quick look at the bytes of a body, for marks and for references to what had them."""
    return IN_BODY in raw or references.IN_BODY in raw


def has_marks(values: Json) -> bool:
    return any(
        is_marked(text_of(item.get("encrypted_content")))
        for item in objects(values.get("input"))
    )
