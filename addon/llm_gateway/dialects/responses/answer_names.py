"""Answers of Responses whose tools went under other names: calls come back as what they are.

A function that stands for a freeform tool becomes a `custom_tool_call` again, in plain
answers and in the events of a stream; one with a namespace in its name gets it back.
"""

import json
import re
from collections.abc import Mapping

from llm_gateway.dialects.conversation import as_list
from llm_gateway.dialects.tool_names import Origin, ToolNames, unwrapped

Json = Mapping[str, object]

_ARGUMENTS = "response.function_call_arguments."
_INPUT = "response.custom_tool_call_input."
_ITEM = ("response.output_item.added", "response.output_item.done")


class RestoredNames:
    """One answer's. See `adapted.AnswerNames`."""

    def __init__(self, names: ToolNames) -> None:
        self._names = names
        self._open: dict[object, tuple[Origin, PartialInput]] = {}
        """Output index, or id of the item where there is none -> the call that is begun."""

    def answer(self, answer: Json) -> Json:
        output = as_list(answer.get("output"))
        made = [self._item(item) for item in output]
        if all(a is b for a, b in zip(made, output, strict=True)):
            return answer
        return {**answer, "output": made}

    def event(self, event: Json) -> Json:
        kind = event.get("type")
        if kind in _ITEM:
            item = event.get("item")
            made = self._item(item)
            if made is item:
                return event
            assert isinstance(item, dict)
            origin = self._names.origin(item.get("name"))
            if origin is not None and kind == _ITEM[0]:
                self._open[_place(event, item)] = (origin, PartialInput())
            return {**event, "item": made}
        if isinstance(kind, str) and kind.startswith(_ARGUMENTS):
            found = self._open.get(_place(event, event))
            return event if found is None else _restored(event, kind, *found)
        response = event.get("response")
        if isinstance(response, dict):
            made_response = self.answer(response)
            if made_response is not response:
                return {**event, "response": made_response}
        return event

    def _item(self, item: object) -> object:
        if not isinstance(item, dict) or item.get("type") != "function_call":
            return item
        origin = self._names.origin(item.get("name"))
        if origin is None:
            return item
        made: dict[str, object] = {**item, "name": origin.name}
        if origin.namespace:
            made["namespace"] = origin.namespace
        if origin.is_custom:
            made["type"] = "custom_tool_call"
            arguments = made.pop("arguments", "")
            made["input"] = unwrapped(arguments) if arguments else ""
        return made


def _place(event: Json, item: Json) -> object:
    index = event.get("output_index")
    if isinstance(index, int):
        return index
    id_ = item.get("item_id") or item.get("id")
    return id_ if isinstance(id_, str) else None


def _restored(event: Json, kind: str, origin: Origin, input_: "PartialInput") -> Json:
    made: dict[str, object] = dict(event)
    if "name" in made:
        made["name"] = origin.name
    if not origin.is_custom:
        return made if made != event else event
    made["type"] = _INPUT + kind.removeprefix(_ARGUMENTS)
    if "arguments" in made:
        made["input"] = unwrapped(made.pop("arguments"))
    if isinstance(delta := made.get("delta"), str):
        made["delta"] = input_.feed(delta)
    return made


_START = re.compile(r'\s*\{\s*"input"\s*:\s*"')
_PIECE = re.compile(
    r"(?:"
    r'[^"\\]|\\[^u]'
    r"|\\u(?![dD][89abAB])[0-9a-fA-F]{4}"
    # The first half of a pair, once it is known what follows.
    r"|\\u[dD][89abAB][0-9a-fA-F]{2}(?=[^\\]|\\[^u]|\\u[0-9a-fA-F]{4})"
    r")*"
)


class PartialInput:
    """The text of `{"input": "…"}` while it comes, in pieces that may end anywhere."""

    def __init__(self) -> None:
        self._rest = ""
        self._begun = False
        self._ended = False

    def feed(self, piece: str) -> str:
        """What can be told of the text by now; "" where the form is another one."""
        if self._ended:
            return ""
        self._rest += piece
        if not self._begun:
            start = _START.match(self._rest)
            if start is None:
                return ""
            self._begun = True
            self._rest = self._rest[start.end() :]
        found = _PIECE.match(self._rest)
        end = found.end() if found else 0
        text = self._rest[:end]
        self._ended = self._rest[end : end + 1] == '"'
        self._rest = self._rest[len(text) :]
        try:
            said: str = json.loads(f'"{text}"', strict=False)
        except ValueError:
            self._ended = True
            return ""
        return said
