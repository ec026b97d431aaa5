"""Effort, sampling, forced tools and instructions of a Responses request."""

from llm_gateway.adaptation.vocabulary import Quirks
from llm_gateway.dialects.call_ids import fitting_id
from llm_gateway.dialects.conversation import as_list
from llm_gateway.dialects.efforts import nearest_effort
from llm_gateway.dialects.request_draft import Draft

SAMPLING = ("temperature", "top_p", "top_logprobs", "logprobs")


def adapt_effort(draft: Draft, quirks: Quirks) -> None:
    reasoning = draft.get("reasoning")
    if not isinstance(reasoning, dict) or "effort" not in reasoning:
        return
    level = reasoning["effort"]
    allowed = quirks.value("effort", "allowed")
    out = quirks.value("effort", "out") is not None
    if out or (allowed is not None and level is None):
        rest = {k: v for k, v in reasoning.items() if k != "effort"}
        if rest:
            draft.put("reasoning", rest, "effort")
        else:
            draft.drop("reasoning", "effort")
    elif allowed is not None and isinstance(level, str):
        new = nearest_effort(level, allowed.split(","))
        if new != level:
            draft.put("reasoning", {**reasoning, "effort": new}, "effort", new)


def thinks(draft: Draft, quirks: Quirks) -> bool:
    reasoning = draft.get("reasoning")
    level = reasoning.get("effort") if isinstance(reasoning, dict) else None
    return (level or quirks.value("effort", "default") or "none") != "none"


def adapt_sampling(draft: Draft, quirks: Quirks) -> None:
    for name in sorted(quirks.names("sampling") - {"thinking"}):
        if name not in draft.names():
            continue
        only = quirks.value("sampling", name)
        if not only or (only == "no_effort" and thinks(draft, quirks)):
            draft.drop(name)
        elif only == "no_effort":
            continue
        elif str(draft.get(name)) not in (only, f"{only}.0"):
            draft.put(name, float(only) if _is_number(only) else only, name, only)
    if quirks.value("sampling", "thinking") == "out" and thinks(draft, quirks):
        for name in SAMPLING:
            draft.drop(name)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def adapt_forced_tool(draft: Draft, quirks: Quirks) -> None:
    """A forced tool as `auto` and an instruction at the end of the input."""
    choice = draft.get("tool_choice")
    named = choice.get("name") if isinstance(choice, dict) else None
    is_forced = choice == "required" or (
        isinstance(choice, dict) and choice.get("type") in ("function", "custom")
    )
    how = quirks.value("tool_choice", "forced")
    if not is_forced or how not in ("auto", "out"):
        return
    text = "Call one of the tools now; do not answer with text alone."
    if isinstance(named, str) and named:
        text = f"Call the tool `{named}` now; do not answer with text alone."
    if how == "out":
        draft.drop("tool_choice")
    else:
        draft.put("tool_choice", "auto", "tool_choice", "auto and an instruction")
    given = draft.get("input")
    items: list[object] = as_list(given)
    if isinstance(given, str):
        items = [{"role": "user", "content": given}]
    items = [*items, {"role": "user", "content": text}]
    draft.put("input", items, "tool_choice", "auto and an instruction")


def adapt_instructions(draft: Draft, quirks: Quirks) -> None:
    """`instructions` as the first message, where the API puts them behind the input."""
    role = quirks.value("role", "instructions")
    said, given = draft.get("instructions"), draft.get("input")
    if role is None or not isinstance(said, str) or not said:
        return
    if draft.get("previous_response_id") is not None:
        return  # the first message is not in this request
    items: list[object] = as_list(given)
    if isinstance(given, str):
        items = [{"role": "user", "content": given}]
    draft.put("input", [{"role": role, "content": said}, *items], "instructions", role)
    draft.drop("instructions", "instructions")


def adapt_keys(draft: Draft, quirks: Quirks) -> None:
    """Top-level ids of the client's that have to match a pattern."""
    for name in sorted(quirks.names("id") - {"item", "call"}):
        given, pattern = draft.get(name), quirks.value("id", name)
        if isinstance(given, str) and pattern:
            new = fitting_id(given, pattern)
            if new != given:
                draft.put(name, new, name, "a hash of it")
