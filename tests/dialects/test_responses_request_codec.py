"""Requests of Responses in neutral form, and back: a table of forms, and properties."""

import json
from base64 import b64encode
from itertools import takewhile

import pytest
from examples import examples
from hypothesis import given
from hypothesis import strategies as st

from llm_gateway.adaptation.vocabulary import Quirks
from llm_gateway.dialects.responses.carried import FATES, SAYS
from llm_gateway.dialects.responses.request_reader import read_request
from llm_gateway.dialects.responses.request_writer import write_request
from llm_gateway.dialects.responses.sealed_thoughts import sealed
from llm_gateway.translation.carried import Notes, PartName
from llm_gateway.translation.codec import Target
from llm_gateway.translation.conversation import (
    Audio,
    Conversation,
    Document,
    Foreign,
    Image,
    Opaque,
    Refusal,
    Text,
    Thought,
    ToolCall,
    ToolResult,
    Turn,
)
from llm_gateway.translation.settings import OutputFormat, Reasoning, Settings
from llm_gateway.translation.tools import (
    FreeformTool,
    FunctionTool,
    ServerTool,
    ToolChoice,
)

SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}}
GRAMMAR = {"type": "grammar", "syntax": "lark", "definition": "start: /.+/"}
PNG = b64encode(b"\x89PNG").decode()
SIGNED = Thought("I see.", Opaque("sig", "anthropic"))


def read(*items, **body):
    return read_request({"input": list(items), **body})


def one(item):
    """The only part of the only turn."""
    (turn,) = read(item).turns
    (part,) = turn.parts
    return part


def user(part):
    return {"role": "user", "content": [part]}


def write(conversation, target=None):
    notes = Notes(FATES)
    return write_request(conversation, target or Target(), notes).body, notes


def item_of(part, role="assistant", target=None):
    """The first item that a part becomes, behind which somebody speaks."""
    turns = (Turn(role, (part,)), Turn("user", (Text("?"),)))
    body, notes = write(Conversation(turns), target)
    items = body["input"]
    return (items[0] if len(items) > 1 else None), notes


# -- reading


PARTS = {
    "text": ({"type": "input_text", "text": "Hi"}, Text("Hi")),
    "text, as chat has it": ({"type": "text", "text": "Hi"}, Text("Hi")),
    "text of an answer": ({"type": "output_text", "text": "Hi"}, Text("Hi")),
    "refusal": ({"type": "refusal", "refusal": "No."}, Refusal("No.")),
    "image by data": (
        {"type": "input_image", "image_url": f"data:image/png;base64,{PNG}"},
        Image(PNG, "image/png"),
    ),
    "image, URL-safe alphabet": (
        {"type": "input_image", "image_url": "data:image/png;base64,_-A"},
        Image("/+A=", "image/png"),
    ),
    "image by URL": (
        {"type": "input_image", "image_url": "https://x.test/a.png", "detail": "low"},
        Image(url="https://x.test/a.png", detail="low"),
    ),
    "image by file": (
        {"type": "input_image", "file_id": "file-1"},
        Image(file="file-1"),
    ),
    "PDF": (
        {
            "type": "input_file",
            "filename": "a.pdf",
            "file_data": f"data:application/pdf;base64,{PNG}",
        },
        Document(PNG, "application/pdf", name="a.pdf"),
    ),
    "PDF, bare": (
        {"type": "input_file", "filename": "a.pdf", "file_data": PNG},
        Document(PNG, "application/pdf", name="a.pdf"),
    ),
    "text file": (
        {
            "type": "input_file",
            "filename": "a.md",
            "file_data": f"data:text/markdown;base64,{b64encode(b'# A').decode()}",
        },
        Document(text="# A", media_type="text/markdown", name="a.md"),
    ),
    "document by URL": (
        {"type": "input_file", "file_url": "https://x.test/a.pdf"},
        Document(url="https://x.test/a.pdf"),
    ),
    "document by file": (
        {"type": "input_file", "file_id": "file-2"},
        Document(file="file-2"),
    ),
    "audio": (
        {"type": "input_audio", "input_audio": {"data": PNG, "format": "wav"}},
        Audio(PNG, "wav"),
    ),
    "unknown": ({"type": "hologram"}, Foreign("hologram", {"type": "hologram"})),
}


@pytest.mark.parametrize(("part", "expected"), PARTS.values(), ids=PARTS)
def test_parts_are_read(part, expected):
    assert one(user(part)) == expected


CALL = {"type": "function_call", "call_id": "c1", "name": "add", "arguments": "{}"}
ITEMS = {
    "call": (CALL, ToolCall("c1", "add", "{}")),
    "call in a namespace": (
        {**CALL, "namespace": "math"},
        ToolCall("c1", "add", "{}", namespace="math"),
    ),
    "call with arguments as an object": (
        {**CALL, "arguments": {"a": 1}},
        ToolCall("c1", "add", '{"a": 1}'),
    ),
    "freeform call": (
        {"type": "custom_tool_call", "call_id": "c1", "name": "exec", "input": "ls"},
        ToolCall("c1", "exec", "ls", freeform=True),
    ),
    "output": (
        {"type": "function_call_output", "call_id": "c1", "output": "3"},
        ToolResult("c1", (Text("3"),)),
    ),
    "output with an image": (
        {
            "type": "function_call_output",
            "call_id": "c1",
            "output": [
                {"type": "input_text", "text": "3"},
                {"type": "input_image", "image_url": f"data:image/png;base64,{PNG}"},
            ],
        },
        ToolResult("c1", (Text("3"), Image(PNG, "image/png"))),
    ),
    "output as an object": (
        {"type": "function_call_output", "call_id": "c1", "output": {"a": 1}},
        ToolResult("c1", (Text('{"a": 1}'),)),
    ),
    "freeform output": (
        {"type": "custom_tool_call_output", "call_id": "c1", "output": "ok"},
        ToolResult("c1", (Text("ok"),), freeform=True),
    ),
    "reasoning, its summary": (
        {
            "type": "reasoning",
            "id": "rs_1",
            "summary": [
                {"type": "summary_text", "text": "A"},
                {"type": "summary_text", "text": "B"},
            ],
        },
        Thought("A\n\nB"),
    ),
    "reasoning, in full": (
        {
            "type": "reasoning",
            "summary": [{"type": "summary_text", "text": "short"}],
            "content": [{"type": "reasoning_text", "text": "long"}],
        },
        Thought("long"),
    ),
    "reasoning, encrypted by its provider": (
        {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gA=="},
        Thought("", Opaque("gA==", form="redacted", id="rs_1")),
    ),
    "reasoning, marked by us": (
        {
            "type": "reasoning",
            "id": "rs_1",
            "summary": [],
            "encrypted_content": sealed(SIGNED, "", shown=True),
        },
        SIGNED,
    ),
    "thoughts that were not shown": (
        {
            "type": "reasoning",
            "summary": [],
            "encrypted_content": sealed(Thought("Hidden"), "deepseek", shown=False),
        },
        Thought("Hidden", Opaque("", "deepseek", "plain")),
    ),
    "of another agent": (
        {
            "type": "agent_message",
            "content": [{"type": "input_text", "text": "Done."}],
        },
        Text("Done."),
    ),
    "compacted past": (
        {"type": "context_compaction", "encrypted_content": "x"},
        Foreign("compaction", {"type": "context_compaction", "encrypted_content": "x"}),
    ),
    "search by the provider": (
        {"type": "web_search_call", "id": "ws_1"},
        Foreign("web_search_call", {"type": "web_search_call", "id": "ws_1"}),
    ),
}


@pytest.mark.parametrize(("item", "expected"), ITEMS.values(), ids=ITEMS)
def test_items_are_read(item, expected):
    assert one(item) == expected


def test_what_one_answer_made_is_one_turn_and_so_are_the_outputs_of_its_calls():
    found = read(
        {"role": "user", "content": "Hi"},
        {"type": "reasoning", "summary": [{"type": "summary_text", "text": "Hm"}]},
        {"role": "assistant", "content": "Let me see."},
        CALL,
        {**CALL, "call_id": "c2"},
        {"type": "function_call_output", "call_id": "c1", "output": "1"},
        {"type": "function_call_output", "call_id": "c2", "output": "2"},
        {"role": "user", "content": "And?"},
        {"role": "user", "content": "Well?"},
    )
    assert [(t.role, len(t.parts)) for t in found.turns] == [
        ("user", 1),
        ("assistant", 4),
        ("user", 2),
        ("user", 1),
        ("user", 1),
    ]


def test_instructions_are_the_first_turn_and_items_of_that_role_follow():
    found = read(
        {"role": "developer", "content": "B"},
        {"role": "system", "content": "C"},
        instructions="A",
    )
    assert [(t.role, t.parts) for t in found.turns] == [
        ("system", (Text("A"),)),
        ("developer", (Text("B"),)),
        ("system", (Text("C"),)),
    ]


def function(name, **more):
    return {"type": "function", "name": name, "parameters": SCHEMA, **more}


def test_tools_of_every_form_and_place_are_read():
    custom = {
        "type": "custom",
        "name": "exec",
        "description": "Runs",
        "format": GRAMMAR,
    }
    search = {"type": "web_search", "external_web_access": False}
    found = read(
        {
            "type": "additional_tools",
            "role": "developer",
            "tools": [
                {"type": "namespace", "name": "fs", "tools": [custom, function("read")]}
            ],
        },
        {"type": "tool_search_output", "call_id": "t", "tools": [function("found")]},
        tools=[
            function("add", strict=True, description="Adds"),
            {"type": "function", "function": {"name": "nested"}},
            {"type": "custom", "name": "say", "format": {"type": "text"}},
            search,
            {"type": "mcp", "server_label": "wiki"},
        ],
    )
    assert found.tools == (
        FunctionTool("add", "Adds", SCHEMA, True),
        FunctionTool("nested"),
        FreeformTool("say"),
        ServerTool("web_search", "web_search", search),
        ServerTool("mcp", "wiki", {"type": "mcp", "server_label": "wiki"}),
        FreeformTool("exec", "Runs", GRAMMAR, "fs"),
        FunctionTool("read", "", SCHEMA, namespace="fs"),
        FunctionTool("found", "", SCHEMA),
    )
    assert found.turns == ()


CHOICES = {
    "auto": ("auto", ToolChoice("auto")),
    "none": ("none", ToolChoice("none")),
    "required": ("required", ToolChoice("required")),
    "absent": (None, None),
    "function": (
        {"type": "function", "name": "add"},
        ToolChoice("one", "add"),
    ),
    "custom": (
        {"type": "custom", "name": "exec", "namespace": "fs"},
        ToolChoice("one", "exec", "fs"),
    ),
    "allowed": (
        {
            "type": "allowed_tools",
            "mode": "required",
            "tools": [{"type": "function", "name": "add"}, {"type": "web_search"}],
        },
        ToolChoice("required", allowed=("add", "web_search")),
    ),
    "nothing allowed": (
        {"type": "allowed_tools", "mode": "auto", "tools": []},
        ToolChoice("none"),
    ),
    "of the provider": (
        {"type": "web_search_preview"},
        ToolChoice("one", "web_search_preview", type="web_search_preview"),
    ),
}


@pytest.mark.parametrize(("choice", "expected"), CHOICES.values(), ids=CHOICES)
def test_tool_choices_are_read(choice, expected):
    assert read(tool_choice=choice).tool_choice == expected


SETTINGS = {
    "nothing": ({}, Settings(reasoning=Reasoning(shown=False))),
    "bounds and sampling": (
        {
            "max_output_tokens": 99,
            "temperature": 0.5,
            "top_p": 1,
            "parallel_tool_calls": False,
            "stream": True,
            "prompt_cache_key": "k",
            "safety_identifier": "s",
        },
        Settings(
            max_tokens=99,
            temperature=0.5,
            top_p=1,
            parallel=False,
            reasoning=Reasoning(shown=False),
            stream=True,
            cache_key="k",
            user="s",
        ),
    ),
    "effort": (
        {"reasoning": {"effort": "high", "summary": "auto"}},
        Settings(reasoning=Reasoning("high", shown=True, summary="auto")),
    ),
    "no effort": (
        {"reasoning": {"effort": "none"}},
        Settings(reasoning=Reasoning("none", mode="off", shown=False)),
    ),
    "schema": (
        {
            "text": {
                "format": {
                    "type": "json_schema",
                    "name": "n",
                    "schema": SCHEMA,
                    "strict": True,
                }
            }
        },
        Settings(
            reasoning=Reasoning(shown=False),
            output=OutputFormat("json_schema", SCHEMA, "n", strict=True),
        ),
    ),
    "JSON": (
        {"text": {"format": {"type": "json_object"}}},
        Settings(reasoning=Reasoning(shown=False), output=OutputFormat("json_object")),
    ),
    "text": (
        {"text": {"format": {"type": "text"}}},
        Settings(reasoning=Reasoning(shown=False)),
    ),
    "changed on the way": (
        {
            "reasoning": {"effort": "low"},
            "input": [
                {"type": "configuration_update", "reasoning": {"effort": "high"}}
            ],
        },
        Settings(reasoning=Reasoning("high", shown=False)),
    ),
    "no numbers": (
        {"max_output_tokens": "9", "temperature": True, "top_p": None},
        Settings(reasoning=Reasoning(shown=False)),
    ),
}


@pytest.mark.parametrize(("body", "expected"), SETTINGS.values(), ids=SETTINGS)
def test_settings_are_read(body, expected):
    assert read_request(body).settings == expected


def test_members_without_a_place_are_kept_by_name_and_defaults_are_none():
    found = read_request(
        {
            "model": "m",
            "previous_response_id": "resp_1",
            "store": True,
            "background": False,
            "truncation": "disabled",
            "service_tier": "flex",
            "metadata": {},
            "include": ["reasoning.encrypted_content"],
            "text": {"verbosity": "low"},
            "reasoning": {"context": "all_turns"},
            "max_tool_calls": None,
        }
    )
    assert found.extras == {
        "previous_response_id": "resp_1",
        "store": True,
        "service_tier": "flex",
        "text.verbosity": "low",
        "reasoning.context": "all_turns",
    }
    assert read_request({"include": ["message.output_text.logprobs"]}).extras == {
        "logprobs": True
    }


# -- writing


def test_an_empty_request_keeps_nothing_at_the_provider():
    assert write(Conversation(()))[0] == {"input": [], "store": False}


def test_first_instructions_are_a_member_and_all_others_items():
    body, _ = write(
        Conversation(
            (
                Turn("system", (Text("A"), Text("B"))),
                Turn("system", (Text("C"),)),
                Turn("user", (Text("Hi"), Image(PNG, "image/png"))),
                Turn("developer", (Text("D"),)),
            )
        )
    )
    assert body["instructions"] == "A\n\nB"
    assert body["input"] == [
        {"role": "system", "content": "C"},
        {
            "role": "user",
            "content": [
                {"type": "input_text", "text": "Hi"},
                {
                    "type": "input_image",
                    "image_url": f"data:image/png;base64,{PNG}",
                    "detail": "auto",
                },
            ],
        },
        {"role": "developer", "content": "D"},
    ]


def test_an_answer_is_written_in_the_order_in_which_it_was_made():
    answer = (
        Text("Let me see."),
        ToolCall("c1", "add", "{}"),
        ToolCall("c2", "exec", "ls", freeform=True, namespace="fs"),
    )
    results = (
        ToolResult("c1", (Text("3"),)),
        ToolResult("c2", (Text("no"),), is_error=True, freeform=True),
        Text("Well?"),
    )
    body, notes = write(
        Conversation((Turn("assistant", answer), Turn("user", results)))
    )
    assert body["input"] == [
        {"role": "assistant", "content": "Let me see."},
        {"type": "function_call", "call_id": "c1", "name": "add", "arguments": "{}"},
        {
            "type": "custom_tool_call",
            "call_id": "c2",
            "name": "exec",
            "namespace": "fs",
            "input": "ls",
        },
        {"type": "function_call_output", "call_id": "c1", "output": "3"},
        {"type": "custom_tool_call_output", "call_id": "c2", "output": "Error: no"},
        {"role": "user", "content": "Well?"},
    ]
    assert notes.approximations == (("is_error", "the text begins with 'Error: '"),)


def test_long_call_ids_of_a_call_and_its_result_still_meet():
    turns = (
        Turn("assistant", (ToolCall("c" * 69, "add", "{}"),)),
        Turn("user", (ToolResult("c" * 69, (Text("3"),)),)),
    )
    call, output = write(Conversation(turns))[0]["input"]
    assert call["call_id"] == output["call_id"]
    assert len(call["call_id"]) <= 64


MINE = Target(maker="openai me")
PLAIN = Target(maker="deepseek", quirks=Quirks.parse("reasoning:as=plain"))
THOUGHTS = {
    "own": (Thought("A", Opaque("x", "openai me", id="rs_9")), MINE, "rs_9"),
    "of another maker": (Thought("A", Opaque("x", "anthropic")), MINE, None),
    "of nobody": (Thought("", Opaque("x")), MINE, None),
    "nobody's, for nobody": (Thought("", Opaque("x")), Target(), None),
    "plain": (Thought("A"), MINE, None),
    "plain, and wanted": (Thought("A"), PLAIN, "rs_"),
}


@pytest.mark.parametrize(("thought", "target", "id"), THOUGHTS.values(), ids=THOUGHTS)
def test_thoughts_go_back_to_their_maker_alone(thought, target, id):
    item, notes = item_of(thought, target=target)
    if id is None:
        assert item is None
        assert len(notes.drops) >= 1
    else:
        assert item["id"].startswith(id)
        assert not notes.drops
    assert thought.state is None or ("x" in json.dumps(item)) == (id == "rs_9")


def test_tools_and_the_choice_among_them_are_written():
    tools = (
        FunctionTool("add", "Adds", SCHEMA, True),
        FunctionTool("sub"),
        FreeformTool("exec", "Runs", GRAMMAR, "fs"),
        FunctionTool("read", namespace="fs"),
    )
    body, _ = write(Conversation((), tools, ToolChoice("one", "exec", "fs")))
    no = {"type": "object", "properties": {}}
    assert body["tools"] == [
        {
            "type": "function",
            "name": "add",
            "description": "Adds",
            "parameters": SCHEMA,
            "strict": True,
        },
        {"type": "function", "name": "sub", "parameters": no, "strict": False},
        {
            "type": "namespace",
            "name": "fs",
            "description": "",
            "tools": [
                {
                    "type": "custom",
                    "name": "exec",
                    "description": "Runs",
                    "format": GRAMMAR,
                },
                {"type": "function", "name": "read", "parameters": no, "strict": False},
            ],
        },
    ]
    assert body["tool_choice"] == {"type": "custom", "name": "exec", "namespace": "fs"}
    body, _ = write(Conversation((), tools[:1], ToolChoice("auto", allowed=("add",))))
    assert body["tool_choice"] == {
        "type": "allowed_tools",
        "mode": "auto",
        "tools": [{"type": "function", "name": "add"}],
    }


def test_settings_are_written():
    body, notes = write(
        Conversation(
            (),
            settings=Settings(
                max_tokens=1,
                temperature=0.0,
                top_p=0.5,
                parallel=False,
                reasoning=Reasoning(budget=9_000, mode="manual", shown=True),
                output=OutputFormat("json_schema", SCHEMA, strict=True),
                cache_key="k" * 99,
                stream=True,
                user="u",
                top_k=3,
            ),
        )
    )
    assert len(body.pop("prompt_cache_key")) <= 64
    assert body == {
        "input": [],
        "max_output_tokens": 16,
        "temperature": 0.0,
        "top_p": 0.5,
        "reasoning": {"effort": "high", "summary": "auto"},
        "text": {
            "format": {
                "type": "json_schema",
                "name": "answer",
                "schema": SCHEMA,
                "strict": True,
            }
        },
        "stream": True,
        "store": False,
    }
    assert [part for part, _ in notes.drops] == ["top_k", "user"]
    assert [part for part, _ in notes.approximations] == [
        "max_tokens",
        "thinking budget",
        "thoughts shown",
    ]


def said(*parts, role="user", **more):
    return Conversation((Turn(role, parts),), **more)


NEEDED = {
    "PDF in a message": said(Document(PNG, "application/pdf")),
    "document by URL": said(Document(url="https://x.test/a.pdf")),
    "document by file id": said(Document(file="f")),
    "image by file id": said(Image(file="f")),
    "audio": said(Audio(PNG, "wav")),
    "hologram": said(Foreign("hologram", {})),
    "document in a tool result": said(
        ToolResult("c", (Document(PNG, "application/pdf"),))
    ),
    "beginning of the answer": said(Text("Well, "), role="assistant"),
    "stop sequences": said(settings=Settings(stop=("X",))),
    "several answers": said(settings=Settings(n=2)),
    "logprobs": said(extras={"logprobs": True}),
    "logit_bias": said(extras={"logit_bias": {"1": 2}}),
    "cachedContent": said(extras={"cachedContent": "c"}),
    "compacted past": said(Foreign("compaction", {})),
    "server tool web_search": said(tools=(ServerTool("web_search", "w", {}),)),
    "server tool web": said(
        tools=(ServerTool("web", "w", {}), FunctionTool("add")),
        tool_choice=ToolChoice("one", "w", type="web"),
    ),
}


@pytest.mark.parametrize(("part", "conversation"), NEEDED.items(), ids=NEEDED)
def test_what_cannot_be_carried_makes_it_unfit(part, conversation):
    _, notes = write(conversation)
    assert notes.unfit is not None
    assert notes.unfit.part == part
    # … unless the provider's row says otherwise.
    taker = Target(takes=frozenset({"documents", "document URLs", "audio"}))
    _, notes = write(conversation, taker)
    by_column = {FATES[name].unless for name in PartName if name.value == part}
    by_column |= {"documents"} if part == "document in a tool result" else set()
    assert (notes.unfit is None) == bool(by_column - {""})


def test_every_part_has_a_fate():
    assert set(FATES) == set(PartName)
    assert set(PartName) >= SAYS


# -- there and back


texts = st.text(min_size=1, max_size=20)
names = st.from_regex(r"[a-z_]{1,8}", fullmatch=True)
ids = st.from_regex(r"call_[a-z0-9]{1,9}", fullmatch=True)
media = st.one_of(
    st.builds(Text, texts),
    st.just(Image(PNG, "image/png", detail="auto")),
    st.just(Image(url="https://x.test/a.png", detail="low")),
    st.just(Document(PNG, "application/pdf", name="a.pdf")),
    st.just(Document(url="https://x.test/a.pdf")),
    st.just(Audio(PNG, "wav")),
)
calls = st.builds(
    ToolCall,
    ids,
    names,
    st.sampled_from(["{}", '{"a": 1}']),
    freeform=st.booleans(),
    namespace=st.sampled_from(["", "fs"]),
)
results = st.builds(
    ToolResult,
    ids,
    st.lists(st.one_of(st.builds(Text, texts)), min_size=1, max_size=2).map(tuple),
    freeform=st.booleans(),
)
thoughts = st.builds(
    Thought, texts, st.just(Opaque("x", "me", form="redacted", id="rs_1"))
)
answers = st.lists(
    st.one_of(st.builds(Text, texts), calls, thoughts), min_size=1, max_size=4
)
turns = st.one_of(
    st.builds(
        Turn, st.just("user"), st.lists(media, min_size=1, max_size=3).map(tuple)
    ),
    st.builds(
        Turn, st.just("user"), st.lists(results, min_size=1, max_size=3).map(tuple)
    ),
    st.builds(Turn, st.just("assistant"), answers.map(tuple)),
    st.builds(
        Turn,
        st.sampled_from(["system", "developer"]),
        st.builds(Text, texts).map(lambda text: (text,)),
    ),
)
tools = st.lists(
    st.one_of(
        st.builds(
            FunctionTool, names, texts, st.just(SCHEMA), st.booleans(), st.just("")
        ),
        st.builds(FreeformTool, names, texts, st.sampled_from([None, GRAMMAR])),
    ),
    max_size=4,
    unique_by=lambda tool: tool.name,
)
ME = Target(maker="me", takes=frozenset({"documents", "document URLs", "audio"}))


def marked(value):
    """With our mark, as it would come back through a client of ours."""
    if isinstance(value, list):
        return [marked(each) for each in value]
    if isinstance(value, dict):
        new = {name: marked(each) for name, each in value.items()}
        if new.get("type") == "reasoning":
            state = Opaque(new["encrypted_content"], "me", "redacted")
            new["encrypted_content"] = sealed(Thought("", state), "", shown=True)
        return new
    return value


def merged(conversation):
    """Turns that one answer, or one round of results, is; ids of items are not kept."""
    found: list[Turn] = []
    for turn in conversation.turns:
        parts = tuple(
            Thought(p.text, Opaque(p.state.data, p.state.maker, p.state.form))
            if isinstance(p, Thought)
            else p
            for p in turn.parts
        )
        last = found[-1] if found else None
        if (
            last is not None
            and last.role == turn.role
            and (
                turn.role == "assistant"
                or (
                    turn.role == "user"
                    and all(isinstance(p, ToolResult) for p in (*last.parts, *parts))
                )
            )
        ):
            found[-1] = Turn(turn.role, (*last.parts, *parts))
        else:
            found.append(Turn(turn.role, parts))
    return found


@given(
    st.lists(turns, max_size=6).map(tuple),
    tools.map(tuple),
    st.sampled_from(
        [None, ToolChoice("auto"), ToolChoice("required"), ToolChoice("none")]
    ),
)
@examples(60)
def test_what_is_written_is_read_as_what_it_was(turns, tools, choice):
    conversation = Conversation(turns, tools, choice if tools else None)
    body, notes = write(conversation, ME)
    found = read_request(json.loads(json.dumps(marked(body))))
    # A system turn among the first instructions is a member, and stands in front.
    wanted = merged(conversation)
    instructing = list(takewhile(lambda t: t.role in ("system", "developer"), wanted))
    first = next((t for t in instructing if t.role == "system"), None)
    if first is not None:
        wanted.remove(first)
        wanted.insert(0, first)
    assert merged(found) == wanted
    assert found.tools == tools
    assert found.tool_choice == (choice if tools else None)
    assert notes.drops == ()


jsons = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.text(max_size=5),
        st.sampled_from(
            ["message", "reasoning", "function_call", "namespace", "custom"]
        ),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(
                [
                    *("type", "role", "content", "tools", "name", "summary", "output"),
                    *("format", "arguments", "call_id", "encrypted_content", "text"),
                    *("image_url", "file_data", "reasoning", "mode", "function"),
                ]
            ),
            inner,
            max_size=4,
        ),
    ),
    max_leaves=12,
)
members = st.dictionaries(
    st.sampled_from(
        [
            *("input", "instructions", "tools", "tool_choice", "reasoning", "text"),
            *("include", "max_output_tokens", "stream", "metadata"),
        ]
    ),
    jsons,
    max_size=6,
)


@given(members)
@examples(100)
def test_any_json_is_read_and_written(body):
    conversation = read_request(body)
    json.dumps(write(conversation)[0])
