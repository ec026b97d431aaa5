"""Thinking, effort, sampling: what a model takes of them, and what has to give way.

A forced tool wins over thinking where the model takes one; thinking wins over sampling.
"""

from typing import NamedTuple

from llm_gateway.adaptation.vocabulary import Quirks, number_of
from llm_gateway.dialects.conversation import as_list, role_of
from llm_gateway.dialects.efforts import nearest_effort
from llm_gateway.dialects.messages.betas import BINDING
from llm_gateway.dialects.messages.tool_forms import choice_of
from llm_gateway.dialects.request_draft import Draft

BUDGETS = {"minimal": 1_024, "low": 2_048, "medium": 8_192, "high": 16_384}
"""Tokens of manual thinking for a model that knows no effort; more is `LARGEST`."""
LARGEST = 32_000
LEAST = 1_024
"""A budget below it is refused, and so is one that leaves the answer no room."""
THOUGHTS = ("thinking", "redacted_thinking")
SAMPLING = ("temperature", "top_p", "top_k")


class Thinking(NamedTuple):
    """How a request asks for thoughts."""

    type: str
    """"": no member, or none that can be read; `untyped`: a budget alone."""
    value: dict[str, object]


def thinking_of(draft: Draft) -> Thinking:
    value = draft.get("thinking")
    if not isinstance(value, dict):
        return Thinking("", {})
    kind = value.get("type")
    if isinstance(kind, str):
        return Thinking(kind, value)
    return Thinking("untyped" if "budget_tokens" in value else "", value)


def thinks(draft: Draft, quirks: Quirks, *, unless_told: bool = False) -> bool:
    """unless_told: what a request without the switch does is not known."""
    kind = thinking_of(draft).type
    if not kind:
        return unless_told or quirks.value("thinking", "default") == "on"
    return kind != "disabled"


def adapt_thinking(draft: Draft, quirks: Quirks) -> tuple[str, ...]:
    """Switch, effort and sampling, after `retype`, tools and history. Gives betas to add."""
    if _has_to_rest(draft, quirks):
        _switch_off(draft, quirks)
    betas = _bind(draft, quirks)
    _adapt_effort(draft, quirks)
    _adapt_sampling(draft, quirks)
    return betas


def retype(draft: Draft, quirks: Quirks) -> None:
    """A thinking type that is refused becomes the nearest that is taken."""
    kind, value = thinking_of(draft)
    new = quirks.value("thinking", kind) if kind else None
    binding = quirks.value("thinking", "block_binding")
    if binding == "out" and "block_binding" in value:
        value = {k: v for k, v in value.items() if k != "block_binding"}
        draft.put("thinking", value, "thinking", "without block_binding")
    if new is None or new == kind:
        return
    if new != "out" and quirks.value("thinking", new) is not None:
        new = "out"  # neither is taken
    rest = {k: v for k, v in value.items() if k not in ("type", "budget_tokens")}
    if new == "out":
        draft.drop("thinking", "thinking")
    elif new == "enabled":
        _enable(draft, rest, value.get("budget_tokens"))
    elif kind in ("enabled", "untyped") and "display" not in rest:
        # A budget asks for thoughts that can be read.
        display = quirks.value("thinking", "display")
        shown = {"display": display} if display and new == "adaptive" else {}
        draft.put("thinking", {"type": new, **rest, **shown}, "thinking", new)
    else:
        draft.put("thinking", {"type": new, **rest}, "thinking", new)
    if kind == "disabled" and new in ("adaptive", "out"):
        # The nearest to no thoughts at all.
        _set_effort(draft, "low")


def _enable(draft: Draft, rest: dict[str, object], budget: object) -> None:
    """Manual thinking, with as many tokens as the effort stands for, or none at all where
    the answer is to be too short for it."""
    if budget is None:
        level = _effort_of(draft)
        budget = BUDGETS.get(level, LARGEST) if level else BUDGETS["high"]
        most = draft.get("max_tokens")
        if type(most) is int and budget >= most:
            budget = most - 1
        if budget < LEAST:
            draft.drop("thinking", "thinking")
            return
    value = {"type": "enabled", "budget_tokens": budget, **rest}
    draft.put("thinking", value, "thinking", "enabled")


def _has_to_rest(draft: Draft, quirks: Quirks) -> bool:
    if not thinks(draft, quirks):
        return False
    manual = thinking_of(draft).type in ("enabled", "untyped")
    if choice_of(draft) in ("any", "tool"):
        if quirks.value("thinking", "off") == "forced_tool":
            return True
        if manual and quirks.value("thinking", "enabled_off") == "forced_tool":
            return True
    lost = quirks.value("thinking", "pending_lost") == "off"
    return manual and lost and _pending_turn_lost(draft.get("messages"))


def _switch_off(draft: Draft, quirks: Quirks) -> None:
    if quirks.value("thinking", "disabled") is None:
        draft.put("thinking", {"type": "disabled"}, "thinking", "disabled")
    else:
        draft.drop("thinking", "thinking")


def _pending_turn_lost(messages: object) -> bool:
    """The history ends in tool results, and the turn that called does not begin with thoughts."""
    given = as_list(messages)
    if not given or not _types(given[-1]) & {"tool_result"}:
        return False
    for message in reversed(given):
        if role_of(message) == "assistant":
            first = next(iter(as_list(_content(message))), None)
            kind = first.get("type") if isinstance(first, dict) else None
            return "tool_use" in _types(message) and kind not in THOUGHTS
    return False


def _content(message: object) -> object:
    return message.get("content") if isinstance(message, dict) else None


def _types(message: object) -> set[str]:
    return {
        block["type"]
        for block in as_list(_content(message))
        if isinstance(block, dict) and isinstance(block.get("type"), str)
    }


def _bind(draft: Draft, quirks: Quirks) -> tuple[str, ...]:
    """The provider drops blocks that do not fit this history, where it can."""
    if not can_drop_blocks(draft, quirks):
        return ()
    value = thinking_of(draft).value
    rest = {"type": "adaptive", **value}
    rest["block_binding"] = {"prefix_mismatch_behavior": "drop_block"}
    if rest != value:
        draft.put("thinking", rest, "thinking", "drop_block")
    return (BINDING,)


def can_drop_blocks(draft: Draft, quirks: Quirks) -> bool:
    return (
        quirks.value("state", "block_binding") == "drop_block"
        and quirks.value("thinking", "block_binding") is None
        and thinking_of(draft).type in ("", "adaptive")
    )


def _effort_of(draft: Draft) -> str:
    config = draft.get("output_config")
    level = config.get("effort") if isinstance(config, dict) else None
    return level if isinstance(level, str) else ""


def _set_effort(draft: Draft, level: str | None) -> None:
    config = draft.get("output_config")
    rest = (
        {k: v for k, v in config.items() if k != "effort"}
        if isinstance(config, dict)
        else {}
    )
    if level is not None:
        rest["effort"] = level
    if rest:
        draft.put("output_config", rest, "effort", level or "")
    else:
        draft.drop("output_config", "effort")


def _adapt_effort(draft: Draft, quirks: Quirks) -> None:
    config = draft.get("output_config")
    if not isinstance(config, dict) or "effort" not in config:
        return
    level = config["effort"]
    rests = thinking_of(draft).type in ("disabled", "between_tools")
    bounds = [quirks.value("effort", "allowed")]
    if rests:
        bounds.append(quirks.value("effort", "thinking_off"))
    known = [bound for bound in bounds if bound is not None]
    if (
        quirks.value("effort", "out") is not None
        or "out" in known
        or (known and level is None)
    ):
        _set_effort(draft, None)
    elif known and isinstance(level, str):
        new = level
        for bound in known:
            new = nearest_effort(new, bound.split(","))
        if new != level:
            _set_effort(draft, new)


def _adapt_sampling(draft: Draft, quirks: Quirks) -> None:
    for name in sorted(quirks.names("sampling")):
        only = quirks.value("sampling", name)
        given = draft.get(name)
        if only == "alone":
            if given is not None and draft.get("temperature") is not None:
                draft.drop(name)
        elif name != "thinking" and name in draft.names():
            if not only:
                draft.drop(name)
            else:
                number = number_of(only)
                fixed = 1 if number is None else number
                if given != fixed:
                    draft.put(name, fixed, name, only)
    if quirks.value("sampling", "thinking") == "limited" and thinks(draft, quirks):
        if draft.get("temperature") not in (None, 1):
            draft.drop("temperature")
        top_p = draft.get("top_p")
        if isinstance(top_p, int | float) and not 0.95 <= top_p <= 1:
            draft.drop("top_p")
        if draft.get("top_k") is not None:
            draft.drop("top_k")
