"""Turns of a native generateContent request as a provider takes them.

message:NAME, part:NAME, call:NAME    a member of turns, of their parts, of calls and results
role:system=user                      `systemInstruction` as the first user text
role:same=merged                      two turns of a role are one
tools:paired                          calls meet responses behind them, or go

Pure.
"""

from itertools import pairwise

from llm_gateway.adaptation.vocabulary import Quirks
from llm_gateway.dialects.generate_content.call_pairs import paired
from llm_gateway.dialects.generate_content.members import (
    listed,
    member,
    objects_in,
    role_in,
    snake,
    spelled,
)
from llm_gateway.dialects.request_draft import Draft

TURN_CORE = frozenset({"role", "parts"})
PART_CORE = frozenset(
    {
        *("text", "inline_data", "file_data", "function_call", "function_response"),
        *("executable_code", "code_execution_result", "thought"),
    }
)
"""What a part says, and whether it was thought: it goes one and all, or stays."""
CALL_CORE = frozenset({"name", "args", "response", "parts"})
CALLS = ("functionCall", "functionResponse")
_SYSTEM = ("systemInstruction", "system_instruction")


def adapt_history(draft: Draft, quirks: Quirks) -> None:
    contents = listed(draft.get("contents"))
    made = [_bare(content, quirks, draft) for content in contents]
    if quirks.value("role", "system") == "user":
        made = _with_system(draft, made)
    if quirks.value("tools", "paired") is not None:
        whole = paired(made)
        if whole and whole is not made:
            made = whole
            draft.note("tool results", "each with its call, and no other")
    if quirks.value("role", "same") == "merged":
        made = _merged(draft, made)
    if len(made) != len(contents) or any(
        a is not b for a, b in zip(made, contents, strict=True)
    ):
        draft.put("contents", made, "contents")


def _bare(content: object, quirks: Quirks, draft: Draft) -> object:
    of_turns = quirks.names("message") - TURN_CORE
    of_parts = quirks.names("part") - PART_CORE
    of_calls = quirks.names("call") - CALL_CORE
    if not isinstance(content, dict) or not (of_turns or of_parts or of_calls):
        return content
    made = _without(content, of_turns, draft)
    parts = listed(member(made, "parts"))
    new = [_bare_part(part, of_parts, of_calls, draft) for part in parts]
    if any(a is not b for a, b in zip(new, parts, strict=True)):
        made = {**made, "parts": new}
    return content if made == content else made


def _bare_part(
    given: object, names: frozenset[str], of_calls: frozenset[str], draft: Draft
) -> object:
    if not isinstance(given, dict):
        return given
    part = _without(given, names, draft)
    for name in CALLS if of_calls else ():
        key = spelled(part, name)
        held = part[key] if key is not None else None
        if key is not None and isinstance(held, dict):
            bare = _without(held, of_calls, draft)
            if bare is not held:
                part = {**part, key: bare}
    return part


def _without(
    holder: dict[str, object], names: frozenset[str], draft: Draft
) -> dict[str, object]:
    """The very object where nothing goes."""
    gone = [key for key in holder if snake(key) in names]
    for key in gone:
        draft.note(snake(key))
    return {k: v for k, v in holder.items() if k not in gone} if gone else holder


def _with_system(draft: Draft, contents: list[object]) -> list[object]:
    """In front of the first user turn's parts."""
    for name in _SYSTEM:
        said = draft.get(name)
        parts = objects_in(said, "parts") if isinstance(said, dict) else []
        if isinstance(said, str):
            parts = [{"text": said}]
        if said is None:
            continue
        draft.drop(name, "roles")
        first = contents[0] if contents else None
        if isinstance(first, dict) and role_in(first) in ("user", ""):
            own = listed(member(first, "parts"))
            contents = [{**first, "parts": [*parts, *own]}, *contents[1:]]
        elif parts:
            contents = [{"role": "user", "parts": parts}, *contents]
    return contents


def _merged(draft: Draft, contents: list[object]) -> list[object]:
    made: list[object] = []
    for content in contents:
        last = made[-1] if made else None
        if (
            isinstance(content, dict)
            and isinstance(last, dict)
            and role_in(content) == role_in(last)
            and isinstance(last.get("parts"), list | dict)
            and isinstance(content.get("parts"), list | dict)
        ):
            both = [*listed(last["parts"]), *listed(content["parts"])]
            made[-1] = {**last, "parts": both}
            draft.note("roles", "turns of a role are one")
        else:
            made.append(content)
    return contents if len(made) == len(contents) else made


def has_neighbours(contents: object) -> bool:
    """Two turns of a role stand behind each other."""
    roles = [role_in(content) for content in listed(contents)]
    return any(a == b for a, b in pairwise(roles))
