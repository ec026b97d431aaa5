"""Requests: round trips in neutral form, stable prefixes, and what a target's columns change."""

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_gateway.adaptation.marked_state import marked
from llm_gateway.adaptation.vocabulary import Quirks
from llm_gateway.dialects import SPECS
from llm_gateway.translation.carried import CannotCarry, Notes
from llm_gateway.translation.codec import Target
from llm_gateway.translation.conversation import (
    Conversation,
    Text,
    ToolCall,
    ToolResult,
    Turn,
)
from llm_gateway.translation.settings import Settings
from llm_gateway.translation.tools import FunctionTool, ToolChoice
from llm_gateway.translation.translator import translate_request
from translation.samples import BASE, CHAT_IMAGE, GET, PIXEL, SCHEMA, SEARCH, text, turn

CODECS = {name: spec.codecs for name, spec in SPECS.items() if spec.codecs is not None}

WORDS = st.text(min_size=1, max_size=12).filter(str.strip)
IDS = st.from_regex(r"[a-zA-Z0-9_-]{1,20}", fullmatch=True)
OBJECTS = st.dictionaries(WORDS, st.integers() | WORDS, max_size=3)


def one_text(role):
    return WORDS.map(lambda word: Turn(role, (Text(word),)))


@st.composite
def rounds(draw):
    """A user's words, the assistant's calls with their results, its words."""
    turns = [draw(one_text("user"))]
    ids = draw(st.lists(IDS, max_size=3, unique=True))
    if ids:
        calls = [ToolCall(id, draw(IDS), json_text(draw(OBJECTS))) for id in ids]
        results = [ToolResult(id, (Text(draw(WORDS)),)) for id in ids]
        turns += [Turn("assistant", tuple(calls)), Turn("user", tuple(results))]
    return [*turns, draw(one_text("assistant"))]


def json_text(value):
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


@st.composite
def conversations(draw):
    turns = [t for one in draw(st.lists(rounds(), max_size=3)) for t in one]
    system = draw(st.just([]) | one_text("system").map(lambda t: [t]))
    tools = draw(st.lists(st.builds(FunctionTool, IDS, WORDS, st.just(SCHEMA)), max_size=3, unique_by=lambda t: t.name))  # fmt: skip
    choices = [None, ToolChoice("auto"), ToolChoice("required"), ToolChoice("none")]
    return Conversation(
        turns=(*system, *turns, Turn("user", (Text("Now?"),))),
        tools=tuple(tools),
        tool_choice=draw(st.sampled_from(choices)) if tools else None,
        settings=Settings(
            max_tokens=draw(st.integers(1, 9_999)),
            stop=tuple(draw(st.lists(WORDS, max_size=4))),
            temperature=draw(st.none() | st.floats(0, 1)),
            top_p=draw(st.none() | st.floats(0, 1)),
            parallel=False if tools and draw(st.booleans()) else None,
            stream=draw(st.booleans()),
        ),
    )


def neutral(conversation):
    """What every dialect can hold of it, results and words of a user in turns of their own."""
    settings = conversation.settings
    turns = []
    for each in conversation.turns:
        results = tuple(p for p in each.parts if isinstance(p, ToolResult))
        rest = tuple(p for p in each.parts if not isinstance(p, ToolResult))
        turns += [(each.role, parts) for parts in (results, rest) if parts]
    choice = conversation.tool_choice
    forbids = choice is not None and choice.mode == "none"
    return (
        turns,
        conversation.tools,
        choice if choice != ToolChoice("auto") else None,
        settings.max_tokens,
        settings.stop,
        settings.temperature,
        settings.top_p,
        settings.parallel is False and not forbids,
        settings.stream,
    )


@pytest.mark.parametrize("name", ["chat", "messages"])
@given(conversation=conversations())
def test_what_is_written_is_read_back(name, conversation):
    codecs = CODECS[name]
    notes = Notes(codecs.fates)
    written = codecs.write_request(conversation, Target("m"), notes)
    assert notes.unfit is None
    back = codecs.read_request(json.loads(json.dumps(written.body)))
    assert neutral(back) == neutral(conversation)
    assert (notes.drops, notes.approximations) == ((), ())


@pytest.mark.parametrize("name", ["chat", "messages"])
@given(turns=st.lists(rounds(), min_size=2, max_size=4))
def test_what_earlier_turns_become_is_the_same_in_later_requests(name, turns):
    """Caches and signatures are bound to these bytes."""
    codecs = CODECS[name]
    before = None
    for n in range(1, len(turns)):
        history = (*(t for one in turns[:n] for t in one), turns[n][0])
        conversation = Conversation((Turn("system", (Text("Be brief."),)), *history))
        body = codecs.write_request(conversation, Target("m"), Notes(codecs.fates)).body
        messages = json.dumps(body["messages"])[:-1]
        if before is not None:
            assert messages.startswith(before)
        before = messages


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.sampled_from(["type", "text", "content", "role", "id", "name", "input", "function", "source", "tool_calls"]) | st.text(max_size=3), inner, max_size=3),
    max_leaves=15,
)  # fmt: skip


@pytest.mark.parametrize("name", ["chat", "messages"])
@given(st.data())
def test_any_json_is_read_without_raising(name, data):
    members = ["messages", "system", "tools", "tool_choice", "stop", "thinking", "reasoning", "response_format", "output_config", "max_tokens", "n"]  # fmt: skip
    body = data.draw(st.dictionaries(st.sampled_from(members), JSON))
    if data.draw(st.booleans()):
        types = st.sampled_from(["text", "image", "document", "tool_use", "tool_result", "thinking", "image_url", "file"])  # fmt: skip
        blocks = st.lists(st.dictionaries(st.just("type"), types).flatmap(lambda d: JSON.map(lambda j: {**(j if isinstance(j, dict) else {}), **d})), max_size=3)  # fmt: skip
        roles = st.sampled_from(["user", "assistant", "tool", "system"])
        message = st.builds(lambda r, c: {"role": r, "content": c}, roles, blocks)
        body["messages"] = data.draw(st.lists(message, max_size=3))
    for other in ("chat", "messages"):
        translate_request(
            CODECS[name], CODECS[other], {"model": "m", **body}, Target("m")
        )


def to(target, source, about=None, **members):
    body = {**BASE.get(source, {"model": "m"}), **members}
    return translate_request(CODECS[source], CODECS[target], body, about or Target("m"))


def messages_of(found):
    assert not isinstance(found, CannotCarry), found
    return found.body["messages"]


def test_results_stand_right_behind_their_calls_and_images_behind_the_results():
    def result(id, *inner):
        return {"type": "tool_result", "tool_use_id": id, "content": list(inner)}

    source = {"type": "base64", "media_type": "image/png", "data": PIXEL}
    uses = [
        {"type": "tool_use", "id": f"c{n}", "name": "get", "input": {}} for n in (1, 2)
    ]
    found = to(
        "chat",
        "messages",
        tools=[GET],
        messages=[
            turn("user", text("Look.")),
            turn("assistant", text("I look."), *uses),
            turn("user", result("c1", text("One"), {"type": "image", "source": source}), result("c2"), text("And?")),
        ],
    )  # fmt: skip
    assert [m["role"] for m in messages_of(found)] == ["user", "assistant", "tool", "tool", "user"]  # fmt: skip
    assert [m.get("tool_call_id") for m in messages_of(found)[2:4]] == ["c1", "c2"]
    assert messages_of(found)[-1]["content"][1:] == [CHAT_IMAGE, text("And?")]


def test_messages_get_results_first_in_one_turn_and_roles_that_alternate():
    calls = [
        {"id": f"c {n}", "type": "function", "function": {"name": "get", "arguments": "not json"}}
        for n in (1, 2)
    ]  # fmt: skip
    found = to(
        "messages",
        "chat",
        messages=[
            {"role": "assistant", "content": "Hello."},
            {"role": "user", "content": "hi"},
            {"role": "user", "content": ""},
            {"role": "assistant", "content": "", "tool_calls": calls},
            {"role": "tool", "tool_call_id": "c 1", "content": "one"},
            {"role": "tool", "tool_call_id": "c 2", "content": "two"},
            {"role": "user", "content": "And?"},
        ],
    )
    messages = messages_of(found)
    assert [m["role"] for m in messages] == ["user", "assistant"] * 2 + ["user"]
    ids = [block["id"] for block in messages[3]["content"]]
    assert all(id.isalnum() or "_" in id for id in ids)
    assert len(set(ids)) == 2
    assert [b.get("tool_use_id") for b in messages[4]["content"]] == [*ids, None]
    assert messages[3]["content"][0]["input"] == {"input": "not json"}


@pytest.mark.parametrize(
    ("quirks", "thinking", "written"),
    [
        ("", {"type": "enabled", "budget_tokens": 1_024}, {"reasoning_effort": "low"}),
        ("", {"type": "enabled", "budget_tokens": 31_999}, {"reasoning_effort": "high"}),
        ("", {"type": "disabled"}, {}),
        ("effort:allowed=none,low", {"type": "disabled"}, {"reasoning_effort": "none"}),
        ("thinking:form=type", {"type": "disabled"}, {"thinking": {"type": "disabled"}}),
        ("thinking:form=enable_thinking", {"type": "adaptive"}, {"enable_thinking": True}),
        ("", {"type": "adaptive"}, {}),
    ],
)  # fmt: skip
def test_thinking_in_the_form_that_the_row_names(quirks, thinking, written):
    about = Target("m", quirks=Quirks.parse(*quirks.split()))
    found = to("chat", "messages", about, thinking=thinking)
    names = ("reasoning_effort", "thinking", "enable_thinking")
    assert {n: found.body[n] for n in names if n in found.body} == written


@pytest.mark.parametrize(
    ("quirks", "member"),
    [("", None), ("reasoning:wanted=reasoning_content", "reasoning_content"), ("reasoning:as=reasoning", "reasoning"), ("reasoning:as=reasoning reasoning:out", None)],
)  # fmt: skip
def test_thoughts_go_back_to_who_wants_them(quirks, member):
    thought = {
        "type": "thinking",
        "thinking": "Hm.",
        "signature": marked("x", "plain", ""),
    }
    about = Target("m", quirks=Quirks.parse(*quirks.split()))
    turns = [turn("user", text()), turn("assistant", thought, text("Yes."))]
    found = to("chat", "messages", about, messages=turns)
    assert messages_of(found)[1] == {
        "role": "assistant",
        "content": "Yes.",
        **({member: "Hm."} if member else {}),
    }


@pytest.mark.parametrize(
    ("members", "about", "written"),
    [
        ({"max_tokens": 9_000}, Target(max_output=4_096), {"max_tokens": 4_096}),
        ({}, Target(max_output=4_096), {"max_tokens": 4_096}),
        ({}, Target(), {"max_tokens": 32_000}),
        ({"temperature": 1.7}, Target(), {"temperature": 1}),
        ({"reasoning": {"max_tokens": 5_000}, "max_tokens": 100}, Target(), {"max_tokens": 5_100, "thinking": {"type": "enabled", "budget_tokens": 5_000}}),
        ({"reasoning_effort": "minimal"}, Target(), {"output_config": {"effort": "low"}, "thinking": {"type": "adaptive"}}),
        ({"reasoning_effort": "none"}, Target(), {"thinking": {"type": "disabled"}}),
        ({"stop": "x"}, Target(), {"stop_sequences": ["x"]}),
        ({"messages": [{"role": "system", "content": "Be."}]}, Target(), {"messages": [{"role": "user", "content": "Be."}]}),
    ],
)  # fmt: skip
def test_settings_that_messages_want_otherwise(members, about, written):
    found = to("messages", "chat", about, **members)
    assert not isinstance(found, CannotCarry)
    assert {name: found.body[name] for name in written} == written


@pytest.mark.parametrize(
    ("target", "source", "members", "part"),
    [
        ("chat", "messages", {"tools": [SEARCH]}, "server tool web_search_20250305"),
        ("chat", "messages", {"tools": [GET, SEARCH], "tool_choice": {"type": "tool", "name": "web_search"}}, "server tool web_search_20250305"),
        ("chat", "messages", {"stop_sequences": list("abcde")}, "more stop sequences than it takes"),
        ("messages", "chat", {"stop": "\n"}, "stop sequences"),
        ("messages", "chat", {"n": 2}, "several answers"),
        ("chat", "messages", {"container": "c1"}, "container"),
    ],
)  # fmt: skip
def test_what_cannot_be_carried_is_named(target, source, members, part):
    found = to(target, source, **members)
    assert isinstance(found, CannotCarry)
    assert found.part == part
    assert str(found).startswith(f"cannot carry: {part}")


def test_a_prefill_is_needed_where_the_target_refuses_it():
    turns = [turn("user", text()), turn("assistant", text("So "))]
    about = Target("m", quirks=Quirks.parse("role:last=user"))
    chat = [{"role": m["role"], "content": m["content"][0]["text"]} for m in turns]
    assert isinstance(to("messages", "chat", about, messages=chat), CannotCarry)
    found = to("messages", "chat", messages=chat)
    assert messages_of(found)[-1]["content"] == "So"


WEATHER = {"name": "weather", "description": "d", "defer_loading": True}
BLOCK = {**WEATHER, "input_schema": {"type": "object"}}
FUNCTION = {**WEATHER, "type": "function", "parameters": {"type": "object"}}
FINDER = {"type": "tool_search_tool_regex_20251119", "name": "tool_search_tool_regex"}
FOUND = {
    "type": "tool_search_tool_search_result",
    "tool_references": [{"type": "tool_reference", "tool_name": "weather"}],
}
BLOCKS = [
    {"type": "server_tool_use", "id": "s1", "name": FINDER["name"], "input": {}},
    {"type": "tool_search_tool_result", "tool_use_id": "s1", "content": FOUND},
]
ITEMS = [
    {"type": "tool_search_call", "execution": "server", "arguments": {}},
    {"type": "tool_search_output", "execution": "server", "tools": [FUNCTION]},
]
ASKED = {"role": "user", "content": "Rain?"}
MADE = {"type": "tool_use", "id": "c1", "name": "weather", "input": {}}
CALLED = {
    "type": "function_call",
    "call_id": "c1",
    "name": "weather",
    "arguments": "{}",
}
DEFERRED = {
    "offered": ("messages", {"messages": [ASKED], "tools": [FINDER, BLOCK]}, []),
    "found by the provider": (
        "messages",
        {
            "messages": [ASKED, {"role": "assistant", "content": [*BLOCKS, MADE]}],
            "tools": [FINDER, BLOCK],
        },
        ["c1"],
    ),
    "found, and no word said": (
        "messages",
        {
            "messages": [ASKED, {"role": "assistant", "content": BLOCKS}, ASKED],
            "tools": [FINDER, BLOCK],
        },
        [],
    ),
    "an item": (
        "responses",
        {"input": "Rain?", "tools": [{"type": "tool_search"}, FUNCTION]},
        [],
    ),
    "items": (
        "responses",
        {"input": [ASKED, *ITEMS, CALLED], "tools": [{"type": "tool_search"}]},
        ["c1"],
    ),
    "items, and no word said": (
        "responses",
        {"input": [ASKED, *ITEMS], "tools": [{"type": "tool_search"}]},
        [],
    ),
}


@pytest.mark.parametrize("kind", DEFERRED)
def test_tools_that_are_loaded_later_are_there_from_the_beginning(kind):
    """Nobody searches for them elsewhere; what was searched leaves no empty turn behind."""
    source, body, calls = DEFERRED[kind]
    found = translate_request(CODECS[source], CODECS["chat"], body, Target("there"))
    assert not isinstance(found, CannotCarry), str(found)
    [tool] = found.body["tools"]
    assert tool["function"]["name"] == "weather"
    assert "defer_loading" not in json.dumps(tool)
    assert "server tool" in " ".join(part for part, _ in found.adaptation.dropped)
    messages = found.body["messages"]
    made = [m for m in messages if m["role"] == "assistant"]
    assert [c["id"] for m in made for c in m["tool_calls"]] == calls
    assert len(made) == bool(calls)


CALLS = ("c1", "c2")


def called(*ids):
    function = {"name": "get", "arguments": "{}"}
    calls = [{"id": id, "type": "function", "function": function} for id in ids]
    return {"role": "assistant", "content": None, "tool_calls": calls}


def answered(id, said="r"):
    return {"role": "tool", "tool_call_id": id, "content": said}


def asked(said):
    return {"role": "user", "content": said}


def items_of(messages):
    """The same history as Responses clients keep it."""
    items = []
    for message in messages:
        if message["role"] == "tool":
            id, said = message["tool_call_id"], message["content"]
            items.append(
                {"type": "function_call_output", "call_id": id, "output": said}
            )
        elif calls := message.get("tool_calls"):
            items += [
                {"type": "function_call", "call_id": call["id"], **call["function"]}
                for call in calls
            ]
        else:
            items.append(message)
    return items


@pytest.mark.parametrize(
    ("between", "roles"),
    [
        pytest.param([asked("hurry")], "user assistant tool tool user", id="steered"),
        pytest.param(
            [{"role": "developer", "content": "Be brief."}],
            "user assistant tool tool system",
            id="instructed",
        ),
        pytest.param(
            [answered("c1"), asked("hurry"), {"role": "assistant", "content": "Hm."}],
            "user assistant tool tool user assistant",
            id="the second result is late",
        ),
    ],
)
def test_results_that_come_late_stand_right_behind_their_calls(between, roles):
    early = [m["tool_call_id"] for m in between if m["role"] == "tool"]
    rest = [answered(id) for id in CALLS if id not in early]
    history = [asked("q"), called(*CALLS), *between, *rest]
    found = to("chat", "responses", input=items_of(history))
    messages = found.body["messages"]
    assert " ".join(m["role"] for m in messages) == roles
    assert [m["tool_call_id"] for m in messages[2:4]] == [*CALLS]
    written = to("messages", "responses", input=items_of(history)).body["messages"]
    results = [b for b in written[2]["content"] if b["type"] == "tool_result"]
    assert [b["tool_use_id"] for b in results] == [*CALLS]


@pytest.mark.parametrize(
    ("history", "meant"),
    [
        pytest.param(
            [called("c"), answered("c", "1"), called("c"), answered("c", "2")],
            [("1",), ("2",)],
            id="counted anew in each answer",
        ),
        pytest.param(
            [called("c", "c"), answered("c", "1"), answered("c", "2")],
            [("1", "2")],
            id="twice in one answer",
        ),
        pytest.param(
            [called("c"), asked("no"), called("c"), answered("c", "2")],
            [(), ("2",)],
            id="the first was never answered",
        ),
    ],
)
def test_each_call_has_an_id_of_its_own_in_messages(history, meant):
    found = to("messages", "chat", messages=[asked("q"), *history])
    ids, results = [], {}
    for message in found.body["messages"]:
        for block in message["content"]:
            if not isinstance(block, dict):
                continue
            if block["type"] == "tool_use":
                ids.append(block["id"])
            elif block["type"] == "tool_result":
                results[block["tool_use_id"]] = block["content"]
    assert len(set(ids)) == len(ids)
    assert [results[id] for id in ids if id in results] == [
        said for turn in meant for said in turn
    ]
    assert results.keys() <= set(ids)
    again = to("messages", "chat", messages=[asked("q"), *history, asked("more")])
    sent = found.body["messages"][:-1]
    assert again.body["messages"][: len(sent)] == sent


OPEN = {"type": "object", "properties": {"a": {"type": "string"}}}
ALL = {**OPEN, "required": ["a"]}
CLOSED = {**ALL, "additionalProperties": False}
WITHIN = {"type": "object", "properties": {"in": ALL}, "required": ["in"]}
CLOSED_WITHIN = {
    **WITHIN,
    "properties": {"in": CLOSED},
    "additionalProperties": False,
}
DICT = {"type": "object", "additionalProperties": {"type": "string"}}
NUMBER = {"type": "integer", "format": "int32"}


@pytest.mark.parametrize(
    ("schema", "written", "strict", "closed"),
    [
        pytest.param(ALL, CLOSED, True, CLOSED, id="open"),
        pytest.param(CLOSED, CLOSED, True, CLOSED, id="closed"),
        pytest.param(WITHIN, CLOSED_WITHIN, True, CLOSED_WITHIN, id="open inside"),
        pytest.param(
            OPEN, OPEN, False, {**OPEN, "additionalProperties": False}, id="optional"
        ),
        pytest.param(DICT, DICT, False, DICT, id="any names"),
        pytest.param(NUMBER, NUMBER, False, NUMBER, id="a format of others"),
    ],
)
@pytest.mark.parametrize("source", ["generateContent", "messages"])
def test_schemas_of_others_are_strict_where_strict_mode_takes_them(
    source, schema, written, strict, closed
):
    given = {
        "generateContent": {
            "generationConfig": {
                "responseMimeType": "application/json",
                "responseJsonSchema": schema,
            }
        },
        "messages": {
            "output_config": {"format": {"type": "json_schema", "schema": schema}}
        },
    }[source]
    chat = to("chat", source, **given)
    held = chat.body["response_format"]["json_schema"]
    assert (held["schema"], held["strict"]) == (written, strict)
    assert ("structured output" in dict(chat.adaptation.approximated)) is not strict
    format = to("responses", source, **given).body["text"]["format"]
    assert (format["schema"], format["strict"]) == (written, strict)
    if source != "messages":
        config = to("messages", source, **given).body["output_config"]
        assert config["format"]["schema"] == closed


@pytest.mark.parametrize("strict", [True, False, None])
def test_strict_is_what_an_openai_client_said(strict):
    inner = {
        "name": "n",
        "schema": OPEN,
        **({} if strict is None else {"strict": strict}),
    }
    format = {"type": "json_schema", "json_schema": inner}
    written = to("responses", "chat", response_format=format).body["text"]["format"]
    assert (written["schema"], written["strict"]) == (OPEN, strict is True)


@pytest.mark.parametrize(
    ("member", "value"),
    [
        *(("logit_bias", {}), ("top_logprobs", 0), ("logprobs", False)),
        *(("audio", None), ("metadata", {}), ("web_search_options", None)),
    ],
)
def test_an_empty_member_asks_for_nothing(member, value):
    found = to("messages", "chat", **{member: value})
    assert (found.adaptation.dropped, found.adaptation.approximated) == ((), ())


def test_members_inside_of_chat_messages_are_not_dropped_in_silence():
    history = [
        asked("q"),
        {"role": "assistant", "content": "x", "annotations": [{}], "prefix": None},
        {**asked("go on"), "own": 1},
    ]
    found = to("messages", "chat", messages=history)
    assert {part for part, _ in found.adaptation.dropped} == {
        "messages[].annotations",
        "messages[].own",
    }


@pytest.mark.parametrize(
    ("audio", "text"),
    [({"id": "a1", "transcript": "Hm."}, "Hm."), ({"id": "a1"}, None)],
)
def test_an_answer_in_sound_is_what_it_said_or_its_providers_own(audio, text):
    history = [asked("q"), {"role": "assistant", "audio": audio}, asked("go on")]
    body = {**BASE["chat"], "messages": history}
    found = translate_request(CODECS["chat"], CODECS["messages"], body, Target("m"))
    if text is None:
        assert str(found) == "cannot carry: audio"
    else:
        assert found.body["messages"][1] == {"role": "assistant", "content": text}


@pytest.mark.parametrize(
    "place",
    [
        {
            "messages": [
                {"role": "user", "content": "q", "cache_control": {"type": "e"}}
            ]
        },
        {"messages": [asked([{**text("q"), "cache_control": {"type": "e"}}])]},
    ],
)
def test_cache_marks_of_chat_apps_reach_messages(place):
    found = to("messages", "chat", **place)
    [block] = found.body["messages"][0]["content"]
    assert block["cache_control"] == {"type": "ephemeral"}
    assert dict(to("responses", "chat", **place).adaptation.dropped).keys() == {
        "cache_control"
    }


@pytest.mark.parametrize("name", ["a.b:c-d", "get weather", "x" * 200])
def test_odd_names_of_tools_fit_responses_and_come_back(name):
    function = {"name": name, "parameters": {"type": "object"}}
    choice = {"type": "function", "function": {"name": name}}
    history = [asked("q"), called("c1"), answered("c1")]
    history[1]["tool_calls"][0]["function"] = {"name": name, "arguments": "{}"}
    found = to(
        "responses",
        "chat",
        messages=history,
        tools=[{"type": "function", "function": function}],
        tool_choice=choice,
    )
    [tool] = found.body["tools"]
    flat = tool["name"]
    assert re.fullmatch(r"[a-zA-Z0-9_-]{1,128}", flat)
    assert found.body["tool_choice"]["name"] == flat
    assert [i["name"] for i in found.body["input"] if "name" in i] == [flat]
    assert found.context.tools[flat].name == name


@pytest.mark.parametrize("target", ["messages", "generateContent"])
def test_a_tool_whose_name_stands_twice_is_declared_once(target):
    tools = [
        {"type": "function", "function": {"name": name, "description": said}}
        for name, said in (("get", "First."), ("put", ""), ("get", "Second."))
    ]
    found = to(target, "chat", tools=tools)
    declared = found.body["tools"]
    if target == "generateContent":
        declared = declared[0]["functionDeclarations"]
    assert [(t["name"], t.get("description")) for t in declared] == [
        ("get", "First."),
        ("put", None),
    ]
    assert found.adaptation.dropped == (("tool", "its name stands twice"),)
