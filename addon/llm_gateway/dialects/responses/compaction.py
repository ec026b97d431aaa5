"""Compaction: the past of a conversation as one item, made where a request asks for it.

An app that believes in its provider (Codex) sends a `compaction_trigger` when its context is
full, and wants one `compaction` item back, which stands for all that came before. Where the
request is translated, the model is asked for a summary, and the item holds it under our mark:
everybody can read it later, since it goes there as a message. A provider's own compaction is
for that provider alone.
"""

from llm_gateway.adaptation.marked_state import marked, read_mark
from llm_gateway.dialects.answer_observer import Json, objects, text_of
from llm_gateway.dialects.responses.answer_object import Item

TRIGGER = "compaction_trigger"
PAST = ("compaction", "compaction_summary", "context_compaction")
"""Types of items that stand for what came before."""

ASKED = (
    "The conversation up to here will be removed, and your next message stands for it. "
    "Write down all that is needed to go on without it: what the user wants, in their own "
    "words where these matter; what was decided and why; what was done, with the names of "
    "files, commands and their results; what is open, and the next step. Call no tool, and "
    "write nothing but that summary."
)
_BEGIN = "What came before, as you have summed it up:\n\n"
_FORM = "summary"


def is_asked_for(body: Json) -> bool:
    """The last item of the input asks for it."""
    items = objects(body.get("input"))
    return bool(items) and items[-1].get("type") == TRIGGER


def compaction_item(id: str, summary: str, maker: str) -> Item:
    return {
        "id": id,
        "type": "compaction",
        "encrypted_content": marked(maker, _FORM, summary),
    }


def as_message(item: Json) -> Item | None:
    """Our own, as everybody can read it; None: it is something else."""
    if text_of(item.get("type")) not in PAST:
        return None
    mark = read_mark(text_of(item.get("encrypted_content")))
    if mark is None or mark.form != _FORM:
        return None
    said = {"type": "input_text", "text": _BEGIN + mark.data}
    return {"type": "message", "role": "user", "content": [said]}
