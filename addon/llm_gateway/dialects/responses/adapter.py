"""Adapter of Responses: writes what a provider's quirks ask for into a request.

OpenAI's models differ in effort, sampling and ids; other vendors' Responses read functions
and a few items, where Codex sends freeform tools, namespaces and items of its own. What each
wants is data (`Quirks`); nothing here knows a provider. Calls to tools that went under
another name are put back in the answer (`Adapted.restore`).
"""

from collections.abc import Mapping

from llm_gateway.adaptation.adapted import Adapted, AnswerNames
from llm_gateway.adaptation.kept_state import Recall
from llm_gateway.adaptation.vocabulary import Quirks
from llm_gateway.dialects.request_draft import Draft
from llm_gateway.dialects.request_members import (
    adapt_limits,
    adapt_members,
    refuse_endpoint,
)
from llm_gateway.dialects.responses.answer_names import RestoredNames
from llm_gateway.dialects.responses.items import adapt_items
from llm_gateway.dialects.responses.reasoning import (
    adapt_effort,
    adapt_forced_tool,
    adapt_instructions,
    adapt_keys,
    adapt_sampling,
)
from llm_gateway.dialects.responses.references import IN_BODY as REFERENCE
from llm_gateway.dialects.responses.references import with_items
from llm_gateway.dialects.responses.tool_forms import adapt_tools, forms_of

CORE = frozenset(
    {
        *("model", "input", "instructions", "tools", "tool_choice", "stream"),
        *("temperature", "top_p", "max_output_tokens", "reasoning", "text"),
        "parallel_tool_calls",
    }
)
"""Top-level members that every provider of the dialect takes."""
NEEDED = frozenset({"previous_response_id", "conversation", "prompt", "background"})
"""Members without which the request is another one."""


def needs_look(raw: bytes) -> bool:
    """May items stand in these bytes that mean something to their maker alone: encrypted
    ones, or references to what stands in an answer?"""
    return b'"encrypted_content"' in raw or REFERENCE in raw


def adapt(values: Mapping[str, object], quirks: Quirks, recall: Recall) -> Adapted:
    whole = with_items(values, recall)
    refers = whole is not values
    values = whole
    draft = Draft(values)
    if refers:
        draft.put("input", values["input"], "input", "what was made here, in full")
    refuse_endpoint(draft, quirks, "Responses")
    adapt_members(draft, quirks, CORE, NEEDED)
    forms = forms_of(quirks)
    names = adapt_tools(draft, quirks, forms)
    adapt_items(draft, quirks, recall, forms, names)
    adapt_instructions(draft, quirks)
    adapt_forced_tool(draft, quirks)
    adapt_effort(draft, quirks)
    adapt_sampling(draft, quirks)
    adapt_keys(draft, quirks)
    adapt_limits(draft, quirks)
    if names.has_others:

        def restore() -> AnswerNames:
            return RestoredNames(names)

        draft.restore = restore
    return draft.adapted()
