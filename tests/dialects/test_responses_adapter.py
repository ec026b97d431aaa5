"""Responses, adapted: what OpenAI's models and other vendors' Responses want."""

import json

import pytest
from tables import each_row

from llm_gateway.adaptation.adapted import UNCHANGED
from llm_gateway.adaptation.kept_state import Kept, nothing_kept
from llm_gateway.adaptation.marked_state import marked
from llm_gateway.adaptation.vocabulary import NO_QUIRKS, Quirks
from llm_gateway.dialects.responses import RESPONSES
from llm_gateway.dialects.responses.adapter import adapt

USER = {"type": "message", "role": "user", "content": "Hello!"}
SAID = {
    "type": "message",
    "role": "assistant",
    "id": "msg_1",
    "content": [{"type": "output_text", "text": "2"}],
}
THOUGHT = {
    "type": "reasoning",
    "id": "rs_1",
    "summary": [],
    "encrypted_content": "E" * 40,
}
CALL = {
    "type": "function_call",
    "id": "fc_1",
    "call_id": "call_1",
    "name": "add",
    "arguments": "{}",
}
OUT = {"type": "function_call_output", "call_id": "call_1", "output": "2"}
PATCH = {
    "type": "custom_tool_call",
    "id": "ctc_1",
    "call_id": "call_2",
    "name": "apply_patch",
    "input": 'a "b"',
}
PATCH_OUT = {"type": "custom_tool_call_output", "call_id": "call_2", "output": "ok"}
COMPACTION = {"type": "compaction", "id": "cmp_1", "encrypted_content": "C" * 40}
ADD = {"type": "function", "name": "add", "parameters": {"type": "object"}}
CUSTOM = {
    "type": "custom",
    "name": "apply_patch",
    "description": "Patches",
    "format": {"type": "grammar", "syntax": "lark", "definition": "start: X"},
}
SPACE = {"type": "namespace", "name": "mcp__files", "tools": [{**ADD, "name": "read"}]}
SEARCH = {"type": "web_search"}
MORE = {"type": "additional_tools", "role": "developer", "tools": [CUSTOM, SPACE]}
FUNCTIONS = "tool_type:*=function"
ITEMS = "item:*=message,function_call,function_call_output"

PATCH_FUNCTION = {
    "type": "function",
    "name": "apply_patch",
    "description": "Patches\n\nThe input follows this lark grammar:\nstart: X",
    "parameters": {
        "type": "object",
        "properties": {"input": {"type": "string", "description": "The whole input."}},
        "required": ["input"],
        "additionalProperties": False,
    },
    "strict": False,
}
READ = {**ADD, "name": "mcp__files__read"}


def without(item, *names):
    return {k: v for k, v in item.items() if k not in names}


class Issued:
    def __init__(self, own=(), foreign=()):
        self.own, self.foreign = own, foreign

    def __call__(self, call, n=0):
        return None

    def issued(self, block):
        return True if block in self.own else False if block in self.foreign else None


def adapted(body, *quirks, recall=nothing_kept):
    body = {"model": "m", "input": [USER], **body}
    before = json.dumps(body)
    found = adapt(body, Quirks.parse(*quirks), recall)
    assert json.dumps(body) == before, "what it is given is not changed"
    body = {k: v for k, v in body.items() if k not in found.dropped}
    return {**body, **found.replaced}, found


CASES = {
    "small caps are raised": (
        {"max_output_tokens": 1},
        ["limit:max_output_tokens>=16"],
        {"max_output_tokens": 16},
    ),
    "effort: the nearest": (
        {"reasoning": {"effort": "minimal", "summary": "auto"}},
        ["effort:allowed=low,medium,high"],
        {"reasoning": {"effort": "low", "summary": "auto"}},
    ),
    "effort: none is another thing than little": (
        {"reasoning": {"effort": "none"}},
        ["effort:allowed=low,medium,high"],
        {"reasoning": {"effort": "low"}},
    ),
    "effort: least, where none is allowed too": (
        {"reasoning": {"effort": "minimal"}},
        ["effort:allowed=none,low,medium,high"],
        {"reasoning": {"effort": "low"}},
    ),
    "effort: never null": (
        {"reasoning": {"effort": None}},
        ["effort:allowed=low,high"],
        {"reasoning": None},
    ),
    "effort: not at all": (
        {"reasoning": {"effort": "low", "summary": "auto"}},
        ["effort:out"],
        {"reasoning": {"summary": "auto"}},
    ),
    "sampling beside an effort": (
        {"reasoning": {"effort": "low"}, "temperature": 0, "top_p": 1},
        ["sampling:thinking=out", "effort:default=none"],
        {"temperature": None, "top_p": None},
    ),
    "sampling, and it does not think unasked": (
        {"temperature": 0},
        ["sampling:thinking=out", "effort:default=none"],
        {"temperature": 0},
    ),
    "sampling, and it thinks unasked": (
        {"temperature": 0},
        ["sampling:thinking=out", "effort:default=medium"],
        {"temperature": None},
    ),
    "sampling with an explicit none": (
        {"temperature": 0, "reasoning": {"effort": "none"}},
        ["sampling:thinking=out", "effort:default=medium"],
        {"temperature": 0},
    ),
    "no sampling ever": (
        {"temperature": 0, "top_logprobs": 2},
        ["sampling:temperature", "sampling:top_logprobs"],
        {"temperature": None, "top_logprobs": None},
    ),
    "storing is refused": ({"store": True}, ["member:store=false"], {"store": False}),
    "the poorest form of the top": (
        {"store": False, "prompt_cache_key": "k", "include": [], "background": False},
        ["member:*=prompt_cache_key"],
        {"store": None, "prompt_cache_key": "k", "include": None, "background": None},
    ),
    "a long key": (
        {"prompt_cache_key": "k" * 65, "safety_identifier": "s"},
        ["id:prompt_cache_key=.{1,64}", "id:safety_identifier=.{1,64}"],
        {"safety_identifier": "s"},
    ),
    "instructions stand in front": (
        {"instructions": "Be brief."},
        ["role:instructions=developer"],
        {
            "instructions": None,
            "input": [{"role": "developer", "content": "Be brief."}, USER],
        },
    ),
    "a forced tool in words": (
        {"tools": [ADD], "tool_choice": {"type": "function", "name": "add"}},
        ["tool_choice:forced=auto"],
        {
            "tool_choice": "auto",
            "input": [
                USER,
                {
                    "role": "user",
                    "content": "Call the tool `add` now; do not answer with text alone.",
                },
            ],
        },
    ),
    # tools
    "freeform tools as functions": (
        {
            "tools": [ADD, CUSTOM],
            "tool_choice": {"type": "custom", "name": "apply_patch"},
        },
        ["tool_type:custom=function"],
        {
            "tools": [ADD, PATCH_FUNCTION],
            "tool_choice": {"type": "function", "name": "apply_patch"},
        },
    ),
    "namespaces as part of the name": (
        {
            "tools": [SPACE],
            "tool_choice": {
                "type": "function",
                "name": "read",
                "namespace": "mcp__files",
            },
        },
        ["tool_type:namespace=flat"],
        {
            "tools": [READ],
            "tool_choice": {"type": "function", "name": "mcp__files__read"},
        },
    ),
    "additional tools are lifted": (
        {"tools": [ADD], "input": [MORE, USER]},
        ["tool_type:additional_tools=lifted"],
        {"tools": [ADD, CUSTOM, SPACE], "input": [USER]},
    ),
    "functions alone": (
        {"tools": [ADD, SEARCH], "input": [MORE, USER]},
        [FUNCTIONS],
        {"tools": [ADD, PATCH_FUNCTION, READ], "input": [USER]},
    ),
    "tools that the provider runs": (
        {"tools": [ADD, SEARCH, CUSTOM]},
        ["tool_type:server=out"],
        {"tools": [ADD, CUSTOM]},
    ),
    "one of them": (
        {"tools": [ADD, SEARCH, {"type": "mcp"}]},
        ["tool_type:web_search*=out"],
        {"tools": [ADD, {"type": "mcp"}]},
    ),
    "allowed tools": (
        {
            "tools": [ADD, CUSTOM],
            "tool_choice": {
                "type": "allowed_tools",
                "mode": "required",
                "tools": [{"type": "custom", "name": "apply_patch"}],
            },
        },
        [FUNCTIONS],
        {"tools": [PATCH_FUNCTION], "tool_choice": "required"},
    ),
    "members of tools": (
        {"tools": [{**ADD, "strict": True, "defer_loading": True}]},
        ["tool:*"],
        {"tools": [{**ADD, "strict": True}]},
    ),
    "no strict": (
        {"tools": [ADD]},
        ["tools:strict=false"],
        {"tools": [{**ADD, "strict": False}]},
    ),
    "parameters": (
        {"tools": [without(ADD, "parameters")]},
        ["tools:parameters"],
        {"tools": [{**ADD, "parameters": {"type": "object", "properties": {}}}]},
    ),
    # items
    "freeform calls as functions": (
        {"tools": [CUSTOM], "input": [USER, PATCH, PATCH_OUT]},
        [FUNCTIONS, ITEMS],
        {
            "input": [
                USER,
                {
                    "type": "function_call",
                    "call_id": "call_2",
                    "name": "apply_patch",
                    "arguments": '{"input": "a \\"b\\""}',
                },
                {**PATCH_OUT, "type": "function_call_output"},
            ]
        },
    ),
    "calls in a namespace": (
        {
            "input": [
                USER,
                {**CALL, "name": "read", "namespace": "mcp__files"},
                OUT,
            ]
        },
        ["tool_type:namespace=flat"],
        {"input": [USER, {**CALL, "name": "mcp__files__read"}, OUT]},
    ),
    "items that are not read": (
        {"input": [USER, THOUGHT, {"type": "web_search_call", "id": "ws_1"}, SAID]},
        [ITEMS],
        {"input": [USER, without(SAID, "id")]},
    ),
    "reasoning goes, and the ids behind it": (
        {"input": [USER, THOUGHT, CALL, OUT, SAID, USER, SAID]},
        ["state:reasoning=out"],
        {
            "input": [
                USER,
                without(CALL, "id"),
                OUT,
                without(SAID, "id"),
                USER,
                SAID,
            ]
        },
    ),
    "reasoning without what it led to": (
        {"input": [USER, THOUGHT, USER, THOUGHT]},
        ["state:followed=whole"],
        {"input": [USER, USER]},
    ),
    "orphans go": (
        {
            "input": [
                USER,
                {**CALL, "call_id": "call_8"},
                SAID,
                {**OUT, "call_id": "call_9"},
                CALL,
            ]
        },
        ["state:calls=whole"],
        {"input": [USER, SAID, CALL]},
    ),
    "a batch of calls, then their outputs": (
        {
            "input": [
                CALL,
                SAID,
                PATCH,
                USER,
                OUT,
                {"type": "custom_tool_call_output", "call_id": "call_2"},
                SAID,
            ]
        },
        ["tools:batched"],
        {
            "input": [
                SAID,
                CALL,
                PATCH,
                OUT,
                {"type": "custom_tool_call_output", "call_id": "call_2"},
                USER,
                SAID,
            ]
        },
    ),
    "ids of other vendors": (
        {"input": [{**SAID, "id": "f81d4fae-7dec"}, {**CALL, "id": "msg_2"}, SAID]},
        ["id:item=prefix"],
        {"input": [without(SAID, "id"), without(CALL, "id"), SAID]},
    ),
    "no ids at all": (
        {"input": [SAID, CALL]},
        ["id:item=out"],
        {"input": [without(SAID, "id"), without(CALL, "id")]},
    ),
    "nulls": (
        {"input": [{**THOUGHT, "content": None, "status": None}]},
        ["content:null"],
        {"input": [THOUGHT]},
    ),
    "members of items": (
        {"input": [{**SAID, "phase": "final"}, {**CALL, "caller": {}}]},
        ["message:*"],
        {"input": [SAID, CALL]},
    ),
    "parts of the assistant": (
        {
            "input": [
                {"role": "assistant", "content": [{"type": "input_text", "text": "2"}]}
            ]
        },
        ["content:assistant=output_text"],
        {
            "input": [
                {"role": "assistant", "content": [{"type": "output_text", "text": "2"}]}
            ]
        },
    ),
    "members of parts": (
        {
            "input": [
                {
                    "role": "assistant",
                    "content": [
                        {
                            "type": "output_text",
                            "text": "2",
                            "annotations": [],
                            "logprobs": [],
                        }
                    ],
                }
            ]
        },
        ["part:*"],
        {
            "input": [
                {"role": "assistant", "content": [{"type": "output_text", "text": "2"}]}
            ]
        },
    ),
    "outputs as text": (
        {
            "input": [
                CALL,
                {
                    **OUT,
                    "output": [
                        {"type": "input_text", "text": "a"},
                        {"type": "input_text", "text": "b"},
                    ],
                },
            ]
        },
        ["content:output=text"],
        {"input": [CALL, {**OUT, "output": "a\nb"}]},
    ),
    "developer": (
        {"input": [{"role": "developer", "content": "Be brief."}, USER]},
        ["role:developer=system"],
        {"input": [{"role": "system", "content": "Be brief."}, USER]},
    ),
}


@each_row("case", CASES)
def test_what_is_written(case):
    body, quirks, expected = CASES[case]
    made, found = adapted(body, *quirks)
    assert {name: made.get(name) for name in expected} == expected
    assert found.unfit == ""
    assert bool(found.changes) == (made != {"model": "m", "input": [USER], **body})
    again = adapt(made, Quirks.parse(*quirks), nothing_kept)
    assert (dict(again.replaced), again.dropped) == ({}, frozenset())


UNFIT = {
    "the only copy of the past": (
        {"input": [COMPACTION, USER]},
        [ITEMS],
        "takes no compaction, which holds what came before",
    ),
    "named alone": (
        {"input": [COMPACTION, USER]},
        ["item:compaction=unfit"],
        "takes no compaction, which holds what came before",
    ),
    "a reference": (
        {"input": [{"type": "item_reference", "id": "rs_1"}]},
        [ITEMS],
        "takes no item_reference, which holds what came before",
    ),
    "an earlier answer": (
        {"previous_response_id": "resp_1"},
        ["member:previous_response_id=unfit"],
        "takes no previous_response_id",
    ),
    "a conversation, in the poorest form": (
        {"conversation": "conv_1"},
        ["member:*"],
        "takes no conversation",
    ),
    "in the background": (
        {"background": True},
        ["member:*"],
        "takes no background",
    ),
    "the only tool": ({"tools": [SEARCH]}, [FUNCTIONS], "has no tool web_search"),
    "the tool that is forced": (
        {"tools": [ADD, SEARCH], "tool_choice": {"type": "web_search"}},
        [FUNCTIONS],
        "has no tool web_search",
    ),
    "too many": (
        {"tools": [{**ADD, "name": f"t{i}"} for i in range(129)]},
        ["limit:tools<=128"],
        "takes 128 tools at most",
    ),
    "a file": (
        {"input": [{"role": "user", "content": [{"type": "input_file"}]}]},
        ["block:input_file=unfit"],
        "takes no input_file in a message",
    ),
    "an image as output": (
        {"input": [CALL, {**OUT, "output": [{"type": "input_image"}]}]},
        ["content:output=text"],
        "takes no input_image in a tool's output",
    ),
}


@pytest.mark.parametrize("case", UNFIT)
def test_what_cannot_be_carried(case):
    body, quirks, why = UNFIT[case]
    assert adapted(body, *quirks)[1].unfit == why


def test_call_ids_still_meet():
    long = "call_" + "x" * 64
    body = {"input": [{**CALL, "call_id": long}, {**OUT, "call_id": long}, CALL]}
    made, found = adapted(body, "id:call=.{1,64}")
    call, out, other = (item["call_id"] for item in made["input"])
    assert call == out != long
    assert len(call) <= 64
    assert other == "call_1"
    assert "ids" in found.parts


FOREIGN = Issued(own=["O" * 40], foreign=["E" * 40, "C" * 40])
OWN = {**THOUGHT, "id": "rs_2", "encrypted_content": "O" * 40}


def test_reasoning_goes_back_to_its_issuer_alone():
    body = {"input": [USER, THOUGHT, CALL, OUT, OWN, SAID]}
    made, _ = adapted(body, recall=FOREIGN)
    assert made["input"] == [USER, without(CALL, "id"), OUT, OWN, SAID]
    assert adapted(body)[1] == UNCHANGED


TOLD = {
    "type": "reasoning",
    "summary": [],
    "content": [{"type": "reasoning_text", "text": "hm"}],
}
SHORT = {
    "type": "reasoning",
    "id": "rs_9",
    "summary": [{"type": "summary_text", "text": "hm"}],
}


@pytest.mark.parametrize(
    ("body", "left"),
    [
        ({"input": [USER, TOLD, CALL, OUT]}, [USER, without(CALL, "id"), OUT]),
        # Its maker may have stored it.
        ({"input": [USER, SHORT, CALL, OUT]}, [USER, SHORT, CALL, OUT]),
        (
            {"store": False, "input": [USER, SHORT, CALL, OUT]},
            [USER, without(CALL, "id"), OUT],
        ),
        ({"input": [USER, OWN, CALL, OUT]}, [USER, OWN, CALL, OUT]),
    ],
)
def test_plain_thoughts_go_where_sealed_ones_are_read(body, left):
    assert adapted(body, "reasoning:unsigned=out", recall=FOREIGN)[0]["input"] == left


class Thought(Issued):
    """Keeps what was thought beside each call."""

    def __call__(self, call, n=0):
        return Kept(f"{call.id} {n}") if call.id == CALL["call_id"] else None


def reasoning(text):
    return {**TOLD, "content": [{"type": "reasoning_text", "text": text}]}


def test_thoughts_that_are_wanted_come_back():
    first, again = CALL, {**CALL, "id": "fc_8"}
    other = {**CALL, "call_id": "call_8"}
    done = {**OUT, "call_id": "call_8"}
    given = [USER, first, other, OUT, done, again, OUT, TOLD, other, done]
    made, found = adapted(
        {"input": given}, "reasoning:wanted=reasoning", recall=Thought()
    )
    id_ = CALL["call_id"]
    assert made["input"] == [
        *(USER, reasoning(f"{id_} 0"), first, other, OUT, done),
        *(reasoning(f"{id_} 1"), again, OUT, TOLD, other, done),
    ]
    assert "reasoning" in found.parts
    made, _ = adapted({"input": [USER, other, done]}, "reasoning:wanted=reasoning")
    assert made["input"] == [USER, reasoning("..."), other, done]
    assert (
        adapted({"input": [USER, TOLD, other, done]}, "reasoning:wanted=reasoning")[1]
        == UNCHANGED
    )


def test_a_foreign_compaction_is_unfit():
    found = adapted({"input": [COMPACTION]}, recall=FOREIGN)[1]
    assert found.unfit == "cannot read the compaction of another provider"


def test_a_compaction_goes_back_to_its_issuer():
    body = {"input": [{**COMPACTION, "encrypted_content": "O" * 40}]}
    assert adapted(body, "item:compaction*=unfit", recall=FOREIGN)[1] == UNCHANGED
    assert adapted(body, "item:compaction*=unfit")[1].unfit


def test_no_ciphertext_where_plain_text_is_read():
    """What nobody was seen to issue is no plain text for sure."""
    unknown = {**THOUGHT, "encrypted_content": "U" * 40}
    quirks = ("reasoning:as=plain", "reasoning:unseen=out")
    body = {"input": [USER, unknown, SAID]}
    assert adapted(body, *quirks)[0]["input"] == [USER, without(SAID, "id")]
    told = {**unknown, "summary": [{"type": "summary_text", "text": "I add."}]}
    made, _ = adapted({"input": [USER, told, SAID]}, *quirks)
    assert made["input"][1] == without(told, "encrypted_content", "id")
    own = {"input": [USER, OWN, SAID]}
    assert adapted(own, *quirks, recall=FOREIGN)[1] == UNCHANGED


def restored(body, *quirks):
    found = adapted(body, *quirks)[1]
    assert found.restore is not None
    return found.restore()


def called(name, arguments, **more):
    return {
        "type": "function_call",
        "id": "fc_9",
        "call_id": "call_9",
        "name": name,
        "arguments": arguments,
        **more,
    }


BODY = {"tools": [ADD, SEARCH], "input": [MORE, USER]}


def test_a_plain_answer_calls_the_clients_own_tools():
    names = restored(BODY, FUNCTIONS)
    answer = {
        "output": [
            SAID,
            called("add", "{}"),
            called("apply_patch", '{"input": "a\\nb"}'),
            called("mcp__files__read", '{"path": "x"}'),
            called("apply_patch", "*** no JSON"),
        ]
    }
    said, add, patch, read, odd = names.answer(answer)["output"]
    assert said is SAID
    assert add is answer["output"][1]
    assert patch == {
        "type": "custom_tool_call",
        "id": "fc_9",
        "call_id": "call_9",
        "name": "apply_patch",
        "input": "a\nb",
    }
    assert (read["type"], read["name"], read["namespace"]) == (
        "function_call",
        "read",
        "mcp__files",
    )
    assert odd["input"] == "*** no JSON"
    plain = {"output": [SAID, called("add", "{}")]}
    assert names.answer(plain) is plain


@pytest.mark.parametrize("size", [1, 2, 3, 5, 100])
def test_a_stream_calls_the_clients_own_tools(size):
    text = 'a "b"\n\t\\ ä 😀 \\ud83d end'
    arguments = json.dumps({"input": text}, ensure_ascii=size % 2 == 0)
    pieces = [arguments[i : i + size] for i in range(0, len(arguments), size)]
    names = restored(BODY, FUNCTIONS)
    head = {"output_index": 0, "item_id": "fc_9"}
    events = [
        {
            "type": "response.output_item.added",
            "output_index": 0,
            "item": called("apply_patch", ""),
        },
        *(
            {"type": "response.function_call_arguments.delta", "delta": p, **head}
            for p in pieces
        ),
        {
            "type": "response.function_call_arguments.done",
            "arguments": arguments,
            "name": "apply_patch",
            **head,
        },
        {
            "type": "response.output_item.done",
            "output_index": 0,
            "item": called("apply_patch", arguments),
        },
        {
            "type": "response.completed",
            "response": {"output": [called("apply_patch", arguments)]},
        },
    ]
    added, *deltas, done, item, completed = [names.event(e) for e in events]
    assert added["item"] == {
        "type": "custom_tool_call",
        "id": "fc_9",
        "call_id": "call_9",
        "name": "apply_patch",
        "input": "",
    }
    assert {d["type"] for d in deltas} == {"response.custom_tool_call_input.delta"}
    assert "".join(d["delta"] for d in deltas) == json.loads(json.dumps(text))
    assert done["type"] == "response.custom_tool_call_input.done"
    assert done["input"] == item["item"]["input"] == text
    assert completed["response"]["output"][0] == item["item"]


def test_other_events_pass():
    names = restored(BODY, FUNCTIONS)
    events = [
        {"type": "response.created", "response": {"output": []}},
        {"type": "response.output_item.added", "output_index": 0, "item": SAID},
        {"type": "response.output_text.delta", "output_index": 0, "delta": "2"},
        {"type": "response.output_item.added", "output_index": 1, "item": CALL},
        {
            "type": "response.function_call_arguments.delta",
            "output_index": 1,
            "delta": "{",
        },
        {"type": "error", "message": "m"},
        {},
    ]
    assert all(names.event(event) is event for event in events)


def test_a_call_comes_back_as_it_went():
    """What the client saw, sent back, becomes the call that the provider made."""
    names = restored(BODY, FUNCTIONS)
    made = called("apply_patch", '{"input": "a b"}')
    seen = names.answer({"output": [made]})["output"][0]
    body = {**BODY, "input": [MORE, USER, seen]}
    assert adapted(body, FUNCTIONS)[0]["input"][1] == made


@pytest.mark.parametrize(
    ("space", "name"),
    [("n" * 60, "tool"), ("mcp.server", "tool"), ("a", "b" * 120), ("ä", "ö")],
)
def test_names_stay_within_what_everybody_takes(space, name):
    tools = [{"type": "namespace", "name": space, "tools": [{**ADD, "name": name}]}]
    made, found = adapted({"tools": tools}, FUNCTIONS)
    flat = made["tools"][0]["name"]
    assert len(flat) <= 64
    assert flat.isascii()
    assert all(c.isalnum() or c in "_-" for c in flat)
    back = found.restore().answer({"output": [called(flat, "{}")]})["output"][0]
    assert (back["namespace"], back["name"]) == (space, name)


def test_names_that_would_be_one():
    inner = {"type": "namespace", "name": "a", "tools": [{**ADD, "name": "b"}]}
    made, found = adapted({"tools": [inner, {**ADD, "name": "a__b"}]}, FUNCTIONS)
    first, second = (tool["name"] for tool in made["tools"])
    assert second == "a__b" != first
    back = found.restore().answer({"output": [called(first, ""), called(second, "")]})
    assert [(c["name"], c.get("namespace")) for c in back["output"]] == [
        ("b", "a"),
        ("a__b", None),
    ]


def test_marked_thoughts_of_other_dialects_go_with_their_ids():
    blob = marked("anthropic", "signature", "sig")
    body = {
        "input": [
            {"role": "user", "content": "Hi"},
            {
                "type": "reasoning",
                "id": "rs_1",
                "summary": [],
                "encrypted_content": blob,
            },
            {"type": "message", "id": "msg_1", "role": "assistant", "content": "Ho"},
        ]
    }
    raw = json.dumps(body).encode()
    assert RESPONSES.needs_look is not None
    assert RESPONSES.needs_look(raw)
    unmarked = json.loads(raw.replace(blob.encode(), b"gAAA"))
    assert adapt(unmarked, NO_QUIRKS, nothing_kept) == UNCHANGED
    made = adapt(body, NO_QUIRKS, nothing_kept)
    assert made.replaced["input"] == [
        {"role": "user", "content": "Hi"},
        {"type": "message", "role": "assistant", "content": "Ho"},
    ]
    assert {change.part for change in made.changes} >= {"reasoning"}
