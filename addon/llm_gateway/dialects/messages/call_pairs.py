"""Calls and results of a Messages history: each call has an id of its own, and meets its
result in the very next turn."""

from collections.abc import Iterator

from llm_gateway.dialects.conversation import as_list, content_of, role_of
from llm_gateway.translation.made_ids import UniqueIds


def paired(messages: list[object]) -> list[object]:
    """Results moved to the turn behind their calls, in front of what else is said there;
    calls without result and results without call are left out; calls whose id was there
    before get another. The very list where all is as it should be."""
    messages = _with_unique_ids(messages)
    made: list[object] = []
    at = 0
    while at < len(messages):
        message = messages[at]
        if role_of(message) != "assistant":
            made += _merged([message], [])
            at += 1
            continue
        end = at + 1
        while end < len(messages) and role_of(messages[end]) not in ("assistant", ""):
            end += 1
        answers = messages[at + 1 : end]
        given = _ids(message, "tool_use", "id")
        results = {
            id_ for m in answers for id_ in _ids(m, "tool_result", "tool_use_id")
        }
        if end == len(messages) and not answers:
            met = given  # nobody has answered yet
        else:
            met = [id_ for id_ in given if id_ in results]
        caller = _with_calls(message, met) if len(met) != len(given) else message
        if caller is not None:
            made.append(caller)
        made += _merged(answers, met)
        at = end
    same = len(made) == len(messages) and all(
        a is b for a, b in zip(made, messages, strict=True)
    )
    return messages if same else made


def _with_unique_ids(messages: list[object]) -> list[object]:
    """The very list where no call's id stands twice."""
    ids = [id_ for m in messages for id_ in _ids(m, "tool_use", "id")]
    if len(set(ids)) == len(ids):
        return messages
    unique = UniqueIds()
    return [
        {**message, "content": list(_own(message["content"], unique))}
        if isinstance(message, dict) and isinstance(message.get("content"), list)
        else message
        for message in messages
    ]


def _own(blocks: list[object], unique: UniqueIds) -> Iterator[object]:
    unique.turn()
    for block in blocks:
        if isinstance(block, dict):
            kind, id_ = block.get("type"), block.get("id")
            called = block.get("tool_use_id")
            if kind == "tool_use" and isinstance(id_, str):
                block = {**block, "id": unique.call(id_)}
            elif kind == "tool_result" and isinstance(called, str):
                block = {**block, "tool_use_id": unique.result(called)}
        yield block


def _ids(message: object, kind: str, member: str) -> list[str]:
    return [
        id_
        for block in as_list(content_of(message))
        if isinstance(block, dict)
        and block.get("type") == kind
        and isinstance(id_ := block.get(member), str)
    ]


def _with_calls(message: object, met: list[str]) -> object | None:
    assert isinstance(message, dict)
    content = [
        block
        for block in as_list(message.get("content"))
        if not (
            isinstance(block, dict)
            and block.get("type") == "tool_use"
            and block.get("id") not in met
        )
    ]
    return {**message, "content": content} if content else None


def _merged(answers: list[object], met: list[str]) -> list[object]:
    """The turns behind a call, with all its results first in the first of them."""
    results: dict[str, object] = {}
    rest: list[tuple[object, list[object]]] = []
    for message in answers:
        others = []
        for block in as_list(content_of(message)):
            id_ = block.get("tool_use_id") if isinstance(block, dict) else None
            is_result = isinstance(block, dict) and block.get("type") == "tool_result"
            if is_result and isinstance(id_, str):
                if id_ in met:
                    results.setdefault(id_, block)
            else:
                others.append(block)
        rest.append((message, others))
    ordered = [results[id_] for id_ in met if id_ in results]
    made: list[object] = []
    for message, others in rest:
        before = content_of(message)
        if not isinstance(before, list):
            if ordered:
                text = {"type": "text", "text": before}
                others = [text] if isinstance(before, str) and before else []
            else:
                made.append(message)
                continue
        content, ordered = [*ordered, *others], []
        same = isinstance(before, list) and len(content) == len(before)
        if same and all(a is b for a, b in zip(content, as_list(before), strict=True)):
            made.append(message)
        elif content and isinstance(message, dict):
            made.append({**message, "content": content})
    return made
