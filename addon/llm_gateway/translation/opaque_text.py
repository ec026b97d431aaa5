"""Opaque state in the opaque fields of clients: marked as ours, or its maker's own."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from llm_gateway.adaptation.marked_state import marked, read_mark
from llm_gateway.translation.codec import AnswerContext
from llm_gateway.translation.conversation import Opaque, Part, Thought, ToolCall


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


def write_call_state(state: Opaque | None, context: AnswerContext) -> str:
    """For the thought before a call, where the client has no field on calls: what signs the
    call travels there."""
    return write_opaque(state and replace(state, form="call"), context)


def with_call_states(parts: Iterable[Part]) -> Iterator[Part]:
    """Parts of a turn as they were before `write_call_state`: the next call is signed again,
    and its thought stands for itself."""
    held: Opaque | None = None
    for part in parts:
        state = part.state if isinstance(part, Thought) else None
        if isinstance(part, Thought) and state is not None and state.form == "call":
            held = replace(state, form="signature")
            yield Thought(part.text, Opaque("", state.maker, "plain"))
        elif isinstance(part, ToolCall) and held is not None:
            yield replace(part, state=held)
            held = None
        else:
            yield part
