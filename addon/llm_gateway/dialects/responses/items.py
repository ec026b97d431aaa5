"""Input items of a Responses request: types, members, ids and reasoning of earlier turns.

Each item is written by itself and by what stands before it, so that the history comes out
the same in every later request. Encrypted reasoning goes back to its issuer alone, and when
it goes, the ids of what was made with it go too: the API looks for it behind them.
"""

from llm_gateway.adaptation.kept_state import Recall, issued
from llm_gateway.adaptation.vocabulary import Quirks
from llm_gateway.dialects.call_ids import fitting_id
from llm_gateway.dialects.patterns import one_of
from llm_gateway.dialects.request_draft import Draft
from llm_gateway.dialects.responses.contents import Contents
from llm_gateway.dialects.responses.item_ids import is_own
from llm_gateway.dialects.responses.item_pairs import batched, followed, paired
from llm_gateway.dialects.responses.thoughts import (
    Wanted,
    is_told,
    wanted_of,
    with_thoughts,
)
from llm_gateway.dialects.responses.tool_forms import CARRIERS, Forms
from llm_gateway.dialects.tool_names import ToolNames, wrapped

CORE = frozenset(
    {
        *("type", "role", "content", "id", "call_id", "name", "arguments", "output"),
        *("status", "summary", "encrypted_content", "input"),
    }
)
"""Members of items that everybody knows."""
NEEDED = ("compaction*", "context_compaction*", "item_reference")
"""Types without which the rest is another conversation: they hold, or name, the only copy
of what came before."""

_KINDS = frozenset(
    {
        *("item", "id", "message", "part", "block", "content", "reasoning", "role"),
        *("call", "state"),
    }
)

_SEALED = ("encrypted_content", "id")

Item = dict[str, object]


def adapt_items(
    draft: Draft, quirks: Quirks, recall: Recall, forms: Forms, names: ToolNames
) -> None:
    given = draft.get("input")
    if not isinstance(given, list):
        return
    if (
        forms.is_plain
        and not any(
            quirk.kind in _KINDS or quirk.name in ("paired", "batched")
            for quirk in quirks
        )
        and not any(isinstance(i, dict) and i.get("encrypted_content") for i in given)
    ):
        return
    walk = _Walk(draft, quirks, recall, forms, names)
    made = [new for item in given if (new := walk.item(item)) is not None]
    made = _in_order(draft, quirks, made, walk.removed)
    if walk.wants is not None:
        whole = with_thoughts(made, recall, walk.wants)
        if whole is not made:
            draft.note("reasoning", "as it was thought, or a placeholder")
            made = whole
    if len(made) != len(given) or any(
        a is not b for a, b in zip(made, given, strict=True)
    ):
        draft.put("input", made, "input")


def _in_order(
    draft: Draft, quirks: Quirks, items: list[object], removed: bool
) -> list[object]:
    made = items
    whole = quirks.value("tools", "paired")
    if quirks.value("state", "calls") is not None or whole is not None:
        made = paired(made)
    if quirks.value("tools", "batched") is not None:
        made = batched(made)
    if removed or quirks.value("state", "followed") is not None:
        made = followed(made)
    if made is not items:
        draft.note("tools", "calls meet results")
    return made


class _Walk:
    def __init__(
        self,
        draft: Draft,
        quirks: Quirks,
        recall: Recall,
        forms: Forms,
        names: ToolNames,
    ) -> None:
        self.removed = False
        """Items that others may rest on have gone."""
        self._draft, self._quirks, self._recall = draft, quirks, recall
        self._forms, self._names = forms, names
        self._contents = Contents(draft, quirks)
        self._ids = quirks.value("id", "item")
        if quirks.value("state", "ids") is not None:
            self._ids = "out"
        self._spaces = (
            names.namespaces if quirks.value("call", "namespace") == "wanted" else {}
        )
        self._past_unfit = quirks.value("state", "compaction") == "unfit"
        self._pattern = quirks.value("id", "call")
        self._members = quirks.names("message")
        self._nulls = quirks.value("content", "null") is not None
        self._roles = {
            name: quirks.value("role", name) for name in ("developer", "system")
        }
        self._types = quirks.names("item")
        known = quirks.value("item", "*")
        self._known = None if known is None else tuple(known.split(","))
        reasoning = {
            name: quirks.value("reasoning", name) for name in quirks.names("reasoning")
        }
        self._refused = (
            "out" in reasoning
            or self._fate("reasoning") is not None
            or not self._knows("reasoning")
        )
        self._reasoning_out = quirks.value("state", "reasoning") is not None
        self._unseen_out = "unseen" in reasoning
        self._plain_out = "unsigned" in reasoning
        self.wants: Wanted | None = None
        """Reasoning that is put in front of calls."""
        if "wanted" in reasoning and not self._refused:
            self.wants = wanted_of(
                sealed=not self._reasoning_out, plain=not self._plain_out
            )
        self._whole = draft.get("store") is False
        """Nothing is stored there: an id alone stands for nothing."""
        self._plain = reasoning.get("as") == "plain"
        self._loose = False
        """Reasoning of this turn has gone: ids behind it go too."""

    def item(self, given: object) -> object | None:
        if not isinstance(given, dict):
            return given
        kind = _type_of(given)
        if kind in CARRIERS and not self._forms.additional:
            return None  # its tools are declared with the others
        if kind == "message" and given.get("role") != "assistant":
            self._loose = False
        item = self._call_as_function(given, kind)
        kind = _type_of(item)
        if kind == "reasoning":
            return self._thought(item)
        if not self._is_read(item, kind):
            return None
        return self._written(item, kind)

    def _is_read(self, item: Item, kind: str) -> bool:
        value = self._fate(kind)
        needed = one_of(kind, NEEDED)
        if value is None and self._knows(kind):
            foreign = self._is_foreign(item)
            if needed and (self._past_unfit or foreign):
                self._draft.cannot(f"cannot read the {kind} of another provider")
            return True
        if (value == "unfit" or needed) and self._is_own(item):
            return True
        if value == "unfit" or needed:
            self._draft.cannot(f"takes no {kind}, which holds what came before")
        self._draft.note(kind)
        self.removed = self._loose = True
        return False

    def _fate(self, kind: str) -> str | None:
        """What a quirk about this type says; None: there is none."""
        names = sorted(self._types - {"*"})
        named = next((name for name in names if one_of(kind, (name,))), None)
        return None if named is None else self._quirks.value("item", named)

    def _knows(self, kind: str) -> bool:
        return self._known is None or one_of(kind, self._known)

    def _thought(self, item: Item) -> Item | None:
        """Reasoning of an earlier turn; None: it goes."""
        blob = item.get("encrypted_content")
        out = self._refused or self._reasoning_out
        if self._reasoning_out and self.wants and self.wants.plain and is_told(item):
            # What it says in plain words is wanted, whoever thought it.
            if "encrypted_content" in item:
                item = {k: v for k, v in item.items() if k not in _SEALED}
                self._draft.note("reasoning")
            blob, out = None, False
        if self._plain_out and not blob and (self._whole or item.get("content")):
            out = True  # neither sealed nor stored: somebody else's plain text
        sealed = isinstance(blob, str) and bool(blob)
        if sealed and not out:
            by = issued(self._recall, str(blob))
            strange = by is False or (self._unseen_out and by is not True)
            if strange:
                item = {k: v for k, v in item.items() if k not in _SEALED}
                # The text of it may stay where thoughts are plain text.
                out = not (self._plain and (item.get("summary") or item.get("content")))
                self._draft.note("reasoning")
        if out:
            self._draft.note("reasoning")
            self.removed = self._loose = True
            return None
        self._loose = False
        return self._written(item, "reasoning")

    def _is_own(self, item: Item) -> bool:
        blob = item.get("encrypted_content")
        return isinstance(blob, str) and issued(self._recall, blob) is True

    def _is_foreign(self, item: Item) -> bool:
        blob = item.get("encrypted_content")
        return isinstance(blob, str) and issued(self._recall, blob) is False

    def _call_as_function(self, item: Item, kind: str) -> Item:
        """Calls under the names and in the form in which their tools are declared."""
        namespace = item.get("namespace")
        if kind == "function_call" and namespace is None and self._spaces:
            space = self._spaces.get(str(item.get("name")))
            if space:
                self._draft.note("namespace")
                return {**item, "namespace": space}
        if kind in ("function_call", "custom_tool_call") and not self._forms.is_plain:
            name = item.get("name")
            ns = namespace if isinstance(namespace, str) else ""
            custom = kind == "custom_tool_call" and not self._forms.custom
            flat = isinstance(name, str) and (
                custom or (ns and not self._forms.namespace)
            )
            if not flat:
                return item
            made = {**item, "name": self._names.flat(ns, str(name))}
            made.pop("namespace", None)
            if custom:
                made["type"] = "function_call"
                made["arguments"] = wrapped(made.pop("input", ""))
                made = _without_custom_id(made)
            self._draft.note("tools", "calls as functions")
            return made
        if kind == "custom_tool_call_output" and not self._forms.custom:
            self._draft.note("tools", "calls as functions")
            return _without_custom_id({**item, "type": "function_call_output"})
        return item

    def _written(self, given: Item, kind: str) -> Item:
        item = given
        id_ = item.get("id")
        if "id" in item and (
            self._ids == "out"
            or (self._loose and kind != "reasoning")
            or (self._ids == "prefix" and not is_own(kind, id_))
        ):
            item = {k: v for k, v in item.items() if k != "id"}
            self._draft.note("ids")
        if self._pattern is not None and isinstance(call := item.get("call_id"), str):
            new = fitting_id(call, self._pattern)
            if new != call:
                item = {**item, "call_id": new}
                self._draft.note("ids")
        role = item.get("role")
        other = self._roles.get(role) if isinstance(role, str) else None
        if other in ("system", "developer", "user"):
            item = {**item, "role": other}
            self._draft.note("roles", other)
        if self._members or self._nulls:
            item = self._without_members(item)
        return self._contents.adapt(item, kind)

    def _without_members(self, item: Item) -> Item:
        names = self._members
        out = {m for m in item if m in names or ("*" in names and m not in CORE)}
        if self._nulls:
            out |= {m for m, value in item.items() if value is None}
        out -= {"type", "role", "call_id"}
        if not out:
            return item
        for member in sorted(out):
            self._draft.note(member)
        return {k: v for k, v in item.items() if k not in out}


def _type_of(item: Item) -> str:
    kind = item.get("type")
    if isinstance(kind, str):
        return kind
    return "message" if "role" in item else ""


def _without_custom_id(item: Item) -> Item:
    id_ = item.get("id")
    if isinstance(id_, str) and not id_.startswith("ctc"):
        return item
    return {k: v for k, v in item.items() if k != "id"}
