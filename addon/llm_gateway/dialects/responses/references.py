"""References to items of earlier answers (`item_reference`), put in full where we made them.

SDKs whose user has not said `store: false` send ids instead of items. Of a provider's own
items nothing is known here: they stay references, which that provider alone understands.
"""

from llm_gateway.adaptation.kept_state import Recall, kept_item
from llm_gateway.dialects.answer_observer import Json, text_of

IN_BODY = b'"item_reference"'
"""Bytes without which a body holds none."""


def may_refer(body: Json) -> bool:
    """A later request may name items of this one's answer."""
    return body.get("store") is not False


def with_items(body: Json, recall: Recall) -> Json:
    """The very same body where nothing is known of what it refers to."""
    given = body.get("input")
    if not isinstance(given, list):
        return body
    made = [_whole(item, recall) for item in given]
    if all(a is b for a, b in zip(made, given, strict=True)):
        return body
    return {**body, "input": made}


def _whole(item: object, recall: Recall) -> object:
    if not isinstance(item, dict) or item.get("type") != "item_reference":
        return item
    return kept_item(recall, text_of(item.get("id"))) or item
