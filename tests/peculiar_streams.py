"""Chat streams as some providers write them, and what of them official SDKs should read.

Each is one answer: thoughts where it has them, a text, two parallel calls, and how it ended.
"""

import json
from typing import Any, NamedTuple

A = {"name": "add", "arguments": '{"a":1,"b":2}'}
B = {"name": "add", "arguments": '{"a":3,"b":"\\u00e9 \\"x\\""}'}
IDS = ("call_aaa111", "call_bbb222")
USAGE = {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}
DONE = b"data: [DONE]\n\n"
ABSENT: Any = object()


class Peculiar(NamedTuple):
    events: tuple[bytes, ...]
    mended: frozenset[str]
    """Parts that are mended; none: the stream passes byte for byte."""
    ids: tuple[str, ...] | None = IDS
    """None: they came without."""
    content: str = ""
    thoughts: str = ""
    calls: tuple[dict[str, str], ...] = (A, B)
    finish: str = "tool_calls"

    @property
    def bytes(self) -> bytes:
        return b"".join(self.events)


def sse(value: object) -> bytes:
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    return b"data: " + text.encode() + b"\n\n"


def chunk(delta: object, finish: str | None = None, **more: object) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return event([choice], **more)


def event(choices: object, **more: object) -> bytes:
    head = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "up"}
    return sse({**head, "choices": choices, **more})


def fragment(index: object, id: object, function: object, **more: object) -> object:
    said = {"index": index, "id": id, "type": "function", "function": function, **more}
    return {k: v for k, v in said.items() if v is not ABSENT}


def calls(*fragments: object) -> bytes:
    return chunk({"tool_calls": list(fragments)})


def rest(index: object, text: str, name: object = ABSENT, **more: object) -> object:
    function = {"arguments": text}
    if name is not ABSENT:
        function["name"] = name
    said = {"index": index, **more, "function": function}
    return {k: v for k, v in said.items() if v is not ABSENT}


def halves(again: Any = lambda _: {}, index: Any = lambda i: i) -> tuple[bytes, ...]:
    """Both calls, each in two fragments; again: what the second one restates."""
    events = []
    for i, (id, f) in enumerate(zip(IDS, (A, B), strict=True)):
        events.append(
            calls(fragment(index(i), id, f | {"arguments": f["arguments"][:4]}))
        )
        events.append(calls(rest(index(i), f["arguments"][4:], **again(i))))
    return tuple(events)


START = chunk({"role": "assistant", "content": ""})
END = chunk({}, "tool_calls", usage=USAGE)
a, b = (fragment(i, IDS[i], f) for i, f in enumerate((A, B)))


def peculiar(*events: bytes, mended: str = "", **more: Any) -> Peculiar:
    return Peculiar(events, frozenset(mended.split()), **more)


def second_choice(delta: object, finish: str | None = None) -> object:
    return {"index": 1, "delta": delta, "finish_reason": finish}


def thinking(text: str) -> object:
    return {"type": "thinking", "thinking": [{"type": "text", "text": text}]}


def text(said: str) -> object:
    return {"type": "text", "text": said}


WHOLE_MESSAGE = {
    "role": "assistant",
    "content": "Let me add.",
    "reasoning_content": "Two sums.",
    "tool_calls": [
        {"id": id, "type": "function", "function": f}
        for id, f in zip(IDS, (A, B), strict=True)
    ],
}

PECULIAR = {
    "as it should be": peculiar(START, *halves(), END, DONE),
    "whole calls": peculiar(START, calls(a), calls(b), END, DONE),
    "both in one delta": peculiar(START, calls(a, b), END, DONE),
    "interleaved": peculiar(
        START,
        calls(fragment(0, IDS[0], A | {"arguments": ""})),
        calls(fragment(1, IDS[1], B | {"arguments": ""})),
        calls(rest(0, A["arguments"]), rest(1, B["arguments"])),
        END,
        DONE,
    ),
    "thoughts and text": peculiar(
        START,
        chunk({"reasoning_content": "Two "}),
        chunk({"reasoning_content": "sums."}),
        chunk({"content": 'Say "role": [{"type":"text"}] '}),
        calls(a, b),
        END,
        DONE,
        content='Say "role": [{"type":"text"}] ',
        thoughts="Two sums.",
    ),
    "usage apart, comments, CRLF": peculiar(
        b": PROCESSING\r\n\r\n",
        START.replace(b"\n", b"\r\n"),
        calls(a, b).replace(b"data: ", b"data:"),
        chunk({}, "tool_calls"),
        event([], usage=USAGE),
        DONE,
    ),
    "usage in x_groq": peculiar(
        START, calls(a, b), chunk({}, "tool_calls", x_groq={"usage": USAGE}), DONE
    ),
    "no [DONE]": peculiar(START, calls(a, b), END),
    "stop with calls": peculiar(
        START, calls(a, b), chunk({}, "stop"), DONE, finish="stop"
    ),
    "calls null or empty beside text": peculiar(
        START,
        chunk({"content": "three", "tool_calls": None}),
        chunk({"content": ".", "tool_calls": []}),
        chunk({}, "stop"),
        DONE,
        content="three.",
        calls=(),
        finish="stop",
    ),
    # -- index
    "each call at index 0": peculiar(
        START, *halves(index=lambda _: 0), END, DONE, mended="index"
    ),
    "both at index 0 in one delta": peculiar(
        START, calls(a, fragment(0, IDS[1], B)), END, DONE, mended="index"
    ),
    "counted from 1": peculiar(
        START, *halves(index=lambda i: i + 1), END, DONE, mended="index"
    ),
    "without an index": peculiar(
        START, *halves(index=lambda _: ABSENT), END, DONE, mended="index"
    ),
    "index null, ids restated": peculiar(
        START,
        *halves(index=lambda _: None, again=lambda i: {"id": IDS[i]}),
        END,
        DONE,
        mended="index id",
    ),
    "index 0, ids alternate": peculiar(
        START,
        calls(fragment(0, IDS[0], A | {"arguments": A["arguments"][:4]})),
        calls(fragment(0, IDS[1], B | {"arguments": B["arguments"][:4]})),
        calls(rest(0, A["arguments"][4:], id=IDS[0])),
        calls(rest(0, B["arguments"][4:], id=IDS[1])),
        END,
        DONE,
        mended="index id",
    ),
    "a new id without a name goes on": peculiar(
        START,
        *halves(again=lambda i: {"id": f"other_{i}"}),
        END,
        DONE,
        mended="id",
    ),
    # -- id
    "without an id": peculiar(
        START,
        calls(fragment(0, ABSENT, A)),
        calls(fragment(1, ABSENT, B)),
        END,
        DONE,
        mended="id",
        ids=None,
    ),
    "ids empty, halves": peculiar(
        START,
        calls(fragment(0, "", A | {"arguments": '{"a"'}), fragment(1, "", B)),
        calls(rest(0, ':1,"b":2}', id="")),
        END,
        DONE,
        mended="id",
        ids=None,
    ),
    "neither id nor index": peculiar(
        START,
        calls(fragment(ABSENT, None, A)),
        calls(fragment(ABSENT, None, B)),
        END,
        DONE,
        mended="id index",
        ids=None,
    ),
    "index 0, without an id": peculiar(
        START,
        calls(fragment(0, ABSENT, A)),
        calls(fragment(0, ABSENT, B)),
        END,
        DONE,
        mended="id index",
        ids=None,
    ),
    # -- restated
    "id, type and name restated empty": peculiar(
        START,
        *halves(again=lambda _: {"id": "", "type": "", "name": ""}),
        END,
        DONE,
        mended="id type name",
    ),
    "id, type and name restated null": peculiar(
        START,
        *halves(again=lambda _: {"id": None, "type": None, "name": None}),
        END,
        DONE,
        mended="id type name",
    ),
    "id, type and name restated in full": peculiar(
        START,
        *halves(again=lambda i: {"id": IDS[i], "type": "function", "name": "add"}),
        END,
        DONE,
        mended="id type name",
    ),
    "name restated without an id": peculiar(
        START, *halves(again=lambda _: {"name": "add"}), END, DONE, mended="name"
    ),
    "role restated": peculiar(
        START,
        chunk({"role": "assistant", "content": "Let me "}),
        chunk({"content": "add.", "role": "assistant"}),
        chunk({"role": "assistant", "tool_calls": [a, b]}),
        chunk({"role": "assistant"}, "tool_calls"),
        DONE,
        content="Let me add.",
        mended="role",
    ),
    "role empty, then null": peculiar(
        chunk({"role": "", "content": "Let me "}),
        chunk({"content": "add.", "role": None}),
        calls(a, b),
        END,
        DONE,
        content="Let me add.",
        mended="role",
    ),
    # -- the end
    "no finish_reason": peculiar(
        START, calls(a), calls(b), DONE, mended="finish_reason"
    ),
    "no finish_reason, text": peculiar(
        START,
        chunk({"content": "three"}),
        DONE,
        content="three",
        calls=(),
        finish="stop",
        mended="finish_reason",
    ),
    # -- content
    "content as a list": peculiar(
        chunk({"role": "assistant", "content": [thinking("Two ")]}),
        chunk({"content": [thinking("sums."), text("Let me ")]}),
        chunk({"content": [text("add.")]}),
        calls(a, b),
        END,
        DONE,
        content="Let me add.",
        thoughts="Two sums.",
        mended="content",
    ),
    # -- choices
    "calls in a second choice": peculiar(
        START,
        chunk({"content": "Let me add."}),
        event([second_choice({"tool_calls": [a, b]})]),
        event([second_choice({}, "tool_calls")]),
        DONE,
        content="Let me add.",
        mended="choices",
    ),
    "two choices in one event": peculiar(
        START,
        event(
            [
                {
                    "index": 0,
                    "delta": {"content": "Let me add."},
                    "finish_reason": "stop",
                },
                second_choice({"tool_calls": [a, b]}, "tool_calls"),
            ]
        ),
        DONE,
        content="Let me add.",
        mended="choices",
    ),
    # -- a whole message
    "ends with a whole message": peculiar(
        START,
        chunk({"reasoning_content": "Two sums."}),
        chunk({"content": "Let me add."}),
        calls(a, b),
        event(
            [{"index": 0, "message": WHOLE_MESSAGE, "finish_reason": "tool_calls"}],
            usage=USAGE,
        ),
        content="Let me add.",
        thoughts="Two sums.",
        mended="message",
    ),
    "is a whole message": peculiar(
        event([{"index": 0, "message": WHOLE_MESSAGE, "finish_reason": "tool_calls"}]),
        DONE,
        content="Let me add.",
        thoughts="Two sums.",
        mended="message",
    ),
    # -- arguments
    "arguments as an object": peculiar(
        START,
        calls(
            fragment(0, IDS[0], A | {"arguments": json.loads(A["arguments"])}),
            fragment(1, IDS[1], B),
        ),
        END,
        DONE,
        calls=(A | {"arguments": '{"a": 1, "b": 2}'}, B),
        mended="arguments",
    ),
}
