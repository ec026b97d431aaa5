"""What each quirk makes of a chat request, and what holds of every request."""

import copy
import json
import re
from collections.abc import Sequence
from typing import Any

import pytest
from examples import examples
from hypothesis import given
from hypothesis import strategies as st
from tables import each_row

from llm_gateway.adaptation.adapted import UNCHANGED, Adapted
from llm_gateway.adaptation.kept_state import CallKey, Kept, nothing_kept
from llm_gateway.adaptation.vocabulary import NO_QUIRKS, Quirks
from llm_gateway.dialects.chat.adapter import adapt, needs_look
from llm_gateway.dialects.chat.call_ids import made, read_form

Body = dict[str, Any]

PLACEHOLDER = "skip_thought_signature_validator"


def call(id: Any, a: int = 1, **more: Any) -> Body:
    return {
        "id": id,
        "type": "function",
        "function": {"name": "add", "arguments": json.dumps({"a": a})},
        **more,
    }


def signed(signature: str) -> Body:
    return {"extra_content": {"google": {"thought_signature": signature}}}


def said(*calls: Body, **more: Any) -> Body:
    turn = {"role": "assistant", "content": "", **more}
    return {**turn, "tool_calls": list(calls)} if calls else turn


def result(id: Any, content: Any = "1") -> Body:
    return {"role": "tool", "tool_call_id": id, "content": content}


def user(content: Any = "a") -> Body:
    return {"role": "user", "content": content}


def system(content: Any = "s") -> Body:
    return {"role": "system", "content": content}


def applied(body: Body, adapted: Adapted) -> Body:
    sent = body | dict(adapted.replaced)
    return {
        adapted.renamed.get(name, name): value
        for name, value in sent.items()
        if name not in adapted.dropped
    }


def sent(body: Body, *quirks: str, recall: Any = nothing_kept) -> Body:
    return applied(body, adapt(body, Quirks.parse(*quirks), recall))


def tool(name: str = "add", **function: Any) -> Body:
    return {"type": "function", "function": {"name": name, **function}}


TEXTS = [{"type": "text", "text": "Let me "}, {"type": "text", "text": "add."}]
WORDS = [{"type": "text", "text": "One"}, {"type": "text", "text": "two"}]
IMAGE = [{"type": "image_url", "image_url": {"url": "data:x"}}]
THINKING = [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}]
OK = said(content="OK.")
FORCED = {"type": "function", "function": {"name": "add"}}
SAY_ADD = 'Answer with a call of the tool "add".'
SAY_ONE = "Answer with a call of one of the tools."
BARE = {"type": "object"}
ANY_OF = {"type": "object", "properties": {"a": {"type": "string", "anyOf": [{"type": "string"}]}, "type": {"type": "integer"}}}  # fmt: skip

HISTORIES: list[tuple[str, tuple[str, ...], list[Body], list[Body]]] = [
    ("one member", ("message:refusal",), [said(refusal=None, audio=None)], [said(audio=None)]),
    ("the whole kind", ("message:*",), [user() | {"name": "Ann", "x": 1}, said(call("c"), refusal=None, channel="a")], [user() | {"name": "Ann"}, said(call("c"))]),
    ("a name that is refused", ("message:name", "message:*"), [user() | {"name": "Ann"}], [user()]),
    ("what is wanted stays", ("message:*", "reasoning:wanted=reasoning_content"), [said(call("c"), reasoning_content="hm", x=1)], [said(call("c"), reasoning_content="hm")]),
    ("the core is never named out", ("message:role", "message:content", "message:tool_calls", "call:id", "call:function"), [said(call("c"))], [said(call("c"))]),
    ("a call of the old form is no extra", ("message:*",), [said(function_call={"name": "a", "arguments": "{}"}), said(function_call=None)], [said(function_call={"name": "a", "arguments": "{}"}), said()]),
    ("a beginning that is marked", ("message:*",), [user(), said(prefix=True)], [user(), said(prefix=True)]),
    ("members of calls", ("call:*",), [said(call("c", index=0, **signed("x")))], [said(call("c"))]),
    ("… one", ("call:index",), [said(call("c", index=0, x=1))], [said(call("c", x=1))]),
    ("… of their functions", ("call:*",), [said({"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}", "parsed_arguments": None}})], [said({"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}})]),
    ("signatures stay where they are wanted", ("call:*", "signature:google"), [said(call("c", index=0, **signed("x")))], [said(call("c", **signed("x")))]),
    ("members of parts", ("part:cache_control",), [user([{"type": "text", "text": "a", "cache_control": {}}])], [user([{"type": "text", "text": "a"}])]),
    # content
    ("texts as one", ("content:text",), [user(TEXTS), said(content=WORDS)], [user("Let me add."), said(content="One\ntwo")]),
    ("thoughts among them", ("content:text",), [said(content=[*THINKING, *TEXTS])], [said(content="Let me add.")]),
    ("bare strings", ("content:text",), [said(content=[""]), said(content=[])], [said(content=""), said(content="")]),
    ("not beside an image", ("content:text",), [user([*TEXTS, *IMAGE])], [user([*TEXTS, *IMAGE])]),
    ("not the user's", ("content:text=history",), [user(TEXTS), said(content=TEXTS), result("c", TEXTS)], [user(TEXTS), said(content="Let me add."), result("c", "Let me add.")]),
    ("null and nothing", ("content:null",), [said(call("c"), content=None), {"role": "assistant", "tool_calls": [call("d")]}], [said(call("c")), {"role": "assistant", "tool_calls": [call("d")], "content": ""}]),
    ("empty turns", ("content:empty",), [system(""), user(), said(), said(call("c")), result("c", ""), user([])], [user(), said(call("c")), result("c", "")]),
    # roles
    ("developer", ("role:developer=system",), [{"role": "developer", "content": "s"}, user()], [system(), user()]),
    ("system first", ("role:system=first",), [system(), system("t"), user(), system("u")], [system(), system("t"), user(), user("u")]),
    ("one system", ("role:system=one",), [system(), system("t"), user()], [system("s\n\nt"), user()]),
    ("no system", ("role:system=user",), [system(), user()], [user("s"), user()]),
    ("no system, merged", ("role:system=user", "role:same=merged"), [system(), user(), user([*TEXTS])], [user([{"type": "text", "text": "s\n\na"}, *TEXTS])]),
    ("developer as no system", ("role:developer=system", "role:system=user"), [{"role": "developer", "content": "s"}], [user("s")]),
    ("a user is wanted", ("role:user=wanted",), [system(), system("t")], [system(), user("t")]),
    ("… and is there", ("role:user=wanted",), [system(), user()], [system(), user()]),
    ("same roles", ("role:same=merged",), [user(), user("b"), said(content="x"), said(call("c"))], [user("a\n\nb"), said(call("c"), content="x")]),
    ("between tool and user", ("role:assistant=after_tool",), [said(call("c")), result("c"), user(), user()], [said(call("c")), result("c"), OK, user(), user()]),
    ("a beginning is marked", ("role:last=prefix",), [user(), said(content="x")], [user(), said(content="x", prefix=True)]),
    # thoughts
    ("thoughts out", ("reasoning:out",), [said(reasoning="a", reasoning_content="b", reasoning_details=[], x=1)], [said(x=1)]),
    ("thoughts out of lists", ("reasoning:out",), [said(content=[*THINKING, *TEXTS])], [said(content=TEXTS)]),
    ("called otherwise", ("reasoning:as=reasoning",), [said(reasoning_content="b")], [said(reasoning="b")]),
    ("… and there already", ("reasoning:as=reasoning",), [said(reasoning="a", reasoning_content="b")], [said(reasoning="a")]),
    ("… null", ("reasoning:as=reasoning",), [said(reasoning_content=None)], [said()]),
    ("wanted, from another name", ("reasoning:wanted=reasoning_content",), [said(call("c"), reasoning="a")], [said(call("c"), reasoning="a", reasoning_content="a")]),
    ("wanted, from details", ("reasoning:wanted=reasoning_content", "message:*"), [said(call("c"), reasoning_details=[{"type": "reasoning.text", "text": "a"}])], [said(call("c"), reasoning_content="a")]),
    ("wanted, from a list", ("reasoning:wanted=reasoning_content",), [said(call("c"), content=THINKING)], [said(call("c"), content=THINKING, reasoning_content="hm")]),
    ("wanted, unknown", ("reasoning:wanted=reasoning_content",), [said(call("c")), said(call("d"), reasoning_content=""), said(call("e"), reasoning_content=None)], [said(call(i), reasoning_content=" ") for i in "cde"]),
    ("wanted beside calls only", ("reasoning:wanted=reasoning_content",), [user(), said(content="x")], [user(), said(content="x")]),
    ("details are wanted", ("reasoning:wanted=reasoning_details",), [said(call("c"), reasoning="a")], [said(call("c"), reasoning="a", reasoning_details=[{"type": "reasoning.text", "text": "a"}])]),
    # signatures
    ("the placeholder", ("signature:google",), [said(call("c"), call("d")), said(call("e", **signed("x")))], [said(call("c", **signed(PLACEHOLDER)), call("d")), said(call("e", **signed("x")))]),
    ("the client's is not believed", ("signature:google=ours",), [said(call("c", **signed("x")), call("d", **signed("y")))], [said(call("c", **signed(PLACEHOLDER)), call("d"))]),
    ("beside what else is there", ("signature:google",), [said(call("c", extra_content={"x": 1, "google": {"y": 2}}))], [said(call("c", extra_content={"x": 1, "google": {"y": 2, "thought_signature": PLACEHOLDER}}))]),
    # calls
    ("one by one", ("tools:single",), [said(call("c"), call("d"), content="x", y=1), result("d"), result("c"), user()], [said(call("c"), content="x", y=1), result("c"), said(call("d")), result("d"), user()]),
    ("one by one, with thoughts", ("tools:single", "reasoning:wanted=reasoning_content"), [said(call("c"), call("d"), reasoning_content="x"), result("c"), result("d")], [said(call("c"), reasoning_content="x"), result("c"), said(call("d"), reasoning_content="x"), result("d")]),
    ("one by one, signed", ("tools:single", "signature:google"), [said(call("c"), call("d")), result("c"), result("d")], [said(call("c", **signed(PLACEHOLDER))), result("c"), said(call("d", **signed(PLACEHOLDER))), result("d")]),
    ("pairs", ("tools:paired",), [result("x"), said(call("c"), call("d")), result("d"), result("z"), said(call("e")), user()], [said(call("d")), result("d"), user()]),
    ("calls that still wait", ("tools:paired",), [said(call("c"), call("d"))], [said(call("c"), call("d"))]),
    ("arguments", ("tools:arguments",), [said(*({**call("c"), "function": {"name": "f", "arguments": a}} for a in ("{", "", "[1]", '{"a": 1}')))], [said(*({**call("c"), "function": {"name": "f", "arguments": a}} for a in ('{"arguments": "{"}', "{}", '{"arguments": "[1]"}', '{"a": 1}')))]),
    # for everybody
    ("joined roles", (), [{"role": "assistant" * 4, "content": "x"}, {"role": "", "content": "y"}, {"role": None, "content": "z"}], [said(content="x"), said(content="y"), said(content="z")]),
    ("no joined roles", (), [{"role": "assistants"}, {"role": "userassistant"}, {"x": 1}], [{"role": "assistants"}, {"role": "userassistant"}, {"x": 1}]),
]  # fmt: skip


@each_row(("name", "quirks", "history", "expected"), HISTORIES)
def test_history(
    name: str, quirks: tuple[str, ...], history: list[Body], expected: list[Body]
) -> None:
    body = {"model": "m", "messages": history, "x": 1}
    adapted = adapt(body, Quirks.parse(*quirks), nothing_kept)
    got = applied(body, adapted)
    assert got == {**body, "messages": expected}
    assert bool(adapted.changes) == (history != expected)
    assert (adapted == UNCHANGED) == (history == expected)


SETTINGS: list[tuple[str, tuple[str, ...], Body, Body]] = [
    ("a member", ("member:store",), {"store": True, "user": "u"}, {"user": "u"}),
    ("what is needed", ("member:model", "member:messages", "member:tools", "rename:model=m"), {"tools": []}, {"tools": []}),
    ("a name", ("rename:max_tokens=max_completion_tokens",), {"max_tokens": 5}, {"max_completion_tokens": 5}),
    ("a name that is taken", ("rename:max_tokens=max_completion_tokens",), {"max_tokens": 5, "max_completion_tokens": 6}, {"max_completion_tokens": 6}),
    ("names: the newer holds", ("rename:max_tokens=max_completion_tokens", "rename:max_completion_tokens=max_tokens"), {"max_completion_tokens": 5}, {"max_tokens": 5}),
    ("seed", ("rename:seed=random_seed",), {"seed": 1}, {"random_seed": 1}),
    ("sampling", ("sampling:temperature",), {"temperature": 0.2, "top_p": 1}, {"top_p": 1}),
    ("sampling, all", ("sampling:*",), {"temperature": 0.2, "top_p": 1, "presence_penalty": 0, "logprobs": True, "seed": 1}, {"seed": 1}),
    ("sampling, one value", ("sampling:temperature=1",), {"temperature": 0.2}, {"temperature": 1}),
    ("sampling, none given", ("sampling:temperature=1",), {}, {}),
    ("sampling without effort", ("sampling:*=no_effort",), {"temperature": 0.2}, {"temperature": 0.2}),
    ("sampling beside none", ("sampling:*=no_effort",), {"temperature": 0.2, "reasoning_effort": "none"}, {"temperature": 0.2, "reasoning_effort": "none"}),
    ("sampling beside an effort", ("sampling:*=no_effort",), {"temperature": 0.2, "reasoning_effort": "low"}, {"reasoning_effort": "low"}),
    ("sampling, thinks by default", ("sampling:*=with_none",), {"temperature": 0.2}, {}),
    ("sampling, one of two", ("sampling:top_p=alone",), {"temperature": 0.2, "top_p": 1}, {"temperature": 0.2}),
    ("sampling, alone", ("sampling:top_p=alone",), {"top_p": 1}, {"top_p": 1}),
    ("effort", ("effort:allowed=low,medium,high",), {"reasoning_effort": "xhigh"}, {"reasoning_effort": "high"}),
    ("effort, least", ("effort:allowed=low,medium,high",), {"reasoning_effort": "none"}, {"reasoning_effort": "low"}),
    ("effort, between", ("effort:allowed=low,high,max",), {"reasoning_effort": "medium"}, {"reasoning_effort": "low"}),
    ("effort, allowed", ("effort:allowed=low",), {"reasoning_effort": "low"}, {"reasoning_effort": "low"}),
    ("effort, null", ("effort:allowed=low",), {"reasoning_effort": None}, {}),
    ("effort, a word of its own", ("effort:allowed=none,default",), {"reasoning_effort": "high"}, {"reasoning_effort": "default"}),
    ("effort, the client's own mistake", ("effort:allowed=low",), {"reasoning_effort": "hihg"}, {"reasoning_effort": "hihg"}),
    ("effort, inside", ("effort:allowed=low",), {"reasoning": {"effort": "high", "x": 1}}, {"reasoning": {"effort": "low", "x": 1}}),
    ("lowered", ("limit:max_tokens<=8",), {"max_tokens": 9, "max_completion_tokens": 8}, {"max_tokens": 8, "max_completion_tokens": 8}),
    ("raised", ("limit:max_tokens>=16",), {"max_tokens": 1}, {"max_tokens": 16}),
    ("not raised: a mistake", ("limit:max_tokens>=16",), {"max_tokens": 0}, {"max_tokens": 0}),
    ("both bounds", ("limit:max_tokens>=16", "limit:max_tokens<=20"), {"max_tokens": 99}, {"max_tokens": 20}),
    ("lowered and renamed", ("limit:max_tokens<=8", "rename:max_tokens=max_completion_tokens"), {"max_tokens": 9}, {"max_completion_tokens": 8}),
    ("plain only", ("limit:plain_max_tokens<=8",), {"max_tokens": 9}, {"max_tokens": 8}),
    ("plain only: streamed", ("limit:plain_max_tokens<=8",), {"max_tokens": 9, "stream": True}, {"max_tokens": 9, "stream": True}),
    ("short enough", ("limit:user<=64",), {"user": "u"}, {"user": "u"}),
    ("thinking off, its own switch", ("thinking:off=forced_tool",), {"tool_choice": "required", "thinking": {"type": "enabled"}, "reasoning_effort": "high"}, {"tool_choice": "required", "thinking": {"type": "disabled"}}),
    ("thinking off, Qwen's", ("thinking:off=forced_tool",), {"tool_choice": FORCED, "enable_thinking": True}, {"tool_choice": FORCED, "enable_thinking": False}),
    ("thinking off, a form", ("thinking:off=forced_tool", "thinking:form=type"), {"tool_choice": "required"}, {"tool_choice": "required", "thinking": {"type": "disabled"}}),
    ("thinking off, no form known", ("thinking:off=forced_tool",), {"tool_choice": "required"}, {"tool_choice": "required"}),
    ("thinking off, not forced", ("thinking:off=forced_tool", "thinking:form=type"), {"tool_choice": "auto"}, {"tool_choice": "auto"}),
    ("thinking stays where the choice goes", ("thinking:off=forced_tool", "thinking:form=type", "tool_choice:forced=auto"), {"tool_choice": "required", "messages": []}, {"tool_choice": "auto", "messages": [user(SAY_ONE)]}),
    ("thinking, plain", ("thinking:plain=off",), {"enable_thinking": True}, {"enable_thinking": False}),
    ("thinking, streamed", ("thinking:plain=off",), {"enable_thinking": True, "stream": True}, {"enable_thinking": True, "stream": True}),
    # tools
    ("strict", ("tool:strict",), {"tools": [tool(strict=True)]}, {"tools": [tool()]}),
    ("one strict", ("tools:one_strict",), {"tools": [tool(strict=True), tool("b")]}, {"tools": [tool(), tool("b")]}),
    ("strict alike", ("tools:one_strict",), {"tools": [tool(strict=True)]}, {"tools": [tool(strict=True)]}),
    ("parameters", ("tools:parameters",), {"tools": [tool(), tool(parameters={}), tool(parameters=BARE)]}, {"tools": [tool(parameters={"type": "object", "properties": {}})] * 2 + [tool(parameters=BARE)]}),
    ("properties", ("tools:properties",), {"tools": [tool(parameters={"type": "object", "properties": {"a": BARE}})]}, {"tools": [tool(parameters={"type": "object", "properties": {"a": {**BARE, "properties": {}}}})]}),
    ("a word of schemas", ("schema:$schema", "schema:additionalProperties"), {"tools": [tool(parameters={"$schema": "x", "properties": {"$schema": {"type": "string"}, "b": {"items": {"additionalProperties": False}}}})]}, {"tools": [tool(parameters={"properties": {"$schema": {"type": "string"}, "b": {"items": {}}}})]}),
    ("const", ("schema:const",), {"tools": [tool(parameters={"const": 1})]}, {"tools": [tool(parameters={"enum": [1]})]}),
    ("type beside anyOf", ("schema:type=beside_anyOf",), {"tools": [tool(parameters=ANY_OF)]}, {"tools": [tool(parameters={"type": "object", "properties": {"a": {"anyOf": [{"type": "string"}]}, "type": {"type": "integer"}}})]}),
    ("forced, a string", ("tool_choice:forced=string",), {"tools": [tool()], "tool_choice": FORCED}, {"tools": [tool()], "tool_choice": "required"}),
    ("forced, one of several", ("tool_choice:forced=string",), {"tools": [tool(), tool("b")], "tool_choice": FORCED, "messages": [user("a")]}, {"tools": [tool(), tool("b")], "tool_choice": "required", "messages": [user(f"a\n\n{SAY_ADD}")]}),
    ("forced, auto", ("tool_choice:forced=auto",), {"tool_choice": FORCED, "messages": [user(TEXTS)]}, {"tool_choice": "auto", "messages": [user([*TEXTS, {"type": "text", "text": SAY_ADD}])]}),
    ("forced, behind results", ("tool_choice:forced=auto",), {"tool_choice": "required", "messages": [result("c")]}, {"tool_choice": "auto", "messages": [result("c"), user(SAY_ONE)]}),
    ("never sent", ("tool_choice:forced=out",), {"tool_choice": "required", "messages": [user("a")]}, {"messages": [user(f"a\n\n{SAY_ONE}")]}),
    ("never sent, auto", ("tool_choice:forced=out",), {"tool_choice": "auto", "messages": [user("a")]}, {"messages": [user("a")]}),
    ("auto stays", ("tool_choice:forced=auto",), {"tool_choice": "auto"}, {"tool_choice": "auto"}),
    ("none", ("tool_choice:none=no_tools",), {"tools": [tool()], "tool_choice": "none", "parallel_tool_calls": True}, {}),
]  # fmt: skip


@each_row(("name", "quirks", "given", "expected"), SETTINGS)
def test_settings(
    name: str, quirks: tuple[str, ...], given: Body, expected: Body
) -> None:
    got = sent({"model": "m", **given}, *quirks)
    assert got == {"model": "m", **expected}
    assert repr(got["model"]) == "'m'"


def test_a_text_that_is_too_long_is_the_same_hash_each_time() -> None:
    long, other = "u" * 80, "u" * 81
    first = sent({"user": long}, "limit:user<=64")["user"]
    assert len(first) == 64
    assert first == sent({"user": long}, "limit:user<=64")["user"]
    assert first != sent({"user": other}, "limit:user<=64")["user"]


UNFIT: list[tuple[str, Body, str]] = [
    ("endpoint:any=responses", {}, "is not served in chat completions; OpenAI's /v1/responses has it"),
    ("endpoint:any", {}, "is not served in chat completions"),
    ("endpoint:tools_with_effort=responses", {"tools": [1], "reasoning_effort": "low"}, "takes no tools beside an effort here"),
    ("endpoint:tools_with_effort=responses", {"tools": [1], "reasoning_effort": "none"}, ""),
    ("endpoint:tools_with_effort=responses", {"tools": [1]}, ""),
    ("endpoint:tools_with_effort=responses", {"reasoning_effort": "low", "tools": []}, ""),
    ("endpoint:tools_unless_none=responses", {"tools": [1]}, "takes tools here only with the effort none"),
    ("endpoint:tools_unless_none=responses", {"tools": [1], "reasoning_effort": "none"}, ""),
    ("endpoint:tools", {"tools": [1], "reasoning_effort": "none"}, "takes no tools here"),
    ("endpoint:tools_with_json", {"tools": [1], "response_format": {"type": "json_object"}}, "takes no tools beside JSON mode"),
    ("endpoint:tools_with_json", {"tools": [1], "response_format": {"type": "text"}}, ""),
    ("role:last=user", {"messages": [user(), said()]}, "takes no beginning of the answer (a last turn of the assistant)"),
    ("role:last=user", {"messages": [said(), user()]}, ""),
    ("role:last=user", {"messages": [user(), {"role": "assistantassistant"}]}, "takes no beginning of the answer (a last turn of the assistant)"),
    ("content:images", {"messages": [user(IMAGE)]}, "takes no images"),
    ("content:images", {"messages": [user(TEXTS)]}, ""),
    ("member:stop", {"stop": "a"}, "takes no stop sequences"),
    ("member:stop", {"stop": None}, ""),
    ("limit:stop<=4", {"stop": ["a"] * 5}, "takes 4 stop sequences at most"),
    ("limit:stop<=4", {"stop": ["a"] * 4}, ""),
    ("limit:tools<=128", {"tools": [1] * 129}, "takes 128 tools at most"),
]  # fmt: skip


@each_row(("quirk", "given", "why"), UNFIT)
def test_what_cannot_be_taken_at_all(quirk: str, given: Body, why: str) -> None:
    adapted = adapt({"model": "m", **given}, Quirks.parse(quirk), nothing_kept)
    assert adapted.unfit == why
    assert not (why and adapted.replaced)


def test_changes_are_named_once_and_hold_no_content() -> None:
    body = {
        "messages": [
            user("secret"),
            said(call("c"), call("d"), reasoning_content="secret", channel="secret"),
            result("c", "secret"),
            said(call("e"), reasoning_content="secret"),
        ],
        "store": True,
    }
    quirks = Quirks.parse("message:*", "id:call=[a-z]{9}", "member:store")
    adapted = adapt(body, quirks, nothing_kept)
    assert adapted.parts == ("store", "ids", "reasoning_content", "channel")
    assert "secret" not in repr(adapted.changes)


@pytest.mark.parametrize(
    ("raw", "looks"),
    [
        ('{"role":"assistantassistant"}', True),
        ('{"role": "assistantassistantassistant"}', True),
        ('{"role" : ""}', True),
        ('{"role":null}', True),
        ('{"role":"assistant"}', False),
        ('{"role":"user","content":"\\"role\\":\\"\\""}', False),
        ("{}", False),
    ],
)
def test_a_quick_look(raw: str, looks: bool) -> None:
    assert needs_look(raw.encode()) is looks


# --- thoughts and signatures that were kept


def test_each_occurrence_of_the_same_call_has_its_own_thought() -> None:
    same = [said(call("functions.add:0")), result("functions.add:0")]
    asked: list[tuple[CallKey, int]] = []

    def recall(key: CallKey, n: int = 0) -> Kept | None:
        asked.append((key, n))
        return Kept(f"thought {n}")

    spaced = copy.deepcopy(same)
    spaced[0]["tool_calls"][0]["function"]["arguments"] = '{ "a" : 1 }'
    body = {"messages": [user(), *same, *spaced, *same]}
    got = sent(body, "reasoning:wanted=reasoning_content", recall=recall)
    assert [
        m["reasoning_content"] for m in got["messages"] if m["role"] == "assistant"
    ] == ["thought 0", "thought 1", "thought 2"]
    assert {key.id for key, _ in asked} == {"functions.add:0"}


def test_what_was_kept_is_better_than_what_the_client_sends() -> None:
    def recall(key: CallKey, n: int = 0) -> Kept | None:
        if key.id != "c":
            return None
        return Kept("first. second.", "true", opaque=[{"type": "reasoning.encrypted"}])

    body = {"messages": [said(call("c", **signed("cut")), reasoning_content="second.")]}
    got = sent(body, "reasoning:wanted=reasoning_content", recall=recall)
    assert got["messages"][0]["reasoning_content"] == "first. second."
    got = sent(body, "signature:google", recall=recall)
    assert got["messages"][0]["tool_calls"][0] == call("c", **signed("true"))
    got = sent(body, "reasoning:wanted=reasoning_details", recall=recall)
    assert got["messages"][0]["reasoning_details"] == [{"type": "reasoning.encrypted"}]


def test_kept_state_is_found_by_the_id_that_the_client_sends() -> None:
    def recall(key: CallKey, n: int = 0) -> Kept | None:
        return Kept("kept") if key.id == "call_long" else None

    body = {"messages": [said(call("call_long")), result("call_long")]}
    quirks = ("reasoning:wanted=reasoning_content", "id:call=[a-z]{9}")
    assert (
        sent(body, *quirks, recall=recall)["messages"][0]["reasoning_content"] == "kept"
    )


# --- ids


@pytest.mark.parametrize(
    "pattern",
    ["[a-zA-Z0-9]{9}", "[a-z]{3}", "[a-zA-Z0-9_-]{1,40}", "[a-zA-Z0-9_-]+", "call_[0-9]{12}", "^[a-zA-Z0-9_-]+$", ".{1,64}", "fc_[a-z0-9]{8,}"],
)  # fmt: skip
def test_ids_match_their_pattern(pattern: str) -> None:
    form = read_form(pattern)
    assert form is not None
    ids = [f"chatcmpl-tool-{n:032x}" for n in range(300)] + ["", "ž", "x" * 200]
    new = [made(form, id) for id in ids]
    assert all(re.fullmatch(pattern, id) for id in new)
    if form.length > 3:
        assert len({*new}) == len(ids)


@pytest.mark.parametrize("pattern", ["", "[", "(a|b)+", "[a-z]{9}|x", "[é]{3}", "[a-z]{5,2}", "(a+)+$"])  # fmt: skip
def test_patterns_that_no_id_is_made_for_change_nothing(pattern: str) -> None:
    body = {"messages": [said(call("call_1")), result("call_1")]}
    if pattern:
        assert sent(body, f"id:call={pattern}") == body


def test_missing_and_repeated_ids() -> None:
    body = {
        "messages": [
            said(call(None), call("")),
            {"role": "tool", "content": "x"},
            result(""),
            said(call("functionc"), call("functionc")),
            result("functionc"),
            result("functionc"),
            result("nobody's call"),
        ]
    }
    got = sent(body, "id:call=[a-zA-Z0-9]{9}")["messages"]
    calls = [c["id"] for m in got for c in m.get("tool_calls", ())]
    results = [m["tool_call_id"] for m in got if m["role"] == "tool"]
    assert len({*calls}) == 4
    assert results[:4] == calls
    assert calls[2] == "functionc"
    assert all(re.fullmatch("[a-zA-Z0-9]{9}", id) for id in [*calls, *results])
    assert got[1]["content"] == "x"


# --- what holds of every request

TEXT = st.sampled_from(["", "a", "b c", "\ud800", "ž"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.floats(0, 1) | TEXT,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    *(
                        "role",
                        "content",
                        "tool_calls",
                        "tool_call_id",
                        "id",
                        "function",
                    ),
                    *("name", "arguments", "type", "text", "extra_content", "google"),
                    *(
                        "thinking",
                        "reasoning",
                        "reasoning_content",
                        "properties",
                        "anyOf",
                    ),
                    *("parameters", "thought_signature", "prefix", "function_call"),
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)
IDS = st.sampled_from(
    ["c", "call_" + "x" * 24, "functionc", "functions.add:0", "", None]
)
CALLS = st.builds(
    lambda id, a, more: call(id, a, **more),
    IDS,
    st.integers(0, 2),
    st.sampled_from([{}, {"index": 0}, signed("x"), signed("")]),
)
CONTENT = st.sampled_from([None, "", "a", TEXTS, WORDS, [*THINKING, *TEXTS], [*TEXTS, *IMAGE], [""]])  # fmt: skip
FULL = (TEXTS, WORDS, [*THINKING, *TEXTS], [*TEXTS, *IMAGE])
MEMBERS = st.dictionaries(
    st.sampled_from(["reasoning", "reasoning_content", "channel", "refusal", "name"]),
    st.sampled_from([None, "", "hm"]),
    max_size=2,
)


@st.composite
def rounds(draw: st.DrawFn) -> list[Body]:
    """Something that clients send: a turn, or calls with all of their results."""
    kind = draw(
        st.sampled_from(["user", "system", "developer", "said", "calls", "calls"])
    )
    members = draw(MEMBERS)
    if kind != "calls":
        role = "assistant" if kind == "said" else kind
        return [{"role": role, "content": draw(CONTENT), **members}]
    calls = draw(st.lists(CALLS, min_size=1, max_size=3))
    turn = {
        "role": "assistant",
        "content": draw(CONTENT),
        **members,
        "tool_calls": calls,
    }
    return [turn, *(result(c["id"], draw(CONTENT)) for c in calls)]


TALKS = st.lists(rounds(), min_size=1, max_size=5)
QUIRKS = st.lists(
    st.sampled_from(
        [
            *("message:*", "message:reasoning", "message:name", "call:*", "call:index"),
            *("part:*", "content:text", "content:text=history", "content:null"),
            *("content:empty", "role:developer=system", "role:system=first"),
            *("role:system=one", "role:system=user", "role:assistant=after_tool"),
            *("id:call=[a-zA-Z0-9]{9}", "id:call=[a-zA-Z0-9_-]{1,64}"),
            *("reasoning:out", "reasoning:as=reasoning", "signature:google"),
            *("reasoning:wanted=reasoning_content", "signature:google=ours"),
            *("tools:single", "tools:paired", "tools:arguments", "tools:parameters"),
            *(
                "role:same=merged",
                "tool_choice:forced=auto",
                "schema:type=beside_anyOf",
            ),
            *("sampling:*", "sampling:temperature=1", "effort:allowed=low,high"),
            *("limit:max_tokens<=8", "member:store", "role:last=prefix"),
            *("rename:max_tokens=max_completion_tokens", "thinking:off=forced_tool"),
        ]
    ),
    max_size=6,
).map(lambda texts: Quirks.parse(*texts))
LATER_ONES = ("role:same", "role:last", "tool_choice:forced")
"""What the end of a history decides: the last turn grows, is marked or instructed."""


def flat(talk: Sequence[list[Body]]) -> list[Body]:
    return [message for one in talk for message in one]


def recall_some(key: CallKey, n: int = 0) -> Kept | None:
    return Kept(f"thought {n}", "kept") if key.id and len(key.id) > 3 else None


@examples(150)
@given(JSON, JSON, JSON, JSON, QUIRKS, st.sampled_from([nothing_kept, recall_some]))
def test_never_raises_and_changes_nothing_of_the_clients(
    messages: Any, tools: Any, choice: Any, other: Any, quirks: Quirks, recall: Any
) -> None:
    body = {
        "model": "m",
        "messages": messages,
        "tools": tools,
        "tool_choice": choice,
        "reasoning_effort": other,
        "reasoning": other,
        "temperature": other,
        "max_tokens": other,
        "stop": other,
        "thinking": other,
        "response_format": other,
    }
    before = copy.deepcopy(body)
    adapted = adapt(body, quirks, recall)
    assert body == before
    json.dumps(applied(body, adapted))
    assert "model" not in adapted.dropped | set(adapted.renamed) | set(adapted.replaced)
    assert "messages" not in adapted.dropped
    assert adapt(body, quirks, recall) == adapted


@examples(150)
@given(TALKS, QUIRKS)
def test_once_is_enough(talk: list[list[Body]], quirks: Quirks) -> None:
    body = {"messages": flat(talk), "max_tokens": 9, "temperature": 0.5, "store": True}
    once = adapt(body, quirks, nothing_kept)
    got = applied(body, once)
    assert applied(got, adapt(got, quirks, nothing_kept)) == got


@examples(150)
@given(TALKS, QUIRKS, st.sampled_from([nothing_kept, recall_some]))
def test_what_was_written_stays_written(
    talk: list[list[Body]], quirks: Quirks, recall: Any
) -> None:
    quirks = Quirks(q for q in quirks if not str(q).startswith(LATER_ONES))
    before: list[Body] = []
    for n in range(1, len(talk) + 1):
        body = {"messages": flat(talk[:n])}
        if quirks.value("content", "empty") is not None and not any(
            m.get("tool_calls") or m["content"] in ("a", *FULL)
            for m in body["messages"]
        ):
            continue  # of empty turns alone nothing would be left: they stay
        history = applied(body, adapt(body, quirks, recall))["messages"]
        assert history[: len(before)] == before
        before = history


@examples(150)
@given(TALKS, QUIRKS)
def test_calls_meet_their_results_and_none_is_lost(
    talk: list[list[Body]], quirks: Quirks
) -> None:
    body = {"messages": flat(talk)}
    got = applied(body, adapt(body, quirks, nothing_kept))["messages"]
    asked = [c for m in got for c in m.get("tool_calls") or ()]
    answers = [m for m in got if m["role"] == "tool"]
    old = [c for m in body["messages"] for c in m.get("tool_calls") or ()]
    if quirks.value("tools", "paired") is None:
        assert [c["function"]["name"] for c in asked] == ["add"] * len(old)
    assert [c["id"] for c in asked] == [m["tool_call_id"] for m in answers]
    if pattern := quirks.value("id", "call"):
        ids = [c["id"] for c in asked]
        assert all(re.fullmatch(pattern, id) for id in ids)
        assert len({*ids}) == len(ids)


@examples(50)
@given(TALKS)
def test_no_quirk_no_change(talk: list[list[Body]]) -> None:
    body = {"messages": flat(talk), "tools": [tool()], "tool_choice": "required"}
    assert adapt(body, NO_QUIRKS, recall_some) is UNCHANGED


class Seen:
    """Kept state that knows who issued a block: F… another maker, O… this one."""

    def __call__(self, call: CallKey, n: int = 0) -> None:
        return None

    def issued(self, block: str) -> bool | None:
        return {"F": False, "O": True}.get(block[0])


DETAIL = {"type": "reasoning.text", "text": "hm"}
FOREIGN: dict[str, tuple[Body, Body]] = {
    "on a call": (said(call("c", **signed("F"))), said(call("c"))),
    "on the second": (
        said(call("c"), call("d", 2, **signed("F"))),
        said(call("c"), call("d", 2)),
    ),
    "on a turn": (said(call("c"), **signed("F")), said(call("c"))),
    "beside something else": (
        said(call("c", extra_content={"google": {"thought_signature": "F", "x": 1}})),
        said(call("c", extra_content={"google": {"x": 1}})),
    ),
    "encrypted details": (
        said(
            call("c"),
            reasoning_details=[DETAIL, {"type": "reasoning.encrypted", "data": "F"}],
        ),
        said(call("c"), reasoning_details=[DETAIL]),
    ),
    "signed details": (
        said(call("c"), reasoning_details=[{**DETAIL, "signature": "F"}]),
        said(call("c"), reasoning_details=[DETAIL]),
    ),
    "nothing else": (
        said(call("c"), reasoning_details=[{"type": "x", "data": "F"}]),
        said(call("c")),
    ),
}


@pytest.mark.parametrize("name", FOREIGN)
def test_nobody_sees_what_another_maker_signed(name: str) -> None:
    given, wanted = FOREIGN[name]
    body = {"messages": [user(), given, result("c")]}
    assert needs_look(json.dumps(body).encode())
    got = sent(body, recall=Seen())
    assert got["messages"] == [user(), wanted, result("c")]
    for own in ("O", "?"):
        text = json.dumps(body).replace('"F"', f'"{own}"')
        assert adapt(json.loads(text), NO_QUIRKS, Seen()) is UNCHANGED


def test_a_foreign_signature_makes_room_for_the_placeholder() -> None:
    body = {"messages": [user(), said(call("c", **signed("F"))), result("c")]}
    got = sent(body, "signature:google", recall=Seen())
    assert got["messages"][1] == said(call("c", **signed(PLACEHOLDER)))
