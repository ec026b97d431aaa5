"""History of a Messages request: blocks, members, ids and thoughts of earlier turns.

Each turn is written by itself, so that turns 1 to n come out the same in every later
request: caches and signatures are bound to them.
"""

from llm_gateway.adaptation.kept_state import Recall
from llm_gateway.adaptation.vocabulary import Quirks
from llm_gateway.dialects.call_ids import fitting_id
from llm_gateway.dialects.conversation import as_list
from llm_gateway.dialects.messages import blocks
from llm_gateway.dialects.messages.blocks import Block, type_in
from llm_gateway.dialects.messages.call_pairs import paired
from llm_gateway.dialects.messages.thoughts import Plan, Thoughts
from llm_gateway.dialects.request_draft import Draft

_WALKED = frozenset(
    {"message", "part", "block", "cache_control", "source", "id", "content", "call"}
)
"""Kinds of quirks that are about turns."""
_IDS = {"tool_use": "id", "tool_result": "tool_use_id"}


def adapt_history(draft: Draft, quirks: Quirks, recall: Recall, plan: Plan) -> None:
    given = draft.get("messages")
    if not isinstance(given, list):
        return
    if plan.is_idle and not any(
        quirk.kind in _WALKED or quirk.name == "paired" for quirk in quirks
    ):
        return
    walk = _Walk(draft, quirks, Thoughts(plan, recall), not plan.is_idle)
    made = [new for message in given if (new := walk.message(message)) is not None]
    if quirks.value("tools", "paired") is not None:
        whole = paired(made)
        if whole is not made:
            draft.note("tools", "calls meet results")
            made = whole
    if len(made) != len(given) or any(
        a is not b for a, b in zip(made, given, strict=True)
    ):
        draft.put("messages", made, "messages")


class _Walk:
    def __init__(
        self, draft: Draft, quirks: Quirks, thoughts: Thoughts, has_thoughts: bool
    ) -> None:
        self._draft = draft
        self._quirks = quirks
        self._thoughts = thoughts
        self._has_thoughts = has_thoughts
        self._blocks = bool(quirks.names("block") or quirks.names("source"))
        self._messages_members = quirks.names("message")
        self._members = quirks.names("part")
        self._cache = quirks.names("cache_control")
        self._pattern = quirks.value("id", "call")
        self._objects = quirks.value("call", "input") == "object"
        self._drop_empty = quirks.value("content", "empty") is not None

    def message(self, given: object) -> object | None:
        """The turn as it goes there; None: nothing is left of it."""
        if not isinstance(given, dict):
            return given
        message = given
        if self._messages_members:
            message = self._without(
                message, self._messages_members, frozenset({"role", "content"})
            )
        content = message.get("content")
        if not isinstance(content, list):
            is_empty = content is None or (
                isinstance(content, str) and not content.strip()
            )
            if is_empty and self._drop_empty:
                self._draft.note("content", "empty turns out")
                return None
            return message
        made = self._content(content)
        if self._has_thoughts and message.get("role") == "assistant":
            thought = self._thoughts.adapt(made)
            if thought is not made:
                self._draft.note("reasoning")
                made = thought
        if made is content:
            if not content and self._drop_empty:
                self._draft.note("content", "empty turns out")
                return None
            return message
        return {**message, "content": made} if made else None

    def _content(self, content: list[object]) -> list[object]:
        made: list[object] = []
        for block in content:
            if not isinstance(block, dict):
                made.append(block)
            elif (new := self._block(block)) is not None:
                made.append(new)
        same = len(made) == len(content) and all(
            a is b for a, b in zip(made, content, strict=True)
        )
        return content if same else made

    def _block(self, given: Block) -> Block | None:
        kind = type_in(given)
        block: Block | None = given
        if self._blocks:
            block = self._read(given, kind)
            if block is None:
                return None
        assert block is not None
        if self._drop_empty and kind == "text" and not block.get("text"):
            self._draft.note("content", "empty texts out")
            return None
        if self._objects and kind == "tool_use":
            block = self._with_object(block)
        if self._pattern is not None and kind in _IDS:
            block = self._with_id(block, _IDS[kind], self._pattern)
        if self._members:
            block = self._without(block, self._members, blocks.CORE)
        if self._cache:
            new = blocks.without_cache_members(block, self._cache)
            if new is not block and isinstance(new, dict):
                self._draft.note("cache_control")
                block = new
        if kind == "tool_result" and isinstance(inner := block.get("content"), list):
            made = self._content(inner)
            if made is not inner:
                block = {**block, "content": made or ""}
        return block

    def _read(self, block: Block, kind: str) -> Block | None:
        if why := blocks.refused_source(block, self._quirks):
            self._draft.cannot(why)
        fate = blocks.fate_of(kind, self._quirks)
        if not fate:
            return block
        if fate == "unfit" or (fate == "text" and blocks.needs_reader(block)):
            self._draft.cannot(f"takes no {kind} in a message")
            return block
        self._draft.note(kind, "text" if fate == "text" else "")
        return blocks.as_text(block) if fate == "text" else None

    def _with_id(self, block: Block, member: str, pattern: str) -> Block:
        given = block.get(member)
        if not isinstance(given, str):
            return block
        new = fitting_id(given, pattern)
        if new == given:
            return block
        self._draft.note("ids")
        return {**block, member: new}

    def _with_object(self, block: Block) -> Block:
        value = block.get("input")
        if isinstance(value, dict):
            return block
        self._draft.note("input", "an object")
        return {**block, "input": {"input": value} if value else {}}

    def _without(
        self, value: Block, members: frozenset[str], core: frozenset[str]
    ) -> Block:
        out = {m for m in value if m in members or ("*" in members and m not in core)}
        out -= {"role", "type"}
        if not out:
            return value
        for member in sorted(out):
            self._draft.note(member)
        return {k: v for k, v in value.items() if k not in out}


def adapt_cache_marks(draft: Draft, quirks: Quirks) -> None:
    """`cache_control` outside of the history: on top, in system and in tools."""
    members = quirks.names("cache_control")
    if not members:
        return
    for name in ("system", "tools"):
        given = draft.get(name)
        made = blocks.all_without_cache_members(given, members)
        if made is not given and as_list(given):
            draft.put(name, made, "cache_control")
    top = draft.get("cache_control")
    if top is not None:
        made = blocks.without_cache_members({"cache_control": top}, members)
        assert isinstance(made, dict)
        if "cache_control" not in made:
            draft.drop("cache_control")
        elif made["cache_control"] is not top:
            draft.put("cache_control", made["cache_control"], "cache_control")
