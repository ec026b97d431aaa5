"""Adapter of generateContent: writes what a provider's quirks ask for into a request.

signature:google      the first call of each of the model's turns has a signature: the
                      client's, else what was kept, else the documented placeholder; `=ours`:
                      the client's is not believed
state:signature=ours  the same for one conversation, whose signatures another model made
role:last=user        unfit for a request whose last turn is the model's

What it makes of `generationConfig`, of tools and of turns is in modules of their names.
"""

from collections import Counter
from collections.abc import Mapping

from llm_gateway.adaptation.adapted import Adapted
from llm_gateway.adaptation.kept_state import CallKey, Recall
from llm_gateway.adaptation.marked_state import IN_BODY, is_marked
from llm_gateway.adaptation.vocabulary import Quirks
from llm_gateway.dialects.generate_content.config import NAMES as CONFIGS
from llm_gateway.dialects.generate_content.config import adapt_config
from llm_gateway.dialects.generate_content.history import adapt_history
from llm_gateway.dialects.generate_content.kept import call_key
from llm_gateway.dialects.generate_content.members import (
    Json,
    listed,
    member,
    objects_in,
    role_in,
    snake,
    text_in,
)
from llm_gateway.dialects.generate_content.part_reader import PLACEHOLDERS
from llm_gateway.dialects.generate_content.tools import adapt_tools
from llm_gateway.dialects.request_draft import Draft
from llm_gateway.dialects.request_members import refuse_endpoint

PLACEHOLDER = "skip_thought_signature_validator"
"""Google's own word for a call that another model made."""
_SIGNATURES = ("thoughtSignature", "thought_signature")
_STAYS = frozenset({"contents", "tools", *CONFIGS})


def may_have_marks(raw: bytes) -> bool:
    """A quick look at the bytes of a body."""
    return IN_BODY in raw


def adapt(values: Mapping[str, object], quirks: Quirks, recall: Recall) -> Adapted:
    draft = Draft(values)
    refuse_endpoint(draft, quirks, "generateContent")
    for name in sorted(quirks.names("member") - _STAYS):
        for each in [n for n in draft.names() if n == name or snake(n) == name]:
            draft.drop(each)
    adapt_config(draft, quirks)
    adapt_tools(draft, quirks)
    _unmark(draft)
    adapt_history(draft, quirks)
    contents = listed(draft.get("contents"))
    last = contents[-1] if contents else None
    is_text = role_in(last) == "model" and not _calls(last)
    if is_text and quirks.value("role", "last") == "user":
        draft.cannot("does not go on from a text of the assistant")
    signed = quirks.value("signature", "google")
    strange = quirks.value("state", "signature") is not None
    if strange and signed is None:
        contents = _without_signatures(draft, contents)
    if signed is not None:
        _sign(draft, contents, recall, ours=strange or signed == "ours")
    return draft.adapted()


def _unmark(draft: Draft) -> None:
    """Opaque state that we have marked means nothing there, whoever is asked: thoughts go
    with it, and a content of nothing else; calls and texts stay."""
    contents = listed(draft.get("contents"))
    made = [_unmarked(content) for content in contents]
    if any(a is not b for a, b in zip(contents, made, strict=True)):
        draft.put("contents", [c for c in made if c is not None], "signature")


def _unmarked(content: object) -> object:
    """None: nothing is left of it, and a content without parts is refused."""
    parts = objects_in(content, "parts")
    if not isinstance(content, dict) or not any(map(_is_marked, parts)):
        return content
    kept = [
        {k: v for k, v in part.items() if k not in _SIGNATURES}
        if _is_marked(part)
        else part
        for part in parts
        if not (_is_marked(part) and member(part, "thought") is True)
    ]
    return {**content, "parts": kept} if kept else None


def _is_marked(part: Json) -> bool:
    return is_marked(text_in(part, "thoughtSignature"))


def _without_signatures(draft: Draft, contents: list[object]) -> list[object]:
    made = [_unsigned(content) for content in contents]
    if any(a is not b for a, b in zip(contents, made, strict=True)):
        draft.put("contents", made, "signature")
    return made


def _unsigned(content: object) -> object:
    parts = listed(content.get("parts")) if isinstance(content, dict) else []
    made = [
        {k: v for k, v in part.items() if k not in _SIGNATURES}
        if isinstance(part, dict) and text_in(part, "thoughtSignature")
        else part
        for part in parts
    ]
    if made == parts or not isinstance(content, dict):
        return content
    return {**content, "parts": made}


def _sign(draft: Draft, contents: list[object], recall: Recall, *, ours: bool) -> None:
    """ours: what the client sends is not believed."""
    seen: Counter[CallKey] = Counter()
    signed: list[object] = []
    how: dict[str, None] = {}
    for content in contents:
        if isinstance(content, dict) and role_in(content) == "model":
            told = _unsigned(content) if ours else content
            assert isinstance(told, dict)
            signed.append(_signed(told, seen, recall, how))
        else:
            signed.append(content)
    if signed == contents:
        return
    for word in how or {"": None}:
        draft.put("contents", signed, "signature", word)


def _signed(
    content: dict[str, object],
    seen: Counter[CallKey],
    recall: Recall,
    how: dict[str, None],
) -> dict[str, object]:
    parts = listed(content.get("parts"))
    first, changed = True, False
    made = []
    for part in parts:
        key = call_key(part) if isinstance(part, dict) else None
        if key is not None and isinstance(part, dict):
            signature = text_in(part, "thoughtSignature")
            n = seen[key]
            seen[key] += 1
            if not signature or signature in PLACEHOLDERS:
                kept = recall(key, n) or recall(key._replace(id=""), n)
                if kept is not None and kept.signature:
                    signature, word = kept.signature, "as it was given"
                elif first and not signature:
                    signature, word = PLACEHOLDER, "the placeholder"
                else:
                    word = ""
                if word:
                    part = {**part, "thoughtSignature": signature}
                    part.pop("thought_signature", None)
                    how[word] = None
                    changed = True
            first = False
        made.append(part)
    return {**content, "parts": made} if changed else content


def _calls(content: object) -> list[Json]:
    return [p for p in objects_in(content, "parts") if call_key(p) is not None]
