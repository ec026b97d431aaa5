"""Sequences of answer events, and what they say whatever the pieces they come in."""

import json

from hypothesis import strategies as st

from llm_gateway.domain import Usage
from llm_gateway.translation.answer_events import (
    ArgumentsDelta,
    CallEnded,
    CallStarted,
    Ended,
    Failed,
    RefusalDelta,
    Started,
    TextDelta,
    ThoughtDelta,
    ThoughtSigned,
)
from llm_gateway.translation.conversation import Opaque

WORDS = st.text(min_size=1, max_size=20)
NAMES = st.from_regex(r"[a-zA-Z0-9_-]{1,20}", fullmatch=True)
OBJECTS = st.dictionaries(st.text(max_size=5), st.integers() | st.text(max_size=9))


def pieces(text):
    """Text in deltas."""
    cuts = st.lists(st.integers(0, len(text)), max_size=3)
    return cuts.map(
        lambda at: [
            text[a:b]
            for a, b in zip([0, *sorted(at)], [*sorted(at), len(text)], strict=True)
            if a < b
        ]
    )


texts = WORDS.flatmap(pieces).map(lambda p: [TextDelta(each) for each in p])
states = st.builds(Opaque, WORDS, st.just("acme"))
thoughts = st.tuples(WORDS.flatmap(pieces), states).map(
    lambda t: [*(ThoughtDelta(each) for each in t[0]), ThoughtSigned(t[1])]
)
calls = st.tuples(NAMES, NAMES, OBJECTS.map(json.dumps).flatmap(pieces))
usages = st.builds(
    Usage,
    input_tokens=st.integers(1, 99),
    cached_tokens=st.integers(0, 99),
    output_tokens=st.integers(1, 99),
    reasoning_tokens=st.integers(0, 99),
)


def _answer(drawn):
    """Thoughts, then text, then calls: the order that every dialect can say."""
    thought, text, given, usage, reason = drawn
    events = [Started("id1", "m"), *thought, *text]
    for n, (id, name, arguments) in enumerate(given):
        events.append(CallStarted(n, f"{id}{n}", name))
        events += [ArgumentsDelta(n, each) for each in arguments]
        events.append(CallEnded(n))
    if given:
        reason = "tools"
    return [*events, usage, Ended(reason)]


answers = st.tuples(
    st.just([]) | thoughts,
    st.just([]) | texts,
    st.lists(calls, max_size=3),
    usages,
    st.sampled_from(["stop", "length"]),
).map(_answer)


def said(events):
    """What an answer says: blocks in order, usage, end."""
    blocks, usage, end = [], None, None
    for event in events:
        match event:
            case TextDelta(text) | RefusalDelta(text):
                _add(blocks, "text", text)
            case ThoughtDelta(text):
                _add(blocks, "thought", text)
            case ThoughtSigned(state):
                if not blocks or blocks[-1][0] != "thought":
                    blocks.append(["thought", ""])
                blocks[-1].append(state.data)
            case CallStarted(_, id, name):
                blocks.append(["call", "", id, name])
            case ArgumentsDelta(_, text):
                blocks[-1][1] += text
            case Usage():
                usage = (
                    event.input_tokens,
                    event.cached_tokens,
                    event.output_tokens,
                    event.reasoning_tokens,
                )
            case Ended(reason):
                end = reason
            case Failed(message):
                end = f"failed: {message}"
    for block in blocks:
        if block[0] == "call":
            block[1] = json.loads(block[1] or "{}")
    return blocks, usage, end


def _add(blocks, kind, text):
    if blocks and blocks[-1][0] == kind and len(blocks[-1]) == 2:
        blocks[-1][1] += text
    else:
        blocks.append([kind, text])
