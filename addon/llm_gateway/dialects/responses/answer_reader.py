"""Answer reader of Responses: response object, or its stream of events -> neutral events.

Read generously: deltas before their item, items that only come whole, ids that differ between
the events of one item, an empty `output` at the end. What a delta has not told is told when
the item is done, and what no item has told when the answer is.
"""

from collections.abc import Iterator

from llm_gateway.dialects.answer_observer import (
    Json,
    object_of,
    objects,
    parsed,
    text_of,
)
from llm_gateway.dialects.failed_answer import failure_of
from llm_gateway.dialects.openai_usage import read_usage_whole
from llm_gateway.dialects.token_counts import find_held_usage
from llm_gateway.translation.answer_events import (
    ArgumentsDelta,
    CallEnded,
    CallStarted,
    Ended,
    EndReason,
    Event,
    Failed,
    Ping,
    RefusalDelta,
    Started,
    TextDelta,
    ThoughtDelta,
    ThoughtSigned,
)
from llm_gateway.translation.answer_parts import AnswerPart, Asides
from llm_gateway.translation.codec import AnswerContext
from llm_gateway.translation.conversation import Opaque
from llm_gateway.translation.made_ids import made_id

_CALLS = {"function_call": "arguments", "custom_tool_call": "input"}
"""Type of an item that is a call -> the member that holds what it is called with."""

_SPOKEN = ("", "output_text", "text", "refusal")
"""Types of a message's parts that are read."""
_BROKEN = ("failed", "cancelled")
_INCOMPLETE: dict[str, EndReason] = {
    "max_output_tokens": "length",
    "content_filter": "filtered",
}


class ResponsesAnswerReader:
    """One answer. See `codec.AnswerReader`."""

    def __init__(self, context: AnswerContext) -> None:
        self._context = context
        self.asides = Asides()
        self._items: dict[object, _Item] = {}
        """By index in the output, or by id where there is none."""
        self._started = False
        self._over = False
        self._calls = 0
        self._refused = False

    def plain(self, answer: Json) -> list[Event]:
        is_told = isinstance(answer.get("output"), list) or answer.get("error")
        if not is_told and answer.get("status") not in _BROKEN:
            return [Failed("The provider's answer holds no output.")]
        return [*self._start(answer), *self._answer(answer)]

    def event(self, name: str, data: bytes) -> list[Event]:
        if self._over:
            return []
        event = parsed(data)
        if event is None:
            return []
        return list(self._event(text_of(event.get("type")) or name, event))

    def end(self) -> list[Event]:
        if self._over:
            return []
        self._over = True
        return [Failed("The provider's stream ended before its answer did.")]

    def _event(self, kind: str, event: Json) -> Iterator[Event]:
        match kind:
            case "response.output_text.delta":
                yield from self._delta(event, "text")
            case "response.refusal.delta":
                yield from self._delta(event, "refusal")
            case (
                "response.reasoning_summary_text.delta"
                | "response.reasoning_text.delta"
            ):
                yield from self._delta(event, "thought", kind)
            case (
                "response.function_call_arguments.delta"
                | "response.custom_tool_call_input.delta"
            ):
                yield from self._arguments(event, text_of(event.get("delta")))
            case "response.output_item.added":
                yield from self._opened(event, object_of(event.get("item")))
            case "response.output_item.done":
                item = object_of(event.get("item"))
                yield from self._done(self._item(event, item), item)
            case "response.created" | "response.in_progress" | "response.queued":
                yield from self._start(object_of(event.get("response")))
            case "response.completed" | "response.incomplete":
                response = object_of(event.get("response"))
                status = kind.removeprefix("response.")
                yield from self._answer({"status": status, **response})
            case "response.failed" | "response.cancelled" | "error":
                yield self._failed(event)
            case "keepalive" | "ping":
                yield Ping()

    # -- the answer's life

    def _start(self, response: Json) -> Iterator[Event]:
        if not self._started:
            self._started = True
            created = response.get("created_at")
            yield Started(
                text_of(response.get("id")),
                text_of(response.get("model")),
                int(created) if isinstance(created, int | float) else 0,
            )

    def _answer(self, response: Json) -> Iterator[Event]:
        """The end of it, with all that no event has told."""
        for index, item in enumerate(objects(response.get("output"))):
            yield from self._done(self._known(index, item), item)
        usage = object_of(find_held_usage(response, response))
        if usage and (counted := read_usage_whole(usage, False)) is not None:
            yield counted
        status = response.get("status")
        if status in _BROKEN or (response.get("error") and not response.get("output")):
            yield self._failed(response)
            return
        self._over = True
        reason: EndReason = "stop"
        if self._calls:
            reason = "tools"
        elif self._refused:
            reason = "refusal"
        if status == "incomplete":
            why = object_of(response.get("incomplete_details")).get("reason")
            reason = _INCOMPLETE.get(text_of(why), "length")
        yield Ended(reason)

    def _known(self, index: int, item: Json) -> "_Item":
        """The item at this place of the output, as the events have named it."""
        if index in self._items:
            return self._items[index]
        if (id_ := text_of(item.get("id"))) in self._items:
            return self._items[id_]
        told = list(self._items.values())  # by ids that changed on the way
        if index < len(told) and not any(isinstance(key, int) for key in self._items):
            return told[index]
        return self._items.setdefault(index, _Item())

    def _failed(self, event: Json) -> Failed:
        self._over = True
        nested = object_of(event.get("response"))
        return failure_of(nested if nested.get("error") else event)

    # -- items

    def _item(self, event: Json, item: Json) -> "_Item":
        index = event.get("output_index")
        key: object = index if type(index) is int else None
        if key is None:
            key = text_of(item.get("id")) or text_of(event.get("item_id"))
        return self._items.setdefault(key, _Item())

    def _delta(self, event: Json, what: str, kind: str = "") -> Iterator[Event]:
        text = text_of(event.get("delta"))
        if not text:
            return
        item = self._item(event, {})
        if what == "thought":
            part = event.get("summary_index", event.get("content_index"))
            if item.thought_kind not in ("", kind):
                return  # the same thoughts, told in another way
            item.thought_kind = kind
            if item.told and part != item.part:
                text = f"\n\n{text}"
            item.part = part
            item.told += len(text)
            yield ThoughtDelta(text)
            return
        at = event.get("content_index")
        part = at if type(at) is int else 0
        item.parts[part] = item.parts.get(part, 0) + len(text)
        yield self._said(what, text)

    def _said(self, what: str, text: str) -> Event:
        if what == "refusal":
            self._refused = True
            return RefusalDelta(text)
        return TextDelta(text)

    def _opened(self, event: Json, item: Json) -> Iterator[Event]:
        if (kind := text_of(item.get("type"))) in _CALLS:
            known = self._item(event, item)
            yield from self._call(known, item)
            if given := text_of(item.get(_CALLS[kind])):
                known.told += len(given)
                yield ArgumentsDelta(known.call, given)

    def _call(self, known: "_Item", item: Json) -> Iterator[Event]:
        if known.call >= 0:
            return
        known.call = self._calls
        self._calls += 1
        id_ = text_of(item.get("call_id")) or text_of(item.get("id"))
        name = text_of(item.get("name"))
        yield CallStarted(
            known.call,
            id_ or made_id("call_", self._context.seed, known.call, name),
            name,
            item.get("type") == "custom_tool_call",
            text_of(item.get("namespace")),
        )

    def _arguments(self, event: Json, text: str) -> Iterator[Event]:
        known = self._item(event, {})
        if text and known.call >= 0:
            known.told += len(text)
            yield ArgumentsDelta(known.call, text)

    def _done(self, known: "_Item", item: Json) -> Iterator[Event]:
        if known.is_done:
            return
        known.is_done = True
        kind = text_of(item.get("type"))
        if kind in _CALLS:
            yield from self._call(known, item)
            if rest := text_of(item.get(_CALLS[kind]))[known.told :]:
                yield ArgumentsDelta(known.call, rest)
            yield CallEnded(known.call)
        elif kind == "message":
            for at, part in enumerate(objects(item.get("content"))):
                what = "refusal" if part.get("type") == "refusal" else "text"
                self._aside(part)
                if rest := text_of(part.get(what))[known.parts.get(at, 0) :]:
                    yield self._said(what, rest)
        elif kind == "reasoning":
            text = ""
            if not known.told and (text := _thought(item)):
                yield ThoughtDelta(text)
            if data := text_of(item.get("encrypted_content")):
                form = "signature" if known.told or text else "redacted"
                yield ThoughtSigned(
                    Opaque(data, self._context.maker, form, text_of(item.get("id")))
                )
        else:
            self.asides.block(kind)

    def _aside(self, part: Json) -> None:
        """What stands beside a text, and parts of a message that are none."""
        if (kind := text_of(part.get("type"))) not in _SPOKEN:
            self.asides.block(kind)
        if part.get("annotations"):
            self.asides.add(AnswerPart.CITATION)
        if part.get("logprobs"):
            self.asides.add(AnswerPart.LOGPROBS)


class _Item:
    """What was told of one item of the output by now."""

    __slots__ = ("call", "is_done", "part", "parts", "thought_kind", "told")

    def __init__(self) -> None:
        self.call = -1
        self.told = 0
        """Characters of arguments or thoughts."""
        self.parts: dict[int, int] = {}
        """Characters of each part of a message."""
        self.part: object = None
        self.thought_kind = ""
        self.is_done = False


def _thought(item: Json) -> str:
    """In full where it is told, else its summary."""
    for member in ("content", "summary"):
        texts = (text_of(part.get("text")) for part in objects(item.get(member)))
        if text := "\n\n".join(filter(None, texts)):
            return text
    return ""
