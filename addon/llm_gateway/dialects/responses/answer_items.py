"""Output items of a Responses answer while they grow: message, reasoning, call.

Each tells of itself in the stream's events as it begins, grows and is done, and is then given
whole, for the object in the last event. A freeform tool that went as a function is told as
what it is: its input comes out of the JSON that the model wrote around it.
"""

import json
from typing import Protocol

from llm_gateway.dialects.responses.answer_names import PartialInput
from llm_gateway.dialects.responses.answer_object import (
    Item,
    refusal_part,
    summary_part,
    text_part,
)
from llm_gateway.dialects.responses.answer_stream import Place
from llm_gateway.dialects.responses.sealed_thoughts import sealed
from llm_gateway.dialects.tool_names import unwrapped
from llm_gateway.translation.answer_events import CallStarted
from llm_gateway.translation.codec import ToolOrigin
from llm_gateway.translation.conversation import Opaque, Thought

SIGN_OF_LIFE = 2_000
"""Characters of thoughts that are not shown, after which the client hears that it goes on."""

TEXT, REFUSAL = "output_text", "refusal"


class Block(Protocol):
    """An item that grows."""

    def close(self, status: str) -> Item:
        """Tells that it is done; gives it whole."""


class MessagePart:
    """A message with its open part: text, or words of refusal."""

    def __init__(self, place: Place, kind: str, before: tuple[Item, ...] = ()) -> None:
        self.kind = kind
        self._place = place
        self._before = before
        self._said: list[str] = []
        if not before:
            place.item("added", self._item("in_progress", []))
        self._at = len(before)
        place.add(
            "response.content_part.added",
            content_index=self._at,
            part=self._whole(),
        )
        more: dict[str, object] = {"logprobs": []} if kind == TEXT else {}
        self._growth = place.growth(
            f"response.{kind}.delta", content_index=self._at, **more
        )

    def say(self, text: str) -> None:
        if text:
            self._said.append(text)
            self._place.events.delta(self._growth[0], text, self._growth[1])

    def next(self, kind: str) -> "MessagePart":
        return MessagePart(self._place, kind, (*self._before, self._done()))

    def close(self, status: str) -> Item:
        part = self._done()
        item = self._item(status, [*self._before, part])
        self._place.item("done", item)
        return item

    def _whole(self) -> Item:
        text = "".join(self._said)
        return text_part(text) if self.kind == TEXT else refusal_part(text)

    def _done(self) -> Item:
        part, at = self._whole(), {"content_index": self._at}
        if self.kind == TEXT:
            self._place.add(
                "response.output_text.done", **at, text=part["text"], logprobs=[]
            )
        else:
            self._place.add("response.refusal.done", **at, refusal=part["refusal"])
        self._place.add("response.content_part.done", **at, part=part)
        return part

    def _item(self, status: str, parts: list[Item]) -> Item:
        return {
            "id": self._place.id,
            "type": "message",
            "status": status,
            "role": "assistant",
            "content": parts,
        }


class Reasoning:
    """Thoughts as one part of a summary; those that are not shown travel sealed."""

    def __init__(self, place: Place, shown: bool, maker: str) -> None:
        self.state: Opaque | None = None
        self._place = place
        self._shown, self._maker = shown, maker
        self._said: list[str] = []
        self._hidden = 0
        self._growth: tuple[str, str] | None = None
        place.item("added", self._item([], ""))

    def say(self, text: str) -> bool:
        """True: the client has not heard of it for long."""
        if not text:
            return False
        self._said.append(text)
        if not self._shown:
            self._hidden += len(text)
            if self._hidden < SIGN_OF_LIFE:
                return False
            self._hidden = 0
            return True
        if self._growth is None:
            self._place.add(
                "response.reasoning_summary_part.added",
                summary_index=0,
                part=summary_part(""),
            )
            self._growth = self._place.growth(
                "response.reasoning_summary_text.delta", summary_index=0
            )
        self._place.events.delta(self._growth[0], text, self._growth[1])
        return False

    def close(self, status: str) -> Item:
        text = "".join(self._said)
        if self._growth is not None:
            self._place.add(
                "response.reasoning_summary_text.done", summary_index=0, text=text
            )
            self._place.add(
                "response.reasoning_summary_part.done",
                summary_index=0,
                part=summary_part(text),
            )
        shown = [summary_part(text)] if self._growth is not None else []
        thought = Thought(text, self.state)
        kept = sealed(thought, self._maker, shown=bool(shown))
        item = self._item(shown, kept)
        self._place.item("done", item)
        return item

    def _item(self, summary: list[Item], kept: str) -> Item:
        item: Item = {"id": self._place.id, "type": "reasoning", "summary": summary}
        if kept:
            item["encrypted_content"] = kept
        return item


class Call:
    """A call of a function, or of a freeform tool, whatever it went as."""

    def __init__(self, place: Place, call: CallStarted, tool: ToolOrigin) -> None:
        self._place = place
        self._call = call
        self._tool = tool
        self._said: list[str] = []
        self._input = PartialInput() if tool.freeform and not call.freeform else None
        """It comes with JSON around it."""
        self._told: list[str] = []
        place.item("added", self._item("", "in_progress"))
        kind = "custom_tool_call_input" if tool.freeform else "function_call_arguments"
        self._kind = f"response.{kind}"
        self._growth = place.growth(f"{self._kind}.delta")

    def say(self, text: str) -> None:
        self._said.append(text)
        self._tell(self._input.feed(text) if self._input is not None else text)

    def close(self, status: str) -> Item:
        whole = "".join(self._said)
        if self._input is not None:
            told, whole = "".join(self._told), unwrapped(whole)
            if whole.startswith(told):
                self._tell(whole[len(told) :])
        elif not self._tool.freeform and not whole.strip():
            whole = "{}"
            self._tell(whole)
        name = "input" if self._tool.freeform else "arguments"
        self._place.add(f"{self._kind}.done", **{name: whole})
        item = self._item(whole, status)
        self._place.item("done", item)
        return item

    def _tell(self, text: str) -> None:
        if text:
            if self._input is not None:
                self._told.append(text)
            self._place.events.delta(self._growth[0], text, self._growth[1])

    def _item(self, whole: str, status: str) -> Item:
        tool = self._tool
        item: Item = {
            "id": self._place.id,
            "type": "custom_tool_call" if tool.freeform else "function_call",
            "status": status,
            "call_id": self._call.id,
            "name": tool.name,
            "input" if tool.freeform else "arguments": whole,
        }
        if tool.namespace:
            item["namespace"] = tool.namespace
        return item


class SearchCall:
    """A call of the client's search for tools. No event tells of what is written yet."""

    def __init__(self, place: Place, call: CallStarted, kind: str) -> None:
        self._place = place
        self._call = call
        self._kind = kind
        self._said: list[str] = []
        place.item("added", self._item({}, "in_progress"))

    def say(self, text: str) -> None:
        self._said.append(text)

    def close(self, status: str) -> Item:
        item = self._item(object_in("".join(self._said)), status)
        self._place.item("done", item)
        return item

    def _item(self, arguments: Item, status: str) -> Item:
        return {
            "id": self._place.id,
            "type": f"{self._kind}_call",
            "status": status,
            "call_id": self._call.id,
            "execution": "client",
            "arguments": arguments,
        }


def object_in(arguments: str) -> Item:
    """An object, whatever the model wrote: no other arguments are taken."""
    try:
        value = json.loads(arguments) if arguments.strip() else {}
    except (ValueError, RecursionError):
        value = arguments
    return value if isinstance(value, dict) else {"query": value}
