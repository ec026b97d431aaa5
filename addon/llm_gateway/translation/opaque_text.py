"""Opaque state in the opaque fields of clients: marked as ours, or its maker's own."""

from llm_gateway.adaptation.marked_state import marked, read_mark
from llm_gateway.translation.codec import AnswerContext
from llm_gateway.translation.conversation import Opaque


def read_opaque(text: str, form: str) -> Opaque | None:
    """What a client sends back. form: what it is where it is not marked."""
    if not text:
        return None
    if (mark := read_mark(text)) is None:
        return Opaque(text, form=form)
    return Opaque(mark.data, mark.maker, mark.form, mark.id)


def write_opaque(state: Opaque | None, context: AnswerContext) -> str:
    """What a client gets; of a thought without state its maker alone."""
    if state is None:
        return marked(context.maker, "plain", "")
    return marked(state.maker or context.maker, state.form, state.data, state.id)
