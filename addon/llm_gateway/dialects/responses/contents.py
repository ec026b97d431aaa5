"""Contents of Responses items: parts of messages, and outputs of calls."""

from llm_gateway.adaptation.vocabulary import Quirks
from llm_gateway.dialects.patterns import one_of
from llm_gateway.dialects.request_draft import Draft

PART_CORE = frozenset(
    {
        "type",
        "text",
        "refusal",
        "image_url",
        "detail",
        "file_id",
        "file_data",
        "filename",
    }
)
_TEXT = (
    "input_text",
    "output_text",
    "text",
    "refusal",
    "summary_text",
    "reasoning_text",
)

Item = dict[str, object]


class Contents:
    """What is done about them, the same for every item."""

    def __init__(self, draft: Draft, quirks: Quirks) -> None:
        self._draft = draft
        self._members = quirks.names("part")
        self._types = quirks.names("block")
        known = quirks.value("block", "*")
        self._known = None if known is None else tuple(known.split(","))
        self._output_text = quirks.value("content", "output") == "text"
        self._assistant = quirks.value("content", "assistant")
        self._idle = not (
            self._members or self._types or self._output_text or self._assistant
        )

    def adapt(self, item: Item, kind: str) -> Item:
        if self._idle:
            return item
        for member in ("content", "output"):
            given = item.get(member)
            if not isinstance(given, list):
                continue
            is_own = kind == "message" and item.get("role") == "assistant"
            made = [self._part(part, is_own) for part in given]
            if member == "output" and self._output_text:
                self._draft.note("content", "outputs as text")
                item = {**item, member: self._joined(made)}
            elif any(a is not b for a, b in zip(made, given, strict=True)):
                item = {**item, member: made}
        return item

    def _part(self, given: object, is_own: bool) -> object:
        if not isinstance(given, dict):
            return given
        part, kind = given, given.get("type")
        if isinstance(kind, str) and kind not in _TEXT:
            refused = one_of(kind, self._types - {"*"})
            if refused or (self._known is not None and not one_of(kind, self._known)):
                self._draft.cannot(f"takes no {kind} in a message")
        if is_own and self._assistant and kind in ("input_text", "text"):
            part = {**part, "type": self._assistant}
            self._draft.note("content", self._assistant)
        if self._members:
            out = {
                m
                for m in part
                if m in self._members or ("*" in self._members and m not in PART_CORE)
            } - {"type"}
            for member in sorted(out):
                self._draft.note(member)
            part = {k: v for k, v in part.items() if k not in out} if out else part
        return part

    def _joined(self, parts: list[object]) -> str:
        texts = []
        for part in parts:
            text = part.get("text") if isinstance(part, dict) else None
            if isinstance(text, str):
                texts.append(text)
            elif part is not None:
                kind = part.get("type") if isinstance(part, dict) else ""
                self._draft.cannot(f"takes no {kind or 'such part'} in a tool's output")
        return "\n".join(texts)
