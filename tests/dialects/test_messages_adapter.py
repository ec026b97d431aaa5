"""Messages, adapted: what Claude's generations and other vendors' Messages want."""

import json

import pytest
from tables import each_row

from llm_gateway.adaptation.adapted import UNCHANGED
from llm_gateway.adaptation.kept_state import CallKey, Kept, nothing_kept
from llm_gateway.adaptation.vocabulary import NO_QUIRKS, Quirks
from llm_gateway.dialects.messages.adapter import adapt
from llm_gateway.translation.made_ids import made_id

USER = {"role": "user", "content": "Hello!"}
THOUGHT = {"type": "thinking", "thinking": "I add.", "signature": "S" * 40}
REDACTED = {"type": "redacted_thinking", "data": "R" * 40}
CALL = {"type": "tool_use", "id": "toolu_1", "name": "add", "input": {"a": 1}}
RESULT = {"type": "tool_result", "tool_use_id": "toolu_1", "content": "2"}
AGAIN = made_id("call_", CALL["id"], 1)
TOOL = {"name": "add", "description": "Adds", "input_schema": {"type": "object"}}
SERVER = {"type": "web_search_20250305", "name": "web_search"}


def text(said):
    return {"type": "text", "text": said}


def assistant(*content):
    return {"role": "assistant", "content": list(content)}


def user(*content):
    return {"role": "user", "content": list(content)}


def loop(*thoughts):
    """An open tool loop."""
    return [USER, assistant(*thoughts, CALL), user(RESULT)]


def adapted(body, *quirks, recall=nothing_kept):
    """The body as it leaves, and the adapter's answer."""
    body = {"model": "m", "max_tokens": 2_000, "messages": [USER], **body}
    before = json.dumps(body)
    found = adapt(body, Quirks.parse(*quirks), recall)
    assert json.dumps(body) == before, "what it is given is not changed"
    body = {k: v for k, v in body.items() if k not in found.dropped}
    return {**body, **found.replaced}, found


class Recalled:
    """Kept state of one call, and foreign blocks."""

    def __init__(self, kept=None, own=(), foreign=()):
        self.kept, self.own, self.foreign, self.asked = kept, own, foreign, []

    def __call__(self, call, n=0):
        self.asked.append((call, n))
        return self.kept

    def issued(self, block):
        return True if block in self.own else False if block in self.foreign else None


ADAPTIVE = {"type": "adaptive"}
MANUAL = {"type": "enabled", "budget_tokens": 1_024}
OFF = {"type": "disabled"}
FORCED = {"tools": [TOOL], "tool_choice": {"type": "tool", "name": "add"}}

SETTINGS = {
    # thinking types
    "manual thinking, where only adaptive is taken": (
        {"thinking": MANUAL},
        ["thinking:enabled=adaptive"],
        {"thinking": ADAPTIVE},
    ),
    "a budget asks for thoughts that can be read": (
        {"thinking": MANUAL},
        ["thinking:enabled=adaptive", "thinking:display=summarized"],
        {"thinking": {"type": "adaptive", "display": "summarized"}},
    ),
    "what the client says of display stays": (
        {"thinking": {**MANUAL, "display": "omitted"}},
        ["thinking:enabled=adaptive", "thinking:display=summarized"],
        {"thinking": {"type": "adaptive", "display": "omitted"}},
    ),
    "adaptive thinking was never asked to be shown": (
        {"thinking": ADAPTIVE},
        ["thinking:enabled=adaptive", "thinking:display=summarized"],
        {"thinking": ADAPTIVE},
    ),
    "adaptive, where only manual is taken": (
        {"thinking": ADAPTIVE, "max_tokens": 64_000},
        ["thinking:adaptive=enabled"],
        {"thinking": {"type": "enabled", "budget_tokens": 16_384}},
    ),
    "its effort is a budget": (
        {
            "thinking": ADAPTIVE,
            "max_tokens": 64_000,
            "output_config": {"effort": "low"},
        },
        ["thinking:adaptive=enabled", "effort:out"],
        {
            "thinking": {"type": "enabled", "budget_tokens": 2_048},
            "output_config": None,
        },
    ),
    "a budget leaves room for an answer": (
        {"thinking": ADAPTIVE, "max_tokens": 2_000},
        ["thinking:adaptive=enabled"],
        {"thinking": {"type": "enabled", "budget_tokens": 1_999}},
    ),
    "no room: no thoughts": (
        {"thinking": ADAPTIVE, "max_tokens": 500},
        ["thinking:adaptive=enabled"],
        {"thinking": None},
    ),
    "off, where thinking is always on": (
        {"thinking": OFF},
        ["thinking:disabled=adaptive"],
        {"thinking": ADAPTIVE, "output_config": {"effort": "low"}},
    ),
    "off, where it can be less": (
        {"thinking": OFF},
        ["thinking:disabled=between_tools"],
        {"thinking": {"type": "between_tools"}},
    ),
    "neither is taken": (
        {"thinking": ADAPTIVE},
        ["thinking:adaptive=enabled", "thinking:enabled=adaptive"],
        {"thinking": None},
    ),
    "a budget without a type": (
        {"thinking": {"budget_tokens": 1_024}},
        ["thinking:untyped=enabled"],
        {"thinking": MANUAL},
    ),
    # effort
    "effort: the nearest": (
        {"output_config": {"effort": "max"}},
        ["effort:allowed=low,medium,high"],
        {"output_config": {"effort": "high"}},
    ),
    "effort: between two the lower": (
        {"output_config": {"effort": "medium"}},
        ["effort:allowed=low,high,max"],
        {"output_config": {"effort": "low"}},
    ),
    "effort: never null": (
        {"output_config": {"effort": None, "format": {}}},
        ["effort:allowed=low,high,max"],
        {"output_config": {"format": {}}},
    ),
    "effort while thinking is off": (
        {"thinking": OFF, "output_config": {"effort": "xhigh"}},
        ["effort:thinking_off=low,medium,high"],
        {"output_config": {"effort": "high"}},
    ),
    "effort while it thinks": (
        {"thinking": ADAPTIVE, "output_config": {"effort": "xhigh"}},
        ["effort:thinking_off=low,medium,high"],
        {"output_config": {"effort": "xhigh"}},
    ),
    "no effort beside disabled thinking": (
        {"thinking": OFF, "output_config": {"effort": "low"}},
        ["effort:thinking_off=out"],
        {"output_config": None},
    ),
    "no effort at all": (
        {"output_config": {"effort": "low", "format": {"type": "json_schema"}}},
        ["effort:out"],
        {"output_config": {"format": {"type": "json_schema"}}},
    ),
    # forced tools
    "a forced tool is asked for in words": (
        FORCED,
        ["tool_choice:forced=auto"],
        {
            "tool_choice": {"type": "auto"},
            "messages": [
                user(
                    text("Hello!"),
                    text("Call the tool `add` now; do not answer with text alone."),
                )
            ],
        },
    ),
    "any tool, behind results": (
        {
            "tools": [TOOL],
            "tool_choice": {"type": "any", "disable_parallel_tool_use": True},
            "messages": loop(THOUGHT),
        },
        ["tool_choice:forced=auto"],
        {
            "tool_choice": {"type": "auto", "disable_parallel_tool_use": True},
            "messages": [
                *loop(THOUGHT)[:2],
                user(
                    RESULT,
                    text("Call one of the tools now; do not answer with text alone."),
                ),
            ],
        },
    ),
    "a forced tool against manual thinking": (
        {**FORCED, "thinking": MANUAL},
        ["thinking:enabled_off=forced_tool"],
        {"thinking": OFF},
    ),
    "a forced tool beside adaptive thinking": (
        {**FORCED, "thinking": ADAPTIVE},
        ["thinking:enabled_off=forced_tool"],
        {"thinking": ADAPTIVE},
    ),
    "a forced tool against any thinking": (
        {**FORCED, "thinking": ADAPTIVE},
        ["thinking:off=forced_tool"],
        {"thinking": OFF},
    ),
    "a forced tool, and it thinks by itself": (
        FORCED,
        ["thinking:off=forced_tool", "thinking:default=on"],
        {"thinking": OFF},
    ),
    "a forced tool that became words is against nothing": (
        {**FORCED, "thinking": MANUAL},
        ["thinking:enabled_off=forced_tool", "tool_choice:forced=auto"],
        {"thinking": MANUAL, "tool_choice": {"type": "auto"}},
    ),
    "no tool, said by leaving them out": (
        {"tools": [TOOL], "tool_choice": {"type": "none"}},
        ["tool_choice:none=no_tools"],
        {"tools": None, "tool_choice": None},
    ),
    # thoughts that were lost
    "manual thinking, its open turn has no thoughts": (
        {"thinking": MANUAL, "messages": loop()},
        ["thinking:pending_lost=off"],
        {"thinking": OFF},
    ),
    "manual thinking, its open turn has them": (
        {"thinking": MANUAL, "messages": loop(THOUGHT)},
        ["thinking:pending_lost=off"],
        {"thinking": MANUAL},
    ),
    "manual thinking, no turn is open": (
        {"thinking": MANUAL, "messages": [*loop(), assistant(text("2")), USER]},
        ["thinking:pending_lost=off"],
        {"thinking": MANUAL},
    ),
    "adaptive thinking needs nothing": (
        {"thinking": ADAPTIVE, "messages": loop()},
        ["thinking:pending_lost=off"],
        {"thinking": ADAPTIVE},
    ),
    "its foreign thoughts go, and thinking with them": (
        {"thinking": MANUAL, "messages": loop(THOUGHT)},
        ["thinking:pending_lost=off", "state:thinking=out"],
        {"thinking": OFF, "messages": loop()},
    ),
    # sampling
    "sampling is left out": (
        {"temperature": 0.2, "top_p": 0.9, "top_k": 4},
        ["sampling:temperature", "sampling:top_p", "sampling:top_k"],
        {"temperature": None, "top_p": None, "top_k": None},
    ),
    "one value alone": (
        {"temperature": 0.2, "top_p": 0.5},
        ["sampling:temperature=1", "sampling:top_p=0.99"],
        {"temperature": 1, "top_p": 0.99},
    ),
    "not both": (
        {"temperature": 0.2, "top_p": 0.9},
        ["sampling:top_p=alone"],
        {"temperature": 0.2, "top_p": None},
    ),
    "the second alone": (
        {"top_p": 0.9},
        ["sampling:top_p=alone"],
        {"top_p": 0.9},
    ),
    "thinking wins over sampling": (
        {"thinking": MANUAL, "temperature": 0.2, "top_k": 4, "top_p": 0.96},
        ["sampling:thinking=limited"],
        {"temperature": None, "top_k": None, "top_p": 0.96},
    ),
    "sampling without thinking": (
        {"temperature": 0.2, "top_k": 4},
        ["sampling:thinking=limited"],
        {"temperature": 0.2, "top_k": 4},
    ),
    "a temperature above the range": (
        {"temperature": 1.5},
        ["limit:temperature<=1"],
        {"temperature": 1},
    ),
    # members and betas
    "members that only Anthropic has": (
        {"context_management": {}, "container": "c", "metadata": {}, "top_k": 1},
        ["member:*=metadata,top_k"],
        {"context_management": None, "container": None, "metadata": {}, "top_k": 1},
    ),
    "betas in the body": (
        {"anthropic_beta": ["a-2026-01-01", "b-2026-01-01"]},
        ["beta:a-2026-01-01"],
        {"anthropic_beta": ["b-2026-01-01"]},
    ),
    "none of them": (
        {"anthropic_beta": ["a-2026-01-01"], "context_management": {}, "speed": "fast"},
        ["beta:*"],
        {"anthropic_beta": None, "context_management": None, "speed": None},
    ),
    "some of them, with their members": (
        {"context_management": {}, "speed": "fast"},
        ["beta:*=context-management-*"],
        {"context_management": {}, "speed": None},
    ),
    "a beta that is refused, and its member": (
        {"context_management": {}, "speed": "fast"},
        ["beta:context-management-2025-06-27"],
        {"context_management": None, "speed": "fast"},
    ),
    # tools
    "members of tools": (
        {"tools": [{**TOOL, "strict": True, "eager_input_streaming": True}]},
        ["tool:strict", "tool:eager_input_streaming"],
        {"tools": [TOOL]},
    ),
    "all that are not everybody's": (
        {"tools": [{**TOOL, "defer_loading": True, "x": 1}]},
        ["tool:*"],
        {"tools": [TOOL]},
    ),
    "the provider's own tools, an offer among others": (
        {"tools": [SERVER, TOOL]},
        ["tool_type:server=out"],
        {"tools": [TOOL]},
    ),
    "tools of one type": (
        {"tools": [SERVER, TOOL, {"type": "memory_20250818", "name": "memory"}]},
        ["tool_type:memory_*=out"],
        {"tools": [SERVER, TOOL]},
    ),
    "cache marks": (
        {
            "system": [
                {**text("S"), "cache_control": {"type": "ephemeral", "scope": "global"}}
            ],
            "cache_control": {"type": "ephemeral", "scope": "global"},
        },
        ["cache_control:scope"],
        {
            "system": [{**text("S"), "cache_control": {"type": "ephemeral"}}],
            "cache_control": {"type": "ephemeral"},
        },
    ),
}


@each_row("case", SETTINGS)
def test_settings(case):
    body, quirks, expected = SETTINGS[case]
    made, found = adapted(body, *quirks)
    assert {name: made.get(name) for name in expected} == expected
    assert found.unfit == ""
    original = {"model": "m", "max_tokens": 2_000, "messages": [USER], **body}
    assert bool(found.changes) == (made != original)
    again = adapt(made, Quirks.parse(*quirks), nothing_kept)
    assert (dict(again.replaced), again.dropped) == ({}, frozenset())


UNFIT = {
    "prefill": (
        {"messages": [USER, {"role": "assistant", "content": "{"}]},
        ["role:last=user"],
        "does not go on from a text of the assistant",
    ),
    "prefill beside thoughts": (
        {"messages": [USER, assistant(text("{"))], "thinking": MANUAL},
        ["role:last_thinking=user"],
        "does not go on from a text of the assistant",
    ),
    "a PDF": (
        {"messages": [user({"type": "document", "source": {"type": "base64"}})]},
        ["block:*=text,image"],
        "takes no document in a message",
    ),
    "an image by its address": (
        {"messages": [user({"type": "image", "source": {"type": "url"}})]},
        ["source:url=unfit"],
        "takes no image by url",
    ),
    "an image in a result": (
        {
            "messages": [
                USER,
                assistant(CALL),
                user({**RESULT, "content": [{"type": "image", "source": {}}]}),
            ]
        },
        ["block:image=unfit"],
        "takes no image in a message",
    ),
    "the only tool": (
        {"tools": [SERVER]},
        ["tool_type:server=out"],
        "has no tool web_search_20250305",
    ),
    "the tool that is forced": (
        {
            "tools": [SERVER, TOOL],
            "tool_choice": {"type": "tool", "name": "web_search"},
        },
        ["tool_type:server=out"],
        "has no tool web_search_20250305",
    ),
    "too many tools": (
        {"tools": [{**TOOL, "name": f"t{i}"} for i in range(129)]},
        ["limit:tools<=128"],
        "takes 128 tools at most",
    ),
}


@pytest.mark.parametrize("case", UNFIT)
def test_what_cannot_be_carried(case):
    body, quirks, why = UNFIT[case]
    assert adapted(body, *quirks)[1].unfit == why


@pytest.mark.parametrize(
    "body",
    [
        {"messages": [USER, assistant(text("{"))]},
        {"messages": [USER, assistant({"type": "server_tool_use", "id": "s"})]},
    ],
)
def test_a_last_word_that_may_be(body):
    thinks_not = adapted(body, "role:last_thinking=user")[1]
    assert thinks_not.unfit == ""
    waits = body["messages"][-1]["content"][0]["type"] == "server_tool_use"
    assert (adapted(body, "role:last=user")[1].unfit == "") == waits


SIGNED = "S" * 40
HISTORIES = {
    "all thoughts out": (
        loop(THOUGHT, REDACTED),
        ["state:thinking=out"],
        loop(),
    ),
    "a turn of thoughts alone goes": (
        [USER, assistant(THOUGHT), USER],
        ["state:thinking=out"],
        [USER, USER],
    ),
    "without a signature nobody at Claude's wrote them": (
        loop({"type": "thinking", "thinking": "Hm", "signature": ""}, THOUGHT),
        ["reasoning:unsigned=out"],
        loop(THOUGHT),
    ),
    "an encrypted thought as plain text": (
        loop(REDACTED),
        ["reasoning:as=plain"],
        loop({"type": "thinking", "thinking": "..."}),
    ),
    "an empty one": (
        loop({"type": "thinking", "thinking": "", "signature": "own"}),
        ["reasoning:as=plain"],
        loop({"type": "thinking", "thinking": "...", "signature": "own"}),
    ),
    "wanted beside calls, known by nobody": (
        [*loop(), assistant(text("2"))],
        ["reasoning:wanted=thinking"],
        [*loop({"type": "thinking", "thinking": "..."}), assistant(text("2"))],
    ),
    "wanted beside calls, and there": (
        loop(THOUGHT),
        ["reasoning:wanted=thinking"],
        loop(THOUGHT),
    ),
    "a reference to a tool": (
        [
            USER,
            assistant(CALL),
            user(
                {
                    **RESULT,
                    "content": [{"type": "tool_reference", "tool_name": "add"}],
                }
            ),
        ],
        ["block:tool_reference=text"],
        [
            USER,
            assistant(CALL),
            user({**RESULT, "content": [text("Tool: add")]}),
        ],
    ),
    "what a server tool found": (
        [
            USER,
            assistant(
                {
                    "type": "server_tool_use",
                    "id": "s",
                    "name": "web_search",
                    "input": {"query": "q"},
                },
                {
                    "type": "web_search_tool_result",
                    "tool_use_id": "s",
                    "content": [
                        {
                            "type": "web_search_result",
                            "title": "T",
                            "url": "https://e.x",
                            "encrypted_content": "E",
                        }
                    ],
                },
            ),
        ],
        ["block:*=text,image,tool_use,tool_result,thinking"],
        [
            USER,
            assistant(text('web_search({"query": "q"})'), text("T\nhttps://e.x")),
        ],
    ),
    "a document of plain text": (
        [
            user(
                {
                    "type": "document",
                    "title": "T",
                    "source": {"type": "text", "data": "Said"},
                }
            )
        ],
        ["block:document=text"],
        [user(text("T\nSaid"))],
    ),
    "thoughts that a server does not read": (
        loop(REDACTED, THOUGHT),
        ["block:redacted_thinking=out"],
        loop(THOUGHT),
    ),
    "ids": (
        [
            USER,
            assistant({**CALL, "id": "functions.add:0"}),
            user({**RESULT, "tool_use_id": "functions.add:0"}),
        ],
        ["id:call=[a-zA-Z0-9_-]+"],
        None,
    ),
    "members of blocks": (
        [user({**text("T"), "citations": []}), assistant({**CALL, "caller": {}})],
        ["part:citations", "part:caller"],
        [user(text("T")), assistant(CALL)],
    ),
    "all members but the core": (
        [{**user({**text("T"), "x": 1}), "name": "n"}],
        ["part:*", "message:*"],
        [user(text("T"))],
    ),
    "system inside, into the turn of the user": (
        [USER, {"role": "system", "content": "Be brief."}, assistant(text("Hi"))],
        ["role:system=user"],
        [
            user(text("Hello!"), text("<system>\nBe brief.\n</system>")),
            assistant(text("Hi")),
        ],
    ),
    "results meet their calls": (
        [
            USER,
            assistant(CALL, {**CALL, "id": "toolu_2"}, {**CALL, "id": "toolu_3"}),
            user(text("Go on"), {**RESULT, "tool_use_id": "toolu_9"}),
            user({**RESULT, "tool_use_id": "toolu_2"}, RESULT),
            assistant(text("2")),
        ],
        ["tools:paired"],
        [
            USER,
            assistant(CALL, {**CALL, "id": "toolu_2"}),
            user(RESULT, {**RESULT, "tool_use_id": "toolu_2"}, text("Go on")),
            assistant(text("2")),
        ],
    ),
    "each call has an id of its own": (
        [USER, *2 * [assistant(CALL), user(RESULT)]],
        ["tools:paired"],
        [
            *[USER, assistant(CALL), user(RESULT)],
            assistant({**CALL, "id": AGAIN}),
            user({**RESULT, "tool_use_id": AGAIN}),
        ],
    ),
    "each call of a turn has an id of its own": (
        [USER, assistant(CALL, CALL), user(RESULT, RESULT)],
        ["tools:paired"],
        [
            *[USER, assistant(CALL, {**CALL, "id": AGAIN})],
            user(RESULT, {**RESULT, "tool_use_id": AGAIN}),
        ],
    ),
    "an open call waits": (
        [USER, assistant(CALL)],
        ["tools:paired"],
        [USER, assistant(CALL)],
    ),
    "empty turns": (
        [USER, {"role": "assistant", "content": ""}, assistant(), USER],
        ["content:empty"],
        [USER, USER],
    ),
}


@pytest.mark.parametrize("case", HISTORIES)
def test_histories(case):
    history, quirks, expected = HISTORIES[case]
    made, found = adapted({"messages": history}, *quirks)
    if expected is not None:
        assert made["messages"] == expected
    if made["messages"] == history:
        assert found == UNCHANGED
    else:
        assert found.changes
    again = adapt(made, Quirks.parse(*quirks), nothing_kept)
    assert again == UNCHANGED


def test_ids_still_meet():
    history, quirks, _ = HISTORIES["ids"]
    made, found = adapted({"messages": history}, *quirks)
    call, result = made["messages"][1]["content"][0], made["messages"][2]["content"][0]
    assert call["id"] == result["tool_use_id"] != "functions.add:0"
    assert call["id"].replace("_", "").isalnum()
    assert "ids" in found.parts


def test_foreign_thoughts_go_and_claudes_stay():
    """What another vendor signed goes wherever it stands: Claude never saw it."""
    foreign = {**THOUGHT, "signature": "F" * 40}
    history = [
        *loop(THOUGHT),
        assistant(foreign, {**CALL, "id": "toolu_2"}),
        user({**RESULT, "tool_use_id": "toolu_2"}),
        assistant({**THOUGHT, "signature": "T" * 40}, text("2")),
        USER,
    ]
    recall = Recalled(own=["S" * 40], foreign=["F" * 40])
    made, found = adapted({"messages": history}, recall=recall)
    left = [b for m in made["messages"] for b in m["content"] if isinstance(b, dict)]
    assert [b["signature"][0] for b in left if b["type"] == "thinking"] == ["S", "T"]
    assert len(made["messages"]) == len(history)
    assert found.parts == ("reasoning", "messages")


def test_thoughts_of_others_lose_their_signature_where_they_are_plain_text():
    recall = Recalled(own=["O" * 40], foreign=["S" * 40])
    own = {**THOUGHT, "signature": "O" * 40}
    made, _ = adapted(
        {"messages": loop(THOUGHT, own)}, "reasoning:as=plain", recall=recall
    )
    assert made["messages"][1]["content"][:2] == [
        {"type": "thinking", "thinking": "I add."},
        own,
    ]


def test_kept_thoughts_come_back_beside_their_call():
    recall = Recalled(Kept("I add 1."))
    history = [*loop(), *loop()[1:]]
    made, _ = adapted({"messages": history}, "reasoning:wanted=thinking", recall=recall)
    assert made["messages"][1]["content"][0] == {
        "type": "thinking",
        "thinking": "I add 1.",
    }
    call = CallKey("toolu_1", "add", '{"a": 1}')
    assert recall.asked == [(call, 0), (call, 1)]


def test_kept_blocks_come_back_as_their_maker_wrote_them():
    own = {"type": "thinking", "thinking": "I add.", "signature": "own"}
    made, _ = adapted(
        {"messages": loop()},
        "reasoning:wanted=thinking",
        recall=Recalled(Kept("I add.", opaque=[own])),
    )
    assert made["messages"] == loop(own)


def test_no_thoughts_are_wanted_where_none_are_thought():
    body = {"messages": loop(), "thinking": OFF}
    assert adapted(body, "reasoning:wanted=thinking")[1] == UNCHANGED


@pytest.mark.parametrize(
    ("system", "inside", "expected"),
    [
        (None, "Be brief.", "Be brief."),
        ("You add.", "Be brief.", "You add.\n\nBe brief."),
        ([text("You add.")], "Be brief.", [text("You add."), text("Be brief.")]),
        ("You add.", [text("Be brief.")], "You add.\n\nBe brief."),
        (
            "You add.",
            [{**text("Brief."), "cache_control": {"type": "ephemeral"}}],
            [
                text("You add."),
                {**text("Brief."), "cache_control": {"type": "ephemeral"}},
            ],
        ),
    ],
)
def test_system_inside_moves_up(system, inside, expected):
    body = {"messages": [USER, {"role": "system", "content": inside}]}
    if system is not None:
        body["system"] = system
    made, found = adapted(body, "role:system=first")
    assert made["system"] == expected
    assert made["messages"] == [USER]
    assert found.parts == ("roles",)


BINDING = "thinking-binding-controls-2026-08-01"


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (None, {"type": "adaptive"}),
        ({"type": "adaptive"}, {"type": "adaptive"}),
        (
            {"type": "adaptive", "display": "omitted"},
            {"type": "adaptive", "display": "omitted"},
        ),
    ],
)
def test_bound_blocks_are_dropped_by_their_maker(given, expected):
    body = {"messages": loop(THOUGHT)} | ({"thinking": given} if given else {})
    made, found = adapted(body, "state:block_binding=drop_block")
    assert made["thinking"] == {
        **expected,
        "block_binding": {"prefix_mismatch_behavior": "drop_block"},
    }
    assert made["messages"] == loop(THOUGHT)
    [header] = found.headers
    assert header.of("a-2026-01-01") == f"a-2026-01-01,{BINDING}"
    assert header.of(BINDING) == BINDING == header.of("")


@pytest.mark.parametrize(
    ("thinking", "quirks"),
    [
        ({"type": "disabled"}, []),
        ({"type": "adaptive"}, [f"beta:{BINDING}"]),
        ({"type": "adaptive"}, ["beta:*"]),
    ],
)
def test_where_they_cannot_they_go(thinking, quirks):
    made, found = adapted(
        {"messages": loop(THOUGHT), "thinking": thinking},
        "state:block_binding=drop_block",
        *quirks,
    )
    assert made["thinking"] == thinking
    assert made["messages"] == loop()
    assert not any(BINDING in header.add for header in found.headers)


@pytest.mark.parametrize(
    ("quirks", "given", "expected"),
    [
        (["beta:a-1"], "a-1, b-1", "b-1"),
        (["beta:a-1"], "a-1", ""),
        (["beta:*"], "a-1,b-1", ""),
        (["beta:*=a-*,c-1"], "a-1,b-1,c-1,c-2", "a-1,c-1"),
        (
            ["member:context_management"],
            "context-management-2025-06-27,b-1",
            "b-1",
        ),
        (["tool:defer_loading"], "advanced-tool-use-2025-11-20", ""),
        (["cache_control:scope"], "prompt-caching-scope-2026-01-05,b-1", "b-1"),
    ],
)
def test_a_beta_and_its_member_travel_together(quirks, given, expected):
    [header] = adapted({}, *quirks)[1].headers
    assert (header.name, header.of(given)) == ("anthropic-beta", expected)


def test_nothing_applies():
    body = {"messages": loop(THOUGHT), "temperature": 1, "tools": [TOOL]}
    assert adapted(body)[1] is UNCHANGED
    assert adapt(body, NO_QUIRKS, nothing_kept) is UNCHANGED
