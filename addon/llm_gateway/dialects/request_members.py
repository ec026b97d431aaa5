"""Top-level members of a request: left out, called otherwise, kept within limits."""

from llm_gateway.adaptation.vocabulary import Quirks
from llm_gateway.dialects.patterns import one_of
from llm_gateway.dialects.request_draft import Draft

NEVER_OUT = frozenset({"model", "messages", "input", "tools"})


def adapt_members(draft: Draft, quirks: Quirks, core: frozenset[str]) -> None:
    """core: members that stay under `member:*`."""
    refused = quirks.names("member") - NEVER_OUT
    for name in sorted(refused - {"*"}):
        if name.endswith("*"):
            for each in draft.names():
                if one_of(each, (name,)):
                    draft.drop(each)
        else:
            draft.drop(name)
    if "*" in refused:
        also = (quirks.value("member", "*") or "").split(",")
        for name in draft.names():
            if name not in core and name not in NEVER_OUT and not one_of(name, also):
                draft.drop(name)
    for name in sorted(quirks.names("rename") - NEVER_OUT):
        new = quirks.value("rename", name)
        if new and new not in NEVER_OUT and name in draft.names():
            value = draft.get(name)
            draft.drop(name, name)
            if new not in draft.names():
                draft.put(new, value, name, new)


def adapt_limits(draft: Draft, quirks: Quirks) -> None:
    """Numbers are lowered or raised to what is taken."""
    for quirk in sorted(q for q in quirks if q.kind == "limit" and q.name != "tools"):
        given, bound = draft.get(quirk.name), _number(quirk.value)
        if (
            bound is None
            or isinstance(given, bool)
            or not isinstance(given, int | float)
        ):
            continue
        if (quirk.sign == "<=" and given > bound) or (
            quirk.sign == ">=" and given < bound
        ):
            draft.put(quirk.name, bound, quirk.name, quirk.value)


def _number(text: str) -> int | float | None:
    try:
        value = float(text)
        return int(value) if value.is_integer() else value
    except (ValueError, OverflowError):
        return None
