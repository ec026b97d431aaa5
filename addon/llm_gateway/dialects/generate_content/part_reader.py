"""Reads parts of generateContent: text, thoughts, media, calls and their results.

Calls and results without ids meet by name and order: the id is made from where the call
stands, the same in every later request.
"""

import json

from llm_gateway.dialects.generate_content.members import (
    Json,
    listed,
    member,
    object_in,
    objects_in,
    snake,
    text_in,
)
from llm_gateway.dialects.generate_content.waiting_calls import WaitingCalls
from llm_gateway.translation.base64_text import readable_text, standard_base64
from llm_gateway.translation.conversation import (
    Audio,
    Document,
    Foreign,
    Image,
    Opaque,
    Part,
    Text,
    Thought,
    ToolCall,
    ToolResult,
)
from llm_gateway.translation.made_ids import made_id
from llm_gateway.translation.opaque_text import read_opaque

PLACEHOLDERS = frozenset(
    {
        "skip_thought_signature_validator",
        "context_engineering_is_the_way_to_go",
        "c2tpcF90aG91Z2h0X3NpZ25hdHVyZV92YWxpZGF0b3I=",
    }
)
"""Signatures that are none: what apps write in place of one."""
_FORMATS = {"mpeg": "mp3", "mpga": "mp3", "x-wav": "wav", "wave": "wav"}
_RESULTS = frozenset({"output", "result", "error", "content", "return_value"})
"""Members that SDKs put a function's text into, some beside its name."""
_KINDS = ("text", "inlineData", "fileData", "functionCall", "functionResponse")
_BESIDE = frozenset({"thought", "thoughtSignature", "videoMetadata", "mediaResolution"})


class PartReader:
    """Of one request, in order."""

    def __init__(self) -> None:
        self._waiting = WaitingCalls()
        self._met: dict[str, object] = {}
        """Ids of calls that have a result, and what it was."""
        self._count = 0

    def read(self, content: Json) -> tuple[Part, ...]:
        """The parts of a content."""
        found: list[Part] = []
        given = member(content, "parts")
        for part in [given] if isinstance(given, str) else listed(given):
            for one in self._part(part):
                last = found[-1] if found else None
                if (
                    isinstance(one, Thought)
                    and isinstance(last, Thought)
                    and last.state is None
                ):
                    # A stream gives a thought in pieces, its signature with the last one.
                    found[-1] = Thought(last.text + one.text, one.state)
                else:
                    found.append(one)
        return tuple(found)

    def _part(self, part: object) -> list[Part]:
        if isinstance(part, str):
            return [Text(part)] if part else []
        if not isinstance(part, dict):
            return []
        state = signature_of(part)
        if call := object_in(part, "functionCall"):
            return [self._call(call, state)]
        if result := object_in(part, "functionResponse"):
            return [] if self._is_repeated(result) else [self._result(result)]
        if blob := object_in(part, "inlineData"):
            return [read_blob(blob)]
        if file := object_in(part, "fileData"):
            return [_read_file(file)]
        if isinstance(member(part, "text"), str):
            text = text_in(part, "text")
            if member(part, "thought") is True:
                return [Thought(text, state)] if text or state else []
            said: list[Part] = [Text(text)] if text else []
            return [*said, Thought("", state)] if state else said
        names = [k for k in part if k not in _BESIDE and k not in map(snake, _BESIDE)]
        return [Foreign(names[0], part)] if names else []

    def _call(self, call: Json, state: Opaque | None) -> ToolCall:
        name = text_in(call, "name")
        arguments = json_text(member(call, "args"))
        self._count += 1
        given = text_in(call, "id")
        id = given or made_id("call_", self._count, name, arguments)
        self._waiting.add(id, name, is_made=not given)
        return ToolCall(id, name, arguments, state=state)

    def _is_repeated(self, result: Json) -> bool:
        """The very same result of a call once more: apps that take up an old session send
        some twice. Ids may be given again, to later calls."""
        id, response = text_in(result, "id"), member(result, "response")
        is_known = bool(id) and id in self._met and self._met[id] == response
        if is_known and not self._waiting.has(id):
            return True
        self._met[id] = response
        return False

    def _result(self, result: Json) -> ToolResult:
        id, name = text_in(result, "id"), text_in(result, "name")
        id = self._waiting.take(id, name) or id
        text, is_error = _said(member(result, "response"), name)
        parts: list[Text | Image | Document | Audio | Foreign] = (
            [Text(text)] if text else []
        )
        for part in objects_in(result, "parts"):
            if blob := object_in(part, "inlineData"):
                parts.append(read_blob(blob))
        return ToolResult(id or made_id("call_", name), tuple(parts), is_error)


def signature_of(part: Json) -> Opaque | None:
    """Of a thought or a call; None: it has none, or one that stands for none."""
    text = text_in(part, "thoughtSignature")
    return None if text in PLACEHOLDERS else read_opaque(text, "signature")


def json_text(value: object) -> str:
    if value is None:
        return "{}"
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _said(response: object, function: str) -> tuple[str, bool]:
    """What a function gave, as text; and whether it is an error."""
    if not isinstance(response, dict):
        return ("" if response is None else json_text(response)), False
    said = {k: v for k, v in response.items() if (k, v) != ("name", function)}
    if len(said) == 1:
        [(name, value)] = said.items()
        if name in _RESULTS:
            text = value if isinstance(value, str) else json_text(value)
            return text, name == "error"
    return (json_text(response) if response else ""), False


def read_blob(blob: Json) -> Image | Document | Audio | Foreign:
    """Bytes with a type."""
    kind = text_in(blob, "mimeType").partition(";")[0].strip().lower()
    data = standard_base64(text_in(blob, "data"))
    family, _, form = kind.partition("/")
    if family == "image":
        return Image(data, kind)
    if family == "audio":
        return Audio(data, _FORMATS.get(form, form))
    if (text := readable_text(kind, data)) is not None:
        return Document(text=text, media_type=kind, name=_name(blob))
    if family == "application":
        return Document(data, kind, name=_name(blob))
    return Foreign("inlineData", {"mimeType": kind})


def _read_file(file: Json) -> Part:
    """An address: of an upload, or of something in the net."""
    uri = text_in(file, "fileUri")
    kind = text_in(file, "mimeType")
    is_image = kind.startswith("image/")
    if uri.startswith("gs://") or "/files/" in uri or not uri.startswith("http"):
        return Image(file=uri) if is_image else Document(file=uri, media_type=kind)
    if is_image:
        return Image(url=uri)
    if kind.startswith(("audio/", "video/")) or not kind:
        return Foreign("fileData", file)
    return Document(url=uri, name=_name(file))


def _name(part: Json) -> str:
    return text_in(part, "displayName")
