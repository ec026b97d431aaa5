"""Foreign state in a chat history: what another maker signed or encrypted goes, for everybody.

A signature on a call (Gemini) and encrypted reasoning details (OpenRouter) mean something to
their maker alone. Whoever else they would be sent to does not see them; the calls, and what
was thought in plain words, stay. Of unknown origin: it passes.

State of another dialect's model, which we have marked on its way to this client, means
nothing in any native request: it goes wherever it stands, and its detail with it.
"""

from llm_gateway.adaptation.kept_state import Recall, issued, nothing_kept
from llm_gateway.adaptation.marked_state import is_marked
from llm_gateway.dialects.answer_observer import text_of
from llm_gateway.dialects.chat.reasoning import OPAQUE
from llm_gateway.dialects.chat.turns import Message, Messages, Notes, note, role_of

_MARKS = (b'"thought_signature"', b'"reasoning.encrypted"', b'"reasoning_details"')


def may_hold_state(raw: bytes) -> bool:
    """A quick look at the bytes of a request."""
    return any(map(raw.__contains__, _MARKS))


def without_foreign(messages: Messages, recall: Recall, notes: Notes) -> Messages:
    """The same list where nothing goes."""
    adapted = [
        _bare(
            message, recall if role_of(message) == "assistant" else nothing_kept, notes
        )
        if isinstance(message, dict)
        else message
        for message in messages
    ]
    same = all(a is b for a, b in zip(adapted, messages, strict=True))
    return messages if same else adapted


def _bare(message: Message, recall: Recall, notes: Notes) -> Message:
    new = _unsigned(message, recall, notes)
    calls = message.get("tool_calls")
    if isinstance(calls, list):
        bare = [
            _unsigned(c, recall, notes) if isinstance(c, dict) else c for c in calls
        ]
        if any(a is not b for a, b in zip(bare, calls, strict=True)):
            new = {**new, "tool_calls": bare}
    details = message.get("reasoning_details")
    if isinstance(details, list):
        known = [d for d in map(lambda d: _detail(d, recall), details) if d is not None]
        if len(known) != len(details) or any(
            a is not b for a, b in zip(known, details, strict=True)
        ):
            note(notes, "reasoning_details")
            new = {k: v for k, v in new.items() if k != "reasoning_details"}
            if known:
                new["reasoning_details"] = known
    return new


def _unsigned(holder: Message, recall: Recall, notes: Notes) -> Message:
    """A call, or a whole turn: Google puts signatures on either."""
    extra = holder.get("extra_content")
    google = extra.get("google") if isinstance(extra, dict) else None
    signature = google.get("thought_signature") if isinstance(google, dict) else None
    if not isinstance(google, dict) or not (
        is_marked(text_of(signature)) or _is_foreign(signature, recall)
    ):
        return holder
    note(notes, "signature")
    assert isinstance(extra, dict)
    left = {k: v for k, v in google.items() if k != "thought_signature"}
    rest = {k: v for k, v in extra.items() if k != "google"}
    if left:
        rest["google"] = left
    bare = {k: v for k, v in holder.items() if k != "extra_content"}
    return {**bare, "extra_content": rest} if rest else bare


def _detail(detail: object, recall: Recall) -> object | None:
    """One of the reasoning details; None: nothing is left of it."""
    if not isinstance(detail, dict):
        return detail
    if any(is_marked(text_of(detail.get(name))) for name in OPAQUE):
        return None
    foreign = [name for name in OPAQUE if _is_foreign(detail.get(name), recall)]
    if not foreign:
        return detail
    left = {k: v for k, v in detail.items() if k not in foreign}
    return left if left.get("text") or left.get("summary") else None


def _is_foreign(block: object, recall: Recall) -> bool:
    return isinstance(block, str) and bool(block) and issued(recall, block) is False
