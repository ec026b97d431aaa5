"""Calls that a model writes as text: found in answers to declared tools, and nowhere else."""

import json
from typing import Any

import pytest

from llm_gateway.adaptation.calls_as_text import TextCalls, lesson
from llm_gateway.adaptation.vocabulary import NO_QUIRKS, Quirks
from llm_gateway.dialects import SPECS
from llm_gateway.dialects.call_markup import (
    MARKERS,
    NEAR,
    CallMarkup,
    Markup,
    declared_names,
)
from llm_gateway.domain import Dialect
from llm_gateway.streaming.response_probe import ProbeState, ResponseProbe

WRITTEN = [
    '<tool_call>\n{"name": "add", "arguments": {"a": 1}}\n</tool_call>',
    "<tool_calls>[{'name': 'add'}]",
    "<|tool_calls_section_begin|><|tool_call_begin|>functions.add:0<|tool_call_argument_begin|>{}",
    "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>add\n```json\n{}\n```",
    '<｜DSML｜function_calls>\n<｜DSML｜invoke name="add">',
    "<function=add>\n<parameter=a>\n1\n</parameter>",
    '<function_calls>\n<invoke name="add">\n<parameter name="a">1',
    '<invoke name="add">',
    '<minimax:tool_call>\n<invoke name="add">',
    ']<]minimax[>[<tool_call>]<]minimax[>[<invoke name="add">',
    '<seed:tool_call><function name="add">',
    '[TOOL_CALLS][{"name": "add", "arguments": {}}]',
    "[TOOL_CALLS]add[ARGS]{}",
    '<|python_tag|>{"type": "function", "name": "add"}',
    "<|channel|>commentary to=functions.add <|constrain|>json<|message|>{}",
    "<|start|>assistant<|channel|>commentary to=functions.add<|message|>{}",
    "commentary to=functions.add json{}",
    'functools[{"name": "add"}]',
]
OTHERS = [
    "The tool is called add.",
    "<b>add</b>",
    "<tool_bar>add</tool_bar>",
    "[TOOLS] add",
    "functional programming: add",
    '<tool_call>{"name": "subtract"}</tool_call>',
    "<tool_call>" + " " * NEAR + "add",
    "<tool_call>added up</tool_call>",
    "<tool_call>add-more</tool_call>",
    "",
    "  ",
]


def markup(says: str = "", *names: str) -> CallMarkup:
    return CallMarkup(lambda: names or ("add", "read"), lambda text: text in says)


def chat(text: str) -> str:
    return json.dumps({"choices": [{"delta": {"content": text}}]})


def streamed(text: str, size: int, found: CallMarkup) -> Markup:
    state = Markup.UNKNOWN
    for at in range(0, len(text), size):
        state = found.feed(chat(text[at : at + size]))
        if state is not Markup.UNKNOWN:
            break
    return state


@pytest.mark.parametrize("text", WRITTEN)
def test_calls_are_found_wherever_the_stream_is_cut(text: str) -> None:
    for size in (1, 3, 7, len(text)):
        assert streamed(f"\n{text} ", size, markup()) is Markup.CALL
    assert markup().whole(json.dumps({"content": text}))
    assert markup().whole(json.dumps({"content": f"Let me see.\n{text}"}))
    escaped = json.dumps({"text": text}).replace("<", "\\u003c")
    assert markup().whole(escaped)


@pytest.mark.parametrize("text", WRITTEN)
def test_who_speaks_of_markup_gets_it(text: str) -> None:
    marker = next(m for m, _ in MARKERS if text.startswith(m))
    says = f"Answer with {marker.lower()}, please."
    assert streamed(f"{text} ", 5, markup(says)) is not Markup.CALL
    assert not markup(says).whole(json.dumps({"content": text}))
    assert not markup().whole(json.dumps({"content": f"```\n{text}\n```"}))
    assert not markup("", "sub").whole(json.dumps({"content": text}))


@pytest.mark.parametrize("text", OTHERS)
def test_other_texts_pass(text: str) -> None:
    for size in (1, 4, 999):
        assert streamed(f"{text} ...", size, markup()) is not Markup.CALL
    assert not markup().whole(json.dumps({"content": text}))


@pytest.mark.parametrize(
    "event",
    [
        {"choices": [{"delta": {"reasoning_content": "<tool_call>add "}}]},
        {"choices": [{"delta": {"content": None, "tool_calls": [{"id": "c"}]}}]},
        {"type": "content_block_delta", "delta": {"type": "thinking_delta", "thinking": "<tool_call>add "}},
        {"type": "response.reasoning_summary_text.delta", "delta": "<tool_call>add "},
        {"type": "response.function_call_arguments.delta", "delta": "<tool_call>add "},
    ],
)  # fmt: skip
def test_thoughts_and_calls_go_out_as_they_come(event: dict[str, Any]) -> None:
    assert markup().feed(json.dumps(event)) is Markup.NONE


def test_an_answer_with_a_real_call_is_one() -> None:
    text = WRITTEN[0]
    for call in (
        {"tool_calls": [{"id": "c"}]},
        {"type": "tool_use"},
        {"type": "function_call"},
        {"functionCall": {}},
    ):
        assert not markup().whole(json.dumps([{"content": text}, call]))
    assert markup().whole(json.dumps({"content": text, "tool_calls": []}))


SAID = {
    "chat": lambda t: {"choices": [{"delta": {"content": t}}]},
    "messages": lambda t: {
        "type": "content_block_delta",
        "index": 0,
        "delta": {"type": "text_delta", "text": t},
    },
    "responses": lambda t: {"type": "response.output_text.delta", "delta": t},
    "generateContent": lambda t: {"candidates": [{"content": {"parts": [{"text": t}]}}]},
}  # fmt: skip


@pytest.mark.parametrize("dialect", SAID)
def test_the_head_of_a_stream_is_held_until_it_is_known(dialect: str) -> None:
    def events(*texts: str) -> list[ProbeState]:
        probe = ResponseProbe(SPECS[Dialect(dialect)], True, markup=markup())
        found = []
        for text in texts:
            data = json.dumps(SAID[dialect](text))
            found.append(probe.feed(f"data: {data}\n\n".encode()))
        found.append(probe.finish())
        return found

    hold, content, error = ProbeState.HOLD, ProbeState.CONTENT, ProbeState.ERROR
    assert events("<tool", "_call>{", '"add" ') == [hold, hold, error, error]
    assert events("<tool", "box>") == [hold, content, content]
    assert events("Hello") == [content, content]
    assert events("<tool_call>") == [hold, content]


@pytest.mark.parametrize(
    ("values", "names"),
    [
        ({"tools": [{"type": "function", "function": {"name": "a"}}]}, {"a"}),
        ({"tools": [{"name": "a", "input_schema": {"name": "x"}}]}, {"a"}),
        ({"tools": [{"functionDeclarations": [{"name": "a"}, {"name": "b"}]}]}, {"a", "b"}),
        ({"tools": [{"type": "namespace", "name": "n", "tools": [{"name": "a"}]}]}, {"n", "a"}),
        ({"input": [{"type": "additional_tools", "tools": [{"name": "a"}]}, {"type": "function_call", "name": "x"}]}, {"a"}),
        ({"tools": "x", "input": "y"}, set()),
        ({"tools": [None, {"name": 3}, {"name": ""}]}, set()),
        ({}, set()),
    ],
)  # fmt: skip
def test_declared_names(values: dict[str, Any], names: set[str]) -> None:
    assert declared_names(values) == names


CUSTOM = {"tools": [{"type": "custom", "name": "exec"}]}
LIFTED = {"input": [{"type": "additional_tools", "tools": [{"name": "a"}]}]}
FUNCTION = {"tools": [{"type": "function", "name": "a"}]}
FORMS = [
    "tool_type:custom=function",
    "tool_type:namespace=flat",
    "tool_type:additional_tools=lifted",
]
HERE, EVERYWHERE = "state:tools=unfit", "endpoint:tools"


@pytest.mark.parametrize(
    ("dialect", "sent", "known", "always", "taught"),
    [
        ("responses", CUSTOM, [], False, FORMS),
        ("responses", CUSTOM, [], True, FORMS),
        ("responses", LIFTED, [], False, FORMS),
        ("responses", CUSTOM, FORMS[:1], False, FORMS[1:]),
        ("responses", CUSTOM, FORMS, False, [HERE]),
        ("responses", FUNCTION, [], False, [HERE]),
        ("responses", FUNCTION, [], True, [HERE, EVERYWHERE]),
        ("chat", {"tools": [{"type": "function"}]}, [], False, [HERE]),
        ("chat", {"tools": [{"type": "custom"}]}, [], True, [HERE, EVERYWHERE]),
        ("messages", {"tools": [{"name": "a"}]}, [], False, [HERE]),
    ],
)
def test_what_is_learned(
    dialect: str,
    sent: dict[str, Any],
    known: list[str],
    always: bool,
    taught: list[str],
) -> None:
    found = lesson(
        Dialect(dialect), sent, Quirks.parse(*known) or NO_QUIRKS, always=always
    )
    assert [str(quirk) for quirk in found.quirks] == taught


def test_a_model_that_was_seen_to_call_is_not_judged_by_a_slip() -> None:
    calls, place = TextCalls(most=3), ("p", "m", "chat")
    assert [calls.wrote(place, talk) for talk in "aab"] == [False, False, True]
    calls.called(place)
    assert [calls.wrote(place, talk) for talk in "cd"] == [False, False]
    for n in range(9):
        calls.wrote(("p", str(n), "chat"), "a")
    assert [calls.wrote(("p", "8", "chat"), talk) for talk in "ab"] == [False, True]
