"""System messages inside `messages`: moved up, or into the turn of the user before them."""

from llm_gateway.adaptation.vocabulary import Quirks
from llm_gateway.dialects.conversation import as_list, content_of, role_of
from llm_gateway.dialects.request_draft import Draft

_ROLES = ("system", "developer")


def place_system(draft: Draft, quirks: Quirks) -> None:
    how = quirks.value("role", "system")
    messages = draft.get("messages")
    if how not in ("first", "one", "user") or not isinstance(messages, list):
        return
    if not any(role_of(message) in _ROLES for message in messages):
        return
    if how == "user":
        draft.put("messages", _into_user_turns(messages), "roles", "user")
        return
    system = _as_blocks(draft.get("system"))
    rest = []
    for message in messages:
        if role_of(message) in _ROLES:
            system += _as_blocks(content_of(message))
        else:
            rest.append(message)
    draft.put("system", _plainest(draft.get("system"), system), "roles", "first")
    draft.put("messages", rest, "roles", "first")


def add_to_last_turn(messages: list[object], text: str) -> list[object]:
    """`text` as the last thing that is said; it does not come between a call and its result."""
    last = messages[-1] if messages else None
    if isinstance(last, dict) and last.get("role") in ("user", *_ROLES):
        content = [*_as_blocks(last.get("content")), {"type": "text", "text": text}]
        return [*messages[:-1], {**last, "content": content}]
    return [*messages, {"role": "user", "content": text}]


def _into_user_turns(messages: list[object]) -> list[object]:
    moved: list[object] = []
    for message in messages:
        if role_of(message) not in _ROLES:
            moved.append(message)
            continue
        texts = [b.get("text") for b in _as_blocks(content_of(message))]
        text = "\n\n".join(each for each in texts if isinstance(each, str))
        if text:
            moved = add_to_last_turn(moved, f"<system>\n{text}\n</system>")
    return moved


def _as_blocks(content: object) -> list[dict[str, object]]:
    if isinstance(content, str):
        return [{"type": "text", "text": content}] if content else []
    return [block for block in as_list(content) if isinstance(block, dict)]


def _plainest(before: object, blocks: list[dict[str, object]]) -> object:
    """A string where it was one, or nothing, and all that came to it is plain text."""
    if isinstance(before, list) or any(set(b) != {"type", "text"} for b in blocks):
        return blocks
    return "\n\n".join(str(block["text"]) for block in blocks)
