"""Adapter of chat requests: what a provider's quirks ask for, written into the body.

The same history gives the same bytes, always; what is not named stays as the client wrote
it. Who calls it has quirks for this provider and model, or `needs_look` said so.

Order matters in the history: thoughts are looked up by the ids that calls came with, pairs
are made before ids are fitted, and content is plain before turns are merged.
"""

from collections.abc import Mapping

from llm_gateway.adaptation.adapted import UNCHANGED, Adapted
from llm_gateway.adaptation.kept_state import Recall
from llm_gateway.adaptation.vocabulary import Quirks
from llm_gateway.dialects.chat.call_ids import fit_ids
from llm_gateway.dialects.chat.call_pairs import adapt_calls
from llm_gateway.dialects.chat.contents import adapt_content, adapt_members
from llm_gateway.dialects.chat.foreign import may_hold_state, without_foreign
from llm_gateway.dialects.chat.response_format import (
    adapt_format,
    with_first_instruction,
)
from llm_gateway.dialects.chat.roles import (
    adapt_order,
    adapt_roles,
    may_be_broken,
    mended,
)
from llm_gateway.dialects.chat.settings import adapt_settings, renames
from llm_gateway.dialects.chat.thoughts import adapt_thoughts
from llm_gateway.dialects.chat.tools import adapt_choice, adapt_tools, with_instruction
from llm_gateway.dialects.chat.turns import Messages, Notes, note, role_of
from llm_gateway.dialects.chat.unfit import why_unfit

__all__ = ["adapt", "needs_look"]


def needs_look(raw: bytes) -> bool:
    """May there be something in these bytes that is mended for everybody?"""
    return may_be_broken(raw) or may_hold_state(raw)


def adapt(values: Mapping[str, object], quirks: Quirks, recall: Recall) -> Adapted:
    """Edits of the top level for one provider's quirks. Never raises on any JSON."""
    notes: Notes = {}
    new = dict(values)
    messages = values.get("messages")
    if isinstance(messages, list):
        new["messages"] = without_foreign(mended(messages, notes), recall, notes)
    if quirks:
        if unfit := why_unfit(new, quirks):
            return Adapted(unfit=unfit)
        adapt_settings(new, quirks, notes)
        new["tools"] = adapt_tools(values.get("tools"), quirks, notes)
        if "tools" not in values:
            del new["tools"]
        said = adapt_choice(new, new.get("tools"), quirks, notes)
        schema = adapt_format(new, quirks, notes)
        if isinstance(messages, list):
            messages = new["messages"]
            if schema and isinstance(messages, list):
                messages = with_first_instruction(messages, schema)
            adapted = _history(messages, quirks, recall, notes)
            if said:
                adapted = with_instruction(adapted, said)
            new["messages"] = adapted
    return _edits(values, new, quirks, notes)


def _history(
    messages: object, quirks: Quirks, recall: Recall, notes: Notes
) -> Messages:
    assert isinstance(messages, list)
    history: Messages = messages
    history = adapt_roles(history, quirks, notes)
    history = adapt_thoughts(history, quirks, recall, notes)
    history = adapt_calls(history, quirks, notes)
    # A turn that was split has first calls of its own.
    if quirks.value("tools", "single") is not None:
        history = adapt_thoughts(history, quirks, recall, notes)
    if pattern := quirks.value("id", "call"):
        history = fit_ids(history, pattern, notes)
    history = adapt_members(history, quirks, notes)
    history = adapt_content(history, quirks, notes)
    history = adapt_order(history, quirks, notes)
    return _prefixed(history, quirks, notes)


def _prefixed(messages: Messages, quirks: Quirks, notes: Notes) -> Messages:
    """The beginning of an answer, marked as one."""
    last = messages[-1] if messages else None
    if (
        quirks.value("role", "last") == "prefix"
        and role_of(last) == "assistant"
        and isinstance(last, dict)
        and not last.get("tool_calls")
        and last.get("prefix") is not True
    ):
        note(notes, "prefix", "true")
        return [*messages[:-1], {**last, "prefix": True}]
    return messages


def _edits(
    values: Mapping[str, object],
    new: dict[str, object],
    quirks: Quirks,
    notes: Notes,
) -> Adapted:
    renamed: dict[str, str] = {}
    dropped = {name for name in values if name not in new}
    for old, name in renames(new, quirks).items():
        note(notes, old, f"called {name}")
        if name in new or name in renamed.values():
            dropped.add(old)
            new.pop(old, None)
        else:
            renamed[old] = name
    replaced = {
        name: value
        for name, value in new.items()
        if name not in values or (value is not values[name] and value != values[name])
    }
    if not (replaced or dropped or renamed):
        return UNCHANGED
    return Adapted(replaced, frozenset(dropped), renamed, tuple(notes))
