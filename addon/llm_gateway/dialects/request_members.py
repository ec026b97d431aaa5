"""Top-level members of a request: left out, called otherwise, kept within limits."""

import json

from llm_gateway.adaptation.vocabulary import Quirks, number_of
from llm_gateway.dialects.patterns import one_of
from llm_gateway.dialects.request_draft import Draft

CALLED_IN_TEXT = "wrote a call as text in this conversation"
NEVER_OUT = frozenset({"model", "messages", "input", "tools"})


NOTHING_NEEDED: frozenset[str] = frozenset()


def adapt_members(
    draft: Draft,
    quirks: Quirks,
    core: frozenset[str],
    needed: frozenset[str] = NOTHING_NEEDED,
) -> None:
    """core: members that stay under `member:*`; needed: those without which the request is
    another one, unfit there."""
    refused = quirks.names("member") - NEVER_OUT
    for name in sorted(refused - {"*"}):
        if "." in name:
            _drop_nested(draft, *name.split(".", 1))
        for each in [n for n in draft.names() if one_of(n, (name,))]:
            _refuse(draft, each, quirks.value("member", name) or "")
    if "*" in refused:
        also = (quirks.value("member", "*") or "").split(",")
        for name in draft.names():
            if name not in core and name not in NEVER_OUT and not one_of(name, also):
                _refuse(draft, name, "unfit" if name in needed else "")
    for name in sorted(quirks.names("rename") - NEVER_OUT):
        new = quirks.value("rename", name)
        if new and new not in NEVER_OUT and name in draft.names():
            value = draft.get(name)
            draft.drop(name, name)
            if new not in draft.names():
                draft.put(new, value, name, new)


def _drop_nested(draft: Draft, name: str, inner: str) -> None:
    """`text.verbosity`; what holds nothing else goes, too."""
    holder = draft.get(name)
    if isinstance(holder, dict) and inner in holder:
        left = {k: v for k, v in holder.items() if k != inner}
        if left:
            draft.put(name, left, f"{name}.{inner}")
        else:
            draft.drop(name, f"{name}.{inner}")


def _refuse(draft: Draft, name: str, how: str) -> None:
    """`how`: "" or `out`, `unfit`, or the only value that is taken, as JSON."""
    given = draft.get(name)
    if how == "unfit" and given not in (None, False):
        draft.cannot(f"takes no {name}")
    elif how in ("", "out", "unfit"):
        draft.drop(name)
    elif given != (only := _json(how)):
        draft.put(name, only, name, how)


def _json(text: str) -> object:
    try:
        value: object = json.loads(text)
    except ValueError:
        return text
    return value


def refuse_endpoint(draft: Draft, quirks: Quirks, name: str) -> None:
    """The model is served in another dialect, or without tools in this one."""
    if (where := quirks.value("endpoint", "any")) is not None:
        draft.cannot(f"is not served in {name}" + (where and f"; in {where} it is"))
    if quirks.value("endpoint", "tools") is not None and draft.get("tools"):
        draft.cannot(f"takes no tools in {name}")
    if quirks.value("state", "tools") is not None and draft.get("tools"):
        draft.cannot(CALLED_IN_TEXT)


def adapt_limits(draft: Draft, quirks: Quirks) -> None:
    """Numbers are lowered or raised to what is taken."""
    for quirk in sorted(q for q in quirks if q.kind == "limit" and q.name != "tools"):
        given, bound = draft.get(quirk.name), number_of(quirk.value)
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
