"""Adapter of Messages: writes what a provider's quirks ask for into a request.

Claude's generations differ in thinking, effort, forced tools, sampling and prefill; other
vendors' Messages know a part of the members, blocks, tools and betas. What each wants is
data (`Quirks`); nothing here knows a provider.
"""

from collections.abc import Mapping

from llm_gateway.adaptation.adapted import Adapted
from llm_gateway.adaptation.kept_state import Recall
from llm_gateway.adaptation.vocabulary import Quirks
from llm_gateway.dialects.conversation import as_list, role_of
from llm_gateway.dialects.messages.betas import IN_BODY, edit_betas, with_members
from llm_gateway.dialects.messages.history import adapt_cache_marks, adapt_history
from llm_gateway.dialects.messages.system_roles import place_system
from llm_gateway.dialects.messages.thinking import (
    adapt_thinking,
    can_drop_blocks,
    retype,
    thinks,
)
from llm_gateway.dialects.messages.thoughts import plan_of
from llm_gateway.dialects.messages.tool_forms import adapt_choice, adapt_tools
from llm_gateway.dialects.request_draft import Draft
from llm_gateway.dialects.request_members import (
    adapt_limits,
    adapt_members,
    refuse_endpoint,
)

CORE = frozenset(
    {
        *(
            "model",
            "messages",
            "max_tokens",
            "system",
            "stream",
            "tools",
            "tool_choice",
        ),
        *("temperature", "top_p", "stop_sequences", "thinking", *IN_BODY),
    }
)
"""Top-level members that every provider of the dialect takes."""


def needs_look(raw: bytes) -> bool:
    """May blocks stand in these bytes that mean something to their maker alone?"""
    return b'"signature"' in raw or b'"redacted_thinking"' in raw


def adapt(values: Mapping[str, object], quirks: Quirks, recall: Recall) -> Adapted:
    quirks = with_members(quirks)
    draft = Draft(values)
    refuse_endpoint(draft, quirks, "Messages")
    adapt_members(draft, quirks, CORE)
    retype(draft, quirks)
    adapt_tools(draft, quirks)
    place_system(draft, quirks)
    binds = quirks.value("state", "block_binding") == "drop_block"
    plan = plan_of(
        quirks,
        bound=binds and not can_drop_blocks(draft, quirks),
        thinks=thinks(draft, quirks, unless_told=True),
    )
    adapt_history(draft, quirks, recall, plan)
    adapt_cache_marks(draft, quirks)
    adapt_choice(draft, quirks)
    edit_betas(draft, quirks, adapt_thinking(draft, quirks))
    adapt_limits(draft, quirks)
    if _is_prefill(draft, quirks):
        draft.cannot("does not go on from a text of the assistant")
    return draft.adapted()


def _is_prefill(draft: Draft, quirks: Quirks) -> bool:
    """The assistant has the last word, and is to go on from there. A turn that waits for
    the provider's own tools is none."""
    if quirks.value("role", "last") is None and (
        quirks.value("role", "last_thinking") is None or not thinks(draft, quirks)
    ):
        return False
    last = next(iter(as_list(draft.get("messages"))[-1:]), None)
    if not isinstance(last, dict) or role_of(last) != "assistant":
        return False
    kinds = [b.get("type") for b in as_list(last.get("content")) if isinstance(b, dict)]
    return not any(isinstance(k, str) and k.startswith("server_") for k in kinds)
