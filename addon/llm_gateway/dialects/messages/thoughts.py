"""Thinking blocks of earlier turns: foreign ones go, wanted ones come back.

Claude's blocks are signed and bound to what stood before them: they go one and all or as
their maker says, never as a gap between blocks of one maker. Other vendors' thoughts are
plain text that has to stand beside calls.
"""

import json
from typing import NamedTuple

from llm_gateway.adaptation.kept_state import CallKey, Recall, fingerprint, issued
from llm_gateway.adaptation.vocabulary import Quirks
from llm_gateway.dialects.messages.blocks import Block, fate_of, type_in
from llm_gateway.dialects.messages.thinking import THOUGHTS

PLACEHOLDER = "..."
"""Stands where thoughts are wanted and nobody knows them."""


class Plan(NamedTuple):
    """What is done about thoughts, the same for every turn."""

    all_out: bool = False
    foreign: str = "out"
    """Blocks that another maker was seen to sign: `out`; `plain`: their signature goes."""
    unsigned_out: bool = False
    plain: bool = False
    wanted: bool = False

    @property
    def is_idle(self) -> bool:
        return not any(self)


def plan_of(quirks: Quirks, *, bound: bool, thinks: bool) -> Plan:
    """bound: blocks do not fit this history, and the provider cannot drop them."""
    plain = quirks.value("reasoning", "as") == "plain"
    return Plan(
        all_out=bound
        or quirks.value("state", "thinking") == "out"
        or quirks.value("reasoning", "out") is not None,
        foreign="plain" if plain else "out",
        unsigned_out=quirks.value("reasoning", "unsigned") == "out",
        plain=plain,
        wanted=thinks
        and quirks.value("reasoning", "wanted") is not None
        and quirks.value("reasoning", "out") is None
        and not fate_of("thinking", quirks),
    )


class Thoughts:
    """Walks the turns of one history, in order."""

    def __init__(self, plan: Plan, recall: Recall) -> None:
        self._plan = plan
        self._recall = recall
        self._seen: dict[tuple[str, bytes], int] = {}

    def adapt(self, content: list[object]) -> list[object]:
        """An assistant turn's content; the very list where nothing changes."""
        made: list[object] = []
        for block in content:
            if not isinstance(block, dict) or type_in(block) not in THOUGHTS:
                made.append(block)
            elif (new := self._thought(block)) is not None:
                made.append(new)
        if self._plan.wanted:
            made = [*self._missing(made), *made]
        return content if made == content else made

    def _thought(self, block: Block) -> Block | None:
        plan = self._plan
        redacted = type_in(block) == "redacted_thinking"
        given = block.get("data" if redacted else "signature")
        blob = given if isinstance(given, str) else ""
        if plan.all_out or (plan.unsigned_out and not blob):
            return None
        is_foreign = bool(blob) and issued(self._recall, blob) is False
        if plan.foreign == "out" and is_foreign:
            return None
        if not plan.plain:
            return block
        if redacted:
            return {"type": "thinking", "thinking": PLACEHOLDER}
        if is_foreign:
            block = {k: v for k, v in block.items() if k != "signature"}
        if not block.get("thinking"):
            block = {**block, "thinking": PLACEHOLDER}
        return block

    def _missing(self, content: list[object]) -> list[object]:
        """Thoughts for a turn that calls and has none."""
        calls = [key for block in content if (key := call_key(block)) is not None]
        if not calls:
            return []
        found = None
        for call in calls:
            which = call.id, fingerprint(call.name, call.arguments)
            n = self._seen.get(which, 0)
            self._seen[which] = n + 1
            found = found or self._recall(call, n)
        if any(_is_thought(block) for block in content):
            return []
        if found is not None and isinstance(found.opaque, list):
            own = [b for b in found.opaque if _is_thought(b)]
            if self._plan.unsigned_out:
                own = [b for b in own if b.get("signature") or b.get("data")]
            if own and not self._plan.all_out:
                return own
        if self._plan.unsigned_out:
            return []
        text = found.thoughts if found is not None else ""
        return [{"type": "thinking", "thinking": text or PLACEHOLDER}]


def call_key(block: object) -> CallKey | None:
    if not isinstance(block, dict) or block.get("type") != "tool_use":
        return None
    id_, name = block.get("id"), block.get("name")
    arguments = json.dumps(block.get("input"), ensure_ascii=False)
    return CallKey(
        id_ if isinstance(id_, str) else "",
        name if isinstance(name, str) else "",
        arguments,
    )


def _is_thought(block: object) -> bool:
    if not isinstance(block, dict):
        return False
    if block.get("type") == "redacted_thinking":
        return bool(block.get("data"))
    text = block.get("thinking")
    is_text = isinstance(text, str) and bool(text.strip())
    return block.get("type") == "thinking" and (is_text or bool(block.get("signature")))
