"""Answer writer of Responses: neutral events -> response object, or its stream of events.

Each item of the output is announced, grows and is done before the next begins; every event
has its `sequence_number`, and the last one holds the whole answer, which is the very object
that a plain request gets.
"""

from collections.abc import Iterable
from dataclasses import replace

from llm_gateway.dialects.openai_errors import error_body
from llm_gateway.dialects.responses.answer_items import (
    REFUSAL,
    TEXT,
    Block,
    Call,
    MessagePart,
    Reasoning,
    SearchCall,
)
from llm_gateway.dialects.responses.answer_object import (
    INCOMPLETE,
    Item,
    ResponseObject,
    encode,
    said_in,
)
from llm_gateway.dialects.responses.answer_stream import Events, Place
from llm_gateway.dialects.responses.compaction import TRIGGER, compaction_item
from llm_gateway.domain import Usage
from llm_gateway.translation.answer_events import (
    ArgumentsDelta,
    CallEnded,
    CallStarted,
    Ended,
    Event,
    Failed,
    Ping,
    RefusalDelta,
    Started,
    TextDelta,
    ThoughtDelta,
    ThoughtSigned,
)
from llm_gateway.translation.codec import AnswerContext, ToolOrigin
from llm_gateway.translation.made_ids import made_id

MOST_HELD = 64 << 20
"""Characters of one answer: all of them stand in its last event again."""


class ResponsesAnswerWriter:
    """One answer. See `codec.AnswerWriter`."""

    def __init__(self, context: AnswerContext) -> None:
        self._context = context
        self._of = context.seed
        """What ids are a function of: the upstream's own, where it gives one."""
        self._response: ResponseObject | None = None
        self._events = Events()
        self._output: list[Item] = []
        self._block: Block | None = None
        self._usage: Usage | None = None
        self._size = 0
        self._begun = False
        self._over = False
        self._refused = False
        self._summary: list[str] | None = [] if context.echo.get(TRIGGER) else None
        """Of the conversation, where the answer is to be that; None: it is not."""
        self._final: dict[str, object] = {}
        self._failed: Failed | None = None

    def plain(self, events: Iterable[Event]) -> bytes:
        for event in events:
            self.write(event)
        if not self._over:
            self.write(Ended("stop"))
        if self._failed is not None:
            return error_body(502, self._failed.kind, self._failed.message)
        return encode(self._final).encode()

    def write(self, event: Event) -> bytes:
        if isinstance(event, Ping):
            return b": ping\n\n" if self._begun and not self._over else b""
        if self._over:
            return b""
        self._size += len(getattr(event, "text", ""))
        if self._size > MOST_HELD:
            event = Failed("The provider's answer is too large.")
        if self._summary is not None:
            return self._sum_up(event, self._summary)
        return self._write(event)

    def _sum_up(self, event: Event, said: list[str]) -> bytes:
        """Text alone counts; what else the model did is no part of a summary."""
        match event:
            case TextDelta(text):
                said.append(text)
                return b""
            case Started() | Usage() | Failed():
                return self._write(event)
            case Ended():
                self._summary = None
                self._begin()
                if not (text := "".join(said).strip()):
                    return self._write(Failed("The model has summed nothing up."))
                place = self._place("cmp")
                item = compaction_item(place.id, text, self._context.maker)
                place.item("added", item)
                place.item("done", item)
                self._output.append(item)
                if self._context.keep is not None:
                    self._context.keep(place.id, item)
                return self._write(Ended("stop"))
        return b""

    def _write(self, event: Event) -> bytes:
        match event:
            case TextDelta(text):
                self._message(TEXT).say(text)
            case RefusalDelta(text):
                self._refused = True
                self._message(REFUSAL).say(text)
            case ThoughtDelta(text):
                if self._thought().say(text):
                    self._life("response.in_progress")
            case ThoughtSigned(state):
                self._thought().state = state
                self._close()
            case CallStarted():
                self._open_call(event)
            case ArgumentsDelta(_, text):
                if isinstance(self._block, Call | SearchCall):
                    self._block.say(text)
            case CallEnded():
                if isinstance(self._block, Call | SearchCall):
                    self._close()
            case Usage():
                self._usage = event
            case Started(id):
                self._of = id or self._of
                self._begin()
            case Ended():
                self._end(event)
            case Failed():
                self._fail(event)
        return self._events.take()

    # -- items

    def _place(self, prefix: str) -> Place:
        at = len(self._output)
        return Place(self._events, made_id(f"{prefix}_", self._of, at), at)

    def _open_call(self, call: CallStarted) -> None:
        if isinstance(self._block, Reasoning) and call.state is not None:
            self._block.state = replace(call.state, form="call")
        self._close()
        self._begin()
        tool = self._context.tools.get(call.name)
        tool = tool or ToolOrigin(call.name, call.namespace, call.freeform)
        if tool.kind:
            self._block = SearchCall(self._place("tsc"), call, tool.kind)
            return
        self._block = Call(self._place("ctc" if tool.freeform else "fc"), call, tool)

    def _message(self, kind: str) -> MessagePart:
        block = self._block
        if isinstance(block, MessagePart):
            if block.kind != kind:  # text and words of refusal share their message
                self._block = block = block.next(kind)
            return block
        self._close()
        self._begin()
        self._block = part = MessagePart(self._place("msg"), kind)
        return part

    def _thought(self) -> Reasoning:
        block = self._block
        if isinstance(block, Reasoning):
            return block
        self._close()
        self._begin()
        shown, maker = self._context.shows_thoughts, self._context.maker
        self._block = made = Reasoning(self._place("rs"), shown, maker)
        return made

    def _close(self, status: str = "completed") -> None:
        if self._block is not None:
            item = self._block.close(status)
            self._output.append(item)
            self._block = None
            if self._context.keep is not None:
                self._context.keep(item["id"], item)

    # -- the answer's life

    def _begin(self) -> None:
        if not self._begun:
            self._begun = True
            self._life("response.created")
            self._life("response.in_progress")

    def _life(self, kind: str) -> None:
        self._events.add(kind, response=self._object().at("in_progress", []))

    def _object(self) -> ResponseObject:
        if self._response is None:
            id_ = made_id("resp_", self._of)
            self._response = ResponseObject(self._context, id_)
        return self._response

    def _end(self, end: Ended) -> None:
        self._begin()
        if end.reason == "refusal" and not self._refused:
            # Its text is no refusal of its own: it was cut short.
            end = Ended("filtered")
        status = "incomplete" if end.reason in INCOMPLETE else "completed"
        self._close(status)
        self._finish(status, end=end)

    def _fail(self, failed: Failed) -> None:
        self._failed = failed
        self._begin()
        self._close("incomplete")
        self._finish("failed", failed=failed)

    def _finish(
        self, status: str, *, end: Ended | None = None, failed: Failed | None = None
    ) -> None:
        self._over = True
        if self._usage is None and end is not None:
            prompt, said = self._context.input_estimate, said_in(self._output)
            self._usage = Usage(prompt, output_tokens=-(-said // 4))
        self._final = self._object().at(
            status, self._output, usage=self._usage, end=end, failed=failed
        )
        self._events.add(f"response.{status}", response=self._final)
